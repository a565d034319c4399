//! What a mirror does, as others see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Kind};

/// Where a mirror is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Its stream has nothing to play yet.
    Waiting,
    /// The storage shows what is live, or what was so at most a target duration ago.
    InSync,
    /// The storage takes what it is given, and shows something older.
    Behind,
    /// The storage does not take what it is given; it is tried again and again.
    Failing,
    /// The storage shows the playlist that has ended.
    Ended,
}

impl State {
    /// One word for logs, metrics and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InSync => "in_sync",
            Self::Behind => "behind",
            Self::Failing => "failing",
            Self::Ended => "ended",
        }
    }
}

/// What a mirror is behind at least while nobody has looked at what is newest.
const UNSEEN: Duration = Duration::from_millis(1);

/// A mirror's state and figures at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Where it is.
    pub state: State,
    /// For how long the storage has not shown what is newest; zero when it does.
    pub behind: Duration,
    /// Since when it has been failing.
    pub failing_since: Option<Instant>,
    /// Why the last request that failed did so; without secrets. Stays when it works again.
    pub last_error: Option<(Kind, Box<str>)>,
    /// Objects written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Segments that no playlist there ever named, because they had left it when the storage took anything again.
    pub skipped: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// A status that its mirror writes and others read.
#[derive(Debug)]
pub(crate) struct Shared {
    // Guards the status. Never held while anything waits.
    status: Mutex<(Status, Since)>,
    /// Offers so far.
    offered: AtomicU64,
}

/// What durations are made of when somebody asks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Since {
    pub(crate) behind: Option<Instant>,
    pub(crate) target: Duration,
    pub(crate) ended: bool,
    pub(crate) has_goal: bool,
    /// Which offer was looked at last.
    pub(crate) looked_at: u64,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        let status = Status {
            state: State::Waiting,
            behind: Duration::ZERO,
            failing_since: None,
            last_error: None,
            objects: 0,
            bytes: 0,
            deleted: 0,
            skipped: 0,
            failures: 0,
        };
        Arc::new(Self {
            status: Mutex::new((status, Since::default())),
            offered: AtomicU64::new(0),
        })
    }

    pub(crate) fn get(&self, now: Instant) -> Status {
        let guard = self.lock();
        let (status, since) = &*guard;
        let behind = since.behind.map(|then| now.saturating_duration_since(then));
        let mut behind = behind.unwrap_or_default();
        if since.looked_at != self.offered.load(Ordering::Acquire) {
            behind = behind.max(UNSEEN);
        }
        let state = match () {
            () if status.failing_since.is_some() => State::Failing,
            () if !since.has_goal => State::Waiting,
            () if since.ended => State::Ended,
            () if behind > since.target => State::Behind,
            () => State::InSync,
        };
        Status {
            state,
            behind,
            ..status.clone()
        }
    }

    /// Counts an offer; gives its number.
    pub(crate) fn count_offer(&self) -> u64 {
        self.offered.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status, &mut Since)) {
        let (status, since) = &mut *self.lock();
        change(status, since);
    }

    /// Notes a failure; true when it is the first after a success or says something else than the last one.
    pub(crate) fn fail(&self, error: &Error, now: Instant) -> bool {
        let (status, _) = &mut *self.lock();
        status.failures += 1;
        let said = (error.kind(), error.to_string().into_boxed_str());
        let is_new = status.failing_since.is_none() || status.last_error.as_ref() != Some(&said);
        status.failing_since.get_or_insert(now);
        status.last_error = Some(said);
        is_new
    }

    /// Notes a success; tells for how long it had been failing.
    pub(crate) fn succeed(&self, now: Instant) -> Option<Duration> {
        let (status, _) = &mut *self.lock();
        let since = status.failing_since.take()?;
        Some(now.saturating_duration_since(since))
    }

    fn lock(&self) -> MutexGuard<'_, (Status, Since)> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
