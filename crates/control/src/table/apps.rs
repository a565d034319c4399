//! `apps`

use rusqlite::{Connection, params};

use super::one;
use crate::error::Error;

/// An app, as far as calls ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct App {
    pub(crate) bizid: String,
    pub(crate) enabled: bool,
    pub(crate) arrears: bool,
}

pub(crate) fn get(db: &Connection, app_id: &str) -> Result<Option<App>, Error> {
    let sql = "SELECT bizid, enabled, arrears FROM apps WHERE app_id = ?";
    one(db, sql, &[&app_id], |row| {
        Ok(App {
            bizid: row.get(0)?,
            enabled: row.get(1)?,
            arrears: row.get(2)?,
        })
    })
}

pub(crate) fn put(db: &Connection, app_id: &str, app: &App) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO apps (app_id, bizid, enabled, arrears) VALUES (?, ?, ?, ?)";
    db.prepare_cached(sql)?
        .execute(params![app_id, app.bizid, app.enabled, app.arrears])?;
    Ok(())
}
