//! What every demuxer tells, in the order of the file.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, TrackId, TrackList};

/// What a demuxer found next.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// From here on these are the tracks: one appeared, or its codec configuration changed.
    Tracks(Arc<TrackList>),
    /// One access unit; its times are unwrapped and in its track's timescale.
    Unit(AccessUnit),
    /// A script data message (FLV).
    Data(Arc<DataMessage>),
    /// A piece of timed metadata (ID3 in MPEG-TS, `emsg` in MP4).
    Timed(Arc<TimedMetadata>),
    /// The clock that follows does not continue the one before, and the container says so.
    Discontinuity,
    /// Part of the input was left out; the demuxer goes on behind it.
    Damage(Damage),
}

/// Timed metadata that is neither audio nor video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedMetadata {
    /// When it applies, in ticks of 90 kHz on the timeline of the units.
    pub pts: i64,
    /// How long, in ticks of 90 kHz; `None` when unknown.
    pub duration: Option<u32>,
    /// What the bytes are.
    pub scheme: Scheme,
    /// The message, as it came.
    pub bytes: Bytes,
}

/// What the bytes of a [`TimedMetadata`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// An ID3v2 tag.
    Id3,
    /// A splice information section (SCTE 35), whole; its time is when it came.
    Scte35,
    /// An event message (ISO/IEC 23009-1 §5.10.3.3): its scheme, value and id.
    Emsg {
        /// `scheme_id_uri`.
        uri: Box<str>,
        /// `value`.
        value: Box<str>,
        /// `id`.
        id: u32,
    },
}

/// A part of the input that could not be used, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes of the input that are lost, from its start; of a folder, from the start of the file that
    /// `what` names.
    pub bytes: Range<u64>,
    /// The track that it belongs to, where that is known.
    pub track: Option<TrackId>,
    /// What is wrong there: the end of a sentence that begins with the place.
    pub what: Box<str>,
}
