//! DVR: complete segments on the disk, and the playlists over them (`?start=`, `?from=&to=`).
//!
//! ```text
//!  run ─ complete segments ─▶ bounded queue ─▶ sidestream-dvr thread ─▶ DIR/{app}/{stream}/
//!                                                │                        fmp4-{epoch}-{n}.media, .log
//!                                                ▼                          │ at the start
//!                              hls::shift::Index of a stream ◀──────────────┘
//!                                                │ playlists, places of segments
//!  requests ◀────────────────────────────────────┘
//! ```
//!
//! - A segment is listed once its bytes and its line are written; they survive `kill -9`. Nothing is synced: a loss
//!   of power can cost what the system had not written yet, which the next start finds out.
//! - A slow or full disk costs segments of the DVR, listed as gaps, counted and told; live never waits.
//! - One file and one log per block of minutes to an hour: a day of 2 s segments is 50 inodes, not 43 200, and a
//!   block is removed by two calls.

mod block_file;
mod gzip;
mod load;
mod reader;
mod shelf;
mod writer;

pub(crate) use gzip::of as gzip;
pub(crate) use reader::Stored;
pub(crate) use shelf::{Shelf, ShelfState};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hls::{Container, Presentation, WallTime};
use media::StreamName;

use crate::config::DvrConfig;
use writer::{Queue, Store};

/// The DVR of all streams. Clones share it.
#[derive(Clone)]
pub(crate) struct Dvr {
    inner: Arc<Inner>,
}

struct Inner {
    config: DvrConfig,
    queue: Queue,
    // Guards the map; taken before an index, never the other way round.
    shelves: Mutex<HashMap<StreamName, Arc<Shelf>>>,
}

impl Dvr {
    /// Reads what an earlier process kept, and starts the thread that writes.
    pub(crate) fn open(config: DvrConfig, now: WallTime) -> Self {
        let shelves = load::all(&config, now);
        Self {
            inner: Arc::new(Inner {
                queue: Queue::start(&config),
                shelves: Mutex::new(shelves),
                config,
            }),
        }
    }

    /// How far back a stream is kept; zero: it is not.
    pub(crate) fn window(&self, name: &StreamName) -> Duration {
        self.inner.config.window.of(name)
    }

    /// The containers that are kept.
    pub(crate) fn containers(&self) -> &[Container] {
        &self.inner.config.containers
    }

    /// What is kept of a stream.
    pub(crate) fn shelf(&self, name: &StreamName) -> Option<Arc<Shelf>> {
        self.shelves().get(name).cloned()
    }

    /// The highest epoch in any name.
    pub(crate) fn last_epoch(&self) -> u64 {
        let shelves = self.shelves();
        let epochs = shelves.values().filter_map(|shelf| shelf.progress());
        epochs.map(|progress| progress.epoch).max().unwrap_or(0)
    }

    /// What a run gives its segments to; `None` when its stream is not kept.
    pub(crate) fn keeper(&self, name: &StreamName) -> Option<Keeper> {
        let window = self.window(name);
        if window.is_zero() {
            return None;
        }
        let mut shelves = self.shelves();
        let shelf = shelves.entry(name.clone()).or_insert_with(|| {
            let config = &self.inner.config;
            let shelf = Shelf::new(name, &config.dir, &config.containers, window);
            Arc::new(shelf)
        });
        Some(Keeper {
            dvr: self.clone(),
            shelf: Arc::clone(shelf),
            handed: vec![Handed::default(); self.inner.config.containers.len()],
        })
    }

    /// Removes what is too old and forgets streams of which nothing is left. To be called about once a
    /// second.
    pub(crate) fn sweep(&self, now: WallTime) {
        let mut shelves = self.shelves();
        shelves.retain(|_, shelf| {
            let removed = shelf.expire(now);
            if !removed.is_empty() {
                self.inner.queue.remove(Arc::clone(shelf), removed);
            }
            // A run, or a job of the writer, holds another reference.
            !(shelf.is_empty() && Arc::strong_count(shelf) == 1)
        });
    }

    /// Whether all that was given is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.inner.queue.is_idle()
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Shelf>>> {
        let shelves = &self.inner.shelves;
        shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands the segments of one run to the writer.
pub(crate) struct Keeper {
    dvr: Dvr,
    shelf: Arc<Shelf>,
    /// By container.
    handed: Vec<Handed>,
}

/// What was handed on of a container.
#[derive(Clone, Default)]
struct Handed {
    /// The newest segment.
    last: Option<u64>,
    /// Number of the next date range.
    next_range: u64,
}

impl Keeper {
    /// Hands on the segments that are new in this snapshot.
    pub(super) fn take(&mut self, presentation: &Presentation) {
        let containers = self.dvr.containers().iter();
        for (container, handed) in containers.zip(&mut self.handed) {
            for complete in presentation.complete_after(*container, handed.last) {
                handed.last = Some(complete.sequence);
                let ends = complete.begins.0;
                let ends = WallTime(ends.saturating_add_unsigned(complete.duration_ms));
                let next = &mut handed.next_range;
                self.dvr.inner.queue.store(Store {
                    shelf: Arc::clone(&self.shelf),
                    container: *container,
                    epoch: presentation.epoch(),
                    target: presentation.target_duration().unwrap_or_default(),
                    ranges: presentation.ranges_before(ends, next),
                    complete,
                });
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.dvr.inner.queue.close(self.shelf.name.clone());
    }
}
