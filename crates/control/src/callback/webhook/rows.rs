//! Endpoints in the database.

use std::time::Duration;

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{ActiveSecret, Webhook, wants};
use crate::callback::Secret;
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::event::Event;
use crate::id::WebhookId;

const COLUMNS: &str = "webhook_id, origin, url, profile, types, scope, ack, timeout_ms, max_age_ms, secrets, state, \
                       disabled_reason, failing_since, created_at, version";

/// Endpoints that there may be. Bounds: the work that one event causes.
const MAX_WEBHOOKS: u32 = 100;

/// Stores a new endpoint.
pub(crate) fn insert(connection: &Connection, webhook: &Webhook) -> Result<(), Error> {
    let count: u32 = connection.query_row("SELECT count(*) FROM webhooks", [], |row| row.get(0))?;
    if count >= MAX_WEBHOOKS {
        let detail = format!(
            "there are {count} endpoints already, at most {MAX_WEBHOOKS}; delete one first"
        );
        return Err(Error::new(Reason::RateLimited, detail));
    }
    write(connection, webhook)
}

/// Stores a changed endpoint.
pub(crate) fn update(connection: &Connection, webhook: &Webhook) -> Result<(), Error> {
    write(connection, webhook)
}

fn write(connection: &Connection, webhook: &Webhook) -> Result<(), Error> {
    let secrets: Vec<_> = webhook
        .secrets
        .iter()
        .map(|it| (it.secret.expose(), it.until.map(|until| until.0)))
        .collect();
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let sql = format!(
        "INSERT OR REPLACE INTO webhooks ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
    );
    connection.prepare_cached(&sql)?.execute(params![
        webhook.id,
        webhook.origin,
        webhook.url,
        webhook.profile,
        webhook.types.join(" "),
        serde_json::to_string(&webhook.scope).expect("strings only"),
        webhook.acknowledgement,
        millis(webhook.timeout),
        webhook.max_age.map(millis),
        serde_json::to_string(&secrets).expect("strings and numbers only"),
        webhook.state,
        webhook.disabled_reason,
        webhook.failing_since,
        webhook.created_at,
        webhook.version.cast_signed(),
    ])?;
    Ok(())
}

/// Removes an endpoint and all that waits for it; false if there is none.
pub(crate) fn remove(connection: &Connection, id: WebhookId) -> Result<bool, Error> {
    connection.execute(
        "DELETE FROM delivery_attempts WHERE delivery IN (SELECT number FROM deliveries WHERE webhook_id = ?1)",
        [id],
    )?;
    connection.execute("DELETE FROM deliveries WHERE webhook_id = ?1", [id])?;
    Ok(connection.execute("DELETE FROM webhooks WHERE webhook_id = ?1", [id])? > 0)
}

/// One endpoint.
pub(crate) fn by_id(connection: &Connection, id: WebhookId) -> Result<Option<Webhook>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE webhook_id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// All endpoints in the order of their making.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Webhook>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks ORDER BY webhook_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The active endpoints that want an event.
pub(crate) fn who_wants(connection: &Connection, event: &Event) -> Result<Vec<WebhookId>, Error> {
    let sql = "SELECT webhook_id, types, scope, profile FROM webhooks WHERE state = 'active'";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        let (types, scope): (String, String) = (row.get(1)?, row.get(2)?);
        let scope = serde_json::from_str(&scope).unwrap_or_default();
        if wants(types.split(' '), &scope, row.get(3)?, event) {
            ids.push(row.get(0)?);
        }
    }
    Ok(ids)
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(count.cast_unsigned())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let (types, scope, secrets): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(9)?);
    let other = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::from(FromSqlError::Other(error))
    };
    let secrets: Vec<(String, Option<i64>)> =
        serde_json::from_str(&secrets).map_err(|error| other(error.into()))?;
    let secrets = secrets.into_iter().map(|(text, until)| {
        let secret = Secret::parse(&text).map_err(|error| other(error.into()))?;
        Ok(ActiveSecret {
            secret,
            until: until.map(UnixMs),
        })
    });
    Ok(Webhook {
        id: row.get(0)?,
        origin: row.get(1)?,
        url: row.get(2)?,
        profile: row.get(3)?,
        types: types.split(' ').map(str::to_owned).collect(),
        scope: serde_json::from_str(&scope).map_err(|error| other(error.into()))?,
        acknowledgement: row.get(6)?,
        timeout: millis(row.get(7)?),
        max_age: row.get::<_, Option<i64>>(8)?.map(millis),
        secrets: secrets.collect::<rusqlite::Result<_>>()?,
        state: row.get(10)?,
        disabled_reason: row.get(11)?,
        failing_since: row.get(12)?,
        created_at: row.get(13)?,
        version: row.get::<_, i64>(14)?.cast_unsigned(),
    })
}
