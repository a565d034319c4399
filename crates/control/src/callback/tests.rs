//! The whole of it: events into a store, callbacks out of sockets, time turned by hand.
#![allow(clippy::unwrap_used)]

mod delivery;
mod faults;
mod manage;
mod receiver;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::clock::{Clock, UnixMs};
use crate::event::Event;
use crate::event::{EventKind, NewEvent, Subject};
use crate::id::{ChannelId, WebhookId};
use crate::request::Page;
use receiver::Receiver;

/// 2025-01-01T00:00:00Z.
const START: UnixMs = UnixMs(1_735_689_600_000);
/// Nothing here takes long; a wait that does is a fault.
const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that stands still until it is turned.
pub(super) struct HandClock {
    now: watch::Sender<UnixMs>,
    /// The moment for which somebody sleeps.
    alarm: watch::Sender<Option<UnixMs>>,
}

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            now: watch::Sender::new(START),
            alarm: watch::Sender::new(None),
        })
    }

    /// Turns it to the moment for which the dispatcher sleeps, once it does.
    async fn turn(&self) -> UnixMs {
        self.turn_when(|_| true).await
    }

    /// The same, once it sleeps for such a moment.
    async fn turn_when(&self, wanted: impl Fn(UnixMs) -> bool) -> UnixMs {
        let at = self.asleep(wanted).await;
        self.now.send_replace(at);
        at
    }

    /// Waits until the dispatcher sleeps for such a moment.
    async fn asleep(&self, wanted: impl Fn(UnixMs) -> bool) -> UnixMs {
        let mut alarm = self.alarm.subscribe();
        let ahead = |alarm: &Option<UnixMs>| alarm.is_some_and(|at| at > self.now() && wanted(at));
        let asleep = timeout(PATIENCE, alarm.wait_for(ahead)).await;
        let asleep = asleep.map(|at| *at.unwrap());
        let (alarm, now) = (*self.alarm.borrow(), self.now());
        let asleep = asleep.unwrap_or_else(|_| panic!("it sleeps for {alarm:?} at {now:?}"));
        asleep.unwrap()
    }
}

/// Takes an alarm back when nobody sleeps for it any more.
struct Asleep<'a>(&'a HandClock);

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.alarm.send_replace(None);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixMs {
        *self.now.borrow()
    }
}

impl Timer for HandClock {
    fn sleep_until(&self, at: UnixMs) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let _asleep = Asleep(self);
            self.alarm.send_replace(Some(at));
            let mut now = self.now.subscribe();
            now.wait_for(|now| *now >= at)
                .await
                .expect("the clock outlives its sleepers");
        })
    }
}

/// A store with callbacks, and the clock of both.
struct Relay {
    store: Store,
    clock: Arc<HandClock>,
    callbacks: Callbacks,
}

fn settings() -> Settings {
    Settings {
        allow_private: true,
        timeout: None,
        origin: Origin {
            push_domain: "push.example".to_owned(),
            node: "203.0.113.7".to_owned(),
            files_url: "http://media.example".to_owned(),
        },
    }
}

impl Relay {
    fn start() -> Self {
        let clock = HandClock::new();
        let timer: Arc<dyn Clock> = Arc::clone(&clock) as _;
        Self::with(Store::in_memory(timer).unwrap(), clock)
    }

    fn open(path: &Path, clock: Arc<HandClock>) -> Self {
        let timer: Arc<dyn Clock> = Arc::clone(&clock) as _;
        Self::with(Store::open(path, timer).unwrap(), clock)
    }

    fn with(store: Store, clock: Arc<HandClock>) -> Self {
        let timer: Arc<dyn Timer> = Arc::clone(&clock) as _;
        let callbacks = Callbacks::start(store.clone(), timer, settings()).unwrap();
        Self {
            store,
            clock,
            callbacks,
        }
    }

    async fn endpoint(&self, receiver: &Receiver, profile: Profile) -> WebhookId {
        let request = NewWebhook {
            profile,
            ..NewWebhook::new(receiver.url())
        };
        self.callbacks.create(request).await.unwrap().0.id
    }

    /// Writes an event about a stream, as the control plane does.
    async fn happen(&self, stream: &str, kind: EventKind) -> Event {
        let event = about(stream, kind);
        self.store.write(move |tx| tx.event(event)).await.unwrap()
    }

    /// Waits until `count` deliveries of an endpoint are in a state.
    async fn until(&self, id: WebhookId, state: DeliveryState, count: usize) -> Vec<Delivery> {
        let look = async {
            loop {
                let page = self
                    .callbacks
                    .deliveries(id, Some(state), page(1_000))
                    .await
                    .unwrap();
                if page.items.len() == count {
                    return page.items;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, look)
            .await
            .unwrap_or_else(|_| panic!("{count} deliveries {state}"))
    }

    /// Waits until the only delivery of an endpoint has so many attempts stored.
    async fn attempts(&self, id: WebhookId, count: u32) -> Vec<DeliveryAttempt> {
        let look = async {
            loop {
                let page = self.callbacks.deliveries(id, None, page(1)).await.unwrap();
                if let Some(delivery) = page.items.first().filter(|it| it.attempts >= count) {
                    return self.callbacks.delivery(delivery.id).await.unwrap().1;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, look)
            .await
            .unwrap_or_else(|_| panic!("{count} attempts"))
    }

    /// Waits for the first attempt of an endpoint's oldest delivery.
    async fn attempts_by_first_delivery(&self, id: WebhookId) {
        let look = async {
            loop {
                let page = self
                    .callbacks
                    .deliveries(id, None, page(1_000))
                    .await
                    .unwrap();
                if page.items.last().is_some_and(|it| it.attempts == 1) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, look).await.expect("an attempt");
    }

    /// Turns the clock, alarm by alarm, until the only delivery of an endpoint has so many attempts.
    async fn attempts_by_clock(&self, id: WebhookId, count: u32) -> Vec<DeliveryAttempt> {
        for made in 1..count {
            let log = self.attempts(id, made).await;
            let due = self
                .callbacks
                .deliveries(id, None, page(1))
                .await
                .unwrap()
                .items[0]
                .due_at;
            let Some(due) = due else { return log };
            // The dispatcher also sleeps for other things.
            while self.clock.turn().await < due {}
        }
        self.attempts(id, count).await
    }
}

fn page(limit: u32) -> Page {
    Page {
        limit,
        cursor: None,
    }
}

fn about(stream: &str, kind: EventKind) -> NewEvent {
    NewEvent {
        kind,
        subject: Subject {
            app_id: Some("1400000001".to_owned()),
            room_id: Some("8001".to_owned()),
            user_id: Some("anchor_7".to_owned()),
            channel_id: Some(ChannelId(734_512_009_871)),
            stream: Some(format!("live/{stream}")),
            ..Subject::default()
        },
        data: json!({}),
    }
}
