//! Readers that want every item, and a writer that can wait for them.
//!
//! ```text
//!   slots   [ i i i i i i i i i i i i i i i i i i i i i i i i i i ]
//!                 ▲          └──────── more than half ──────────┘
//!            whole reader: pressed; poll_pressed wakes it, poll_relieved is pending
//! ```
//!
//! A burst, what a publisher could not send while its network was away, comes faster than a
//! reader that gathers looks. It is woken when it is half of the ring behind, and what writes reads
//! its socket no further until then.

use std::task::{Context, Poll, Waker};

use crate::ring::{Cursor, Entry, Ring, State};
use crate::sync::lock;

/// What the ring knows of a reader that wants every item.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// Bytes pushed before its next item.
    pub(crate) taken: u64,
    /// Woken when it is too far behind.
    waker: Option<Waker>,
    /// The writer waited in vain; it does not wait again before this reader has read.
    given_up: bool,
}

impl Whole {
    /// One that is never waited for, unless it reads.
    pub(crate) fn given_up() -> Self {
        Self {
            given_up: true,
            ..Self::default()
        }
    }

    fn is_behind(&self, pushed: u64, half: u64) -> bool {
        pushed - self.taken > half
    }
}

impl<T: Entry, H> Ring<T, H> {
    /// Ready when no reader that wants every item is more than half of [`max_bytes`] behind; the
    /// writer waits here before it takes in more. One waits at a time.
    ///
    /// [`max_bytes`]: crate::Config::max_bytes
    pub fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.shared);
        if !state.is_waited_for() {
            return Poll::Ready(());
        }
        state.relief = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits no more for those who are behind now, until they have read: one that stands still
    /// must not hold up the others.
    pub fn give_up_on_readers(&self) {
        let mut state = lock(&self.shared);
        let (pushed, half) = (state.pushed, state.half());
        for cursor in state.cursors.iter_mut().flatten() {
            if let Some(whole) = &mut cursor.whole {
                whole.given_up |= whole.is_behind(pushed, half);
            }
        }
    }
}

impl<T: Entry, H> State<T, H> {
    fn half(&self) -> u64 {
        self.config.max_bytes as u64 / 2
    }

    fn is_waited_for(&self) -> bool {
        let (pushed, half) = (self.pushed, self.half());
        let mut readers = self.cursors.iter().flatten();
        let is_waited_for = |cursor: &Cursor| {
            let whole = cursor.whole.as_ref();
            whole.is_some_and(|of| !of.given_up && of.is_behind(pushed, half))
        };
        !self.closed && readers.any(is_waited_for)
    }

    /// Whether this reader is too far behind; if not, it will be told when.
    pub(crate) fn is_pressed(&mut self, id: usize, waker: &Waker) -> bool {
        let (pushed, half) = (self.pushed, self.half());
        let Some(Some(cursor)) = self.cursors.get_mut(id) else {
            return false;
        };
        let Some(whole) = &mut cursor.whole else {
            return false;
        };
        if whole.is_behind(pushed, half) {
            return true;
        }
        whole.waker = Some(waker.clone());
        false
    }

    /// Wakes readers that are too far behind.
    pub(crate) fn press(&mut self) {
        let (pushed, half) = (self.pushed, self.half());
        for cursor in self.cursors.iter_mut().flatten() {
            if let Some(whole) = &mut cursor.whole
                && whole.waker.is_some()
                && whole.is_behind(pushed, half)
                && let Some(waker) = whole.waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Reader `id` goes on at this item.
    pub(crate) fn moved(&mut self, id: usize, next: u64) {
        let is_whole = |cursor: &Cursor| cursor.whole.is_some();
        if self
            .cursors
            .get(id)
            .is_some_and(|one| one.as_ref().is_some_and(is_whole))
        {
            let taken = self.pushed_before(next);
            self.took_up_to(id, |_| taken);
        }
    }

    /// Reader `id` has taken so many bytes.
    pub(crate) fn took(&mut self, id: usize, bytes: u64) {
        self.took_up_to(id, |taken| taken + bytes);
    }

    fn took_up_to(&mut self, id: usize, taken: impl FnOnce(u64) -> u64) {
        if let Some(Some(cursor)) = self.cursors.get_mut(id)
            && let Some(whole) = &mut cursor.whole
        {
            whole.taken = taken(whole.taken);
            whole.given_up = false;
            self.relieve();
        }
    }

    /// Wakes the writer when it need not wait any more.
    pub(crate) fn relieve(&mut self) {
        if self.relief.is_some()
            && !self.is_waited_for()
            && let Some(waker) = self.relief.take()
        {
            waker.wake();
        }
    }
}
