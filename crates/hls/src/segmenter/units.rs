//! A unit on its way into the open segment.

use media::{AccessUnit, TrackKind};

use super::{Anchor, MAX_PARTS, Segmenter, Served, UNIT_OVERHEAD, VideoState};
use crate::config::WallTime;
use crate::cutter::{self, Decision};

impl Segmenter {
    /// Whether a video unit may pass; decides when waiting ends.
    pub(super) fn video_runs(&mut self, time: i64, random_access: bool) -> bool {
        let VideoState::Awaiting { since } = self.video else {
            return true;
        };
        let since = since.unwrap_or(time);
        // A stream that never has one (intra refresh) is served all the same.
        if random_access || time - since >= self.cutter.max_target() {
            self.video = VideoState::Running;
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
        match self.cutter.decide(unit.track, time, random_access, full) {
            Decision::Stay => {}
            Decision::Cut(boundary) if boundary.gap => {
                let boundary = self.settle(boundary);
                self.cut(boundary, None);
                self.break_timeline();
            }
            Decision::Cut(boundary) => {
                let (boundary, carried) = self.settle_between(boundary);
                self.cut(boundary, Some(&unit));
                self.cutter.open_at(boundary.next_start);
                for unit in carried {
                    self.rejoin(unit);
                }
            }
            Decision::Break => {
                self.break_timeline();
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
        self.cutter.push(unit.track, time, random_access);
        if self.clock.is_none() {
            let start = self.cutter.start().unwrap_or(time);
            self.clock = Some(Anchor {
                wall_ms: arrived.0.max(self.next_wall_ms.unwrap_or(i64::MIN)),
                media_ms: cutter::millis(start),
            });
        }
        self.open.bytes += unit.size_bytes() + UNIT_OVERHEAD;
        self.open.units.push(unit);
        self.advance_parts(served.track, time);
    }

    /// A unit of the segment that was cut just now joins the next one.
    pub(super) fn rejoin(&mut self, unit: AccessUnit) {
        if let Some(&served) = self.served.iter().find(|s| s.track == unit.track) {
            let time = cutter::ticks(served.timescale, unit.dts);
            // The clock's anchor is set: when it arrived does not matter any more.
            self.join(unit, served, time, WallTime(0));
        }
    }
}
