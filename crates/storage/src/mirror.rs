//! One playlist's copy in the storage: a task that carries out its [`Plan`].

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hls::{Container, Presentation};
use media::StreamName;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::goal::Goal;
use crate::plan::{Plan, Step};
use crate::status::{Shared, Status};
use crate::{Error, Kind, Store};

/// How long a mirror that gets nothing new goes on: tries what is left, deletes what is due. Bounds: what it holds of a stream
/// that is over while the storage is away.
const LINGER: Duration = Duration::from_secs(900);
/// Objects of an earlier process that are cleared away at one start. Bounds: memory, where a folder holds millions.
const MAX_FOUND: usize = 100_000;
/// Age at least of what is taken for left over. A playlist may still be read that an earlier process wrote.
const ORPHAN_AGE: Duration = Duration::from_secs(600);

/// The copy of one container of one stream. Its task ends when this is dropped and all that can be done is done.
#[derive(Debug)]
pub(crate) struct Mirror {
    newest: watch::Sender<Offer>,
    shared: Arc<Shared>,
}

/// What is live, and how many have been offered so far.
#[derive(Clone, Debug, Default)]
struct Offer {
    count: u64,
    presentation: Option<Arc<Presentation>>,
}

impl Mirror {
    /// Gives the handle and the task; whoever calls spawns it.
    pub(crate) fn new(
        store: Store,
        name: StreamName,
        container: Container,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (newest, receiver) = watch::channel(Offer::default());
        let shared = Shared::new();
        let task = Task {
            store,
            name,
            container,
            newest: receiver,
            shared: Arc::clone(&shared),
            stop,
            plan: Plan::default(),
            backoff: Backoff::default(),
            is_surveyed: false,
            looked_at: 0,
        };
        (Self { newest, shared }, task.run())
    }

    /// What is live now; false when the task has ended.
    pub(crate) fn offer(&self, presentation: &Arc<Presentation>) -> bool {
        if self.newest.is_closed() {
            return false;
        }
        let presentation = Some(Arc::clone(presentation));
        // Counted first: a status says "in sync" only of what the task has looked at.
        let count = self.shared.count_offer();
        let offer = Offer {
            count,
            presentation,
        };
        self.newest.send(offer).is_ok()
    }

    pub(crate) fn status(&self) -> Status {
        self.shared.get(now())
    }

    /// Whether its task has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.newest.is_closed()
    }
}

struct Task {
    store: Store,
    name: StreamName,
    container: Container,
    newest: watch::Receiver<Offer>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    plan: Plan,
    backoff: Backoff,
    /// What an earlier process left is known.
    is_surveyed: bool,
    /// Which offer was looked at last.
    looked_at: u64,
}

