//! Frames out, to anything.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hub::{Discontinuity, Frame, Received, Stream, ViewerHandle};
use media::{AccessUnit, DataMessage, TrackList};
use std::sync::atomic::Ordering;

/// Reads one stream: tracks first, then units from a random access point on.
///
/// It never holds the publisher up: one that does not read fast enough gets [`Item::Lagged`] and
/// goes on at the newest random access point. Dropping it unsubscribes.
pub struct Subscriber {
    stream: Arc<Stream>,
    reader: hub::Subscriber,
    viewer: ViewerHandle,
    /// Read, not yet handed out.
    ready: VecDeque<Item>,
    scratch: Vec<Arc<Frame>>,
    ended: bool,
}

/// What a subscriber gets, in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Item {
    /// From here on these are the tracks.
    Tracks(Arc<TrackList>),
    /// One access unit.
    Unit(AccessUnit),
    /// A data message of the publisher, `onMetaData` among them.
    Data(Arc<DataMessage>),
    /// The media that follows does not continue what came before.
    Discontinuity(Discontinuity),
    /// The subscriber was too slow. The next unit is a random access point.
    Lagged {
        /// How many entries of the stream it did not get.
        missed: u64,
    },
}

impl Subscriber {
    pub(super) fn new(stream: Arc<Stream>, viewer: ViewerHandle) -> Self {
        let reader = stream.subscribe(hub::JoinAt::Newest);
        Self {
            stream,
            reader,
            viewer,
            ready: VecDeque::new(),
            scratch: Vec::new(),
            ended: false,
        }
    }

    /// The next item; waits for the publisher when there is none yet; `None` when the stream has
    /// ended. Cancel safe: nothing is lost.
    pub async fn next(&mut self) -> Option<Item> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The stream that is read.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            if self.ended || self.viewer.poll_dropped(cx).is_ready() {
                return Poll::Ready(None);
            }
            match ready!(self.reader.poll_read(cx, &mut self.scratch)) {
                Received::Join { headers, missed } => {
                    if missed > 0 {
                        self.viewer.skips.fetch_add(1, Ordering::Relaxed);
                        self.viewer
                            .frames_missed
                            .fetch_add(missed, Ordering::Relaxed);
                        self.ready.push_back(Item::Lagged { missed });
                    }
                    if !headers.tracks.is_empty() {
                        let tracks = Arc::clone(&headers.tracks);
                        self.ready.push_back(Item::Tracks(tracks));
                    }
                    if let Some(metadata) = &headers.metadata {
                        self.ready.push_back(Item::Data(Arc::clone(metadata)));
                    }
                }
                Received::Ended => self.ended = true,
                _ => {}
            }
            let mut bytes = 0;
            for frame in self.scratch.drain(..) {
                let item = match &frame.item {
                    hub::Item::Tracks(tracks) => Item::Tracks(Arc::clone(tracks)),
                    hub::Item::Unit(unit) => {
                        bytes += unit.size_bytes() as u64;
                        Item::Unit(unit.clone())
                    }
                    hub::Item::Data(data) => Item::Data(Arc::clone(data)),
                    hub::Item::Discontinuity(why) => Item::Discontinuity(*why),
                    _ => continue,
                };
                self.ready.push_back(item);
            }
            self.viewer.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl futures_core::Stream for Subscriber {
    type Item = Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.poll_item(cx)
    }
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscriber({})", self.stream.name())
    }
}
