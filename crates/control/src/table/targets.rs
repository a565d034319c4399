//! `targets`

use rusqlite::{Connection, Row, params};

use super::{all, one};
use crate::error::Error;
use crate::id::{ChannelId, TargetId};
use crate::model::Target;

const TARGET: &str = "SELECT target_id, channel_id, url, name, on_fail, state, since, last_error, version FROM targets";

pub(crate) fn get(db: &Connection, id: TargetId) -> Result<Option<Target>, Error> {
    one(db, &format!("{TARGET} WHERE target_id = ?"), &[&id], read)
}

pub(crate) fn of_channel(db: &Connection, channel: ChannelId) -> Result<Vec<Target>, Error> {
    all(
        db,
        &format!("{TARGET} WHERE channel_id = ? ORDER BY target_id"),
        &[&channel],
        read,
    )
}

/// A page of the targets of channels that are not over, behind this id, each with its stream.
pub(crate) fn of_all(
    db: &Connection,
    after: Option<TargetId>,
    limit: u32,
) -> Result<Vec<(Target, String)>, Error> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let sql = "SELECT target_id, targets.channel_id, url, targets.name, on_fail, targets.state, since, last_error,
        targets.version, channels.stream FROM targets JOIN channels USING (channel_id)
        WHERE channels.ended_at IS NULL AND target_id > ? ORDER BY target_id LIMIT ?";
    all(db, sql, &[&after, &limit], |row| {
        Ok((read(row)?, row.get(9)?))
    })
}

pub(crate) fn put(db: &Connection, target: &Target) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO targets
        (target_id, channel_id, url, name, on_fail, state, since, last_error, version)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        target.id,
        target.channel_id,
        target.url,
        target.name,
        target.on_fail,
        target.state,
        target.since,
        target.last_error,
        target.version.cast_signed(),
    ])?;
    Ok(())
}

pub(crate) fn remove(db: &Connection, id: TargetId) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM targets WHERE target_id = ?")?
        .execute([id])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Target> {
    Ok(Target {
        id: row.get(0)?,
        channel_id: row.get(1)?,
        url: row.get(2)?,
        name: row.get(3)?,
        on_fail: row.get(4)?,
        state: row.get(5)?,
        since: row.get(6)?,
        last_error: row.get(7)?,
        version: row.get::<_, i64>(8)?.cast_unsigned(),
    })
}
