//! What waits between the network and a recording's writer thread: bounded in bytes.
//!
//! The network side never waits. When the queue is full, units are left out until it is half empty
//! and a random access point comes by; the writer is told how many.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{Frame, Item};
use media::{Headers, TrackList};

/// What a frame costs beside its payload.
const OVERHEAD_BYTES: usize = 160;

/// What the writer thread is told, in order.
#[derive(Debug)]
pub(crate) enum Entry {
    /// What follows starts at a random access point; `missed` frames were lost before it.
    Join { headers: Arc<Headers>, missed: u64 },
    /// A frame of the stream.
    Frame(Arc<Frame>),
    /// The frames that follow arrived until now.
    Now(Now),
    /// Units were left out here because the queue was full.
    Overflow,
    /// Leave units out.
    Pause,
    /// Write again.
    Resume,
    /// Begin the next file.
    Split,
    /// Nothing more comes.
    End,
}

/// Which stream time belongs to which wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds of the Unix epoch.
    pub(crate) wall_ms: i64,
    /// Stream time of the newest frame.
    pub(crate) newest_ms: i64,
}

/// One recording's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Units are being left out; the latest tracks among them.
    overflow: Option<Option<Arc<TrackList>>>,
    dropped: u64,
}

impl Queue {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            filled: Condvar::new(),
            max_bytes,
        }
    }

    /// Adds what is no frame; never left out.
    pub(crate) fn tell(&self, entry: Entry) {
        let mut inner = self.lock();
        if let Entry::Join { .. } = &entry {
            inner.overflow = None;
        }
        inner.entries.push_back(entry);
        drop(inner);
        self.filled.notify_one();
    }

    /// Adds the frames that arrived until `now`, or leaves them out.
    pub(crate) fn push(&self, now: Now, frames: impl Iterator<Item = Arc<Frame>>) {
        let mut inner = self.lock();
        if inner.overflow.is_none() {
            inner.entries.push_back(Entry::Now(now));
        }
        for frame in frames {
            inner.push(frame, now, self.max_bytes);
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// Everything that waits; blocks until there is something, at most `patience`.
    pub(crate) fn take(&self, patience: Duration, out: &mut Vec<Entry>) {
        let mut inner = self.lock();
        if inner.entries.is_empty() {
            let waited = self.filled.wait_timeout(inner, patience);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        out.extend(inner.entries.drain(..));
        inner.bytes = 0;
    }

    /// Bytes that wait, and units left out since the last call.
    pub(crate) fn figures(&self) -> (usize, u64) {
        let mut inner = self.lock();
        (inner.bytes, std::mem::take(&mut inner.dropped))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, frame: Arc<Frame>, now: Now, max_bytes: usize) {
        if let Some(tracks) = &mut self.overflow {
            if frame.join
                && self.bytes <= max_bytes / 2
                && OVERHEAD_BYTES + payload_bytes(&frame) <= max_bytes
            {
                self.entries.push_back(Entry::Now(now));
                if let Some(tracks) = tracks.take() {
                    self.entries.push_back(Entry::Frame(Arc::new(Frame {
                        item: Item::Tracks(tracks),
                        time_ms: frame.time_ms,
                        clock_ms: frame.clock_ms,
                        offset_ms: frame.offset_ms,
                        join: false,
                    })));
                }
                self.overflow = None;
            } else {
                match &frame.item {
                    Item::Tracks(changed) => *tracks = Some(Arc::clone(changed)),
                    Item::Unit(_) => self.dropped += 1,
                    _ => {}
                }
                return;
            }
        }
        let bytes = OVERHEAD_BYTES + payload_bytes(&frame);
        if self.bytes + bytes > max_bytes {
            self.entries.push_back(Entry::Overflow);
            self.overflow = Some(None);
            // This one is left out, too: again, from where that is decided.
            return self.push(frame, now, max_bytes);
        }
        self.bytes += bytes;
        self.entries.push_back(Entry::Frame(frame));
    }
}

fn payload_bytes(frame: &Frame) -> usize {
    match &frame.item {
        Item::Unit(unit) => unit.size_bytes(),
        Item::Data(data) => data.amf0.len(),
        Item::Extra(extra) => extra.flv_body.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use media::{AccessUnit, Dts, TrackId};

    use super::*;

    fn frame(time_ms: i64, join: bool, len: usize) -> Arc<Frame> {
        let unit = AccessUnit::new(TrackId(0), Dts(time_ms), Bytes::from(vec![0; len]));
        Arc::new(Frame {
            item: Item::Unit(unit),
            time_ms,
            clock_ms: time_ms,
            offset_ms: 0,
            join,
        })
    }

    fn words(entries: &[Entry]) -> String {
        let words = entries.iter().map(|entry| match entry {
            Entry::Frame(frame) => {
                format!("{}{}", frame.time_ms, if frame.join { "!" } else { "" })
            }
            Entry::Overflow => "overflow".to_owned(),
            Entry::Now(now) => format!("({})", now.newest_ms),
            other => format!("{other:?}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn now(newest_ms: i64) -> Now {
        Now {
            wall_ms: 0,
            newest_ms,
        }
    }

    #[test]
    fn a_full_queue_loses_whole_groups_of_pictures_and_says_so() {
        let queue = Queue::new(1_000);
        // Each is 260 bytes: three fit.
        queue.push(now(7), (0..8).map(|n| frame(n, n % 4 == 0, 100)));
        let mut out = Vec::new();
        queue.take(Duration::ZERO, &mut out);
        assert_eq!(words(&out), "(7) 0! 1 2 overflow");
        assert_eq!(queue.figures(), (0, 5));
        out.clear();
        // There is room again, but only a random access point ends the gap.
        queue.push(now(13), (8..14).map(|n| frame(n, n == 10, 100)));
        queue.take(Duration::ZERO, &mut out);
        assert_eq!(words(&out), "(13) 10! 11 12 overflow");
        assert_eq!(queue.figures(), (0, 3));
    }

    #[test]
    fn one_frame_larger_than_the_queue_is_a_gap_and_not_the_end() {
        let queue = Queue::new(1_000);
        let frames = [frame(0, true, 5_000), frame(1, true, 10)];
        queue.push(now(1), frames.into_iter());
        let mut out = Vec::new();
        queue.take(Duration::ZERO, &mut out);
        assert_eq!(words(&out), "(1) overflow (1) 1!");
    }
}
