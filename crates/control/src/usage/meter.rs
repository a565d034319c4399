//! Collects what was counted until it is stored.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{BUCKET_S, Direction, SAMPLE_EVERY, bucket_of};
use crate::clock::UnixMs;

/// Sums kept while nothing can be stored; beyond it new ones are given up, and that is said.
/// Bounds: memory.
const MOST_SUMS: usize = 200_000;

/// Longest time between two looks that is spread over the buckets it touches; what comes of a
/// longer one (the machine slept) belongs to its end.
const LONGEST_SPAN_MS: i64 = 3_600_000;

/// Something that is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// The stream's name in the hub.
    pub stream: String,
    /// How: `rtmp`, `hls`, …; for files their format.
    pub protocol: String,
    /// Where to.
    pub direction: Direction,
}

/// What was counted of a line since the look before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Bytes.
    pub bytes: u64,
    /// How many there are at this moment: viewers, recordings of this format. Each has its time.
    pub count: u64,
}

/// Sums of one line in one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) millis: u64,
    /// Bits per second at the busiest look.
    pub(super) rates: Vec<(i64, u64)>,
    /// How many there were at each look.
    pub(super) counts: Vec<(i64, u64)>,
}

/// Sums by bucket and line.
pub(super) type Sums = BTreeMap<(i64, Line), Sum>;

/// Collects what was counted.
#[derive(Debug, Default)]
pub struct Meter {
    // Guards what waits; held for the sums of one look.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    sums: Sums,
    looked: Option<UnixMs>,
    lost: u64,
}

impl Meter {
    /// Nothing counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one look at all counters, `now`, at what came since the look before. Time and
    /// bytes are spread over the buckets that the time between touches; no byte is lost by that.
    pub fn add(&self, now: UnixMs, readings: impl IntoIterator<Item = (Line, Reading)>) {
        let mut waiting = self.lock();
        let usual = now.minus(SAMPLE_EVERY);
        let since = waiting.looked.replace(now).unwrap_or(usual);
        let is_sane = since < now && now.0 - since.0 <= LONGEST_SPAN_MS;
        // A clock that was set back, or a machine that slept.
        let since = if is_sane { since } else { usual };
        let span_ms = now.0 - since.0;
        let parts = spread(since, now);
        for (line, reading) in readings {
            let rate = reading.bytes.saturating_mul(8_000) / span_ms.cast_unsigned().max(1);
            let mut left = reading.bytes;
            for (index, (bucket, part_ms)) in parts.iter().enumerate() {
                let is_last = index + 1 == parts.len();
                let share = u128::from(reading.bytes) * u128::from(*part_ms)
                    / u128::from(span_ms.cast_unsigned().max(1));
                let bytes = match is_last {
                    true => left,
                    false => u64::try_from(share).unwrap_or(left).min(left),
                };
                left -= bytes;
                let key = (*bucket, line.clone());
                if waiting.sums.len() >= MOST_SUMS && !waiting.sums.contains_key(&key) {
                    waiting.lost += bytes;
                    continue;
                }
                let sum = waiting.sums.entry(key).or_default();
                sum.bytes += bytes;
                sum.millis += part_ms * reading.count;
                note(&mut sum.rates, now.0, rate);
                note(&mut sum.counts, now.0, reading.count);
            }
        }
    }

    /// What waits; put back with [`Meter::put_back`] when it could not be stored.
    pub(super) fn take(&self) -> Sums {
        let mut waiting = self.lock();
        let lost = std::mem::take(&mut waiting.lost);
        if lost > 0 {
            tracing::error!(
                bytes = lost,
                "usage lost: nothing could be stored for too long"
            );
        }
        std::mem::take(&mut waiting.sums)
    }

