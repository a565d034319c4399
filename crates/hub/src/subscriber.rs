//! Reading a stream.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use media::Headers;

use crate::frame::{Frame, Shared};

/// Frames handed over per read: enough to catch up quickly, little enough to stay fair.
const BATCH: usize = 256;

/// A reader of one stream. Its first read is [`Received::Join`]; so is the read after it lagged.
///
/// Dropping it unsubscribes.
pub struct Subscriber {
    reader: fanout::Reader<Shared, Headers>,
    scratch: Vec<Shared>,
    /// Held while it wants each frame at once.
    _hurry: Option<Hurry>,
}

/// One of those who want each frame of a stream at once ([`crate::Stream::hurry`]); counts itself
/// while it lives.
#[derive(Debug)]
#[must_use]
pub struct Hurry(Arc<AtomicUsize>);

impl Hurry {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        // Relaxed: a hint to the publisher's side, which looks again soon.
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a read gave.
#[derive(Debug)]
#[non_exhaustive]
pub enum Received {
    /// Frames were appended to the output.
    Frames,
    /// What follows starts at a random access point; these headers are valid there. `missed` is
    /// the number of frames lost by lagging, 0 at the start.
    Join {
        /// Tracks and metadata.
        headers: Arc<Headers>,
        /// Frames lost.
        missed: u64,
    },
    /// The stream has ended.
    Ended,
}

impl Subscriber {
    pub(crate) fn new(reader: fanout::Reader<Shared, Headers>, hurry: Option<Hurry>) -> Self {
        Self {
            reader,
            scratch: Vec::new(),
            _hurry: hurry,
        }
    }

    /// Reads what there is into `out` (appended); pending when there is nothing.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut Vec<Arc<Frame>>) -> Poll<Received> {
        let read = self.reader.poll_read(cx, &mut self.scratch, BATCH);
        out.extend(self.scratch.drain(..).map(|shared| shared.0));
        read.map(received)
    }

    /// As [`Subscriber::poll_read`], without waiting.
    pub fn try_read(&mut self, out: &mut Vec<Arc<Frame>>) -> Option<Received> {
        let read = self.reader.try_read(&mut self.scratch, BATCH);
        out.extend(self.scratch.drain(..).map(|shared| shared.0));
        read.map(received)
    }

    /// As [`Subscriber::poll_read`]. Cancel safe: nothing is read until it returns.
    pub async fn read(&mut self, out: &mut Vec<Arc<Frame>>) -> Received {
        poll_fn(|cx| self.poll_read(cx, out)).await
    }

    /// Waits until this reader, when it wants every frame ([`crate::Stream::subscribe_unhurried`]),
    /// is so far behind that it should read now: for who gathers. Cancel safe: it only waits.
    pub async fn pressed(&mut self) {
        poll_fn(|cx| self.reader.poll_pressed(cx)).await;
    }

    /// Frames between this reader and the publisher.
    #[must_use]
    pub fn backlog(&self) -> u64 {
        self.reader.backlog()
    }
}

fn received(read: fanout::Read<Headers>) -> Received {
    match read {
        fanout::Read::Items => Received::Frames,
        fanout::Read::Join { header, missed } => Received::Join {
            headers: header,
            missed,
        },
        fanout::Read::Closed => Received::Ended,
    }
}
