//! Units in, snapshots out: joins the cutter's decisions with the renditions.

use std::sync::Arc;

use media::{AccessUnit, Timescale, TrackId, TrackKind, TrackList};
use remux::LeftOut;

use crate::config::{Config, WallTime};
use crate::container::Container;
use crate::cutter::{self, Boundary, Cutter, Decision, SECOND};
use crate::parts::{Lane, Mark, PartClock};
use crate::playlist::FrameRate;
use crate::presentation::{Init, Presentation};
use crate::rendition::{Common, Cut, Opening, Rendition};
use crate::window::Rules;

/// What an access unit costs in the open segment besides its bytes.
const UNIT_OVERHEAD: usize = 128;
/// A first segment of sound alone is cut short only from this length on, in ticks of 90 kHz.
const SHORTEST_SOUND: i64 = 45_000;
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
    /// The tracks that may be served: default video and audio.
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
    renditions: [Rendition; 2],
    video: VideoState,
    clock: Option<Anchor>,
    /// Wall time at which the next segment begins if the timeline goes on.
    next_wall_ms: Option<i64>,
    /// The timeline broke since the last complete segment.
    broke: bool,
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

/// Counters of a segmenter since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Segments cut.
    pub segments: u64,
    /// Segments that had to end without a random access unit: a group of pictures was longer than
    /// the target duration, or too many bytes.
    pub forced_cuts: u64,
    /// Breaks of the timeline, announced or found.
    pub discontinuities: u64,
    /// Video units left out because no random access unit preceded them.
    pub waiting_units: u64,
    /// Units that a muxer refused as damaged, over both containers.
    pub damaged_units: u64,
    /// Times that playlists were rendered, over both containers: once per change.
    pub renders: u64,
    /// Segments that left early because of [`crate::Limits::max_bytes`].
    pub evicted_segments: u64,
    /// Bytes held now: segments, init segments, units of open segments.
    pub bytes: usize,
}

impl Stats {
    /// These counters and those of a later segmenter of the same stream; what is held now is the
    /// later one's.
    #[must_use]
    pub fn and_then(self, later: Self) -> Self {
        Self {
            segments: self.segments + later.segments,
            forced_cuts: self.forced_cuts + later.forced_cuts,
            discontinuities: self.discontinuities + later.discontinuities,
            waiting_units: self.waiting_units + later.waiting_units,
            damaged_units: self.damaged_units + later.damaged_units,
            renders: self.renders + later.renders,
            evicted_segments: self.evicted_segments + later.evicted_segments,
            bytes: later.bytes,
        }
    }
}

