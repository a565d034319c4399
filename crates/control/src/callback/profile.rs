//! How an event is written down for its receiver: our own form, or that of Tencent's live events.

mod lvb;
mod native;
mod stream_param;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::{Acknowledgement, Schedule, Secret, signature};
use crate::clock::UnixMs;
use crate::event::{Event, EventKind};
use crate::words::words;

words! {
    /// The form, the signature and the manners of an endpoint's callbacks.
    pub enum Profile {
        /// Our own JSON, signed by Standard Webhooks.
        Native = "native",
        /// The JSON of Tencent's live events with `t` and `sign`; delivered on our long schedule.
        TencentLvb = "tencent_lvb",
        /// The same, given up after twelve repeats as Tencent does.
        TencentCss = "tencent_css",
    }
}

/// What a receiver sees of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Headers besides those of HTTP.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// What callbacks say of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `app`: the domain that encoders publish to.
    pub push_domain: String,
    /// `node`: the address of this machine.
    pub node: String,
    /// What the URLs of recorded files begin with: `http://host:8080`.
    pub files_url: String,
}

impl Profile {
    /// Whether the form has words for an event, and whoever asked for a recording wanted callbacks of it. What is not covered
    /// is never queued.
    #[must_use]
    pub fn covers(self, event: &Event) -> bool {
        let wanted = event.data.get("callback") != Some(&Value::Bool(false));
        match self {
            Self::Native => wanted,
            Self::TencentLvb | Self::TencentCss => wanted && lvb::covers(event),
        }
    }

    /// What ends a delivery, unless the endpoint says otherwise.
    #[must_use]
    pub fn usual_acknowledgement(self) -> Acknowledgement {
        match self {
            Self::Native => Acknowledgement::AnySuccess,
            Self::TencentLvb | Self::TencentCss => Acknowledgement::Status200,
        }
    }

    /// How long an attempt may take, unless the endpoint says otherwise.
    #[must_use]
    pub fn usual_timeout(self) -> Duration {
        match self {
            Self::Native => Duration::from_secs(15),
            Self::TencentLvb | Self::TencentCss => Duration::from_secs(20),
        }
    }

    /// When attempts are repeated.
    #[must_use]
    pub fn schedule(self, max_age: Option<Duration>) -> Schedule {
        match self {
            Self::Native | Self::TencentLvb => Schedule::Long { max_age },
            Self::TencentCss => Schedule::TencentCss,
        }
    }

    /// Writes an event down for an attempt made `now`. `secrets` are the active ones, the newest first; there is at least one.
    #[must_use]
    pub fn render(
        self,
        event: &Event,
        secrets: &[Secret],
        origin: &Origin,
        now: UnixMs,
    ) -> Rendered {
        let event = &with_url(event, origin);
        let id = event.id.to_string();
        let json = ("content-type", "application/json".to_owned());
        match self {
            Self::Native => {
                let body = native::body(event);
                let signature = signature::standard(secrets, &id, now.seconds(), &body);
                let headers = vec![
                    json,
                    ("webhook-id", id),
                    ("webhook-timestamp", now.seconds().to_string()),
                    ("webhook-signature", signature),
                ];
                Rendered { headers, body }
            }
            Self::TencentLvb | Self::TencentCss => {
                let body = lvb::body(event, secrets.first(), origin, now);
                Rendered {
                    headers: vec![json, ("webhook-id", id)],
                    body,
                }
            }
        }
    }
}

/// A file's event with the URL that the file is read from. It is not stored: the server may be called something else when
/// an old event is sent again.
fn with_url<'a>(event: &'a Event, origin: &Origin) -> Cow<'a, Event> {
    let id = event.data.get("file_id").and_then(Value::as_str);
    let (EventKind::RecordingFileCompleted, Some(id)) = (event.kind, id) else {
        return Cow::Borrowed(event);
    };
    let url = format!("{}/v1/files/{id}/content", origin.files_url);
    let mut event = event.clone();
    event.data["url"] = url.into();
    Cow::Owned(event)
}

#[cfg(test)]
mod tests;
