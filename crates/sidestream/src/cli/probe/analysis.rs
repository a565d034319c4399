//! Counts tracks, units, GOPs and faults of time as they pass.

use std::sync::Arc;

use media::{AccessUnit, FrameRole, Rounding, Timescale, Track, TrackId, TrackKind, TrackList};
use remux::LeftOut;
use remux::ts::Program;
use sidestream::convert::Losses;

/// A pause between two units of a track that is worth telling, in ticks of 90 kHz: 1 s.
const GAP: i64 = 90_000;
/// A step back from here on is another clock, in ticks of 90 kHz: 1 s.
const JUMP: i64 = 90_000;
/// Faults that are told one by one; all are counted.
const MAX_FAULTS: usize = 20;
/// GOPs whose lengths are kept. Threat: a file of nothing but key frames, whose list grows with it.
const MAX_GOPS: usize = 1 << 20;

/// What passes by. All times are ticks of 90 kHz on the input's own clock, without wraps.
#[derive(Default)]
pub(super) struct Analysis {
    pub(super) bytes: u64,
    tracks: Vec<Counted>,
    data_messages: u64,
    timed_metadata: u64,
    refused: u64,
    refused_why: Option<String>,
    faults: Vec<Fault>,
    fault_count: u64,
    losses: Losses,
    /// Largest distance between audio and video that lie together in the input.
    apart: i64,
}

/// One track and its figures.
pub(super) struct Counted {
    pub(super) track: Arc<Track>,
    pub(super) units: u64,
    pub(super) bytes: u64,
    pub(super) first: i64,
    pub(super) last: i64,
    /// When the first unit is shown.
    pub(super) first_shown: i64,
    pub(super) random_access: u64,
    pub(super) gops: Gops,
    pub(super) max_composition_offset: i64,
    pub(super) min_composition_offset: i64,
    pub(super) configurations: u64,
    /// Newest time, and of the last random access point, on this track.
    newest: i64,
    last_random_access: Option<i64>,
}

/// Lengths of whole GOPs.
#[derive(Clone, Debug, Default)]
pub(super) struct Gops {
    pub(super) count: i64,
    pub(super) min: i64,
    pub(super) max: i64,
    sum: i64,
    /// The first of them, in their order.
    pub(super) lengths: Vec<i64>,
}

/// Something odd about time.
pub(super) struct Fault {
    pub(super) at: i64,
    /// `None`: it is of all tracks.
    pub(super) track: Option<TrackId>,
    pub(super) kind: FaultKind,
    pub(super) what: String,
}

/// What is odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A pause.
    Gap,
    /// Another clock.
    Jump,
    /// Decode time that does not grow.
    NonMonotonic,
}

impl FaultKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Jump => "jump",
            Self::NonMonotonic => "non-monotonic",
        }
    }
}

/// What was found in the end.
pub(super) struct Found {
    pub(super) input: String,
    /// For people and for machines.
    pub(super) format: (&'static str, &'static str),
    pub(super) is_live: bool,
    pub(super) bytes: u64,
    pub(super) duration: i64,
    pub(super) tracks: Vec<Counted>,
    /// Of a transport stream, and the number of the one that is read.
    pub(super) programs: Vec<Program>,
    pub(super) program: Option<u16>,
    /// Tracks that are not read, and why.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) data_messages: u64,
    pub(super) timed_metadata: u64,
    pub(super) refused: u64,
    pub(super) refused_why: Option<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) fault_count: u64,
    pub(super) losses: Losses,
    /// What was lost, in a sentence.
    pub(super) damage: Option<String>,
    /// First shown video minus first audio, and the same of the ends.
    pub(super) starts_apart: Option<i64>,
    pub(super) ends_apart: Option<i64>,
    pub(super) apart: i64,
}

impl Analysis {
    /// The tracks are these now.
    pub(super) fn tracks(&mut self, tracks: &TrackList) {
        for track in tracks.iter() {
            self.track(track);
        }
    }

