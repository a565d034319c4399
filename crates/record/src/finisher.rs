//! The thread that finishes files behind the recordings: manifests, repairs, retention.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::config::Config;
use crate::event::EventLog;
use crate::filing::Filing;
use crate::manifest::{MANIFEST, Manifest};
use crate::repair;
use crate::status::{Shared, Sums};
use crate::storage::{EntryKind, Storage};

/// Between two tries of what could not be finished.
const RETRY: Duration = Duration::from_secs(30);
/// Between two looks for files that are too old.
const RETENTION: Duration = Duration::from_secs(600);

/// What the thread is asked to do.
pub(crate) enum Job {
    /// A file is complete.
    File(Box<Filing>),
    /// A file could not be completed; `path` is its own, without the marker's ending.
    Repair(String, Option<Shared>),
}

pub(crate) struct Finisher {
    pub(crate) config: Arc<Config>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) events: EventLog,
    pub(crate) sums: Arc<Sums>,
    /// The process is about to end: no pauses.
    pub(crate) hurry: Arc<AtomicBool>,
    /// Files that recordings of this process began while it looked for unfinished ones.
    pub(crate) own: Own,
}

/// The files that this process began before the look for unfinished ones was over: they are not
/// taken for such, also where locks do not work. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    // Guards the paths; `None` when the look is over, and nothing needs to be kept.
    paths: Arc<Mutex<Option<HashSet<String>>>>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            paths: Arc::new(Mutex::new(Some(HashSet::new()))),
        }
    }
}

impl Own {
    /// To be called before anything of the file is created.
    pub(crate) fn add(&self, path: &str) {
        if let Some(paths) = self.lock().as_mut() {
            paths.insert(path.to_owned());
        }
    }

    fn holds(&self, path: &str) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|paths| paths.contains(path))
    }

    fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashSet<String>>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finisher {
    /// Runs until every sender is gone; looks for what a crash left first. Recordings run meanwhile:
    /// a disk that hangs here stops none of them, and not the start of the process.
    pub(crate) fn run(self, jobs: &Receiver<Job>) {
        let mut later: Vec<(String, Option<Shared>)> = Vec::new();
        if self.config.recover {
            for path in repair::find(self.storage.as_ref()) {
                if !self.own.holds(&path) {
                    self.repair(path, None, &mut later);
                }
            }
        }
        self.own.close();
        self.retain();
        let (mut tried, mut retained) = (Instant::now(), Instant::now());
        loop {
            match jobs.recv_timeout(RETRY) {
                Ok(Job::File(filing)) => {
                    let (path, status) = (filing.path.clone(), filing.status.clone());
                    let hurry = || self.hurry.load(Ordering::Relaxed);
                    if let Err(error) =
                        filing.finish(self.storage.as_ref(), (&self.events, &self.sums), &hurry)
                    {
                        tracing::warn!(%path, "manifest: {error}; written later");
                        later.push((path, status));
                    } else if self.config.keep_bytes > 0 {
                        self.retain();
                    }
                }
                Ok(Job::Repair(path, status)) => self.repair(path, status, &mut later),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if tried.elapsed() >= RETRY {
                tried = Instant::now();
                for (path, status) in std::mem::take(&mut later) {
                    self.repair(path, status, &mut later);
                }
            }
            if retained.elapsed() >= RETENTION {
                retained = Instant::now();
                self.retain();
            }
        }
        // Space may have come back in the last moment; otherwise the next start does it.
        for (path, status) in std::mem::take(&mut later) {
            self.repair(path, status, &mut later);
        }
    }

    fn repair(
        &self,
        path: String,
        status: Option<Shared>,
        later: &mut Vec<(String, Option<Shared>)>,
    ) {
        let hurry = || self.hurry.load(Ordering::Relaxed);
        let repaired = repair::repair(self.storage.as_ref(), &path, status.clone());
        let finished = match repaired {
            Ok(Some(filing)) => {
                filing.finish(self.storage.as_ref(), (&self.events, &self.sums), &hurry)
            }
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if let Err(error) = finished {
            tracing::warn!(%path, "recording not repaired: {error}; tried again later");
            later.push((path, status));
        }
    }

    /// Removes finished files that are too old, or too many.
    fn retain(&self) {
        let (keep, keep_bytes) = (self.config.keep, self.config.keep_bytes);
        if keep.is_zero() && keep_bytes == 0 {
            return;
        }
        let mut files = Vec::new();
        self.manifests("", &mut files);
        files.sort_by(|a, b| b.end_time.cmp(&a.end_time));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        let age = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let oldest = (!keep.is_zero()).then(|| crate::manifest::rfc3339(now.saturating_sub(age)));
        let mut sum = 0_u64;
        for file in files {
            sum = sum.saturating_add(file.size);
            let is_old = oldest
                .as_ref()
                .is_some_and(|oldest| file.end_time < *oldest);
            if !is_old && (keep_bytes == 0 || sum <= keep_bytes) {
                continue;
            }
            match self.remove(&file) {
                Ok(()) => {
                    tracing::info!(path = %file.path, bytes = file.size, "recording removed: retention")
                }
                Err(error) => tracing::warn!(path = %file.path, "recording not removed: {error}"),
            }
        }
    }

    fn remove(&self, file: &Manifest) -> std::io::Result<()> {
        let gone = |removed: std::io::Result<()>| match removed {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        for member in &file.files {
            gone(
                self.storage
                    .remove(&format!("{}/{}", file.path, member.name)),
            )?;
        }
        if !file.files.is_empty() {
            gone(
                self.storage
                    .remove(&format!("{}/{}", file.path, crate::mux::PLAYLIST)),
            )?;
        }
        gone(self.storage.remove(&file.path))?;
        gone(self.storage.remove(&format!("{}{MANIFEST}", file.path)))
    }

    /// Every manifest below a folder whose own place it names.
    fn manifests(&self, folder: &str, out: &mut Vec<Manifest>) {
        for entry in self.storage.list(folder).unwrap_or_default() {
            let path = match folder {
                "" => entry.name.clone(),
                folder => format!("{folder}/{}", entry.name),
            };
            match entry.kind {
                EntryKind::Folder => self.manifests(&path, out),
                EntryKind::File if path.ends_with(MANIFEST) => {
                    let content = repair::read_all(self.storage.as_ref(), &path, 64 << 20);
                    let manifest = content.ok().and_then(|c| serde_json::from_slice(&c).ok());
                    let own = |m: &Manifest| format!("{}{MANIFEST}", m.path) == path;
                    out.extend(manifest.filter(own));
                }
                _ => {}
            }
        }
    }
}