    /// What was taken and could not be stored.
    pub(super) fn put_back(&self, sums: Sums) {
        let mut waiting = self.lock();
        for (key, old) in sums {
            let sum = waiting.sums.entry(key).or_default();
            sum.bytes += old.bytes;
            sum.millis += old.millis;
            sum.rates.extend(old.rates);
            sum.counts.extend(old.counts);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes a look; zero is what there is without one.
fn note(looks: &mut Vec<(i64, u64)>, at: i64, value: u64) {
    if value > 0 && looks.last().is_none_or(|(last, _)| *last != at) {
        looks.push((at, value));
    }
}

/// The buckets between two moments and how many milliseconds of each.
fn spread(since: UnixMs, until: UnixMs) -> Vec<(i64, u64)> {
    let mut parts = Vec::new();
    let mut from = since.0;
    while from < until.0 {
        let bucket = bucket_of(UnixMs(from));
        let end = until.0.min((bucket + BUCKET_S) * 1_000);
        parts.push((bucket, (end - from).cast_unsigned()));
        from = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(stream: &str) -> Line {
        Line {
            stream: stream.to_owned(),
            protocol: "hls".to_owned(),
            direction: Direction::Out,
        }
    }

    fn reading(bytes: u64) -> Reading {
        Reading { bytes, count: 1 }
    }

    #[test]
    fn a_look_over_the_end_of_a_bucket_is_spread_over_both() {
        let meter = Meter::new();
        let start = UnixMs(1_800_000_000_000);
        meter.add(start.plus(std::time::Duration::from_secs(297)), []);
        let now = start.plus(std::time::Duration::from_secs(307));
        meter.add(now, [(line("live/a"), reading(1_001))]);
        let sums: Vec<_> = meter.take().into_iter().collect();
        let seen: Vec<_> = sums
            .iter()
            .map(|((bucket, _), sum)| (*bucket, sum.bytes, sum.millis))
            .collect();
        assert_eq!(
            seen,
            [(1_800_000_000, 300, 3_000), (1_800_000_300, 701, 7_000)]
        );
        assert_eq!(sums[0].1.rates, [(now.0, 800)]);
        assert_eq!(meter.take(), Sums::new());
    }

    #[test]
    fn what_could_not_be_stored_is_kept() {
        let meter = Meter::new();
        let at = |s: u64| UnixMs(1_800_000_010_000).plus(std::time::Duration::from_secs(s));
        meter.add(at(0), [(line("live/a"), reading(10))]);
        let taken = meter.take();
        meter.add(at(10), [(line("live/a"), reading(5))]);
        meter.put_back(taken);
        let sums = meter.take();
        let sum = sums.values().next();
        assert_eq!(sum.map(|sum| (sum.bytes, sum.millis)), Some((15, 20_000)));
        assert_eq!(sum.map(|sum| sum.rates.len()), Some(2));
    }

    #[test]
    fn clocks_that_jump_make_no_time() {
        let meter = Meter::new();
        let now = UnixMs(1_800_000_100_000);
        meter.add(now, []);
        meter.add(
            now.minus(std::time::Duration::from_secs(500)),
            [(line("a/b"), reading(7))],
        );
        let ahead = now.plus(std::time::Duration::from_secs(100_000));
        meter.add(ahead, [(line("a/b"), reading(9))]);
        let sums = meter.take();
        assert_eq!(sums.values().map(|sum| sum.bytes).sum::<u64>(), 16);
        assert_eq!(sums.values().map(|sum| sum.millis).sum::<u64>(), 20_000);
    }

    proptest! {
        #[test]
        fn no_byte_and_no_millisecond_is_lost(
            looks in proptest::collection::vec((1_i64..900_000, 0_u64..1 << 40), 1..20)
        ) {
            let meter = Meter::new();
            let mut now = UnixMs(1_800_000_000_000);
            meter.add(now, []);
            for (ms, bytes) in &looks {
                now = UnixMs(now.0 + ms);
                meter.add(now, [(line("live/a"), reading(*bytes))]);
            }
            let sums = meter.take();
            let bytes: u64 = sums.values().map(|sum| sum.bytes).sum();
            let millis: u64 = sums.values().map(|sum| sum.millis).sum();
            prop_assert_eq!(bytes, looks.iter().map(|(_, bytes)| bytes).sum::<u64>());
            prop_assert_eq!(millis, looks.iter().map(|(ms, _)| ms.cast_unsigned()).sum::<u64>());
            prop_assert!(sums.values().all(|sum| sum.millis <= 300_000));
        }
    }
}
