//! Any schedule of slow and fast viewers: what each of them gets is whole.
//!
//! A group is polled by hand, with sockets in memory and a clock that stands still; only when its
//! waker was woken, so that a lost wake-up shows as a viewer that never gets the rest. What viewers
//! got is read by other people's code: `rml_rtmp`, `httparse`, `tungstenite`, `scuffle-flv` and
//! `mpeg2ts`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod read;
mod ts;
mod viewer;

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::task::Wake;

use hub::{CloseCause, Hub};
use proptest::prelude::*;

use super::*;
use crate::config::Batch;
use feed::{Feed, audio, audio_header, metadata, video, video_header};
use viewer::{Kind, TestViewer};

#[path = "../../../publish/tests/support/feed.rs"]
mod feed;

/// An FLV tag, or an RTMP message of the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    /// 8 audio, 9 video, 18 data.
    kind: u8,
    ms: u32,
    body: bytes::Bytes,
}

impl Tag {
    fn is_key(&self) -> bool {
        self.kind == 9 && self.body[0] == 0x17
    }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// So many messages are published, each of about so many bytes.
    Publish(usize, usize),
    /// The group runs, if it was woken.
    Poll,
    /// Time passes.
    Wait(u64),
    /// A viewer takes so many bytes at most.
    Take(usize, usize),
    Join(Kind, usize),
    Leave(usize),
    /// A viewer sends a ping.
    Ask(usize),
    /// A viewer pauses, or goes on.
    Pause(usize),
    /// The settings change.
    Reload(Config),
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => prop::sample::select(vec![128, 4_096, 60_000]).prop_map(Kind::Rtmp),
        1 => Just(Kind::Flv),
        2 => Just(Kind::Chunked),
        2 => Just(Kind::WebSocket),
    ]
}

/// Bytes that a socket holds.
fn socket_bytes() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![64, 1_000, 10_000, 300_000, 4_000_000])
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0_usize..64;
    prop_oneof![
        12 => (1_usize..8, 0_usize..1_500).prop_map(|(count, len)| Step::Publish(count, len)),
        // Beyond what one write takes, and what a viewer is written in a row; WebSocket's long lengths.
        1 => (1_usize..24, 60_000_usize..80_000).prop_map(|(count, len)| Step::Publish(count, len)),
        16 => Just(Step::Poll),
        6 => (1_u64..400).prop_map(Step::Wait),
        16 => (index(), 1_usize..30_000).prop_map(|(who, most)| Step::Take(who, most)),
        4 => (index(), 1_usize..40).prop_map(|(who, most)| Step::Take(who, most)),
        2 => (kind(), socket_bytes()).prop_map(|(kind, bytes)| Step::Join(kind, bytes)),
        1 => index().prop_map(Step::Leave),
        2 => index().prop_map(Step::Ask),
        2 => index().prop_map(Step::Pause),
        1 => config().prop_map(Step::Reload),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let millis = Duration::from_millis;
    let batch = prop_oneof![
        Just(Batch::Auto),
        Just(Batch::For(Duration::ZERO)),
        Just(Batch::For(millis(20))),
        Just(Batch::For(millis(350))),
    ];
    // From a few messages to more than is ever published.
    let bytes = prop_oneof![2_000_usize..60_000, Just(8 << 20)];
    (batch, bytes, 100_u64..5_000).prop_map(move |(batch, max_lag_bytes, lag)| Config {
        batch,
        max_lag_bytes,
        max_lag: millis(lag),
        stall_timeout: millis(1_000_000),
        ..Config::default()
    })
}

