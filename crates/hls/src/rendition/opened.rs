//! The segment that is being made.

use crate::body::Part;
use crate::container::HasVideo;
use crate::encryption::Seal;
use crate::window::ByteRange;

/// The segment that is being made in parts.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) sequence: u64,
    pub(crate) wall_ms: i64,
    pub(crate) discontinuity: bool,
    pub(super) broke: bool,
    pub(crate) init: Option<u32>,
    /// How it is encrypted.
    pub(crate) seal: Option<Seal>,
    pub(super) has_video: HasVideo,
    /// One of its parts has a picture.
    pub(super) has_picture: bool,
    pub(crate) parts: Vec<Part>,
    /// Bytes of its parts.
    pub(crate) bytes: usize,
    pub(super) picture: Option<ByteRange>,
}

impl Opened {
    pub(crate) fn duration_ms(&self) -> u64 {
        self.parts.iter().map(|part| part.duration_ms).sum()
    }

    /// Wall time of the end of its last part.
    pub(crate) fn end_wall_ms(&self) -> i64 {
        let length = i64::try_from(self.duration_ms()).unwrap_or(i64::MAX);
        self.wall_ms.saturating_add(length)
    }

    /// Whether there is something to play: before that nobody is told of it.
    pub(super) fn has_media(&self) -> bool {
        self.parts.iter().any(|part| part.body.is_some())
    }
}
