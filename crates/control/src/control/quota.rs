//! Tells of limits that refuse calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::Control;
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::event::{EventKind, NewEvent, Subject};
use crate::model::Source;
use crate::request::Place;

/// Between two events of an app about one limit. Bounds: what a client writes that asks again and again.
const EVERY: Duration = Duration::from_secs(60);

/// When an app was last told of a limit.
#[derive(Default)]
pub(super) struct QuotaTold(
    // Guards the moments; held for a look only. Apps that are asked for exist, so it stays small.
    Mutex<HashMap<(String, &'static str), UnixMs>>,
);

impl QuotaTold {
    /// Whether it is time to tell, which counts as told.
    fn is_due(&self, app_id: &str, limit: &'static str, now: UnixMs) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(&(app_id.to_owned(), limit));
        let is_due = last.is_none_or(|last| now.since(*last) >= EVERY);
        if is_due {
            told.insert((app_id.to_owned(), limit), now);
        }
        is_due
    }
}

impl Control {
    /// Passes the answer of a call on. A refusal by a limit is an event too: in a transaction of its own,
    /// since the refused one leaves nothing.
    pub(super) async fn telling_of_quota<T>(
        &self,
        answer: Result<T, Error>,
        subject: Subject,
    ) -> Result<T, Error> {
        let Err(refusal) = &answer else {
            return answer;
        };
        let limit = match refusal.reason {
            Reason::QuotaChannels => "max_channels",
            Reason::QuotaRecordings => "recordings",
            _ => return answer,
        };
        let app_id = subject.app_id.as_deref().unwrap_or_default();
        if !self.inner.quota_told.is_due(app_id, limit, self.now()) {
            return answer;
        }
        let event = NewEvent {
            kind: EventKind::QuotaExceeded,
            data: json!({"limit": limit, "detail": refusal.detail}),
            subject,
        };
        if let Err(trouble) = self.write(move |tx, _| tx.event(event)).await {
            tracing::warn!(reason = %trouble, "not told of: {}", refusal.detail);
        }
        answer
    }

    /// Whom a call is about.
    pub(super) fn subject_of(&self, place: &Place, user_id: &str, source: Source) -> Subject {
        let app_id = place.app_id.as_ref().unwrap_or(&self.settings().app_id);
        Subject {
            app_id: Some(app_id.clone()),
            room_id: Some(place.room_id.clone()),
            user_id: Some(user_id.to_owned()),
            source: Some(source),
            ..Subject::default()
        }
    }
}
