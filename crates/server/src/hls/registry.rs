//! All streams whose HLS somebody has asked for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hls::shift::Progress;
use hls::{Container, LadderRule, Segmenter, WallTime};
use hub::{Hub, Stream};
use media::StreamName;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dvr::{Dvr, Shelf};
use super::entry::{Entry, Resume, Run, State};
use super::keys::{Fetched, Generated, KeyOrigin, StreamEncryption};
use super::ladder::Ladders;
use super::sessions::idle_after;
use super::{WallClock, task};
use crate::config::{HlsConfig, Limits};
use crate::mirror::{HlsCopy, HlsMirror};

/// Segments that a stream may end before it is in step with its ladder: as many as key frames of a
/// newcomer may miss, and that which is open.
const JOINING_SEGMENTS: u64 = 6;

/// The HLS of all streams. Clones share it.
#[derive(Clone)]
pub(crate) struct Hls {
    inner: Arc<Inner>,
}

struct Inner {
    config: HlsConfig,
    limits: Limits,
    dvr: Option<Dvr>,
    hub: Hub,
    clock: WallClock,
    tracker: TaskTracker,
    /// Cancelled: every run ends its playlists.
    finish: CancellationToken,
    waiting: Semaphore,
    /// Places for requests that wait for parts, over all streams.
    blocked: Semaphore,
    /// Bytes sent in all answers.
    sent: Arc<AtomicU64>,
    last_epoch: AtomicU64,
    ladders: Ladders,
    mirror: Arc<dyn HlsMirror>,
    // Guards the map. Taken before an entry's run, never the other way round.
    entries: Mutex<HashMap<StreamName, Arc<Entry>>>,
}

impl Hls {
    pub(crate) fn new(
        config: HlsConfig,
        limits: &Limits,
        hub: Hub,
        clock: WallClock,
        tracker: TaskTracker,
        sent: Arc<AtomicU64>,
        mirror: Arc<dyn HlsMirror>,
    ) -> Self {
        let dvr = config.dvr.clone().filter(|_| config.enabled);
        let dvr = dvr.map(|dvr| Dvr::open(dvr, clock()));
        let ladders = Ladders::new(config.ladders.clone(), config.segment);
        Self {
            inner: Arc::new(Inner {
                last_epoch: AtomicU64::new(dvr.as_ref().map_or(0, Dvr::last_epoch)),
                dvr,
                ladders,
                config,
                limits: limits.clone(),
                hub,
                clock,
                tracker,
                finish: CancellationToken::new(),
                waiting: Semaphore::new(limits.waiting),
                blocked: Semaphore::new(limits.hls_blocked),
                sent,
                mirror,
                entries: Mutex::default(),
            }),
        }
    }

    pub(crate) fn config(&self) -> &HlsConfig {
        &self.inner.config
    }

    /// What is kept of streams, when anything is.
    pub(super) fn dvr(&self) -> Option<&Dvr> {
        self.inner.dvr.as_ref()
    }

    /// What is kept of this stream.
    pub(crate) fn shelf(&self, name: &StreamName) -> Option<Arc<Shelf>> {
        self.dvr()?.shelf(name)
    }

