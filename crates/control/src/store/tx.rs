//! A transaction as jobs see it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Notify;

use crate::clock::UnixMs;
use crate::error::Error;
use crate::event::{self, Event, NewEvent};

/// A transaction that runs: SQL by `Deref`, events, and marks for the driver.
pub struct Tx<'c> {
    connection: &'c Connection,
    now: UnixMs,
    last_seq: u64,
    touched: Vec<String>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection, now: UnixMs) -> Self {
        Self {
            connection,
            now,
            last_seq: 0,
            touched: Vec::new(),
        }
    }

    /// The moment at which this job began; never earlier than that of an earlier job.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// Writes an event with the state change that it tells of.
    ///
    /// # Errors
    /// Trouble with the database.
    pub fn event(&mut self, event: NewEvent) -> Result<Event, Error> {
        let event = event::append(self.connection, self.now, event)?;
        self.last_seq = event.seq;
        Ok(event)
    }

    /// What should be for this stream may have changed: once committed, the media plane is told.
    pub fn touch(&mut self, stream: &str) {
        self.touched.push(stream.to_owned());
    }

    /// The newest event written, 0 for none, and the streams touched.
    pub(super) fn into_marks(self) -> (u64, Vec<String>) {
        (self.last_seq, self.touched)
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The place of the newest event that there ever was.
pub(super) fn last_seq(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let sql = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
    let last: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(last.cast_unsigned())
}

/// Streams touched and not yet looked at: a set, bounded by the streams there are.
#[derive(Default)]
pub(super) struct Touched {
    // Guards the set.
    streams: Mutex<BTreeSet<String>>,
    wake: Notify,
}

impl Touched {
    pub(super) fn add(&self, streams: Vec<String>) {
        if streams.is_empty() {
            return;
        }
        let mut set = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        set.extend(streams);
        drop(set);
        self.wake.notify_one();
    }

    pub(super) async fn take(&self) -> Vec<String> {
        loop {
            let set = {
                let mut set = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *set)
            };
            if !set.is_empty() {
                return set.into_iter().collect();
            }
            self.wake.notified().await;
        }
    }
}
