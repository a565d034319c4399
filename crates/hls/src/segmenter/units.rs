//! Units on their way into the open segment.

use media::{AccessUnit, TrackKind};

use super::{Anchor, MAX_PARTS, Segmenter, Served, UNIT_OVERHEAD, VideoState};
use crate::config::WallTime;
use crate::cutter::{self, Decision};
use crate::timed;

impl Segmenter {
    /// One access unit, in arrival order; `arrived` is when the stream received it.
    pub fn unit(&mut self, unit: &AccessUnit, arrived: WallTime) {
        if self.ended {
            return;
        }
        let Some(&served) = self.served.iter().find(|s| s.track == unit.track) else {
            return;
        };
        let time = cutter::ticks(served.timescale, unit.dts);
        let runs = match served.kind {
            TrackKind::Video => self.video_runs(unit, served, time, arrived),
            _ => !self.sound_waits(time),
        };
        if !runs {
            self.stats.waiting_units += 1;
            return;
        }
        if served.follows && self.cutter.start().is_none() {
            return;
        }
        self.accept(unit.clone(), served, time, arrived);
    }

    /// The units that the ring held have all been fed; from here on units arrive in real time. If
    /// nothing is listed yet, the open segment ends at its newest random access unit (or the next
    /// one, however soon it comes), so that the first viewer has something to play.
    pub fn caught_up(&mut self) {
        if self.stats.segments > 0 || self.ended || self.is_on_ladder() {
            return;
        }
        self.cutter.hurry();
        let Some((index, boundary)) = self.newest_cut() else {
            return;
        };
        let tail = self.open.units.split_off(index);
        let (boundary, carried) = self.settle_between(boundary);
        self.cut(boundary, tail.first().cloned().as_ref());
        self.cutter.rewind();
        self.cutter.open_at(boundary.next_start);
        for unit in carried.into_iter().chain(tail) {
            let served = self.served.iter().find(|s| s.track == unit.track);
            if timed::is_aside(&unit) {
                self.aside(unit);
            } else if let Some(&served) = served {
                let time = cutter::ticks(served.timescale, unit.dts);
                // The clock's anchor is set: when they arrived does not matter any more.
                self.accept(unit, served, time, WallTime(0));
            }
        }
    }

    /// Whether a video unit may pass; decides when waiting ends.
    pub(super) fn video_runs(
        &mut self,
        unit: &AccessUnit,
        served: Served,
        time: i64,
        arrived: WallTime,
    ) -> bool {
        let VideoState::Awaiting { since } = self.video else {
            return true;
        };
        let since = since.unwrap_or(time);
        let is_late = time - since >= self.cutter.max_target();
        if is_late {
            self.refuse("it sends no key frame that the others have");
        }
        let begins = unit.is_random_access() && self.begins(unit, served, time, arrived);
        // A stream that never has one (intra refresh) is served all the same.
        if begins || is_late {
            self.video = VideoState::Running;
            self.take_place();
            return true;
        }
        self.video = VideoState::Awaiting { since: Some(since) };
        false
    }

    pub(super) fn accept(
        &mut self,
        unit: AccessUnit,
        served: Served,
        time: i64,
        arrived: WallTime,
    ) {
        let size = unit.size_bytes() + UNIT_OVERHEAD;
        let full =
            self.open.bytes + size > self.max_open_bytes() || self.open.marks.len() >= MAX_PARTS;
        let random_access = unit.is_random_access();
        let joins = random_access && self.joins_ladder(&unit, served, time, arrived);
        let may_cut = random_access && (joins || self.may_cut(&unit, served, time));
        match self.cutter.decide(unit.track, time, may_cut, full) {
            Decision::Stay => {}
            Decision::Cut(boundary) if boundary.gap => {
                let boundary = self.settle(boundary);
                self.cut(boundary, None);
                self.break_timeline();
                if self.is_on_ladder() {
                    return self.unit(&unit, arrived);
                }
            }
            Decision::Cut(boundary) => {
                if boundary.forced || served.kind != TrackKind::Video {
                    self.refuse("a segment had to end before its next key frame came");
                } else {
                    self.begins(&unit, served, time, arrived);
                }
                let (boundary, carried) = self.settle_between(boundary);
                self.cut(boundary, Some(&unit));
                self.take_place();
                self.cutter.open_at(boundary.next_start);
                for unit in carried {
                    self.rejoin(unit);
                }
            }
            Decision::Break => {
                self.break_timeline();
                if self.is_on_ladder() {
                    return self.unit(&unit, arrived);
                }
                if served.kind == TrackKind::Video && !random_access {
                    self.video = VideoState::Awaiting { since: Some(time) };
                    self.stats.waiting_units += 1;
                    return;
                }
            }
        }
        self.join(unit, served, time, arrived);
    }

    /// A unit joins the open segment, or opens one.
    pub(super) fn join(&mut self, unit: AccessUnit, served: Served, time: i64, arrived: WallTime) {
        let random_access = unit.is_random_access();
        if served.kind == TrackKind::Video {
            self.open.whole.get_or_insert(random_access);
        }
        if !served.follows {
            self.cutter.push(unit.track, time, random_access);
        }
        if self.clock.is_none() {
            let start = self.cutter.start().unwrap_or(time);
            let wall_ms = self.ladder_wall();
            self.clock = Some(Anchor {
                wall_ms: wall_ms
                    .unwrap_or_else(|| arrived.0.max(self.next_wall_ms.unwrap_or(i64::MIN))),
                media_ms: cutter::millis(start),
            });
        }
        self.open.bytes += unit.size_bytes() + UNIT_OVERHEAD;
        self.open.units.push(unit);
        self.advance_parts(served.track, time);
    }

    /// A unit of the segment that was cut just now joins the next one.
    pub(super) fn rejoin(&mut self, unit: AccessUnit) {
        if timed::is_aside(&unit) {
            return self.aside(unit);
        }
        if let Some(&served) = self.served.iter().find(|s| s.track == unit.track) {
            let time = cutter::ticks(served.timescale, unit.dts);
            // The clock's anchor is set: when it arrived does not matter any more.
            self.join(unit, served, time, WallTime(0));
        }
    }
}
