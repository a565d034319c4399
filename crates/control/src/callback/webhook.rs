//! An endpoint: who is called, for what, and how.

mod change;
mod rows;

use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

pub use change::{MaxAge, NewWebhook, WebhookPatch, check_types};
pub(crate) use rows::{all, by_id, insert, remove, update, who_wants};

use super::{Acknowledgement, Profile, Secret};
use crate::clock::UnixMs;
use crate::event::Event;
use crate::id::WebhookId;
use crate::words::words;

words! {
    /// Where an endpoint comes from.
    pub enum WebhookOrigin {
        /// Made by a call.
        Api = "api",
        /// Named in the configuration file; changed there only.
        Config = "config",
    }
}

words! {
    /// Whether an endpoint is called.
    pub enum WebhookState {
        /// It is.
        Active = "active",
        /// It is not: nothing is queued for it, and what waits goes on waiting.
        Disabled = "disabled",
    }
}

/// A callback endpoint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where it comes from.
    pub origin: WebhookOrigin,
    /// Form, signature and manners.
    pub profile: Profile,
    /// Patterns of the types that it wants; at least one.
    pub types: Vec<String>,
    /// What else an event must be about.
    pub scope: Scope,
    /// What ends a delivery.
    pub acknowledgement: Acknowledgement,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Age at which a delivery is given up; `None` never. [`Profile::TencentCss`] ignores it.
    pub max_age: Option<Duration>,
    /// Whether it is called.
    pub state: WebhookState,
    /// Why it is not.
    pub disabled_reason: Option<String>,
    /// Since when no attempt has succeeded.
    pub failing_since: Option<UnixMs>,
    /// When it was made.
    pub created_at: UnixMs,
    /// Grows with each change.
    pub version: u64,
    pub(crate) url: String,
    pub(crate) secrets: Vec<ActiveSecret>,
}

/// A secret and how long it still signs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActiveSecret {
    pub(crate) secret: Secret,
    /// `None` for the newest.
    pub(crate) until: Option<UnixMs>,
}

/// Which events an endpoint wants besides their type; absent takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The RTMP app: the part of a stream's name before the slash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The app id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room_id: Option<String>,
}

impl Scope {
    fn holds(&self, event: &Event) -> bool {
        let subject = &event.subject;
        let app = subject
            .stream
            .as_deref()
            .and_then(|stream| stream.rsplit_once('/'))
            .map(|(app, _)| app);
        let agree = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        agree(&self.app, app)
            && agree(&self.app_id, subject.app_id.as_deref())
            && agree(&self.room_id, subject.room_id.as_deref())
    }
}

impl Webhook {
    /// Whether an event is to be delivered to it.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        wants(
            self.types.iter().map(String::as_str),
            &self.scope,
            self.profile,
            event,
        )
    }

    /// The URL without what a key could hide in: the values of its query are starred.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let Ok(mut url) = Url::parse(&self.url) else {
            return "?".to_owned();
        };
        if let Some(query) = url.query() {
            let starred: Vec<_> = query
                .split('&')
                .map(|pair| {
                    pair.split_once('=')
                        .map_or_else(|| "***".to_owned(), |(name, _)| format!("{name}=***"))
                })
                .collect();
            url.set_query(Some(&starred.join("&")));
        }
        url.into()
    }

    /// The secrets that sign at this moment, the newest first.
    pub(crate) fn signing(&self, now: UnixMs) -> Vec<Secret> {
        let live = self
            .secrets
            .iter()
            .filter(|it| it.until.is_none_or(|until| now < until));
        live.map(|it| it.secret.clone()).collect()
    }
}

fn wants<'a>(
    mut types: impl Iterator<Item = &'a str>,
    scope: &Scope,
    profile: Profile,
    event: &Event,
) -> bool {
    types.any(|pattern| event.kind.matches(pattern)) && scope.holds(event) && profile.covers(event)
}
