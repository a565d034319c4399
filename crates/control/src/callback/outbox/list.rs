//! Reading deliveries.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Delivery, DeliveryAttempt, DeliveryState};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::{DeliveryId, EventId, WebhookId};

const SELECT: &str = "SELECT d.number, d.delivery_id, d.webhook_id, d.seq, e.at, e.type, d.state, d.attempts, d.first_at, d.last_at,
                        d.last_status, d.last_error, d.due_at, d.created_at, d.ended_at
                      FROM deliveries d JOIN events e ON e.seq = d.seq";

/// Deliveries of an endpoint before the one with this number (0: from the newest), the newest first.
pub(crate) fn list(
    connection: &Connection,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    before: i64,
    limit: u32,
) -> Result<Vec<Delivery>, Error> {
    let before = if before > 0 { before } else { i64::MAX };
    let state_is = match state {
        Some(_) => "AND d.state = ?4",
        None => "AND ?4 IS NULL",
    };
    // What is being sent is stored as waiting.
    let state = state.map(|state| {
        if state == DeliveryState::Sending {
            DeliveryState::Waiting
        } else {
            state
        }
    });
    let sql = format!(
        "{SELECT} WHERE d.webhook_id = ?1 AND d.number < ?2 {state_is} ORDER BY d.number DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![webhook, before, limit, state], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deliveries that wait, of all endpoints.
pub(crate) fn waiting(connection: &Connection) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM deliveries WHERE state = 'waiting'";
    let count: i64 = connection
        .prepare_cached(sql)?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// One delivery.
pub(crate) fn by_id(connection: &Connection, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    let sql = format!("{SELECT} WHERE d.delivery_id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let (seq, at): (i64, UnixMs) = (row.get(3)?, row.get(4)?);
    Ok(Delivery {
        number: row.get(0)?,
        id: row.get(1)?,
        webhook_id: row.get(2)?,
        event_id: EventId::of(at, seq.cast_unsigned()),
        kind: row.get(5)?,
        state: row.get(6)?,
        attempts: row.get(7)?,
        first_at: row.get(8)?,
        last_at: row.get(9)?,
        last_status: row.get(10)?,
        last_error: row.get(11)?,
        due_at: row.get(12)?,
        created_at: row.get(13)?,
        ended_at: row.get(14)?,
    })
}

/// The attempts of a delivery that are kept, in order.
pub(crate) fn attempts(
    connection: &Connection,
    number: i64,
) -> Result<Vec<DeliveryAttempt>, Error> {
    let sql = "SELECT attempt, at, took_ms, status, error, answer FROM delivery_attempts WHERE delivery = ?1 ORDER BY attempt";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| {
        Ok(DeliveryAttempt {
            attempt: row.get(0)?,
            at: row.get(1)?,
            took_ms: row.get::<_, i64>(2)?.cast_unsigned(),
            status: row.get(3)?,
            error: row.get(4)?,
            answer: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
