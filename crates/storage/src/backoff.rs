//! How long to wait before the next try.

use std::time::Duration;

/// First wait, before jitter.
const FIRST: Duration = Duration::from_millis(500);
/// Longest wait: how long live may stay behind after the storage has come back.
const LONGEST: Duration = Duration::from_secs(10);

/// Exponential waits with jitter: after `n` failures in a row a random time up to `2^(n-1)` halves
/// of a second, at most 10 s, at least a tenth of it.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// A try failed: the wait before the next. `random` is any number.
    pub(crate) fn next(&mut self, random: u32) -> Duration {
        let ceiling = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let floor = ceiling / 10;
        floor + (ceiling - floor).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// A try succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..7).map(|_| backoff.next(u32::MAX).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(backoff.next(0), Duration::from_secs(1));
        backoff.reset();
        assert_eq!(backoff.next(0), Duration::from_millis(50));
    }
}
