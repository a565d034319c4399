//! Bounds on what one publisher or file may ask for.

/// Limits of [`super::Parser`] and [`super::Demuxer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tracks of one publisher. Threat: an enhanced RTMP message names 256 of each kind, and each
    /// costs a table entry and an event to every output.
    pub tracks: usize,
    /// Bytes of one sequence header. It is kept for the life of the stream. Threat: 16 headers of
    /// a whole message's size (8 MiB) each; real ones have less than 1 KiB.
    pub header_bytes: usize,
    /// Bytes of one tag's body in a file or HTTP body. Threat: a damaged size makes the demuxer
    /// gather up to 16 MiB of what follows. The largest real tags are 4K key frames of 1–4 MiB.
    pub tag_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tracks: 16,
            header_bytes: 64 << 10,
            tag_bytes: 8 << 20,
        }
    }
}
