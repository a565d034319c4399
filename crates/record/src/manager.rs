//! Which recordings run: as rules say when streams start, and as callers ask.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hub::{Hub, Stream};
use media::StreamName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Spec};
use crate::error::Error;
use crate::event::{EventLog, Events};
use crate::finisher::{Finisher, Job, Own};
use crate::recording::{Begin, Recording, Surroundings};
use crate::status::{Sums, Totals};
use crate::storage::{Disk, Storage};

/// All recordings of this process. Clones share them.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<Shared>,
}

type Rules = dyn Fn(&StreamName) -> Vec<Spec> + Send + Sync;

struct Shared {
    hub: Hub,
    around: Surroundings,
    // Guards the rules; swapped on reload.
    rules: Mutex<Arc<Rules>>,
    // Guards the list of recordings that have not ended.
    recordings: Mutex<Vec<Running>>,
    // Guards the way to the finisher; gone when shutting down.
    finisher: Mutex<Option<Sender<Job>>>,
    finished: CancellationToken,
    hurry: Arc<AtomicBool>,
    stop: CancellationToken,
}

struct Running {
    recording: Recording,
    wanted_by: WantedBy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WantedBy {
    Rules,
    Caller,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Recordings that ran.
    pub recordings: usize,
    /// Whether all files were complete before the deadline.
    pub clean: bool,
}

impl Manager {
    /// Starts following the hub on the current runtime: for each stream that becomes live, the
    /// recordings that `rules` names are started, once per stream. Files that a crash left are
    /// finished in the background.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(
        hub: Hub,
        config: Config,
        rules: impl Fn(&StreamName) -> Vec<Spec> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let disk = Arc::new(Disk::new(&config.root));
        Self::on(hub, config, disk, rules)
    }

