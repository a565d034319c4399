//! The task of one recording: reads the stream's ring into the queue. It never waits for the disk.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hub::{Frame, Item, JoinAt, Received, Stream, Subscriber};
use tokio_util::sync::CancellationToken;

use crate::queue::{Entry, Now, Queue};
use crate::status::Shared;

/// Between two reads: frames are gathered in the ring meanwhile, so that a recording costs a few
/// wake-ups a second and not one per frame. The ring holds seconds.
const BATCH: Duration = Duration::from_millis(200);
/// Between two looks at a writer that takes nothing.
const DEAF: Duration = Duration::from_millis(250);

pub(crate) struct Feeder {
    pub(crate) stream: Arc<Stream>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) status: Shared,
    /// How much of what the ring holds is recorded; `None` for all.
    pub(crate) preroll: Option<Duration>,
    pub(crate) stop: CancellationToken,
    /// Cancelled when the writer is through.
    pub(crate) done: CancellationToken,
}

impl Feeder {
    /// Runs until the stream ends, or the recording is told to, and the writer has written all.
    pub(crate) async fn run(self, subscriber: Subscriber) {
        self.feed(subscriber).await;
        self.queue.tell(Entry::End);
        self.done.cancelled().await;
    }

    async fn feed(&self, mut subscriber: Subscriber) {
        let mut frames = Vec::new();
        let mut beginning = true;
        loop {
            // Cancel safe: a read takes nothing unless it returns. What the stream sent before a stop
            // belongs to the recording, so a stop counts when nothing is left to read.
            let received = tokio::select! {
                biased;
                () = self.done.cancelled() => return,
                received = subscriber.read(&mut frames) => received,
                () = self.stop.cancelled() => break,
            };
            if self.status.is_deaf() {
                frames.clear();
                // What nobody reads would be kept, and the publisher would wait for it.
                drop(subscriber);
                if !self.wait_for_writer().await {
                    return;
                }
                // From here on: what came before may be in a file already.
                subscriber = self.stream.subscribe_unhurried(JoinAt::Next);
                continue;
            }
            match received {
                Received::Ended => return,
                Received::Join { headers, missed } => {
                    self.queue.tell(Entry::Join { headers, missed });
                    // Frames follow without waiting.
                    continue;
                }
                _ => {}
            }
            if std::mem::take(&mut beginning) {
                self.read_all(&mut subscriber, &mut frames);
                if let Some(preroll) = self.preroll {
                    cut_preroll(&mut frames, preroll);
                }
            }
            self.pass(&mut frames);
            // All cancel safe: they only wait.
            tokio::select! {
                () = tokio::time::sleep(BATCH) => {}
                () = subscriber.pressed() => {}
                () = self.stop.cancelled() => break,
            }
        }
        self.read_all(&mut subscriber, &mut frames);
        self.pass(&mut frames);
    }

    /// What the ring holds now; what came before a join is passed on.
    fn read_all(&self, subscriber: &mut Subscriber, frames: &mut Vec<Arc<Frame>>) {
        while let Some(received) = subscriber.try_read(frames) {
            match received {
                Received::Frames => {}
                Received::Join { headers, missed } => {
                    self.pass(frames);
                    self.queue.tell(Entry::Join { headers, missed });
                }
                _ => return,
            }
        }
    }

    fn pass(&self, frames: &mut Vec<Arc<Frame>>) {
        let Some(last) = frames.last() else { return };
        let now = Now {
            wall_ms: wall_ms(),
            newest_ms: last.time_ms,
        };
        self.queue.push(now, frames.drain(..));
        let (bytes, dropped) = self.queue.figures();
        self.status.queued(bytes);
        self.status.dropped(dropped);
    }

    /// Waits until the writer takes frames again; false when there is nothing to wait for.
    async fn wait_for_writer(&self) -> bool {
        let mut ended = self.stream.subscribe_unhurried(JoinAt::Next);
        let mut frames = Vec::new();
        while self.status.is_deaf() {
            // All cancel safe: nothing that is read here is used.
            let over = tokio::select! {
                () = tokio::time::sleep(DEAF) => false,
                received = ended.read(&mut frames) => {
                    frames.clear();
                    matches!(received, Received::Ended)
                }
                () = self.stop.cancelled() => true,
                () = self.done.cancelled() => true,
            };
            if over {
                return false;
            }
        }
        true
    }
}

/// Leaves out the units that are older than the pre-roll, up to a random access point.
fn cut_preroll(frames: &mut Vec<Arc<Frame>>, preroll: Duration) {
    let Some(newest) = frames.last().map(|frame| frame.clock_ms) else {
        return;
    };
    let wanted = i64::try_from(preroll.as_millis()).unwrap_or(i64::MAX);
    let from = newest.saturating_sub(wanted);
    let joins = || frames.iter().enumerate().filter(|(_, frame)| frame.join);
    let first = joins().find(|(_, frame)| frame.clock_ms >= from);
    let Some((first, _)) = first.or_else(|| joins().next_back()) else {
        return;
    };
    let mut index = 0;
    frames.retain(|frame| {
        index += 1;
        index > first || !matches!(frame.item, Item::Unit(_))
    });
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
