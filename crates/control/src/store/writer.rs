//! The thread that owns the read-write connection.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::tx::{Touched, Tx};
use crate::clock::{Clock, UnixMs};
use crate::error::{Error, Reason};

/// Jobs in one commit. Bounds: how long the first of a group waits for the last.
const GROUP: usize = 256;

/// What the thread is asked.
pub(super) enum Message {
    Job(Job),
    Query(Query),
    Close(oneshot::Sender<()>),
}

/// Runs in the transaction, or hears why there is none. Returns what is to be called with how the
/// commit went, and whether what it did is to be kept.
type Job = Box<dyn FnOnce(Result<&mut Tx<'_>, Error>) -> (Answer, bool) + Send>;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;
type Query = Box<dyn FnOnce(&Connection) + Send>;

/// A job whose answer waits for the commit.
pub(super) fn job<T, F>(work: F) -> (Message, oneshot::Receiver<Result<T, Error>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let job: Job = Box::new(move |tx| {
        let result = tx.and_then(|tx| guarded(|| work(tx)));
        let keep = result.is_ok();
        let answer = move |committed: Result<(), Error>| {
            // A caller that went away wants no answer.
            let _ = sender.send(result.and_then(|value| committed.map(|()| value)));
        };
        (Box::new(answer), keep)
    });
    (Message::Job(job), receiver)
}

/// A query that the writer answers at once.
pub(super) fn query<T, F>(work: F) -> (Message, oneshot::Receiver<Result<T, Error>>)
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let query: Query = Box::new(move |connection| {
        let _ = sender.send(guarded(|| work(connection)));
    });
    (Message::Query(query), receiver)
}

/// A panic costs the call that caused it, not the store.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!("a call of the control plane panicked; it was rolled back");
        Err(Error::new(
            Reason::OperationInternal,
            "an internal fault; see the log",
        ))
    })
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    /// Keeps other processes out; `None` without a file.
    pub(super) lock: Option<File>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) news: watch::Sender<u64>,
    pub(super) touched: Arc<Touched>,
}

impl Writer {
    pub(super) fn run(self, mut queue: mpsc::Receiver<Message>) {
        let mut now = UnixMs(i64::MIN);
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = queue.blocking_recv() else {
                return;
            };
            let mut group = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => group.push(job),
                    Message::Query(query) => query(&self.connection),
                    Message::Close(done) => closing = Some(done),
                }
                let full = group.len() >= GROUP || closing.is_some();
                next = if full { None } else { queue.try_recv().ok() };
            }
            // The system's clock may be set back; the order of events may not.
            now = now.max(self.clock.now());
            self.commit(group, now);
        }
        queue.close();
        drop(self.connection);
        drop(self.lock);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    fn commit(&self, group: Vec<Job>, now: UnixMs) {
        if group.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(group.len());
        let (mut last_seq, mut touched) = (0, Vec::new());
        let mut outcome = self.sql("BEGIN IMMEDIATE");
        for job in group {
            if outcome.is_ok() {
                outcome = self.sql("SAVEPOINT job");
            }
            let mut tx = Tx::new(&self.connection, now);
            let (answer, keep) = job(outcome.clone().map(|()| &mut tx));
            answers.push(answer);
            if outcome.is_err() {
                continue;
            }
            if keep {
                let (seq, streams) = tx.into_marks();
                last_seq = last_seq.max(seq);
                touched.extend(streams);
                outcome = self.sql("RELEASE job");
            } else if self.connection.is_autocommit() {
                // A full disk ends the whole transaction.
                outcome = Err(unavailable("the transaction was rolled back"));
            } else {
                outcome = self
                    .sql("ROLLBACK TO job")
                    .and_then(|()| self.sql("RELEASE job"));
            }
        }
        if outcome.is_ok() {
            outcome = self.sql("COMMIT");
        }
        if outcome.is_err() && !self.connection.is_autocommit() {
            // Nothing of it may stay open; an error here is the same error again.
            let _ = self.sql("ROLLBACK");
        }
        if let Err(error) = &outcome {
            tracing::error!("control state not stored: {}", error.detail);
        } else {
            self.touched.add(touched);
            if last_seq > 0 {
                self.news.send_replace(last_seq);
            }
        }
        for answer in answers {
            answer(outcome.clone());
        }
    }

    fn sql(&self, sql: &str) -> Result<(), Error> {
        let done = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut one| one.execute([]));
        done.map(drop).map_err(|error| {
            let error = Error::from(error);
            match error.reason {
                Reason::OperationInternal => unavailable(&error.detail),
                _ => error,
            }
        })
    }
}

fn unavailable(detail: &str) -> Error {
    Error::new(Reason::StorageUnavailable, detail)
}
