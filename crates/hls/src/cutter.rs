//! Decides where segments begin: times in, boundaries out; holds no media.
//!
//! ```text
//! cutting track (default video, else audio)      the other track
//!   random access, elapsed >= segment .. cut       video silent, own time >= segment .... cut
//!   elapsed >= target duration ......... forced    own time >= target duration + slack .. forced
//!   step longer than the target fits ... cut, and the timeline breaks (gap)
//!   step back beyond jitter ............ break
//! ```
//!
//! All times are absolute, in ticks of 90 kHz ([`ticks`]); every time of a millisecond clock is
//! exact in it. A boundary is a decode time of the cutting track wherever that track moves; where
//! it does not (a still picture with sound), the other track's own progress carries the time on.
//! Membership is by arrival: a segment holds the units that arrived before the one that cut it, so
//! sound and picture overlap at a cut by no more than the publisher interleaved them apart, and no
//! cut waits for a late unit.

use std::time::Duration;

use media::{Dts, Rounding, Timescale, TrackId};

/// Ticks of a second.
pub(crate) const SECOND: i64 = 90_000;
/// Shortest duration of a segment: what a playlist prints as 0.001.
pub(crate) const SHORTEST: i64 = 90;
/// EXTINF is rounded to the nearest second before it is compared with the target duration
/// (RFC 8216 §4.3.3.1): a segment may be longer by a little less than half a second.
const ROUNDING_ROOM: i64 = SECOND * 49 / 100;
/// How much longer than the cutting track the other track may go on before it forces a cut.
const OTHER_SLACK: i64 = SECOND / 4;
/// A step back up to here is a sender's jitter.
const JITTER: i64 = SECOND;
/// A first segment that somebody waits for may be this short.
const EAGER: i64 = SECOND / 2;

/// A decode time in ticks of 90 kHz.
pub(crate) fn ticks(timescale: Timescale, dts: Dts) -> i64 {
    // Far from the ends of i64, so that no sum of a few times and lengths overflows.
    const END: i64 = i64::MAX / 16;
    timescale
        .convert(dts.0, Timescale::NINETY_KHZ, Rounding::Floor)
        .clamp(-END, END)
}

/// Ticks of 90 kHz as milliseconds, rounded down.
pub(crate) fn millis(ticks: i64) -> i64 {
    Timescale::NINETY_KHZ.convert(ticks, Timescale::MILLIS, Rounding::Floor)
}

/// State of the decisions for one stream.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// Minimum length before a random access unit cuts.
    segment: i64,
    /// Somebody else says which random access units cut.
    told: bool,
    /// Longest target duration, whole seconds.
    max_target: i64,
    /// Shortest target duration, whole seconds; not more than the longest.
    min_target: i64,
    /// The target duration, whole seconds, once fixed.
    target: Option<i64>,
    /// Default video and audio, as far as they are carried.
    lanes: Vec<Lane>,
    cutting: Option<TrackId>,
    /// Start of the open segment, when one is open.
    start: Option<i64>,
    /// Where the last segment was taken to end, until the next one opens.
    floor: Option<i64>,
    /// Whether somebody waits for the first segment.
    eager: bool,
    /// Latest random access unit of the cutting track.
    last_random_access: Option<i64>,
    /// Longest group of pictures seen.
    longest_group: i64,
    /// The group of pictures before the present one.
    last_group: Option<i64>,
}

/// Progress of one track.
#[derive(Debug)]
struct Lane {
    track: TrackId,
    /// First and latest time in the open segment.
    first: Option<i64>,
    /// Latest time since the timeline last broke.
    last: Option<i64>,
    /// Latest positive distance of two units: what the last unit of a segment is taken to last.
    step: i64,
}

/// What to do before a unit joins the open segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It belongs to the open segment (or opens one).
    Stay,
    /// The open segment ends before it.
    Cut(Boundary),
    /// The timeline broke before it.
    Break,
}

/// Where one segment ends and the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Boundary {
    pub(crate) end: i64,
    pub(crate) next_start: i64,
    /// No random access unit begins the next segment, although there is video.
    pub(crate) forced: bool,
    /// Time is missing between `end` and `next_start`.
    pub(crate) gap: bool,
}

impl Cutter {
    pub(crate) fn new(segment: Duration, max_target: Duration, min_target: Duration) -> Self {
        let segment = Timescale::NINETY_KHZ.ticks(segment).0;
        let segment = segment.clamp(SECOND / 10, 3_600 * SECOND);
        let max_target = Timescale::NINETY_KHZ.ticks(max_target).0;
        let max_target = whole_seconds(max_target.clamp(2 * segment, 7_200 * SECOND));
        let min_target = Timescale::NINETY_KHZ.ticks(min_target).0;
        Self {
            segment,
            told: false,
            max_target,
            min_target: whole_seconds(min_target.clamp(0, max_target)),
            target: None,
            lanes: Vec::new(),
            cutting: None,
            start: None,
            floor: None,
            eager: false,
            last_random_access: None,
            longest_group: 0,
            last_group: None,
        }
    }

