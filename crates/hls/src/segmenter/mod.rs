//! Units in, snapshots out: joins the cutter's decisions with the renditions.

mod budget;
mod cuts;
mod numbers;
mod offer;
mod parts;
mod rung;
mod singles;
mod stats;
mod timed;
mod tracks;
mod units;

use std::sync::Arc;

use media::{AccessUnit, Timescale, TrackId, TrackKind, TrackList};
use remux::LeftOut;

use crate::config::Config;
use crate::container::{Container, Each};
use crate::cutter::Cutter;
use crate::encryption::{Keyring, Method};
use crate::feed::Feed;
use crate::mux::Samples;
use crate::parts::{Mark, PartClock};
use crate::presentation::{Init, Presentation};
use crate::rendition::{Common, Cut, Rendition};
use crate::timed::{Dates, Messages};
use crate::window::Rules;

use rung::OnLadder;
use singles::Singles;
pub use stats::Stats;

/// What an access unit costs in the open segment besides its bytes.
const UNIT_OVERHEAD: usize = 128;
/// Parts of one segment at most: their lines are in every playlist.
const MAX_PARTS: usize = 512;

/// Cuts one stream into HLS segments and keeps the window of each container.
///
/// # Contract
/// Feed it in the stream's order: [`tracks`](Self::tracks) before the first unit and whenever the
/// list changes, each [`unit`](Self::unit), [`discontinuity`](Self::discontinuity) where the
/// timeline broke or units were lost, [`caught_up`](Self::caught_up) once after the units that a
/// ring held already, [`finish`](Self::finish) at the end. After each call, or after a batch of
/// calls, [`changed`](Self::changed) gives the new snapshot to publish, if there is one. Nothing
/// here fails or panics: what cannot be served is counted or refused with a reason.
#[derive(Debug)]
pub struct Segmenter {
    config: Config,
    /// The tracks that may be served: default video, and audio.
    tracks: TrackList,
    /// The stream's other tracks.
    others: Vec<LeftOut>,
    /// Those that a container carries, the cutting one first.
    served: Vec<Served>,
    cutter: Cutter,
    /// Known when the first segment ends, where there are parts.
    parts: Option<PartClock>,
    open: Open,
    /// The newest complete segment, while a container that is off may ask for it.
    newest: Option<Cut>,
    /// The stream's place in a ladder.
    on_ladder: Option<OnLadder>,
    /// What was added to the publisher's times, in ticks of 90 kHz.
    offset: i64,
    /// Those of both containers, and of the other feeds that were asked for.
    renditions: Vec<Rendition>,
    singles: Singles,
    pub(crate) messages: Messages,
    dates: Dates,
    /// Where media is encrypted.
    keyring: Option<Keyring>,
    video: VideoState,
    clock: Option<Anchor>,
    /// Wall time at which the next segment begins if the timeline goes on.
    next_wall_ms: Option<i64>,
    /// The timeline broke since the last complete segment.
    broke: bool,
    /// What a feed in this container carries changed since then.
    changed: Each<bool>,
    /// How many segments began after either.
    discontinuities: Each<u64>,
    /// A segment was cut since the tracks changed.
    tracks_used: bool,
    ended: bool,
    dirty: bool,
    stats: Stats,
}

#[derive(Clone, Copy, Debug)]
struct Served {
    track: TrackId,
    kind: TrackKind,
    timescale: Timescale,
    /// An alternative to the default audio: it is in segments, and never decides where they end.
    follows: bool,
}

/// The units of the open segment.
#[derive(Debug, Default)]
struct Open {
    units: Vec<AccessUnit>,
    /// Complete parts.
    marks: Vec<Mark>,
    bytes: usize,
    /// Whether its video began with a random access unit.
    whole: Option<bool>,
}

/// Whether video units can be decoded by somebody who saw nothing before.
#[derive(Clone, Copy, Debug)]
enum VideoState {
    /// Waiting for a random access unit, since the first unit that was not one.
    Awaiting {
        since: Option<i64>,
    },
    Running,
}

/// Joins media time and wall time; a new one only where the timeline broke (H11).
#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall_ms: i64,
    media_ms: i64,
}

