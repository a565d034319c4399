//! One container of a stream: its muxer, its window, its playlists.

use std::collections::VecDeque;
use std::sync::Arc;

use media::config::VideoParams;
use media::{AccessUnit, Dts, Track, TrackId, TrackKind, TrackList};
use remux::LeftOut;

use crate::bandwidth::Meter;
use crate::container::{Container, HasVideo};
use crate::mux::{Change, Mux};
use crate::playlist::{self, FrameRate};
use crate::presentation::{self, Init, Playlists};
use crate::window::{Rules, Segment, Window};

/// A complete segment before it is muxed.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Its number, when the rendition has no numbers yet.
    pub(crate) sequence: u64,
    /// Discontinuities of the stream before it, counted from the first segment's.
    pub(crate) discontinuities: u64,
    pub(crate) units: Vec<AccessUnit>,
    /// Decode time of the unit that follows, per track where known.
    pub(crate) ends: Vec<(TrackId, Dts)>,
    pub(crate) duration_ms: u64,
    pub(crate) wall_ms: i64,
    /// The timeline broke before it.
    pub(crate) broke: bool,
    /// Measured, when the segment is a whole number of groups of pictures.
    pub(crate) frame_rate: Option<FrameRate>,
}

/// What all renditions of a stream have in common when they render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) stream: &'a str,
    pub(crate) epoch: u64,
    pub(crate) target_ms: u64,
    pub(crate) ended: bool,
}

#[derive(Debug)]
pub(crate) struct Rendition {
    container: Container,
    enabled: bool,
    mux: Mux,
    /// The tracks that the muxer carries.
    carried: Vec<Arc<Track>>,
    left_out: Vec<LeftOut>,
    refusal: Option<Arc<str>>,
    /// Something changed since the last listed segment.
    changed: bool,
    /// Number of the init segment in use; the next is made when a segment needs it.
    init_version: u32,
    init_is_stale: bool,
    inits: VecDeque<Init>,
    window: Window,
    /// No listed segment so far began with anything but a random access unit.
    independent: bool,
    frame_rate: Option<FrameRate>,
    meter: Meter,
    rendered: Option<Playlists>,
    renders: u64,
    dirty: bool,
}

