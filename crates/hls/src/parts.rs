//! Decides where parts end: times in, marks out; holds no media (RFC 8216bis §4.4.4.9).
//!
//! ```text
//! leading track (the cutting one)
//!   the part would hold no further unit ........ ends with this unit, at once
//!   a unit comes more than a part later ........ ended one part target after it began
//! the other track
//!   goes on where the leading one stands still . ended likewise
//! ```
//!
//! A part ends where its last unit is expected to end, without a wait for the next one: it can be
//! fetched as soon as that unit is there. Where frames come as they are expected, parts begin at
//! the times of their first units; where they do not, a part ends between frames rather than be
//! longer than the part target, or shorter than 85 % of it. Time in which nothing came at all is a
//! part without media (`GAP`). Durations are differences of ends, so they add up to the segment's.

use crate::cutter::{SECOND, SHORTEST, millis};

/// How much later than expected the leading track may be before the other one ends parts.
const SLACK: i64 = SECOND / 10;
/// Distance of two units until some have been seen.
const USUAL_STEP: i64 = SECOND / 25;
const MILLISECOND: i64 = SECOND / 1_000;

/// The end of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Units of the segment up to here.
    pub(crate) units: usize,
    /// When it begins and ends, in ticks of 90 kHz.
    pub(crate) begin: i64,
    pub(crate) end: i64,
}

impl Mark {
    /// Duration as a difference of ends in whole milliseconds: it adds up to the segment's.
    pub(crate) fn duration_ms(&self) -> u64 {
        u64::try_from(millis(self.end) - millis(self.begin)).unwrap_or(0)
    }
}

/// Where a unit belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The track at which segments are cut.
    Leading,
    Other,
    /// An alternative to the other track: it ends nothing.
    Follower,
    /// Timed metadata: it has no say in where parts end.
    Aside,
}

/// State of the decisions for one stream; the part target never changes.
#[derive(Debug)]
pub(crate) struct PartClock {
    /// Longest part, whole milliseconds.
    target: i64,
    /// Shortest part that is not the last of its segment.
    least: i64,
    /// Distance of two units of the leading track, smoothed.
    step: i64,
    open: Option<Open>,
}

/// Progress in the open segment. All times are in ticks of 90 kHz.
#[derive(Debug)]
struct Open {
    /// Start of the open part.
    begin: i64,
    /// No part ends after this.
    latest: i64,
    /// Units so far, and those in complete parts.
    units: usize,
    marked: usize,
    /// Units of metadata behind them.
    asides: usize,
    /// Latest time of the leading track, or where the segment began.
    lead: i64,
    last_lead: Option<i64>,
    /// The open part has a unit of the leading track.
    leads: bool,
    /// First time of the other track since the leading one last moved.
    other: Option<i64>,
}

impl PartClock {
    /// A clock for parts of about `wanted`, by the leading track's times in the first segment: a
    /// whole number of frames, so that parts neither fall short nor stand out. `longest` bounds
    /// the part target.
    pub(crate) fn new(
        wanted: i64,
        times: impl IntoIterator<Item = i64>,
        others: bool,
        longest: i64,
    ) -> Self {
        let step = usual_step(times);
        let target = if step > SECOND && others {
            // Pictures so rare that sound carries the parts.
            wanted
        } else {
            let frames = ((wanted + step / 2) / step).max(1);
            let exact = frames * step;
            // Room for the jitter of a clock of milliseconds.
            exact + (exact / 100).max(2 * MILLISECOND)
        };
        let target = target.min(longest);
        let target = (target + MILLISECOND - 1) / MILLISECOND * MILLISECOND;
        Self {
            target,
            // A millisecond more: durations are printed in whole ones.
            least: target * 85 / 100 + MILLISECOND,
            step,
            open: None,
        }
    }

