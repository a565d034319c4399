//! `rooms`, `members`

use rusqlite::{Connection, Row, params};

use super::{all, one};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::model::{Member, Room};

const ROOM: &str = "SELECT app_id, room_id, kind, relation_id, implicit, created_at, closed_at, version FROM rooms";

pub(crate) fn get(db: &Connection, app_id: &str, room_id: &str) -> Result<Option<Room>, Error> {
    one(
        db,
        &format!("{ROOM} WHERE app_id = ? AND room_id = ?"),
        &[&app_id, &room_id],
        read,
    )
}

/// The newest open room of a group.
pub(crate) fn by_relation(
    db: &Connection,
    app_id: &str,
    relation: u32,
) -> Result<Option<Room>, Error> {
    let sql = format!(
        "{ROOM} WHERE app_id = ? AND relation_id = ? ORDER BY closed_at IS NOT NULL, created_at DESC LIMIT 1"
    );
    one(db, &sql, &[&app_id, &relation], read)
}

/// A page of rooms behind this one, in order of their ids.
pub(crate) fn list(
    db: &Connection,
    app_id: &str,
    relation: Option<u32>,
    after: &str,
    limit: u32,
) -> Result<Vec<Room>, Error> {
    let sql = format!(
        "{ROOM} WHERE app_id = ?1 AND room_id > ?2 AND (?3 IS NULL OR relation_id = ?3) ORDER BY room_id LIMIT ?4"
    );
    all(db, &sql, &[&app_id, &after, &relation, &limit], read)
}

pub(crate) fn put(db: &Connection, room: &Room, now: UnixMs) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO rooms
        (app_id, room_id, kind, relation_id, implicit, created_at, closed_at, active_at, version)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        room.app_id,
        room.room_id,
        room.kind,
        room.relation_id,
        room.implicit,
        room.created_at,
        room.closed_at,
        now,
        room.version.cast_signed(),
    ])?;
    Ok(())
}

/// Somebody publishes there, or did until now.
pub(crate) fn set_active(
    db: &Connection,
    app_id: &str,
    room_id: &str,
    now: UnixMs,
) -> Result<(), Error> {
    let sql = "UPDATE rooms SET active_at = ? WHERE app_id = ? AND room_id = ?";
    db.prepare_cached(sql)?
        .execute(params![now, app_id, room_id])?;
    Ok(())
}

/// Closes rooms that nobody declared and where nothing has happened since `before`.
pub(crate) fn close_idle(db: &Connection, before: UnixMs, now: UnixMs) -> Result<usize, Error> {
    let sql = "UPDATE rooms SET closed_at = ?1, version = version + 1
        WHERE implicit AND closed_at IS NULL AND active_at < ?2
        AND NOT EXISTS (SELECT 1 FROM sources WHERE session IS NOT NULL
            AND sources.app_id = rooms.app_id AND sources.room_id = rooms.room_id)
        AND NOT EXISTS (SELECT 1 FROM channels WHERE ended_at IS NULL
            AND channels.app_id = rooms.app_id AND channels.room_id = rooms.room_id)";
    Ok(db.prepare_cached(sql)?.execute(params![now, before])?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Room> {
    Ok(Room {
        app_id: row.get(0)?,
        room_id: row.get(1)?,
        kind: row.get(2)?,
        relation_id: row.get(3)?,
        implicit: row.get(4)?,
        created_at: row.get(5)?,
        closed_at: row.get(6)?,
        version: row.get::<_, i64>(7)?.cast_unsigned(),
    })
}

const MEMBER: &str =
    "SELECT user_id, joined_at, left_at FROM members WHERE app_id = ? AND room_id = ?";

pub(crate) fn member(
    db: &Connection,
    app_id: &str,
    room_id: &str,
    user_id: &str,
) -> Result<Option<Member>, Error> {
    one(
        db,
        &format!("{MEMBER} AND user_id = ?"),
        &[&app_id, &room_id, &user_id],
        read_member,
    )
}

pub(crate) fn members(db: &Connection, app_id: &str, room_id: &str) -> Result<Vec<Member>, Error> {
    let sql = format!("{MEMBER} AND left_at IS NULL ORDER BY user_id LIMIT 10000");
    all(db, &sql, &[&app_id, &room_id], read_member)
}

pub(crate) fn put_member(
    db: &Connection,
    app_id: &str,
    room_id: &str,
    member: &Member,
) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO members (app_id, room_id, user_id, joined_at, left_at) VALUES (?, ?, ?, ?, ?)";
    let values = params![
        app_id,
        room_id,
        member.user_id,
        member.joined_at,
        member.left_at
    ];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn read_member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        user_id: row.get(0)?,
        joined_at: row.get(1)?,
        left_at: row.get(2)?,
    })
}
