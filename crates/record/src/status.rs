//! What a recording does, as others see it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Where a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Waits for media it can begin with.
    Pending,
    /// Units are written.
    Recording,
    /// Units are left out until it is resumed.
    Paused,
    /// Nothing can be written; it goes on when that is cured.
    Suspended,
    /// The last files are being finished.
    Finalizing,
    /// Over, all files complete.
    Completed,
    /// Over: something could not be written.
    Failed,
}

impl State {
    /// One word for logs and APIs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will be written any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A recording's state and figures at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// Why it is suspended or failed.
    pub reason: Option<Box<str>>,
    /// Media time recorded, in milliseconds, over all files, once for all formats.
    pub duration_ms: i64,
    /// Bytes written, over all files and formats.
    pub bytes: u64,
    /// Bytes that wait for the disk.
    pub queue_bytes: u64,
    /// Units lost because the queue was full.
    pub dropped_units: u64,
    /// Parts of the stream that files lack.
    pub gaps: u64,
    /// Files that are finished, each format counted.
    pub files_completed: u64,
    /// Files being written, below the root.
    pub open: Vec<String>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            state: State::Pending,
            reason: None,
            duration_ms: 0,
            bytes: 0,
            queue_bytes: 0,
            dropped_units: 0,
            gaps: 0,
            files_completed: 0,
            open: Vec::new(),
        }
    }
}

/// Figures of all recordings since the start of the process, those that ended included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Bytes written, over all formats.
    pub bytes: u64,
    /// Files that were finished, repaired ones included.
    pub files: u64,
    /// Of these, repaired after a crash.
    pub recovered: u64,
    /// Units lost because a queue was full.
    pub dropped_units: u64,
    /// Parts of streams that files lack.
    pub gaps: u64,
    /// Times that a recording could not write.
    pub failures: u64,
}

/// Where they are counted; relaxed ordering.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    bytes: AtomicU64,
    pub(crate) files: AtomicU64,
    pub(crate) recovered: AtomicU64,
    dropped_units: AtomicU64,
    gaps: AtomicU64,
    failures: AtomicU64,
}

impl Sums {
    pub(crate) fn get(&self) -> Totals {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            bytes: of(&self.bytes),
            files: of(&self.files),
            recovered: of(&self.recovered),
            dropped_units: of(&self.dropped_units),
            gaps: of(&self.gaps),
            failures: of(&self.failures),
        }
    }
}

/// A status that its recording writes and others read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    // Guards the status; its counters below stay 0 there.
    status: Arc<Mutex<Status>>,
    counters: Arc<Counters>,
    sums: Arc<Sums>,
}

/// Counted as units pass; relaxed ordering.
#[derive(Debug, Default)]
struct Counters {
    bytes: AtomicU64,
    dropped_units: AtomicU64,
    queue_bytes: AtomicU64,
    /// The writer takes nothing at the moment: no use to keep units for it.
    deaf: AtomicBool,
}

impl Shared {
    pub(crate) fn new(sums: Arc<Sums>) -> Self {
        Self {
            sums,
            ..Self::default()
        }
    }

    pub(crate) fn get(&self) -> Status {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Status {
            bytes: of(&self.counters.bytes),
            dropped_units: of(&self.counters.dropped_units),
            queue_bytes: of(&self.counters.queue_bytes),
            ..status.clone()
        }
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.sums.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, units: u64) {
        self.counters
            .dropped_units
            .fetch_add(units, Ordering::Relaxed);
        self.sums.dropped_units.fetch_add(units, Ordering::Relaxed);
    }

    pub(crate) fn gap(&self) {
        self.update(|status| status.gaps += 1);
        self.sums.gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.sums.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn queued(&self, bytes: usize) {
        self.counters
            .queue_bytes
            .store(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.counters.deaf.store(deaf, Ordering::Relaxed);
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.counters.deaf.load(Ordering::Relaxed)
    }
}
