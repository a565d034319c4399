//! Our own form: the event as `/v1/events` shows it.

use serde::Serialize;
use serde_json::Value;

use crate::clock::UnixMs;
use crate::event::{Event, EventKind};
use crate::id::{ChannelId, EventId};
use crate::model::Source;

#[derive(Serialize)]
struct Body<'a> {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventKind,
    timestamp: UnixMs,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_id: Option<ChannelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_id: Option<&'a str>,
    data: &'a Value,
}

pub(super) fn body(event: &Event) -> Vec<u8> {
    let subject = &event.subject;
    let body = Body {
        id: event.id,
        kind: event.kind,
        timestamp: event.at,
        seq: event.seq,
        app_id: subject.app_id.as_deref(),
        room_id: subject.room_id.as_deref(),
        user_id: subject.user_id.as_deref(),
        source: subject.source,
        channel_id: subject.channel_id,
        stream_id: subject.stream_id(),
        data: &event.data,
    };
    serde_json::to_vec(&body).expect("strings, numbers and JSON values only")
}
