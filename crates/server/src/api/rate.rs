//! How often a key may ask.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Those that are remembered. Bounds: memory; keys are few, this is a net below them.
const MAX_KNOWN: usize = 10_000;

/// Buckets of tokens: one a request, refilled evenly, full after a second.
pub(crate) struct Rates {
    per_second: u32,
    /// Guards the buckets; held for a few instructions.
    buckets: Mutex<HashMap<Box<str>, Bucket>>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// What a request may know of its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// Seconds until the bucket is full again.
    pub(super) reset_s: u64,
    pub(super) is_exceeded: bool,
}

impl Rates {
    /// At most this many requests a second each; 0 is no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token. `None`: nothing is limited.
    pub(super) fn take(&self, who: &str, now: Instant) -> Option<Rate> {
        if self.per_second == 0 {
            return None;
        }
        let full = f64::from(self.per_second);
        let mut buckets = self
            .buckets
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= MAX_KNOWN && !buckets.contains_key(who) {
            // A bucket that is full again is as good as none.
            buckets.retain(|_, bucket| bucket.at(full, now) < full);
        }
        let bucket = buckets.entry(who.into()).or_insert(Bucket {
            tokens: full,
            filled: now,
        });
        bucket.tokens = bucket.at(full, now);
        bucket.filled = now;
        let is_exceeded = bucket.tokens < 1.0;
        if !is_exceeded {
            bucket.tokens -= 1.0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a u32"
        )]
        let whole = |value: f64| value as u32;
        Some(Rate {
            limit: self.per_second,
            remaining: whole(bucket.tokens),
            reset_s: u64::from(whole(((full - bucket.tokens) / full).ceil())),
            is_exceeded,
        })
    }
}

impl Bucket {
    fn at(&self, full: f64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + since * full).min(full)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn buckets_fill_evenly_and_are_apart() {
        let rates = Rates::new(2);
        let start = Instant::now();
        let taken = |who, at| rates.take(who, at).unwrap();
        assert_eq!(taken("a", start).remaining, 1);
        assert_eq!(taken("a", start).remaining, 0);
        let refused = taken("a", start);
        assert!(refused.is_exceeded && refused.reset_s == 1);
        assert!(!taken("b", start).is_exceeded);
        assert!(!taken("a", start + Duration::from_millis(500)).is_exceeded);
        assert!(taken("a", start + Duration::from_millis(600)).is_exceeded);
        let later = taken("a", start + Duration::from_secs(9));
        assert_eq!((later.limit, later.remaining), (2, 1));
        assert_eq!(Rates::new(0).take("a", start), None);
    }
}
