//! What the threads of a run share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::watch;

use crate::plan::Plan;
use crate::transport::Dialer;
use crate::watch::Window;

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Publishers start.
    Publishing,
    /// Each stream is asked for once.
    Touching,
    /// Viewers start, and stay.
    Viewing,
    /// Publishers start whose viewers wait for them.
    Serving,
    /// The window is over: what was sent in it may still come.
    Grace,
    /// Viewers that come and go stop coming.
    Leaving,
    /// It is over: say goodbye.
    Over,
}

/// What the threads of a run share. Counters are relaxed: they tell how far others are, and order nothing.
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) dialer: Dialer,
    pub(crate) phase: watch::Receiver<Phase>,
    window_start_ns: AtomicU64,
    window_end_ns: AtomicU64,
    pub(crate) publishers: Count,
    pub(crate) touches: Count,
    /// Viewers that had media, and those that failed.
    pub(crate) viewers: Count,
    /// Viewers that asked for a stream which is not there yet, and those that were refused or lost.
    pub(crate) waiting: Count,
    /// A place for each thread.
    pub(crate) arrivals: Vec<Arrivals>,
}

/// What a thread knows about the frames of the window, told while the grace lasts.
#[derive(Debug)]
pub(crate) struct Arrivals {
    expected: AtomicU64,
    received: AtomicU64,
}

impl Arrivals {
    /// `expected`: frames that its publishers sent, times their viewers; `received`: by its own viewers.
    pub(crate) fn tell(&self, expected: u64, received: u64) {
        self.expected.store(expected, Ordering::Relaxed);
        self.received.store(received, Ordering::Relaxed);
    }
}

impl Default for Arrivals {
    /// Nothing is complete before the thread has told.
    fn default() -> Self {
        Self {
            expected: AtomicU64::new(1),
            received: AtomicU64::new(0),
        }
    }
}

/// How many came through, and how many did not.
#[derive(Debug, Default)]
pub(crate) struct Count {
    ready: AtomicU32,
    failed: AtomicU32,
}

impl Count {
    pub(crate) fn ready(&self) -> u32 {
        self.ready.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u32 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn one_ready(&self) {
        self.ready.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn one_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(plan: Plan, dialer: Dialer, phase: watch::Receiver<Phase>) -> Arc<Self> {
        let threads = plan.threads.max(1) as usize;
        Arc::new(Self {
            plan,
            dialer,
            phase,
            window_start_ns: AtomicU64::new(0),
            window_end_ns: AtomicU64::new(0),
            publishers: Count::default(),
            touches: Count::default(),
            viewers: Count::default(),
            waiting: Count::default(),
            arrivals: std::iter::repeat_with(Arrivals::default)
                .take(threads)
                .collect(),
        })
    }

    pub(crate) fn window(&self) -> Window {
        Window {
            start_ns: self.window_start_ns.load(Ordering::Relaxed),
            end_ns: self.window_end_ns.load(Ordering::Relaxed),
        }
    }

    /// Opens the window, or ends it early. It begins a little in the future, so that every thread
    /// has seen it when it does.
    pub(crate) fn set_window(&self, window: Window) {
        self.window_end_ns.store(window.end_ns, Ordering::Relaxed);
        self.window_start_ns
            .store(window.start_ns, Ordering::Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.phase.borrow() == Phase::Over
    }

    /// Whether viewers that come and go come no more.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.phase.borrow() >= Phase::Leaving
    }

    /// Whether every frame of the window has come to everyone who is expected to receive it.
    pub(crate) fn has_all(&self) -> bool {
        let sum = |count: fn(&Arrivals) -> &AtomicU64| -> u64 {
            let counts = self.arrivals.iter().map(count);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        sum(|thread| &thread.expected) == sum(|thread| &thread.received)
    }

    /// Waits for a phase, or a later one. Cancel safe.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.clone();
        // The sender outlives all threads; if it did not, the run would be over.
        let _ = phases.wait_for(|now| *now >= phase).await;
    }
}
