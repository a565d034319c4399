//! The event log: what happened, in one order, written with the state change it tells of.
//!
//! A place in the log (`seq`) is given once and never again; places grow without limit and may have
//! holes. Events of one channel lie in the order in which they happened. Kept for 30 days.

mod kind;
mod log;

use serde_json::Value;

pub use kind::EventKind;
pub(crate) use log::append;
pub use log::{EventFilter, list, prune};

use crate::clock::UnixMs;
use crate::id::{ChannelId, EventId};
use crate::model::Source;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// Its id; holds time and place.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it was written; never earlier than that of an earlier event.
    pub at: UnixMs,
    /// What it is about.
    pub subject: Subject,
    /// More of it, per kind; an object.
    pub data: Value,
}

/// What an event, a recording or a file is about. Absent is what does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The app.
    pub app_id: Option<String>,
    /// The room.
    pub room_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// Camera or auxiliary stream.
    pub source: Option<Source>,
    /// The channel.
    pub channel_id: Option<ChannelId>,
    /// The stream's name in the hub: `{rtmp app}/{stream code}`.
    pub stream: Option<String>,
}

/// An event to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// What it is about.
    pub subject: Subject,
    /// More of it; an object.
    pub data: Value,
}

impl Subject {
    /// The stream code: the stream's name without the RTMP app.
    #[must_use]
    pub fn stream_id(&self) -> Option<&str> {
        let stream = self.stream.as_deref()?;
        Some(stream.rsplit_once('/').map_or(stream, |(_, code)| code))
    }
}
