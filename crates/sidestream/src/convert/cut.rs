//! `--start` and `--end`.

use std::collections::VecDeque;
use std::time::Duration;

use media::{AccessUnit, Dts, Rounding, Timescale, Track, TrackId, TrackKind};

use super::sink::ninety_khz;

/// Bytes that are held at most while a random access point is looked for.
const MAX_HELD: usize = 32 << 20;
/// Audio may lie this far behind video in the file, in ticks of 90 kHz: 2 s.
const SPREAD: i64 = 180_000;

/// A unit with its time in ticks of 90 kHz.
#[derive(Debug)]
struct Timed {
    unit: AccessUnit,
    is_video: bool,
    time: i64,
}

/// Lets through what lies between two places: from the random access point at or before `start` to
/// the first one at or after `end`. Where there is no video every unit is such a point.
#[derive(Debug)]
pub(super) struct Cut {
    /// Ticks of 90 kHz on the source's clock.
    start: Option<i64>,
    end: Option<i64>,
    /// The video at whose random access points is cut.
    video: Option<TrackId>,
    held: VecDeque<Timed>,
    held_bytes: usize,
    started: bool,
    /// Of the first unit given: what is taken from all times.
    origin: Option<i64>,
    /// Where the video ended.
    ended_at: Option<i64>,
    /// Tracks of video that wait for a random access point of their own.
    joined: Vec<TrackId>,
}

impl Cut {
    /// `first` is the first time of the source, which places count from.
    pub(super) fn new(
        start: Option<Duration>,
        end: Option<Duration>,
        first: i64,
        video: Option<TrackId>,
    ) -> Self {
        let ticks = |place: Duration| first.saturating_add(Timescale::NINETY_KHZ.ticks(place).0);
        let start = start.filter(|start| !start.is_zero()).map(ticks);
        Self {
            started: start.is_none(),
            start,
            end: end.map(ticks),
            video,
            held: VecDeque::new(),
            held_bytes: 0,
            origin: None,
            ended_at: None,
            joined: Vec::new(),
        }
    }

    /// Whether everything passes.
    pub(super) fn is_open(&self) -> bool {
        self.started && self.start.is_none() && self.end.is_none()
    }

    /// Takes a unit and gives those that pass now; false when nothing more can come.
    pub(super) fn push(
        &mut self,
        track: &Track,
        unit: AccessUnit,
        out: &mut Vec<AccessUnit>,
    ) -> bool {
        let timed = Timed {
            time: ninety_khz(track, unit.dts.0),
            is_video: track.kind() == TrackKind::Video,
            unit,
        };
        if !self.started {
            self.before_start(timed);
            if self.started {
                for timed in std::mem::take(&mut self.held) {
                    self.give(timed, out);
                }
                self.held_bytes = 0;
            }
            return true;
        }
        self.before_end(timed, out)
    }

    /// What is held passes: the source has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<AccessUnit>) {
        if self.started && self.ended_at.is_none() {
            for timed in std::mem::take(&mut self.held) {
                self.give(timed, out);
            }
        }
    }

    /// How much is taken from the times of a track.
    pub(super) fn move_back(&self, track: &Track, unit: &mut AccessUnit) {
        if self.start.is_none() {
            return;
        }
        let origin = self.origin.unwrap_or(0);
        let from = Timescale::NINETY_KHZ;
        let origin = from.convert(origin, track.timescale, Rounding::Floor);
        unit.dts = Dts(unit.dts.0.saturating_sub(origin));
    }

    fn before_start(&mut self, timed: Timed) {
        let Some(start) = self.start else {
            return;
        };
        let Some(video) = self.video else {
            self.started = timed.time >= start;
            if self.started {
                self.held.push_back(timed);
            }
            return;
        };
        let is_cutting = timed.unit.track == video;
        let joins = is_cutting && timed.unit.is_random_access();
        if joins && (timed.time <= start || self.held.is_empty()) {
            // Sound of the same time may lie before it in the file.
            let time = timed.time;
            self.held.retain(|held| !held.is_video && held.time >= time);
            self.held_bytes = self.held.iter().map(|held| held.unit.size_bytes()).sum();
            self.joined.clear();
        }
        let time = timed.time;
        let has_point = self.held.iter().any(|held| held.unit.track == video) || joins;
        self.held_bytes += timed.unit.size_bytes();
        self.held.push_back(timed);
        if is_cutting && has_point && time >= start {
            self.started = true;
        } else if self.held_bytes > MAX_HELD {
            // A group of pictures this long is given up: the next one is the beginning.
            self.held.clear();
            self.held_bytes = 0;
        } else if !has_point {
            // Sound waits for a random access point only as long as it can be of its time.
            while self
                .held
                .front()
                .is_some_and(|held| held.time < time - SPREAD)
            {
                self.held.pop_front();
            }
        }
    }

    fn before_end(&mut self, timed: Timed, out: &mut Vec<AccessUnit>) -> bool {
        let Some(end) = self.end else {
            self.give(timed, out);
            return true;
        };
        let Some(video) = self.video else {
            if timed.time < end {
                self.give(timed, out);
                return true;
            }
            return timed.time < end + SPREAD;
        };
        if let Some(ended_at) = self.ended_at {
            let time = timed.time;
            if !timed.is_video && time < ended_at {
                self.give(timed, out);
            }
            return time < ended_at + SPREAD;
        }
        if timed.unit.track != video {
            if timed.time < end {
                self.give(timed, out);
            } else {
                self.held.push_back(timed);
            }
            return true;
        }
        let time = timed.time;
        if time >= end && timed.unit.is_random_access() {
            self.ended_at = Some(time);
        }
        // What was held of the time before this picture passes.
        for held in std::mem::take(&mut self.held) {
            if held.time < time {
                self.give(held, out);
            } else if self.ended_at.is_none() {
                self.held.push_back(held);
            }
        }
        if self.ended_at.is_none() {
            self.give(timed, out);
        }
        true
    }

    /// Lets a unit pass; of further videos only from a random access point on.
    fn give(&mut self, timed: Timed, out: &mut Vec<AccessUnit>) {
        // Sound of the time before the cut may lie behind it in the file.
        if self.start.is_some() && self.origin.is_some_and(|origin| timed.time < origin) {
            return;
        }
        if self.start.is_some() && timed.is_video && !self.joined.contains(&timed.unit.track) {
            if !timed.unit.is_random_access() {
                return;
            }
            self.joined.push(timed.unit.track);
        }
        self.origin.get_or_insert(timed.time);
        out.push(timed.unit);
    }
}
