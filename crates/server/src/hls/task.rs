//! One run: reads a stream, feeds its segmenter, publishes what comes out.

use std::sync::Arc;
use std::time::Duration;

use hls::{Container, Feed, Segmenter, Standing, WallTime};
use hub::{Frame, Hurry, Item, JoinAt, Received, Stream, Subscriber};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::WallClock;
use super::dvr::Keeper;
use super::entry::{Entry, Resume};
use super::keys::Fetched;
use crate::config::HlsConfig;
use crate::mirror::HlsMirror;

/// How long units are gathered before the segmenter gets them, where nobody waits for parts: one
/// wake-up for many. It delays a segment by at most this.
const GATHER: Duration = Duration::from_millis(100);

/// What a run works with.
pub(super) struct Context {
    pub(super) entry: Arc<Entry>,
    pub(super) stream: Arc<Stream>,
    pub(super) generation: u64,
    pub(super) config: HlsConfig,
    /// Takes complete segments, where they are kept on the disk.
    pub(super) keeper: Option<Keeper>,
    /// Its keys, where they are fetched.
    pub(super) keys: Option<Arc<Fetched>>,
    pub(super) clock: WallClock,
    pub(super) tracker: TaskTracker,
    pub(super) finish: CancellationToken,
    /// Where a copy of all that is published goes.
    pub(super) mirror: Option<Arc<dyn HlsMirror>>,
}

/// Tells the entry when a run goes without a word, by a panic or with its runtime.
struct Watch {
    entry: Arc<Entry>,
    generation: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.entry.lost(self.generation);
    }
}

/// What draining found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drained {
    Nothing,
    Frames,
    Ended,
}

/// Why a run is over.
enum Over {
    Ended,
    Idle,
    Superseded,
}

pub(super) async fn run(context: Context, segmenter: Segmenter) {
    let _watch = Watch {
        entry: Arc::clone(&context.entry),
        generation: context.generation,
    };
    let _fetching = fetch(&context).await;
    let mut run = Running {
        frames: Vec::new(),
        hurry: None,
        standing: segmenter.standing(),
        warned: Vec::new(),
        segmenter,
        context,
    };
    let over = run.drive().await;
    run.close(&over);
}

/// Begins to fetch keys, and waits for the first one, or for word that it is missing: what the ring
/// holds is segmented at once. Fetching ends with what is given back.
async fn fetch(context: &Context) -> Option<DropGuard> {
    let keys = context.keys.as_ref()?;
    let stop = context.finish.child_token();
    let entry = Arc::clone(&context.entry);
    let fetching = Arc::clone(keys).run(stop.clone(), move || entry.wake_waiting());
    context.tracker.spawn(fetching);
    tokio::select! {
        biased;
        // Cancel safe: both only wait.
        () = context.finish.cancelled() => {}
        () = keys.first() => {}
    }
    Some(stop.drop_guard())
}

struct Running {
    context: Context,
    segmenter: Segmenter,
    frames: Vec<Arc<Frame>>,
    /// Held while there are parts, which are made as their frames come.
    hurry: Option<Hurry>,
    /// How the stream was said to stand to the others of its ladder.
    standing: Option<Standing>,
    /// Sentences about left out tracks that have been logged.
    warned: Vec<String>,
}

