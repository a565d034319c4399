//! HLS viewers: who asks again and again is one viewer.
//!
//! HLS has no connections to count, and we set no cookies, so a session is a peer address and a
//! `User-Agent`: two players of one kind behind one address are counted as one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hub::{Stream, ViewerHandle, ViewerInfo};
use std::sync::Arc;
use tokio::time::Instant;

use crate::sniff::client_text;

/// The HLS viewers of one stream.
pub(crate) struct Sessions {
    max: usize,
    // Guards the map; taken once per request.
    map: Mutex<HashMap<Key, Session>>,
    // Guards who has been let in and when it was last seen: also those who have asked for no
    // media yet, and so are no viewers.
    admitted: Mutex<HashMap<Key, Instant>>,
}

type Key = (IpAddr, Box<str>);

struct Session {
    viewer: ViewerHandle,
    seen: Instant,
    /// Whether it has been told that the stream is over.
    told_end: bool,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) peer: std::net::SocketAddr,
    key: Key,
}

impl Asker {
    pub(crate) fn new(peer: std::net::SocketAddr, user_agent: &str) -> Self {
        let key = (peer.ip(), client_text(user_agent));
        Self { peer, key }
    }
}

impl Sessions {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            map: Mutex::default(),
            admitted: Mutex::default(),
        }
    }

    /// Whether this viewer was let in, and has been here since.
    pub(crate) fn is_admitted(&self, asker: &Asker) -> bool {
        match self.lock_admitted().get_mut(&asker.key) {
            Some(seen) => {
                *seen = Instant::now();
                true
            }
            None => false,
        }
    }

    /// This viewer was let in. Beyond the limit of sessions it will be asked for again.
    pub(crate) fn note_admitted(&self, asker: &Asker) {
        let mut admitted = self.lock_admitted();
        if admitted.len() < self.max {
            admitted.insert(asker.key.clone(), Instant::now());
        }
    }

    /// Notes a request.
    ///
    /// # Errors
    /// The reason for which an operator sent this viewer away; it stays away for as long as it
    /// keeps asking.
    pub(crate) fn touch(&self, stream: &Stream, asker: &Asker) -> Result<(), Box<str>> {
        let now = Instant::now();
        let mut map = self.lock();
        let is_full = map.len() >= self.max;
        if let Some(session) = map.get_mut(&asker.key) {
            session.seen = now;
            return match session.viewer.drop_reason() {
                Some(reason) => Err(reason),
                None => Ok(()),
            };
        }
        if !is_full {
            let viewer = stream.viewers().add(ViewerInfo {
                protocol: "hls",
                peer: Some(asker.peer),
                client: asker.key.1.clone(),
                since: now.into_std(),
            });
            let session = Session {
                viewer,
                seen: now,
                told_end: false,
            };
            map.insert(asker.key.clone(), session);
        }
        Ok(())
    }

    /// Counts bytes sent, and whether they told that the stream is over.
    pub(crate) fn sent(&self, asker: &Asker, bytes: usize, end: End) {
        if let Some(session) = self.lock().get_mut(&asker.key) {
            let sent = &session.viewer.bytes_out;
            sent.fetch_add(bytes as u64, Ordering::Relaxed);
            session.told_end |= end == End::Told;
        }
    }

    /// Forgets who has not asked for `idle`.
    pub(super) fn expire(&self, idle: Duration) {
        let now = Instant::now();
        self.lock()
            .retain(|_, session| now.saturating_duration_since(session.seen) < idle);
        self.lock_admitted()
            .retain(|_, seen| now.saturating_duration_since(*seen) < idle);
    }

    /// Whether a session still waits to hear that the stream is over.
    pub(crate) fn any_untold(&self) -> bool {
        self.lock().values().any(|session| !session.told_end)
    }

    pub(super) fn clear(&self) {
        // Dropped outside the lock: handles take the viewers' lock.
        let gone = std::mem::take(&mut *self.lock());
        drop(gone);
    }

    fn lock_admitted(&self) -> MutexGuard<'_, HashMap<Key, Instant>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer said `EXT-X-ENDLIST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Told,
    NotYet,
}

/// How long a viewer that has gone quiet stays listed.
pub(super) fn idle_after(target: Option<Duration>, segment: Duration) -> Duration {
    3 * target.unwrap_or(segment).max(Duration::from_secs(1))
}

/// The stream that a session counts for.
pub(super) fn viewed(entry: &super::entry::Entry) -> Option<Arc<Stream>> {
    match &entry.run().state {
        super::entry::State::Running(stream) => Some(Arc::clone(stream)),
        _ => None,
    }
}
