//! A recording that runs, as its owner sees it.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use hub::{JoinAt, Stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Spec};
use crate::error::Error;
use crate::event::{EventLog, What};
use crate::feeder::Feeder;
use crate::finisher::{Job, Own};
use crate::queue::{Entry, Queue};
use crate::session::Session;
use crate::status::{Shared, State, Status, Sums};
use crate::storage::Storage;
use crate::writer::Writer;

/// A running recording. Clones share it; dropping it does not stop it.
#[derive(Clone, Debug)]
pub struct Recording {
    id: Arc<str>,
    stream: Arc<Stream>,
    spec: Arc<Spec>,
    queue: Arc<Queue>,
    status: Shared,
    stop: CancellationToken,
    done: CancellationToken,
}

/// Where a recording begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// The stream has just begun: with the first that there is of it.
    WithStream,
    /// With the current group of pictures, or its pre-roll.
    Now,
}

/// What all recordings of a process share.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) config: Arc<Config>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) events: EventLog,
    pub(crate) sums: Arc<Sums>,
    pub(crate) own: Own,
    pub(crate) tracker: TaskTracker,
}

impl Recording {
    /// Starts a writer thread, and a task on the current runtime.
    pub(crate) fn start(
        stream: Arc<Stream>,
        spec: Spec,
        begin: Begin,
        around: &Surroundings,
        finisher: Sender<Job>,
    ) -> Result<Self, Error> {
        spec.check()?;
        // From here on the ring keeps what the task has not read.
        let (subscriber, preroll) = match begin {
            Begin::WithStream => (stream.subscribe_unhurried(JoinAt::Oldest), None),
            Begin::Now if spec.preroll.is_zero() => {
                (stream.subscribe_unhurried(JoinAt::Newest), None)
            }
            Begin::Now => (
                stream.subscribe_unhurried(JoinAt::Oldest),
                Some(spec.preroll),
            ),
        };
        let this = Self {
            id: spec.id.clone().unwrap_or_else(|| new_id().into()),
            spec: Arc::new(spec.clone()),
            queue: Arc::new(Queue::new(around.config.queue_bytes)),
            status: Shared::new(Arc::clone(&around.sums)),
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
            stream,
        };
        let writer = Writer {
            id: Arc::clone(&this.id),
            stream: this.stream.name().clone(),
            session: Session::new(spec.media, spec.split),
            spec,
            config: Arc::clone(&around.config),
            storage: Arc::clone(&around.storage),
            queue: Arc::clone(&this.queue),
            status: this.status.clone(),
            events: around.events.clone(),
            finisher,
            own: around.own.clone(),
            piece: None,
            next_index: 0,
            trouble: None,
            looked: None,
            done_ms: 0,
            lost: Vec::new(),
        };
        let ending = Ending {
            done: this.done.clone(),
            recording: this.clone(),
            events: around.events.clone(),
        };
        std::thread::Builder::new()
            .name("sidestream-record".to_owned())
            .spawn(move || {
                let _ending = ending;
                writer.run();
            })
            .map_err(Error::Thread)?;
        let feeder = Feeder {
            stream: Arc::clone(&this.stream),
            queue: Arc::clone(&this.queue),
            status: this.status.clone(),
            preroll,
            stop: this.stop.clone(),
            done: this.done.clone(),
        };
        around.tracker.spawn(feeder.run(subscriber));
        Ok(this)
    }

    /// Its id, `rec_…`: in events, manifests and logs.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stream that it records.
    #[must_use]
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// What it was asked to be.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What it does now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.get()
    }

    /// Leaves units out until it is resumed; the files stay open.
    pub fn pause(&self) {
        self.queue.tell(Entry::Pause);
    }

    /// Goes on after a pause, in the same files, at the next random access point.
    pub fn resume(&self) {
        self.queue.tell(Entry::Resume);
    }

    /// Begins the next file at the next random access point.
    pub fn split(&self) {
        self.queue.tell(Entry::Split);
    }

    /// Ends it: what the stream has sent so far is written, the files are finished.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until everything is written and no file is open; manifests may follow. Cancel safe.
    pub async fn finished(&self) {
        self.done.cancelled().await;
    }

    /// Whether it neither ended nor was told to.
    pub(crate) fn runs(&self) -> bool {
        !self.stop.is_cancelled() && !self.done.is_cancelled()
    }
}

/// Says that the writer is through, however it ended.
struct Ending {
    done: CancellationToken,
    recording: Recording,
    events: EventLog,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = Error::Internal;
            let reason = error.to_string();
            self.recording.status.update(|status| {
                status.state = State::Failed;
                status.reason = Some(reason.as_str().into());
            });
            let what = What::Failed {
                reason: reason.into(),
                resumes: false,
            };
            let stream = self.recording.stream.name();
            self.events.push(&self.recording.id, stream, what);
        }
        self.done.cancel();
    }
}

/// Unique without a register.
fn new_id() -> String {
    // A system without randomness has a clock.
    let random = getrandom::u64().unwrap_or_else(|_| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_nanos() as u64)
    });
    format!("rec_{random:016x}")
}
