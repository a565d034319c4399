//! Queueing, claiming, waking.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::callback::webhook;
use crate::clock::UnixMs;
use crate::error::Error;
use crate::event::{Event, EventFilter, EventKind};
use crate::id::{DeliveryId, WebhookId};

/// How long what was delivered stays in the list.
const DELIVERED_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a dead letter can be brought back.
const DEAD_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows removed in one transaction. Bounds: how long other calls wait.
const PRUNED_AT_ONCE: u32 = 2_000;

/// Queues an event for every endpoint that wants it; says for how many. Runs in the transaction that writes the event.
pub(crate) fn enqueue(connection: &Connection, event: &Event) -> Result<usize, Error> {
    let about = event
        .data
        .get("webhook_id")
        .and_then(serde_json::Value::as_str);
    let mut count = 0;
    for id in webhook::who_wants(connection, event)? {
        // A dead letter is told to the others.
        let own =
            event.kind == EventKind::WebhookDeadLettered && about == Some(id.to_string().as_str());
        if !own {
            insert(connection, id, event, event.at)?;
            count += 1;
        }
    }
    Ok(count)
}

fn insert(
    connection: &Connection,
    webhook: WebhookId,
    event: &Event,
    now: UnixMs,
) -> Result<(), Error> {
    let lane = lane(event);
    let sql = "INSERT INTO deliveries (delivery_id, webhook_id, seq, lane, state, created_at)
               VALUES (?1, ?2, ?3, ?4, 'waiting', ?5)";
    let id = DeliveryId::fresh(now);
    connection.prepare_cached(sql)?.execute(params![
        id,
        webhook,
        event.seq.cast_signed(),
        lane,
        now
    ])?;
    promote(connection, webhook, &lane, now)
}

/// What must stay in order: all that is about one stream; else one channel; else nothing.
fn lane(event: &Event) -> String {
    let subject = &event.subject;
    match (&subject.stream, subject.channel_id) {
        (Some(stream), _) => format!("s:{stream}"),
        (None, Some(channel)) => format!("c:{channel}"),
        (None, None) => format!("e:{}", event.seq),
    }
}

/// Gives a lane without a due delivery its next one.
pub(super) fn promote(
    connection: &Connection,
    webhook: WebhookId,
    lane: &str,
    now: UnixMs,
) -> Result<(), Error> {
    let sql = "UPDATE deliveries SET due_at = ?3 WHERE number = (
                 SELECT number FROM deliveries WHERE webhook_id = ?1 AND lane = ?2 AND state = 'waiting' ORDER BY seq LIMIT 1)
               AND NOT EXISTS (
                 SELECT 1 FROM deliveries WHERE webhook_id = ?1 AND lane = ?2 AND state = 'waiting' AND due_at IS NOT NULL)";
    connection
        .prepare_cached(sql)?
        .execute(params![webhook, lane, now])?;
    Ok(())
}

/// A lane's first delivery that is due.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) lane: String,
    pub(crate) seq: i64,
    pub(crate) failed: u32,
}

/// Lanes of an endpoint with something due, the longest due first.
pub(crate) fn heads(
    connection: &Connection,
    webhook: WebhookId,
    now: UnixMs,
    limit: u32,
) -> Result<Vec<Head>, Error> {
    let sql = "SELECT lane, seq, failed FROM deliveries
               WHERE webhook_id = ?1 AND due_at IS NOT NULL AND due_at <= ?2 ORDER BY due_at LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![webhook, now, limit], |row| {
        Ok(Head {
            lane: row.get(0)?,
            seq: row.get(1)?,
            failed: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A delivery to be sent, with its event.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) number: i64,
    pub(crate) event: Event,
}

/// A lane's deliveries from its head on, at most `limit`, up to the first that has to wait for a later moment.
pub(crate) fn claim(
    connection: &Connection,
    webhook: WebhookId,
    head: &Head,
    now: UnixMs,
    limit: u32,
) -> Result<Vec<Claim>, Error> {
    let sql = "SELECT number, seq, due_at FROM deliveries
               WHERE webhook_id = ?1 AND lane = ?2 AND state = 'waiting' AND seq >= ?3 ORDER BY seq LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![webhook, head.lane, head.seq, limit])?;
    let mut claims = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
        if row
            .get::<_, Option<UnixMs>>(2)?
            .is_some_and(|due| due > now)
        {
            break;
        }
        let Some(event) = event(connection, seq)? else {
            break;
        };
        claims.push(Claim { number, event });
    }
    Ok(claims)
}

