//! Who watches a stream: kept so that viewers can be counted, listed and sent away.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::notice::Notice;

/// What is known of a viewer when it comes.
#[derive(Clone, Debug)]
pub struct ViewerInfo {
    /// Label: `rtmp`, `rtmps`, `http-flv`, `ws-flv`, `http-ts`, `hls`, `push`, `library`.
    pub protocol: &'static str,
    /// Its address; `None` inside the process.
    pub peer: Option<SocketAddr>,
    /// What it calls itself (`flashVer`, `User-Agent`), shortened to 128 bytes.
    pub client: Box<str>,
    /// When it came.
    pub since: Instant,
}

/// A viewer as others see it; counters are updated with relaxed ordering.
#[derive(Debug)]
pub struct Viewer {
    /// Number, unique in the hub: an API call cannot hit another stream's viewer.
    pub id: u64,
    /// What was known when it came.
    pub info: ViewerInfo,
    /// Bytes written to its socket.
    pub bytes_out: AtomicU64,
    /// How often it lagged and was moved to a later random access point.
    pub skips: AtomicU64,
    /// Frames it missed by that.
    pub frames_missed: AtomicU64,
    dropped: Notice<Box<str>>,
}

impl Viewer {
    /// Sends it away; it learns `reason`.
    pub fn drop_with(&self, reason: &str) {
        self.dropped.give(reason.into());
    }

    /// Why it is sent away, if it is.
    #[must_use]
    pub fn drop_reason(&self) -> Option<Box<str>> {
        self.dropped.peek()
    }

    /// Ready when it is sent away. One task may wait.
    pub fn poll_dropped(&self, cx: &mut Context<'_>) -> Poll<Box<str>> {
        self.dropped.poll(cx)
    }

    /// As [`Viewer::poll_dropped`]. Cancel safe.
    pub async fn dropped(&self) -> Box<str> {
        poll_fn(|cx| self.poll_dropped(cx)).await
    }
}

/// The viewers of one stream.
#[derive(Debug)]
pub struct Viewers {
    /// The hub's counter of viewer ids.
    ids: Arc<AtomicU64>,
    // Guards the list only; counters inside are atomics.
    list: Mutex<BTreeMap<u64, Arc<Viewer>>>,
    most: AtomicUsize,
    gone: Gone,
}

/// Sums of viewers that have left.
#[derive(Debug, Default)]
struct Gone {
    bytes_out: AtomicU64,
    skips: AtomicU64,
    // Guards bytes by protocol; taken after the list.
    by_protocol: Mutex<BTreeMap<&'static str, u64>>,
}

/// The viewers of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtocolViewers {
    /// How many there are.
    pub count: usize,
    /// Bytes written to them so far, to those who left included: never goes back.
    pub bytes_out: u64,
}

impl Viewers {
    pub(crate) fn new(ids: Arc<AtomicU64>) -> Self {
        Self {
            ids,
            list: Mutex::default(),
            most: AtomicUsize::new(0),
            gone: Gone::default(),
        }
    }

    /// Adds a viewer; it is listed until the handle is dropped.
    #[must_use]
    pub fn add(self: &Arc<Self>, info: ViewerInfo) -> ViewerHandle {
        let viewer = Arc::new(Viewer {
            id: self.ids.fetch_add(1, Ordering::Relaxed),
            info,
            bytes_out: AtomicU64::new(0),
            skips: AtomicU64::new(0),
            frames_missed: AtomicU64::new(0),
            dropped: Notice::default(),
        });
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.insert(viewer.id, Arc::clone(&viewer));
        self.most.fetch_max(list.len(), Ordering::Relaxed);
        ViewerHandle {
            viewers: Arc::clone(self),
            viewer,
        }
    }

    /// The viewer of this id.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Arc<Viewer>> {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    /// All viewers, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Viewer>> {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Most viewers at once so far.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Bytes written to all viewers so far, those who left included.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        let now: u64 = self
            .list()
            .iter()
            .map(|v| v.bytes_out.load(Ordering::Relaxed))
            .sum();
        now + self.gone.bytes_out.load(Ordering::Relaxed)
    }

    /// Viewers and bytes by protocol.
    #[must_use]
    pub fn by_protocol(&self) -> BTreeMap<&'static str, ProtocolViewers> {
        // Nobody leaves while both are looked at: no byte is seen twice, or not at all.
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = &self.gone.by_protocol;
        let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
        let left = gone.iter().map(|(protocol, bytes_out)| {
            let bytes_out = *bytes_out;
            (
                *protocol,
                ProtocolViewers {
                    count: 0,
                    bytes_out,
                },
            )
        });
        let mut sums: BTreeMap<_, ProtocolViewers> = left.collect();
        for viewer in list.values() {
            let sum = sums.entry(viewer.info.protocol).or_default();
            sum.count += 1;
            sum.bytes_out += viewer.bytes_out.load(Ordering::Relaxed);
        }
        sums
    }

    /// How often viewers were moved on because they lagged.
    #[must_use]
    pub fn skips(&self) -> u64 {
        let now: u64 = self
            .list()
            .iter()
            .map(|v| v.skips.load(Ordering::Relaxed))
            .sum();
        now + self.gone.skips.load(Ordering::Relaxed)
    }
}

/// Keeps a viewer listed; derefs to it.
#[derive(Debug)]
pub struct ViewerHandle {
    viewers: Arc<Viewers>,
    viewer: Arc<Viewer>,
}

impl std::ops::Deref for ViewerHandle {
    type Target = Arc<Viewer>;
    fn deref(&self) -> &Arc<Viewer> {
        &self.viewer
    }
}

impl Drop for ViewerHandle {
    fn drop(&mut self) {
        let mut list = self
            .viewers
            .list
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.remove(&self.viewer.id);
        let gone = &self.viewers.gone;
        let bytes_out = self.viewer.bytes_out.load(Ordering::Relaxed);
        gone.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        let mut by_protocol = gone
            .by_protocol
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *by_protocol.entry(self.viewer.info.protocol).or_default() += bytes_out;
        gone.skips
            .fetch_add(self.viewer.skips.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn bytes_of_viewers_who_left_stay_with_their_protocol() {
        let viewers = Arc::new(Viewers::new(Arc::default()));
        let add = |protocol| {
            viewers.add(ViewerInfo {
                protocol,
                peer: None,
                client: "".into(),
                since: Instant::now(),
            })
        };
        let (one, two, three) = (add("hls"), add("rtmp"), add("hls"));
        for (viewer, bytes) in [(&one, 1), (&two, 10), (&three, 100)] {
            viewer.bytes_out.store(bytes, Ordering::Relaxed);
        }
        let of = |protocol: &str| {
            let sums = viewers.by_protocol();
            sums.get(protocol).map(|sum| (sum.count, sum.bytes_out))
        };
        assert_eq!((of("hls"), of("rtmp")), (Some((2, 101)), Some((1, 10))));
        drop(one);
        assert_eq!(of("hls"), Some((1, 101)));
        drop((two, three));
        assert_eq!((of("hls"), of("rtmp")), (Some((0, 101)), Some((0, 10))));
        assert_eq!(viewers.bytes_out(), 111);
    }
}
