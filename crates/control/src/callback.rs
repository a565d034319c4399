//! Callbacks: every event, delivered to whoever asked for it, until it is acknowledged.
//!
//! An event and its deliveries are written in one transaction (`outbox`); a `dispatcher` sends what is due, in order per
//! stream, and stores what came of it. A crash between the two repeats a callback and loses none: receivers tell repeats by the
//! header `webhook-id`, which is the event's id.
//!
//! Pure parts: [`Secret`] and [`signature`], [`Profile`], [`Schedule`], [`Acknowledgement`], [`destination`].

mod acknowledgement;
mod calls;
pub mod destination;
mod dispatcher;
mod outbox;
mod profile;
mod schedule;
mod secret;
mod sender;
pub mod signature;
mod stats;
mod timer;
mod webhook;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use acknowledgement::{Acknowledgement, Answer, Reading};
pub use calls::{Replay, TestResult};
pub(crate) use outbox::enqueue;
pub use outbox::{Delivery, DeliveryAttempt, DeliveryState};
pub use profile::{Origin, Profile, Rendered};
pub use schedule::{Next, Schedule};
pub use secret::{InvalidSecret, Secret};
pub use stats::{Backlog, CallbackStats, DELAY_BOUNDS_S};
pub use timer::{SystemTimer, Timer};
pub use webhook::{
    MaxAge, NewWebhook, Scope, Webhook, WebhookOrigin, WebhookPatch, WebhookState, check_types,
};

use crate::error::{Error, Reason};
use crate::store::Store;
use dispatcher::Dispatcher;
use sender::Sender;

/// What the configuration says about all callbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether endpoints may be addresses of private networks and of this machine.
    pub allow_private: bool,
    /// How long an attempt may take where the endpoint does not say; `None` is the profile's own.
    pub timeout: Option<Duration>,
    /// What callbacks say of us.
    pub origin: Origin,
}

/// The callbacks of one control plane. Clones share them.
#[derive(Clone)]
pub struct Callbacks {
    shared: Arc<Shared>,
}

/// What calls and the dispatcher share.
struct Shared {
    store: Store,
    timer: Arc<dyn Timer>,
    // Guards what a reload replaces; held for a clone only.
    settings: Mutex<Arc<InForce>>,
    /// Endpoints or deliveries were changed by a call.
    wake: Notify,
    // Guards the numbers of the deliveries that are being sent.
    sending: Mutex<HashSet<i64>>,
    stats: stats::Stats,
    stop: CancellationToken,
    // Guards the dispatcher's task until it is waited for.
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The settings and the client made by them.
struct InForce {
    allow_private: bool,
    timeout: Option<Duration>,
    origin: Origin,
    sender: Sender,
}

impl InForce {
    fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let sender = Sender::new(settings.allow_private).map_err(|error| {
            Error::new(
                Reason::OperationInternal,
                format!("callbacks cannot be sent: {error}"),
            )
        })?;
        Ok(Arc::new(Self {
            allow_private: settings.allow_private,
            timeout: settings.timeout,
            origin: settings.origin,
            sender,
        }))
    }
}

impl Shared {
    fn settings(&self) -> Arc<InForce> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sending(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Callbacks {
    /// Starts to deliver what the store holds and will hold. Needs a tokio runtime.
    ///
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn start(store: Store, timer: Arc<dyn Timer>, settings: Settings) -> Result<Self, Error> {
        let news = store.news();
        let shared = Arc::new(Shared {
            store,
            timer,
            settings: Mutex::new(InForce::new(settings)?),
            wake: Notify::new(),
            sending: Mutex::default(),
            stats: stats::Stats::default(),
            stop: CancellationToken::new(),
            task: Mutex::default(),
        });
        let dispatcher = Dispatcher::new(Arc::clone(&shared));
        let task = tokio::spawn(dispatcher.run(shared.stop.clone(), news));
        *shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(Self { shared })
    }

    /// Puts changed settings in force for attempts from now on.
    ///
    /// # Errors
    /// As [`Self::start`]; the old settings stay.
    pub fn configure(&self, settings: Settings) -> Result<(), Error> {
        let new = InForce::new(settings)?;
        *self
            .shared
            .settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What they did since the start.
    #[must_use]
    pub fn stats(&self) -> CallbackStats {
        self.shared.stats.snapshot()
    }

    /// Starts no more attempts, waits a few seconds for those under way, and stores what came of them. What is left goes out
    /// after the next start.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        let task = self
            .shared
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            // It ends by itself, or has panicked and said so.
            let _ = task.await;
        }
    }
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callbacks")
    }
}

#[cfg(test)]
mod tests;