    /// A track begins, or its configuration changed.
    pub(super) fn track(&mut self, track: &Arc<Track>) {
        let known = self
            .tracks
            .iter_mut()
            .find(|known| known.track.id == track.id);
        match known {
            Some(known) if known.track.same_configuration(track) => {}
            Some(known) => {
                // What was only announced before is configured now.
                known.configurations += u64::from(known.track.config.is_ok());
                known.track = Arc::clone(track);
            }
            None => self.tracks.push(Counted::new(Arc::clone(track))),
        }
    }

    /// A script data message.
    pub(super) fn data(&mut self) {
        self.data_messages += 1;
    }

    /// Timed metadata.
    pub(super) fn timed(&mut self) {
        self.timed_metadata += 1;
    }

    /// A message of a live stream that cannot be read.
    pub(super) fn refuse(&mut self, why: impl std::fmt::Display) {
        self.refused += 1;
        self.refused_why.get_or_insert_with(|| why.to_string());
    }

    /// Part of a file cannot be read.
    pub(super) fn damage(&mut self, damage: &remux::Damage) {
        let times = self.tracks.iter().filter(|track| track.units > 0);
        let first = times.clone().map(|track| track.first).min().unwrap_or(0);
        let newest = times.map(|track| track.newest).max().unwrap_or(0);
        let at = std::time::Duration::from_millis((newest - first).unsigned_abs() / 90);
        self.losses.add(damage, at);
    }

    /// The clock of all tracks breaks.
    pub(super) fn breaks(&mut self, what: &str) {
        let newest = self.tracks.iter().map(|track| track.newest).max();
        let at = newest.unwrap_or(0);
        self.fault(at, None, FaultKind::Jump, what.to_owned());
    }

    /// A unit, with times of its track.
    pub(super) fn unit(&mut self, unit: &AccessUnit) {
        let Some(index) = self.tracks.iter().position(|t| t.track.id == unit.track) else {
            return;
        };
        let counted = &self.tracks[index];
        let time = counted.ticks(unit.dts.0);
        let step = time - counted.newest;
        let fault = match step {
            _ if counted.units == 0 => None,
            ..0 if -step >= JUMP => Some((
                FaultKind::Jump,
                format!("the clock jumps back by {}", millis(-step)),
            )),
            ..0 => Some((
                FaultKind::NonMonotonic,
                format!("decode time goes back by {}", millis(-step)),
            )),
            0 => Some((
                FaultKind::NonMonotonic,
                "decode time stands still".to_owned(),
            )),
            _ if step > GAP => Some((FaultKind::Gap, format!("nothing for {}", millis(step)))),
            _ => None,
        };
        if let Some((kind, what)) = fault {
            self.fault(time, Some(unit.track), kind, what);
        }
        let kind = self.tracks[index].track.kind();
        let other = self
            .tracks
            .iter()
            .find(|t| t.track.kind() != kind && t.units > 0);
        self.apart = self
            .apart
            .max(other.map_or(0, |other| (time - other.last).abs()));
        self.tracks[index].unit(unit, time);
    }

