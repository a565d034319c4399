//! Breaks of the source's clock, and what becomes of them.

use media::{AccessUnit, Dts, Rounding, Timescale, Track, TrackId};

use super::OutputFormat;
use super::sink::ninety_khz;

/// A track that goes back by more than this, in ticks of 90 kHz, has a new clock: 1 s.
const RESTART: i64 = 90_000;
/// Behind a break that the container tells, times up to here continue those before it, in ticks of
/// 90 kHz: 10 s.
const CONTINUES: i64 = 900_000;
/// Between the last unit before a break and the first behind it, in ticks of 90 kHz: 40 ms.
const STEP: i64 = 3_600;

/// Follows the times of all tracks.
#[derive(Debug)]
pub(super) struct Clock {
    /// The output has one timeline: what follows a break is moved to where the last unit was.
    joins: bool,
    broken: bool,
    shift: i64,
    newest: Option<i64>,
    last: Vec<(TrackId, i64)>,
}

impl Clock {
    /// A clock for an output; `first` is the source's first time.
    pub(super) fn new(to: OutputFormat, first: i64) -> Self {
        let has_breaks = matches!(
            to,
            OutputFormat::Ts | OutputFormat::Hls | OutputFormat::HlsTs
        );
        // MP4 places what begins before 0 by an edit list; elsewhere there is no such time. Whole
        // milliseconds, so that FLV rounds all times alike.
        let shift = match to {
            OutputFormat::Mp4 => 0,
            _ => (-first).max(0).saturating_add(89) / 90 * 90,
        };
        Self {
            joins: !has_breaks,
            broken: false,
            shift,
            newest: None,
            last: Vec::new(),
        }
    }

    /// The container says that the next unit does not continue the last one.
    pub(super) fn break_here(&mut self) {
        self.broken = self.newest.is_some();
    }

    /// Ticks of 90 kHz that are added to all times now.
    pub(super) fn shift(&self) -> i64 {
        self.shift
    }

    /// Moves the unit; whether the clock breaks before it.
    pub(super) fn place(&mut self, track: &Track, unit: &mut AccessUnit) -> bool {
        let mut time = ninety_khz(track, unit.dts.0).saturating_add(self.shift);
        let last = self.last.iter().position(|(id, _)| *id == track.id);
        let before = last.and_then(|at| self.last.get(at)).map(|&(_, time)| time);
        let restarts = before.is_some_and(|before| time < before - RESTART);
        let breaks = self.broken || restarts;
        self.broken = false;
        if breaks {
            // Demuxers of clocks with breaks of their own have joined the times already.
            let continues =
                |newest| !restarts && time > before.unwrap_or(newest) && time - newest <= CONTINUES;
            if let Some(newest) = self
                .newest
                .filter(|&newest| self.joins && !continues(newest))
            {
                self.shift += newest + STEP - time;
                time = newest + STEP;
            }
            self.newest = None;
            self.last.clear();
        }
        if self.shift != 0 {
            let from = Timescale::NINETY_KHZ;
            let shift = from.convert(self.shift, track.timescale, Rounding::Nearest);
            unit.dts = Dts(unit.dts.0.saturating_add(shift));
        }
        self.newest = self.newest.max(Some(time));
        match self.last.iter_mut().find(|(id, _)| *id == track.id) {
            Some((_, last)) => *last = time,
            None => self.last.push((track.id, time)),
        }
        breaks
    }
}

#[cfg(test)]
mod tests {
    use media::{Codec, Unconfigured};

    use super::*;

    fn place(to: OutputFormat, times: &[i64], told: Option<usize>) -> Vec<(i64, bool)> {
        let track = Track {
            id: TrackId(1),
            codec: Codec::Mp3,
            timescale: Timescale::MILLIS,
            config: Err(Unconfigured::Missing),
            flv_body: None,
        };
        let mut clock = Clock::new(to, times[0] * 90);
        let mut placed = Vec::new();
        for (index, &time) in times.iter().enumerate() {
            if told == Some(index) {
                clock.break_here();
            }
            let mut unit = AccessUnit::new(track.id, Dts(time), bytes::Bytes::new());
            let breaks = clock.place(&track, &mut unit);
            placed.push((unit.dts.0, breaks));
        }
        placed
    }

    fn pairs(times: [i64; 5], breaks: [bool; 5]) -> Vec<(i64, bool)> {
        times.into_iter().zip(breaks).collect()
    }

    #[test]
    fn a_clock_that_goes_back_is_joined_where_there_is_one_timeline() {
        let times = [5_000, 6_000, 5_500, 0, 20];
        let breaks = [false, false, false, true, false];
        let kept = place(OutputFormat::Ts, &times, None);
        assert_eq!(kept, pairs(times, breaks));
        let joined = [5_000, 6_000, 5_500, 6_040, 6_060];
        assert_eq!(
            place(OutputFormat::Flv, &times, None),
            pairs(joined, breaks)
        );
    }

    #[test]
    fn a_break_that_is_told_is_joined_unless_the_times_go_on() {
        let breaks = [false, false, true, false, false];
        let times = [5_000, 6_000, 6_040, 6_060, 6_080];
        let placed = place(OutputFormat::Mp4, &times, Some(2));
        assert_eq!(placed, pairs(times, breaks));
        let times = [5_000, 6_000, 90_000, 90_020, 90_040];
        let joined = [5_000, 6_000, 6_040, 6_060, 6_080];
        let placed = place(OutputFormat::Mp4, &times, Some(2));
        assert_eq!(placed, pairs(joined, breaks));
    }

    #[test]
    fn times_before_0_move_where_there_are_none() {
        let times = [-80, -40, 0, 40, 80];
        let moved = [0, 40, 80, 120, 160];
        for (to, want) in [(OutputFormat::Flv, moved), (OutputFormat::Mp4, times)] {
            assert_eq!(place(to, &times, None), pairs(want, [false; 5]));
        }
    }
}
