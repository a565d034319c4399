//! One feed of a stream: its muxer, its window, its playlists.

use std::collections::VecDeque;
use std::sync::Arc;

use media::config::VideoParams;
use media::{AccessUnit, Dts, Track, TrackId, TrackKind, TrackList};
use remux::LeftOut;

use crate::bandwidth::{Declared, Meter};
use crate::body::{Body, Part};
use crate::container::{Container, HasVideo};
use crate::encryption::{Method, Numbered, Seal};
use crate::feed::Feed;
use crate::mux::{Change, Messages, Mux, Samples};
use crate::parts::Mark;
use crate::playlist::{self, FrameRate, Multivariant, Report};
use crate::presentation::{self, About, Init, LowLatency, OpenSegment, Playlists, Text};
use crate::timed::Dates;
use crate::window::{ByteRange, PART_OVERHEAD, Rules, Segment, Window};

/// What is known of a segment when it begins.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// Its number, when the rendition has no numbers yet.
    pub(crate) sequence: u64,
    /// Discontinuities of the stream up to its begin, counted from the first segment's.
    pub(crate) discontinuities: u64,
    pub(crate) wall_ms: i64,
    /// The timeline broke before it.
    pub(crate) broke: bool,
    /// What a feed in fMP4 carries changed: all of them say so, since they are one presentation.
    pub(crate) changed: bool,
    /// What it is encrypted with.
    pub(crate) key: Option<Arc<Numbered>>,
}

/// A complete segment before it is muxed.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) opening: Opening,
    pub(crate) units: Vec<AccessUnit>,
    /// Its parts, in order; none when there is no low latency.
    pub(crate) marks: Vec<Mark>,
    /// Decode time of the unit that follows, per track where known.
    pub(crate) ends: Vec<(TrackId, Dts)>,
    pub(crate) duration_ms: u64,
    /// Measured, when the segment is a whole number of groups of pictures.
    pub(crate) frame_rate: Option<FrameRate>,
}

/// What all renditions of a stream have in common when they render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) epoch: u64,
    pub(crate) target_ms: u64,
    /// The part target, where there are parts.
    pub(crate) part_ms: Option<u64>,
    /// Parts are byte ranges of their segments.
    pub(crate) part_ranges: bool,
    /// The next unit is expected to begin a segment.
    pub(crate) cut_due: bool,
    pub(crate) ended: bool,
    /// How far the feeds of the multivariant playlist are, with the feed they are about.
    pub(crate) reports: &'a [(Feed, Option<Report>)],
    /// How far the other rungs of the ladder are.
    pub(crate) rungs: &'a [Report],
    /// What is said of cues.
    pub(crate) dates: &'a Dates,
}

/// What a multivariant playlist can say of a feed.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) independent: bool,
    pub(crate) bandwidth: Declared,
    /// Of its first pictures alone.
    pub(crate) iframe_bandwidth: Declared,
    pub(crate) codecs: Vec<String>,
    pub(crate) video_codecs: Vec<String>,
    /// Width and height in pixels.
    pub(crate) resolution: Option<(u32, u32)>,
    pub(crate) frame_rate: Option<FrameRate>,
    pub(crate) has_video: bool,
}

/// The segment that is being made in parts.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) sequence: u64,
    pub(crate) wall_ms: i64,
    pub(crate) discontinuity: bool,
    broke: bool,
    pub(crate) init: Option<u32>,
    /// How it is encrypted.
    pub(crate) seal: Option<Seal>,
    has_video: HasVideo,
    /// One of its parts has a picture.
    has_picture: bool,
    pub(crate) parts: Vec<Part>,
    /// Bytes of its parts.
    pub(crate) bytes: usize,
    picture: Option<ByteRange>,
}

impl Opened {
    pub(crate) fn duration_ms(&self) -> u64 {
        self.parts.iter().map(|part| part.duration_ms).sum()
    }

    /// Wall time of the end of its last part.
    pub(crate) fn end_wall_ms(&self) -> i64 {
        let length = i64::try_from(self.duration_ms()).unwrap_or(i64::MAX);
        self.wall_ms.saturating_add(length)
    }

