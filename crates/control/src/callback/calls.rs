//! What can be asked of the callbacks.

use std::time::Duration;

use serde_json::json;

use super::dispatcher::{send, shown};
use super::outbox::{self, Delivery, DeliveryAttempt, DeliveryState, Verdict};
use super::webhook::{self, NewWebhook, Webhook, WebhookOrigin, WebhookPatch};
use super::{Callbacks, Secret};
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::event::{Event, EventFilter, EventKind, Subject};
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::request::{List, Page};

/// Most deliveries of one page.
const PAGE: u32 = 1_000;
/// Events looked at in one transaction of a replay. Bounds: how long other calls wait.
const REPLAYED_AT_ONCE: u32 = 500;

/// Which events are to be sent again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Written at this moment or later.
    pub from: UnixMs,
    /// Written before this moment.
    pub to: UnixMs,
    /// Patterns of their types; empty takes those of the endpoint.
    pub types: Vec<String>,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestResult {
    /// Whether the receiver acknowledged it.
    pub acknowledged: bool,
    /// The attempt.
    pub attempt: DeliveryAttempt,
}

impl Callbacks {
    /// Makes an endpoint. The second value is its secret if we drew it: it is shown this once.
    ///
    /// # Errors
    /// Wrong fields, a forbidden URL ([`Reason::CallbackUrlForbidden`]), too many endpoints, trouble with the store.
    pub async fn create(&self, request: NewWebhook) -> Result<(Webhook, Option<Secret>), Error> {
        let drawn = request.secret.is_none();
        let webhook = request.build(self.shared.timer.now(), WebhookOrigin::Api, self.given())?;
        let stored = webhook.clone();
        self.shared
            .store
            .write(move |tx| webhook::insert(tx, &stored))
            .await?;
        self.shared.wake.notify_one();
        let secret = webhook.secrets.first().map(|it| it.secret.clone());
        Ok((webhook, secret.filter(|_| drawn)))
    }

