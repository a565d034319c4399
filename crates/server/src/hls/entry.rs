//! What the server keeps of one stream's HLS, over all its runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hls::{Container, Feed, PlaylistName, Presentation, Resource, Rung, Skip, Stats, Text};
use hub::Stream;
use media::StreamName;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use super::keys::Fetched;
use super::links::LinkedTexts;
use super::sessions::Sessions;
use crate::config::Limits;
use crate::content;

/// One stream's HLS.
pub(crate) struct Entry {
    pub(crate) name: StreamName,
    snapshot: ArcSwapOption<Snapshot>,
    /// Raised with every new snapshot.
    version: watch::Sender<u64>,
    /// A bit for each feed ([`Feed::index`]).
    wanted: AtomicU64,
    /// The run's place in a ladder is another one.
    placed: AtomicBool,
    /// Tells the task that `wanted` or `placed` changed.
    pub(super) wake: Notify,
    created: Instant,
    /// Milliseconds from `created` to the latest request.
    last_request_ms: AtomicU64,
    // Guards which run is the present one. Taken per request and per publication, never held
    // while anything waits.
    run: Mutex<Run>,
    pub(crate) sessions: Sessions,
    /// Places for requests that wait for parts.
    pub(super) blocked: Semaphore,
}

/// Where a stream's HLS is.
pub(super) struct Run {
    /// Counts runs: what an older one still says is not heard.
    pub(super) generation: u64,
    pub(super) state: State,
    /// The present run's keys, where they are fetched.
    pub(super) keys: Option<Arc<Fetched>>,
    /// The present run's place in a ladder.
    pub(super) rung: Option<Rung>,
    /// Where the next run begins.
    pub(super) resume: Option<Resume>,
    /// The finished presentation before the present run, and until when it is served.
    previous: Option<(Arc<Presentation>, Instant)>,
    /// Tracks that a container leaves out, as sentences.
    left_out: Vec<String>,
    /// Counters of the runs before the present one, and its own.
    stats: [Stats; 2],
}

pub(super) enum State {
    /// No task; nothing to serve.
    Idle,
    /// A task segments this stream.
    Running(Arc<Stream>),
    /// No task; the finished playlists are served.
    Ended { until: Instant },
}

/// Numbers that a later run must not fall behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) media_sequence: u64,
    pub(super) discontinuity_sequence: u64,
}

/// What is served at one moment.
pub(crate) struct Snapshot {
    /// `None` until the present run has something to say.
    pub(crate) current: Option<Arc<Presentation>>,
    previous: Option<Arc<Presentation>>,
    gzip: [OnceLock<Bytes>; Playlist::COUNT],
    /// Playlists of viewers who are let in by their links.
    pub(super) linked: LinkedTexts,
}

impl Snapshot {
    fn new(current: Option<Arc<Presentation>>, previous: Option<Arc<Presentation>>) -> Arc<Self> {
        Arc::new(Self {
            current,
            previous,
            gzip: std::array::from_fn(|_| OnceLock::new()),
            linked: LinkedTexts::default(),
        })
    }

    /// The segment of this name, also of the presentation before.
    pub(crate) fn resource(&self, file: &str) -> Option<Resource> {
        [&self.current, &self.previous]
            .into_iter()
            .flatten()
            .find_map(|presentation| presentation.resource(file))
    }

    /// The key of this name, also of the presentation before.
    pub(super) fn key(&self, file: &str) -> Option<hls::Key> {
        [&self.current, &self.previous]
            .into_iter()
            .flatten()
            .find_map(|presentation| presentation.key(file))
    }

    /// What there is so far of the segment of this name, where parts are ranges of it.
    pub(super) fn growing(&self, file: &str) -> Option<hls::Resource> {
        self.current.as_ref()?.growing(file)
    }

    /// Whether a playlist says that the part of this name comes next.
    pub(super) fn is_hinted(&self, file: &str) -> bool {
        self.current.as_ref().is_some_and(|p| p.is_hinted(file))
    }

