//! User control messages (RTMP 1.0 §6.2, §7.1.7).

use bytes::{BufMut, BytesMut};

use super::{control, type_id};
use crate::chunk::Writer;

/// A user control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// A message stream is ready (0).
    StreamBegin {
        /// Which.
        message_stream_id: u32,
    },
    /// A message stream has ended (1).
    StreamEof {
        /// Which.
        message_stream_id: u32,
    },
    /// No more data for now (2).
    StreamDry {
        /// Which.
        message_stream_id: u32,
    },
    /// How much the client buffers (3).
    SetBufferLength {
        /// Which message stream.
        message_stream_id: u32,
        /// In milliseconds.
        millis: u32,
    },
    /// The stream is a recording (4).
    StreamIsRecorded {
        /// Which message stream.
        message_stream_id: u32,
    },
    /// Asks for a response with the same time (6).
    PingRequest {
        /// The sender's time in milliseconds.
        timestamp: u32,
    },
    /// Answers a ping (7).
    PingResponse {
        /// The time of the request.
        timestamp: u32,
    },
}

impl UserControl {
    /// Reads a user control payload; `None` when the event is unknown or too short, both of which
    /// are skipped. Bytes beyond what the event needs are ignored.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (event, rest) = payload.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let value = u32::from_be_bytes(*value);
        Some(match u16::from_be_bytes(*event) {
            0 => Self::StreamBegin {
                message_stream_id: value,
            },
            1 => Self::StreamEof {
                message_stream_id: value,
            },
            2 => Self::StreamDry {
                message_stream_id: value,
            },
            3 => {
                let millis = u32::from_be_bytes(*rest.first_chunk()?);
                Self::SetBufferLength {
                    message_stream_id: value,
                    millis,
                }
            }
            4 => Self::StreamIsRecorded {
                message_stream_id: value,
            },
            6 => Self::PingRequest { timestamp: value },
            7 => Self::PingResponse { timestamp: value },
            _ => return None,
        })
    }

    /// Appends this as a whole message.
    pub fn write(self, writer: &Writer, out: &mut BytesMut) {
        let mut payload = BytesMut::with_capacity(10);
        let (event, value) = match self {
            Self::StreamBegin { message_stream_id } => (0, message_stream_id),
            Self::StreamEof { message_stream_id } => (1, message_stream_id),
            Self::StreamDry { message_stream_id } => (2, message_stream_id),
            Self::SetBufferLength {
                message_stream_id, ..
            } => (3, message_stream_id),
            Self::StreamIsRecorded { message_stream_id } => (4, message_stream_id),
            Self::PingRequest { timestamp } => (6, timestamp),
            Self::PingResponse { timestamp } => (7, timestamp),
        };
        payload.put_u16(event);
        payload.put_u32(value);
        if let Self::SetBufferLength { millis, .. } = self {
            payload.put_u32(millis);
        }
        control::write(writer, type_id::USER_CONTROL, &payload, out);
    }
}
