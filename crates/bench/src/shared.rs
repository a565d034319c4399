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
    pub(crate) viewers: Count,
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
        Arc::new(Self {
            plan,
            dialer,
            phase,
            window_start_ns: AtomicU64::new(0),
            window_end_ns: AtomicU64::new(0),
            publishers: Count::default(),
            touches: Count::default(),
            viewers: Count::default(),
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

    /// Waits for a phase, or a later one. Cancel safe.
    pub(crate) async fn reached(&self, phase: Phase) {
        let mut phases = self.phase.clone();
        // The sender outlives all threads; if it did not, the run would be over.
        let _ = phases.wait_for(|now| *now >= phase).await;
    }
}
