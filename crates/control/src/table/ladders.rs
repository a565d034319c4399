//! `ladders`

use rusqlite::{Connection, params};

use super::{all, from_json, json};
use crate::error::Error;
use crate::model::Ladder;

pub(crate) fn list(db: &Connection) -> Result<Vec<Ladder>, Error> {
    let sql = "SELECT name, rungs FROM ladders ORDER BY name";
    all(db, sql, &[], |row| {
        Ok(Ladder {
            name: row.get(0)?,
            rungs: from_json(&row.get::<_, String>(1)?)?,
        })
    })
}

pub(crate) fn put(db: &Connection, ladder: &Ladder) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO ladders (name, rungs) VALUES (?, ?)";
    db.prepare_cached(sql)?
        .execute(params![ladder.name, json(&ladder.rungs)?])?;
    Ok(())
}

pub(crate) fn remove(db: &Connection, name: &str) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM ladders WHERE name = ?", [name])? > 0)
}
