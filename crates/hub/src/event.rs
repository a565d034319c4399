//! What happens to streams, for logs, push targets and, later, callbacks.

use std::sync::Arc;
use std::time::Duration;

use media::{StreamName, TrackList};

use crate::session::{CloseCause, PublisherInfo};

/// Something happened to a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A stream became live.
    PublishStarted {
        /// The stream.
        name: StreamName,
        /// Who publishes it.
        publisher: PublisherInfo,
    },
    /// Its tracks were announced for the first time, or changed.
    Tracks {
        /// The stream.
        name: StreamName,
        /// The tracks.
        tracks: Arc<TrackList>,
        /// From the start of the publisher session to its first access unit.
        first_unit_after: Duration,
    },
    /// Its publisher left; the stream waits.
    PublisherLost {
        /// The stream.
        name: StreamName,
        /// Why.
        cause: CloseCause,
        /// How long the publisher was there.
        after: Duration,
        /// How long the stream waits for one.
        window: Duration,
    },
    /// A publisher came back within the window, or took over.
    PublisherBack {
        /// The stream.
        name: StreamName,
        /// Who publishes it now.
        publisher: PublisherInfo,
        /// How long there was none.
        away: Duration,
    },
    /// The stream is over.
    StreamEnded(Ended),
}

/// A stream's life, summed up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The stream.
    pub name: StreamName,
    /// From its first publisher to its end.
    pub duration: Duration,
    /// Media bytes received.
    pub bytes_in: u64,
    /// Bytes written to viewers.
    pub bytes_out: u64,
    /// Most viewers at once.
    pub viewers_most: usize,
    /// Breaks in its time: publisher changes, clock restarts, pauses.
    pub gaps: u64,
    /// How often viewers lagged and were moved on.
    pub skips: u64,
}

impl Event {
    /// The stream it is about.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        match self {
            Self::PublishStarted { name, .. }
            | Self::Tracks { name, .. }
            | Self::PublisherLost { name, .. }
            | Self::PublisherBack { name, .. } => name,
            Self::StreamEnded(ended) => &ended.name,
        }
    }
}

/// Most events kept for a reader that is not reading.
const KEPT: usize = 4_096;

#[derive(Clone)]
struct Slot(Event);

impl fanout::Entry for Slot {
    fn size_bytes(&self) -> usize {
        1
    }
    fn time_ms(&self) -> i64 {
        0
    }
    fn is_join_point(&self) -> bool {
        true
    }
}

/// The hub's side: events in.
pub(crate) struct EventLog {
    ring: fanout::Ring<Slot, ()>,
}

impl Default for EventLog {
    fn default() -> Self {
        let config = fanout::Config {
            max_bytes: KEPT,
            max_time_ms: i64::MAX,
            keep_joins: 1,
        };
        Self {
            ring: fanout::Ring::new(config, ()),
        }
    }
}

impl EventLog {
    pub(crate) fn push(&self, event: Event) {
        self.ring.push(Slot(event));
    }

    pub(crate) fn reader(&self) -> Events {
        Events {
            reader: self.ring.reader(fanout::JoinAt::Next),
            ready: Vec::new(),
        }
    }

    pub(crate) fn close(&self) {
        self.ring.close();
    }
}

/// Events from the moment of subscribing on, in order.
pub struct Events {
    reader: fanout::Reader<Slot, ()>,
    /// Read, not yet handed out; newest first.
    ready: Vec<Slot>,
}

impl Events {
    /// The name of the next stream that gets a publisher, its first or one that comes (back) later;
    /// other events are passed over. `None` when the hub has closed. Cancel safe.
    pub async fn next_start(&mut self) -> Option<StreamName> {
        loop {
            match self.next().await? {
                Event::PublishStarted { name, .. } | Event::PublisherBack { name, .. } => {
                    return Some(name);
                }
                _ => {}
            }
        }
    }

    /// The next event; `None` when the hub has closed. A reader more than 4096 events behind
    /// loses the oldest. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(Slot(event)) = self.ready.pop() {
                return Some(event);
            }
            match self.reader.read(&mut self.ready, 64).await {
                fanout::Read::Items => self.ready.reverse(),
                fanout::Read::Join { .. } => {}
                fanout::Read::Closed => return None,
            }
        }
    }
}