    /// Whether there is something to play: before that nobody is told of it.
    fn has_media(&self) -> bool {
        self.parts.iter().any(|part| part.body.is_some())
    }
}

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
            Feed::Main(_) | Feed::Video => Messages::Carried,
            Feed::Audio(_) => Messages::LeftOut,
        }
    }

    /// Announces timed metadata, before there are tracks.
    pub(crate) fn carry_metadata(&mut self) {
        self.mux.carry_metadata();
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

    /// Wall time of the first listed segment.
    pub(crate) fn first_wall_ms(&self) -> Option<i64> {
        let listed = !self.window.is_empty();
        listed.then(|| self.window.first_wall_ms())
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

    /// Muxes the next part of the open segment; the first one opens it.
    pub(crate) fn part(
        &mut self,
        opening: &Opening,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
        duration_ms: u64,
    ) {
        if self.open.is_none() {
            let opened = self.open(opening.clone());
            self.open = Some(opened);
        }
        let muxed = self
            .mux
            .segment(units, ends, self.video_track(), self.messages());
        let picture = self.first_picture(units);
        let sound_only = self.has_video() == HasVideo::No;
        if let Some(open) = &mut self.open {
            // INDEPENDENT-SEGMENTS is no longer said as soon as a segment is known to be none.
            self.independent &= open.has_picture || picture != Some(false);
            if let Some(muxed) = &muxed {
                if !open.has_picture {
                    open.picture = muxed.picture.map(|len| ByteRange {
                        offset: open.bytes,
                        len,
                    });
                }
                open.bytes += muxed.bytes.len();
            }
            open.has_picture |= picture.is_some();
            open.parts.push(Part {
                duration_ms,
                independent: picture.unwrap_or(sound_only),
                body: muxed.map(|muxed| muxed.bytes),
            });
        }
        self.dirty |= self.shown().is_some();
    }

    /// Muxes what of the segment is not muxed yet, and lists it.
    pub(crate) fn push(&mut self, cut: &Cut, target_ms: u64, rules: Rules) {
        let segment = if self.makes_parts() && !cut.marks.is_empty() {
            self.complete(cut)
        } else {
            let mut opened = self.open(cut.opening.clone());
            let video = self.video_track();
            let muxed = self
                .mux
                .segment(&cut.units, &cut.ends, video, self.messages());
            let picture = muxed.as_ref().and_then(|muxed| muxed.picture);
            // Of a chain of blocks nothing can be read alone.
            opened.picture = picture
                .filter(|_| self.method != Some(Method::Aes128))
                .map(|len| ByteRange { offset: 0, len });
            match (muxed, &opened.seal) {
                (Some(muxed), Some(seal)) => {
                    let sealed = seal.seal(muxed.bytes);
                    Some((opened, sealed.into()))
                }
                (Some(muxed), None) => Some((opened, muxed.bytes.into())),
                // Beside the main feed it is a gap: their numbers stay the same.
                (None, _) if !self.is_main() && !self.window.is_empty() => {
                    Some((opened, Body::from(bytes::Bytes::new())))
                }
                (None, _) => None,
            }
        };
        self.frame_rate = self.frame_rate.or(cut.frame_rate);
        let Some((opened, body)) = segment else {
            // Nothing of it is carried: the next segment does not follow the last one in time.
            self.changed = true;
            return;
        };
        let segment = Segment {
            sequence: opened.sequence,
            duration_ms: cut.duration_ms,
            wall_ms: opened.wall_ms,
            discontinuity: opened.discontinuity,
            init: opened.init,
            seal: opened.seal,
            has_video: opened.has_video,
            body,
            independent: self.first_picture(&cut.units).unwrap_or(true),
            broke: opened.broke,
            about: self.about(),
            picture: opened.picture,
        };
        self.independent &= segment.independent;
        self.meter
            .add(segment.duration_ms, segment.body.len(), target_ms);
        if let Some(picture) = segment.picture {
            self.iframe_meter
                .add(segment.duration_ms, picture.len, target_ms);
        }
        self.begun = true;
        self.window.push(segment, rules);
        self.drop_inits();
        self.dirty = true;
    }

    /// Whether segments are made in parts.
    pub(crate) fn makes_parts(&self) -> bool {
        self.feed.container() == Container::Fmp4
    }

    fn is_main(&self) -> bool {
        matches!(self.feed, Feed::Main(_))
    }

    /// The parts of a segment that were not made while it was open, and all of them.
    fn complete(&mut self, cut: &Cut) -> Option<(Opened, Body)> {
        let made = self.open_parts();
        let mut from = match made {
            0 => 0,
            made => cut.marks.get(made - 1).map_or(0, |mark| mark.units),
        };
        for mark in cut.marks.iter().skip(made) {
            let units = cut.units.get(from..mark.units).unwrap_or_default();
            let is_last = mark.units == cut.units.len();
            let ends = if is_last { &cut.ends[..] } else { &[] };
            self.part(&cut.opening, units, ends, mark.duration_ms());
            from = mark.units;
        }
        let mut opened = self.open.take()?;
        let body = Body::parts(std::mem::take(&mut opened.parts).into());
        let is_kept = !body.is_empty() || (!self.is_main() && !self.window.is_empty());
        is_kept.then_some((opened, body))
    }

    /// Begins a segment: decides what precedes it in the playlist.
    fn open(&mut self, opening: Opening) -> Opened {
        self.changed |= opening.broke || (opening.changed && self.makes_parts());
        if opening.broke {
            self.mux.discontinuity();
        }
        let first = self.window.is_empty();
        if first {
            self.window.begin(opening.discontinuities);
        }
        let has_video = self.has_video();
        let sequence = if first {
            opening.sequence
        } else {
            self.next_complete()
        };
        let seal = self
            .method
            .zip(opening.key)
            .map(|(method, key)| Seal::new(method, self.feed, self.epoch, sequence, &key));
        if let Some(protection) = seal.as_ref().and_then(|s| s.protection(self.epoch)) {
            self.mux.protect(&protection);
        }
        let changed = std::mem::take(&mut self.changed);
        Opened {
            sequence,
            seal,
            wall_ms: opening.wall_ms,
            discontinuity: changed && !first,
            broke: changed && self.begun,
            init: self.init(has_video),
            has_video,
            has_picture: false,
            parts: Vec::new(),
            bytes: 0,
            picture: None,
        }
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

    /// What the shell serves; texts are rendered again only after a change.
    pub(crate) fn view(&mut self, common: Common<'_>) -> presentation::Rendition {
        if !self.enabled {
            return presentation::Rendition::Off;
        }
        if std::mem::take(&mut self.dirty) && !self.window.is_empty() {
            self.rendered = Some(Arc::new(self.render(common)));
            self.renders += 1;
        }
        match (&self.rendered, &self.refusal) {
            (Some(playlists), _) => presentation::Rendition::Ready(Arc::clone(playlists)),
            (None, Some(reason)) => presentation::Rendition::Refused(reason.clone()),
            (None, None) => presentation::Rendition::Pending,
        }
    }

    pub(crate) fn inits(&self) -> impl Iterator<Item = &Init> {
        self.inits.iter()
    }

    /// Sets the multivariant playlist, which says what others offer too.
    pub(crate) fn set_multivariant(&mut self, says: Multivariant) {
        self.multivariant = Some((playlist::multivariant(&says), Arc::new(says)));
    }

    /// The newest segment and part that clients can know of; none before there is a part.
    pub(crate) fn position(&self) -> Option<(u64, u64)> {
        let newest = match self.shown() {
            Some(open) => (open.sequence, open.parts.len()),
            None => {
                let last = self.window.listed().next_back()?;
                (last.sequence, last.body.as_parts().len())
            }
        };
        let parts = u64::try_from(newest.1).ok()?;
        Some((newest.0, parts.checked_sub(1)?))
    }

    /// What a multivariant playlist says of it; none before there is something to play.
    pub(crate) fn offer(&self) -> Option<Offer> {
        (!self.window.is_empty()).then(|| Offer {
            independent: self.independent,
            bandwidth: self.meter.declared(),
            iframe_bandwidth: self.iframe_meter.declared(),
            codecs: self.mux.codec_strings(),
            video_codecs: self.video_codecs(),
            resolution: self.resolution(),
            frame_rate: self.shown_frame_rate(),
            has_video: self.video().is_some(),
        })
    }

    fn render(&self, common: Common<'_>) -> Playlists {
        let head = playlist::Head {
            feed: self.feed,
            epoch: common.epoch,
            target_seconds: common.target_ms / 1_000,
            independent: self.independent,
            ended: common.ended,
        };
        let low_latency = common
            .part_ms
            .filter(|_| self.makes_parts())
            .map(|part_ms| LowLatency {
                part_ms,
                hint: (!common.ended).then(|| self.next_part(common.cut_due)),
                ranges: common.part_ranges,
            });
        let open = self.shown();
        let (media, delta) = match low_latency {
            Some(low_latency) => {
                let mut reports = self.reports(common.reports);
                reports.extend_from_slice(common.rungs);
                let dates = common.dates;
                playlist::low_latency_media(head, low_latency, &self.window, open, &reports, dates)
            }
            None => (playlist::media(head, &self.window, common.dates), None),
        };
        let last_parts = self
            .window
            .listed()
            .next_back()
            .map_or(0, |segment| segment.body.as_parts().len());
        // Of a chain of blocks no picture can be read alone.
        let has_pictures = self.is_main()
            && self.has_video() == HasVideo::Yes
            && self.method != Some(Method::Aes128);
        Playlists {
            multivariant: self.multivariant.as_ref().map(|(text, _)| text.clone()),
            says: self.multivariant.as_ref().map(|(_, says)| Arc::clone(says)),
            media,
            iframes: has_pictures.then(|| playlist::iframes(head, &self.window)),
            delta,
            last_sequence: self.window.last_sequence().unwrap_or(0),
            last_parts: u32::try_from(last_parts).unwrap_or(u32::MAX),
            open: open.map(|open| OpenSegment {
                sequence: open.sequence,
                parts: open.parts.as_slice().into(),
                key: open.seal.as_ref().map(|seal| Arc::clone(&seal.key)),
                has_video: open.has_video,
            }),
            low_latency,
            segments: self.window.stored().collect(),
        }
    }

    /// What this feed says of the others. One that nobody has asked for yet begins, when somebody
    /// does, with what this one has.
    fn reports(&self, all: &[(Feed, Option<Report>)]) -> Vec<Report> {
        let own = self.position();
        let others = all.iter().filter(|(feed, _)| *feed != self.feed);
        others
            .filter_map(|(feed, report)| match report {
                Some(report) => Some(report.clone()),
                None => own.map(|(sequence, part)| Report {
                    uri: feed.playlist_name().to_owned(),
                    sequence,
                    part,
                }),
            })
            .collect()
    }

    /// Sequence number and index of the part that comes next.
    fn next_part(&self, cut_due: bool) -> (u64, usize) {
        let sequence = self.next_complete();
        match self.open_parts() {
            parts if parts > 0 && cut_due => (sequence + 1, 0),
            parts => (sequence, parts),
        }
    }

    /// The init segment for the next segment; a new number for a new one.
    fn init(&mut self, has_video: HasVideo) -> Option<u32> {
        let body = self.mux.init_segment()?;
        if std::mem::take(&mut self.init_is_stale) {
            self.init_version += 1;
            self.inits.push_back(Init {
                feed: self.feed,
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

    fn resolution(&self) -> Option<(u32, u32)> {
        let video = self.video();
        let sized = video.filter(|video| video.width > 0 && video.height > 0);
        sized.map(|video| (video.width, video.height))
    }

    fn shown_frame_rate(&self) -> Option<FrameRate> {
        let video = self.video()?;
        stated_frame_rate(video).or(self.frame_rate)
    }

    /// What is said of the segment that ends now; shared while it stays the same.
    fn about(&mut self) -> Arc<About> {
        let about = About {
            codecs: self.mux.codec_strings().join(",").into(),
            resolution: self.resolution(),
            frame_rate_milli: self.shown_frame_rate().map(FrameRate::milli),
        };
        if *self.about != about {
            self.about = Arc::new(about);
        }
        Arc::clone(&self.about)
    }

    fn video_track(&self) -> Option<TrackId> {
        let mut carried = self.carried.iter();
        let video = carried.find(|track| track.kind() == TrackKind::Video)?;
        Some(video.id)
    }

    /// RFC 6381 names of the pictures alone.
    fn video_codecs(&self) -> Vec<String> {
        let video = self.carried.iter().filter(|t| t.kind() == TrackKind::Video);
        let configs = video.filter_map(|track| track.config.as_ref().ok());
        configs.map(media::CodecConfig::codec_string).collect()
    }

    fn video(&self) -> Option<VideoParams> {
        let configs = self.carried.iter().filter_map(|t| t.config.as_ref().ok());
        configs.filter_map(media::CodecConfig::video).next()
    }

    /// Whether the first picture, if there is one, can be decoded by itself.
    fn first_picture(&self, units: &[AccessUnit]) -> Option<bool> {
        let video = |id: TrackId| {
            self.carried
                .iter()
                .any(|track| track.id == id && track.kind() == TrackKind::Video)
        };
        let first = units.iter().find(|unit| video(unit.track));
        first.map(AccessUnit::is_random_access)
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
fn refusal(
    feed: Feed,
    all: &TrackList,
    tracks: &TrackList,
    left_out: &[LeftOut],
) -> Option<Arc<str>> {
    let waits = |track: &Arc<Track>| matches!(track.config, Err(media::Unconfigured::Missing));
    if all.is_empty() || all.iter().any(waits) {
        return None;
    }
    if tracks.is_empty() {
        let what = match feed {
            Feed::Main(_) => return None,
            Feed::Video => "no video".to_owned(),
            Feed::Audio(0) => "no audio".to_owned(),
            Feed::Audio(n) => format!("no audio track {n} beside the default one"),
        };
        return Some(format!("the stream has {what}").into());
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
