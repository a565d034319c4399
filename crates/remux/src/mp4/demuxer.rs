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

mod contents;
mod error;
mod scan;
mod units;

use std::collections::VecDeque;

use bytes::Bytes;

pub use self::error::DemuxError;
use super::boxes::Kind;
use super::cache::Cache;
use super::emsg::EventMessage;
use super::lane::Lane;
use super::movie::Movie;
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
}
