//! One media playlist, read segment by segment.
//!
//! ```text
//! playlist ─▶ Between ─▶ Init (when another one is named) ─▶ Segment ─▶ Between … ─▶ Ended
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::{Rounding, Timescale, TrackList};
use remux::{Damage, Event, LeftOut};

use super::file::{File, Gather, Gathered};
use super::playlist::{Resource, Segment};
use super::segment::{Reading, Told, TsLane};
use super::{Step, damage};

/// Bytes of an init segment. Threat: it is held in memory. They have a kilobyte, cover pictures some
/// hundred.
const MAX_INIT: u64 = 4 << 20;

/// One playlist's media.
#[derive(Debug)]
pub(super) struct Lane {
    segments: Vec<Segment>,
    /// Index of the next one.
    next: usize,
    state: State,
    ts: TsLane,
    /// The init segment that was read last, or why it was not.
    init: Option<(Arc<Resource>, Result<Bytes, String>)>,
    tracks: Arc<TrackList>,
    left_out: Vec<LeftOut>,
    events: VecDeque<Event>,
    /// Decode time of the newest unit, in ticks of 90 kHz.
    time: i64,
}

#[derive(Debug)]
enum State {
    /// The next segment is to be begun; `passed`: its discontinuity was told.
    Between {
        passed: bool,
    },
    /// Its init segment is read.
    Init(Box<Gather>),
    Segment(Box<Reading>),
    /// The open units of MPEG-TS are told.
    Draining,
    Ended,
}

/// What a lane says next.
#[derive(Debug)]
pub(super) enum Said {
    Ask(Step),
    Event(Event),
    /// What follows does not continue what was.
    Break,
    End,
}

impl Lane {
    pub(super) fn new(segments: Vec<Segment>) -> Self {
        Self {
            segments,
            next: 0,
            state: State::Between { passed: false },
            ts: TsLane::default(),
            init: None,
            tracks: Arc::default(),
            left_out: Vec::new(),
            events: VecDeque::new(),
            time: i64::MIN,
        }
    }

    /// How long the segments are that were read, and all of them, as the playlist says.
    pub(super) fn played(&self) -> (Duration, Duration) {
        let length = |segments: &[Segment]| segments.iter().map(|segment| segment.duration).sum();
        let open = usize::from(!matches!(self.state, State::Draining | State::Ended));
        let read = self.segments.get(..self.next.saturating_sub(open));
        (length(read.unwrap_or_default()), length(&self.segments))
    }

    pub(super) fn tracks(&self) -> &Arc<TrackList> {
        &self.tracks
    }

    pub(super) fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// How far it was read, in ticks of 90 kHz; `i64::MIN`: not at all.
    pub(super) fn time(&self) -> i64 {
        self.time
    }