impl Segmenter {
    /// A segmenter that has seen nothing, with no container enabled.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            cutter: Cutter::new(config.segment, config.limits.max_target),
            parts: None,
            config,
            tracks: TrackList::default(),
            others: Vec::new(),
            served: Vec::new(),
            open: Open::default(),
            newest: None,
            renditions: Container::ALL.map(Rendition::new),
            video: VideoState::Awaiting { since: None },
            clock: None,
            next_wall_ms: None,
            broke: false,
            tracks_used: false,
            ended: false,
            dirty: true,
            stats: Stats::default(),
        }
    }

    /// Starts a container, at any moment; a second call changes nothing. When a complete segment's
    /// units are still held, it is muxed at once.
    pub fn enable(&mut self, container: Container) {
        let (target_ms, rules) = (self.target_ms(), self.rules());
        let rendition = self.rendition_mut(container);
        if rendition.is_enabled() {
            return;
        }
        rendition.enable();
        self.dirty = true;
        if let Some(newest) = self.newest.take() {
            self.rendition_mut(container)
                .push(&newest, target_ms, rules);
            self.hold(newest);
        }
        self.make_parts();
    }

    /// Whether the container was enabled.
    #[must_use]
    pub fn is_enabled(&self, container: Container) -> bool {
        self.rendition(container).is_enabled()
    }

    /// From the next unit on the stream has these tracks. The default video and audio track are
    /// served; an identical list changes nothing (H6), another one ends the open segment and
    /// begins the next with a discontinuity in the containers that it concerns. Tracks that are
    /// added before the first segment ended only join it.
    pub fn tracks(&mut self, tracks: &Arc<TrackList>) {
        if self.ended {
            return;
        }
        let (defaults, others) = split(tracks);
        if same(&self.tracks, &defaults) && self.others == others {
            return;
        }
        let joins = !self.tracks_used && self.only_added(&defaults);
        if !joins && !same(&self.tracks, &defaults) {
            self.end_open();
            self.newest = None;
        }
        let video_changed = match (self.tracks.video(), defaults.video()) {
            (Some(before), Some(after)) => {
                before.id != after.id || !before.same_configuration(after)
            }
            _ => true,
        };
        if video_changed {
            self.video = VideoState::Awaiting { since: None };
        }
        for rendition in &mut self.renditions {
            rendition.set_tracks(&defaults, &others);
        }
        let mut served: Vec<Served> = defaults
            .iter()
            .filter(|track| self.renditions.iter().any(|r| r.carries(track.id)))
            .map(|track| Served {
                track: track.id,
                kind: track.kind(),
                timescale: track.timescale,
            })
            .collect();
        served.sort_by_key(|served| served.kind != TrackKind::Video);
        let ids: Vec<TrackId> = served.iter().map(|served| served.track).collect();
        self.cutter.set_tracks(&ids);
        self.served = served;
        self.tracks_used &= same(&self.tracks, &defaults);
        self.tracks = defaults;
        self.others = others;
        self.dirty = true;
    }

    /// One access unit, in arrival order; `arrived` is when the stream received it.
    pub fn unit(&mut self, unit: &AccessUnit, arrived: WallTime) {
        if self.ended {
            return;
        }
        let Some(&served) = self.served.iter().find(|s| s.track == unit.track) else {
            return;
        };
        let time = cutter::ticks(served.timescale, unit.dts);
        if served.kind == TrackKind::Video && !self.video_runs(time, unit.is_random_access()) {
            self.stats.waiting_units += 1;
            return;
        }
        self.accept(unit.clone(), served, time, arrived);
    }

    /// The units that the ring held have all been fed; from here on units arrive in real time. If
    /// nothing is listed yet, the open segment ends at its newest random access unit (or the next
    /// one, however soon it comes), so that the first viewer has something to play.
    pub fn caught_up(&mut self) {
        if self.stats.segments > 0 || self.ended {
            return;
        }
        self.cutter.hurry();
        let Some((index, boundary)) = self.newest_cut() else {
            return;
        };
        let tail = self.open.units.split_off(index);
        let (boundary, carried) = self.settle_between(boundary);
        self.cut(boundary, tail.first().cloned().as_ref());
        self.cutter.rewind();
        self.cutter.open_at(boundary.next_start);
        for unit in carried.into_iter().chain(tail) {
            let served = self.served.iter().find(|s| s.track == unit.track);
            if let Some(&served) = served {
                let time = cutter::ticks(served.timescale, unit.dts);
                // The clock's anchor is set: when they arrived does not matter any more.
                self.accept(unit, served, time, WallTime(0));
            }
        }
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
        let target_ms = self.cutter.target_ms();
        let common = Common {
            stream: &self.config.stream,
            epoch: self.config.epoch,
            target_ms: target_ms.map_or(0, unsigned),
            part_ms: self.part_ms(),
            cut_due: self.is_cut_due(),
            ended: self.ended,
        };
        let inits: Vec<Init> = self
            .renditions
            .iter()
            .flat_map(Rendition::inits)
            .cloned()
            .collect();
        Some(Arc::new(Presentation {
            epoch: self.config.epoch,
            renditions: self.renditions.each_mut().map(|r| r.view(common)),
            inits: inits.into(),
            target_duration: target_ms.map(|ms| std::time::Duration::from_millis(unsigned(ms))),
            ended: self.ended,
        }))
    }

    /// Tracks that this container leaves out, with the reason; known as soon as the tracks are,
    /// whether the container is enabled or not.
    #[must_use]
    pub fn left_out(&self, container: Container) -> &[LeftOut] {
        self.rendition(container).left_out()
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

    /// The media sequence number that the next segment will have at least: where a later segmenter
    /// of the same stream must begin.
    #[must_use]
    pub fn next_media_sequence(&self) -> u64 {
        let used = self.renditions.iter().map(Rendition::next_sequence).max();
        self.sequence().max(used.unwrap_or(0))
    }

    /// The discontinuity sequence number that a later segmenter of the same stream must begin
    /// with: its own beginning is one more discontinuity.
    #[must_use]
    pub fn next_discontinuity_sequence(&self) -> u64 {
        let used = self
            .renditions
            .iter()
            .map(Rendition::last_discontinuity_sequence);
        self.discontinuities().max(used.max().unwrap_or(0)) + 1
    }

    /// Whether a video unit may pass; decides when waiting ends.
    fn video_runs(&mut self, time: i64, random_access: bool) -> bool {
        let VideoState::Awaiting { since } = self.video else {
            return true;
        };
        let since = since.unwrap_or(time);
        // A stream that never has one (intra refresh) is served all the same.
        if random_access || time - since >= self.cutter.max_target() {
            self.video = VideoState::Running;
            return true;
        }
        self.video = VideoState::Awaiting { since: Some(since) };
        false
    }

    fn accept(&mut self, unit: AccessUnit, served: Served, time: i64, arrived: WallTime) {
        let size = unit.size_bytes() + UNIT_OVERHEAD;
        let full =
            self.open.bytes + size > self.max_open_bytes() || self.open.marks.len() >= MAX_PARTS;
        let random_access = unit.is_random_access();
        match self.cutter.decide(unit.track, time, random_access, full) {
            Decision::Stay => {}
            Decision::Cut(boundary) if boundary.gap => {
                let boundary = self.settle(boundary);
                self.cut(boundary, None);
                self.break_timeline();
            }
            Decision::Cut(boundary) => {
                let (boundary, carried) = self.settle_between(boundary);
                self.cut(boundary, Some(&unit));
                self.cutter.open_at(boundary.next_start);
                for unit in carried {
                    self.rejoin(unit);
                }
            }
            Decision::Break => {
                self.break_timeline();
                if served.kind == TrackKind::Video && !random_access {
                    self.video = VideoState::Awaiting { since: Some(time) };
                    self.stats.waiting_units += 1;
                    return;
                }
            }
        }
        self.join(unit, served, time, arrived);
    }

    /// A unit joins the open segment, or opens one.
    fn join(&mut self, unit: AccessUnit, served: Served, time: i64, arrived: WallTime) {
        let random_access = unit.is_random_access();
        if served.kind == TrackKind::Video {
            self.open.whole.get_or_insert(random_access);
        }
        self.cutter.push(unit.track, time, random_access);
        if self.clock.is_none() {
            let start = self.cutter.start().unwrap_or(time);
            self.clock = Some(Anchor {
                wall_ms: arrived.0.max(self.next_wall_ms.unwrap_or(i64::MIN)),
                media_ms: cutter::millis(start),
            });
        }
        self.open.bytes += unit.size_bytes() + UNIT_OVERHEAD;
        self.open.units.push(unit);
        self.advance_parts(served.track, time);
    }

    /// A unit of the segment that was cut just now joins the next one.
    fn rejoin(&mut self, unit: AccessUnit) {
        if let Some(&served) = self.served.iter().find(|s| s.track == unit.track) {
            let time = cutter::ticks(served.timescale, unit.dts);
            // The clock's anchor is set: when it arrived does not matter any more.
            self.join(unit, served, time, WallTime(0));
        }
    }

    /// Ends the parts that this unit, the newest of the open segment, ends.
    fn advance_parts(&mut self, track: TrackId, time: i64) {
        let lane = self.lane(track);
        let (Some(parts), Some(start)) = (&mut self.parts, self.cutter.start()) else {
            return;
        };
        if !parts.is_open() {
            parts.open(start, self.cutter.latest_end(start));
        }
        let before = self.open.marks.len();
        parts.before(lane, time, &mut self.open.marks);
        parts.after(lane, time, &mut self.open.marks);
        if self.open.marks.len() > before {
            self.make_parts();
        }
    }

    /// The whole open segment in parts, before it ends at `end`: for the first one, whose frames
    /// fix the part target.
    fn begin_parts(&mut self, end: i64) {
        let (None, Some(wanted), Some(start)) =
            (&self.parts, self.config.part, self.cutter.start())
        else {
            return;
        };
        let wanted = Timescale::NINETY_KHZ.ticks(wanted).0;
        let wanted = wanted.clamp(SECOND / 5, SECOND);
        let times: Vec<(Lane, i64)> = self
            .open
            .units
            .iter()
            .filter_map(|unit| {
                let served = self.served.iter().find(|s| s.track == unit.track)?;
                let time = cutter::ticks(served.timescale, unit.dts);
                Some((self.lane(unit.track), time))
            })
            .collect();
        let lead = times.iter().filter(|(lane, _)| *lane == Lane::Leading);
        let others = times.iter().any(|(lane, _)| *lane == Lane::Other);
        let longest = self.cutter.least_target();
        let mut parts = PartClock::new(wanted, lead.map(|(_, time)| *time), others, longest);
        parts.open(start, self.cutter.latest_end(start).min(end));
        for (lane, time) in times {
            parts.before(lane, time, &mut self.open.marks);
            parts.after(lane, time, &mut self.open.marks);
        }
        self.parts = Some(parts);
    }

    /// Muxes the parts that have ended, for the container that has them.
    fn make_parts(&mut self) {
        let Some(start) = self.cutter.start() else {
            return;
        };
        let opening = self.opening(start);
        let units = &self.open.units;
        let renditions = self.renditions.iter_mut();
        for rendition in renditions.filter(|r| r.is_enabled() && r.makes_parts()) {
            let made = rendition.open_parts();
            let mut from = match made {
                0 => 0,
                made => self.open.marks.get(made - 1).map_or(0, |mark| mark.units),
            };
            for mark in self.open.marks.iter().skip(made) {
                let units = units.get(from..mark.units).unwrap_or_default();
                rendition.part(opening, units, &[], mark.duration_ms());
                from = mark.units;
                self.tracks_used = true;
                self.dirty = true;
            }
        }
    }

    /// What is known of the segment that begins at `start`.
    fn opening(&self, start: i64) -> Opening {
        Opening {
            sequence: self.sequence(),
            discontinuities: self.discontinuities(),
            wall_ms: self.wall_at(cutter::millis(start)),
            broke: self.broke,
        }
    }

    /// Wall time of a media time in milliseconds.
    fn wall_at(&self, media_ms: i64) -> i64 {
        let anchor = self.clock.unwrap_or(Anchor {
            wall_ms: 0,
            media_ms,
        });
        let since = media_ms.saturating_sub(anchor.media_ms);
        anchor.wall_ms.saturating_add(since)
    }

    fn lane(&self, track: TrackId) -> Lane {
        match self.served.first() {
            Some(first) if first.track == track => Lane::Leading,
            _ => Lane::Other,
        }
    }

    /// The part target in milliseconds, once it is known.
    fn part_ms(&self) -> Option<u64> {
        let parts = self.parts.as_ref()?;
        Some(unsigned(cutter::millis(parts.target())))
    }

    /// Whether the next part is expected to begin a segment.
    fn is_cut_due(&self) -> bool {
        let next = self.parts.as_ref().and_then(PartClock::between_parts);
        next.is_some_and(|next| self.cutter.is_cut_due(next))
    }

    /// Ends the open segment at a boundary and gives it to the renditions; `follows` is the unit
    /// after it, when the timeline goes on.
    fn cut(&mut self, boundary: Boundary, follows: Option<&AccessUnit>) {
        let Some(start) = self.cutter.start() else {
            return;
        };
        let opening = self.opening(start);
        self.cutter.close(boundary);
        let mut open = std::mem::take(&mut self.open);
        if let Some(parts) = &mut self.parts {
            parts.close(boundary.end, &mut open.marks);
        }
        if open.units.is_empty() {
            return;
        }
        self.broke = false;
        let (start_ms, end_ms) = (cutter::millis(start), cutter::millis(boundary.end));
        self.next_wall_ms = Some(self.wall_at(end_ms));
        let ends_at_video = follows.is_some_and(|unit| {
            let cutting = self.served.first();
            cutting.is_some_and(|s| s.track == unit.track && s.kind == TrackKind::Video)
        });
        let whole = open.whole == Some(true) && ends_at_video && !boundary.forced;
        let cut = Cut {
            opening,
            ends: follows
                .map(|unit| (unit.track, unit.dts))
                .into_iter()
                .collect(),
            duration_ms: unsigned(end_ms - start_ms).max(1),
            frame_rate: whole.then(|| FrameRate {
                frames: self.video_units(&open.units),
                per: unsigned(boundary.end - start),
                hz: u64::from(Timescale::NINETY_KHZ.hz()),
            }),
            units: open.units,
            marks: open.marks,
        };
        self.stats.segments += 1;
        self.stats.forced_cuts += u64::from(boundary.forced);
        self.tracks_used = true;
        let (target_ms, rules) = (self.target_ms(), self.rules());
        for rendition in self.renditions.iter_mut().filter(|r| r.is_enabled()) {
            rendition.push(&cut, target_ms, rules);
        }
        self.hold(cut);
        self.keep_within_bytes();
        self.dirty = true;
    }

    /// A boundary at which the parts of the open segment end too.
    fn settle(&mut self, boundary: Boundary) -> Boundary {
        self.begin_parts(boundary.end);
        let parts = self.parts.as_ref();
        let end = parts.map_or(boundary.end, |parts| parts.settle(boundary.end));
        Boundary {
            end,
            next_start: if boundary.gap {
                boundary.next_start
            } else {
                end
            },
            ..boundary
        }
    }

    /// As [`settle`](Self::settle), where the segment can end with its last part: what the other
    /// track has since then is given back, for the next segment. It came between the last picture
    /// and the key frame, and would be a part of nearly no duration.
    fn settle_between(&mut self, boundary: Boundary) -> (Boundary, Vec<AccessUnit>) {
        self.begin_parts(boundary.end);
        let end = self.parts.as_ref().and_then(|p| p.boundary(boundary.end));
        let (Some(end), Some(mark)) = (end, self.open.marks.last()) else {
            return (self.settle(boundary), Vec::new());
        };
        let boundary = Boundary {
            end,
            next_start: end,
            ..boundary
        };
        (boundary, self.open.units.split_off(mark.units))
    }

    /// Ends the open segment where its units end.
    fn end_open(&mut self) {
        if let Some(boundary) = self.cutter.boundary_here() {
            let boundary = self.settle(boundary);
            self.cut(boundary, None);
        }
    }

    fn break_timeline(&mut self) {
        self.end_open();
        self.cutter.forget();
        self.clock = None;
        if self.stats.segments > 0 && !self.broke {
            self.broke = true;
            self.stats.discontinuities += 1;
        }
    }

    /// Keeps the units of the newest segment for a container that is off.
    fn hold(&mut self, cut: Cut) {
        let all_on = self.renditions.iter().all(Rendition::is_enabled);
        self.newest = (!all_on).then_some(cut);
    }

    /// The newest place inside the open segment where a decoder can start.
    fn newest_cut(&self) -> Option<(usize, Boundary)> {
        let cutting = self.served.first()?;
        let start = self.cutter.start()?;
        let mut units = self.open.units.iter().enumerate().skip(1).rev();
        let (index, unit) = units.find(|(_, unit)| {
            unit.track == cutting.track
                && unit.is_random_access()
                && cutter::ticks(cutting.timescale, unit.dts) > start
        })?;
        let time = cutter::ticks(cutting.timescale, unit.dts);
        let boundary = self.cutter.boundary_at(time)?;
        let sound_only = cutting.kind == TrackKind::Audio;
        (!sound_only || boundary.end - start >= SHORTEST_SOUND).then_some((index, boundary))
    }

    /// Frees what [`crate::Limits::max_bytes`] does not allow beside the next open segment: first
    /// segments that are not listed any more, then listed ones, from the larger rendition, then
    /// the units held for a container that is off.
    fn keep_within_bytes(&mut self) {
        // The open segment is held twice where it is made in parts: as units, and muxed.
        let open = match self.config.part {
            Some(_) => 2 * self.max_open_bytes(),
            None => self.max_open_bytes(),
        };
        let allowed = self.config.limits.max_bytes - open;
        while self.bytes() > allowed {
            let mut largest_first: Vec<&mut Rendition> = self.renditions.iter_mut().collect();
            largest_first.sort_by_key(|rendition| std::cmp::Reverse(rendition.bytes()));
            let dropped = largest_first.iter_mut().any(|r| r.drop_removed())
                || largest_first.iter_mut().any(|r| r.drop_listed());
            if dropped {
                self.stats.evicted_segments += 1;
            } else if self.newest.take().is_none() {
                break;
            }
        }
    }

    /// A quarter for the open segment leaves room for the same segment in both containers.
    fn max_open_bytes(&self) -> usize {
        self.config.limits.max_bytes / 4
    }

    fn bytes(&self) -> usize {
        let listed: usize = self.renditions.iter().map(Rendition::bytes).sum();
        let newest = self.newest.iter().flat_map(|cut| &cut.units);
        let held: usize = newest.map(AccessUnit::size_bytes).sum();
        listed + held + self.open.bytes
    }

    /// Whether all tracks that are served stay as they are in this list.
    fn only_added(&self, tracks: &TrackList) -> bool {
        self.served.iter().all(|served| {
            let (before, after) = (self.tracks.get(served.track), tracks.get(served.track));
            matches!((before, after), (Some(a), Some(b)) if a.same_configuration(b))
        })
    }

    fn video_units(&self, units: &[AccessUnit]) -> u64 {
        let video = self.served.iter().find(|s| s.kind == TrackKind::Video);
        let count = units
            .iter()
            .filter(|unit| video.is_some_and(|v| v.track == unit.track));
        u64::try_from(count.count()).unwrap_or(u64::MAX)
    }

    /// The number of the next segment cut.
    fn sequence(&self) -> u64 {
        let first = self.config.first_media_sequence;
        first.saturating_add(self.stats.segments)
    }

    fn discontinuities(&self) -> u64 {
        let first = self.config.first_discontinuity_sequence;
        first.saturating_add(self.stats.discontinuities)
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

    fn rendition(&self, container: Container) -> &Rendition {
        let [fmp4, ts] = &self.renditions;
        match container {
            Container::Fmp4 => fmp4,
            Container::Ts => ts,
        }
    }

    fn rendition_mut(&mut self, container: Container) -> &mut Rendition {
        let [fmp4, ts] = &mut self.renditions;
        match container {
            Container::Fmp4 => fmp4,
            Container::Ts => ts,
        }
    }
}

/// The default video and audio, and why the other tracks are left out.
fn split(tracks: &TrackList) -> (TrackList, Vec<LeftOut>) {
    let (defaults, others): (Vec<_>, Vec<_>) = tracks
        .iter()
        .cloned()
        .partition(|track| tracks.is_default(track.id));
    let others = others.iter().map(|track| LeftOut {
        track: track.id,
        codec: track.codec,
        reason: "HLS serves the default video and audio".to_owned(),
    });
    (TrackList::new(defaults), others.collect())
}

/// Whether both lists have the same tracks in the same configurations.
fn same(a: &TrackList, b: &TrackList) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|(a, b)| a.id == b.id && a.same_configuration(b))
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