    /// The part target in ticks.
    pub(crate) fn target(&self) -> i64 {
        self.target
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A segment begins; no part of it ends after `latest`.
    pub(crate) fn open(&mut self, start: i64, latest: i64) {
        self.open = Some(Open {
            begin: start,
            latest,
            units: 0,
            marked: 0,
            asides: 0,
            lead: start,
            last_lead: None,
            leads: false,
            other: None,
        });
    }

    /// What ends before a unit of this time joins the segment.
    pub(crate) fn before(&mut self, lane: Lane, time: i64, out: &mut Vec<Mark>) {
        let target = self.target;
        let Some(open) = &mut self.open else {
            return;
        };
        let now = match lane {
            Lane::Leading => time,
            Lane::Other => {
                let since = time - open.other.unwrap_or(time);
                open.lead.saturating_add(since) - SLACK
            }
            Lane::Follower | Lane::Aside => return,
        };
        while now >= open.begin + target && open.begin + target <= open.latest {
            open.mark(open.begin + target, out);
        }
    }

    /// A unit joined the segment.
    pub(crate) fn after(&mut self, lane: Lane, time: i64, out: &mut Vec<Mark>) {
        let Some(open) = &mut self.open else {
            return;
        };
        if lane == Lane::Aside {
            return self.aside();
        }
        open.units += 1;
        match lane {
            Lane::Leading => {}
            Lane::Other => {
                open.other.get_or_insert(time);
                return;
            }
            Lane::Follower | Lane::Aside => return,
        }
        if let Some(last) = open.last_lead.replace(time).filter(|&last| last < time) {
            let step = (time - last).min(2 * self.step);
            self.step = ((7 * self.step + step) / 8).max(MILLISECOND);
        }
        open.lead = open.lead.max(time);
        open.leads = true;
        open.other = None;
        let end = time.saturating_add(self.step).min(open.latest);
        let length = end - open.begin;
        if length > self.target {
            open.mark(open.begin + self.target, out);
        } else if length >= self.least && length + self.step > self.target {
            open.mark(end, out);
        }
    }

    /// A unit of metadata joined the segment.
    pub(crate) fn aside(&mut self) {
        if let Some(open) = &mut self.open {
            open.units += 1;
            open.asides += 1;
        }
    }

    /// Where a segment that would end at `end` ends, so that its parts fill it exactly.
    pub(crate) fn settle(&self, end: i64) -> i64 {
        let Some(open) = &self.open else {
            return end;
        };
        if open.units == open.marked + open.asides {
            return self.boundary(end).unwrap_or(end);
        }
        let full = open.begin + self.target;
        if (full..=full + self.target / 2).contains(&end) {
            full
        } else {
            end.max(open.begin + SHORTEST)
        }
    }

    /// The end of the last part, where a segment that would end at `end` can end with it: the
    /// leading track has nothing since, and came only a little sooner or later than expected.
    pub(crate) fn boundary(&self, end: i64) -> Option<i64> {
        self.between_parts()
            .filter(|begin| end - begin <= self.target / 2)
    }

    /// The segment ends at `end`, as [`settle`](Self::settle) gave it.
    pub(crate) fn close(&mut self, end: i64, out: &mut Vec<Mark>) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        while end - open.begin > self.target {
            open.mark(open.begin + self.target, out);
        }
        if end > open.begin {
            open.mark(end, out);
        }
    }

    /// Where the open part begins, when another precedes it and the leading track has nothing in
    /// it yet.
    pub(crate) fn between_parts(&self) -> Option<i64> {
        let open = self.open.as_ref()?;
        (open.marked > 0 && !open.leads).then_some(open.begin)
    }
}

impl Open {
    fn mark(&mut self, end: i64, out: &mut Vec<Mark>) {
        out.push(Mark {
            units: self.units,
            begin: self.begin,
            end,
        });
        self.marked = self.units;
        self.asides = 0;
        self.begin = end;
        self.leads = false;
    }
}

/// The distance that most units have, with what a clock of milliseconds rounds away.
fn usual_step(times: impl IntoIterator<Item = i64>) -> i64 {
    let mut times = times.into_iter();
    let mut last = times.next();
    let mut steps: Vec<i64> = times
        .filter_map(|time| last.replace(time).map(|last| time.saturating_sub(last)))
        .filter(|&step| step > 0)
        .collect();
    steps.sort_unstable();
    let Some(&median) = steps.get(steps.len() / 2) else {
        return USUAL_STEP;
    };
    let near: Vec<i64> = steps
        .into_iter()
        .filter(|step| (median / 2..=median.saturating_mul(2)).contains(step))
        .collect();
    let count = i64::try_from(near.len()).unwrap_or(1).max(1);
    let sum = near
        .iter()
        .fold(0_i64, |sum, step| sum.saturating_add(*step));
    (sum / count).clamp(MILLISECOND, 3_600 * SECOND)
}

#[cfg(test)]
mod tests;
