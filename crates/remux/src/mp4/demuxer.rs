//! MP4 files to tracks and access units: ordinary, fragmented, and both in one.
//!
//! ```text
//! ordinary      ftyp | moov: all samples | mdat        or moov last
//! fragmented    ftyp | moov: mvex | { emsg } moof | mdat | moof | mdat …
//! hybrid        samples in moov, and fragments behind it
//! ```
//!
//! A machine without input of its own: it asks for bytes at an offset and is given them. Of a file
//! it may ask for any place, of a pipe only for what comes next. Boxes it does not need (styp, sidx,
//! mfra, free, unknown ones) it passes over. Payloads are slices of what was pushed; only a sample
//! that lies across two reads is copied.
//!
//! Times are those of the file in each track's own timescale, moved by its edit list ([edits]).
//!
//! [edits]: super#edit-lists

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, CodecConfig, Dts, FrameRole, Rounding, Ticks, Timescale};
use media::{TrackKind, TrackList, Unconfigured};

use super::boxes::{Header, Kind, Parsed, children};
use super::cache::Cache;
use super::description::Source;
use super::emsg::EventMessage;
use super::in_band;
use super::lane::{Lane, Samples, choose};
use super::movie::{Movie, MovieTrack, wants_samples};
use super::runs::{Defaults, TrackFragment};
use super::sample::Sample;
use crate::{Damage, Event, LeftOut};

/// Bytes that are asked for at once.
const READ_LEN: u64 = 1 << 20;
/// Longest `moov`, `moof` or `emsg`. Threat: it is held in memory. 256 MiB index some 15 million
/// samples: two days of video and audio.
const MAX_INDEX: u64 = 256 << 20;
/// Longest sample. Threat: it is gathered in memory; a picture of 8K has some 10 MiB.
const MAX_SAMPLE: u32 = 256 << 20;
/// Bytes of a pipe that are kept to bring its tracks into the order of time.
const PIPE_WINDOW: u64 = 16 << 20;
/// Event messages that may wait for their fragment. Threat: they are held in memory.
const MAX_WAITING_MESSAGES: usize = 64;
/// Samples may overlap, but not so that the file is given more than this many times. Threat: a
/// small file whose tables name the same bytes again and again.
const MAX_GIVEN: u64 = 4;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DemuxError {
    /// There is no `moov`: not an MP4 file, one whose recording was not finished, or a segment
    /// without its init segment.
    #[error("no movie box (moov) before the end at byte {len}")]
    NoMovie {
        /// Where the input ends.
        len: u64,
    },
    /// A box that must be read whole is not all there.
    #[error("{} box at byte {offset} is cut off: {len} bytes, {have} are there", .kind.escape_ascii())]
    CutOff {
        /// Its type.
        kind: [u8; 4],
        /// Where it begins.
        offset: u64,
        /// Bytes that it says it has.
        len: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// What is there is not a box.
    #[error("not a box at byte {offset}: {why}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        why: Box<str>,
    },
    /// A box is larger than we read.
    #[error("{} box at byte {offset} has {len} bytes, more than {max}", .kind.escape_ascii())]
    TooLarge {
        /// Its type.
        kind: [u8; 4],
        /// Where it begins.
        offset: u64,
        /// Bytes that it says it has.
        len: u64,
        /// Bytes that it may have.
        max: u64,
    },
    /// Bytes are needed again that went by: the index lies behind the media, or tracks lie far
    /// apart.
    #[error(
        "byte {offset} is needed after byte {position}; the file must be read from disk, not from a pipe"
    )]
    NotSeekable {
        /// What is needed.
        offset: u64,
        /// What was read last.
        position: u64,
    },
}

/// What a [`Demuxer`] wants or tells.
#[derive(Clone, Debug)]
pub enum Step {
    /// [`Demuxer::push`] bytes from `offset` on, at most `len` of them; fewer are enough.
    Read {
        /// Bytes from the start of the file. Of a pipe never less than the end of what was pushed.
        offset: u64,
        /// Between 1 and 1 MiB.
        len: usize,
    },
    /// Something was found.
    Event(Event),
    /// All has been told.
    End,
}