impl Segmenter {
    /// A segmenter that has seen nothing, with no container enabled.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let on_ladder = config.rung.clone().map(OnLadder::new);
        let mut cutter = Cutter::new(
            config.segment,
            config.limits.max_target,
            config.least_target,
        );
        cutter.set_told(on_ladder.is_some());
        let method = config.encryption.as_ref().map(|e| e.method);
        let main = Container::ALL.map(|c| Rendition::new(c.into(), config.epoch, method));
        let mut this = Self {
            cutter,
            on_ladder,
            offset: 0,
            parts: None,
            renditions: main.into(),
            messages: Messages::default(),
            dates: Dates::new(config.epoch),
            keyring: config.encryption.clone().map(Keyring::new),
            config: without_parts_of_chains(config),
            tracks: TrackList::default(),
            others: Vec::new(),
            served: Vec::new(),
            open: Open::default(),
            newest: None,
            singles: Singles::new(Samples::of(method)),
            video: VideoState::Awaiting { since: None },
            clock: None,
            next_wall_ms: None,
            broke: false,
            changed: Each::default(),
            discontinuities: Each::default(),
            tracks_used: false,
            ended: false,
            dirty: true,
            stats: Stats::default(),
        };
        if this.config.timed_metadata {
            this.renditions
                .iter_mut()
                .for_each(Rendition::carry_metadata);
        }
        this
    }

    /// Starts a feed, at any moment; a second call changes nothing. When a complete segment's
    /// units are still held, it is muxed at once.
    pub fn enable(&mut self, feed: impl Into<Feed>) {
        let feed = feed.into();
        let (target_ms, rules) = (self.target_ms(), self.rules());
        if self.is_enabled(feed) {
            return;
        }
        if self.rendition(feed).is_none() {
            let method = self.config.encryption.as_ref().map(|e| e.method);
            let mut rendition = Rendition::new(feed, self.config.epoch, method);
            if self.config.timed_metadata {
                rendition.carry_metadata();
            }
            rendition.set_tracks(&self.tracks, &[]);
            self.renditions.push(rendition);
        }
        self.dirty = true;
        let newest = self.newest.take();
        if let Some(rendition) = self.rendition_mut(feed) {
            rendition.enable();
            if let Some(newest) = &newest {
                rendition.push(newest, target_ms, rules);
            }
        }
        if let Some(newest) = newest {
            self.hold(newest);
        }
        self.make_parts();
    }

    /// Whether fMP4 is made in parts ([`Config::part`]).
    #[must_use]
    pub fn makes_parts(&self) -> bool {
        self.config.part.is_some()
    }

    /// Whether the feed was enabled.
    #[must_use]
    pub fn is_enabled(&self, feed: impl Into<Feed>) -> bool {
        self.rendition(feed.into())
            .is_some_and(Rendition::is_enabled)
    }

    /// The timeline broke (the publisher restarted its clock or came back), or units were lost:
    /// the open segment ends here; the next begins with a discontinuity at a random access unit.
    pub fn discontinuity(&mut self) {
        if self.ended {
            return;
        }
        self.break_timeline();
        self.video = VideoState::Awaiting { since: None };
    }

    /// The stream ended for good: the open segment is listed, and the playlists end. What is fed
    /// afterwards is ignored.
    pub fn finish(&mut self) {
        if self.ended {
            return;
        }
        self.end_open();
        self.ended = true;
        self.newest = None;
        self.dirty = true;
        for rendition in &mut self.renditions {
            rendition.touch();
        }
    }

    /// The new snapshot, if anything changed since the last call; the first call gives the empty
    /// one.
    #[must_use]
    pub fn changed(&mut self) -> Option<Arc<Presentation>> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.settle_dates();
        self.render_multivariant();
        self.report_anew();
        let target_ms = self.cutter.target_ms();
        let (reports, rungs) = (self.reports(), self.rung_reports());
        let common = Common {
            epoch: self.config.epoch,
            target_ms: target_ms.map_or(0, unsigned),
            part_ms: self.part_ms(),
            part_ranges: self.config.part_ranges,
            cut_due: self.is_cut_due(),
            ended: self.ended,
            reports: &reports,
            rungs: &rungs,
            dates: &self.dates,
        };
        let inits: Vec<Init> = self
            .renditions
            .iter()
            .flat_map(Rendition::inits)
            .cloned()
            .collect();
        let views = self.renditions.iter_mut();
        let views: Vec<_> = views.map(|r| (r.feed(), r.view(common))).collect();
        let dates = self.dates.told();
        Some(Arc::new(Presentation {
            epoch: self.config.epoch,
            renditions: views.into(),
            inits: inits.into(),
            dates,
            target_duration: target_ms.map(|ms| std::time::Duration::from_millis(unsigned(ms))),
            ended: self.ended,
        }))
    }

    /// Tracks that this container leaves out, with the reason; known as soon as the tracks are,
    /// whether the container is enabled or not.
    #[must_use]
    pub fn left_out(&self, container: Container) -> &[LeftOut] {
        self.rendition(container.into())
            .map_or(&[], Rendition::left_out)
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            damaged_units: self.renditions.iter().map(Rendition::damaged_units).sum(),
            renders: self.renditions.iter().map(Rendition::renders).sum(),
            bytes: self.bytes(),
            ..self.stats
        }
    }

    fn target_ms(&self) -> u64 {
        self.cutter.target_ms().map_or(0, unsigned)
    }

    fn rules(&self) -> Rules {
        Rules {
            segments: self.config.segments,
            least_ms: 3 * self.target_ms(),
            max_listed: self.config.limits.max_listed,
        }
    }

    fn rendition(&self, feed: Feed) -> Option<&Rendition> {
        self.renditions.iter().find(|r| r.feed() == feed)
    }

    fn rendition_mut(&mut self, feed: Feed) -> Option<&mut Rendition> {
        self.renditions.iter_mut().find(|r| r.feed() == feed)
    }
}

/// Where whole segments are encrypted, none has parts.
fn without_parts_of_chains(mut config: Config) -> Config {
    if config
        .encryption
        .as_ref()
        .is_some_and(|e| e.method == Method::Aes128)
    {
        config.part = None;
    }
    config
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