    /// Whether no unit was found.
    pub(super) fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.units == 0)
    }

    /// Sums up. `len`: bytes of the input, where known.
    pub(super) fn finish(
        mut self,
        input: &str,
        format: (&'static str, &'static str),
        is_live: bool,
        len: Option<u64>,
    ) -> Found {
        self.tracks.sort_by_key(|counted| counted.track.id);
        let seen = || self.tracks.iter().filter(|track| track.units > 0);
        let first = seen().map(|track| track.first).min().unwrap_or(0);
        let end = seen().map(Counted::end).max().unwrap_or(0);
        let of = |kind| seen().find(|counted| counted.track.kind() == kind);
        let both = of(TrackKind::Video).zip(of(TrackKind::Audio));
        Found {
            input: input.to_owned(),
            format,
            is_live,
            bytes: self.bytes,
            duration: end - first,
            starts_apart: both.map(|(video, audio)| video.first_shown - audio.first_shown),
            ends_apart: both.map(|(video, audio)| video.end() - audio.end()),
            damage: self
                .losses
                .sentence(len)
                .map(|lost| format!("{input}: {lost}")),
            tracks: self.tracks,
            programs: Vec::new(),
            program: None,
            left_out: Vec::new(),
            data_messages: self.data_messages,
            timed_metadata: self.timed_metadata,
            refused: self.refused,
            refused_why: self.refused_why,
            faults: self.faults,
            fault_count: self.fault_count,
            losses: self.losses,
            apart: self.apart,
        }
    }

    fn fault(&mut self, at: i64, track: Option<TrackId>, kind: FaultKind, what: String) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                at,
                track,
                kind,
                what,
            });
        }
    }
}

impl Counted {
    fn new(track: Arc<Track>) -> Self {
        Self {
            track,
            units: 0,
            bytes: 0,
            first: 0,
            last: 0,
            first_shown: 0,
            random_access: 0,
            gops: Gops::default(),
            max_composition_offset: 0,
            min_composition_offset: 0,
            configurations: 1,
            newest: 0,
            last_random_access: None,
        }
    }

    fn ticks(&self, time: i64) -> i64 {
        let to = Timescale::NINETY_KHZ;
        self.track.timescale.convert(time, to, Rounding::Floor)
    }

    fn unit(&mut self, unit: &AccessUnit, time: i64) {
        let offset = self.ticks(unit.composition_offset.0);
        if self.units == 0 {
            (self.first, self.newest) = (time, time);
            self.first_shown = time + offset;
        }
        self.units += 1;
        self.bytes += unit.payload.len() as u64;
        self.last = time;
        // Behind a jump back, time goes on from there, and no GOP reaches over it.
        if self.newest - time >= JUMP {
            self.newest = time;
            self.last_random_access = None;
        }
        self.newest = self.newest.max(time);
        self.max_composition_offset = self.max_composition_offset.max(offset);
        self.min_composition_offset = self.min_composition_offset.min(offset);
        if self.track.kind() == TrackKind::Video && unit.role == FrameRole::RandomAccess {
            self.random_access += 1;
            if let Some(last) = self.last_random_access.replace(time) {
                self.gops.add(time - last);
            }
        }
    }

    /// Units per 1000 seconds between the first and the last.
    pub(super) fn rate_milli(&self) -> Option<u64> {
        let ticks = u64::try_from(self.newest - self.first).ok()?;
        (ticks > 0 && self.units > 1).then(|| (self.units - 1) * 90_000_000 / ticks)
    }

    /// When the last unit ends: it lasts as long as the others on average.
    fn end(&self) -> i64 {
        let spans = i64::try_from(self.units).unwrap_or(i64::MAX) - 1;
        match spans {
            ..1 => self.newest,
            _ => self.newest + (self.newest - self.first + spans / 2) / spans,
        }
    }

    /// Bits per second over the track's own length.
    pub(super) fn bitrate_bps(&self) -> u64 {
        let ticks = u128::from((self.end() - self.first).max(0).unsigned_abs());
        let bits = u128::from(self.bytes) * 8 * 90_000;
        let rate = bits.checked_div(ticks).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

impl Gops {
    fn add(&mut self, length: i64) {
        (self.min, self.max) = match self.count {
            0 => (length, length),
            _ => (self.min.min(length), self.max.max(length)),
        };
        self.count += 1;
        self.sum += length;
        if self.lengths.len() < MAX_GOPS {
            self.lengths.push(length);
        }
    }

    /// `None`: there is no whole GOP.
    pub(super) fn average(&self) -> Option<i64> {
        self.sum.checked_div(self.count)
    }
}

/// `40 ms`.
fn millis(ticks: i64) -> String {
    format!("{} ms", ticks / 90)
}