    /// The compressed form of a playlist of `current`, made once.
    pub(crate) fn gzip(&self, playlist: Playlist, text: &Text) -> Bytes {
        self.gzip
            .get(playlist.index())
            .map(|slot| slot.get_or_init(|| content::compress(&text.body)).clone())
            .unwrap_or_default()
    }
}

/// One of a stream's playlists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Playlist {
    Multivariant(Container),
    Named(PlaylistName),
    /// A delta update of a media playlist.
    Delta(Feed, Skip),
}

impl Playlist {
    /// How many there are at most.
    const COUNT: usize = 4 + 3 * Feed::COUNT;

    /// A number below [`Self::COUNT`], another one for each.
    pub(super) fn index(self) -> usize {
        let of = |container: Container| Feed::Main(container).index();
        match self {
            Self::Multivariant(container) => of(container),
            Self::Named(PlaylistName::IFrames(container)) => 2 + of(container),
            Self::Named(PlaylistName::Media(feed)) => 4 + feed.index(),
            Self::Delta(feed, Skip::Segments) => 4 + Feed::COUNT + feed.index(),
            Self::Delta(feed, Skip::Ranges) => 4 + 2 * Feed::COUNT + feed.index(),
        }
    }

    /// The feed that it is about.
    pub(super) fn feed(self) -> Feed {
        match self {
            Self::Multivariant(container) => container.into(),
            Self::Named(name) => name.feed(),
            Self::Delta(feed, _) => feed,
        }
    }
}

impl Entry {
    pub(super) fn new(name: StreamName, limits: &Limits) -> Self {
        Self {
            name,
            snapshot: ArcSwapOption::empty(),
            version: watch::Sender::new(0),
            wanted: AtomicU64::new(0),
            placed: AtomicBool::new(false),
            wake: Notify::new(),
            created: Instant::now(),
            last_request_ms: AtomicU64::new(0),
            run: Mutex::new(Run {
                generation: 0,
                state: State::Idle,
                keys: None,
                rung: None,
                resume: None,
                previous: None,
                left_out: Vec::new(),
                stats: Default::default(),
            }),
            sessions: Sessions::new(limits.hls_sessions),
            blocked: Semaphore::new(limits.hls_blocked_per_stream),
        }
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Asks for a feed; the task learns of it.
    pub(crate) fn want(&self, feed: impl Into<Feed>) {
        let bit = 1 << feed.into().index();
        if self.wanted.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            self.wake.notify_one();
        }
    }

    pub(super) fn wants(&self, feed: Feed) -> bool {
        self.wanted.load(Ordering::Acquire) & (1 << feed.index()) != 0
    }

    /// Gives the run another place in a ladder, or none; its task learns of it.
    pub(super) fn place(&self, run: &mut Run, rung: Option<Rung>) {
        if matches!(run.state, State::Running(_)) && run.rung != rung {
            run.rung = rung;
            self.placed.store(true, Ordering::Release);
            self.wake.notify_one();
        }
    }

    /// The place in a ladder that a run was given since it last asked.
    pub(super) fn new_place(&self, generation: u64) -> Option<Option<Rung>> {
        if !self.placed.load(Ordering::Acquire) {
            return None;
        }
        let run = self.run();
        // What one run is told is not another's to take.
        (run.generation == generation).then(|| {
            self.placed.store(false, Ordering::Release);
            run.rung.clone()
        })
    }

    pub(super) fn touch(&self) {
        let ms = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_request_ms.fetch_max(ms, Ordering::AcqRel);
    }

    pub(super) fn last_request(&self) -> Instant {
        self.created + Duration::from_millis(self.last_request_ms.load(Ordering::Acquire))
    }

    pub(super) fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing new is listed, where a key is missing.
    pub(super) fn key_trouble(&self) -> Option<Arc<str>> {
        self.run().keys.as_ref()?.trouble()
    }

