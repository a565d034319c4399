//! The reader side of the ring.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::ring::{Entry, Found, State};
use crate::sync::{Arc, Mutex, lock};

/// One reader of a ring; dropping it detaches it.
///
/// The first thing it reads is a [`Read::Join`]; after an overrun it reads another one.
pub struct Reader<T: Entry, H> {
    shared: Arc<Mutex<State<T, H>>>,
    id: usize,
}

/// What a read gave.
#[derive(Debug)]
pub enum Read<H> {
    /// Items were appended to the output.
    Items,
    /// The items that follow start at a join point; this header is valid there. `missed` is 0
    /// when the reader joins, and the number of items it lost when it was overrun.
    Join {
        /// What a late joiner must know.
        header: std::sync::Arc<H>,
        /// Items lost since the last one read.
        missed: u64,
    },
    /// The ring was closed and everything has been read.
    Closed,
}

impl<T: Entry, H> Reader<T, H> {
    pub(crate) fn new(shared: Arc<Mutex<State<T, H>>>, id: usize) -> Self {
        Self { shared, id }
    }

    /// Reads at most `max` items into `out` (appended); pending when there is nothing, and the
    /// waker is then kept.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut Vec<T>,
        max: usize,
    ) -> Poll<Read<H>> {
        let mut state = lock(&self.shared);
        match state.read(self.id, out, max) {
            Found::Items => Poll::Ready(Read::Items),
            Found::Join { header, missed } => Poll::Ready(Read::Join { header, missed }),
            Found::Closed => Poll::Ready(Read::Closed),
            Found::Nothing => {
                state.wait(self.id, cx.waker());
                Poll::Pending
            }
        }
    }

    /// As [`Reader::poll_read`], without waiting; `None` when there is nothing.
    pub fn try_read(&mut self, out: &mut Vec<T>, max: usize) -> Option<Read<H>> {
        match lock(&self.shared).read(self.id, out, max) {
            Found::Items => Some(Read::Items),
            Found::Join { header, missed } => Some(Read::Join { header, missed }),
            Found::Closed => Some(Read::Closed),
            Found::Nothing => None,
        }
    }

    /// As [`Reader::poll_read`]. Cancel safe: nothing is read until it returns.
    pub async fn read(&mut self, out: &mut Vec<T>, max: usize) -> Read<H> {
        poll_fn(|cx| self.poll_read(cx, out, max)).await
    }

    /// Ready when this reader wants every item ([`crate::Ring::whole_reader`]) and is more than half
    /// of the ring's bytes behind: it should read now. Otherwise the waker is kept.
    pub fn poll_pressed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match lock(&self.shared).is_pressed(self.id, cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Items between this reader and the writer.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        lock(&self.shared).backlog(self.id)
    }
}

impl<T: Entry, H> fmt::Debug for Reader<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<T: Entry, H> Drop for Reader<T, H> {
    fn drop(&mut self) {
        lock(&self.shared).remove(self.id);
    }
}
