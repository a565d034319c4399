//! Waiting by condition: poll until it holds or a deadline passes.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Polls `condition` every 20 ms until it gives a value, and returns that.
///
/// # Panics
/// When `limit` passes first; the message says `what` was awaited.
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < limit,
            "waited {limit:?} in vain for: {what}"
        );
        sleep(Duration::from_millis(20));
    }
}

/// Seconds as a [`Duration`]; tests read better with it.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
