//! What a target does, as others see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its stream has no media yet, or none at the moment of starting.
    Waiting,
    /// It connects and negotiates.
    Connecting,
    /// Media flows.
    Publishing {
        /// Since when.
        since: Instant,
    },
    /// The last try failed; another one follows.
    Backoff {
        /// When.
        until: Instant,
        /// Which try failed, from 1.
        attempt: u32,
    },
    /// It is over: the stream has ended, it was removed, or trying again cannot help.
    Stopped,
}

impl State {
    /// One word for logs and APIs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Publishing { .. } => "publishing",
            Self::Backoff { .. } => "backoff",
            Self::Stopped => "stopped",
        }
    }
}

/// A target's state and figures at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// Why the last try or connection failed; without keys. `None` before the first failure.
    pub last_error: Option<Box<str>>,
    /// Bytes written, over all connections.
    pub bytes_out: u64,
    /// Connections that got as far as publishing.
    pub connections: u64,
    /// How often it lagged and went on at a later random access point.
    pub skips: u64,
}

/// A status that its target writes and others read.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    // Guards the status; its `bytes_out` stays 0 there.
    status: Arc<Mutex<Status>>,
    /// Counted by connections as they write; relaxed ordering.
    bytes_out: Arc<AtomicU64>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            status: Arc::new(Mutex::new(Status {
                state: State::Waiting,
                last_error: None,
                bytes_out: 0,
                connections: 0,
                skips: 0,
            })),
            bytes_out: Arc::default(),
        }
    }

    pub(crate) fn get(&self) -> Status {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        Status {
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            ..status.clone()
        }
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Where connections count the bytes that they write.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_out)
    }
}

/// A wait as people read it: whole seconds, at least one.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs_f64().ceil().max(1.0) as u64
}
