//! Timed metadata in segments: what a publisher says in data messages.
//!
//! A message becomes an ID3 tag and goes the way of the access units, under a track id that no track
//! has: into the open segment and the open part, at the place where it came. MPEG-TS carries it in a
//! stream of its own, which is announced from the first segment on whether there is a message or not:
//! a stream that appears later would be a discontinuity (RFC 8216 §4.3.2.3). fMP4 carries it in an
//! `emsg` box in front of the fragment.
//!
//! Cues (`onCuePoint`, `onAdCue`) are in playlists as well: `dates`.
//!
//! `onMetaData` describes the stream, and encoders repeat it: only one that says something new is
//! passed on.

mod cue;
mod dates;
mod range;

pub(crate) use dates::{Dates, Told};
pub use range::DateRange;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Dts, Rounding, Timescale, TrackId};
use remux::{Scheme, TimedMetadata};

use crate::segmenter::Segmenter;

/// What units of timed metadata have in place of a track; their times are in milliseconds.
pub(crate) const ASIDE: TrackId = TrackId(u16::MAX);
/// Bytes of metadata in one segment. Threat: a publisher whose messages are more than its media, in
/// every segment of every viewer.
const MAX_BYTES: usize = 1 << 20;
/// What a message costs besides its bytes, packets of a transport stream included.
const OVERHEAD: usize = 256;

/// What is known of a publisher's messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The last `onMetaData`.
    description: Option<Bytes>,
    /// Bytes of metadata in the open segment.
    bytes: usize,
}

impl Messages {
    /// Whether a message says something that viewers do not know.
    fn is_news(&mut self, message: &DataMessage) -> bool {
        if !message.is_metadata() {
            return true;
        }
        let before = self.description.replace(message.amf0.clone());
        before.is_some_and(|before| before != message.amf0)
    }

    /// Counts what goes into the open segment; false when it has enough.
    fn take(&mut self, bytes: usize) -> bool {
        let all = self.bytes + bytes + OVERHEAD;
        let fits = all <= MAX_BYTES;
        if fits {
            self.bytes = all;
        }
        fits
    }

    /// A segment begins with these units.
    pub(crate) fn begin(&mut self, units: &[AccessUnit]) {
        let asides = units.iter().filter(|unit| is_aside(unit));
        self.bytes = asides.map(|unit| unit.payload.len() + OVERHEAD).sum();
    }
}

/// Whether this is a unit of timed metadata.
pub(crate) fn is_aside(unit: &AccessUnit) -> bool {
    unit.track == ASIDE
}

/// The metadata of such a unit.
pub(crate) fn of_unit(unit: &AccessUnit) -> TimedMetadata {
    let Dts(ms) = unit.dts;
    TimedMetadata {
        pts: Timescale::MILLIS.convert(ms, Timescale::NINETY_KHZ, Rounding::Floor),
        duration: None,
        scheme: Scheme::Id3,
        bytes: unit.payload.clone(),
    }
}

impl Segmenter {
    /// One data message, in arrival order; for viewers where [`crate::Config::timed_metadata`] is
    /// set. An `onMetaData` that says what the one before said, and the first one, is only
    /// remembered. Messages that cannot be read, or are too large, are counted.
    pub fn data(&mut self, message: &DataMessage) {
        if message.is_metadata() {
            self.describe(message);
        }
        if !self.takes_messages() || !self.messages.is_news(message) {
            return;
        }
        self.cue(message);
        let taken = TimedMetadata::of_message(message)
            .filter(|timed| self.messages.take(timed.bytes.len()));
        match taken {
            Some(timed) => self.aside(AccessUnit::new(ASIDE, message.dts, timed.bytes)),
            None => self.message_left_out(),
        }
    }
}
