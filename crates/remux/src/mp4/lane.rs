//! The samples of one track that are to be given next, and the order between tracks.
//!
//! Samples come in the order of the file, so that it is read from front to back. Where a track's
//! samples lie far before others of the same time (all video, then all audio), the earlier in time
//! comes first instead, so that what follows need not hold a file's worth of one track.

use media::Timescale;

use super::runs::RunSamples;
use super::sample::Sample;
use super::tables::SampleTable;

/// How far, in microseconds, a sample may be ahead of another track's and still come first because
/// it lies first.
const MAX_LEAD: i64 = 1_000_000;
/// Microseconds per second, the clock that tracks are compared in.
const MICROS: i64 = 1_000_000;

/// Where a lane's samples come from.
#[derive(Clone, Debug)]
pub(super) enum Samples {
    Table(Box<SampleTable>),
    Runs(RunSamples),
}

impl Samples {
    fn next(&mut self) -> Option<Sample> {
        match self {
            Self::Table(table) => table.next(),
            Self::Runs(runs) => runs.next(),
        }
    }

    /// Decode time behind the last sample given.
    fn end(&self) -> i64 {
        match self {
            Self::Table(table) => table.end(),
            Self::Runs(runs) => runs.end(),
        }
    }
}

/// Samples that cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// The first byte of the first of them.
    pub(super) start: u64,
    /// The byte behind the last.
    pub(super) end: u64,
    pub(super) count: u64,
}

/// A track's samples, the next of them at hand.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Index into the movie's tracks.
    pub(super) track: usize,
    timescale: Timescale,
    shift: i64,
    pub(super) samples: Samples,
    pub(super) next: Option<Sample>,
    /// When `next` is decoded, in microseconds.
    time: i64,
    pub(super) missing: Option<Missing>,
}

impl Lane {
    pub(super) fn new(track: usize, timescale: Timescale, shift: i64, samples: Samples) -> Self {
        Self {
            track,
            timescale,
            shift,
            samples,
            next: None,
            time: i64::MIN,
            missing: None,
        }
    }

    /// Decode time behind the last sample taken.
    pub(super) fn end(&self) -> i64 {
        self.samples.end()
    }

    /// Takes the next sample that has bytes and lies before `file_end`.
    pub(super) fn advance(&mut self, file_end: u64, max_sample: u32) {
        loop {
            self.next = self.samples.next();
            let Some(sample) = &self.next else {
                return;
            };
            if sample.size == 0 {
                continue;
            }
            if sample.end() <= file_end && sample.size <= max_sample {
                let time = sample.dts.saturating_add(self.shift);
                // Order alone depends on it: beyond 290 000 years all are equal.
                let micros = time.saturating_mul(MICROS);
                self.time = micros.div_euclid(self.timescale.hz().into());
                return;
            }
            self.miss();
        }
    }

    /// Counts the next sample as missing.
    pub(super) fn miss(&mut self) {
        let Some(sample) = self.next.take() else {
            return;
        };
        let missing = self.missing.get_or_insert(Missing {
            start: sample.offset,
            end: sample.end(),
            count: 0,
        });
        missing.start = missing.start.min(sample.offset);
        missing.end = missing.end.max(sample.end());
        missing.count += 1;
        // Samples of one size are bounded by no table: the first that is missing ends them.
        match &mut self.samples {
            Samples::Table(table) if table.is_fixed() => table.stop(),
            Samples::Table(_) => {}
            Samples::Runs(runs) => runs.stop_fixed(),
        }
    }
}

/// Which lane's sample comes next. Not one that lies more than `window` bytes behind the first:
/// those between must be kept until they are given.
pub(super) fn choose(lanes: &[Lane], window: u64) -> Option<usize> {
    let mut first: Option<(usize, u64, i64)> = None;
    let mut earliest: Option<(usize, u64, i64)> = None;
    for (n, lane) in lanes.iter().enumerate() {
        let Some(sample) = &lane.next else {
            continue;
        };
        let this = (n, sample.offset, lane.time);
        if first.is_none_or(|(_, offset, _)| this.1 < offset) {
            first = Some(this);
        }
        if earliest.is_none_or(|(_, _, time)| this.2 < time) {
            earliest = Some(this);
        }
    }
    let (first, earliest) = (first?, earliest?);
    let is_far_ahead = first.2.saturating_sub(earliest.2) > MAX_LEAD;
    let is_near = earliest.1 - first.1 <= window;
    Some(if is_far_ahead && is_near {
        earliest.0
    } else {
        first.0
    })
}
