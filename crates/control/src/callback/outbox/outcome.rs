//! What an attempt leads to.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::queue::{promote, wake_all};
use crate::callback::Next;
use crate::callback::webhook::{self, Webhook, WebhookState};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::event::{EventKind, NewEvent, Subject};
use crate::id::{EventId, WebhookId};
use crate::store::Tx;

/// Attempts of a delivery that are kept. Bounds: the log of a delivery that is never given up.
const ATTEMPTS_KEPT: u32 = 100;

/// An endpoint that has failed for so long is probed by one delivery at a time.
pub(crate) const PROBED_AFTER: Duration = Duration::from_secs(600);

/// A finished attempt.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) number: i64,
    pub(crate) webhook: WebhookId,
    /// When it began.
    pub(crate) at: UnixMs,
    pub(crate) took: Duration,
    pub(crate) status: Option<u16>,
    /// The first bytes of the answer's body, as text.
    pub(crate) answer: Option<String>,
    pub(crate) verdict: Verdict,
    /// Chance for the jitter, 0 ..= 1.
    pub(crate) luck: f64,
}

/// What it means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Received,
    Failed {
        reason: String,
        wait: Option<Duration>,
    },
    /// The receiver wants nothing more.
    Gone,
}

/// What applying an outcome did, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// From the event to its acknowledgement.
    pub(crate) delivered_after: Option<Duration>,
    /// Deliveries given up.
    pub(crate) dead: usize,
    /// Whether the endpoint went, came or was disabled.
    pub(crate) endpoint_changed: bool,
}

struct Row {
    seq: i64,
    lane: String,
    failed: u32,
    attempts: u32,
    first_due_at: Option<UnixMs>,
}

/// Stores an attempt and what follows from it. What was deleted or ended meanwhile stays so.
pub(crate) fn apply(tx: &mut Tx<'_>, outcome: &Outcome) -> Result<Applied, Error> {
    let Some(mut row) = waiting(tx, outcome.number)? else {
        return Ok(Applied::default());
    };
    let Some(webhook) = webhook::by_id(tx, outcome.webhook)? else {
        return Ok(Applied::default());
    };
    row.attempts += 1;
    log(tx, outcome, &row)?;
    let ended = outcome.at.plus(outcome.took);
    match &outcome.verdict {
        Verdict::Received => {
            end(tx, outcome.number, "delivered", ended)?;
            promote(tx, webhook.id, &row.lane, outcome.at)?;
            let endpoint_changed = recovered(tx, &webhook, outcome.at)?;
            let written: Option<UnixMs> = tx
                .prepare_cached("SELECT at FROM events WHERE seq = ?1")?
                .query_row([row.seq], |row| row.get(0))
                .optional()?;
            Ok(Applied {
                delivered_after: written.map(|at| ended.since(at)),
                dead: 0,
                endpoint_changed,
            })
        }
        Verdict::Gone => disable(tx, &webhook, "the receiver answered 410 Gone", ended),
        Verdict::Failed { reason, wait } => {
            let endpoint_changed = failing(tx, &webhook, outcome.at)?;
            row.failed += 1;
            let first_due = row.first_due_at.unwrap_or(outcome.at);
            let schedule = webhook.profile.schedule(webhook.max_age);
            match schedule.after(row.failed, ended.since(first_due), outcome.luck) {
                Next::After(delay) => {
                    let due = ended.plus(delay.max(wait.unwrap_or_default()));
                    let sql = "UPDATE deliveries SET failed = ?2, first_due_at = ?3, due_at = ?4 WHERE number = ?1";
                    tx.prepare_cached(sql)?.execute(params![
                        outcome.number,
                        row.failed,
                        first_due,
                        due
                    ])?;
                    Ok(Applied {
                        endpoint_changed,
                        ..Applied::default()
                    })
                }
                Next::GiveUp => {
                    end(tx, outcome.number, "dead", ended)?;
                    promote(tx, webhook.id, &row.lane, outcome.at)?;
                    dead_letter(tx, &webhook, &row, reason)?;
                    Ok(Applied {
                        delivered_after: None,
                        dead: 1,
                        endpoint_changed,
                    })
                }
            }
        }
    }
}

fn waiting(connection: &Connection, number: i64) -> Result<Option<Row>, Error> {
    let sql = "SELECT seq, lane, failed, attempts, first_due_at FROM deliveries WHERE number = ?1 AND state = 'waiting'";
    let row = connection.prepare_cached(sql)?.query_row([number], |row| {
        Ok(Row {
            seq: row.get(0)?,
            lane: row.get(1)?,
            failed: row.get(2)?,
            attempts: row.get(3)?,
            first_due_at: row.get(4)?,
        })
    });
    Ok(row.optional()?)
}

