//! The task that sends what is due.
//!
//! ```text
//!  news, timer, calls ─▶ look: which lanes are due? ─▶ a run each: up to 32 deliveries, one after the other
//!        ▲                                                │ outcomes
//!        └──────────── lane free ◀── stored, many at once ◀──┘
//! ```
//!
//! - An endpoint has at most [`ENDPOINT_RUNS`] runs at once, [`FAILING_RUNS`] while it fails, one once it has failed for ten minutes
//!   (a probe); all together [`TOTAL_RUNS`], but each endpoint may always have one. So a dead endpoint never takes another's place.
//! - A run ends at the first failure: what follows in the lane waits for it.
//! - An outcome that cannot be stored (a full disk) is kept and stored later; meanwhile its lane rests.
//! - Without anything due it sleeps until the next moment at which something is, or for ever.

mod run;

pub(super) use run::{send, shown};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::outbox::{self, Applied, Claim, Outcome, PROBED_AFTER};
use super::webhook::{self, Webhook, WebhookState};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::WebhookId;
use run::{Report, Run};

/// Runs of a healthy endpoint at once. Bounds: sockets, and the load on the receiver.
const ENDPOINT_RUNS: usize = 16;
/// Runs of an endpoint whose last attempt failed.
const FAILING_RUNS: usize = 2;
/// Runs of all endpoints. Bounds: sockets and memory.
const TOTAL_RUNS: usize = 256;
/// Deliveries of one run. Bounds: what a crash repeats, and what a claim reads.
const RUN_LENGTH: u32 = 32;
/// Outcomes stored in one transaction.
const STORED_AT_ONCE: usize = 256;
/// After trouble with the database.
const REST: Duration = Duration::from_secs(1);
/// Between two looks for what is too old.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// How long attempts under way may still take when the relay stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    endpoints: HashMap<WebhookId, Endpoint>,
    reports_in: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    runs: TaskTracker,
    running: usize,
    unsaved: Vec<Outcome>,
    /// Lanes that are free once `unsaved` is stored.
    ended: Vec<(WebhookId, String)>,
}

struct Endpoint {
    webhook: Arc<Webhook>,
    busy: HashSet<String>,
}

/// What one look into the outbox found.
struct Look {
    lanes: Vec<(WebhookId, String, Vec<Claim>)>,
    next: Option<UnixMs>,
}

/// What a look is to find for one endpoint.
struct Wanted {
    id: WebhookId,
    free: usize,
    length: u32,
    busy: HashSet<String>,
}

