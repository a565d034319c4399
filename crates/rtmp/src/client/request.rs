//! What the client says (RTMP 1.0 §7.2).

use amf0::Value;

use super::ClientConfig;
use crate::Capabilities;
use crate::message::Command;

/// Transaction ids, in the order of FFmpeg and librtmp; some servers expect `connect` to have 1.
pub(super) const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
pub(super) const CREATE_STREAM: f64 = 4.0;
/// `publish` or `play`.
pub(super) const START: f64 = 5.0;
const END: f64 = 6.0;

pub(super) fn connect(config: &ClientConfig) -> Command {
    let mut properties = vec![
        ("app".to_owned(), Value::from(config.app.as_str())),
        ("type".to_owned(), Value::from("nonprivate")),
        (
            "flashVer".to_owned(),
            Value::from(config.flash_ver.as_str()),
        ),
        ("tcUrl".to_owned(), Value::from(config.tc_url.as_str())),
        ("fpad".to_owned(), Value::Boolean(false)),
        ("capabilities".to_owned(), Value::Number(239.0)),
        // All codecs of the original protocol, as bits (§7.2.1.1).
        ("audioCodecs".to_owned(), Value::Number(3575.0)),
        ("videoCodecs".to_owned(), Value::Number(252.0)),
        ("videoFunction".to_owned(), Value::Number(1.0)),
        ("objectEncoding".to_owned(), Value::Number(0.0)),
    ];
    properties.extend(
        config
            .enhanced
            .as_ref()
            .map(Capabilities::to_properties)
            .unwrap_or_default(),
    );
    properties.extend(config.connect_properties.iter().cloned());
    command("connect", CONNECT, vec![Value::Object(properties)])
}

pub(super) fn release_stream(name: &str) -> Command {
    command(
        "releaseStream",
        RELEASE_STREAM,
        vec![Value::Null, Value::from(name)],
    )
}

pub(super) fn fc_publish(name: &str) -> Command {
    command(
        "FCPublish",
        FC_PUBLISH,
        vec![Value::Null, Value::from(name)],
    )
}

pub(super) fn create_stream() -> Command {
    command("createStream", CREATE_STREAM, vec![Value::Null])
}

pub(super) fn publish(name: &str) -> Command {
    command(
        "publish",
        START,
        vec![Value::Null, Value::from(name), Value::from("live")],
    )
}

/// Start -2: live, or recorded when there is no such live stream.
pub(super) fn play(name: &str) -> Command {
    command(
        "play",
        START,
        vec![Value::Null, Value::from(name), Value::Number(-2.0)],
    )
}

pub(super) fn fc_unpublish(name: &str) -> Command {
    command("FCUnpublish", END, vec![Value::Null, Value::from(name)])
}

pub(super) fn delete_stream(message_stream_id: u32) -> Command {
    command(
        "deleteStream",
        END + 1.0,
        vec![Value::Null, Value::from(message_stream_id)],
    )
}

fn command(name: &str, transaction_id: f64, arguments: Vec<Value>) -> Command {
    Command {
        name: name.to_owned(),
        transaction_id,
        arguments,
    }
}