impl Running {
    async fn drive(&mut self) -> Over {
        let mut subscriber = self.context.stream.subscribe_unhurried(JoinAt::Oldest);
        self.enable();
        // What the ring holds is there at once: a first segment needs no wait.
        let drained = self.drain(&mut subscriber);
        self.segmenter.caught_up();
        if !self.publish() {
            return Over::Superseded;
        }
        if drained == Drained::Ended {
            return Over::Ended;
        }
        // While media flows, one wake-up per moment takes all that came in it; a wait for the
        // first unit of each would be a second one.
        let mut flows = drained == Drained::Frames;
        loop {
            let idle_at = self.context.entry.last_request() + self.context.config.idle;
            tokio::select! {
                // Cancel safe: nothing is read until it returns.
                received = next(&mut subscriber, &mut self.frames, flows && self.hurry.is_none()) => {
                    let read = received.is_some();
                    if received.is_some_and(|received| self.take(received)) {
                        return Over::Ended;
                    }
                    flows = read;
                    if !read || self.hurry.is_some() {
                        let drained = self.drain(&mut subscriber);
                        if drained == Drained::Ended {
                            return Over::Ended;
                        }
                        flows |= drained == Drained::Frames;
                    }
                }
                // Cancel safe: a permit that is not taken stays.
                () = self.context.entry.wake.notified() => self.enable(),
                // Cancel safe: only waits.
                () = tokio::time::sleep_until(idle_at), if !self.context.config.always => {
                    let idle = self.context.config.idle;
                    if self.context.entry.stop_if_idle(self.context.generation, idle) {
                        return Over::Idle;
                    }
                }
                // Cancel safe: only waits.
                () = self.context.finish.cancelled() => {
                    self.drain(&mut subscriber);
                    return Over::Ended;
                }
            }
            // A run that is on its way out may have taken the wake-up.
            self.enable();
            if !self.publish() {
                return Over::Superseded;
            }
        }
    }

    /// Feeds all that is there.
    fn drain(&mut self, subscriber: &mut Subscriber) -> Drained {
        while let Some(received) = subscriber.try_read(&mut self.frames) {
            if self.take(received) {
                return Drained::Ended;
            }
        }
        if self.frames.is_empty() {
            return Drained::Nothing;
        }
        self.feed();
        Drained::Frames
    }

    /// Takes the result of a read; true when the stream is over.
    fn take(&mut self, received: Received) -> bool {
        match received {
            Received::Join { headers, missed } => {
                self.feed();
                if missed > 0 {
                    let name = &self.context.entry.name;
                    tracing::info!(stream = %name, missed, "hls lagged behind its stream");
                    self.segmenter.discontinuity();
                }
                self.segmenter.tracks(&headers.tracks);
                if let Some(metadata) = &headers.metadata {
                    self.segmenter.data(metadata);
                }
                self.report_left_out();
                false
            }
            Received::Ended => {
                self.feed();
                true
            }
            _ => false,
        }
    }

    /// Feeds the frames gathered. They arrived as far apart as their times are, the last one now.
    fn feed(&mut self) {
        let now = (self.context.clock)();
        let newest_ms = self.frames.iter().map(|frame| frame.time_ms).max();
        let mut tracks_changed = false;
        for frame in self.frames.drain(..) {
            let age_ms = newest_ms.unwrap_or(frame.time_ms) - frame.time_ms;
            self.segmenter.publisher_offset(frame.offset_ms);
            match &frame.item {
                Item::Unit(unit) => self
                    .segmenter
                    .unit(unit, WallTime(now.0.saturating_sub(age_ms))),
                Item::Tracks(tracks) => {
                    self.segmenter.tracks(tracks);
                    tracks_changed = true;
                }
                Item::Data(message) => self.segmenter.data(message),
                Item::Discontinuity(_) => self.segmenter.discontinuity(),
                _ => {}
            }
        }
        if tracks_changed {
            self.report_left_out();
        }
    }

    fn enable(&mut self) {
        if let Some(rung) = self.context.entry.new_place(self.context.generation) {
            self.segmenter.set_rung(rung);
        }
        for feed in Feed::all() {
            if self.context.entry.wants(feed) && !self.segmenter.is_enabled(feed) {
                self.segmenter.enable(feed);
                self.report_left_out();
                if feed.container() == Container::Fmp4 && self.context.config.low_latency {
                    self.hurry = Some(self.context.stream.hurry());
                }
            }
        }
    }

