//! `recordings`

use rusqlite::{Connection, Row, params};

use super::{Where, all, from_json, json, one};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::{ChannelId, RecordingId};
use crate::model::Recording;

const RECORDING: &str =
    "SELECT recording_id, task_id, channel_id, stream, app_id, room_id, user_id, source, origin,
    state, spec, created_at, start_at, end_at, started_at, ended_at, cause FROM recordings";

pub(crate) fn get(db: &Connection, id: RecordingId) -> Result<Option<Recording>, Error> {
    one(
        db,
        &format!("{RECORDING} WHERE recording_id = ?"),
        &[&id],
        read,
    )
}

/// The recording that the recorder made by itself under this id.
pub(crate) fn by_plane_id(db: &Connection, plane_id: &str) -> Result<Option<Recording>, Error> {
    one(
        db,
        &format!("{RECORDING} WHERE plane_id = ?"),
        &[&plane_id],
        read,
    )
}

/// Recordings of a stream that are not over.
pub(crate) fn running(db: &Connection, stream: &str) -> Result<Vec<Recording>, Error> {
    all(
        db,
        &format!("{RECORDING} WHERE stream = ? AND ended_at IS NULL ORDER BY task_id"),
        &[&stream],
        read,
    )
}

/// All recordings that are not over.
pub(crate) fn all_running(db: &Connection) -> Result<Vec<Recording>, Error> {
    all(
        db,
        &format!("{RECORDING} WHERE ended_at IS NULL"),
        &[],
        read,
    )
}

pub(crate) fn of_channel(
    db: &Connection,
    channel: ChannelId,
    stream: &str,
) -> Result<Vec<Recording>, Error> {
    let sql = format!(
        "{RECORDING} WHERE stream = ? AND ended_at IS NULL AND channel_id = ? ORDER BY task_id"
    );
    all(db, &sql, &[&stream, &channel], read)
}

/// Scheduled ones whose time has come.
pub(crate) fn to_start(db: &Connection, now: UnixMs) -> Result<Vec<Recording>, Error> {
    let sql = format!("{RECORDING} WHERE NOT begun AND start_at <= ? LIMIT 1000");
    all(db, &sql, &[&now], read)
}

/// Its time has come, and the media side was told.
pub(crate) fn set_begun(db: &Connection, id: RecordingId) -> Result<(), Error> {
    db.prepare_cached("UPDATE recordings SET begun = 1 WHERE recording_id = ?")?
        .execute([id])?;
    Ok(())
}

/// Those whose time is over.
pub(crate) fn to_end(db: &Connection, now: UnixMs) -> Result<Vec<Recording>, Error> {
    let sql = format!(
        "{RECORDING} WHERE ended_at IS NULL AND end_at <= ? AND state != 'finalizing' LIMIT 1000"
    );
    all(db, &sql, &[&now], read)
}

/// Those without a channel whose source does not publish since before this moment.
pub(crate) fn idle(db: &Connection, before: UnixMs) -> Result<Vec<Recording>, Error> {
    let sql = format!(
        "{RECORDING} WHERE ended_at IS NULL AND channel_id IS NULL AND state != 'finalizing' AND start_at IS NULL
         AND EXISTS (SELECT 1 FROM sources WHERE sources.stream = recordings.stream
            AND session IS NULL AND offline_since < ?) LIMIT 1000"
    );
    all(db, &sql, &[&before], read)
}

/// A page of recordings, newest first.
pub(crate) fn list<'v>(
    db: &Connection,
    mut filter: Where<'v>,
    limit: &'v u32,
) -> Result<Vec<Recording>, Error> {
    filter.push(limit);
    let sql = format!(
        "{RECORDING} WHERE {} ORDER BY task_id DESC LIMIT ?",
        filter.sql
    );
    all(db, &sql, &filter.values, read)
}

/// Writes a new one and gives it its number.
pub(crate) fn insert(
    db: &Connection,
    recording: &mut Recording,
    plane_id: Option<&str>,
) -> Result<(), Error> {
    let sql = "INSERT INTO recordings (recording_id, channel_id, stream, app_id, room_id, user_id, source, origin,
            state, spec, created_at, start_at, end_at, started_at, ended_at, cause, plane_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        recording.id,
        recording.channel_id,
        recording.stream,
        recording.app_id,
        recording.room_id,
        recording.user_id,
        recording.source,
        recording.origin,
        recording.state,
        json(&recording.spec)?,
        recording.created_at,
        recording.start_at,
        recording.end_at,
        recording.started_at,
        recording.ended_at,
        recording.cause.as_ref().map(json).transpose()?,
        plane_id,
    ])?;
    recording.task_id = u32::try_from(db.last_insert_rowid()).unwrap_or(u32::MAX);
    Ok(())
}

pub(crate) fn update(db: &Connection, recording: &Recording) -> Result<(), Error> {
    let sql = "UPDATE recordings SET state = ?2, spec = ?3, end_at = ?4, started_at = ?5, ended_at = ?6, cause = ?7
        WHERE recording_id = ?1";
    db.prepare_cached(sql)?.execute(params![
        recording.id,
        recording.state,
        json(&recording.spec)?,
        recording.end_at,
        recording.started_at,
        recording.ended_at,
        recording.cause.as_ref().map(json).transpose()?,
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Recording> {
    let cause: Option<String> = row.get(16)?;
    Ok(Recording {
        id: row.get(0)?,
        task_id: row.get(1)?,
        channel_id: row.get(2)?,
        stream: row.get(3)?,
        app_id: row.get(4)?,
        room_id: row.get(5)?,
        user_id: row.get(6)?,
        source: row.get(7)?,
        origin: row.get(8)?,
        state: row.get(9)?,
        spec: from_json(&row.get::<_, String>(10)?)?,
        created_at: row.get(11)?,
        start_at: row.get(12)?,
        end_at: row.get(13)?,
        started_at: row.get(14)?,
        ended_at: row.get(15)?,
        cause: cause.as_deref().map(from_json).transpose()?,
    })
}
