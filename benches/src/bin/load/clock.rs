//! The clock that publishers and viewers share, also across processes of one machine.

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Both fields are positive: the clock counts from boot.
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Whole microseconds between two readings; zero when `from` is later.
pub(crate) fn micros(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from) / 1_000).unwrap_or(u32::MAX)
}