impl Task {
    async fn run(mut self) {
        let stop = self.stop.clone();
        // Cancel safe: what a request did that is dropped here, nobody knows, and nobody will build on it.
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.drive() => {}
        }
        let status = self.shared.get(now());
        tracing::debug!(stream = %self.name, state = status.state.as_str(), "mirror stopped");
    }

    async fn drive(&mut self) {
        let mut given = now();
        loop {
            if self.take_newest() {
                given = now();
            }
            self.report();
            if self.plan.has_goal() && !self.is_surveyed {
                let surveyed = self.survey().await;
                self.after(surveyed).await;
                continue;
            }
            if let Some(step) = self.plan.next(now()) {
                self.carry_out(step).await;
                if now().saturating_duration_since(given) < LINGER {
                    continue;
                }
            }
            self.report();
            let is_alone = self.newest.has_changed().is_err();
            if self.plan.is_idle() && (self.plan.progress().ended || is_alone) {
                return;
            }
            let last = given + LINGER;
            if now() >= last {
                self.give_up();
                return;
            }
            let due = self.plan.due().map_or(last, |due| due.min(last));
            // Cancel safe, both: they only wait.
            tokio::select! {
                biased;
                Ok(()) = self.newest.changed() => {}
                () = tokio::time::sleep_until(due.into()) => {}
            }
        }
    }

    /// Looks at what is live; false when that is nothing new.
    fn take_newest(&mut self) -> bool {
        let Offer {
            count,
            presentation,
        } = self.newest.borrow_and_update().clone();
        if count == self.looked_at {
            return false;
        }
        self.looked_at = count;
        let goal = presentation.and_then(|p| Goal::of(&p, &self.name, self.container));
        if let Some(goal) = goal {
            self.plan.offer(Arc::new(goal), now());
        }
        true
    }

    async fn survey(&mut self) -> Result<(), Error> {
        let found = self.store.list(self.name.as_str(), MAX_FOUND).await;
        let mut found = match found {
            Ok(found) => found,
            // Who may write but not list: then nothing is known to be left over.
            Err(error) if error.kind() == Kind::Denied => {
                tracing::warn!(stream = %self.name, to = %self.store, reason = %error,
                    "mirror may not list the storage; what an earlier process left stays there");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        found.retain(|object| {
            let name = object.name.strip_prefix(self.name.as_str());
            let name = name.and_then(|name| name.strip_prefix('/'));
            name.and_then(Container::of_media_name) == Some(self.container)
        });
        let wall = SystemTime::now();
        self.plan.found(&found, now(), wall, ORPHAN_AGE);
        self.is_surveyed = true;
        Ok(())
    }

    async fn carry_out(&mut self, step: Step) {
        let done = match &step {
            Step::Media(name, object) => self.store.put(name, object).await,
            Step::Text(name, object) => self.store.put(name, object).await,
            Step::Delete(name) => self.store.delete(name).await,
        };
        match (done, &step) {
            (Ok(()), _) => {
                self.shared.update(|status, _| match &step {
                    Step::Media(_, object) | Step::Text(_, object) => {
                        status.objects += 1;
                        status.bytes += object.len() as u64;
                    }
                    Step::Delete(_) => status.deleted += 1,
                });
                self.plan.done(step);
                self.after(Ok(())).await;
            }
            (Err(error), Step::Delete(name)) => {
                // Who may write but not delete is in sync all the same.
                tracing::debug!(stream = %self.name, name = &**name, reason = %error, "mirror cannot delete");
                self.plan.failed(&step, now());
                self.shared.update(|status, _| {
                    status.failures += 1;
                    status.last_error = Some((error.kind(), error.to_string().into()));
                });
            }
            (Err(error), _) => {
                self.plan.failed(&step, now());
                self.after(Err(error)).await;
            }
        }
    }

    /// Tells how a request went, and waits when it failed.
    async fn after(&mut self, done: Result<(), Error>) {
        let Err(error) = done else {
            self.backoff.reset();
            if let Some(after) = self.shared.succeed(now()) {
                tracing::info!(stream = %self.name, to = %self.store, ?after, "mirror works again");
            }
            return;
        };
        if self.shared.fail(&error, now()) {
            tracing::warn!(stream = %self.name, to = %self.store, reason = %error,
                "mirror cannot write; live goes on, and it is tried again");
        }
        self.report();
        let wait = self.backoff.next(getrandom::u32().unwrap_or(u32::MAX));
        tokio::time::sleep(wait).await;
    }

    fn report(&self) {
        let progress = self.plan.progress();
        let before = self.shared.get(now()).skipped;
        if progress.skipped > before {
            let segments = progress.skipped - before;
            tracing::warn!(stream = %self.name, to = %self.store, segments,
                "mirror left out segments: the storage was away for longer than the playlist is");
        }
        self.shared.update(|status, since| {
            status.skipped = progress.skipped;
            since.behind = progress.behind_since;
            since.ended = progress.ended;
            since.target = self.plan.target();
            since.has_goal = self.plan.has_goal();
            since.looked_at = self.looked_at;
        });
    }

    fn give_up(&self) {
        if self.plan.progress().behind_since.is_some() {
            let status = self.shared.get(now());
            let reason = status
                .last_error
                .map(|(_, reason)| reason)
                .unwrap_or_default();
            tracing::warn!(stream = %self.name, to = %self.store, %reason,
                "mirror gave up: nothing new came, and the storage took not even what was there");
        }
    }
}

/// The clock, which tests hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