fn event(connection: &Connection, seq: i64) -> Result<Option<Event>, Error> {
    let filter = EventFilter {
        after: seq.cast_unsigned().saturating_sub(1),
        limit: 1,
        ..EventFilter::default()
    };
    let found = crate::event::list(connection, &filter)?;
    Ok(found
        .into_iter()
        .find(|event| event.seq == seq.cast_unsigned()))
}

/// The first moment after `now` at which something of an endpoint is due.
pub(crate) fn next_due(
    connection: &Connection,
    webhook: WebhookId,
    now: UnixMs,
) -> Result<Option<UnixMs>, Error> {
    let sql = "SELECT min(due_at) FROM deliveries WHERE webhook_id = ?1 AND due_at > ?2";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![webhook, now], |row| row.get(0))?)
}

/// Everything of an endpoint that waits for a later moment is due now: it answers again.
pub(crate) fn wake_all(
    connection: &Connection,
    webhook: WebhookId,
    now: UnixMs,
) -> Result<(), Error> {
    let sql = "UPDATE deliveries SET due_at = ?2 WHERE webhook_id = ?1 AND due_at > ?2";
    connection
        .prepare_cached(sql)?
        .execute(params![webhook, now])?;
    Ok(())
}

/// Queues one delivery anew, due at once with the whole schedule before it; false if there is none.
pub(crate) fn retry(connection: &Connection, id: DeliveryId, now: UnixMs) -> Result<bool, Error> {
    let sql = "UPDATE deliveries SET state = 'waiting', due_at = ?2, first_due_at = NULL, failed = 0, ended_at = NULL
               WHERE delivery_id = ?1";
    Ok(connection.prepare_cached(sql)?.execute(params![id, now])? > 0)
}

/// Queues an event for one endpoint anew, unless it waits already; says whether it did.
pub(crate) fn replay_one(
    connection: &Connection,
    webhook: WebhookId,
    event: &Event,
    now: UnixMs,
) -> Result<bool, Error> {
    let sql = "SELECT state FROM deliveries WHERE webhook_id = ?1 AND seq = ?2";
    let state: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![webhook, event.seq.cast_signed()], |row| row.get(0))
        .optional()?;
    match state.as_deref() {
        Some("waiting") => return Ok(false),
        Some(_) => {
            let sql = "UPDATE deliveries SET state = 'waiting', first_due_at = NULL, failed = 0, ended_at = NULL
                       WHERE webhook_id = ?1 AND seq = ?2";
            connection
                .prepare_cached(sql)?
                .execute(params![webhook, event.seq.cast_signed()])?;
            promote(connection, webhook, &lane(event), now)?;
        }
        None => insert(connection, webhook, event, now)?,
    }
    Ok(true)
}

/// Removes what is too old, a bounded number; says how many.
pub(crate) fn prune(connection: &Connection, now: UnixMs) -> Result<usize, Error> {
    let sql = "SELECT number FROM deliveries WHERE state = ?1 AND ended_at IS NOT NULL AND ended_at < ?2 LIMIT ?3";
    let mut gone = 0;
    for (state, kept) in [("delivered", DELIVERED_KEPT), ("dead", DEAD_KEPT)] {
        let numbers: Vec<i64> = connection
            .prepare_cached(sql)?
            .query_map(params![state, now.minus(kept), PRUNED_AT_ONCE], |row| {
                row.get(0)
            })?
            .collect::<Result<_, _>>()?;
        for number in &numbers {
            connection
                .prepare_cached("DELETE FROM delivery_attempts WHERE delivery = ?1")?
                .execute([number])?;
            connection
                .prepare_cached("DELETE FROM deliveries WHERE number = ?1")?
                .execute([number])?;
        }
        gone += numbers.len();
    }
    Ok(gone)
}