/// What a [`Demuxer`] reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Any place can be read.
    File {
        /// Its length in bytes.
        len: u64,
    },
    /// Read from front to back; the length is not known.
    Pipe,
}

/// Reads MP4.
///
/// Contract: [`poll`](Self::poll) until [`Step::Read`], then [`push`](Self::push) what was read
/// there, then poll again; an empty push says that the input ends at or before that place. The first
/// [`Event::Tracks`] comes before the first unit; units of a track come in decode order, those of
/// several tracks roughly in the order of the file. Any lengths of pushes give the same events.
/// After an error every poll gives the same error.
///
/// Damage: samples that are not there are left out and told of in one [`Event::Damage`] for each
/// track; what lies behind bytes that are no box is lost, which is told too. An error is only given
/// when nothing can be read.
#[derive(Debug)]
pub struct Demuxer {
    /// Where the input ends, as far as is known.
    len: Option<u64>,
    is_pipe: bool,
    /// The byte behind the last one pushed.
    position: u64,
    /// Where bytes were asked for.
    asked: Option<u64>,
    cache: Cache,
    state: State,
    events: VecDeque<Event>,
    movie: Option<Movie>,
    /// Samples to be given; those of a fragment wait for its `mdat`.
    lanes: Vec<Lane>,
    messages: Vec<EventMessage>,
    /// Bytes of samples given.
    given: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// A box begins here.
    Scan {
        at: u64,
    },
    /// A box whose body is wanted.
    Body {
        at: u64,
        body: u64,
        end: u64,
        kind: Kind,
    },
    /// `lanes` are given; then boxes go on at `resume`.
    Samples {
        resume: Option<u64>,
    },
    End,
    Failed(DemuxError),
}

/// What stops a step.
enum Stop {
    /// Bytes from here.
    Want(u64),
    /// They lie behind the end.
    Eof,
    Error(DemuxError),
}

impl From<DemuxError> for Stop {
    fn from(error: DemuxError) -> Self {
        Self::Error(error)
    }
}

impl Demuxer {
    /// A demuxer at the start of `input`.
    #[must_use]
    pub fn new(input: Input) -> Self {
        Self {
            len: match input {
                Input::File { len } => Some(len),
                Input::Pipe => None,
            },
            is_pipe: input == Input::Pipe,
            position: 0,
            asked: None,
            cache: Cache::default(),
            state: State::Scan { at: 0 },
            events: VecDeque::new(),
            movie: None,
            lanes: Vec::new(),
            messages: Vec::new(),
            given: 0,
        }
    }

