//! A segmenter that is a rung of a ladder: which key frames cut, and with which number.

use media::{AccessUnit, Rounding, Ticks, Timescale, TrackKind};

use super::{Anchor, Segmenter, Served, VideoState};
use crate::config::WallTime;
use crate::container::{Container, Each};
use crate::cutter::{self, Decision, SECOND};
use crate::feed::Feed;
use crate::ladder::{Begin, Cut, First, Position, Rung, Standing};
use crate::playlist::{self, Report};
use crate::rendition::Rendition;

/// Sound without a picture is waited with for this long.
const VIDEO_WAIT: i64 = 5 * SECOND;

/// A place in a ladder.
#[derive(Debug)]
pub(super) struct OnLadder {
    rung: Rung,
    /// It is cut where the others are, or waits to be; not, when it was refused or is still joining.
    active: bool,
    /// It was played before it was a rung, and is cut on its own until a key frame is one of the others'.
    joining: bool,
    /// Where the open segment begins.
    cut: Option<Cut>,
    /// Where the next one will.
    next: Option<Cut>,
    /// When the newest segment's first picture is shown, on the publisher's clock.
    last: i64,
}

impl OnLadder {
    pub(super) fn new(rung: Rung) -> Self {
        rung.leave();
        Self {
            rung,
            active: true,
            joining: false,
            cut: None,
            next: None,
            last: 0,
        }
    }
}

impl Drop for OnLadder {
    fn drop(&mut self) {
        self.rung.leave();
    }
}

impl Segmenter {
    /// From now on the stream is this rung, or none; the same again changes nothing. May be called at
    /// any moment: media goes on without a break. Who becomes a rung is cut where the others are from
    /// the next key frame on that they have too; its playlists begin anew there with the numbers of
    /// the others (first the segment that ends there), and what they listed before stays fetchable for its time. Who is none any more goes
    /// on with the numbers that it has.
    pub fn set_rung(&mut self, rung: Option<Rung>) {
        if self.ended || self.on_ladder.as_ref().map(|on| &on.rung) == rung.as_ref() {
            return;
        }
        // The old place is left before the new one is taken.
        self.on_ladder = None;
        self.cutter.set_told(false);
        let Some(mut on) = rung.map(OnLadder::new) else {
            return;
        };
        let is_played = self.stats.segments > 0;
        if is_played && self.tracks.video().is_none() {
            on.rung.refuse("it has no video");
            on.active = false;
        } else if let VideoState::Running = self.video {
            (on.active, on.joining) = (false, true);
        } else {
            self.cutter.set_told(true);
        }
        self.on_ladder = Some(on);
    }

    /// Whether a stream that joins its ladder while it is played does so with this random access unit, which
    /// then begins a segment.
    pub(super) fn joins_ladder(
        &mut self,
        unit: &AccessUnit,
        served: Served,
        time: i64,
        arrived: WallTime,
    ) -> bool {
        let Some(on) = self.on_ladder.as_ref().filter(|on| on.joining) else {
            return false;
        };
        if served.kind != TrackKind::Video {
            return false;
        }
        let targets = self.cutter.target().zip(on.rung.agreed_target());
        if let Some((own, theirs)) = targets.filter(|(own, theirs)| own != theirs) {
            // A playlist must not change it (RFC 8216 §6.2.1).
            let (own, theirs) = (own / SECOND, theirs / SECOND);
            let reason =
                format!("its playlist has a target duration of {own} s and theirs of {theirs} s");
            on.rung.refuse(&reason);
            self.step_off();
            return false;
        }
        self.cutter.set_told(true);
        let decision = self.cutter.decide(unit.track, time, true, false);
        let can_cut =
            matches!(decision, Decision::Cut(boundary) if !boundary.forced && !boundary.gap);
        let begin = match can_cut {
            true => self.ask_ladder(unit, served, time, arrived),
            false => None,
        };
        if let Some(Begin::At(cut)) = begin {
            self.move_to(cut, time);
            return true;
        }
        self.cutter.set_told(false);
        if let Some(Begin::Refused) = begin {
            self.step_off();
        }
        false
    }

