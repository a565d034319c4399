//! What a worker thread tells of itself.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How often a worker says that it lives.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Written by the worker, read from anywhere.
#[derive(Debug)]
pub(crate) struct Vitals {
    started: Instant,
    /// Viewers that the worker has, or that are on their way to it.
    pub(crate) viewers: AtomicUsize,
    /// Milliseconds from `started` to the last tick.
    ticked_ms: AtomicU64,
    pass_us: AtomicU64,
}

/// A worker as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerState {
    /// Viewers that it has.
    pub viewers: usize,
    /// How long one pass over all of them takes at present (a moving average). With
    /// [`Batch::Auto`](crate::Batch::Auto) this is what decides how much is gathered.
    pub pass: Duration,
    /// How long it has been silent. It ticks every second; one that is silent for much longer hangs
    /// or is dead.
    pub silent_for: Duration,
}

impl Vitals {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            viewers: AtomicUsize::new(0),
            ticked_ms: AtomicU64::new(0),
            pass_us: AtomicU64::new(0),
        }
    }

    pub(crate) fn tick(&self, pass: Duration) {
        self.ticked_ms
            .store(whole(self.started.elapsed().as_millis()), Ordering::Relaxed);
        self.pass_us
            .store(whole(pass.as_micros()), Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> WorkerState {
        let ticked = Duration::from_millis(self.ticked_ms.load(Ordering::Relaxed));
        WorkerState {
            viewers: self.viewers.load(Ordering::Relaxed),
            pass: Duration::from_micros(self.pass_us.load(Ordering::Relaxed)),
            silent_for: self.started.elapsed().saturating_sub(ticked),
        }
    }
}

fn whole(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