    pub(super) fn now(&self) -> WallTime {
        (self.inner.clock)()
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.inner.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> &Semaphore {
        &self.inner.waiting
    }

    pub(super) fn blocked(&self) -> &Semaphore {
        &self.inner.blocked
    }

    #[cfg(test)]
    pub(crate) fn is_written(&self) -> bool {
        self.dvr().is_none_or(Dvr::is_idle)
    }

    #[cfg(test)]
    pub(crate) fn blocked_places(&self) -> usize {
        self.inner.blocked.available_permits()
    }

    #[cfg(test)]
    pub(crate) fn waiting_places(&self) -> usize {
        self.inner.waiting.available_permits()
    }

    /// Whether there is HLS of this name to be served, or a stream to make it of.
    pub(crate) fn knows(&self, name: &StreamName) -> bool {
        self.get(name)
            .is_some_and(|entry| entry.snapshot().is_some())
            || self.inner.hub.stream(name).is_some()
            || self.shelf(name).is_some_and(|shelf| shelf.has_media())
    }

    pub(crate) fn ladders(&self) -> &Ladders {
        &self.inner.ladders
    }

    /// Puts these ladders, which calls have made, in force beside the configured ones. Streams that are
    /// played join and leave at once, as far as their key frames allow it; nobody who plays one is
    /// disturbed.
    pub(crate) fn set_ladders(&self, called: &[LadderRule]) {
        let ladders = &self.inner.ladders;
        ladders.set(called);
        let active: Vec<_> = self.entries().values().cloned().collect();
        // All numbers are known before the first one joins.
        for entry in &active {
            let place = ladders.ladder_of(&entry.name);
            let resume = entry.run().resume;
            if let (Some(_), Some(resume)) = (place, resume) {
                let next = resume.media_sequence + JOINING_SEGMENTS;
                ladders.begin_after(&entry.name, next, resume.discontinuity_sequence);
            }
        }
        for entry in &active {
            let mut run = entry.run();
            // Asked with the run held: one that starts now has asked before, and is told here.
            let rung = ladders.rung(&entry.name);
            entry.place(&mut run, rung);
        }
    }

    /// Whether this is the name of a ladder that has a rung, and not of a stream.
    pub(crate) fn is_ladder(&self, name: &StreamName) -> bool {
        let rungs = self.inner.ladders.rungs_of(name).unwrap_or_default();
        !self.knows(name) && rungs.iter().any(|rung| self.knows(rung))
    }

    /// The ladder and the rung that a path below the ladder's name means, where it means no stream.
    pub(crate) fn through_ladder(&self, path: &StreamName) -> Option<(StreamName, StreamName)> {
        let found = self.inner.ladders.through(path)?;
        (!self.knows(path) && self.knows(&found.1)).then_some(found)
    }

    /// The HLS of this name, if somebody has asked for it.
    pub(crate) fn get(&self, name: &StreamName) -> Option<Arc<Entry>> {
        self.entries().get(name).cloned()
    }

    /// The HLS of this name, started if need be; `None` when there is neither a stream nor a
    /// finished playlist. Counts as a request.
    pub(crate) fn open(&self, name: &StreamName) -> Option<Arc<Entry>> {
        let stream = self.inner.hub.stream(name);
        let entry = match (self.get(name), &stream) {
            (Some(entry), _) => entry,
            (None, None) => return None,
            (None, Some(_)) => {
                let new = Entry::new(name.clone(), &self.inner.limits);
                let mut entries = self.entries();
                Arc::clone(entries.entry(name.clone()).or_insert_with(|| Arc::new(new)))
            }
        };
        entry.touch();
        if let Some(stream) = stream {
            self.start(&entry, &stream);
            return Some(entry);
        }
        entry.snapshot().is_some().then_some(entry)
    }

    /// Starts a run unless one of this stream runs.
    fn start(&self, entry: &Arc<Entry>, stream: &Arc<Stream>) {
        if self.inner.finish.is_cancelled() {
            return;
        }
        let mut run = entry.run();
        if let State::Running(present) = &run.state
            && Arc::ptr_eq(present, stream)
        {
            return;
        }
        let (segmenter, keys) = self.segmenter(&entry.name, &run);
        run.rung = segmenter.rung().cloned();
        let generation = entry.begin(&mut run, stream);
        run.keys = keys.clone();
        drop(run);
        tracing::debug!(stream = %entry.name, run = generation, "hls started");
        let keeper = self.dvr().and_then(|dvr| dvr.keeper(&entry.name));
        let mut config = self.inner.config.clone();
        config.low_latency &= segmenter.makes_parts();
        // What is kept is made whether somebody watches or not.
        config.always |= keeper.is_some();
        let context = task::Context {
            entry: Arc::clone(entry),
            stream: Arc::clone(stream),
            generation,
            config,
            keeper,
            keys,
            clock: Arc::clone(&self.inner.clock),
            tracker: self.inner.tracker.clone(),
            finish: self.inner.finish.clone(),
            mirror: self.mirror_of(&entry.name),
        };
        self.inner.tracker.spawn(task::run(context, segmenter));
    }

    /// A segmenter for a run, and its keys, where they are fetched.
    fn segmenter(&self, name: &StreamName, run: &Run) -> (Segmenter, Option<Arc<Fetched>>) {
        let now = (self.inner.clock)();
        let settings = &self.inner.config;
        let mut config = hls::Config::new(name, self.epoch(now));
        let mut fetched = None;
        config.encryption = self.encryption(name).map(|encryption| hls::Encryption {
            method: encryption.method,
            rotation: encryption.rotation,
            keys: match encryption.keys {
                KeyOrigin::Generated(secret) => Arc::new(Generated {
                    secret,
                    name: name.clone(),
                    epoch: config.epoch,
                }),
                KeyOrigin::Server(server) => {
                    let keys = Arc::new(Fetched::new(server, name.clone(), config.epoch));
                    fetched = Some(Arc::clone(&keys));
                    keys
                }
            },
        });
        config.segment = settings.segment;
        config.segments = settings.segments;
        config.part = settings.low_latency.then_some(settings.part);
        config.part_ranges = settings.part_ranges;
        config.limits = settings.limits;
        config.rung = self.inner.ladders.rung(name);
        config.timed_metadata = settings.timed_metadata;
        let kept = self.shelf(name).and_then(|shelf| shelf.progress());
        let resume = match (
            run.resume,
            kept.map(|kept| after(kept, now, settings.segment)),
        ) {
            (Some(resume), Some(kept)) => Some(Resume {
                media_sequence: resume.media_sequence.max(kept.media_sequence),
                discontinuity_sequence: resume
                    .discontinuity_sequence
                    .max(kept.discontinuity_sequence),
            }),
            (resume, kept) => resume.or(kept),
        };
        match resume {
            Some(Resume {
                media_sequence,
                discontinuity_sequence,
            }) => {
                config.first_media_sequence = media_sequence;
                config.least_media_sequence = media_sequence;
                config.first_discontinuity_sequence = discontinuity_sequence;
            }
            None => config.first_media_sequence = first_sequence(now, settings.segment),
        }
        config.least_target = kept.map_or(Duration::ZERO, |kept| kept.target);
        (Segmenter::new(config), fetched)
    }

    /// How a stream is encrypted.
    pub(crate) fn encryption(&self, name: &StreamName) -> Option<StreamEncryption> {
        self.inner.config.encryption.as_ref()?.of(name)
    }

    /// A number that no run had before: the wall clock, pushed on where it stands still.
    fn epoch(&self, now: WallTime) -> u64 {
        let now = u64::try_from(now.0).unwrap_or(0);
        let last = &self.inner.last_epoch;
        let mut seen = last.load(Ordering::Relaxed);
        loop {
            let next = now.max(seen.saturating_add(1));
            match last.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return next,
                Err(other) => seen = other,
            }
        }
    }