    /// As [`Manager::start`], with files elsewhere than on a disk.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn on(
        hub: Hub,
        config: Config,
        storage: Arc<dyn Storage>,
        rules: impl Fn(&StreamName) -> Vec<Spec> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let config = Arc::new(config);
        let (events, sums) = (EventLog::new(), Arc::<Sums>::default());
        let own = Own::default();
        let (sender, jobs) = channel();
        let (finished, hurry) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let finisher = Finisher {
            config: Arc::clone(&config),
            storage: Arc::clone(&storage),
            events: events.clone(),
            sums: Arc::clone(&sums),
            hurry: Arc::clone(&hurry),
            own: own.clone(),
        };
        let done = finished.clone().drop_guard();
        std::thread::Builder::new()
            .name("sidestream-files".to_owned())
            .spawn(move || {
                let _done = done;
                finisher.run(&jobs);
            })
            .map_err(Error::Thread)?;
        let this = Self {
            shared: Arc::new(Shared {
                around: Surroundings {
                    config,
                    storage,
                    events,
                    sums,
                    own,
                    tracker: TaskTracker::new(),
                },
                hub,
                rules: Mutex::new(Arc::new(rules)),
                recordings: Mutex::default(),
                finisher: Mutex::new(Some(sender)),
                finished,
                hurry,
                stop: CancellationToken::new(),
            }),
        };
        this.follow();
        Ok(this)
    }

    fn follow(&self) {
        // Subscribed before anything can be published: no start is missed.
        let mut events = self.shared.hub.events();
        let (follower, stop) = (self.clone(), self.shared.stop.clone());
        self.shared.around.tracker.spawn(async move {
            loop {
                // Cancel safe: a start is taken only when it is returned. A stream that began before the
                // stop is served.
                let name = tokio::select! {
                    biased;
                    name = events.next_start() => name,
                    () = stop.cancelled() => None,
                };
                let Some(name) = name else { return };
                follower.apply(&name, Begin::WithStream);
            }
        });
    }

    /// Other rules from now on: recordings that the old ones named and these do not are stopped,
    /// new ones started. What runs already goes on as it was started.
    pub fn set_rules(&self, rules: impl Fn(&StreamName) -> Vec<Spec> + Send + Sync + 'static) {
        *self.rules() = Arc::new(rules);
        let by_rules: Vec<Recording> = self
            .running()
            .iter()
            .filter(|one| one.wanted_by == WantedBy::Rules)
            .map(|one| one.recording.clone())
            .collect();
        // The rules are foreign code: no lock is held while they run.
        for recording in by_rules {
            let wanted = self.wanted(recording.stream().name());
            if !wanted.iter().any(|spec| spec == recording.spec()) {
                recording.stop();
            }
        }
        for stream in self.shared.hub.list() {
            self.apply(stream.name(), Begin::Now);
        }
    }

    /// Records a stream, whatever the rules say, and whatever records it already: each recording
    /// has its own files.
    ///
    /// # Errors
    /// [`Error::Formats`], [`Error::Thread`], [`Error::Stopping`].
    pub fn record(&self, stream: Arc<Stream>, spec: Spec) -> Result<Recording, Error> {
        self.begin(stream, spec, Begin::Now, WantedBy::Caller)
    }

    /// All recordings that have not ended.
    #[must_use]
    pub fn list(&self) -> Vec<Recording> {
        self.running()
            .iter()
            .map(|one| one.recording.clone())
            .collect()
    }

    /// The recording of this id, while it has not ended.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Recording> {
        self.list().into_iter().find(|one| one.id() == id)
    }

    /// The recordings of one stream.
    #[must_use]
    pub fn of(&self, name: &StreamName) -> Vec<Recording> {
        let mut list = self.list();
        list.retain(|one| one.stream().name() == name);
        list
    }

    /// Figures of all recordings since the start, those that ended included.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.around.sums.get()
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.around.events.reader()
    }

    /// Ends all recordings; waits at most `deadline` until their files are complete. What is not
    /// complete by then is finished by the next start.
    pub async fn shutdown(&self, deadline: Duration) -> Closed {
        let until = Instant::now() + deadline;
        self.shared.stop.cancel();
        let recordings = self.list();
        for recording in &recordings {
            recording.stop();
        }
        self.shared.around.tracker.close();
        let written = tokio::time::timeout(deadline, self.shared.around.tracker.wait()).await;
        self.shared.hurry.store(true, Ordering::Relaxed);
        // The finisher ends when nobody can ask it for anything any more.
        drop(self.finisher().take());
        let left = until.saturating_duration_since(Instant::now());
        let filed = tokio::time::timeout(left, self.shared.finished.cancelled()).await;
        Closed {
            recordings: recordings.len(),
            clean: written.is_ok() && filed.is_ok(),
        }
    }

    fn apply(&self, name: &StreamName, begin: Begin) {
        let Some(stream) = self.shared.hub.stream(name) else {
            return;
        };
        for spec in self.wanted(name) {
            let runs = self.running().iter().any(|one| {
                one.wanted_by == WantedBy::Rules
                    && Arc::ptr_eq(one.recording.stream(), &stream)
                    && *one.recording.spec() == spec
            });
            if runs {
                continue;
            }
            let begun = self.begin(Arc::clone(&stream), spec, begin, WantedBy::Rules);
            if let Err(error) = begun {
                tracing::error!(stream = %name, "recording not started: {error}");
            }
        }
    }

    fn begin(
        &self,
        stream: Arc<Stream>,
        spec: Spec,
        begin: Begin,
        by: WantedBy,
    ) -> Result<Recording, Error> {
        let finisher = self.finisher().clone().ok_or(Error::Stopping)?;
        let recording = Recording::start(stream, spec, begin, &self.shared.around, finisher)?;
        if self.shared.stop.is_cancelled() {
            recording.stop();
        }
        self.running().push(Running {
            recording: recording.clone(),
            wanted_by: by,
        });
        Ok(recording)
    }

    fn wanted(&self, name: &StreamName) -> Vec<Spec> {
        let rules = Arc::clone(&self.rules());
        rules(name)
    }

    fn rules(&self) -> MutexGuard<'_, Arc<Rules>> {
        self.shared
            .rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn finisher(&self) -> MutexGuard<'_, Option<Sender<Job>>> {
        self.shared
            .finisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The recordings that neither ended nor were told to.
    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        let running = self.shared.recordings.lock();
        let mut running = running.unwrap_or_else(PoisonError::into_inner);
        running.retain(|one| one.recording.runs());
        running
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manager({} recordings)", self.list().len())
    }
}
