//! One feed of a stream: its muxer, its window, its playlists.

mod cut;
mod making;
mod offer;
mod opened;
mod refusal;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;

use media::{Track, TrackId, TrackList};
use remux::LeftOut;

use crate::bandwidth::Meter;
use crate::container::Container;
use crate::encryption::Method;
use crate::feed::Feed;
use crate::mux::{Change, Messages, Mux, Samples};
use crate::playlist::{self, FrameRate, Multivariant};
use crate::presentation::{About, Init, Playlists, Text};
use crate::window::{PART_OVERHEAD, Window};

pub(crate) use cut::{Cut, Opening};
pub(crate) use opened::Opened;
use refusal::refusal;
pub(crate) use view::Common;

#[derive(Debug)]
pub(crate) struct Rendition {
    feed: Feed,
    epoch: u64,
    /// How its segments are encrypted.
    method: Option<Method>,
    enabled: bool,
    mux: Mux,
    /// The tracks that the muxer carries.
    carried: Vec<Arc<Track>>,
    left_out: Vec<LeftOut>,
    refusal: Option<Arc<str>>,
    /// Something changed since the last listed segment.
    changed: bool,
    /// A segment was listed.
    begun: bool,
    /// Number of the init segment in use; the next is made when a segment needs it.
    init_version: u32,
    init_is_stale: bool,
    inits: VecDeque<Init>,
    window: Window,
    open: Option<Opened>,
    /// No listed segment so far began with anything but a random access unit.
    independent: bool,
    frame_rate: Option<FrameRate>,
    /// What was said of the last segment.
    about: Arc<About>,
    meter: Meter,
    iframe_meter: Meter,
    multivariant: Option<(Text, Arc<Multivariant>)>,
    rendered: Option<Arc<Playlists>>,
    renders: u64,
    dirty: bool,
}

impl Rendition {
    /// A rendition of nothing yet; `method`: how the stream is encrypted.
    pub(crate) fn new(feed: Feed, epoch: u64, method: Option<Method>) -> Self {
        let method = method.map(|method| method.of(feed.container()));
        let (mux, _) = Mux::new(feed.container(), Samples::of(method), &TrackList::default());
        Self {
            feed,
            epoch,
            method,
            enabled: false,
            mux,
            carried: Vec::new(),
            left_out: Vec::new(),
            refusal: None,
            changed: false,
            begun: false,
            init_version: 0,
            init_is_stale: true,
            inits: VecDeque::new(),
            window: Window::default(),
            open: None,
            independent: true,
            frame_rate: None,
            about: Arc::default(),
            meter: Meter::default(),
            iframe_meter: Meter::default(),
            multivariant: None,
            rendered: None,
            renders: 0,
            dirty: true,
        }
    }

    pub(crate) fn feed(&self) -> Feed {
        self.feed
    }

    /// Sound beside a picture has none: its players would have all messages twice.
    fn messages(&self) -> Messages {
        match self.feed {
            Feed::Main(_) | Feed::Video(_) => Messages::Carried,
            Feed::Audio(..) => Messages::LeftOut,
        }
    }

    /// Announces timed metadata, before there are tracks.
    pub(crate) fn carry_metadata(&mut self) {
        if self.messages() == Messages::Carried {
            self.mux.carry_metadata();
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn enable(&mut self) {
        self.enabled = true;
        self.dirty = true;
    }

    pub(crate) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    pub(crate) fn carries(&self, id: TrackId) -> bool {
        self.mux.carries(id)
    }

    pub(crate) fn damaged_units(&self) -> u64 {
        self.mux.damaged_units()
    }

    /// Wall times of the begin and the end of its playlist.
    pub(crate) fn listed_ms(&self) -> Option<(i64, i64)> {
        let last = self.window.listed().next_back()?;
        let end = self.shown().map_or(last.end_wall_ms(), Opened::end_wall_ms);
        Some((self.window.first_wall_ms(), end))
    }

    /// How often playlists were rendered.
    pub(crate) fn renders(&self) -> u64 {
        self.renders
    }

    pub(crate) fn bytes(&self) -> usize {
        let inits: usize = self.inits.iter().map(|init| init.body.len()).sum();
        let open = self
            .open
            .as_ref()
            .map_or(0, |open| open.bytes + PART_OVERHEAD * open.parts.len());
        self.window.bytes() + inits + open
    }

    /// The number after the last one used, be it only by a part.
    pub(crate) fn next_sequence(&self) -> u64 {
        let complete = self.next_complete();
        complete + u64::from(self.shown().is_some())
    }

    /// The number after that of the newest complete segment.
    fn next_complete(&self) -> u64 {
        self.window.last_sequence().map_or(0, |last| last + 1)
    }

    /// The open segment, once somebody may know of it.
    fn shown(&self) -> Option<&Opened> {
        self.open
            .as_ref()
            .filter(|open| open.has_media() && !self.window.is_empty())
    }

    /// Parts made of the open segment.
    pub(crate) fn open_parts(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.parts.len())
    }

    pub(crate) fn last_discontinuity_sequence(&self) -> u64 {
        self.window.last_discontinuity_sequence()
    }

    /// The stream has these tracks from the next segment on; `others` are left out of the feed
    /// whatever its container.
    pub(crate) fn set_tracks(&mut self, all: &TrackList, others: &[LeftOut]) -> Change {
        let tracks = &self.feed.select(all);
        let (change, mut left_out) =
            self.mux
                .set_tracks(&self.carried, Samples::of(self.method), tracks);
        self.refusal = self
            .mux
            .is_empty()
            .then(|| refusal(self.feed, all, tracks, &left_out))
            .flatten();
        left_out.extend_from_slice(others);
        self.left_out = left_out;
        self.carried = self.mux.carried(tracks);
        self.dirty = true;
        if change == Change::Configuration {
            self.init_is_stale = true;
            self.changed = true;
            self.frame_rate = None;
        }
        change
    }

    /// Whether segments are made in parts.
    pub(crate) fn makes_parts(&self) -> bool {
        self.feed.container() == Container::Fmp4
    }

    fn is_main(&self) -> bool {
        matches!(self.feed, Feed::Main(_))
    }

    /// Begins anew: its next segment is the first that is listed, whatever its number.
    pub(crate) fn restart(&mut self) {
        self.window.clear();
        self.open = None;
        self.changed = true;
    }

    /// Frees the oldest removed segment; false when there is none.
    pub(crate) fn drop_removed(&mut self) -> bool {
        let dropped = self.window.drop_removed();
        self.after_drop(dropped)
    }

    /// Frees the oldest listed segment; false when only one is left.
    pub(crate) fn drop_listed(&mut self) -> bool {
        let dropped = self.window.drop_listed();
        self.after_drop(dropped)
    }

    /// Whether the playlists will be rendered anew.
    pub(crate) fn is_dirty(&self) -> bool {
        self.enabled && self.dirty
    }

    /// The playlists must say something new.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    pub(crate) fn inits(&self) -> impl Iterator<Item = &Init> {
        self.inits.iter()
    }

    /// Sets the multivariant playlist, which says what others offer too.
    pub(crate) fn set_multivariant(&mut self, says: Multivariant) {
        self.multivariant = Some((playlist::multivariant(&says), Arc::new(says)));
    }

    fn drop_inits(&mut self) {
        let Some(oldest) = self.window.oldest_init() else {
            return;
        };
        while self.inits.front().is_some_and(|init| init.version < oldest) {
            self.inits.pop_front();
        }
    }

    fn after_drop(&mut self, dropped: bool) -> bool {
        if dropped {
            self.drop_inits();
            self.dirty = true;
        }
        dropped
    }
}
