//! The form of Tencent's live events (直播事件通知): one flat object, told apart by `event_type`.
//!
//! | ours | `event_type` |
//! |---|---|
//! | `channel.started`, `channel.resumed` | 1 push began |
//! | `channel.interrupted`, and `channel.ended` of a push that no interruption announced | 0 push ended |
//! | `recording.file.completed` | 100 |
//! | `target.state_changed` | 314 |
//! | `ingest.anomaly` | 321 |
//! | `recording.started`, `.paused`, `.resumed`, `.ended`, `.failed` | 332 |
//! | `recording.failed` of a recording that goes on by itself | 341 |
//!
//! `t` is the Unix second until which the event is valid, ten minutes after the attempt, so that it lies ahead whenever the
//! receiver looks; `sign` covers it.

use serde_json::{Map, Value, json};

use super::super::{Secret, signature};
use super::Origin;
use super::stream_param::{self, stream_param};
use crate::clock::UnixMs;
use crate::event::{Event, EventKind};

/// How long after an attempt its event is valid, in seconds.
const VALID_S: i64 = 600;

/// `event_type` of an event; `None` if the form has no word for it.
fn event_type(event: &Event) -> Option<u32> {
    Some(match event.kind {
        EventKind::ChannelStarted | EventKind::ChannelResumed => 1,
        EventKind::ChannelInterrupted => 0,
        // One 0 for each 1: a channel that ends without a push, or whose push was already told to be over, says nothing.
        EventKind::ChannelEnded if Data(event).flag("publishing") => 0,
        EventKind::RecordingFileCompleted => 100,
        EventKind::TargetStateChanged => 314,
        EventKind::IngestAnomaly => 321,
        EventKind::RecordingFailed if Data(event).text("state") == Some("paused") => 341,
        EventKind::RecordingStarted
        | EventKind::RecordingPaused
        | EventKind::RecordingResumed
        | EventKind::RecordingEnded
        | EventKind::RecordingFailed => 332,
        _ => return None,
    })
}

pub(super) fn covers(event: &Event) -> bool {
    event_type(event).is_some()
}

pub(super) fn body(event: &Event, key: Option<&Secret>, origin: &Origin, now: UnixMs) -> Vec<u8> {
    let data = Data(event);
    let mut body = head(event, origin);
    let kind = event_type(event).unwrap_or_default();
    body.insert("event_type".to_owned(), kind.into());
    let more = match kind {
        0 | 1 => push(event, origin),
        100 => file(event),
        314 => target(&data),
        321 => json!({
            "abnormal_event": data.0.data.get("anomalies").cloned().unwrap_or_else(|| json!([data.0.data])),
            "report_interval": data.number("interval_s").unwrap_or(5),
        }),
        341 => json!({
            "exception_level": 1,
            "exception": {"type": -8, "occurs": event.at.seconds(), "desc": data.text("errmsg").unwrap_or_default()},
        }),
        _ => recording(event),
    };
    if let Value::Object(more) = more {
        body.extend(more);
    }
    let t = now.seconds() + VALID_S;
    body.insert("t".to_owned(), t.into());
    if let Some(key) = key {
        body.insert("sign".to_owned(), signature::lvb(key, t).into());
    }
    serde_json::to_vec(&body).expect("strings, numbers and JSON values only")
}