    pub(super) fn poll(&mut self) -> Said {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Said::Event(self.seen(event));
            }
            match &mut self.state {
                State::Between { passed } => {
                    let passed = *passed;
                    if let Some(said) = self.begin(passed) {
                        return said;
                    }
                }
                State::Init(gather) => return Said::Ask(gather.ask()),
                State::Segment(reading) => match reading.poll(&mut self.ts) {
                    Told::Ask(step) => return Said::Ask(step),
                    Told::Event(Event::Tracks(tracks)) => {
                        // Those left out are told of too, even when nothing else is there.
                        let left_out = reading.left_out(&self.ts);
                        let is_known = self.left_out == left_out;
                        self.left_out = left_out.to_vec();
                        if !is_known || !reading.is_mp4() || !same(&self.tracks, &tracks) {
                            return Said::Event(self.seen(Event::Tracks(tracks)));
                        }
                    }
                    Told::Event(event) => {
                        let path = Arc::clone(reading.file.path());
                        return Said::Event(self.seen(in_file(event, &path)));
                    }
                    Told::Failed(what) => {
                        let (range, path) = (reading.file.range(), reading.file.path());
                        let damage = damage(range, &what, path);
                        self.state = State::Between { passed: false };
                        return Said::Event(damage);
                    }
                    Told::End => self.state = State::Between { passed: false },
                },
                State::Draining => match self.ts.demuxer.poll() {
                    Ok(Some(event)) => self.events.push_back(event),
                    _ => self.state = State::Ended,
                },
                State::Ended => return Said::End,
            }
        }
    }

    /// Begins the next segment, or says what is in its way.
    fn begin(&mut self, passed: bool) -> Option<Said> {
        let Some(segment) = self.segments.get(self.next) else {
            self.ts.demuxer.finish();
            self.state = State::Draining;
            return None;
        };
        if segment.discontinuity && !passed && self.next > 0 {
            return Some(Said::Break);
        }
        let not_read = match &segment.encryption {
            _ if segment.is_gap => Some("a gap, as the playlist says".to_owned()),
            Some(method) => Some(format!("encrypted by {method}, which is not read")),
            None => None,
        };
        if let Some(why) = not_read {
            return Some(self.skip(&why));
        }
        let map = segment.map.clone();
        let init = match (&map, &self.init) {
            (None, _) => None,
            (Some(map), Some((known, init))) if map == known => match init {
                Ok(init) => Some(init.clone()),
                Err(why) => {
                    let what = format!("without its init segment {}: {why}", map.path);
                    return Some(self.skip(&what));
                }
            },
            (Some(map), _) => {
                match Gather::new(map, MAX_INIT) {
                    Ok(gather) => self.state = State::Init(Box::new(gather)),
                    Err(why) => self.init = Some((Arc::clone(map), Err(why.to_owned()))),
                }
                return None;
            }
        };
        match File::new(&segment.resource) {
            Ok(file) => {
                self.next += 1;
                self.state = State::Segment(Box::new(Reading::new(file, init)));
                None
            }
            Err(why) => Some(self.skip(why)),
        }
    }

    /// Leaves the next segment out.
    fn skip(&mut self, why: &str) -> Said {
        self.state = State::Between { passed: false };
        let Some(segment) = self.segments.get(self.next) else {
            return Said::End;
        };
        self.next += 1;
        Said::Event(lost(segment, why))
    }

    /// The discontinuity that was told is over.
    pub(super) fn pass_break(&mut self) {
        self.state = State::Between { passed: true };
        self.time = i64::MIN;
        // It tells of the break too.
        self.ts.demuxer.discontinuity();
        while let Ok(Some(event)) = self.ts.demuxer.poll() {
            if !matches!(event, Event::Discontinuity) {
                self.events.push_back(event);
            }
        }
    }

    pub(super) fn opened(&mut self, len: u64) {
        match &mut self.state {
            State::Init(gather) => {
                let gathered = gather.opened(len);
                self.gathered(gathered);
            }
            State::Segment(reading) => {
                let missing = reading.opened(len);
                let missing = missing.or((len == 0).then_some(0..0));
                if let Some(missing) = missing {
                    let path = reading.file.path();
                    let damage = damage(missing, "the file ends before", path);
                    self.events.push_back(damage);
                }
            }
            _ => {}
        }
    }

    pub(super) fn refused(&mut self, why: &str) {
        match &mut self.state {
            State::Init(gather) => {
                let gathered = gather.refused(why);
                self.gathered(gathered);
            }
            State::Segment(reading) => {
                if reading.file.refused() {
                    return;
                }
                self.state = State::Between { passed: false };
                let segment = self
                    .next
                    .checked_sub(1)
                    .and_then(|at| self.segments.get(at));
                self.events
                    .extend(segment.map(|segment| lost(segment, why)));
            }
            _ => {}
        }
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        match &mut self.state {
            State::Init(gather) => {
                let gathered = gather.push(&bytes);
                self.gathered(gathered);
            }
            State::Segment(reading) => {
                if let Err(what) = reading.push(bytes, &mut self.ts) {
                    let damage = damage(reading.file.range(), &what, reading.file.path());
                    self.events.push_back(damage);
                    self.state = State::Between { passed: false };
                }
            }
            _ => {}
        }
    }

    fn gathered(&mut self, gathered: Gathered) {
        let init = match gathered {
            Gathered::More => return,
            Gathered::All(bytes) => Ok(bytes),
            Gathered::Refused(why) => Err(why),
        };
        let map = self.segments.get(self.next).and_then(|s| s.map.clone());
        self.init = map.map(|map| (map, init));
        // The segment's discontinuity came before its init segment was asked for.
        self.state = State::Between { passed: true };
    }

    /// Follows what is told.
    fn seen(&mut self, event: Event) -> Event {
        match &event {
            Event::Tracks(tracks) => self.tracks = Arc::clone(tracks),
            Event::Unit(unit) => {
                if let Some(track) = self.tracks.get(unit.track) {
                    let to = Timescale::NINETY_KHZ;
                    self.time = track.timescale.convert(unit.dts.0, to, Rounding::Floor);
                }
            }
            _ => {}
        }
        event
    }
}

/// Whether a decoder goes on without being told.
fn same(known: &TrackList, new: &TrackList) -> bool {
    known.len() == new.len()
        && known
            .iter()
            .zip(new.iter())
            .all(|(known, new)| known.id == new.id && known.same_configuration(new))
}

/// The event; damage names the file.
fn in_file(event: Event, path: &str) -> Event {
    match event {
        Event::Damage(found) => Event::Damage(Damage {
            what: format!("{}, in {path}", found.what).into(),
            ..found
        }),
        event => event,
    }
}

/// A segment that is left out whole.
fn lost(segment: &Segment, why: &str) -> Event {
    let bytes: Range<u64> = segment.resource.range.clone().unwrap_or_default();
    let seconds = segment.duration.as_secs_f64();
    let what = format!("a segment of {seconds:.3} s is left out ({why})");
    damage(bytes, &what, &segment.resource.path)
}