/// A stream, its group and its viewers.
struct Room {
    /// `None` once the stream is over.
    feed: Option<Feed>,
    /// Everything that was published behind the headers.
    log: Vec<Tag>,
    /// MPEG-TS viewers have a group of their own.
    is_ts: bool,
    group: Group,
    inbox: Inbox,
    woken: Arc<Woken>,
    /// Whether the group ended.
    over: bool,
    viewers: Vec<TestViewer>,
    joined: usize,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Room {
    fn new(config: Config, ring_bytes: usize, is_ts: bool) -> Self {
        let mut of_hub = hub::Config::default();
        of_hub.end_grace = Duration::ZERO;
        of_hub.gop_cache_bytes = ring_bytes;
        let feed = Feed::with_headers(&Hub::new(of_hub), "room");
        let inbox = Inbox::default();
        let group = Group::new(
            Arc::clone(feed.publisher.stream()),
            is_ts,
            Rc::new(Cell::new(config)),
            inbox.clone(),
            Arc::new(Vitals::new()),
            Arc::default(),
            Rc::default(),
        );
        Self {
            feed: Some(feed),
            log: Vec::new(),
            is_ts,
            group,
            inbox,
            woken: Arc::new(Woken(true.into())),
            over: false,
            viewers: Vec::new(),
            joined: 0,
        }
    }

    fn join(&mut self, kind: Kind, socket_bytes: usize) {
        let kind = if self.is_ts { Kind::Ts } else { kind };
        let stream = Arc::clone(&self.group.stream);
        let (viewer, new) = TestViewer::new(kind, socket_bytes, self.joined, stream, timers_now());
        self.joined += 1;
        self.group.vitals.viewers.fetch_add(1, Ordering::Relaxed);
        assert!(self.inbox.give(Box::new(new)).is_ok());
        self.viewers.push(viewer);
    }

    /// Numbers go round.
    fn viewer(&mut self, number: usize) -> &mut TestViewer {
        let count = self.viewers.len();
        &mut self.viewers[number % count]
    }

    /// A viewer takes so many bytes, while the group runs.
    fn take(&mut self, number: usize, mut bytes: usize) {
        while bytes > 0 {
            self.poll();
            let most = bytes.min(64);
            self.viewers[number].take(most);
            bytes -= most;
        }
    }

    /// A key frame each twelfth message, a sound each third.
    fn publish(&mut self, len: usize) {
        let feed = self.feed.as_mut().expect("it is live");
        let number = self.log.len();
        let ms = u32::try_from(number).unwrap() * 20;
        if number % 3 == 1 {
            feed.audio(ms);
            self.log.push(Tag {
                kind: 8,
                ms,
                body: audio(ms),
            });
        } else {
            let key = number.is_multiple_of(12);
            feed.video(ms, key, len);
            let body = video(ms, key, len);
            self.log.push(Tag { kind: 9, ms, body });
        }
    }

    /// Runs the group if it was woken.
    fn poll(&mut self) -> bool {
        let woken = !self.over && self.woken.0.swap(false, Ordering::SeqCst);
        if woken {
            let waker = Arc::clone(&self.woken).into();
            self.over = self.group.poll(&mut Context::from_waker(&waker)).is_ready();
        }
        woken
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Publish(count, len) => (0..count).for_each(|_| self.publish(len)),
            Step::Poll => {
                self.poll();
            }
            Step::Wait(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
            Step::Take(who, most) => {
                self.viewer(who).take(most);
            }
            Step::Join(kind, bytes) => self.join(kind, bytes),
            // One stays, so that the group does.
            Step::Leave(who) if self.viewers.len() > 1 => {
                let who = who % self.viewers.len();
                self.viewers.remove(who);
            }
            Step::Leave(_) => {}
            Step::Ask(who) => self.viewer(who).ask(),
            Step::Pause(who) => self.viewer(who).turn_pause(),
            Step::Reload(config) => self.group.config.set(config),
        }
    }

    /// Everybody takes everything, until nothing moves for longer than a batch is gathered (but not
    /// for so long that housekeeping makes good a wake-up that was lost).
    async fn settle(&mut self) {
        let mut idle = 0;
        while idle < 40 {
            let mut moved = self.poll();
            for viewer in &mut self.viewers {
                moved |= viewer.take(usize::MAX);
            }
            if moved {
                idle = 0;
            } else {
                idle += 1;
                tokio::time::advance(Duration::from_millis(10)).await;
            }
        }
    }

    /// Housekeeping writes to everybody who is not blocked; it must have nothing to write. (RTMP
    /// sessions may be due to ping.)
    async fn expect_nothing_of_housekeeping(&mut self) {
        let bytes = |room: &Self| {
            let others = room.viewers.iter().filter(|viewer| !viewer.is_rtmp());
            others.map(TestViewer::bytes).sum::<u64>()
        };
        let before = bytes(self);
        tokio::time::advance(HOUSEKEEPING).await;
        self.settle().await;
        assert_eq!(bytes(self), before, "a wake-up was lost");
    }
}

/// Runs the steps, then lets everybody take the rest and the end, and looks at what they got.
async fn play(
    config: Config,
    ring_bytes: usize,
    is_ts: bool,
    viewers: Vec<(Kind, usize)>,
    steps: Vec<Step>,
) {
    let mut room = Room::new(config, ring_bytes, is_ts);
    for (kind, socket_bytes) in viewers {
        room.join(kind, socket_bytes);
    }
    for step in steps {
        room.step(step).await;
    }
    for viewer in &mut room.viewers {
        viewer.end_pause();
    }
    room.settle().await;
    room.expect_nothing_of_housekeeping().await;
    // Whoever waits for a place to start finds one.
    while !room.log.len().is_multiple_of(12) {
        room.publish(10);
    }
    (0..3).for_each(|_| room.publish(10));
    room.settle().await;
    let listed = room.group.stream.viewers().list();
    assert_eq!(listed.len(), room.viewers.len());
    let feed = room.feed.take().expect("it is live");
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    room.settle().await;
    assert!(room.over, "the group goes with its last viewer");
    assert_eq!(room.group.vitals.viewers.load(Ordering::Relaxed), 0);
    assert_eq!(room.group.stream.viewers().count(), 0);
    let is_wide = ring_bytes == WIDE;
    for viewer in &room.viewers {
        let read = viewer.read();
        let mut runs = runs(&read.tags, &room.log, viewer.has_paused(), is_wide);
        if is_ts {
            // Tables are before every random access point, not only where something is missing.
            runs.dedup_by(|next, run| {
                let goes_on = next.start == run.end;
                run.end = if goes_on { next.end } else { run.end };
                goes_on
            });
        }
        assert!(read.said_end, "the end was said");
        assert_eq!(read.answers, viewer.asked(), "every ping was answered");
        let known = listed.iter().find(|one| *one.info.client == *viewer.name());
        let known = known.expect("it was listed");
        assert_eq!(known.bytes_out.load(Ordering::Relaxed), viewer.bytes());
        // A worker that lags, or a pause, is no skip of the viewer's.
        if is_wide && !viewer.has_paused() {
            let (skips, seen) = (known.skips.load(Ordering::Relaxed), runs.len() as u64 - 1);
            // Tables are in the window: a viewer that is moved on again at once sees one gap.
            assert!(
                skips == seen || (is_ts && skips > seen),
                "{skips}, {runs:?}"
            );
            let missed: usize = runs.windows(2).map(|two| two[1].start - two[0].end).sum();
            assert_eq!(known.frames_missed.load(Ordering::Relaxed), missed as u64);
        }
    }
}

/// What a viewer got, as runs of the log: each begins with headers and a key frame (or ends with its
/// headers already), goes on without a gap, and lies behind the one before; the last one goes to the
/// end.
fn runs(tags: &[Tag], log: &[Tag], has_paused: bool, is_wide: bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut tags = tags.iter().peekable();
    while let Some(tag) = tags.next() {
        if tag.kind == 18 {
            let ms = tag.ms;
            let header = |kind, body| Tag { kind, ms, body };
            assert_eq!(*tag, header(18, metadata()));
            let whole = tags.next_if_eq(&&header(9, video_header(0x1e))).is_some()
                && tags.next_if_eq(&&header(8, audio_header())).is_some();
            // A group that was overrun says the headers in the window, where a viewer may be cut
            // off between two of them.
            let again = tags.peek().is_some_and(|next| next.kind == 18);
            assert!(
                whole || (again && !is_wide),
                "headers of {ms} are not whole"
            );
            let key = log.iter().position(|one| one.is_key() && one.ms == ms);
            let at = key.expect("headers of a key frame");
            let last = runs.last().map_or(0, |run| run.end);
            assert!(at >= last || has_paused, "at {at}, behind {last}");
            runs.push(at..at);
        } else {
            let run = runs.last_mut().expect("headers first");
            assert_eq!(Some(tag), log.get(run.end), "after {run:?}");
            run.end += 1;
        }
    }
    assert_eq!(runs.last().map(|run| run.end), Some(log.len()), "{runs:?}");
    runs
}

/// More than any schedule publishes.
const WIDE: usize = 64 << 20;

fn run(
    config: Config,
    ring_bytes: usize,
    is_ts: bool,
    viewers: Vec<(Kind, usize)>,
    steps: Vec<Step>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // Pending means pending here, not that a task has had its turn.
    let test = tokio::task::unconstrained(play(config, ring_bytes, is_ts, viewers, steps));
    runtime.block_on(test);
}

#[test]
fn viewer_that_was_cut_off_between_two_messages_goes_on_at_the_next_join_point() {
    let config = Config {
        batch: Batch::For(Duration::ZERO),
        max_lag_bytes: 2_000,
        ..Config::default()
    };
    let key = video(0, true, 10);
    let bodies = [metadata(), video_header(0x1e), audio_header(), key];
    let tags: usize = bodies.iter().map(|body| 15 + body.len()).sum();
    // Full behind the key frame. Then it is cut off, and nothing is left to start at.
    let socket_bytes = read::HEAD.len() + 13 + tags;
    let publish = |len| [Step::Publish(1, len), Step::Poll];
    let steps = [publish(10), publish(10), publish(60_000)].concat();
    // One alone is written to by slices, several from an image.
    for count in [1, 4] {
        let viewers = vec![(Kind::Flv, socket_bytes); count];
        run(config, WIDE, false, viewers, steps.clone());
    }
}

#[test]
fn viewer_that_is_given_much_at_once_gets_it_all_without_being_asked() {
    let config = Config {
        batch: Batch::For(Duration::ZERO),
        ..Config::default()
    };
    // Beyond what one viewer is written in a row, into a socket that takes it all.
    let steps = vec![Step::Publish(1, 10), Step::Poll, Step::Publish(40, 80_000)];
    for count in [1, 4] {
        let viewers = vec![(Kind::Flv, 8_000_000); count];
        run(config, WIDE, false, viewers, steps.clone());
    }
}

/// Each second the viewers take so many bytes of a large picture, and small ones follow; gives the
/// seconds after which each was gone.
async fn drip(each_second: &[usize], seconds: usize) -> Vec<Option<usize>> {
    let config = Config {
        batch: Batch::For(Duration::ZERO),
        max_lag_bytes: 2_000,
        stall_timeout: Duration::from_secs(30),
        ..Config::default()
    };
    let mut room = Room::new(config, WIDE, false);
    each_second.iter().for_each(|_| room.join(Kind::Flv, 64));
    room.publish(60_000);
    // Into the picture.
    (0..each_second.len()).for_each(|number| room.take(number, 1_000));
    let mut gone = vec![None; each_second.len()];
    for second in 0..seconds {
        tokio::time::advance(Duration::from_secs(1)).await;
        room.publish(10);
        for (number, most) in each_second.iter().enumerate() {
            room.take(number, *most);
            let listed = room.group.stream.viewers().list();
            let name = room.viewers[number].name();
            if !listed.iter().any(|one| *one.info.client == *name) {
                gone[number].get_or_insert(second);
            }
        }
    }
    let cut = gone.iter().flatten().count() as u64;
    let counted = room.group.counters.cut();
    assert_eq!(
        counted,
        if cut > 0 {
            vec![("stalled", cut)]
        } else {
            vec![]
        }
    );
    gone
}

#[tokio::test(start_paused = true)]
async fn viewer_that_drips_may_hold_an_old_message_for_the_stall_timeout_only() {
    let rates = [10, 3_000, 100_000];
    let gone = tokio::task::unconstrained(drip(&rates, 90)).await;
    assert!(
        matches!(gone[0], Some(30..33)),
        "not at once, and not never: {gone:?}"
    );
    assert_eq!(gone[1..], [None, None], "20 s for a picture are enough");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_schedule_gives_every_viewer_whole_runs_from_random_access_points(
        config in config(),
        // A narrow ring overruns the group itself.
        ring_bytes in prop_oneof![4 => Just(WIDE), 1 => 4_000_usize..40_000],
        is_ts in prop::bool::weighted(0.2),
        viewers in prop::collection::vec((kind(), socket_bytes()), 1..8),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        run(config, ring_bytes, is_ts, viewers, steps);
    }
}
