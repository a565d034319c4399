//! Rows: how nouns are written and read. One file a table; no decisions here.

pub(crate) mod apps;
pub(crate) mod channels;
pub(crate) mod files;
pub(crate) mod ladders;
pub(crate) mod policies;
pub(crate) mod publish_keys;
pub(crate) mod recordings;
pub(crate) mod rooms;
pub(crate) mod sources;
pub(crate) mod targets;

use rusqlite::types::{FromSqlError, ToSql};
use rusqlite::{Connection, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Reason};

/// A value as its JSON column holds it.
fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Reason::OperationInternal, error.to_string()))
}

/// The value of a JSON column.
fn from_json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| FromSqlError::other(error).into())
}

/// All rows of a query.
fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The one row of a query, if there is one.
fn one<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    Ok(rows.next()?.map(&mut read).transpose()?)
}

/// A condition that grows with each filter that is set.
pub(crate) struct Where<'v> {
    sql: String,
    values: Vec<&'v dyn ToSql>,
}

impl<'v> Where<'v> {
    pub(crate) fn new() -> Self {
        Self {
            sql: "1".to_owned(),
            values: Vec::new(),
        }
    }

    /// `condition` holds one `?`; without a value it does not count.
    pub(crate) fn and<T: ToSql>(&mut self, condition: &str, value: &'v Option<T>) {
        if let Some(value) = value {
            self.sql += " AND ";
            self.sql += condition;
            self.values.push(value);
        }
    }

    pub(crate) fn and_sql(&mut self, condition: &str) {
        self.sql += " AND ";
        self.sql += condition;
    }

    fn push(&mut self, value: &'v dyn ToSql) {
        self.values.push(value);
    }
}
