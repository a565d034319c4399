//! Answers of earlier requests, by the key that their caller gave.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::Control;
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::request::{Idempotency, StoredAnswer};
use crate::store::Tx;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_hours(24);
/// Longest key, in bytes.
const KEY: usize = 255;

impl Control {
    /// Takes a key for a request. `scope` keeps callers apart, `fingerprint` is what makes requests the
    /// same. After [`Idempotency::New`] the caller has to call [`Control::idempotent_answer`], or
    /// [`Control::idempotent_give_up`] when there is no answer.
    ///
    /// # Errors
    /// [`Reason::IdempotencyKeyReused`], [`Reason::IdempotentInProgress`], a key of a bad length.
    pub async fn idempotent(
        &self,
        scope: String,
        key: String,
        fingerprint: Vec<u8>,
    ) -> Result<Idempotency, Error> {
        if key.is_empty() || key.len() > KEY {
            return Err(Error::field(
                "",
                format!("an idempotency key has 1 to {KEY} bytes"),
            ));
        }
        self.write(move |tx, _| {
            forget_old(tx, &scope, &key)?;
            let sql = "SELECT fingerprint, status, head, body FROM idempotency WHERE scope = ? AND key = ?";
            let found = tx.prepare_cached(sql)?.query_row([&scope, &key], |row| {
                let known: Vec<u8> = row.get(0)?;
                let status: Option<u16> = row.get(1)?;
                let head: Option<String> = row.get(2)?;
                let body: Option<Vec<u8>> = row.get(3)?;
                Ok((known, status, head.unwrap_or_default(), body.unwrap_or_default()))
            });
            match found.optional()? {
                None => {
                    let sql = "INSERT INTO idempotency (scope, key, fingerprint, created_at) VALUES (?, ?, ?, ?)";
                    tx.prepare_cached(sql)?.execute(params![scope, key, fingerprint, tx.now()])?;
                    Ok(Idempotency::New)
                }
                Some((known, ..)) if known != fingerprint => {
                    let detail = "this Idempotency-Key came with another request before; use a new key";
                    Err(Error::new(Reason::IdempotencyKeyReused, detail))
                }
                Some((_, None, ..)) => {
                    let detail = "the request with this Idempotency-Key still runs";
                    Err(Error::new(Reason::IdempotentInProgress, detail).retry_after(Duration::from_secs(1)))
                }
                Some((_, Some(status), head, body)) => {
                    Ok(Idempotency::Replay(StoredAnswer { status, head, body }))
                }
            }
        })
        .await
    }

    /// Stores the answer of a request.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn idempotent_answer(
        &self,
        scope: String,
        key: String,
        answer: StoredAnswer,
    ) -> Result<(), Error> {
        self.write(move |tx, _| {
            let sql =
                "UPDATE idempotency SET status = ?, head = ?, body = ? WHERE scope = ? AND key = ?";
            let StoredAnswer { status, head, body } = answer;
            tx.prepare_cached(sql)?
                .execute(params![status, head, body, scope, key])?;
            Ok(())
        })
        .await
    }

    /// Frees a key whose request had no answer worth keeping.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn idempotent_give_up(&self, scope: String, key: String) -> Result<(), Error> {
        self.write(move |tx, _| {
            let sql = "DELETE FROM idempotency WHERE scope = ? AND key = ? AND status IS NULL";
            tx.prepare_cached(sql)?.execute([&scope, &key])?;
            Ok(())
        })
        .await
    }
}

fn forget_old(tx: &Tx<'_>, scope: &str, key: &str) -> Result<(), Error> {
    let sql = "DELETE FROM idempotency WHERE scope = ? AND key = ? AND created_at < ?";
    tx.prepare_cached(sql)?
        .execute(params![scope, key, tx.now().minus(KEPT)])?;
    Ok(())
}

/// Requests that an earlier process left without an answer.
pub(super) fn forget_running(db: &Connection) -> Result<(), Error> {
    db.execute("DELETE FROM idempotency WHERE status IS NULL", [])?;
    Ok(())
}

pub(super) fn prune(db: &Connection, now: UnixMs) -> Result<(), Error> {
    let sql = "DELETE FROM idempotency WHERE created_at < ?";
    db.prepare_cached(sql)?.execute([now.minus(KEPT)])?;
    Ok(())
}
