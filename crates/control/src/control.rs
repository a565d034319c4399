//! The handle that callers and the media side hold.

mod admit;
mod change;
mod channels;
mod desired;
mod drive;
mod files;
mod idempotency;
mod ladders;
mod observe;
mod place;
mod policy;
mod quota;
mod reconcile;
mod record;
mod record_spec;
mod recording_calls;
mod rooms;
mod secrets;
mod start;
mod stop;
mod streams;
mod targets;
#[cfg(test)]
mod tests;
mod tick;
mod usage;

pub use admit::{IssueKey, Issued};

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, UnixMs};
use crate::error::{Error, Reason};
use crate::event::{self, Event, EventFilter};
use crate::plane::Plane;
use crate::request::Page;
use crate::settings::{Mode, Settings};
use crate::store::Store;
use crate::table;

/// The control plane. Clones share it.
///
/// Each call is one transaction: when it has answered, what it did is on the disk, with its events.
/// Futures may be dropped; what they began is then done or not done, never half.
#[derive(Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    plane: OnceLock<Arc<dyn Plane>>,
    quota_told: quota::QuotaTold,
}

impl Control {
    /// A control plane over a store. What was publishing when the store was last used has to show
    /// itself again: its channels count as interrupted until then.
    ///
    /// # Errors
    /// When the store cannot be written, or the policy is none.
    pub async fn open(
        store: Store,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        settings.policy.check()?;
        let this = Self {
            inner: Arc::new(Inner {
                store,
                settings: Arc::new(settings),
                clock,
                plane: OnceLock::new(),
                quota_told: quota::QuotaTold::default(),
            }),
        };
        this.reconcile().await?;
        Ok(this)
    }

    /// The database, for the parts that have tables of their own.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// What the configuration says.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.inner.settings
    }

    /// Whether callers need keys.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.settings.mode
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        self.inner.clock.now()
    }

    /// Events in the order of the log.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<Event>, Error> {
        self.read(move |db, _| event::list(db, &filter)).await
    }

    /// Changes whenever there are new events; holds the place of the newest.
    #[must_use]
    pub fn news(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.store.news()
    }

    /// Enables or disables an app, or says that its account is in arrears.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`]; when the state cannot be stored.
    pub async fn set_app(&self, app_id: String, enabled: bool, arrears: bool) -> Result<(), Error> {
        self.write(move |tx, settings| {
            let mut app = place::app(tx, settings, Some(&app_id), place::Asks::Anything)?.1;
            (app.enabled, app.arrears) = (enabled, arrears);
            table::apps::put(tx, &app_id, &app)
        })
        .await
    }

    /// Waits until all that was asked is stored, then closes the database.
    pub async fn close(&self) {
        self.inner.store.close().await;
    }

    async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut crate::Tx<'_>, &Settings) -> Result<T, Error> + Send + 'static,
    {
        let settings = Arc::clone(&self.inner.settings);
        self.inner.store.write(move |tx| job(tx, &settings)).await
    }

    async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Connection, &Settings) -> Result<T, Error> + Send + 'static,
    {
        let settings = Arc::clone(&self.inner.settings);
        self.inner.store.read(move |db| query(db, &settings)).await
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Control({:?})", self.mode())
    }
}

/// The number of things on a page.
fn page_limit(page: &Page) -> u32 {
    match page.limit {
        0 => 100,
        limit => limit.min(1_000),
    }
}

/// A cursor that is a number.
fn number_cursor(page: &Page) -> Result<Option<i64>, Error> {
    let parsed = page.cursor.as_deref().map(str::parse).transpose();
    parsed.map_err(|_| Error::field("/cursor", "not a cursor of this list"))
}

/// The page and the cursor of the next one.
fn list<T>(items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> crate::request::List<T> {
    let full = items.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = items.last().filter(|_| full).map(cursor);
    crate::request::List { items, next_cursor }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

fn missing(what: &str) -> Error {
    Error::new(Reason::ResourceNotFound, format!("there is no {what}"))
}
