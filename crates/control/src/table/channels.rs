//! `channels`

use rusqlite::{Connection, Row, params};

use super::{Where, all, from_json, json, one};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::ChannelId;
use crate::model::Channel;

const CHANNEL: &str =
    "SELECT channel_id, stream, app_id, room_id, user_id, source, origin, state, spec, created_at,
    started_at, due_at, ended_at, reserved_until, cause, sequence, version FROM channels";

pub(crate) fn get(db: &Connection, id: ChannelId) -> Result<Option<Channel>, Error> {
    one(db, &format!("{CHANNEL} WHERE channel_id = ?"), &[&id], read)
}

/// The channel of a stream that is not over.
pub(crate) fn running(db: &Connection, stream: &str) -> Result<Option<Channel>, Error> {
    one(
        db,
        &format!("{CHANNEL} WHERE stream = ? AND ended_at IS NULL"),
        &[&stream],
        read,
    )
}

/// The newest channel of a stream.
pub(crate) fn last(db: &Connection, stream: &str) -> Result<Option<Channel>, Error> {
    one(
        db,
        &format!("{CHANNEL} WHERE stream = ? ORDER BY channel_id DESC LIMIT 1"),
        &[&stream],
        read,
    )
}

/// The channels of a user that are not over.
pub(crate) fn of_user(db: &Connection, app_id: &str, user_id: &str) -> Result<Vec<Channel>, Error> {
    let sql = format!(
        "{CHANNEL} WHERE app_id = ? AND user_id = ? AND ended_at IS NULL ORDER BY channel_id"
    );
    all(db, &sql, &[&app_id, &user_id], read)
}

/// The channels of a room that are not over.
pub(crate) fn of_room(db: &Connection, app_id: &str, room_id: &str) -> Result<Vec<Channel>, Error> {
    let sql = format!(
        "{CHANNEL} WHERE app_id = ? AND room_id = ? AND ended_at IS NULL ORDER BY channel_id"
    );
    all(db, &sql, &[&app_id, &room_id], read)
}

/// All channels that are not over.
pub(crate) fn all_running(db: &Connection) -> Result<Vec<Channel>, Error> {
    all(db, &format!("{CHANNEL} WHERE ended_at IS NULL"), &[], read)
}

pub(crate) fn count_running(db: &Connection, app_id: &str) -> Result<u32, Error> {
    let sql = "SELECT count(*) FROM channels WHERE app_id = ? AND ended_at IS NULL";
    Ok(db
        .prepare_cached(sql)?
        .query_row([app_id], |row| row.get(0))?)
}

/// Channels whose wait is over.
pub(crate) fn due(db: &Connection, now: UnixMs) -> Result<Vec<Channel>, Error> {
    all(
        db,
        &format!("{CHANNEL} WHERE due_at <= ? LIMIT 1000"),
        &[&now],
        read,
    )
}

/// A page of channels, newest first, before this one.
pub(crate) fn list<'v>(
    db: &Connection,
    mut filter: Where<'v>,
    limit: &'v u32,
) -> Result<Vec<Channel>, Error> {
    filter.push(limit);
    let sql = format!(
        "{CHANNEL} WHERE {} ORDER BY channel_id DESC LIMIT ?",
        filter.sql
    );
    all(db, &sql, &filter.values, read)
}

pub(crate) fn insert(db: &Connection, channel: &Channel) -> Result<(), Error> {
    let sql = "INSERT INTO channels (channel_id, stream, app_id, room_id, user_id, source, origin, state, spec,
            created_at, started_at, due_at, ended_at, reserved_until, cause, sequence, version)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        channel.id,
        channel.stream,
        channel.app_id,
        channel.room_id,
        channel.user_id,
        channel.source,
        channel.origin,
        channel.state,
        json(&channel.spec)?,
        channel.created_at,
        channel.started_at,
        channel.due_at,
        channel.ended_at,
        channel.reserved_until,
        channel.cause.as_ref().map(json).transpose()?,
        channel.sequence.map(u64::cast_signed),
        channel.version.cast_signed(),
    ])?;
    Ok(())
}

pub(crate) fn update(db: &Connection, channel: &Channel) -> Result<(), Error> {
    let sql = "UPDATE channels SET origin = ?2, state = ?3, spec = ?4, started_at = ?5, due_at = ?6, ended_at = ?7,
            reserved_until = ?8, cause = ?9, sequence = ?10, version = ?11 WHERE channel_id = ?1";
    db.prepare_cached(sql)?.execute(params![
        channel.id,
        channel.origin,
        channel.state,
        json(&channel.spec)?,
        channel.started_at,
        channel.due_at,
        channel.ended_at,
        channel.reserved_until,
        channel.cause.as_ref().map(json).transpose()?,
        channel.sequence.map(u64::cast_signed),
        channel.version.cast_signed(),
    ])?;
    Ok(())
}

/// Forgets channels that ended before, and their targets.
pub(crate) fn prune(db: &Connection, before: UnixMs) -> Result<usize, Error> {
    let sql = "DELETE FROM targets WHERE channel_id IN
        (SELECT channel_id FROM channels WHERE ended_at < ?1 ORDER BY ended_at LIMIT 1000)";
    db.prepare_cached(sql)?.execute([before])?;
    let sql = "DELETE FROM channels WHERE channel_id IN
        (SELECT channel_id FROM channels WHERE ended_at < ?1 ORDER BY ended_at LIMIT 1000)";
    Ok(db.prepare_cached(sql)?.execute([before])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Channel> {
    let cause: Option<String> = row.get(14)?;
    Ok(Channel {
        id: row.get(0)?,
        stream: row.get(1)?,
        app_id: row.get(2)?,
        room_id: row.get(3)?,
        user_id: row.get(4)?,
        source: row.get(5)?,
        origin: row.get(6)?,
        state: row.get(7)?,
        spec: from_json(&row.get::<_, String>(8)?)?,
        created_at: row.get(9)?,
        started_at: row.get(10)?,
        due_at: row.get(11)?,
        ended_at: row.get(12)?,
        reserved_until: row.get(13)?,
        cause: cause.as_deref().map(from_json).transpose()?,
        sequence: row.get::<_, Option<i64>>(15)?.map(i64::cast_unsigned),
        version: row.get::<_, i64>(16)?.cast_unsigned(),
    })
}