fn log(connection: &Connection, outcome: &Outcome, row: &Row) -> Result<(), Error> {
    let error = match &outcome.verdict {
        Verdict::Received => None,
        Verdict::Failed { reason, .. } => Some(reason.as_str()),
        Verdict::Gone => Some("HTTP 410"),
    };
    let took = i64::try_from(outcome.took.as_millis()).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO delivery_attempts (delivery, attempt, at, took_ms, status, error, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![outcome.number, row.attempts, outcome.at, took, outcome.status, error, outcome.answer])?;
    if let Some(old) = row.attempts.checked_sub(ATTEMPTS_KEPT) {
        connection
            .prepare_cached("DELETE FROM delivery_attempts WHERE delivery = ?1 AND attempt <= ?2")?
            .execute(params![outcome.number, old])?;
    }
    connection
        .prepare_cached(
            "UPDATE deliveries SET attempts = ?2, first_at = coalesce(first_at, ?3), last_at = ?3, last_status = ?4,
               last_error = ?5 WHERE number = ?1",
        )?
        .execute(params![outcome.number, row.attempts, outcome.at, outcome.status, error])?;
    Ok(())
}

fn end(connection: &Connection, number: i64, state: &str, now: UnixMs) -> Result<(), Error> {
    let sql = "UPDATE deliveries SET state = ?2, due_at = NULL, ended_at = ?3 WHERE number = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![number, state, now])?;
    Ok(())
}

/// An attempt succeeded: the endpoint is well, and what an outage put off for up to an hour goes out now.
fn recovered(connection: &Connection, webhook: &Webhook, now: UnixMs) -> Result<bool, Error> {
    let Some(since) = webhook.failing_since else {
        return Ok(false);
    };
    set_failing(connection, webhook.id, None)?;
    if now.since(since) >= PROBED_AFTER {
        wake_all(connection, webhook.id, now)?;
    }
    Ok(true)
}

fn failing(connection: &Connection, webhook: &Webhook, now: UnixMs) -> Result<bool, Error> {
    if webhook.failing_since.is_some() {
        return Ok(false);
    }
    set_failing(connection, webhook.id, Some(now))?;
    Ok(true)
}

fn set_failing(connection: &Connection, id: WebhookId, since: Option<UnixMs>) -> Result<(), Error> {
    let sql = "UPDATE webhooks SET failing_since = ?2 WHERE webhook_id = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![id, since])?;
    Ok(())
}

/// Tells the other endpoints of a dead letter. One that was itself such a message is not told of: two dead endpoints would
/// keep each other busy for ever.
fn dead_letter(tx: &mut Tx<'_>, webhook: &Webhook, row: &Row, reason: &str) -> Result<(), Error> {
    let sql = "SELECT at, type FROM events WHERE seq = ?1";
    let (at, kind): (UnixMs, EventKind) =
        tx.query_row(sql, [row.seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if kind == EventKind::WebhookDeadLettered {
        return Ok(());
    }
    tx.event(NewEvent {
        kind: EventKind::WebhookDeadLettered,
        subject: Subject::default(),
        data: json!({
            "webhook_id": webhook.id,
            "event_id": EventId::of(at, row.seq.cast_unsigned()),
            "type": kind,
            "attempts": row.attempts,
            "reason": reason,
            "count": 1,
        }),
    })?;
    Ok(())
}

/// Turns an endpoint off and gives up all that waits for it.
pub(crate) fn disable(
    tx: &mut Tx<'_>,
    webhook: &Webhook,
    reason: &str,
    now: UnixMs,
) -> Result<Applied, Error> {
    let dead = tx.execute(
        "UPDATE deliveries SET state = 'dead', due_at = NULL, ended_at = ?2 WHERE webhook_id = ?1 AND state = 'waiting'",
        params![webhook.id, now],
    )?;
    let mut webhook = webhook.clone();
    webhook.state = WebhookState::Disabled;
    webhook.disabled_reason = Some(reason.to_owned());
    webhook.version += 1;
    webhook::update(tx, &webhook)?;
    tx.event(NewEvent {
        kind: EventKind::WebhookDeadLettered,
        subject: Subject::default(),
        data: json!({"webhook_id": webhook.id, "reason": reason, "count": dead}),
    })?;
    Ok(Applied {
        delivered_after: None,
        dead,
        endpoint_changed: true,
    })
}
