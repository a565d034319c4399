//! Chunk headers of outgoing messages, and how a payload is cut between them.

use std::ops::Deref;

use super::{CSID_AUDIO, CSID_DATA, CSID_VIDEO, DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE, MAX_CSID};
use crate::message::type_id;

/// Everything the header of an outgoing message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// Chunk stream id, `2..=65_599`; others are brought into that range.
    pub csid: u32,
    /// Message stream id.
    pub message_stream_id: u32,
    /// Absolute time in milliseconds, wrapping at 2^32.
    pub timestamp: u32,
    /// Message type: see [`crate::message::type_id`].
    pub type_id: u8,
    /// Payload length in bytes, at most 0xFFFFFF (the wire has 24 bits).
    pub length: u32,
}

impl MessageHeader {
    /// The header of a video message on chunk stream 7. `timestamp` in milliseconds, `length` in bytes.
    pub fn video(message_stream_id: u32, timestamp: u32, length: u32) -> Self {
        Self {
            csid: CSID_VIDEO,
            message_stream_id,
            timestamp,
            type_id: type_id::VIDEO,
            length,
        }
    }

    /// The header of an audio message on chunk stream 8. `timestamp` in milliseconds, `length` in bytes.
    pub fn audio(message_stream_id: u32, timestamp: u32, length: u32) -> Self {
        Self {
            csid: CSID_AUDIO,
            message_stream_id,
            timestamp,
            type_id: type_id::AUDIO,
            length,
        }
    }

    /// The header of an AMF0 data message on chunk stream 9. `timestamp` in milliseconds, `length` in bytes.
    pub fn data(message_stream_id: u32, timestamp: u32, length: u32) -> Self {
        Self {
            csid: CSID_DATA,
            message_stream_id,
            timestamp,
            type_id: type_id::DATA_AMF0,
            length,
        }
    }

    /// The type 0 header before the first chunk: 12 to 18 bytes.
    pub fn encode_first(&self) -> HeaderBytes {
        let mut out = HeaderBytes::new();
        out.put_basic(0, self.csid);
        let [_, length @ ..] = self.length.min(MAX_CHUNK_SIZE).to_be_bytes();
        match self.extended() {
            None => {
                let [_, timestamp @ ..] = self.timestamp.to_be_bytes();
                out.put(timestamp);
            }
            Some(_) => out.put([0xff; 3]),
        }
        out.put(length);
        out.put([self.type_id]);
        // Little endian, alone in the format (RTMP 1.0 §5.3.1.2.1).
        out.put(self.message_stream_id.to_le_bytes());
        if let Some(timestamp) = self.extended() {
            out.put(timestamp);
        }
        out
    }

    /// The type 3 header before every further chunk: 1 to 7 bytes. It repeats the extended timestamp
    /// (RTMP 1.0 §5.3.1.3), as every player that was looked at expects.
    pub fn encode_continuation(&self) -> HeaderBytes {
        let mut out = HeaderBytes::new();
        out.put_basic(3, self.csid);
        if let Some(timestamp) = self.extended() {
            out.put(timestamp);
        }
        out
    }

    /// Both headers, as [`slices`] and fan-out workers need them.
    pub fn encode(&self) -> EncodedHeader {
        EncodedHeader {
            first: self.encode_first(),
            continuation: self.encode_continuation(),
        }
    }

    fn extended(&self) -> Option<[u8; 4]> {
        (self.timestamp >= 0xff_ffff).then(|| self.timestamp.to_be_bytes())
    }
}

/// An encoded chunk header, inline and without allocation; dereferences to its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderBytes {
    bytes: [u8; HeaderBytes::CAPACITY],
    /// `0..=18`
    len: u8,
}

impl HeaderBytes {
    /// The longest header: 3 bytes of basic header, 11 of message header, 4 of extended timestamp.
    pub const CAPACITY: usize = 18;

    fn new() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        }
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let start = usize::from(self.len);
        if let Some(free) = self
            .bytes
            .get_mut(start..)
            .and_then(|free| free.first_chunk_mut::<N>())
        {
            *free = bytes;
            self.len = self.len.saturating_add(u8::try_from(N).unwrap_or(u8::MAX));
        }
    }

    /// The basic header (RTMP 1.0 §5.3.1.1).
    fn put_basic(&mut self, chunk_type: u8, csid: u32) {
        let fmt = chunk_type << 6;
        let csid = csid.clamp(2, MAX_CSID);
        match (u8::try_from(csid), u8::try_from(csid.wrapping_sub(64))) {
            (Ok(low @ 2..=63), _) => self.put([fmt | low]),
            (_, Ok(rest)) => self.put([fmt, rest]),
            _ => {
                let rest = u16::try_from(csid.wrapping_sub(64)).unwrap_or(u16::MAX);
                self.put([fmt | 1]);
                self.put(rest.to_le_bytes());
            }
        }
    }
}

impl Deref for HeaderBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for HeaderBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for HeaderBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x?}", &**self)
    }
}

/// The two headers of one message: before its first chunk and before each further one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedHeader {
    /// Type 0.
    pub first: HeaderBytes,
    /// Type 3.
    pub continuation: HeaderBytes,
}

impl EncodedHeader {
    /// Bytes on the wire of a message with `payload_len` bytes cut at `chunk_size`.
    pub fn wire_len(&self, payload_len: usize, chunk_size: u32) -> usize {
        let chunk_size = usize::try_from(chunk_size.max(1)).unwrap_or(usize::MAX);
        let continuations = payload_len.saturating_sub(1) / chunk_size;
        self.first.len() + payload_len + continuations * self.continuation.len()
    }
}

/// The byte slices of one message on the wire, in order: header, payload part, continuation header,
/// payload part … Ready for vectored writes; copies nothing. A `chunk_size` of 0 is taken as 128.
pub fn slices<'a>(header: &'a EncodedHeader, payload: &'a [u8], chunk_size: u32) -> Slices<'a> {
    let chunk_size = if chunk_size == 0 {
        DEFAULT_CHUNK_SIZE
    } else {
        chunk_size
    };
    Slices {
        header,
        next_header: Some(&header.first),
        payload,
        chunk_size: usize::try_from(chunk_size).unwrap_or(usize::MAX),
    }
}

/// Iterator returned by [`slices`].
#[derive(Debug, Clone)]
pub struct Slices<'a> {
    header: &'a EncodedHeader,
    /// The header that is due before the next payload part; `None` when a payload part is due.
    next_header: Option<&'a HeaderBytes>,
    payload: &'a [u8],
    chunk_size: usize,
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if let Some(header) = self.next_header.take() {
            return Some(header);
        }
        if self.payload.is_empty() {
            return None;
        }
        let (part, rest) = self
            .payload
            .split_at(self.chunk_size.min(self.payload.len()));
        self.payload = rest;
        self.next_header = (!rest.is_empty()).then_some(&self.header.continuation);
        Some(part)
    }
}

#[cfg(test)]
mod tests;
