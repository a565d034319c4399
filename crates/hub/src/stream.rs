//! One stream: its ring, its writer state and its viewers.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use fanout::{JoinAt, Ring};
use media::{Headers, StreamName, TrackList};

use crate::config::Config;
use crate::error::Revoked;
use crate::frame::Shared;
use crate::publisher::Writer;
use crate::session::{CloseCause, PublisherInfo};
use crate::stats::StreamStats;
use crate::subscriber::{Hurry, Subscriber};
use crate::viewers::Viewers;

/// A published name and everything that hangs on it. Outlives its publishers.
pub struct Stream {
    name: StreamName,
    ring: Ring<Shared, Headers>,
    // Guards what the publisher side changes: owner, clock, tracks, phase, counters. Taken once
    // per frame, without contention but for API reads.
    writer: Mutex<Writer>,
    viewers: Arc<Viewers>,
    /// Subscribers that want each frame at once.
    hurried: Arc<AtomicUsize>,
}

/// Where a stream is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Nobody has published it yet; somebody waits for it.
    Awaited,
    /// It has a publisher.
    Live,
    /// Its publisher left; it waits for one.
    Interrupted {
        /// When the publisher left (the first tick after, for a publisher that was dropped).
        since: Option<Instant>,
        /// When the wait ends.
        until: Option<Instant>,
        /// Why it left.
        cause: CloseCause,
    },
    /// It is over; subscribers get the rest and the end.
    Ended,
}

impl Stream {
    pub(crate) fn new(name: StreamName, config: &Config, viewer_ids: Arc<AtomicU64>) -> Self {
        let ring = Ring::new(
            fanout::Config {
                max_bytes: config.gop_cache_bytes,
                max_time_ms: i64::try_from(config.gop_cache_time.as_millis()).unwrap_or(i64::MAX),
                // The GOP that runs and the one before it: HLS that starts on the first request
                // then has a whole segment at once.
                keep_joins: 2,
            },
            Headers::default(),
        );
        Self {
            name,
            writer: Mutex::new(Writer::new(config, &ring)),
            ring,
            viewers: Arc::new(Viewers::new(viewer_ids)),
            hurried: Arc::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// Where it is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.writer().phase.clone()
    }

    /// Whether it has a publisher or waits for one to come back.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.phase(), Phase::Live | Phase::Interrupted { .. })
    }

    /// Whether at least one access unit has been published.
    #[must_use]
    pub fn has_media(&self) -> bool {
        self.writer().counters.stats.units_in > 0
    }

    /// The publisher that owns it now, and since when.
    #[must_use]
    pub fn publisher(&self) -> Option<(PublisherInfo, Instant)> {
        self.writer()
            .owner
            .as_ref()
            .map(|owner| (owner.info.clone(), owner.since))
    }

    /// How far the stream is: the time of its leading track, see [`crate::Frame::clock_ms`].
    #[must_use]
    pub fn clock_ms(&self) -> Option<i64> {
        self.writer().clock_ms()
    }

    /// When its first publisher came.
    #[must_use]
    pub fn started(&self) -> Option<Instant> {
        self.writer().started
    }

    /// Tracks and metadata as they are now.
    #[must_use]
    pub fn headers(&self) -> Arc<Headers> {
        self.ring.header()
    }

    /// The tracks as they are now.
    #[must_use]
    pub fn tracks(&self) -> Arc<TrackList> {
        Arc::clone(&self.headers().tracks)
    }

    /// Starts reading: headers first, then frames from the chosen random access point on.
    #[must_use]
    pub fn subscribe(&self, at: JoinAt) -> Subscriber {
        Subscriber::new(self.ring.reader(at), Some(Hurry::new(&self.hurried)))
    }

    /// As [`Stream::subscribe`], for a reader that wants every frame and does not mind when they
    /// come some tens of milliseconds late: what makes segments or files. The ring keeps what it
    /// has not read however old it is, and who publishes can wait for it
    /// ([`Stream::poll_relieved`]).
    #[must_use]
    pub fn subscribe_unhurried(&self, at: JoinAt) -> Subscriber {
        Subscriber::new(self.ring.whole_reader(at), None)
    }

    /// Ready when no reader that wants every frame is half of the ring's bytes behind. Whoever feeds
    /// a publisher from a network waits here before it reads on: a burst would run over them. It
    /// must not wait for ever ([`Stream::give_up_on_readers`]).
    pub fn poll_relieved(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.ring.poll_relieved(cx)
    }

    /// [`Stream::poll_relieved`] waits no more for those who are behind now, until they have read.
    pub fn give_up_on_readers(&self) {
        self.ring.give_up_on_readers();
    }

    /// Frames are wanted at once while this is held: for a reader that was
    /// [unhurried](Self::subscribe_unhurried) and no longer is.
    pub fn hurry(&self) -> Hurry {
        Hurry::new(&self.hurried)
    }

    /// Whether some subscriber wants each frame at once. Where none does, the publisher's side
    /// may gather what comes and save work.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::Relaxed) > 0
    }

    /// Who watches it.
    #[must_use]
    pub fn viewers(&self) -> &Arc<Viewers> {
        &self.viewers
    }

    /// Figures so far.
    #[must_use]
    pub fn stats(&self) -> StreamStats {
        let tracks = self.tracks();
        let (video, audio) = (tracks.video(), tracks.audio());
        let mut stats = self
            .writer()
            .counters
            .snapshot(video.map(|track| track.id), audio.map(|track| track.id));
        stats.ring_bytes = self.ring.size_bytes();
        stats
    }

    /// Sends the publisher away; false when there is none.
    pub fn drop_publisher(&self, reason: &str) -> bool {
        self.revoke(Revoked::Dropped(reason.into()))
    }

    pub(crate) fn revoke(&self, why: Revoked) -> bool {
        let notice = self
            .writer()
            .owner
            .as_ref()
            .map(|owner| Arc::clone(&owner.notice));
        notice.map(|notice| notice.give(why)).is_some()
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ring(&self) -> &Ring<Shared, Headers> {
        &self.ring
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({})", self.name)
    }
}
