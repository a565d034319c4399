//! Parts of the open segment: when they end, and that a segment ends with its last one.

use media::{AccessUnit, Timescale, TrackId};

use super::{Segmenter, unsigned};
use crate::cutter::{self, Boundary, SECOND};
use crate::parts::{Lane, PartClock};
use crate::timed;

impl Segmenter {
    /// Ends the parts that this unit, the newest of the open segment, ends.
    pub(super) fn advance_parts(&mut self, track: TrackId, time: i64) {
        let lane = self.lane(track);
        let (Some(parts), Some(start)) = (&mut self.parts, self.cutter.start()) else {
            return;
        };
        if !parts.is_open() {
            parts.open(start, self.cutter.latest_end(start));
            // All that came before the first unit of a track.
            for _ in 1..self.open.units.len() {
                parts.aside();
            }
        }
        let before = self.open.marks.len();
        parts.before(lane, time, &mut self.open.marks);
        parts.after(lane, time, &mut self.open.marks);
        if self.open.marks.len() > before {
            self.make_parts();
        }
    }

    /// The whole open segment in parts, before it ends at `end`: for the first one, whose frames
    /// fix the part target.
    pub(super) fn begin_parts(&mut self, end: i64) {
        let (None, Some(wanted), Some(start)) =
            (&self.parts, self.config.part, self.cutter.start())
        else {
            return;
        };
        let wanted = Timescale::NINETY_KHZ.ticks(wanted).0;
        let wanted = wanted.clamp(SECOND / 5, SECOND);
        let times: Vec<(Lane, i64)> = self
            .open
            .units
            .iter()
            .filter_map(|unit| {
                if timed::is_aside(unit) {
                    return Some((Lane::Aside, 0));
                }
                let served = self.served.iter().find(|s| s.track == unit.track)?;
                let time = cutter::ticks(served.timescale, unit.dts);
                Some((self.lane(unit.track), time))
            })
            .collect();
        let lead = times.iter().filter(|(lane, _)| *lane == Lane::Leading);
        let others = times.iter().any(|(lane, _)| *lane == Lane::Other);
        let longest = self.cutter.least_target();
        let mut parts = PartClock::new(wanted, lead.map(|(_, time)| *time), others, longest);
        parts.open(start, self.cutter.latest_end(start).min(end));
        for (lane, time) in times {
            parts.before(lane, time, &mut self.open.marks);
            parts.after(lane, time, &mut self.open.marks);
        }
        self.parts = Some(parts);
    }

    /// Muxes the parts that have ended, for the container that has them.
    pub(super) fn make_parts(&mut self) {
        let Some(start) = self.cutter.start() else {
            return;
        };
        let Some(opening) = self.opening(start) else {
            return;
        };
        let units = &self.open.units;
        let renditions = self.renditions.iter_mut();
        for rendition in renditions.filter(|r| r.is_enabled() && r.makes_parts()) {
            let made = rendition.open_parts();
            let mut from = match made {
                0 => 0,
                made => self.open.marks.get(made - 1).map_or(0, |mark| mark.units),
            };
            for mark in self.open.marks.iter().skip(made) {
                let units = units.get(from..mark.units).unwrap_or_default();
                rendition.part(&opening, units, &[], mark.duration_ms());
                from = mark.units;
                self.tracks_used = true;
                self.dirty = true;
            }
        }
    }

    /// The part target in milliseconds, once it is known.
    pub(super) fn part_ms(&self) -> Option<u64> {
        let parts = self.parts.as_ref()?;
        Some(unsigned(cutter::millis(parts.target())))
    }

    /// Whether the next part is expected to begin a segment.
    pub(super) fn is_cut_due(&self) -> bool {
        let next = self.parts.as_ref().and_then(PartClock::between_parts);
        next.is_some_and(|next| self.cutter.is_cut_due(next))
    }

    pub(super) fn lane(&self, track: TrackId) -> Lane {
        match self.served.iter().find(|served| served.track == track) {
            Some(served) if served.follows => Lane::Follower,
            _ if self.served.first().is_some_and(|s| s.track == track) => Lane::Leading,
            _ => Lane::Other,
        }
    }

    /// A boundary at which the parts of the open segment end too.
    pub(super) fn settle(&mut self, boundary: Boundary) -> Boundary {
        self.begin_parts(boundary.end);
        let parts = self.parts.as_ref();
        let end = parts.map_or(boundary.end, |parts| parts.settle(boundary.end));
        Boundary {
            end,
            next_start: if boundary.gap {
                boundary.next_start
            } else {
                end
            },
            ..boundary
        }
    }

    /// As [`settle`](Self::settle), where the segment can end with its last part: what the other
    /// track has since then is given back, for the next segment. It came between the last picture
    /// and the key frame, and would be a part of nearly no duration.
    pub(super) fn settle_between(&mut self, boundary: Boundary) -> (Boundary, Vec<AccessUnit>) {
        self.begin_parts(boundary.end);
        let end = self.parts.as_ref().and_then(|p| p.boundary(boundary.end));
        let (Some(end), Some(mark)) = (end, self.open.marks.last()) else {
            return (self.settle(boundary), Vec::new());
        };
        let boundary = Boundary {
            end,
            next_start: end,
            ..boundary
        };
        (boundary, self.open.units.split_off(mark.units))
    }
}