    /// Every random access unit that is shown to [`Self::decide`] as such cuts, or no longer.
    pub(crate) fn set_told(&mut self, told: bool) {
        self.told = told;
    }

    /// The target duration in ticks, once fixed.
    pub(crate) fn target(&self) -> Option<i64> {
        self.target
    }

    /// Another one fixed the target duration.
    pub(crate) fn set_target(&mut self, target: i64) {
        self.target = Some(target);
    }

    /// The tracks that count, the cutting one first; progress of the others is kept where the
    /// track stays.
    pub(crate) fn set_tracks(&mut self, tracks: &[TrackId]) {
        let mut before = std::mem::take(&mut self.lanes);
        for &track in tracks {
            let lane = match before.iter().position(|lane| lane.track == track) {
                Some(index) => before.swap_remove(index),
                None => Lane::new(track),
            };
            self.lanes.push(lane);
        }
        let cutting = tracks.first().copied();
        if cutting != self.cutting {
            self.cutting = cutting;
            self.last_random_access = None;
            self.last_group = None;
        }
    }

    /// Target duration in milliseconds, once fixed.
    pub(crate) fn target_ms(&self) -> Option<i64> {
        self.target.map(millis)
    }

    pub(crate) fn start(&self) -> Option<i64> {
        self.start
    }

    pub(crate) fn max_target(&self) -> i64 {
        self.max_target
    }

    /// From now until the first cut, shorter segments are welcome.
    pub(crate) fn hurry(&mut self) {
        self.eager = true;
    }

    /// Judges a unit before it is [`push`](Self::push)ed. `full`: the open segment may not grow.
    pub(crate) fn decide(
        &self,
        track: TrackId,
        time: i64,
        random_access: bool,
        full: bool,
    ) -> Decision {
        let Some(lane) = self.lanes.iter().find(|lane| lane.track == track) else {
            return Decision::Stay;
        };
        if lane.last.is_some_and(|last| last - time > JITTER) {
            return Decision::Break;
        }
        let Some(start) = self.start else {
            return Decision::Stay;
        };
        let limit = self.limit();
        let cuts = self.cutting == Some(track);
        let (elapsed, natural, forced) = if cuts {
            let elapsed = time - start;
            let enough = match (self.told, self.eager) {
                (true, _) => SHORTEST,
                (false, true) => EAGER.min(self.segment),
                (false, false) => self.segment,
            };
            // With a picture every half second the next one may come too late to be cut before.
            // Parts may let a segment begin a little beside its first unit; from one key frame to
            // the next it is as long as they are apart.
            let group = lane.first.map_or(elapsed, |first| time - first);
            let next_is_late =
                elapsed >= limit / 2 && elapsed + lane.step + lane.step / 4 > limit + ROUNDING_ROOM;
            (
                elapsed,
                random_access && elapsed.max(group) >= enough,
                elapsed >= limit || next_is_late,
            )
        } else {
            let elapsed = lane.first.map_or(0, |first| time - first);
            let silent = self.cutting_lane().is_none_or(|lane| lane.first.is_none());
            (
                elapsed,
                silent && elapsed >= self.segment,
                elapsed >= limit + OTHER_SLACK,
            )
        };
        if !natural && !forced && !full {
            return Decision::Stay;
        }
        let fits = elapsed <= limit + ROUNDING_ROOM;
        let next_start = if fits {
            start + elapsed.max(SHORTEST)
        } else {
            time
        };
        Decision::Cut(Boundary {
            end: if fits {
                next_start
            } else {
                self.estimated_end(start)
            },
            next_start,
            forced: !natural,
            gap: !fits,
        })
    }

