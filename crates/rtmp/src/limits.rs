//! What one connection may ask for.

use std::time::Duration;

/// What one connection may ask for. Each field's comment names the threat it bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in bytes, before publishing (or, for a client, playing) has begun. Threat:
    /// memory held by peers nobody has authorised. Default 64 KiB.
    pub message_bytes_before_media: u32,
    /// Longest video or aggregate message afterwards, in bytes. Threat: declared 16 MiB messages.
    /// Default 8 MiB, enough for an intra frame of 8K video.
    pub video_bytes: u32,
    /// Longest audio message afterwards, in bytes. Default 256 KiB.
    pub audio_bytes: u32,
    /// Longest other message afterwards (metadata, commands), in bytes. Threat: parsing cost.
    /// Default 256 KiB.
    pub data_bytes: u32,
    /// Messages begun and not finished. Threat: a large message begun on each of 65 597 chunk
    /// streams. Default 64.
    pub unfinished_messages: usize,
    /// Memory held by unfinished messages together, in bytes. Default 9 MiB: the largest video
    /// message and room beside it. Before media the limit is
    /// [`Self::message_bytes_before_media`] times four.
    pub unfinished_bytes: usize,
    /// Chunk streams whose headers are remembered. Threat: 56 bytes for each of 65 597 ids.
    /// Default 256; the largest number seen from a real encoder is 8.
    pub chunk_streams: usize,
    /// Message streams (`createStream`) open at once. Threat: `createStream` floods. Default 32.
    pub message_streams: usize,
    /// Answers of the session that are not yet taken by `poll_transmit`, in bytes. Threat: ping and
    /// `createStream` floods by a peer that does not read. Default 256 KiB.
    pub transmit_bytes: usize,
    /// Input held back while the shell decides about a connect, publish or play. Threat: a peer that
    /// sends without waiting for the answer. Default 256 KiB.
    pub undecided_bytes: usize,
    /// Limits of commands' AMF0 values. Threat: nesting that overflows the stack, quadratic lookups.
    pub amf: amf0::Limits,
    /// From the first byte to an accepted publish or play, and again when a connection has neither
    /// any more. Threat: idle and dripping connections. Default 10 s.
    pub setup_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_before_media: 64 << 10,
            video_bytes: 8 << 20,
            audio_bytes: 256 << 10,
            data_bytes: 256 << 10,
            unfinished_messages: 64,
            unfinished_bytes: 9 << 20,
            chunk_streams: 256,
            message_streams: 32,
            transmit_bytes: 256 << 10,
            undecided_bytes: 256 << 10,
            amf: amf0::Limits::default(),
            setup_time: Duration::from_secs(10),
        }
    }
}
