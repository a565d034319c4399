//! What happens to recordings, for logs and callbacks.

use std::sync::Arc;

use media::StreamName;
use tokio::sync::broadcast;

use crate::manifest::Manifest;

/// Events kept for a reader that does not read.
const KEPT: usize = 4_096;

/// Something happened to a recording.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The recording's id.
    pub recording: Arc<str>,
    /// Its stream.
    pub stream: StreamName,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// The first file of a recording was begun.
    Started,
    /// Units are left out until it is resumed.
    Paused,
    /// Units are written again, after a pause or after trouble with the disk.
    Resumed,
    /// A file is finished: with its manifest, on the disk, never touched again.
    FileCompleted(Arc<Manifest>),
    /// Nothing can be written; files so far are complete.
    Failed {
        /// Why; what to do.
        reason: Arc<str>,
        /// Whether it goes on by itself when that is cured.
        resumes: bool,
    },
    /// It is over; no event of it follows but those of files that are being finished.
    Ended,
}

/// Events from the moment of subscribing on, in order.
#[derive(Debug)]
pub struct Events(pub(crate) broadcast::Receiver<Event>);

impl Events {
    /// The next event that is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            match self.0.try_recv() {
                Ok(event) => return Some(event),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next event; `None` when the manager is gone. A reader more than 4096 events behind loses
    /// the oldest. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The sending side.
#[derive(Clone, Debug)]
pub(crate) struct EventLog(broadcast::Sender<Event>);

impl EventLog {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(KEPT).0)
    }

    pub(crate) fn push(&self, recording: &Arc<str>, stream: &StreamName, what: What) {
        // Nobody listening is no error.
        let _ = self.0.send(Event {
            recording: Arc::clone(recording),
            stream: stream.clone(),
            what,
        });
    }

    pub(crate) fn reader(&self) -> Events {
        Events(self.0.subscribe())
    }
}
