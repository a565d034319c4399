//! An event.

use control::Event;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An event: the same body that native callbacks send.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::api) struct EventView {
    id: String,
    r#type: String,
    timestamp: String,
    /// Its place in the log; grows, with holes.
    seq: u64,
    app_id: Option<String>,
    room_id: Option<String>,
    user_id: Option<String>,
    source: Option<String>,
    channel_id: Option<String>,
    stream_id: Option<String>,
    /// More of it, by type.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let subject = &event.subject;
        Self {
            id: event.id.to_string(),
            r#type: event.kind.to_string(),
            timestamp: event.at.to_string(),
            seq: event.seq,
            app_id: subject.app_id.clone(),
            room_id: subject.room_id.clone(),
            user_id: subject.user_id.clone(),
            source: subject.source.map(|source| source.to_string()),
            channel_id: subject.channel_id.map(|id| id.to_string()),
            stream_id: subject.stream_id().map(str::to_owned),
            data: event.data.clone(),
        }
    }
}
