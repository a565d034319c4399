//! The embedded database: one writer thread with group commit, a few readers.
//!
//! ```text
//!  write(job) ──▶ bounded queue ──▶ writer thread:  BEGIN
//!  write(job) ──▶                      each job in a savepoint
//!                                   COMMIT (one fsync for all) ──▶ answers, then watchers
//!  read(query) ─▶ pool of read-only connections on blocking threads
//! ```
//!
//! - A job answers only after its commit is on the disk. One that fails leaves no trace and
//!   disturbs no other of its group; when the commit itself fails, all of the group fail.
//! - WAL, `synchronous = FULL`. A second process is kept out by a lock file.
//! - A store without a file (open mode) runs reads on the writer thread as well.

mod migrations;
mod open;
mod readers;
#[cfg(test)]
mod tests;
mod tx;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

pub use open::OpenError;
pub use tx::Tx;

use crate::clock::Clock;
use crate::error::{Error, Reason};
use readers::Readers;
use writer::Message;

/// Calls that wait for the writer; more wait at the door. Bounds: memory under a storm.
const QUEUE: usize = 1_024;

/// The database. Clones share it; the last one closes it.
#[derive(Clone)]
pub struct Store {
    queue: mpsc::Sender<Message>,
    /// `None` without a file.
    readers: Option<Arc<Readers>>,
    news: watch::Receiver<u64>,
    touched: Arc<tx::Touched>,
}

impl Store {
    /// Opens the database file, makes it or brings it up to date.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the file and what to do; it is left as it was.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (connection, lock) = open::file(path, clock.now())?;
        let readers = Readers::new(path.to_owned());
        Self::start(connection, Some(lock), Some(readers), clock)
    }

    /// A database that lasts as long as the process.
    ///
    /// # Errors
    /// [`OpenError::Sqlite`] without memory, [`OpenError::Thread`].
    pub fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::start(open::memory()?, None, None, clock)
    }

    fn start(
        connection: Connection,
        lock: Option<std::fs::File>,
        readers: Option<Readers>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let last: u64 = tx::last_seq(&connection)?;
        let (news_in, news) = watch::channel(last);
        let touched = Arc::<tx::Touched>::default();
        let writer = writer::Writer {
            connection,
            lock,
            clock,
            news: news_in,
            touched: Arc::clone(&touched),
        };
        std::thread::Builder::new()
            .name("sidestream-store".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue,
            readers: readers.map(Arc::new),
            news,
            touched,
        })
    }

    /// Runs `job` in a transaction; what it changed is on the disk when this returns. The job
    /// runs to its end even when this future is dropped.
    ///
    /// # Errors
    /// The job's own; [`Reason::StorageUnavailable`] when nothing can be stored: then nothing was.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (message, answer) = writer::job(job);
        self.ask(message, answer).await
    }

    /// Runs `query` on a consistent state that holds at least all that was answered before.
    ///
    /// # Errors
    /// The query's own; [`Reason::RegistryUnavailable`] when the state cannot be read.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let answer = match &self.readers {
            Some(readers) => Arc::clone(readers).run(query).await,
            None => {
                let (message, answer) = writer::query(query);
                self.ask(message, answer).await
            }
        };
        answer.map_err(|mut error| {
            if error.reason == Reason::StorageUnavailable {
                error.reason = Reason::RegistryUnavailable;
            }
            error
        })
    }

    async fn ask<T>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        let sent = self.queue.send(message).await;
        sent.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The place of the newest committed event; changes when there are more.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// Streams whose desired state changed; waits until there are some. For one reader.
    pub async fn touched(&self) -> Vec<String> {
        self.touched.take().await
    }

    /// Waits until all that was asked is done, then closes the file. Later calls fail.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // The writer is gone either way.
            let _ = closed.await;
        }
        if let Some(readers) = &self.readers {
            readers.close();
        }
    }
}

fn closed() -> Error {
    Error::new(
        Reason::StorageUnavailable,
        "the control plane is shutting down",
    )
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
