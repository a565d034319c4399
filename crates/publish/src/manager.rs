//! Which targets run: as rules say when streams start, and as callers ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hub::{Hub, Stream};
use media::StreamName;
use rtmp::Url;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::target::{Target, TargetHandle};

/// One target that a rule asks for.
#[derive(Clone, Debug)]
pub struct TargetSpec {
    /// Where to.
    pub url: Url,
    /// How.
    pub config: Config,
}

/// All targets of this process. Clones share them.
#[derive(Clone)]
pub struct Manager {
    shared: Arc<Shared>,
}

type Rules = dyn Fn(&StreamName) -> Vec<TargetSpec> + Send + Sync;

struct Shared {
    hub: Hub,
    // Guards the rules; swapped on reload.
    rules: Mutex<Arc<Rules>>,
    // Guards the list of targets that have not ended.
    targets: Mutex<Vec<Running>>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// A target and who wanted it.
struct Running {
    target: TargetHandle,
    wanted_by: WantedBy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WantedBy {
    Rules,
    Caller,
}

impl Manager {
    /// Starts following the hub on the current runtime: for each stream that becomes live, the
    /// targets that `rules` names are started, once per stream.
    #[must_use]
    pub fn start(
        hub: Hub,
        rules: impl Fn(&StreamName) -> Vec<TargetSpec> + Send + Sync + 'static,
    ) -> Self {
        let this = Self {
            shared: Arc::new(Shared {
                hub,
                rules: Mutex::new(Arc::new(rules)),
                targets: Mutex::default(),
                tracker: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        };
        // Subscribed before anything can be published: no start is missed.
        let mut events = this.shared.hub.events();
        let (follower, stop) = (this.clone(), this.shared.stop.clone());
        this.shared.tracker.spawn(async move {
            loop {
                // Cancel safe: a start is taken only when it is returned. A stream that began before the
                // stop is served.
                let name = tokio::select! {
                    biased;
                    name = events.next_start() => name,
                    () = stop.cancelled() => None,
                };
                let Some(name) = name else { return };
                follower.apply(&name);
            }
        });
        this
    }

    /// Other rules from now on: targets that the old ones named and these do not are stopped, new
    /// ones started. What runs already goes on as it was started.
    pub fn set_rules(
        &self,
        rules: impl Fn(&StreamName) -> Vec<TargetSpec> + Send + Sync + 'static,
    ) {
        *self.rules() = Arc::new(rules);
        let by_rules: Vec<_> = self
            .running()
            .iter()
            .filter(|one| one.wanted_by == WantedBy::Rules)
            .map(|one| one.target.clone())
            .collect();
        // The rules are foreign code: no lock is held while they run.
        for target in by_rules {
            let wanted = self.wanted(target.stream().name());
            if !wanted.iter().any(|spec| spec.url == *target.url()) {
                target.stop();
            }
        }
        for stream in self.shared.hub.list() {
            self.apply(stream.name());
        }
    }

    /// Pushes a stream to a URL, whatever the rules say; a target that runs already is returned as
    /// it is.
    pub fn push(&self, stream: Arc<Stream>, spec: TargetSpec) -> TargetHandle {
        self.ensure(stream, spec, WantedBy::Caller)
    }

    /// All targets that have not ended.
    #[must_use]
    pub fn list(&self) -> Vec<TargetHandle> {
        let running = self.running();
        running.iter().map(|one| one.target.clone()).collect()
    }

    /// The targets of one stream.
    #[must_use]
    pub fn of(&self, name: &StreamName) -> Vec<TargetHandle> {
        self.list()
            .into_iter()
            .filter(|target| target.stream().name() == name)
            .collect()
    }

    /// Stops all targets; waits at most `deadline` for their farewells.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.stop.cancel();
        for target in self.list() {
            target.stop();
        }
        self.shared.tracker.close();
        tokio::time::timeout(deadline, self.shared.tracker.wait())
            .await
            .is_ok()
    }

    fn apply(&self, name: &StreamName) {
        let Some(stream) = self.shared.hub.stream(name) else {
            return;
        };
        for spec in self.wanted(name) {
            self.ensure(Arc::clone(&stream), spec, WantedBy::Rules);
        }
    }

    fn ensure(&self, stream: Arc<Stream>, spec: TargetSpec, by: WantedBy) -> TargetHandle {
        let mut running = self.running();
        let known = running
            .iter_mut()
            .find(|one| Arc::ptr_eq(one.target.stream(), &stream) && *one.target.url() == spec.url);
        if let Some(known) = known {
            if by == WantedBy::Caller {
                known.wanted_by = by;
            }
            return known.target.clone();
        }
        let target = Target::start(stream, spec.url, spec.config, &self.shared.tracker);
        if self.shared.stop.is_cancelled() {
            target.stop();
        }
        running.push(Running {
            target: target.clone(),
            wanted_by: by,
        });
        target
    }

    fn wanted(&self, name: &StreamName) -> Vec<TargetSpec> {
        let rules = Arc::clone(&self.rules());
        rules(name)
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Arc<Rules>> {
        self.shared
            .rules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The targets that neither ended nor were told to.
    fn running(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        let targets = self.shared.targets.lock();
        let mut targets = targets.unwrap_or_else(PoisonError::into_inner);
        targets.retain(|one| one.target.runs());
        targets
    }
}