impl Dispatcher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (reports_in, reports) = mpsc::channel(STORED_AT_ONCE);
        Self {
            shared,
            endpoints: HashMap::new(),
            reports_in,
            reports,
            runs: TaskTracker::new(),
            running: 0,
            unsaved: Vec::new(),
            ended: Vec::new(),
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken, mut news: watch::Receiver<u64>) {
        let mut changed = true;
        let mut look = true;
        let mut next: Option<UnixMs> = None;
        let mut prune_at = self.now();
        while !stop.is_cancelled() {
            let outcome = async {
                if changed {
                    self.load().await?;
                    changed = false;
                }
                if prune_at <= self.now() {
                    let full = self
                        .shared
                        .store
                        .write(|tx| outbox::prune(tx, tx.now()))
                        .await?
                        > 0;
                    prune_at = self.now().plus(if full { REST } else { PRUNE_EVERY });
                }
                if look {
                    next = self.look(&stop).await?;
                    look = false;
                }
                self.save().await.map(|freed| look |= freed)
            };
            if let Err(error) = outcome.await {
                tracing::warn!(reason = %error, "callbacks rest: the outbox cannot be read or written");
                (changed, look) = (true, true);
                next = Some(self.now().plus(REST));
                // Nothing but the clock or the end wakes it now; reports wait in their bounded queue.
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.shared.timer.sleep_until(self.now().plus(REST)) => {}
                }
                continue;
            }
            if look {
                continue;
            }
            let wake_at = next.map_or(prune_at, |next| next.min(prune_at));
            // Each branch may be dropped: a report stays in its queue, news are a value, a wake is kept until taken.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(report) = self.reports.recv() => self.take(report),
                () = self.shared.wake.notified() => (changed, look) = (true, true),
                result = news.changed() => match result {
                    Ok(()) => look = !self.endpoints.is_empty(),
                    // The store is gone.
                    Err(_) => break,
                },
                () = self.shared.timer.sleep_until(wake_at) => look = true,
            }
        }
        self.end().await;
    }

    fn now(&self) -> UnixMs {
        self.shared.timer.now()
    }

    /// Reads the endpoints anew.
    async fn load(&mut self) -> Result<(), Error> {
        let webhooks = self.shared.store.read(webhook::all).await?;
        let mut old = std::mem::take(&mut self.endpoints);
        for webhook in webhooks {
            let busy = old
                .remove(&webhook.id)
                .map(|endpoint| endpoint.busy)
                .unwrap_or_default();
            let known = Endpoint {
                webhook: Arc::new(webhook),
                busy,
            };
            self.endpoints.insert(known.webhook.id, known);
        }
        Ok(())
    }

    /// Starts what is due and may start; says when to look again.
    async fn look(&mut self, stop: &CancellationToken) -> Result<Option<UnixMs>, Error> {
        let now = self.now();
        let mut wanted = Vec::new();
        for endpoint in self.endpoints.values() {
            if endpoint.webhook.state == WebhookState::Disabled {
                continue;
            }
            let failing = endpoint.webhook.failing_since;
            let most = match failing {
                None => ENDPOINT_RUNS,
                Some(since) if now.since(since) < PROBED_AFTER => FAILING_RUNS,
                Some(_) => 1,
            };
            let room = TOTAL_RUNS.saturating_sub(self.running);
            let own = usize::from(endpoint.busy.is_empty());
            wanted.push(Wanted {
                id: endpoint.webhook.id,
                free: most.saturating_sub(endpoint.busy.len()).min(room.max(own)),
                length: if failing.is_some() { 1 } else { RUN_LENGTH },
                busy: endpoint.busy.clone(),
            });
        }
        if wanted.iter().all(|it| it.free == 0) {
            return Ok(None);
        }
        let found = self
            .shared
            .store
            .read(move |connection| find(connection, &wanted, now))
            .await?;
        for (id, lane, claims) in found.lanes {
            self.start(id, lane, claims, stop);
        }
        Ok(found.next)
    }

    fn start(&mut self, id: WebhookId, lane: String, claims: Vec<Claim>, stop: &CancellationToken) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let own = endpoint.busy.is_empty();
        if self.running >= TOTAL_RUNS && !own {
            return;
        }
        endpoint.busy.insert(lane.clone());
        self.running += 1;
        let run = Run {
            shared: Arc::clone(&self.shared),
            webhook: Arc::clone(&endpoint.webhook),
            lane,
            reports: self.reports_in.clone(),
            stop: stop.clone(),
        };
        self.runs.spawn(run.go(claims));
    }

    fn take(&mut self, report: Report) {
        let mut report = Some(report);
        while let Some(it) = report {
            match it {
                Report::Outcome(outcome) => self.unsaved.push(outcome),
                Report::Ended(id, lane) => self.ended.push((id, lane)),
            }
            let full = self.unsaved.len() >= STORED_AT_ONCE;
            report = if full {
                None
            } else {
                self.reports.try_recv().ok()
            };
        }
    }

    /// Stores the outcomes, frees the lanes; says whether any was freed.
    async fn save(&mut self) -> Result<bool, Error> {
        if !self.unsaved.is_empty() {
            let outcomes = self.unsaved.clone();
            let (applied, changed) = self
                .shared
                .store
                .write(move |tx| {
                    let applied = outcomes
                        .iter()
                        .map(|it| outbox::apply(tx, it))
                        .collect::<Result<Vec<_>, _>>()?;
                    let changed = applied.iter().any(|it| it.endpoint_changed);
                    let changed = if changed {
                        webhook::all(tx)?
                    } else {
                        Vec::new()
                    };
                    Ok((applied, changed))
                })
                .await?;
            for webhook in changed {
                if let Some(endpoint) = self.endpoints.get_mut(&webhook.id)
                    && *endpoint.webhook != webhook
                {
                    tell(&endpoint.webhook, &webhook);
                    endpoint.webhook = Arc::new(webhook);
                }
            }
            self.count(&applied);
            let mut sending = self.shared.sending();
            for outcome in self.unsaved.drain(..) {
                sending.remove(&outcome.number);
            }
        }
        let freed = !self.ended.is_empty();
        for (id, lane) in self.ended.drain(..) {
            self.running -= 1;
            if let Some(endpoint) = self.endpoints.get_mut(&id) {
                endpoint.busy.remove(&lane);
            }
        }
        Ok(freed)
    }

    fn count(&self, applied: &[Applied]) {
        use std::sync::atomic::Ordering::Relaxed;
        let stats = &self.shared.stats;
        for it in applied {
            stats.dead.fetch_add(it.dead as u64, Relaxed);
            if let Some(delay) = it.delivered_after {
                stats.delay(delay);
            }
        }
    }

    /// Waits a little for what is under way, then breaks it off; stores what came of it.
    async fn end(mut self) {
        self.runs.close();
        let deadline = tokio::time::Instant::now() + LAST_WORDS;
        let runs = self.runs.clone();
        loop {
            tokio::select! {
                biased;
                Some(report) = self.reports.recv() => self.take(report),
                () = runs.wait() => break,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        while let Ok(report) = self.reports.try_recv() {
            self.take(report);
        }
        if let Err(error) = self.save().await {
            tracing::warn!(reason = %error, "the last callbacks' outcomes were not stored; they are sent again");
        }
    }
}

fn find(connection: &rusqlite::Connection, wanted: &[Wanted], now: UnixMs) -> Result<Look, Error> {
    let mut look = Look {
        lanes: Vec::new(),
        next: None,
    };
    for it in wanted.iter().filter(|it| it.free > 0) {
        let mut taken: HashSet<String> = HashSet::new();
        let limit = u32::try_from(it.free + 2 * it.busy.len()).unwrap_or(u32::MAX);
        // A busy lane may have two that are due: its first, and one that somebody asked to retry.
        for head in outbox::heads(connection, it.id, now, limit)? {
            if taken.len() == it.free {
                break;
            }
            if it.busy.contains(&head.lane) || !taken.insert(head.lane.clone()) {
                continue;
            }
            let length = if head.failed > 0 { 1 } else { it.length };
            let claims = outbox::claim(connection, it.id, &head, now, length)?;
            look.lanes.push((it.id, head.lane, claims));
        }
        let next = outbox::next_due(connection, it.id, now)?;
        look.next = match (look.next, next) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(look)
}

/// One line when an endpoint goes or comes.
fn tell(before: &Webhook, after: &Webhook) {
    let (webhook, url) = (after.id, after.shown_url());
    match (before.failing_since, after.failing_since) {
        (None, Some(_)) => {
            tracing::warn!(%webhook, url, "callbacks to this endpoint fail; they are repeated")
        }
        (Some(_), None) => {
            tracing::info!(%webhook, url, "callbacks to this endpoint succeed again")
        }
        _ => {}
    }
    if before.state != after.state && after.state == WebhookState::Disabled {
        let reason = after.disabled_reason.as_deref().unwrap_or_default();
        tracing::warn!(%webhook, url, reason, "callback endpoint disabled");
    }
}
