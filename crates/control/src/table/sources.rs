//! `sources`

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params};

use super::{all, from_json, json, one};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::model::{Source, SourceState};
use crate::request::SourceFilter;

const SOURCE: &str =
    "SELECT stream, app_id, room_id, user_id, source, session, forbidden_until, forbid_reason,
    last_start_at, created_at, offline_since FROM sources";

pub(crate) fn get(db: &Connection, stream: &str) -> Result<Option<SourceState>, Error> {
    one(db, &format!("{SOURCE} WHERE stream = ?"), &[&stream], read)
}

pub(crate) fn of_member(
    db: &Connection,
    (app_id, room_id, user_id, source): (&str, &str, &str, Source),
) -> Result<Option<SourceState>, Error> {
    let sql = format!("{SOURCE} WHERE app_id = ? AND room_id = ? AND user_id = ? AND source = ?");
    one(db, &sql, &[&app_id, &room_id, &user_id, &source], read)
}

/// Sources that publish.
pub(crate) fn publishing(db: &Connection) -> Result<Vec<SourceState>, Error> {
    all(
        db,
        &format!("{SOURCE} WHERE session IS NOT NULL"),
        &[],
        read,
    )
}

/// A page of sources behind this stream.
pub(crate) fn list(
    db: &Connection,
    filter: &SourceFilter,
    now: UnixMs,
    after: &str,
    limit: u32,
) -> Result<Vec<SourceState>, Error> {
    let mut sql = format!("{SOURCE} WHERE stream > ?");
    let mut values: Vec<&dyn ToSql> = vec![&after];
    if let Some(app_id) = &filter.app_id {
        sql += " AND app_id = ?";
        values.push(app_id);
    }
    if let Some(room_id) = &filter.room_id {
        sql += " AND room_id = ?";
        values.push(room_id);
    }
    if filter.publishing {
        sql += " AND session IS NOT NULL";
    }
    if filter.forbidden {
        sql += " AND forbidden_until > ?";
        values.push(&now);
    }
    sql += " ORDER BY stream LIMIT ?";
    values.push(&limit);
    all(db, &sql, &values, read)
}

pub(crate) fn put(db: &Connection, source: &SourceState) -> Result<(), Error> {
    let sql =
        "INSERT INTO sources (stream, app_id, room_id, user_id, source, session, forbidden_until,
            forbid_reason, last_start_at, created_at, offline_since)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (stream) DO UPDATE SET session = ?6, forbidden_until = ?7, forbid_reason = ?8,
            last_start_at = ?9, offline_since = ?11";
    db.prepare_cached(sql)?.execute(params![
        source.stream,
        source.app_id,
        source.room_id,
        source.user_id,
        source.source,
        source.session.as_ref().map(json).transpose()?,
        source.forbidden_until,
        source.forbid_reason,
        source.last_start_at,
        source.created_at,
        source.offline_since,
    ])?;
    Ok(())
}

/// Forgets sources that were not heard of since `before` and that nothing refers to.
pub(crate) fn prune(db: &Connection, before: UnixMs) -> Result<usize, Error> {
    let sql = "DELETE FROM sources WHERE stream IN (
        SELECT stream FROM sources WHERE session IS NULL AND created_at < ?1
        AND coalesce(last_start_at, 0) < ?1 AND coalesce(offline_since, 0) < ?1
        AND coalesce(forbidden_until, 0) < ?1
        AND NOT EXISTS (SELECT 1 FROM channels WHERE channels.stream = sources.stream) LIMIT 1000)";
    Ok(db.prepare_cached(sql)?.execute([before])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<SourceState> {
    let session: Option<String> = row.get(5)?;
    Ok(SourceState {
        stream: row.get(0)?,
        app_id: row.get(1)?,
        room_id: row.get(2)?,
        user_id: row.get(3)?,
        source: row.get(4)?,
        session: session.as_deref().map(from_json).transpose()?,
        forbidden_until: row.get(6)?,
        forbid_reason: row.get(7)?,
        last_start_at: row.get(8)?,
        created_at: row.get(9)?,
        offline_since: row.get(10)?,
    })
}