    /// The open segment is numbered and dated as the one before that of the ladder which begins at `time`: it is
    /// listed with it, so that those who played what was before miss nothing.
    fn move_to(&mut self, next: Cut, time: i64) {
        let before = next.before();
        if self.sequence() != before.sequence {
            self.renditions.iter_mut().for_each(Rendition::restart);
            self.newest = None;
        }
        self.number_from(before.sequence, next.discontinuities);
        self.clock = Some(Anchor {
            wall_ms: next.wall_ms,
            media_ms: cutter::millis(time),
        });
        if let Some(on) = &mut self.on_ladder {
            on.cut = Some(before);
        }
    }

    /// What was added to the publisher's times to make those of the units that follow, in
    /// milliseconds: rungs of a ladder are compared by the times that their publishers gave.
    pub fn publisher_offset(&mut self, offset_ms: i64) {
        let offset = Timescale::MILLIS.convert(offset_ms, Timescale::NINETY_KHZ, Rounding::Floor);
        self.offset = offset;
    }

    /// The place in a ladder that this stream was given.
    #[must_use]
    pub fn rung(&self) -> Option<&Rung> {
        self.on_ladder.as_ref().map(|on| &on.rung)
    }

    /// How this stream stands to the others of its ladder; `None` without one.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.on_ladder.as_ref().map(|on| on.rung.standing())
    }

    pub(super) fn is_on_ladder(&self) -> bool {
        self.on_ladder.as_ref().is_some_and(|on| on.active)
    }

    /// When a unit is shown, on the publisher's clock.
    fn shown_at(&self, unit: &AccessUnit, served: Served, time: i64) -> i64 {
        let Ticks(offset) = unit.composition_offset;
        let ticks = served
            .timescale
            .convert(offset, Timescale::NINETY_KHZ, Rounding::Floor);
        time.saturating_add(ticks).saturating_sub(self.offset)
    }

    /// Whether this random access unit may begin a segment, as far as the ladder is concerned.
    pub(super) fn may_cut(&self, unit: &AccessUnit, served: Served, time: i64) -> bool {
        match self.on_ladder.as_ref().filter(|on| on.active) {
            Some(on) if served.kind == TrackKind::Video => {
                let shown = self.shown_at(unit, served, time);
                on.rung.is_due(on.last, shown)
            }
            _ => true,
        }
    }

    /// Asks the ladder for the number of the segment that this unit begins; false when the others
    /// do not begin one there. Without a ladder every begin will do.
    pub(super) fn begins(
        &mut self,
        unit: &AccessUnit,
        served: Served,
        time: i64,
        arrived: WallTime,
    ) -> bool {
        if self.on_ladder.as_ref().is_none_or(|on| !on.active) {
            return true;
        }
        match self.ask_ladder(unit, served, time, arrived) {
            Some(Begin::Later) => false,
            Some(Begin::Refused) => {
                self.step_off();
                true
            }
            Some(Begin::At(_)) | None => true,
        }
    }

    /// Asks whether a segment of the ladder begins with this unit, and notes it if one does; `None` without a ladder.
    fn ask_ladder(
        &mut self,
        unit: &AccessUnit,
        served: Served,
        time: i64,
        arrived: WallTime,
    ) -> Option<Begin> {
        let shown = self.shown_at(unit, served, time);
        let mut next = self.next_media_sequence();
        if self.on_ladder.as_ref().is_some_and(|on| on.joining) {
            // The open segment keeps a number of its own.
            next = next.max(self.sequence().saturating_add(1));
        }
        let own = if self.stats.segments > 0 { next } else { 0 };
        let clock = self.clock;
        let first = First {
            sequence: next,
            least: own.max(self.config.least_media_sequence),
            discontinuities: self.discontinuities().of(Container::Fmp4),
            wall_ms: clock.map_or(arrived.0, |_| self.wall_at(cutter::millis(time))),
        };
        let on = self.on_ladder.as_mut()?;
        // Where it has its place already, it is the unit that was asked about just now.
        let begin = match on.next {
            Some(next) => Begin::At(next),
            None => on.rung.begin(shown, arrived, first),
        };
        if let Begin::At(cut) = begin {
            (on.active, on.joining) = (true, false);
            (on.last, on.next) = (shown, Some(cut));
        }
        Some(begin)
    }

    /// The next segment opens with the number that the ladder gave. Where that does not follow the
    /// last one, or the others have a discontinuity here and this one has none, or the reverse, the
    /// playlists begin anew: their numbers must be those of the others.
    pub(super) fn take_place(&mut self) {
        let tagged = self.broke || self.changed.of(Container::Fmp4);
        let Some(on) = self.on_ladder.as_mut() else {
            return;
        };
        let Some(next) = on.next.take() else {
            return;
        };
        let last = on.cut.replace(next);
        let follows = last.is_some_and(|last| last.sequence + 1 == next.sequence);
        if self.stats.segments > 0 && !(follows && tagged == next.breaks) {
            self.renditions.iter_mut().for_each(Rendition::restart);
            self.newest = None;
        }
        self.number_from(next.sequence, next.discontinuities);
    }

    /// The open segment has this number, behind so many discontinuities.
    fn number_from(&mut self, sequence: u64, discontinuities: u64) {
        let config = &mut self.config;
        config.first_media_sequence = sequence.saturating_sub(self.stats.segments);
        config.first_discontinuity_sequence = discontinuities;
        self.discontinuities = Each::default();
    }

    /// When the open segment began, on the ladder's wall clock.
    pub(super) fn ladder_wall(&self) -> Option<i64> {
        let on = self.on_ladder.as_ref().filter(|on| on.active)?;
        Some(on.cut?.wall_ms)
    }

    /// All rungs have one target duration.
    pub(super) fn share_target(&mut self) {
        let on = self.on_ladder.as_ref().filter(|on| on.active);
        if let (Some(on), Some(own)) = (on, self.cutter.target()) {
            self.cutter.set_target(on.rung.target(own));
        }
    }

    /// Whether sound waits for the picture that begins a segment of the ladder.
    pub(super) fn sound_waits(&mut self, time: i64) -> bool {
        let VideoState::Awaiting { since } = self.video else {
            return false;
        };
        if !self.is_on_ladder() {
            return false;
        }
        if self.tracks.video().is_none() {
            let since = since.unwrap_or(time);
            self.video = VideoState::Awaiting { since: Some(since) };
            if time - since >= VIDEO_WAIT {
                self.refuse("it has no video");
                return false;
            }
        }
        true
    }

    /// The timeline broke: what comes next may be cut with the others again.
    pub(super) fn rejoin_ladder(&mut self) {
        if let Some(on) = &mut self.on_ladder {
            on.rung.leave();
            (on.active, on.joining, on.next) = (true, false, None);
            self.cutter.set_told(true);
            self.video = VideoState::Awaiting { since: None };
        }
    }

    /// This stream cannot be cut where the others are.
    pub(super) fn refuse(&mut self, reason: &str) {
        if let Some(on) = self.on_ladder.as_ref().filter(|on| on.active) {
            on.rung.refuse(reason);
            self.step_off();
        }
    }

    /// From here on this stream is cut on its own.
    fn step_off(&mut self) {
        if let Some(on) = &mut self.on_ladder {
            (on.active, on.joining, on.next) = (false, false, None);
            self.cutter.set_told(false);
        }
    }

    /// How far the other rungs are.
    pub(super) fn rung_reports(&self) -> Vec<Report> {
        let Some(on) = self.on_ladder.as_ref().filter(|on| on.active) else {
            return Vec::new();
        };
        let position = |feed: Feed| {
            let rendition = self.rendition(feed).filter(|r| r.is_enabled())?;
            rendition.position()
        };
        let main = Feed::Main(Container::Fmp4);
        let whole = self.parts.as_ref().and_then(|_| position(main));
        on.rung.set_position(whole.map(|whole| {
            // One that nobody has asked for yet begins with what the whole has.
            let newest = |feed| (feed, position(feed).unwrap_or(whole));
            let sound = self.sound_alone().map(|sound| sound.feed);
            let choice = self.choice(Container::Fmp4);
            Position {
                plain: [main].into_iter().chain(sound).map(newest).collect(),
                choice: choice.and_then(|(picture, sounds)| {
                    let labels = self.singles.labels(&sounds);
                    let feeds = [picture?].into_iter().chain(sounds);
                    Some((labels, feeds.map(|single| newest(single.feed)).collect()))
                }),
            }
        }));
        let others = on.rung.others().into_iter();
        let reports = others.flat_map(|(name, named)| {
            named
                .into_iter()
                .map(move |(feed, (sequence, part))| Report {
                    uri: format!("../{}", playlist::uri(&name, feed.playlist_name())),
                    sequence,
                    part,
                })
        });
        reports.collect()
    }
}
