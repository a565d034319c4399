//! Writing, reading and pruning of events.

use std::time::Duration;

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

use super::{Event, EventKind, NewEvent, Subject};
use crate::callback;
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::{ChannelId, EventId};

/// How long events are kept.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// Events removed in one transaction. Bounds: how long other calls wait.
const PRUNED_AT_ONCE: u32 = 5_000;
/// Most events of one page.
const PAGE: u32 = 1_000;

/// Which events a list holds; absent takes all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Those behind this place.
    pub after: u64,
    /// Of this app.
    pub app_id: Option<String>,
    /// Of this room.
    pub room_id: Option<String>,
    /// Of this channel.
    pub channel_id: Option<ChannelId>,
    /// Of these kinds; empty takes all.
    pub kinds: Vec<EventKind>,
    /// At most so many, up to 1000; 0 is 100.
    pub limit: u32,
}

/// Writes an event and, for each endpoint that wants it, its delivery.
pub(crate) fn append(connection: &Connection, at: UnixMs, event: NewEvent) -> Result<Event, Error> {
    let sql =
        "INSERT INTO events (at, type, app_id, room_id, user_id, source, channel_id, stream, data)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let subject = &event.subject;
    connection.prepare_cached(sql)?.execute(params![
        at,
        event.kind,
        subject.app_id,
        subject.room_id,
        subject.user_id,
        subject.source,
        subject.channel_id,
        subject.stream,
        event.data.to_string(),
    ])?;
    let seq = connection.last_insert_rowid().cast_unsigned();
    let event = Event {
        seq,
        id: EventId::of(at, seq),
        kind: event.kind,
        at,
        subject: event.subject,
        data: event.data,
    };
    callback::enqueue(connection, &event)?;
    Ok(event)
}

/// Events in order.
///
/// # Errors
/// Trouble with the database.
pub fn list(connection: &Connection, filter: &EventFilter) -> Result<Vec<Event>, Error> {
    let mut sql = "SELECT seq, at, type, app_id, room_id, user_id, source, channel_id, stream, data
                   FROM events WHERE seq > ?"
        .to_owned();
    let after = filter.after.cast_signed().max(0);
    let mut values: Vec<&dyn ToSql> = vec![&after];
    if let Some(channel) = &filter.channel_id {
        sql += " AND channel_id = ?";
        values.push(channel);
    }
    if let Some(room) = &filter.room_id {
        sql += " AND room_id = ?";
        values.push(room);
    }
    if let Some(app) = &filter.app_id {
        // No index: apps are few, and a plan by another column is always better.
        sql += " AND +app_id = ?";
        values.push(app);
    }
    match filter.kinds.as_slice() {
        [] => {}
        [one] => {
            sql += " AND type = ?";
            values.push(one);
        }
        many => {
            sql += " AND +type IN (";
            sql += &vec!["?"; many.len()].join(",");
            sql += ")";
            values.extend(many.iter().map(|kind| kind as &dyn ToSql));
        }
    }
    let limit = match filter.limit {
        0 => 100,
        limit => limit.min(PAGE),
    };
    sql += " ORDER BY seq LIMIT ?";
    values.push(&limit);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values.as_slice(), read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let (seq, at): (i64, UnixMs) = (row.get(0)?, row.get(1)?);
    let seq = seq.cast_unsigned();
    let data: String = row.get(9)?;
    Ok(Event {
        seq,
        id: EventId::of(at, seq),
        kind: row.get(2)?,
        at,
        subject: Subject {
            app_id: row.get(3)?,
            room_id: row.get(4)?,
            user_id: row.get(5)?,
            source: row.get(6)?,
            channel_id: row.get(7)?,
            stream: row.get(8)?,
        },
        data: serde_json::from_str(&data).unwrap_or_default(),
    })
}

/// Removes events that are too old, a bounded number; says how many.
///
/// # Errors
/// Trouble with the database.
pub fn prune(connection: &Connection, now: UnixMs) -> Result<usize, Error> {
    // Places and times grow together: the oldest are the first. What may still be sent stays.
    let sql = "DELETE FROM events WHERE seq IN (
                 SELECT seq FROM events
                 WHERE seq < coalesce((SELECT seq FROM events WHERE at >= ?1 ORDER BY seq LIMIT 1), ?3)
                 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq = events.seq AND state <> 'delivered')
                 ORDER BY seq LIMIT ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.execute(params![now.minus(KEPT), PRUNED_AT_ONCE, i64::MAX])?)
}