    /// All endpoints, the oldest first.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, Error> {
        self.shared.store.read(webhook::all).await
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`]; trouble with the store.
    pub async fn webhook(&self, id: WebhookId) -> Result<Webhook, Error> {
        self.shared
            .store
            .read(move |connection| found(webhook::by_id(connection, id)?, id))
            .await
    }

    /// Changes an endpoint; `version`, if given, must be the present one.
    ///
    /// # Errors
    /// As [`Self::create`]; [`Reason::ResourceNotFound`], [`Reason::VersionConflict`], and [`Reason::FieldInvalid`] for an endpoint of the
    /// configuration file.
    pub async fn update(
        &self,
        id: WebhookId,
        version: Option<u64>,
        patch: WebhookPatch,
    ) -> Result<Webhook, Error> {
        let allow_private = self.allow_private();
        self.change(id, version, move |webhook, _| {
            patch.apply(webhook, allow_private)
        })
        .await
        .map(|(webhook, ())| webhook)
    }

    /// Gives an endpoint a new secret, drawn if none is given. The old one signs beside it for a day (not in the Tencent
    /// forms, which carry one signature). The second value is the drawn secret: it is shown this once.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub async fn rotate_secret(
        &self,
        id: WebhookId,
        secret: Option<String>,
    ) -> Result<(Webhook, Option<Secret>), Error> {
        let drawn = secret.is_none();
        let (webhook, secret) = self
            .change(id, None, move |webhook, now| {
                webhook.rotate(now, secret.as_deref())
            })
            .await?;
        Ok((webhook, drawn.then_some(secret)))
    }

    async fn change<T, F>(
        &self,
        id: WebhookId,
        version: Option<u64>,
        change: F,
    ) -> Result<(Webhook, T), Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Webhook, UnixMs) -> Result<T, Error> + Send + 'static,
    {
        let write = self.shared.store.write(move |tx| {
            let mut webhook = found(webhook::by_id(tx, id)?, id)?;
            owned_by_api(&webhook)?;
            if let Some(version) = version.filter(|version| *version != webhook.version) {
                let detail = format!(
                    "version {version} was asked for, the endpoint has {}",
                    webhook.version
                );
                return Err(Error::new(Reason::VersionConflict, detail));
            }
            let value = change(&mut webhook, tx.now())?;
            webhook::update(tx, &webhook)?;
            Ok((webhook, value))
        });
        let changed = write.await?;
        self.shared.wake.notify_one();
        Ok(changed)
    }

    /// Removes an endpoint with all that waits for it.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub async fn delete(&self, id: WebhookId) -> Result<(), Error> {
        let write = self.shared.store.write(move |tx| {
            owned_by_api(&found(webhook::by_id(tx, id)?, id)?)?;
            webhook::remove(tx, id)
        });
        write.await?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Sends an endpoint one made-up event of a kind, at once and not through the outbox, and says what came of it. The
    /// event's data has `"test": true`.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`]; [`Reason::FieldInvalid`] for a kind that the endpoint's form has no words for.
    pub async fn test(&self, id: WebhookId, kind: Option<EventKind>) -> Result<TestResult, Error> {
        let webhook = self.webhook(id).await?;
        let at = self.shared.timer.now();
        let event = sample(kind.unwrap_or(EventKind::ChannelStarted), at);
        if !webhook.profile.covers(&event) {
            let detail = format!(
                "the profile {} has no words for {}",
                webhook.profile, event.kind
            );
            return Err(Error::field("/type", detail));
        }
        let (attempt, verdict) = send(&self.shared, &webhook, &event).await;
        let (status, answer) = shown(&attempt);
        let error = match verdict {
            Verdict::Received => None,
            Verdict::Failed { reason, .. } => Some(reason),
            Verdict::Gone => Some("HTTP 410".to_owned()),
        };
        let took_ms = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
        let attempt = DeliveryAttempt {
            attempt: 1,
            at,
            took_ms,
            status,
            error,
            answer,
        };
        Ok(TestResult {
            acknowledged: attempt.error.is_none(),
            attempt,
        })
    }

    /// An endpoint's deliveries, the newest first.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`], a cursor that is none; trouble with the store.
    pub async fn deliveries(
        &self,
        id: WebhookId,
        state: Option<DeliveryState>,
        page: Page,
    ) -> Result<List<Delivery>, Error> {
        let limit = if page.limit == 0 {
            100
        } else {
            page.limit.min(PAGE)
        };
        let before: Option<i64> = page
            .cursor
            .map(|cursor| cursor.parse())
            .transpose()
            .map_err(|_| Error::field("/cursor", "not a cursor of this list"))?;
        let read = self.shared.store.read(move |connection| {
            found(webhook::by_id(connection, id)?, id)?;
            outbox::list(connection, id, state, before.unwrap_or(0), limit)
        });
        let mut items = read.await?;
        let last = items.last().filter(|_| items.len() == limit as usize);
        let next_cursor = last.map(|last| last.number.to_string());
        for item in &mut items {
            self.mark(item);
        }
        // Waiting and being sent are told apart in memory only.
        items.retain(|item| state.is_none_or(|state| item.state == state));
        Ok(List { items, next_cursor })
    }

    /// One delivery with its attempts (the last hundred).
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`]; trouble with the store.
    pub async fn delivery(
        &self,
        id: DeliveryId,
    ) -> Result<(Delivery, Vec<DeliveryAttempt>), Error> {
        let read = self.shared.store.read(move |connection| {
            let delivery = outbox::by_id(connection, id)?.ok_or_else(|| no_delivery(id))?;
            let attempts = outbox::attempts(connection, delivery.number)?;
            Ok((delivery, attempts))
        });
        let (mut delivery, attempts) = read.await?;
        self.mark(&mut delivery);
        Ok((delivery, attempts))
    }

    fn mark(&self, delivery: &mut Delivery) {
        if delivery.state == DeliveryState::Waiting
            && self.shared.sending().contains(&delivery.number)
        {
            delivery.state = DeliveryState::Sending;
        }
    }

    /// Sends one delivery again, whatever became of it, with the whole schedule before it.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`]; trouble with the store.
    pub async fn retry(&self, id: DeliveryId) -> Result<Delivery, Error> {
        let write = self.shared.store.write(move |tx| {
            let now = tx.now();
            if !outbox::retry(tx, id, now)? {
                return Err(no_delivery(id));
            }
            outbox::by_id(tx, id)?.ok_or_else(|| no_delivery(id))
        });
        let delivery = write.await?;
        self.shared.wake.notify_one();
        Ok(delivery)
    }

    /// Queues all matching events of a span of time anew, in order, but for those that wait already; says how many.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`], a wrong pattern; trouble with the store, after which a part may be queued.
    pub async fn replay(&self, id: WebhookId, replay: Replay) -> Result<usize, Error> {
        let mut webhook = self.webhook(id).await?;
        let patch = WebhookPatch {
            types: (!replay.types.is_empty()).then_some(replay.types),
            ..WebhookPatch::default()
        };
        patch.apply(&mut webhook, true)?;
        let (mut after, mut queued) = (0, 0);
        loop {
            let webhook = webhook.clone();
            let (from, to) = (replay.from, replay.to);
            let filter = EventFilter {
                after,
                limit: REPLAYED_AT_ONCE,
                ..EventFilter::default()
            };
            let write = self.shared.store.write(move |tx| {
                let events = crate::event::list(tx, &filter)?;
                let mut count = 0;
                for event in events
                    .iter()
                    .filter(|it| it.at >= from && it.at < to && webhook.wants(it))
                {
                    count += usize::from(outbox::replay_one(tx, webhook.id, event, tx.now())?);
                }
                // Times grow with places: behind the span there is nothing more.
                let last = events
                    .last()
                    .filter(|last| last.at < to)
                    .map(|last| last.seq);
                Ok((count, last))
            });
            let (count, last) = write.await?;
            queued += count;
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        self.shared.wake.notify_one();
        Ok(queued)
    }

    /// Makes the endpoints of the configuration file those given here: new ones are made, changed ones changed, and those no
    /// longer named removed with what waits for them. An endpoint is known by its URL.
    ///
    /// # Errors
    /// A wrong field of one of them; trouble with the store. Then nothing is changed.
    pub async fn configure_endpoints(&self, endpoints: Vec<NewWebhook>) -> Result<(), Error> {
        let now = self.shared.timer.now();
        let given = self.given();
        let built = endpoints
            .into_iter()
            .map(|it| it.build(now, WebhookOrigin::Config, given));
        let built = built.collect::<Result<Vec<_>, _>>()?;
        let write = self.shared.store.write(move |tx| {
            let mut known: Vec<_> = webhook::all(tx)?;
            known.retain(|it| it.origin == WebhookOrigin::Config);
            for mut new in built {
                let Some(place) = known.iter().position(|it| it.url == new.url) else {
                    webhook::insert(tx, &new)?;
                    continue;
                };
                let old = known.swap_remove(place);
                (new.id, new.created_at, new.failing_since) =
                    (old.id, old.created_at, old.failing_since);
                new.version = old.version;
                if new != old {
                    new.version += 1;
                    webhook::update(tx, &new)?;
                }
            }
            for gone in known {
                webhook::remove(tx, gone.id)?;
            }
            Ok(())
        });
        write.await?;
        self.shared.wake.notify_one();
        Ok(())
    }

    fn allow_private(&self) -> bool {
        self.shared.settings().allow_private
    }

    /// What the settings say of a new endpoint.
    fn given(&self) -> (bool, Option<Duration>) {
        let settings = self.shared.settings();
        (settings.allow_private, settings.timeout)
    }
}

