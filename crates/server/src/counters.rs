//! Counters that all shells share; the facade hands them around, `/metrics` shows them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

/// Counters by protocol and reason. Every counter is an `Arc<AtomicU64>`, so that a shell that
/// does not know this crate can hold and raise one.
#[derive(Debug, Default)]
pub struct Counters {
    bytes_in: Labelled,
    bytes_out: Labelled,
    connections: Labelled,
    connections_open: Labelled,
    rejected: Labelled,
    requests: Labelled,
    wire_in: Labelled,
    wire_out: Labelled,
    viewer_skips: Labelled,
    cut: Labelled,
}

/// Counters by one label; labels are constants of the program, so their number is bounded.
#[derive(Debug, Default)]
struct Labelled {
    // Guards the map; callers keep the counter and do not come back for it.
    map: Mutex<BTreeMap<&'static str, Arc<AtomicU64>>>,
}

impl Labelled {
    fn of(&self, label: &'static str) -> Arc<AtomicU64> {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry(label).or_default())
    }

    fn values(&self) -> Vec<(&'static str, u64)> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter()
            .map(|(label, value)| (*label, value.load(Ordering::Relaxed)))
            .collect()
    }
}

impl Counters {
    /// Media bytes received over `protocol` (`rtmp`, `rtmps`).
    #[must_use]
    pub fn bytes_in(&self, protocol: &'static str) -> Arc<AtomicU64> {
        self.bytes_in.of(protocol)
    }

    /// Bytes sent to viewers of `protocol` (`rtmp`, `http-flv`, `hls`, …) and to push targets
    /// (`push`).
    #[must_use]
    pub fn bytes_out(&self, protocol: &'static str) -> Arc<AtomicU64> {
        self.bytes_out.of(protocol)
    }

    /// Connections accepted by the listener of `protocol` so far.
    #[must_use]
    pub fn connections(&self, protocol: &'static str) -> Arc<AtomicU64> {
        self.connections.of(protocol)
    }

    /// Connections of the listener of `protocol` that are open now.
    #[must_use]
    pub fn connections_open(&self, protocol: &'static str) -> Arc<AtomicU64> {
        self.connections_open.of(protocol)
    }

    /// Connections and requests turned away for `reason` so far.
    #[must_use]
    pub fn rejected(&self, reason: &'static str) -> Arc<AtomicU64> {
        self.rejected.of(reason)
    }

    /// Times that viewers of `protocol` lagged and were moved on to a later random access point.
    #[must_use]
    pub fn viewer_skips(&self, protocol: &'static str) -> Arc<AtomicU64> {
        self.viewer_skips.of(protocol)
    }

    /// Connections that were served and then cut for `reason` (`stalled`: the peer took nothing).
    #[must_use]
    pub fn cut(&self, reason: &'static str) -> Arc<AtomicU64> {
        self.cut.of(reason)
    }

    /// Everything read from sockets of `http` or `https`, without what TLS adds.
    pub(crate) fn wire_in(&self, listener: &'static str) -> Arc<AtomicU64> {
        self.wire_in.of(listener)
    }

    /// Everything written to them, media inside HTTP included.
    pub(crate) fn wire_out(&self, listener: &'static str) -> Arc<AtomicU64> {
        self.wire_out.of(listener)
    }

    pub(crate) fn reject(&self, reason: &'static str) {
        self.rejected(reason).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_status(&self, status: u16) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.of(class).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            bytes_in: self.bytes_in.values(),
            bytes_out: self.bytes_out.values(),
            connections: self.connections.values(),
            connections_open: self.connections_open.values(),
            rejected: self.rejected.values(),
            requests: self.requests.values(),
            wire_in: self.wire_in.values(),
            wire_out: self.wire_out.values(),
            viewer_skips: self.viewer_skips.values(),
            cut: self.cut.values(),
        }
    }

    /// Counts a connection of the listener of `protocol` until the guard is dropped.
    #[must_use]
    pub fn connection(
        &self,
        protocol: &'static str,
        permit: Option<OwnedSemaphorePermit>,
    ) -> ConnectionGuard {
        self.connections(protocol).fetch_add(1, Ordering::Relaxed);
        let open = self.connections_open(protocol);
        open.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard {
            open,
            _permit: permit,
        }
    }
}

/// All counters at one moment.
pub(crate) struct Snapshot {
    pub(crate) bytes_in: Vec<(&'static str, u64)>,
    pub(crate) bytes_out: Vec<(&'static str, u64)>,
    pub(crate) connections: Vec<(&'static str, u64)>,
    pub(crate) connections_open: Vec<(&'static str, u64)>,
    pub(crate) rejected: Vec<(&'static str, u64)>,
    pub(crate) requests: Vec<(&'static str, u64)>,
    pub(crate) wire_in: Vec<(&'static str, u64)>,
    pub(crate) wire_out: Vec<(&'static str, u64)>,
    pub(crate) viewer_skips: Vec<(&'static str, u64)>,
    pub(crate) cut: Vec<(&'static str, u64)>,
}

/// A connection's place in the limit of connections and in the counters.
#[derive(Debug)]
pub struct ConnectionGuard {
    open: Arc<AtomicU64>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_connections_fall_when_the_guard_goes() {
        let counters = Counters::default();
        let guard = counters.connection("http", None);
        assert_eq!(counters.snapshot().connections_open, [("http", 1)]);
        drop(guard);
        assert_eq!(counters.snapshot().connections_open, [("http", 0)]);
        assert_eq!(counters.snapshot().connections, [("http", 1)]);
    }
}
