//! The outbox: what is still to be delivered, and what became of the rest.
//!
//! ```text
//!            event written                acknowledged
//!                 │            ┌─────────────────────────▶ delivered ─┐
//!                 ▼            │                                      │ retry, replay
//!   (lane) … ▸ waiting ▸ waiting (first: has `due_at`) ◀──────────────┤
//!                              │                                      │
//!                              └─────────────────────────▶ dead ──────┘
//!                                given up by the schedule
//! ```
//!
//! Deliveries of one endpoint that are about the same stream form a *lane* and go out one after the other. Only the first of a
//! lane has a time at which it is due, so a failing stream holds up nobody else, and finding work is one look into an index.
//! That a delivery is being sent is not stored: after a crash it is simply still waiting.

mod list;
mod outcome;
mod queue;

use serde::Serialize;

pub(crate) use list::{attempts, by_id, list, waiting};
pub(crate) use outcome::{Applied, Outcome, PROBED_AFTER, Verdict, apply};
pub(crate) use queue::{Claim, claim, enqueue, heads, next_due, prune, replay_one, retry};

use crate::clock::UnixMs;
use crate::event::EventKind;
use crate::id::{DeliveryId, EventId, WebhookId};
use crate::words::words;

words! {
    /// How far a delivery is.
    pub enum DeliveryState {
        /// It waits for its turn or for its next attempt.
        Waiting = "waiting",
        /// An attempt is under way.
        Sending = "sending",
        /// The receiver has acknowledged it.
        Delivered = "delivered",
        /// It was given up; `retry` and replay bring it back.
        Dead = "dead",
    }
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// The event.
    pub event_id: EventId,
    /// The event's type.
    pub kind: EventKind,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts in all.
    pub attempts: u32,
    /// The first attempt.
    pub first_at: Option<UnixMs>,
    /// The last attempt.
    pub last_at: Option<UnixMs>,
    /// Status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// The next attempt; absent behind another of its lane and when it is over.
    pub due_at: Option<UnixMs>,
    /// When it was queued.
    pub created_at: UnixMs,
    /// When it was delivered or given up.
    pub ended_at: Option<UnixMs>,
    pub(crate) number: i64,
}

/// One attempt of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeliveryAttempt {
    /// From 1.
    pub attempt: u32,
    /// When it began.
    pub at: UnixMs,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The first bytes of the answer's body.
    pub answer: Option<String>,
}