    /// The unit joined the open segment; it opens one when none is open: at its own time, or where
    /// the last segment was taken to end when that is about the same.
    pub(crate) fn push(&mut self, track: TrackId, time: i64, random_access: bool) {
        let floor = self.floor.take();
        self.start.get_or_insert_with(|| match floor {
            Some(floor) if time < floor + OTHER_SLACK => floor,
            _ => time,
        });
        if self.cutting == Some(track) && random_access {
            self.last_group = self.last_random_access.map(|last| time - last);
            self.longest_group = self.longest_group.max(self.last_group.unwrap_or(0));
            self.last_random_access = Some(time);
        }
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.track == track) {
            lane.first.get_or_insert(time);
            if let Some(last) = lane.last.filter(|&last| last < time) {
                lane.step = time - last;
            }
            lane.last = Some(time);
        }
    }

    /// The boundary where the open segment ends by itself: nothing is known of what follows.
    pub(crate) fn boundary_here(&self) -> Option<Boundary> {
        let end = self.estimated_end(self.start?);
        Some(Boundary {
            end,
            next_start: end,
            forced: false,
            gap: false,
        })
    }

    /// The boundary before a random access unit at `time` inside the open segment.
    pub(crate) fn boundary_at(&self, time: i64) -> Option<Boundary> {
        let start = self.start?;
        let end = time.max(start + SHORTEST);
        (end - start <= self.limit() + ROUNDING_ROOM).then_some(Boundary {
            end,
            next_start: end,
            forced: false,
            gap: false,
        })
    }

    /// Ends the open segment at this boundary; the first time, this fixes the target duration.
    pub(crate) fn close(&mut self, boundary: Boundary) {
        let Some(start) = self.start.take() else {
            return;
        };
        if self.target.is_none() {
            let open_group = match (self.last_random_access, self.cutting_lane()) {
                (Some(begun), Some(lane)) => lane.last.map_or(0, |last| last - begun),
                _ => 0,
            };
            let at_cut = self
                .last_random_access
                .map_or(0, |last| boundary.end - last);
            let group = self.longest_group.max(open_group).max(at_cut);
            self.target = Some(
                whole_seconds(self.segment + group.max(self.segment))
                    .min(self.max_target)
                    .max(self.min_target)
                    .max(whole_seconds(boundary.end - start - ROUNDING_ROOM)),
            );
        }
        self.eager = false;
        self.floor = Some(boundary.end);
        for lane in &mut self.lanes {
            lane.first = None;
        }
    }

    /// The next segment begins at the boundary's time.
    pub(crate) fn open_at(&mut self, start: i64) {
        self.start = Some(start);
    }

    /// The timeline broke: no time before counts.
    pub(crate) fn forget(&mut self) {
        self.start = None;
        self.floor = None;
        self.last_random_access = None;
        self.last_group = None;
        for lane in &mut self.lanes {
            lane.first = None;
            lane.last = None;
        }
    }

    /// Units after an earlier boundary will be pushed again.
    pub(crate) fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.first = None;
            lane.last = None;
        }
    }

    /// What the target duration is at least, whatever the first segment brings.
    pub(crate) fn least_target(&self) -> i64 {
        whole_seconds(2 * self.segment).min(self.max_target)
    }

    /// Where the open segment ends at the latest, when it began at `start`.
    pub(crate) fn latest_end(&self, start: i64) -> i64 {
        start.saturating_add(self.limit() + ROUNDING_ROOM)
    }

    /// Whether the unit expected at `time` is one that cuts, if groups of pictures go on as they
    /// were.
    pub(crate) fn is_cut_due(&self, time: i64) -> bool {
        let (Some(start), Some(last), Some(group)) =
            (self.start, self.last_random_access, self.last_group)
        else {
            return false;
        };
        let Some(lane) = self.cutting_lane() else {
            return false;
        };
        let due = last.saturating_add(group);
        let begun = lane.first.unwrap_or(start).min(start);
        (due - time).abs() <= lane.step / 2 && due - begun >= self.segment
    }

    /// Longest duration of a segment now.
    fn limit(&self) -> i64 {
        self.target.unwrap_or(self.max_target)
    }

    fn cutting_lane(&self) -> Option<&Lane> {
        self.lanes
            .iter()
            .find(|lane| Some(lane.track) == self.cutting)
    }

    /// Where the units pushed so far end: the last unit lasts as long as the one before.
    fn estimated_end(&self, start: i64) -> i64 {
        let lengths = self.lanes.iter().filter_map(|lane| {
            let end = lane.last? + lane.step;
            // The other track's offset to the cutting one says nothing about length.
            let begun = if Some(lane.track) == self.cutting {
                lane.first.map(|_| start)?
            } else {
                lane.first?
            };
            Some(end - begun)
        });
        let length = lengths.max().unwrap_or(0);
        start + length.clamp(SHORTEST, self.limit())
    }
}

impl Lane {
    fn new(track: TrackId) -> Self {
        Self {
            track,
            first: None,
            last: None,
            // 40 ms, until two units have been seen.
            step: SECOND / 25,
        }
    }
}

/// Rounded up to whole seconds, at least one.
fn whole_seconds(ticks: i64) -> i64 {
    (ticks.max(1) + SECOND - 1) / SECOND * SECOND
}

#[cfg(test)]
mod tests;