    /// Those who wait look again.
    pub(super) fn wake_waiting(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// Tracks left out of HLS, as sentences.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.run().left_out.clone()
    }

    /// Whether a task runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.run().state, State::Running(_))
    }

    /// Whether there is nothing any more that could be served.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        match self.run().state {
            State::Ended { until } => until <= now,
            State::Idle | State::Running(_) => false,
        }
    }

    /// The present run becomes one of `stream`; gives its generation.
    pub(super) fn begin(&self, run: &mut Run, stream: &Arc<Stream>) -> u64 {
        run.generation += 1;
        let until = match run.state {
            State::Ended { until } => Some(until),
            _ => None,
        };
        let finished = self
            .snapshot()
            .and_then(|snapshot| snapshot.current.clone());
        run.previous = finished.zip(until);
        run.state = State::Running(Arc::clone(stream));
        run.left_out.clear();
        let [before, present] = run.stats;
        run.stats = [before.and_then(present), Stats::default()];
        self.reset();
        let previous = run.previous.as_ref().map(|(p, _)| Arc::clone(p));
        self.show(Some(Snapshot::new(None, previous)));
        run.generation
    }

    /// A run publishes what it has; false when it is no longer the present one.
    pub(super) fn publish(
        &self,
        generation: u64,
        current: Arc<Presentation>,
        resume: Resume,
    ) -> bool {
        let mut run = self.run();
        if run.generation != generation {
            return false;
        }
        run.resume = Some(resume);
        let now = Instant::now();
        run.previous.take_if(|(_, until)| *until <= now);
        let previous = run.previous.as_ref().map(|(p, _)| Arc::clone(p));
        self.show(Some(Snapshot::new(Some(current), previous)));
        true
    }

    pub(super) fn set_stats(&self, generation: u64, present: Stats) {
        let mut run = self.run();
        if run.generation == generation {
            let [_, last] = &mut run.stats;
            *last = present;
        }
    }

    /// Counters over all runs.
    pub(crate) fn stats(&self) -> Stats {
        let [before, present] = self.run().stats;
        before.and_then(present)
    }

    pub(super) fn set_left_out(&self, generation: u64, sentences: Vec<String>) {
        let mut run = self.run();
        if run.generation == generation {
            run.left_out = sentences;
        }
    }

    /// A run is over because its stream is: the finished playlists stay for `keep`.
    pub(super) fn end(&self, generation: u64, keep: Duration) {
        let mut run = self.run();
        if run.generation == generation {
            run.state = State::Ended {
                until: Instant::now() + keep,
            };
            run.keys = None;
            self.wake_waiting();
        }
    }

    /// A run stops because nobody asked since `idle`; false when somebody just has.
    pub(super) fn stop_if_idle(&self, generation: u64, idle: Duration) -> bool {
        let mut run = self.run();
        if run.generation == generation {
            if self.last_request() + idle > Instant::now() {
                return false;
            }
            self.forget(&mut run);
        }
        true
    }

    /// A run has gone without a word.
    pub(super) fn lost(&self, generation: u64) {
        let mut run = self.run();
        if run.generation == generation && matches!(run.state, State::Running(_)) {
            self.forget(&mut run);
        }
    }

    fn forget(&self, run: &mut Run) {
        run.state = State::Idle;
        run.keys = None;
        run.previous = None;
        // Its segments go with its presentation.
        let [_, last] = &mut run.stats;
        last.bytes = 0;
        self.reset();
        self.show(None);
    }

    /// What was asked of one run is not asked of the next.
    fn reset(&self) {
        self.wanted.store(0, Ordering::Release);
        self.sessions.clear();
    }

    fn show(&self, snapshot: Option<Arc<Snapshot>>) {
        self.snapshot.store(snapshot);
        self.version.send_modify(|version| *version += 1);
    }
}
