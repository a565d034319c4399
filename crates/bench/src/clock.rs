//! The clock that publishers and viewers share, also across processes of one machine.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds; 0 on a machine without it.
pub(crate) fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, nanoseconds)
}

/// A clock's reading as nanoseconds.
pub(crate) fn nanoseconds(time: nix::sys::time::TimeSpec) -> u64 {
    // Clocks that count from boot or from a process's start are not negative.
    time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
}

/// Whole microseconds between two readings; zero when `from` is later.
pub(crate) fn micros(from_ns: u64, to_ns: u64) -> u64 {
    to_ns.saturating_sub(from_ns) / 1_000
}
