//! How long to wait before the next try.

use std::time::Duration;

/// First wait, before jitter.
const FIRST: Duration = Duration::from_secs(1);
/// A connection that published for this long was a success: the next failure waits shortly again.
const STABLE: Duration = Duration::from_secs(30);

/// Exponential waits with full jitter: after `n` failures a random time up to `2^(n-1)` seconds,
/// at most `max`, at least a tenth of it (so that a refusing server is not hammered by chance).
#[derive(Debug)]
pub(crate) struct Backoff {
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new(max: Duration) -> Self {
        Self { max, failures: 0 }
    }

    /// Failures in a row so far.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// A try failed after it had published for `published`: the wait before the next. `random` is
    /// any number.
    pub(crate) fn next(&mut self, published: Duration, random: u32) -> Duration {
        if published >= STABLE {
            self.failures = 0;
        }
        let ceiling = FIRST
            .saturating_mul(1 << self.failures.min(20))
            .min(self.max);
        self.failures = self.failures.saturating_add(1);
        let floor = ceiling / 10;
        floor + (ceiling - floor).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(900);

    #[test]
    fn waits_double_up_to_the_limit_while_tries_end_soon() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        let waits: Vec<_> = (0..8)
            .map(|_| backoff.next(MOMENT, u32::MAX).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.failures(), 8);
    }

    #[test]
    fn a_try_that_lasted_starts_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        for _ in 0..5 {
            backoff.next(MOMENT, 0);
        }
        let almost = STABLE - Duration::from_millis(1);
        assert_eq!(backoff.next(almost, u32::MAX).as_secs(), 32);
        assert_eq!(backoff.next(STABLE, 0), Duration::from_millis(100));
        assert_eq!(backoff.failures(), 1);
    }

    #[test]
    fn jitter_lies_between_a_tenth_and_the_whole() {
        let mut backoff = Backoff::new(Duration::from_secs(8));
        for _ in 0..9 {
            backoff.next(MOMENT, 0);
        }
        assert_eq!(backoff.next(MOMENT, 0), Duration::from_millis(800));
        assert_eq!(backoff.next(MOMENT, u32::MAX), Duration::from_secs(8));
        let half = backoff.next(MOMENT, u32::MAX / 2).as_millis();
        assert!((4_399..=4_401).contains(&half), "{half}");
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        assert!((0..1_000).all(|n| backoff.next(MOMENT, n) <= Duration::from_secs(60)));
    }
}
