//! What the server says: results, errors and statuses.

use amf0::Value;
use bytes::{Bytes, BytesMut};

use crate::Capabilities;
use crate::chunk::MessageHeader;
use crate::message::Command;

/// `_result` of `connect` (RTMP 1.0 §7.2.1.1).
///
/// Enhanced RTMP capabilities stand in both objects: specification and implementations differ over
/// which of them clients read.
pub(super) fn connected(
    transaction_id: f64,
    object_encoding: f64,
    enhanced: Option<&Capabilities>,
) -> Command {
    let capabilities = enhanced
        .map(Capabilities::to_properties)
        .unwrap_or_default();
    let mut properties = vec![
        // Clients take the version's form apart, not its content.
        ("fmsVer".to_owned(), Value::from("FMS/3,5,7,7009")),
        ("capabilities".to_owned(), Value::Number(31.0)),
        ("mode".to_owned(), Value::Number(1.0)),
    ];
    properties.extend(capabilities.iter().cloned());
    let mut information = vec![
        ("level".to_owned(), Value::from("status")),
        (
            "code".to_owned(),
            Value::from("NetConnection.Connect.Success"),
        ),
        (
            "description".to_owned(),
            Value::from("Connection succeeded."),
        ),
        ("objectEncoding".to_owned(), Value::Number(object_encoding)),
    ];
    information.extend(capabilities);
    result(
        transaction_id,
        Value::Object(properties),
        Value::Object(information),
    )
}

/// `_result` with two values.
pub(super) fn result(transaction_id: f64, first: Value, second: Value) -> Command {
    command("_result", transaction_id, vec![first, second])
}

/// `_error` with an information object.
pub(super) fn error(transaction_id: f64, code: &str, description: &str) -> Command {
    command(
        "_error",
        transaction_id,
        vec![Value::Null, information("error", code, description)],
    )
}

/// `onStatus` (RTMP 1.0 §7.2.2).
pub(super) fn status(level: &str, code: &str, description: &str) -> Command {
    command(
        "onStatus",
        0.0,
        vec![Value::Null, information(level, code, description)],
    )
}

/// `onFCPublish` and `onFCUnpublish`, which Flash encoders wait for.
pub(super) fn fc(name: &str, code: &str) -> Command {
    command(
        name,
        0.0,
        vec![Value::Null, information("status", code, "")],
    )
}

/// The data message that says that everything was played.
pub(super) fn play_complete(message_stream_id: u32) -> (MessageHeader, Bytes) {
    let mut payload = BytesMut::new();
    let complete = information("status", "NetStream.Play.Complete", "");
    amf0::encode_all(&[Value::from("onPlayStatus"), complete], &mut payload);
    (
        MessageHeader::data(message_stream_id, 0, 0),
        payload.freeze(),
    )
}

fn information(level: &str, code: &str, description: &str) -> Value {
    Value::object([
        ("level", Value::from(level)),
        ("code", Value::from(code)),
        ("description", Value::from(description)),
    ])
}

fn command(name: &str, transaction_id: f64, arguments: Vec<Value>) -> Command {
    Command {
        name: name.to_owned(),
        transaction_id,
        arguments,
    }
}