    /// Forgets what is over and who is gone; starts what is always on. To be called about once a
    /// second.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        let active: Vec<_> = self.entries().values().cloned().collect();
        for entry in active {
            let target = entry
                .snapshot()
                .and_then(|snapshot| snapshot.current.as_ref()?.target_duration());
            entry
                .sessions
                .expire(idle_after(target, self.inner.config.segment));
        }
        self.entries().retain(|name, entry| {
            let is_idle = matches!(entry.run().state, State::Idle);
            // An idle entry knows the numbers at which its stream goes on.
            let is_gone = is_idle && self.inner.hub.stream(name).is_none();
            !(is_gone || entry.is_over(now))
        });
        self.inner
            .ladders
            .sweep(|rung| self.get(rung).is_some() || self.inner.hub.stream(rung).is_some());
        if !self.inner.config.enabled {
            return;
        }
        for stream in self.inner.hub.list() {
            self.begin_always(stream.name());
        }
        if let Some(dvr) = self.dvr() {
            dvr.sweep(self.now());
        }
    }

    /// Starts what is made of this stream whether somebody asks or not, unless it runs.
    pub(crate) fn begin_always(&self, name: &StreamName) {
        let wanted = self.always(name);
        if self.inner.config.enabled
            && !wanted.is_empty()
            && let Some(entry) = self.open(name)
        {
            wanted.iter().for_each(|container| entry.want(*container));
        }
    }

    /// The containers that are made of a stream whether somebody asks or not.
    fn always(&self, name: &StreamName) -> Vec<Container> {
        let kept = self.dvr().filter(|dvr| !dvr.window(name).is_zero());
        let kept = kept.map_or(&[][..], Dvr::containers);
        let mirrored = self.inner.mirror.containers(name);
        let all = Container::ALL.into_iter();
        all.filter(|one| self.inner.config.always || kept.contains(one) || mirrored.contains(one))
            .collect()
    }

    /// How the copies of a stream are.
    pub(crate) fn copies(&self, name: &StreamName) -> Vec<HlsCopy> {
        self.inner.mirror.of(name)
    }

    fn mirror_of(&self, name: &StreamName) -> Option<Arc<dyn HlsMirror>> {
        let mirror = &self.inner.mirror;
        (!mirror.containers(name).is_empty()).then(|| Arc::clone(mirror))
    }

    /// Ends all playlists; no run starts from now on.
    pub(crate) fn finish(&self) {
        self.inner.finish.cancel();
    }

    /// Whether all viewers have been told that their stream is over, and all that is kept is written.
    pub(crate) fn all_told(&self) -> bool {
        let entries: Vec<_> = self.entries().values().cloned().collect();
        entries
            .iter()
            .all(|entry| !entry.is_running() && !entry.sessions.any_untold())
            && self.dvr().is_none_or(Dvr::is_idle)
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<StreamName, Arc<Entry>>> {
        self.inner
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a stream goes on whose last segments are known from the disk only: after them, and after what
/// can have been made since without being stored, as fast as segments of this length come.
fn after(kept: Progress, now: WallTime, segment: Duration) -> Resume {
    let since_ms = u64::try_from(now.0.saturating_sub(kept.ends.0)).unwrap_or(0);
    let segment_ms = u64::try_from(segment.as_millis())
        .unwrap_or(u64::MAX)
        .max(100);
    Resume {
        media_sequence: kept.sequence + 2 + since_ms / segment_ms,
        discontinuity_sequence: kept.discontinuity_sequence + 1,
    }
}

/// Where the numbers of a stream begin that this process knows nothing of: a restarted server must
/// not count from 0 again on the same URL (H18, hls.js #1250). Counts from 2024 on, at least as
/// fast as segments of this length come, and fits 32 bits for decades with the usual lengths.
fn first_sequence(now: WallTime, segment: Duration) -> u64 {
    const YEAR_2024_MS: i64 = 1_704_067_200_000;
    let step = (segment / 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
    let since = u64::try_from(now.0.saturating_sub(YEAR_2024_MS)).unwrap_or(0);
    since / u64::try_from(step.as_millis()).unwrap_or(1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_sequence_outruns_the_segments_of_an_earlier_process() {
        let segment = Duration::from_secs(2);
        let then = WallTime(1_795_000_000_000);
        let later = WallTime(then.0 + 3_600_000);
        let made_meanwhile = 3_600 / 2;
        assert!(first_sequence(later, segment) >= first_sequence(then, segment) + made_meanwhile);
        assert!(first_sequence(later, segment) < u64::from(u32::MAX));
        assert_eq!(first_sequence(WallTime(0), segment), 0);
        let short = Duration::from_millis(200);
        assert_eq!(
            first_sequence(later, short) - first_sequence(then, short),
            36_000
        );
    }
}
