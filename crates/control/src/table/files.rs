//! `files`

use rusqlite::{Connection, Row, params};

use super::{Where, all, from_json, json, one};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::id::{FileId, RecordingId};
use crate::model::File;

const FILE: &str =
    "SELECT file_id, number, recording_id, stream, app_id, room_id, user_id, path, name, record_id,
    start_at, end_at, size, body, deleted_at FROM files";

pub(crate) fn get(db: &Connection, id: FileId) -> Result<Option<File>, Error> {
    one(db, &format!("{FILE} WHERE file_id = ?"), &[&id], read)
}

/// Whether the recorder told of this file already.
pub(crate) fn is_known(db: &Connection, plane_id: &str, path: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM files WHERE plane_id = ? AND path = ?";
    Ok(db.prepare_cached(sql)?.exists([plane_id, path])?)
}

pub(crate) fn of_recording(db: &Connection, recording: RecordingId) -> Result<Vec<File>, Error> {
    all(
        db,
        &format!("{FILE} WHERE recording_id = ? ORDER BY number"),
        &[&recording],
        read,
    )
}

/// A page of files, newest first.
pub(crate) fn list<'v>(
    db: &Connection,
    mut filter: Where<'v>,
    limit: &'v u32,
) -> Result<Vec<File>, Error> {
    filter.push(limit);
    let sql = format!("{FILE} WHERE {} ORDER BY number DESC LIMIT ?", filter.sql);
    all(db, &sql, &filter.values, read)
}

pub(crate) fn insert(db: &Connection, file: &File, plane_id: &str) -> Result<(), Error> {
    let sql = "INSERT INTO files (number, file_id, recording_id, plane_id, path, stream, app_id, room_id, user_id,
            name, record_id, start_at, end_at, size, body)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        file.number.cast_signed(),
        file.id,
        file.recording_id,
        plane_id,
        file.path,
        file.stream,
        file.app_id,
        file.room_id,
        file.user_id,
        file.name,
        file.record_id,
        file.start_at,
        file.end_at,
        file.size.cast_signed(),
        json(&file.body)?,
    ])?;
    Ok(())
}

pub(crate) fn set_deleted(db: &Connection, id: FileId, now: UnixMs) -> Result<(), Error> {
    let sql = "UPDATE files SET deleted_at = ? WHERE file_id = ?";
    db.prepare_cached(sql)?.execute(params![now, id])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<File> {
    Ok(File {
        id: row.get(0)?,
        number: row.get::<_, i64>(1)?.cast_unsigned(),
        recording_id: row.get(2)?,
        stream: row.get(3)?,
        app_id: row.get(4)?,
        room_id: row.get(5)?,
        user_id: row.get(6)?,
        path: row.get(7)?,
        name: row.get(8)?,
        record_id: row.get(9)?,
        start_at: row.get(10)?,
        end_at: row.get(11)?,
        size: row.get::<_, i64>(12)?.cast_unsigned(),
        body: from_json(&row.get::<_, String>(13)?)?,
        deleted_at: row.get(14)?,
    })
}