impl Rendition {
    pub(crate) fn new(container: Container) -> Self {
        let (mux, _) = Mux::new(container, &TrackList::default());
        Self {
            container,
            enabled: false,
            mux,
            carried: Vec::new(),
            left_out: Vec::new(),
            refusal: None,
            changed: false,
            init_version: 0,
            init_is_stale: true,
            inits: VecDeque::new(),
            window: Window::default(),
            independent: true,
            frame_rate: None,
            meter: Meter::default(),
            rendered: None,
            renders: 0,
            dirty: true,
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

    /// How often playlists were rendered.
    pub(crate) fn renders(&self) -> u64 {
        self.renders
    }

    pub(crate) fn bytes(&self) -> usize {
        let inits: usize = self.inits.iter().map(|init| init.body.len()).sum();
        self.window.bytes() + inits
    }

    /// The number after the last one used.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.window.last_sequence().map_or(0, |last| last + 1)
    }

    pub(crate) fn last_discontinuity_sequence(&self) -> u64 {
        self.window.last_discontinuity_sequence()
    }

    /// The stream has these tracks from the next segment on; `others` are left out of HLS whatever
    /// the container.
    pub(crate) fn set_tracks(&mut self, tracks: &TrackList, others: &[LeftOut]) {
        let (change, mut left_out) = self.mux.set_tracks(&self.carried, tracks);
        self.refusal = self
            .mux
            .is_empty()
            .then(|| refusal(tracks, &left_out))
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
    }

    /// Muxes and lists a segment.
    pub(crate) fn push(&mut self, cut: &Cut, target_ms: u64, rules: Rules) {
        self.changed |= cut.broke;
        if cut.broke {
            self.mux.discontinuity();
        }
        let Some(body) = self.mux.segment(&cut.units, &cut.ends) else {
            // Nothing of it is carried: the next segment does not follow the last one in time.
            self.changed = true;
            return;
        };
        let first = self.window.is_empty();
        if first {
            self.window.begin(cut.discontinuities);
        }
        let discontinuity = std::mem::take(&mut self.changed) && !first;
        let has_video = self.has_video();
        let segment = Segment {
            sequence: if first {
                cut.sequence
            } else {
                self.next_sequence()
            },
            duration_ms: cut.duration_ms,
            wall_ms: cut.wall_ms,
            discontinuity,
            init: self.init(has_video),
            has_video,
            body,
        };
        self.independent &= self.begins_independently(&cut.units);
        self.frame_rate = self.frame_rate.or(cut.frame_rate);
        self.meter
            .add(segment.duration_ms, segment.body.len(), target_ms);
        self.window.push(segment, rules);
        self.drop_inits();
        self.dirty = true;
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

    /// The playlists must say something new.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// What the shell serves; texts are rendered again only after a change.
    pub(crate) fn view(&mut self, common: Common<'_>) -> presentation::Rendition {
        if !self.enabled {
            return presentation::Rendition::Off;
        }
        if std::mem::take(&mut self.dirty) && !self.window.is_empty() {
            self.rendered = Some(self.render(common));
            self.renders += 1;
        }
        match (&self.rendered, &self.refusal) {
            (Some(playlists), _) => presentation::Rendition::Ready(playlists.clone()),
            (None, Some(reason)) => presentation::Rendition::Refused(reason.clone()),
            (None, None) => presentation::Rendition::Pending,
        }
    }

    pub(crate) fn inits(&self) -> impl Iterator<Item = &Init> {
        self.inits.iter()
    }

    fn render(&self, common: Common<'_>) -> Playlists {
        let head = playlist::Head {
            container: self.container,
            epoch: common.epoch,
            target_seconds: common.target_ms / 1_000,
            independent: self.independent,
            ended: common.ended,
        };
        let video = self.video();
        let variant = playlist::Variant {
            container: self.container,
            stream: common.stream,
            independent: self.independent,
            bandwidth: self.meter.declared(),
            codecs: self.mux.codec_strings(),
            resolution: video
                .filter(|video| video.width > 0 && video.height > 0)
                .map(|video| (video.width, video.height)),
            frame_rate: video
                .and_then(stated_frame_rate)
                .or(self.frame_rate)
                .filter(|_| video.is_some()),
        };
        Playlists {
            multivariant: playlist::multivariant(variant),
            media: playlist::media(head, &self.window),
            last_sequence: self.window.last_sequence().unwrap_or(0),
            segments: self.window.stored().collect(),
        }
    }

    /// The init segment for the next segment; a new number for a new one.
    fn init(&mut self, has_video: HasVideo) -> Option<u32> {
        let body = self.mux.init_segment()?;
        if std::mem::take(&mut self.init_is_stale) {
            self.init_version += 1;
            self.inits.push_back(Init {
                version: self.init_version,
                body,
                has_video,
            });
        }
        Some(self.init_version)
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

    fn has_video(&self) -> HasVideo {
        if self.carried.iter().any(|t| t.kind() == TrackKind::Video) {
            HasVideo::Yes
        } else {
            HasVideo::No
        }
    }

    fn video(&self) -> Option<VideoParams> {
        let configs = self.carried.iter().filter_map(|t| t.config.as_ref().ok());
        configs.filter_map(media::CodecConfig::video).next()
    }

    /// Whether the first picture, if there is one, can be decoded by itself.
    fn begins_independently(&self, units: &[AccessUnit]) -> bool {
        let video = |id: TrackId| {
            self.carried
                .iter()
                .any(|track| track.id == id && track.kind() == TrackKind::Video)
        };
        units
            .iter()
            .find(|unit| video(unit.track))
            .is_none_or(AccessUnit::is_random_access)
    }
}

fn stated_frame_rate(video: VideoParams) -> Option<FrameRate> {
    let (num, den) = video.frame_rate?;
    // Some encoders write their clock's rate: what no screen shows is measured instead.
    let plausible = den > 0 && (1..=300).contains(&(num / den));
    plausible.then_some(FrameRate {
        frames: num.into(),
        per: den.into(),
        hz: 1,
    })
}

/// Why nothing can be served, unless a configuration may still arrive.
fn refusal(tracks: &TrackList, left_out: &[LeftOut]) -> Option<Arc<str>> {
    let waits = |track: &Arc<Track>| matches!(track.config, Err(media::Unconfigured::Missing));
    if tracks.is_empty() || tracks.iter().any(waits) {
        return None;
    }
    let reasons: Vec<String> = left_out
        .iter()
        .map(|out| {
            let kind = out.codec.kind().as_str();
            format!("{kind} track {} ({}): {}", out.track, out.codec, out.reason)
        })
        .collect();
    Some(reasons.join("; ").into())
}
