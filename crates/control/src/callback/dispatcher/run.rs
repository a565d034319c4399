//! A run: some deliveries of one lane, one after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::callback::outbox::{Claim, Outcome, Verdict};
use crate::callback::sender::{self, Attempt, Request};
use crate::callback::webhook::Webhook;
use crate::callback::{Answer, Reading, Shared};
use crate::event::Event;
use crate::id::WebhookId;

/// What of an answer's body is kept with the attempt.
const KEPT_ANSWER_BYTES: usize = 512;

pub(super) enum Report {
    Outcome(Outcome),
    /// The lane has no run any more.
    Ended(WebhookId, String),
}

pub(super) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) webhook: Arc<Webhook>,
    pub(super) lane: String,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) stop: CancellationToken,
}

impl Run {
    pub(super) async fn go(self, claims: Vec<Claim>) {
        for claim in claims {
            if self.stop.is_cancelled() {
                break;
            }
            self.shared.sending().insert(claim.number);
            let outcome = self.attempt(&claim).await;
            let received = outcome.verdict == Verdict::Received;
            // The dispatcher takes reports until the last run has ended.
            let _ = self.reports.send(Report::Outcome(outcome)).await;
            if !received {
                break;
            }
        }
        let _ = self
            .reports
            .send(Report::Ended(self.webhook.id, self.lane))
            .await;
    }

    async fn attempt(&self, claim: &Claim) -> Outcome {
        let at = self.shared.timer.now();
        let stats = &self.shared.stats;
        stats.in_flight.fetch_add(1, Ordering::Relaxed);
        let (attempt, verdict) = send(&self.shared, &self.webhook, &claim.event).await;
        stats.in_flight.fetch_sub(1, Ordering::Relaxed);
        let counter = match (&verdict, &attempt.outcome) {
            (Verdict::Received, _) => &stats.acknowledged,
            (_, sender::Outcome::NoAnswer(_)) => &stats.unanswered,
            _ => &stats.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = shown(&attempt);
        Outcome {
            number: claim.number,
            webhook: self.webhook.id,
            at,
            took: attempt.took,
            status,
            answer,
            verdict,
            luck: luck(),
        }
    }
}

/// Sends an event to an endpoint once and reads the answer.
pub(in crate::callback) async fn send(
    shared: &Shared,
    webhook: &Webhook,
    event: &Event,
) -> (Attempt, Verdict) {
    let now = shared.timer.now();
    let settings = shared.settings();
    let rendered = webhook
        .profile
        .render(event, &webhook.signing(now), &settings.origin, now);
    let request = Request {
        url: webhook.url.clone(),
        headers: rendered.headers,
        body: rendered.body,
        timeout: webhook.timeout,
    };
    let attempt = settings.sender.send(request).await;
    let verdict = match &attempt.outcome {
        sender::Outcome::NoAnswer(reason) => Verdict::Failed {
            reason: reason.clone(),
            wait: None,
        },
        sender::Outcome::Answered {
            status,
            retry_after,
            body,
        } => {
            let answer = Answer {
                status: *status,
                retry_after: *retry_after,
                body,
            };
            match webhook.acknowledgement.read(&answer) {
                Reading::Received => Verdict::Received,
                Reading::Refused { reason, wait } => Verdict::Failed { reason, wait },
                Reading::Gone => Verdict::Gone,
            }
        }
    };
    (attempt, verdict)
}

/// What is kept of an answer: its status and the beginning of its body.
pub(in crate::callback) fn shown(attempt: &Attempt) -> (Option<u16>, Option<String>) {
    match &attempt.outcome {
        sender::Outcome::NoAnswer(_) => (None, None),
        sender::Outcome::Answered { status, body, .. } => {
            let kept = &body[..body.len().min(KEPT_ANSWER_BYTES)];
            (
                Some(*status),
                Some(String::from_utf8_lossy(kept).into_owned()),
            )
        }
    }
}

fn luck() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}
