//! A few read-only connections, used on blocking threads.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open;
use crate::error::{Error, Reason};

/// Queries at once; more wait.
const CONNECTIONS: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    turn: Semaphore,
    // Guards the connections that nobody uses.
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            turn: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
        }
    }

    pub(super) async fn run<T, F>(self: Arc<Self>, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let turn = self.turn.acquire().await.map_err(|_| super::closed())?;
        let this = Arc::clone(&self);
        let answer = tokio::task::spawn_blocking(move || this.answer(query)).await;
        drop(turn);
        answer.unwrap_or_else(|_| Err(Error::new(Reason::OperationInternal, "a query broke off")))
    }

    fn answer<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::reader(&self.path)?,
        };
        // One snapshot for all statements of the query.
        connection.execute_batch("BEGIN")?;
        let answer = query(&connection);
        if connection.execute_batch("COMMIT").is_ok() {
            self.idle().push(connection);
        }
        answer
    }

    /// Lets no more queries in and closes what is idle.
    pub(super) fn close(&self) {
        self.turn.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
