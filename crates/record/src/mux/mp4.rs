//! MP4 files: fragments while they are written, an ordinary file at the end.

use media::{AccessUnit, Dts, TrackId, TrackList};
use remux::LeftOut;
use remux::mp4::{Origin, Recorder};

use super::{Mux, Steps};

/// Media time of a fragment, in milliseconds: what a crash costs at most, beside what waits.
pub(super) const FRAGMENT_MS: i64 = 500;
/// A fragment ends earlier when it has this many bytes.
const FRAGMENT_BYTES: usize = 4 << 20;

/// Units that wait to become one fragment.
pub(super) struct Pending {
    pub(super) units: Vec<AccessUnit>,
    bytes: usize,
    /// Decode time of the first, in milliseconds.
    start_ms: i64,
    clocks: Vec<(TrackId, media::Timescale)>,
}

impl Pending {
    pub(super) fn new(tracks: &TrackList) -> Self {
        Self {
            units: Vec::new(),
            bytes: 0,
            start_ms: 0,
            clocks: tracks.iter().map(|t| (t.id, t.timescale)).collect(),
        }
    }

    /// A unit's decode time in milliseconds of the file.
    pub(super) fn ms(&self, unit: &AccessUnit) -> i64 {
        let clock = self.clocks.iter().find(|(id, _)| *id == unit.track);
        let (to, rounding) = (media::Timescale::MILLIS, media::Rounding::Floor);
        clock.map_or(0, |(_, clock)| clock.convert(unit.dts.0, to, rounding))
    }

    /// Whether the fragment ends before this unit.
    pub(super) fn is_due(&self, unit: &AccessUnit, join: bool) -> bool {
        let age = self.ms(unit) - self.start_ms;
        // A short one is not worth a header, random access point or not.
        !self.units.is_empty()
            && (age >= FRAGMENT_MS
                || join && age >= FRAGMENT_MS / 2
                || self.bytes >= FRAGMENT_BYTES)
    }

    pub(super) fn push(&mut self, unit: &AccessUnit) {
        if self.units.is_empty() {
            self.start_ms = self.ms(unit);
        }
        self.bytes += unit.size_bytes();
        self.units.push(unit.clone());
    }

    /// Where what waits begins, in milliseconds of the file; nothing waits behind `end_ms`.
    pub(super) fn from(&self, end_ms: i64) -> i64 {
        match self.units.is_empty() {
            true => end_ms,
            false => self.start_ms.min(end_ms),
        }
    }

    /// Forgets the units; what it takes to hold them is kept.
    pub(super) fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }
}

/// Times are those of the other formats, and of the manifest's gaps.
pub(crate) const ORIGIN: Origin = Origin::Kept;

pub(super) struct Mp4 {
    /// `None` when it is finished.
    recorder: Option<Recorder>,
    pending: Pending,
}

impl Mp4 {
    pub(super) fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let (recorder, left_out) = Recorder::new(tracks, ORIGIN);
        let this = Self {
            recorder: Some(recorder),
            pending: Pending::new(tracks),
        };
        (this, left_out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recorder.as_ref().is_none_or(Recorder::is_empty)
    }

    fn fragment(&mut self, next: Option<&AccessUnit>, out: &mut Steps) {
        let end: Option<(TrackId, Dts)> = next.map(|unit| (unit.track, unit.dts));
        if let Some(recorder) = &mut self.recorder {
            // What cannot be written is left out: an empty unit, a damaged one.
            if let Ok(fragment) = recorder.fragment(&self.pending.units, end.as_slice()) {
                out.write(fragment);
            }
        }
        self.pending.clear();
    }
}

impl Mux for Mp4 {
    fn start(&mut self, out: &mut Steps) {
        if let Some(recorder) = &self.recorder {
            out.write(recorder.start());
        }
    }

    fn unit(&mut self, unit: &AccessUnit, join: bool, out: &mut Steps) {
        if self
            .recorder
            .as_ref()
            .is_none_or(|r| !r.carries(unit.track))
        {
            return;
        }
        if self.pending.is_due(unit, join) {
            self.fragment(Some(unit), out);
        }
        self.pending.push(unit);
    }

    fn held_from(&self, end_ms: i64) -> i64 {
        self.pending.from(end_ms)
    }

    fn finish(&mut self, _end_ms: i64, out: &mut Steps) {
        self.fragment(None, out);
        if let Some(recorder) = self.recorder.take() {
            for write in recorder.finish(&[]) {
                out.write(write);
            }
        }
    }
}