fn found(webhook: Option<Webhook>, id: WebhookId) -> Result<Webhook, Error> {
    webhook.ok_or_else(|| {
        Error::new(
            Reason::ResourceNotFound,
            format!("there is no endpoint {id}"),
        )
    })
}

fn no_delivery(id: DeliveryId) -> Error {
    Error::new(
        Reason::ResourceNotFound,
        format!("there is no delivery {id}"),
    )
}

fn owned_by_api(webhook: &Webhook) -> Result<(), Error> {
    if webhook.origin == WebhookOrigin::Config {
        let detail = format!(
            "{} is an endpoint of the configuration file; change it there",
            webhook.id
        );
        return Err(Error::new(Reason::PermissionDenied, detail));
    }
    Ok(())
}

/// An event that never happened.
fn sample(kind: EventKind, at: UnixMs) -> Event {
    let time = |before: u64| at.minus(Duration::from_secs(before));
    let mut event = Event {
        seq: 0,
        id: EventId::of(at, 0),
        kind,
        at,
        subject: Subject {
            app_id: Some("0".to_owned()),
            room_id: Some("test".to_owned()),
            user_id: Some("test".to_owned()),
            stream: Some("live/test".to_owned()),
            ..Subject::default()
        },
        data: json!({"test": true}),
    };
    if kind == EventKind::RecordingFileCompleted {
        event.data = json!({
            "test": true, "format": "mp4", "media": "av", "size": 0, "duration_ms": 60_000, "segment_index": 0,
            "start_time": time(60), "end_time": at, "url": "http://localhost/test.mp4",
        });
    }
    event
}
