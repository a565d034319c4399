//! Writing whole messages into a buffer.

use bytes::BytesMut;

use super::{MessageHeader, slices};

/// Writes whole messages into a buffer, for control messages and commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    chunk_size: u32,
}

impl Writer {
    /// A writer with the chunk size that holds at the start of a connection (128 bytes).
    pub fn new() -> Self {
        Self {
            chunk_size: super::DEFAULT_CHUNK_SIZE,
        }
    }

    /// The chunk size in force, in bytes.
    pub fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Changes the chunk size from the next message on. Telling the peer is the caller's part.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, super::MAX_CHUNK_SIZE);
    }

    /// Appends one message to `out`; `header.length` is set from `payload`. Payload beyond
    /// 0xFFFFFF bytes, which the wire cannot express, is cut off.
    pub fn write(&self, mut header: MessageHeader, payload: &[u8], out: &mut BytesMut) {
        let longest = usize::try_from(super::MAX_CHUNK_SIZE).unwrap_or(usize::MAX);
        let payload = payload.get(..longest).unwrap_or(payload);
        header.length = u32::try_from(payload.len()).unwrap_or(super::MAX_CHUNK_SIZE);
        let encoded = header.encode();
        out.reserve(encoded.wire_len(payload.len(), self.chunk_size));
        for slice in slices(&encoded, payload, self.chunk_size) {
            out.extend_from_slice(slice);
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}
