//! Commands (RTMP 1.0 §7.1.1, §7.2): a name, a transaction id, and values.

use amf0::{Decoder, ErrorKind, Value};
use bytes::BytesMut;

use super::type_id;
use crate::chunk::{CSID_COMMAND, Message, MessageHeader, Writer};

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// Such as `connect` or `onStatus`.
    pub name: String,
    /// Answers carry the id of what they answer; 0 asks for no answer. May be anything that a peer
    /// put there.
    pub transaction_id: f64,
    /// The values after the transaction id; the first is the command object, or null.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Reads a command message; AMF0, or AMF 3 whose leading byte is dropped (§7.1.1).
    ///
    /// `Ok(None)` when the message holds no command: the name is not a string, or there is none.
    /// Arguments end at the first that cannot be read, so that one strange value at the end of an
    /// encoder's command does not cost the session. A missing transaction id reads as 0.
    ///
    /// # Errors
    /// When a limit is exceeded.
    pub fn parse(message: &Message, limits: &amf0::Limits) -> Result<Option<Self>, amf0::Error> {
        let payload = &message.payload;
        let values = match (message.type_id, payload.split_first()) {
            (type_id::COMMAND_AMF3, Some((_, rest))) => rest,
            _ => payload,
        };
        let mut decoder = Decoder::new(values, limits);
        let Some(Value::String(name)) = lenient(decoder.next_value())? else {
            return Ok(None);
        };
        let transaction_id = lenient(decoder.next_value())?.and_then(|value| value.as_f64());
        let mut arguments = Vec::new();
        if let Some(transaction_id) = transaction_id {
            while let Some(value) = lenient(decoder.next_value())? {
                arguments.push(value);
            }
            return Ok(Some(Self {
                name,
                transaction_id,
                arguments,
            }));
        }
        Ok(Some(Self {
            name,
            transaction_id: 0.0,
            arguments,
        }))
    }

    /// The command object, or what stands in its place; null when there is nothing.
    pub fn object(&self) -> &Value {
        self.argument(0)
    }

    /// An argument by index, the command object being 0; null when there is none.
    pub fn argument(&self, index: usize) -> &Value {
        self.arguments.get(index).unwrap_or(&Value::Null)
    }

    /// Appends this as a whole AMF0 command message on `message_stream_id`.
    pub fn write(&self, writer: &Writer, message_stream_id: u32, out: &mut BytesMut) {
        let mut payload = BytesMut::with_capacity(256);
        amf0::encode(&Value::from(self.name.as_str()), &mut payload);
        amf0::encode(&Value::Number(self.transaction_id), &mut payload);
        amf0::encode_all(&self.arguments, &mut payload);
        let (csid, timestamp, length) = (CSID_COMMAND, 0, 0);
        let type_id = type_id::COMMAND_AMF0;
        let header = MessageHeader {
            csid,
            message_stream_id,
            timestamp,
            type_id,
            length,
        };
        writer.write(header, &payload, out);
    }
}

/// Reads an unreadable value as the end; only limits are errors.
fn lenient(value: Result<Option<Value>, amf0::Error>) -> Result<Option<Value>, amf0::Error> {
    match value {
        Err(error) if error.kind() != ErrorKind::Limit => Ok(None),
        value => value,
    }
}
