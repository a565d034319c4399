//! `publish_keys`

use rusqlite::{Connection, params};

use super::one;
use crate::clock::UnixMs;
use crate::credential::{Identity, IssuedKey, KeyDigest, KeyUse};
use crate::error::Error;

/// A key and the stream it stands for.
pub(crate) struct Row {
    pub(crate) app_id: String,
    pub(crate) stream: String,
    pub(crate) key: IssuedKey,
}

pub(crate) fn get(db: &Connection, digest: &KeyDigest) -> Result<Option<Row>, Error> {
    let sql =
        "SELECT app_id, stream, room_id, user_id, source, record_id, expires_at, once, used_at
        FROM publish_keys WHERE digest = ?";
    one(db, sql, &[&digest.as_str()], |row| {
        let (room, user): (String, String) = (row.get(2)?, row.get(3)?);
        let identity = Identity::new(room, user, row.get(4)?)
            .map_err(|error| rusqlite::types::FromSqlError::Other(error.into()))?;
        let used: Option<UnixMs> = row.get(8)?;
        let usage = match row.get::<_, bool>(7)? {
            true => KeyUse::Once {
                spent: used.is_some(),
            },
            false => KeyUse::Many,
        };
        let expires: UnixMs = row.get(6)?;
        Ok(Row {
            app_id: row.get(0)?,
            stream: row.get(1)?,
            key: IssuedKey {
                identity,
                record_id: row.get(5)?,
                expires_unix: u64::try_from(expires.seconds()).ok(),
                usage,
            },
        })
    })
}

pub(crate) fn insert(
    db: &Connection,
    digest: &KeyDigest,
    row: &Row,
    expires_at: UnixMs,
) -> Result<(), Error> {
    let sql =
        "INSERT INTO publish_keys (digest, app_id, stream, room_id, user_id, source, record_id,
        expires_at, once) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let identity = &row.key.identity;
    db.prepare_cached(sql)?.execute(params![
        digest.as_str(),
        row.app_id,
        row.stream,
        identity.room(),
        identity.user(),
        identity.source(),
        row.key.record_id,
        expires_at,
        row.key.usage != KeyUse::Many,
    ])?;
    Ok(())
}

/// Notes that a key opened; false when it was for one publish and had opened before.
pub(crate) fn spend(db: &Connection, digest: &KeyDigest, now: UnixMs) -> Result<bool, Error> {
    let sql = "UPDATE publish_keys SET used_at = ?2
        WHERE digest = ?1 AND (once = 0 OR used_at IS NULL)";
    let changed = db
        .prepare_cached(sql)?
        .execute(params![digest.as_str(), now])?;
    Ok(changed > 0)
}

/// Forgets keys that expired before.
pub(crate) fn prune(db: &Connection, before: UnixMs) -> Result<(), Error> {
    let sql = "DELETE FROM publish_keys WHERE digest IN
        (SELECT digest FROM publish_keys WHERE expires_at < ? LIMIT 1000)";
    db.prepare_cached(sql)?.execute([before])?;
    Ok(())
}