    /// Says once which tracks HLS leaves out, and why.
    fn report_left_out(&mut self) {
        let mut sentences = Vec::new();
        for container in Container::ALL {
            if !self.segmenter.is_enabled(container) {
                continue;
            }
            for left_out in self.segmenter.left_out(container) {
                sentences.push(format!(
                    "HLS ({}) leaves out track {} ({}): {}",
                    container_name(container),
                    left_out.track,
                    left_out.codec,
                    left_out.reason
                ));
            }
        }
        if let Some(Standing::Refused(why)) = self.segmenter.standing() {
            sentences.push(format!("HLS does not join it to its ladder: {why}"));
        }
        for sentence in &sentences {
            if !self.warned.contains(sentence) && self.warned.len() < 64 {
                tracing::warn!(stream = %self.context.entry.name, "{sentence}");
                self.warned.push(sentence.clone());
            }
        }
        let entry = &self.context.entry;
        entry.set_left_out(self.context.generation, sentences);
    }

    /// Publishes a change; false when another run has taken over.
    fn publish(&mut self) -> bool {
        let changed = self.segmenter.changed();
        let standing = self.segmenter.standing();
        if standing != self.standing {
            self.standing = standing;
            self.report_left_out();
        }
        let stats = self.segmenter.stats();
        self.context.entry.set_stats(self.context.generation, stats);
        let Some(presentation) = changed else {
            return true;
        };
        if let Some(keeper) = &mut self.context.keeper {
            keeper.take(&presentation);
        }
        let resume = Resume {
            media_sequence: self.segmenter.next_media_sequence(),
            discontinuity_sequence: self.segmenter.next_discontinuity_sequence(),
        };
        let entry = &self.context.entry;
        let copied = Arc::clone(&presentation);
        let is_present = entry.publish(self.context.generation, presentation, resume);
        if let Some(mirror) = &self.context.mirror
            && is_present
        {
            mirror.offer(&entry.name, &copied);
        }
        is_present
    }

    fn close(&mut self, over: &Over) {
        let name = self.context.entry.name.clone();
        match over {
            Over::Idle => tracing::debug!(stream = %name, "hls stopped: nobody asks"),
            Over::Superseded => tracing::debug!(stream = %name, "hls taken over by another run"),
            Over::Ended => {
                self.segmenter.finish();
                self.publish();
                let keep = self.keep();
                self.context.entry.end(self.context.generation, keep);
                tracing::debug!(stream = %name, ?keep, "hls ended");
            }
        }
    }

    /// How long finished playlists are served: until who reads them has played them, and a while.
    fn keep(&self) -> Duration {
        let snapshot = self.context.entry.snapshot();
        let target = snapshot
            .and_then(|snapshot| snapshot.current.as_ref()?.target_duration())
            .unwrap_or(self.context.config.segment);
        let segments = u32::try_from(self.context.config.segments.max(3)).unwrap_or(u32::MAX);
        target.saturating_mul(segments.saturating_add(3))
    }
}

/// The next read; or, where frames are gathered, `None` when it is time to read all there is: they
/// came for a while, or are more than the ring should have to hold.
async fn next(
    subscriber: &mut Subscriber,
    frames: &mut Vec<Arc<Frame>>,
    gathers: bool,
) -> Option<Received> {
    if !gathers {
        return Some(subscriber.read(frames).await);
    }
    tokio::select! {
        () = tokio::time::sleep(GATHER) => {}
        () = subscriber.pressed() => {}
    }
    None
}

/// What a feed is called in messages.
pub(super) fn feed_name(feed: Feed) -> String {
    match feed {
        Feed::Main(container) => container_name(container).to_owned(),
        other => {
            let container = container_name(other.container());
            format!("{} in {container}", other.playlist_name())
        }
    }
}

/// The name of a container in messages.
pub(super) fn container_name(container: Container) -> &'static str {
    match container {
        Container::Fmp4 => "fMP4",
        Container::Ts => "MPEG-TS",
    }
}

/// The moment until which a first segment is waited for.
pub(super) fn first_deadline(config: &HlsConfig) -> Instant {
    Instant::now() + config.first_wait()
}
