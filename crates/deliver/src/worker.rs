//! The worker threads.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use hub::Stream;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::counters::Counters;
use crate::group::{Group, Inbox};
use crate::pace::Work;
use crate::protocol::NewViewer;
use crate::vitals::{TICK, Vitals, WorkerState};

/// Viewers on their way to one worker. Bounds: a burst of joins while a worker is busy.
const WAITING: usize = 8_192;

/// The workers of this process. Clones share them; they stop when [`Deliver::shutdown`] is called.
#[derive(Clone)]
pub struct Deliver {
    workers: Arc<[Worker]>,
    config: Arc<watch::Sender<Config>>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    running: TaskTracker,
}

struct Worker {
    inbox: mpsc::Sender<Box<NewViewer>>,
    vitals: Arc<Vitals>,
}

/// The worker has too many viewers on their way to it; the viewer was closed.
#[derive(Debug, thiserror::Error)]
#[error("{WAITING} viewers wait for one worker; the machine is overloaded")]
pub struct Overloaded;

impl Deliver {
    /// Starts the worker threads, named `sidestream-deliver-N`.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub fn start(config: &Config) -> std::io::Result<Self> {
        let count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let config = Arc::new(watch::Sender::new(*config));
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let running = TaskTracker::new();
        let mut workers = Vec::with_capacity(count);
        for index in 0..count {
            let (sender, receiver) = mpsc::channel(WAITING);
            let vitals = Arc::new(Vitals::new());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (settings, stop) = (config.subscribe(), stop.clone());
            let (told, counted) = (Arc::clone(&vitals), Arc::clone(&counters));
            let token = running.token();
            thread::Builder::new()
                .name(format!("sidestream-deliver-{index}"))
                .spawn(move || {
                    let _token = token;
                    LocalSet::new()
                        .block_on(&runtime, run(receiver, settings, told, counted, stop));
                })?;
            workers.push(Worker {
                inbox: sender,
                vitals,
            });
        }
        running.close();
        Ok(Self {
            workers: workers.into(),
            config,
            counters,
            stop,
            running,
        })
    }

    /// Puts other settings in force for all viewers, those that are there included, within a second;
    /// the number of workers stays.
    pub fn configure(&self, config: &Config) {
        self.config.send_replace(*config);
    }

    /// Hands a viewer to the worker with the fewest; never waits.
    ///
    /// # Errors
    /// [`Overloaded`]: the viewer was closed.
    pub fn serve(&self, viewer: NewViewer) -> Result<(), Overloaded> {
        let fewest = self
            .workers
            .iter()
            .min_by_key(|worker| worker.vitals.viewers.load(Ordering::Relaxed));
        let worker = fewest.ok_or(Overloaded)?;
        worker.vitals.viewers.fetch_add(1, Ordering::Relaxed);
        worker.inbox.try_send(Box::new(viewer)).map_err(|_| {
            worker.vitals.viewers.fetch_sub(1, Ordering::Relaxed);
            Overloaded
        })
    }

    /// Viewers served now.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.vitals.viewers.load(Ordering::Relaxed))
            .sum()
    }

    /// What went wrong with viewers so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The state of each worker, in the order of their thread names.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerState> {
        let workers = self.workers.iter();
        workers.map(|worker| worker.vitals.state()).collect()
    }

    /// Ends the workers: takes no viewer from now on, waits at most `deadline` for those it has
    /// (their streams should have been ended), then closes them. Returns whether all had gone.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let wait = async {
            // Viewers go as their streams end; there is no moment to be told of, and this is
            // the end of the process's life.
            while self.viewers() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let drained = tokio::time::timeout(deadline, wait).await.is_ok();
        self.stop.cancel();
        self.running.wait().await;
        drained
    }
}

async fn run(
    mut inbox: mpsc::Receiver<Box<NewViewer>>,
    mut settings: watch::Receiver<Config>,
    vitals: Arc<Vitals>,
    counters: Arc<Counters>,
    stop: CancellationToken,
) {
    // By the stream itself, not its name: a name may be published anew while its old stream drains.
    let mut groups: HashMap<(*const Stream, bool), Inbox> = HashMap::new();
    let work = Rc::new(Work::default());
    let config = Rc::new(Cell::new(*settings.borrow_and_update()));
    tokio::task::spawn_local(tick(Arc::clone(&vitals), Rc::clone(&work)));
    loop {
        // All branches are cancel safe: a receive takes a viewer only when it completes, the others
        // take nothing.
        let viewer = tokio::select! {
            viewer = inbox.recv() => viewer,
            Ok(()) = settings.changed() => {
                config.set(*settings.borrow_and_update());
                continue;
            }
            () = stop.cancelled() => None,
        };
        let Some(viewer) = viewer else { return };
        let key = (Arc::as_ptr(&viewer.stream), viewer.protocol.is_ts());
        let given = match groups.get(&key) {
            Some(group) => group.give(viewer),
            None => Err(viewer),
        };
        if let Err(viewer) = given {
            groups.retain(|_, inbox| !inbox.is_closed());
            let inbox = Inbox::default();
            let group = Group::new(
                Arc::clone(&viewer.stream),
                viewer.protocol.is_ts(),
                Rc::clone(&config),
                inbox.clone(),
                Arc::clone(&vitals),
                Arc::clone(&counters),
                Rc::clone(&work),
            );
            if inbox.give(viewer).is_ok() {
                groups.insert(key, inbox);
                tokio::task::spawn_local(group.run());
            }
        }
    }
}

/// Says every second that this worker's turn came: what hangs it would hang this, too.
async fn tick(vitals: Arc<Vitals>, work: Rc<Work>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        vitals.tick(work.pass());
    }
}