/// What every event of the form carries.
fn head(event: &Event, origin: &Origin) -> Map<String, Value> {
    let subject = &event.subject;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let data = Data(event);
    let app_id = text(&subject.app_id);
    let param = stream_param(
        data.text("stream_param").unwrap_or_default(),
        &stream_param::Subject {
            app_id: &app_id,
            room_id: subject.room_id.as_deref().unwrap_or_default(),
            user_id: subject.user_id.as_deref().unwrap_or_default(),
            started: data
                .seconds("push_started_at")
                .unwrap_or_else(|| event.at.seconds()),
            record_id: data
                .number("record_id")
                .and_then(|id| id.try_into().ok())
                .unwrap_or_default(),
        },
    );
    let stream = subject.stream_id().unwrap_or_default();
    let appname = subject
        .stream
        .as_deref()
        .and_then(|name| name.rsplit_once('/'))
        .map_or("", |(app, _)| app);
    let fields = [
        (
            "appid",
            app_id
                .parse::<u64>()
                .map_or_else(|_| app_id.clone().into(), Value::from),
        ),
        ("app", origin.push_domain.clone().into()),
        ("appname", appname.into()),
        ("stream_id", stream.into()),
        // With stream codes the channel is the stream.
        ("channel_id", stream.into()),
        ("stream_param", param.into()),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// Events 1 and 0.
fn push(event: &Event, origin: &Origin) -> Value {
    let data = Data(event);
    let begins = matches!(
        event.kind,
        EventKind::ChannelStarted | EventKind::ChannelResumed
    );
    let (code, message) = if begins {
        (0, "ok")
    } else {
        (1, "recv rtmp deleteStream")
    };
    let mut body = json!({
        "event_time": event.at.seconds(),
        "sequence": data.any_text("push_sequence").unwrap_or_else(|| event.seq.to_string()),
        "node": origin.node,
        "user_ip": data.text("peer").map_or("", ip),
        "errcode": data.number("errcode").unwrap_or(code),
        "errmsg": data.text("errmsg").unwrap_or(message),
        "width": data.number("width").unwrap_or_default(),
        "height": data.number("height").unwrap_or_default(),
    });
    if !begins {
        // A string, in the public form as well.
        body["push_duration"] = data
            .number("push_duration_ms")
            .unwrap_or_default()
            .to_string()
            .into();
    }
    body
}

/// Event 100.
fn file(event: &Event) -> Value {
    let data = Data(event);
    let stream = event.subject.stream_id().unwrap_or_default();
    let number = data
        .any_text("file_number")
        .unwrap_or_else(|| event.seq.to_string());
    let mut body = json!({
        "file_id": number,
        "record_file_id": number,
        "video_id": format!("{stream}_{}", data.number("segment_index").unwrap_or_default()),
        "video_url": data.text("url").unwrap_or_default(),
        "file_format": data.text("format").unwrap_or_default(),
        "file_size": data.number("size").unwrap_or_default(),
        "start_time": data.seconds("start_time").unwrap_or_default(),
        "end_time": data.seconds("end_time").unwrap_or_default(),
        "duration": (data.number("duration_ms").unwrap_or_default() + 500) / 1000,
    });
    // Only tasks that the API made have one to tell.
    if data
        .text("origin")
        .is_some_and(|origin| !matches!(origin, "auto" | "url"))
        && let Some(task) = data.any_text("task_id")
    {
        body["task_id"] = task.into();
    }
    body
}

/// Event 332.
fn recording(event: &Event) -> Value {
    let data = Data(event);
    let word = match event.kind {
        EventKind::RecordingStarted => "record_start_succeeded",
        EventKind::RecordingPaused => "record_paused",
        EventKind::RecordingResumed => "record_resumed",
        EventKind::RecordingFailed if data.is_false("started") => "record_start_failed",
        EventKind::RecordingFailed => "record_error",
        _ => "record_ended",
    };
    let formats = event.data.get("formats").and_then(Value::as_array);
    let first = formats.and_then(|formats| formats.first()?.as_str());
    let by_template = matches!(data.text("origin"), Some("auto" | "url"));
    json!({
        "record_event": word,
        "session_id": data.any_text("recording_id").unwrap_or_default(),
        "seq": event.seq,
        "event_time": event.at.seconds(),
        "task_id": data.any_text("task_id").unwrap_or_default(),
        "record_detail": {
            "file_format": match first {
                Some("flv") => 1,
                Some("hls") => 2,
                Some("aac") => 4,
                Some("mp3") => 5,
                _ => 3,
            },
            "start_model": if by_template { 1 } else { 5 },
            "record_content": 1,
        },
    })
}

/// Event 314.
fn target(data: &Data<'_>) -> Value {
    let state = data.text("state").unwrap_or_default();
    json!({
        "task_id": data.any_text("target_id").unwrap_or_default(),
        "task_event": if matches!(state, "connecting" | "running" | "recovering") { "TaskStart" } else { "TaskExit" },
        "to_url": data.text("url").unwrap_or_default(),
        "msg": data.text("reason").unwrap_or(state),
    })
}

/// The address without its port.
fn ip(peer: &str) -> &str {
    let host = peer
        .parse::<std::net::SocketAddr>()
        .ok()
        .and_then(|_| peer.rsplit_once(':'))
        .map_or(peer, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

/// Reads an event's data, whose fields may be absent.
struct Data<'a>(&'a Event);

impl<'a> Data<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.data.get(name)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// A string, or a number as one.
    fn any_text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn is_false(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool) == Some(false)
    }

    /// An RFC 3339 time as Unix seconds.
    fn seconds(&self, name: &str) -> Option<i64> {
        Some(
            self.text(name)?
                .parse::<jiff::Timestamp>()
                .ok()?
                .as_second(),
        )
    }
}
