//! All streams that are copied to one storage.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hls::{Container, Presentation};
use media::StreamName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mirror::Mirror;
use crate::status::{State, Status};
use crate::{Error, Store, janitor};

/// How often the storage is searched for streams that are over, at most.
const SEARCH: Duration = Duration::from_secs(600);
/// Names looked at in one search. Bounds: memory, where a bucket holds millions of others' objects.
const MAX_LISTED: usize = 200_000;
/// How often a draining server looks whether all is written.
const LOOK: Duration = Duration::from_millis(20);

/// What is copied, and for how long it stays.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The containers whose playlists are copied. Default fMP4.
    pub containers: Vec<Container>,
    /// A stream to which nothing was added for this long is deleted; zero keeps all. Default 1 h.
    pub keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            containers: vec![Container::Fmp4],
            keep: Duration::from_secs(3_600),
        }
    }
}

/// Copies the HLS of streams to a storage. Clones share it.
#[derive(Clone, Debug)]
pub struct Mirrors {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    tasks: TaskTracker,
    stop: CancellationToken,
    // Guards the map. Taken at each change of a stream's HLS; never held while anything waits.
    mirrors: Mutex<HashMap<(StreamName, Container), Mirror>>,
}

impl Mirrors {
    /// Begins with nothing to copy; starts the task that deletes what is over. Tasks end by [`Mirrors::stop`]. To be called
    /// within a tokio runtime.
    #[must_use]
    pub fn start(store: Store, settings: Settings) -> Self {
        let inner = Arc::new(Inner {
            store,
            settings,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            mirrors: Mutex::default(),
        });
        let mirrors = Self { inner };
        let tidy = mirrors.clone();
        mirrors.inner.tasks.spawn(async move {
            let stop = tidy.inner.stop.clone();
            // Cancel safe: a search that is broken off is made again.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tidy.tidy() => {}
            }
        });
        mirrors
    }

    /// Where to.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What is copied.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// This is what a stream's HLS is now; takes the place of what was offered before. Never waits.
    pub fn offer(&self, name: &StreamName, presentation: &Arc<Presentation>) {
        if self.inner.stop.is_cancelled() {
            return;
        }
        let mut mirrors = self.mirrors();
        for container in &self.inner.settings.containers {
            let key = (name.clone(), *container);
            if mirrors
                .get(&key)
                .is_some_and(|mirror| mirror.offer(presentation))
            {
                continue;
            }
            let (store, stop) = (self.inner.store.clone(), self.inner.stop.clone());
            let (mirror, task) = Mirror::new(store, name.clone(), *container, stop);
            mirror.offer(presentation);
            self.inner.tasks.spawn(task);
            mirrors.insert(key, mirror);
        }
    }

    /// How the copies of a stream are.
    #[must_use]
    pub fn status(&self, name: &StreamName) -> Vec<(Container, Status)> {
        let mirrors = self.mirrors();
        let of = |container: &Container| {
            let mirror = mirrors.get(&(name.clone(), *container))?;
            Some((*container, mirror.status()))
        };
        self.inner
            .settings
            .containers
            .iter()
            .filter_map(of)
            .collect()
    }

    /// How all copies are.
    #[must_use]
    pub fn list(&self) -> Vec<(StreamName, Container, Status)> {
        let mirrors = self.mirrors();
        let all = mirrors.iter();
        all.map(|((name, container), mirror)| (name.clone(), *container, mirror.status()))
            .collect()
    }

    /// Waits until what was offered is written, at most for `patience`; true when it is. Copies that are failing are not
    /// waited for: a storage that is away keeps no server from stopping.
    pub async fn drain(&self, patience: Duration) -> bool {
        let written = async {
            while !self.is_written() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(patience, written).await;
        let all = self.list();
        all.iter().all(|(_, _, status)| status.behind.is_zero())
    }

    fn is_written(&self) -> bool {
        let all = self.list();
        all.iter()
            .all(|(_, _, status)| status.behind.is_zero() || status.state == State::Failing)
    }

    /// Ends all tasks, finished or not, and waits for that.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn tidy(&self) {
        let keep = self.inner.settings.keep;
        let pause = keep.min(SEARCH).max(Duration::from_secs(1));
        loop {
            if !keep.is_zero()
                && let Err(error) = self.delete_over(keep).await
            {
                tracing::debug!(to = %self.inner.store, reason = %error, "mirror cannot search for streams that are over");
            }
            tokio::time::sleep(pause).await;
            self.mirrors().retain(|_, mirror| !mirror.is_over());
        }
    }

    async fn delete_over(&self, keep: Duration) -> Result<(), Error> {
        let store = &self.inner.store;
        let found = store.list("", MAX_LISTED).await?;
        let active: HashSet<String> = {
            let mirrors = self.mirrors();
            let live = mirrors.iter().filter(|(_, mirror)| !mirror.is_over());
            live.map(|((name, _), _)| name.as_str().to_owned())
                .collect()
        };
        for (stream, names) in janitor::over(&found, &active, SystemTime::now(), keep) {
            for name in &names {
                store.delete(name).await?;
            }
            tracing::info!(stream, to = %store, objects = names.len(), "mirror deleted a stream that is over");
        }
        Ok(())
    }

    fn mirrors(&self) -> MutexGuard<'_, HashMap<(StreamName, Container), Mirror>> {
        self.inner
            .mirrors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