    /// Tracks that are not given, and why; known with the first [`Event::Tracks`]. Their ids are
    /// those of no other track's units.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        self.movie.as_ref().map_or(&[], |movie| &movie.left_out)
    }

    /// Takes what was read where [`Step::Read`] asked; empty: the input ends there. Ignored when
    /// nothing was asked for.
    pub fn push(&mut self, bytes: Bytes) {
        let Some(offset) = self.asked.take() else {
            return;
        };
        if bytes.is_empty() {
            self.len = Some(offset);
            return;
        }
        self.position = offset + bytes.len() as u64;
        self.cache.insert(offset, bytes);
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`DemuxError`] names the byte; nothing more can be read.
    pub fn poll(&mut self) -> Result<Step, DemuxError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Step::Event(event));
            }
            if let Some(offset) = self.asked {
                return Ok(self.read(offset));
            }
            let done = match self.state.clone() {
                State::Scan { at } => self.scan(at),
                State::Body {
                    at,
                    body,
                    end,
                    kind,
                } => self.body(at, body, end, kind),
                State::Samples { resume } => self.sample(resume),
                State::End => return Ok(Step::End),
                State::Failed(error) => return Err(error),
            };
            match done {
                Ok(()) | Err(Stop::Eof) => {}
                Err(Stop::Want(offset)) => {
                    self.asked = Some(offset);
                    return Ok(self.read(offset));
                }
                Err(Stop::Error(error)) => {
                    self.state = State::Failed(error);
                    self.cache = Cache::default();
                }
            }
        }
    }

    /// The read from `offset`, up to the end of the file or to what is there already.
    fn read(&self, offset: u64) -> Step {
        let ends = [self.len, self.cache.next_known(offset)];
        let end = ends.into_iter().flatten().min().unwrap_or(u64::MAX);
        let len = end.saturating_sub(offset).clamp(1, READ_LEN);
        Step::Read {
            offset,
            len: usize::try_from(len).unwrap_or(usize::MAX),
        }
    }

    /// Where the input ends, or `u64::MAX`.
    fn end(&self) -> u64 {
        self.len.unwrap_or(u64::MAX)
    }

    /// The bytes from `offset`. What lies before `low` is needed no more.
    fn fetch(&mut self, offset: u64, len: u64, low: u64) -> Result<Bytes, Stop> {
        let end = offset.saturating_add(len);
        if end > self.end() {
            return Err(Stop::Eof);
        }
        let whole = usize::try_from(len).map_err(|_| Stop::Eof)?;
        self.cache.get(offset, whole).map_err(|missing| {
            if !self.is_pipe {
                self.cache.trim(&(offset..end));
                return Stop::Want(missing);
            }
            self.cache.forget_before(low);
            if missing < self.position {
                let position = self.position;
                return Stop::Error(DemuxError::NotSeekable {
                    offset: missing,
                    position,
                });
            }
            Stop::Want(missing)
        })
    }

    fn damage(&mut self, bytes: std::ops::Range<u64>, what: impl Into<Box<str>>) {
        self.events.push_back(Event::Damage(Damage {
            bytes,
            track: None,
            what: what.into(),
        }));
    }

    /// The boxes end here.
    fn finish(&mut self, at: u64) -> Result<(), Stop> {
        if !self.lanes.is_empty() {
            self.begin(None);
            return Ok(());
        }
        if self.movie.is_none() {
            let len = self.len.unwrap_or(at);
            return Err(DemuxError::NoMovie { len }.into());
        }
        self.state = State::End;
        Ok(())
    }

    /// Bytes that are no box begin here: what follows cannot be found.
    fn lost(&mut self, at: u64, why: String) -> Result<(), Stop> {
        if self.movie.is_none() && self.lanes.is_empty() {
            return Err(DemuxError::Malformed {
                offset: at,
                why: why.into(),
            }
            .into());
        }
        let end = self.len.unwrap_or(at).max(at);
        self.damage(at..end, why);
        self.finish(at)
    }

    fn scan(&mut self, at: u64) -> Result<(), Stop> {
        if at == self.end() {
            return self.finish(at);
        }
        let header = match self.header(at) {
            Ok(header) => header,
            Err(Stop::Eof) if at >= self.end() => return self.finish(at),
            Err(Stop::Eof) => return self.lost(at, "a box header is cut off".to_owned()),
            Err(stop) => return Err(stop),
        };
        let header = match header {
            Parsed::Header(header) => header,
            Parsed::BadSize(size) => {
                return self.lost(at, format!("a box of {size} bytes is less than its header"));
            }
            Parsed::Short(_) => return self.lost(at, "a box header is cut off".to_owned()),
        };
        if !header.is_named() {
            let kind = header.kind.escape_ascii();
            return self.lost(at, format!("{kind} is no box type"));
        }
        let end = match header.len {
            Some(len) => at.saturating_add(len),
            None => self.end(),
        };
        let body = at + header.header_len;
        match &header.kind {
            b"mdat" => {
                if !self.lanes.is_empty() {
                    self.begin((end < self.end()).then_some(end));
                    return Ok(());
                }
                if end > self.end() {
                    return self.finish(self.end());
                }
            }
            // Its samples may lie anywhere: those before it first.
            b"moov" | b"moof" if !self.lanes.is_empty() => {
                self.begin(Some(at));
                return Ok(());
            }
            b"moov" => return self.whole_box(at, header, body, end),
            b"moof" | b"emsg" if self.movie.is_some() => {
                return self.whole_box(at, header, body, end);
            }
            _ => {}
        }
        if end > self.end() {
            let kind = header.kind.escape_ascii();
            return self.lost(at, format!("the {kind} box is cut off"));
        }
        self.state = State::Scan { at: end };
        Ok(())
    }

    fn header(&mut self, at: u64) -> Result<Parsed, Stop> {
        let low = at;
        match Header::parse(&self.fetch(at, 8, low)?) {
            Parsed::Short(len) => Ok(Header::parse(&self.fetch(at, len as u64, low)?)),
            parsed => Ok(parsed),
        }
    }

    /// Goes on with a box that is read whole, when it can be.
    fn whole_box(&mut self, at: u64, header: Header, body: u64, end: u64) -> Result<(), Stop> {
        let kind = header.kind;
        let len = end.saturating_sub(at);
        if end > self.end() {
            return self.cut_off(at, kind, len);
        }
        if len > MAX_INDEX {
            let error = DemuxError::TooLarge {
                kind,
                offset: at,
                len,
                max: MAX_INDEX,
            };
            return Err(error.into());
        }
        self.state = State::Body {
            at,
            body,
            end,
            kind,
        };
        Ok(())
    }

    /// A box that must be read whole is not all there.
    fn cut_off(&mut self, at: u64, kind: Kind, len: u64) -> Result<(), Stop> {
        if self.movie.is_none() {
            return Err(DemuxError::CutOff {
                kind,
                offset: at,
                len,
                have: self.end().saturating_sub(at),
            }
            .into());
        }
        let kind = kind.escape_ascii();
        self.lost(at, format!("the {kind} box of {len} bytes is cut off"))
    }

    fn body(&mut self, at: u64, body: u64, end: u64, kind: Kind) -> Result<(), Stop> {
        let bytes = match self.fetch(body, end - body, body) {
            Ok(bytes) => bytes,
            // A pipe that ended.
            Err(Stop::Eof) => return self.cut_off(at, kind, end - at),
            Err(stop) => return Err(stop),
        };
        self.state = State::Scan { at: end };
        match &kind {
            b"moov" => self.movie(at, end, &bytes),
            b"moof" => self.fragment(at, &bytes),
            _ => self.message(at, end, &bytes),
        }
        Ok(())
    }

    fn movie(&mut self, at: u64, end: u64, moov: &Bytes) {
        let movie = Movie::read(moov);
        // A second one starts new fragments (concatenated files with init segments), or is the
        // index of a recording that was about to be finished: then its fragments were given.
        if self.movie.is_some() && (movie.has_samples || !movie.is_fragmented) {
            return;
        }
        for (n, track) in movie.tracks.iter().enumerate() {
            if let Some(table) = &track.table {
                if !table.is_whole {
                    self.events.push_back(Event::Damage(Damage {
                        bytes: at..end,
                        track: Some(track.id),
                        what: "a sample table ends before its last entry".into(),
                    }));
                }
                let samples = Samples::Table(Box::new(table.clone()));
                self.lanes
                    .push(Lane::new(n, track.timescale, track.shift, samples));
            }
            if track.edits_not_followed > 0 {
                let count = track.edits_not_followed;
                self.events.push_back(Event::Damage(Damage {
                    bytes: at..end,
                    track: Some(track.id),
                    what: format!(
                        "{count} edits are not followed; all samples keep the first edit's time"
                    )
                    .into(),
                }));
            }
        }
        let resume = movie.is_fragmented.then_some(end);
        self.movie = Some(movie);
        self.tell_tracks();
        if !self.is_pipe {
            if self.lanes.is_empty() {
                return;
            }
            self.begin(resume);
        }
    }

    fn tell_tracks(&mut self) {
        let Some(movie) = &self.movie else {
            return;
        };
        let tracks = movie.tracks.iter().map(|track| Arc::new(track.track()));
        let tracks = TrackList::new(tracks.collect());
        self.events.push_back(Event::Tracks(Arc::new(tracks)));
    }

    fn fragment(&mut self, at: u64, moof: &Bytes) {
        let Some(movie) = &mut self.movie else {
            return;
        };
        let mut previous = at;
        for (_, traf) in children(moof).filter(|(kind, _)| kind == b"traf") {
            let index = |number| movie.tracks.iter().position(|track| track.number == number);
            let defaults = |number| {
                index(number)
                    .and_then(|n| movie.tracks.get(n))
                    .map_or_else(Defaults::default, |t| t.defaults)
            };
            let Some(fragment) = TrackFragment::read(&traf, defaults) else {
                continue;
            };
            let track = index(fragment.number).and_then(|n| Some((n, movie.tracks.get(n)?)));
            let start = fragment
                .start
                .or(track.map(|(_, track)| track.end))
                .unwrap_or(0);
            let (samples, end) = fragment.samples(at, previous, start);
            previous = end;
            let Some((n, track)) = track else {
                continue;
            };
            let lane = self.lanes.iter_mut().find(|lane| lane.track == n);
            match lane.map(|lane| &mut lane.samples) {
                Some(Samples::Runs(runs)) => runs.append(samples),
                _ => {
                    let samples = Samples::Runs(samples);
                    self.lanes
                        .push(Lane::new(n, track.timescale, track.shift, samples));
                }
            }
        }
    }

    fn message(&mut self, at: u64, end: u64, body: &Bytes) {
        match EventMessage::read(body) {
            Some(message)
                if message.is_relative() && self.messages.len() < MAX_WAITING_MESSAGES =>
            {
                self.messages.push(message);
            }
            Some(message) if !message.is_relative() => {
                self.events
                    .push_back(Event::Timed(Arc::new(message.placed(0))));
            }
            _ => self.damage(at..end, "the event message is damaged, or one of too many"),
        }
    }

    /// Gives the samples of `lanes` next.
    fn begin(&mut self, resume: Option<u64>) {
        let end = self.end();
        for lane in &mut self.lanes {
            lane.advance(end, MAX_SAMPLE);
        }
        if !self.messages.is_empty() {
            let starts = self.lanes.iter().filter_map(|lane| {
                let track = self.movie.as_ref()?.tracks.get(lane.track)?;
                let sample = lane.next?;
                let pts = sample.dts.saturating_add(sample.composition_offset);
                let pts = pts.saturating_add(track.shift);
                Some(
                    track
                        .timescale
                        .convert(pts, Timescale::NINETY_KHZ, Rounding::Nearest),
                )
            });
            let start = starts.min().unwrap_or(0);
            for message in self.messages.drain(..) {
                self.events
                    .push_back(Event::Timed(Arc::new(message.placed(start))));
            }
        }
        self.state = State::Samples { resume };
    }

    fn sample(&mut self, resume: Option<u64>) -> Result<(), Stop> {
        let window = if self.is_pipe { PIPE_WINDOW } else { u64::MAX };
        let next = choose(&self.lanes, window);
        let next = next.and_then(|n| Some((n, self.lanes.get(n)?.next?)));
        let Some((n, sample)) = next else {
            return self.end_samples(resume);
        };
        let pending = self.lanes.iter().filter_map(|lane| lane.next);
        let first = pending.map(|sample| sample.offset).min();
        let low = first
            .unwrap_or(sample.offset)
            .min(resume.unwrap_or(u64::MAX));
        // A pipe is not held back for boxes that lie before its media.
        let low = low.max(sample.offset.saturating_sub(PIPE_WINDOW));
        let payload = match self.fetch(sample.offset, sample.size.into(), low) {
            Ok(payload) => payload,
            Err(Stop::Eof) => {
                let end = self.end();
                if let Some(lane) = self.lanes.get_mut(n) {
                    lane.miss();
                    lane.advance(end, MAX_SAMPLE);
                }
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        self.given = self.given.saturating_add(sample.size.into());
        let read = self.len.unwrap_or(self.position);
        if self.given > read.saturating_mul(MAX_GIVEN) {
            self.lanes.clear();
            self.damage(
                sample.offset..read,
                "the tables name more media than the file has",
            );
            self.state = State::End;
            return Ok(());
        }
        let end = self.end();
        let Some(lane) = self.lanes.get_mut(n) else {
            return Ok(());
        };
        let track = lane.track;
        lane.advance(end, MAX_SAMPLE);
        self.unit(track, &sample, payload);
        Ok(())
    }

    /// Tells what was missing and goes on.
    fn end_samples(&mut self, resume: Option<u64>) -> Result<(), Stop> {
        for lane in std::mem::take(&mut self.lanes) {
            let movie = self.movie.as_mut();
            let Some(track) = movie.and_then(|movie| movie.tracks.get_mut(lane.track)) else {
                continue;
            };
            track.end = lane.end();
            if let Some(missing) = lane.missing {
                let plural = if missing.count == 1 { "" } else { "s" };
                self.events.push_back(Event::Damage(Damage {
                    bytes: missing.start..missing.end,
                    track: Some(track.id),
                    what: format!("{} sample{plural} not all there", missing.count).into(),
                }));
            }
        }
        match resume {
            Some(at) => self.state = State::Scan { at },
            None => self.state = State::End,
        }
        Ok(())
    }

    fn unit(&mut self, track: usize, sample: &Sample, payload: Bytes) {
        let movie = self.movie.as_mut();
        let Some(track) = movie.and_then(|movie| movie.tracks.get_mut(track)) else {
            return;
        };
        let mut is_new = false;
        if sample.description != track.description {
            if track.described(sample.description).is_none() {
                let id = track.id;
                let number = sample.description;
                self.events.push_back(Event::Damage(Damage {
                    bytes: sample.offset..sample.end(),
                    track: Some(id),
                    what: format!("a sample of description {number}, which cannot be carried")
                        .into(),
                }));
                return;
            }
            track.description = sample.description;
            is_new = true;
        }
        is_new |= configure(track, &payload);
        let unit = AccessUnit {
            track: track.id,
            dts: Dts(sample.dts.saturating_add(track.shift)),
            composition_offset: Ticks(sample.composition_offset),
            role: match track.kind {
                TrackKind::Audio => FrameRole::RandomAccess,
                TrackKind::Video => sample.role,
            },
            payload,
            flv_body: None,
        };
        if is_new {
            self.tell_tracks();
        }
        self.events.push_back(Event::Unit(unit));
    }
}

/// Completes the track's configuration from a sample; whether it changed.
fn configure(track: &mut MovieTrack, payload: &[u8]) -> bool {
    let Some(description) = track.current() else {
        return false;
    };
    if !wants_samples(description) {
        return false;
    }
    let found = match description.source {
        Source::Frame => CodecConfig::from_frame(description.codec, payload),
        _ => match in_band::configuration(description.codec, payload) {
            Some(config) => Ok(config),
            // Perhaps in a later one.
            None => return false,
        },
    };
    description.source = Source::Entry;
    match (found, &description.config) {
        (Ok(found), known) => {
            let is_same =
                |known: &CodecConfig| found.raw() == known.raw() && found.audio() == known.audio();
            let changed = !known.as_ref().is_ok_and(is_same);
            // The frame knows more in any case: its own length.
            description.config = Ok(found);
            changed
        }
        (Err(_), Ok(_)) => false,
        (Err(error), Err(_)) => {
            description.config = Err(Unconfigured::Malformed(error));
            true
        }
    }
}
