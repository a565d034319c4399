//! Chunks: how messages are cut up on the wire (RTMP 1.0 §5.3).
//!
//! ```text
//!  basic header     message header               extended      payload
//!  fmt csid         type 0: 11 bytes             timestamp     up to the
//! +--+------+----+ +---------------------------+ +---------+ +------------ …
//! |2b|6 bits|0..2| | timestamp  3, length 3,   | | 4 bytes | | chunk size
//! +--+------+----+ | type 1, message stream 4  | +---------+ +------------ …
//!                  +---------------------------+  only if timestamp is 0xFFFFFF
//!                    type 1:  7 bytes, delta, no message stream id
//!                    type 2:  3 bytes, delta only
//!                    type 3:  none: next chunk of a message, or a message like the last
//! ```
//!
//! [`Reader`] takes any mixture apart; [`MessageHeader`] and [`Writer`] write each message as one
//! type 0 chunk and type 3 continuations, never interleaved, so that a header depends on nothing
//! that was sent before and serves every viewer.

mod header;
mod parse;
mod reader;
mod stream;
mod writer;

use bytes::Bytes;

pub use header::{EncodedHeader, HeaderBytes, MessageHeader, Slices, slices};
pub use reader::Reader;
pub use writer::Writer;

/// Chunk stream of protocol control and user control messages (RTMP 1.0 §5.4).
pub const CSID_CONTROL: u32 = 2;
/// Chunk stream of commands.
pub const CSID_COMMAND: u32 = 3;
/// Chunk stream of video.
pub const CSID_VIDEO: u32 = 7;
/// Chunk stream of audio.
pub const CSID_AUDIO: u32 = 8;
/// Chunk stream of data messages.
pub const CSID_DATA: u32 = 9;

/// The chunk size in force before a Set Chunk Size message, in bytes (RTMP 1.0 §5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;
/// The largest chunk size, in bytes: a message has at most 24 bits of length.
pub const MAX_CHUNK_SIZE: u32 = 0xff_ffff;
/// The largest chunk stream id: two bytes and the 64 of the one-byte form.
pub const MAX_CSID: u32 = 65_599;

/// One whole message, as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream it came on, `2..=65_599`. Without meaning for the content.
    pub csid: u32,
    /// Message stream it belongs to; 0 is the connection itself.
    pub message_stream_id: u32,
    /// Absolute time in milliseconds: deltas are already added. Wraps at 2^32.
    pub timestamp: u32,
    /// What the payload is: see [`crate::message::type_id`].
    pub type_id: u8,
    /// The payload, gathered; small media messages share an allocation of 8 KiB with their
    /// neighbours, so what is kept for long should be copied.
    pub payload: Bytes,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("csid", &self.csid)
            .field("message_stream_id", &self.message_stream_id)
            .field("timestamp", &self.timestamp)
            .field("type_id", &self.type_id)
            .field("len", &self.payload.len())
            .finish()
    }
}
