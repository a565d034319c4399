//! A segment on its way into the renditions.

use std::sync::Arc;

use media::{AccessUnit, Dts, TrackId};

use crate::container::Each;
use crate::encryption::Numbered;
use crate::parts::Mark;
use crate::playlist::FrameRate;

/// What is known of a segment when it begins.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// Its number, when the rendition has no numbers yet.
    pub(crate) sequence: u64,
    /// Discontinuities of the stream up to its begin, counted from the first segment's.
    pub(crate) discontinuities: Each<u64>,
    pub(crate) wall_ms: i64,
    /// The timeline broke before it.
    pub(crate) broke: bool,
    /// What a feed in this container carries changed: all of them say so, since they are one presentation.
    pub(crate) changed: Each<bool>,
    /// What it is encrypted with.
    pub(crate) key: Option<Arc<Numbered>>,
}

/// A complete segment before it is muxed.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) opening: Opening,
    pub(crate) units: Vec<AccessUnit>,
    /// Its parts, in order; none when there is no low latency.
    pub(crate) marks: Vec<Mark>,
    /// Decode time of the unit that follows, per track where known.
    pub(crate) ends: Vec<(TrackId, Dts)>,
    pub(crate) duration_ms: u64,
    /// Measured, when the segment is a whole number of groups of pictures.
    pub(crate) frame_rate: Option<FrameRate>,
}
