//! What the callbacks did, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Callbacks;
use super::outbox;
use super::webhook::{self, WebhookState};
use crate::error::Error;

/// Upper bounds of the delay histogram, in seconds.
pub const DELAY_BOUNDS_S: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 600.0, 3_600.0, 86_400.0];

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) acknowledged: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    delays: [AtomicU64; DELAY_BOUNDS_S.len() + 1],
    delay_sum_ms: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CallbackStats {
    /// Attempts that were acknowledged.
    pub acknowledged: u64,
    /// Attempts with an answer that is no acknowledgement.
    pub refused: u64,
    /// Attempts without an answer.
    pub unanswered: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Attempts under way.
    pub in_flight: u64,
    /// Acknowledged deliveries by the time from their event: below each of [`DELAY_BOUNDS_S`], then the rest; not cumulative.
    pub delays: Vec<u64>,
    /// The sum of these times.
    pub delay_sum: Duration,
}

/// What stands in the store at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Deliveries that are not acknowledged and not given up.
    pub waiting: u64,
    /// Endpoints whose last attempt was acknowledged, and those without one.
    pub well: u64,
    /// Endpoints whose last attempt failed.
    pub failing: u64,
    /// Endpoints that are told nothing.
    pub disabled: u64,
}

impl Callbacks {
    /// What still waits, over all endpoints. Looks at every waiting delivery, in an index.
    ///
    /// # Errors
    /// Trouble with the store.
    pub async fn backlog(&self) -> Result<Backlog, Error> {
        let read = self.shared.store.read(|connection| {
            let mut backlog = Backlog {
                waiting: outbox::waiting(connection)?,
                ..Backlog::default()
            };
            for webhook in webhook::all(connection)? {
                let count = match (webhook.state, webhook.failing_since) {
                    (WebhookState::Disabled, _) => &mut backlog.disabled,
                    (_, Some(_)) => &mut backlog.failing,
                    (_, None) => &mut backlog.well,
                };
                *count += 1;
            }
            Ok(backlog)
        });
        read.await
    }
}

impl Stats {
    pub(crate) fn delay(&self, delay: Duration) {
        let seconds = delay.as_secs_f64();
        let place = DELAY_BOUNDS_S
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(DELAY_BOUNDS_S.len());
        self.delays[place].fetch_add(1, Ordering::Relaxed);
        self.delay_sum_ms
            .fetch_add(delay.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> CallbackStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallbackStats {
            acknowledged: get(&self.acknowledged),
            refused: get(&self.refused),
            unanswered: get(&self.unanswered),
            dead: get(&self.dead),
            in_flight: get(&self.in_flight),
            delays: self.delays.iter().map(get).collect(),
            delay_sum: Duration::from_millis(get(&self.delay_sum_ms)),
        }
    }
}
