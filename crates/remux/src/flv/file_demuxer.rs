//! FLV files to events, over damage.
//!
//! ```text
//! tag            type 8 | body size 24 | time 32 | stream id 0 24 | body | tag size 32
//!                 └── plausible ──────────────────┘                  └── agrees ──┘
//! ```
//!
//! A tag is believed when the size behind it agrees with its own (or is one of those that writers
//! get wrong: 0, or without the header), or when a plausible tag header follows. Otherwise the next
//! place is searched where header and size behind agree exactly, and everything up to there is lost.
//!
//! Deliberately absent: `Metadata` and `MultichannelConfig` of enhanced RTMP, which no event holds;
//! units carry them on in their bodies to FLV.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use media::timeline::{Jump, Timeline};
use media::{CodecConfig, Track, TrackList};

use super::{Error, Event as Found, Limits, Parser, TagKind, data_message};
use crate::{Damage, Event};

/// Bytes of a tag's header.
const TAG_HEADER: usize = 11;
/// Bytes of the size behind a tag.
const TAG_SIZE: usize = 4;
/// Signature, version, flags, data offset.
const FILE_HEADER: usize = 9;
/// Longest file header that is passed over; all known files say 9.
const MAX_FILE_HEADER: usize = 4_096;

/// Reads an FLV file to its last good tag.
///
/// # Contract
/// [`push`](Self::push) input, then [`poll`](Self::poll) until it gives `None`; at the end
/// [`finish`](Self::finish), and poll again. Any split of the input gives the same events. The only
/// errors are those of the file header; whatever else is wrong is an [`Event::Damage`], and reading
/// goes on behind it. Buffers a tag at most, besides what was pushed.
///
/// Times are placed by [`Timeline`]: unwrapped, and where the file's clock starts anew
/// ([`Event::Discontinuity`]) the timeline continues.
#[derive(Debug)]
pub struct FileDemuxer {
    limits: Limits,
    input: Input,
    state: State,
    parser: Parser,
    timeline: Timeline,
    tracks: Arc<TrackList>,
    /// Tracks whose picture size is not known before their first key frame (VP9): told with their
    /// first unit, so that what is written of the file can begin with it.
    held: Vec<Track>,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    FileHeader,
    /// The size before the first tag, which may be missing.
    FirstSize,
    Tag,
    /// Since this place there was no good tag.
    Lost(u64),
    Failed(Error),
}

/// What was pushed and not yet read.
#[derive(Debug, Default)]
struct Input {
    /// What is looked at, when it straddles pushes; its last bytes are the first of `rest`.
    gathered: BytesMut,
    rest: Bytes,
    /// How many those are.
    copied: usize,
    /// Where `gathered` begins.
    offset: u64,
    ended: bool,
}

impl FileDemuxer {
    /// A demuxer at the start of a file.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Input::default(),
            state: State::FileHeader,
            parser: Parser::new(limits),
            timeline: Timeline::new(),
            tracks: Arc::default(),
            held: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// The tracks that were found so far.
    #[must_use]
    pub fn tracks(&self) -> &Arc<TrackList> {
        &self.tracks
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.input.offset
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: Bytes) {
        self.input.push(bytes);
    }

    /// The next event; `None`: needs more input.
    ///
    /// # Errors
    /// [`Error::NotFlv`] and [`Error::Undefined`] for the file header, again at each call.
    pub fn poll(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let goes_on = match self.state {
                State::FileHeader => self.file_header(),
                State::FirstSize => self.first_size(),
                State::Tag => self.tag(),
                State::Lost(from) => self.search(from),
                State::Failed(ref error) => return Err(error.clone()),
            };
            if !goes_on && self.events.is_empty() && !matches!(self.state, State::Failed(_)) {
                return Ok(None);
            }
        }
    }

    /// No more input comes: what is left is told by the next polls.
    pub fn finish(&mut self) {
        self.input.ended = true;
    }

    fn file_header(&mut self) -> bool {
        let Some(header) = self.input.look(FILE_HEADER) else {
            if self.input.ended && self.input.len() > 0 {
                self.state = State::Failed(Error::NotFlv);
            }
            return false;
        };
        let &[b'F', b'L', b'V', _, _, a, b, c, d] = header else {
            self.state = State::Failed(Error::NotFlv);
            return false;
        };
        let value = u32::from_be_bytes([a, b, c, d]);
        let len = (value as usize).max(FILE_HEADER);
        if len > MAX_FILE_HEADER {
            self.state = State::Failed(Error::Undefined {
                what: "file header length",
                value,
                offset: 5,
            });
            return false;
        }
        if self.input.look(len).is_none() {
            return self.cut_off();
        }
        self.input.skip(len);
        self.state = State::FirstSize;
        true
    }

    fn first_size(&mut self) -> bool {
        match self.input.look(TAG_SIZE) {
            Some(&[0, 0, 0, 0]) => self.input.skip(TAG_SIZE),
            Some(_) => {}
            None => return self.cut_off(),
        }
        self.state = State::Tag;
        true
    }

    fn tag(&mut self) -> bool {
        let Some(header) = self.input.look(TAG_HEADER).and_then(Header::read) else {
            if self.input.len() < TAG_HEADER {
                return self.cut_off();
            }
            return self.lose();
        };
        if header.len > self.limits.tag_bytes as usize {
            return self.lose();
        }
        let end = TAG_HEADER + header.len;
        if !self.input.ended && self.input.look(end + TAG_SIZE + TAG_HEADER).is_none() {
            return false;
        }
        let size = self
            .input
            .look(end + TAG_SIZE)
            .and_then(|bytes| bytes.last_chunk());
        let is_sound = match size.copied().map(u32::from_be_bytes) {
            Some(size) => size as usize == end || self.follows(end),
            // The file ends within the size, or before it.
            None => self.input.len() >= end,
        };
        if !is_sound {
            return self.lose();
        }
        let offset = self.input.offset;
        let mut body = self.input.take(end);
        body.advance(TAG_HEADER.min(body.len()));
        let size = TAG_SIZE.min(self.input.len());
        self.input.skip(size);
        self.body(header, body, offset..offset + end as u64);
        true
    }

    /// Whether a plausible header follows the tag that ends at `end`, or nothing does.
    fn follows(&mut self, end: usize) -> bool {
        let next = end + TAG_SIZE;
        match self.input.look(next + TAG_HEADER) {
            Some(bytes) => bytes
                .get(next..)
                .and_then(Header::read)
                .is_some_and(|header| header.len <= self.limits.tag_bytes as usize),
            None => self.input.len() <= next,
        }
    }

    /// The bytes here are no tag.
    fn lose(&mut self) -> bool {
        self.state = State::Lost(self.input.offset);
        self.input.skip(1);
        true
    }

    /// The input ends within a structure, or more of it is needed.
    fn cut_off(&mut self) -> bool {
        if self.input.ended && self.input.len() > 0 {
            let len = self.input.len();
            let from = self.input.offset;
            self.input.skip(len);
            self.damage(from..from + len as u64, "the file ends within a tag");
        }
        false
    }

    /// Looks for the next tag whose sizes agree.
    fn search(&mut self, from: u64) -> bool {
        let ended = self.input.ended;
        loop {
            self.input.seek_tag();
            let is_tag = match self.input.look(TAG_HEADER) {
                Some(header) => Header::read(header)
                    .map(|header| header.len)
                    .filter(|&len| len > 0 && len <= self.limits.tag_bytes as usize),
                None if ended => None,
                None => return false,
            };
            if let Some(len) = is_tag {
                let end = TAG_HEADER + len;
                match self.input.look(end + TAG_SIZE) {
                    Some(bytes) => {
                        let size = bytes.get(end..).and_then(|size| size.first_chunk());
                        if size.is_some_and(|&size| u32::from_be_bytes(size) as usize == end) {
                            self.damage(from..self.input.offset, "no tags that can be read");
                            self.state = State::Tag;
                            return true;
                        }
                    }
                    None if !ended => return false,
                    None => {}
                }
            }
            if self.input.len() == 0 {
                if self.input.ended {
                    self.damage(from..self.input.offset, "no tags that can be read");
                    self.state = State::Tag;
                }
                return false;
            }
            self.input.skip(1);
        }
    }

    fn damage(&mut self, bytes: std::ops::Range<u64>, what: impl Into<Box<str>>) {
        self.events.push_back(Event::Damage(Damage {
            bytes,
            track: None,
            what: what.into(),
        }));
    }

    /// Reads a tag's body.
    fn body(&mut self, header: Header, body: Bytes, place: std::ops::Range<u64>) {
        let Some(kind) = header.kind else {
            self.damage(place, "an encrypted tag");
            return;
        };
        let events = match kind {
            TagKind::Audio => self.parser.audio(&body),
            TagKind::Video => self.parser.video(&body),
            TagKind::Script => {
                let dts = self.timeline.locate(header.timestamp);
                match data_message(dts, &body) {
                    Ok(message) => self.events.push_back(Event::Data(message.into())),
                    Err(error) => self.damage(place, error.to_string()),
                }
                return;
            }
        };
        match events {
            Ok(events) => events.for_each(|event| self.media(event, header.timestamp, &place)),
            Err(error) => self.damage(place, error.to_string()),
        }
    }

    fn tell(&mut self, track: Track) {
        self.tracks = Arc::new(self.tracks.with(track));
        self.events
            .push_back(Event::Tracks(Arc::clone(&self.tracks)));
    }

    fn media(&mut self, event: Found, timestamp: u32, place: &std::ops::Range<u64>) {
        match event {
            Found::Track(track) => {
                self.held.retain(|held| held.id != track.id);
                let config = track.config.as_ref().ok();
                if config.and_then(CodecConfig::picture_size) == Some((0, 0)) {
                    // As many as the parser takes.
                    self.held.push(*track);
                    return;
                }
                self.tell(*track);
            }
            Found::Unit(mut unit) => {
                if let Some(at) = self.held.iter().position(|held| held.id == unit.track) {
                    let held = self.held.swap_remove(at);
                    self.tell(held);
                }
                let placed = self.timeline.place(unit.track, timestamp, None);
                if matches!(placed.jump, Some(Jump::Restart { .. })) {
                    self.events.push_back(Event::Discontinuity);
                }
                unit.dts = placed.dts;
                self.events.push_back(Event::Unit(unit));
            }
            Found::Refused(error) => self.damage(place.clone(), error.to_string()),
            _ => {}
        }
    }
}

impl Default for FileDemuxer {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// A plausible tag header.
#[derive(Clone, Copy, Debug)]
struct Header {
    /// `None`: encrypted.
    kind: Option<TagKind>,
    len: usize,
    timestamp: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[kind, s0, s1, s2, t0, t1, t2, t3, 0, 0, 0] = bytes.first_chunk::<TAG_HEADER>()?
        else {
            return None;
        };
        let plain = match kind & 0xdf {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            18 => TagKind::Script,
            _ => return None,
        };
        Some(Self {
            // The filter bit (FLV 10.1 §E.4.1).
            kind: (kind & 0x20 == 0).then_some(plain),
            len: u32::from_be_bytes([0, s0, s1, s2]) as usize,
            timestamp: u32::from_be_bytes([t3, t0, t1, t2]),
        })
    }
}

impl Input {
    fn push(&mut self, bytes: Bytes) {
        self.rest.advance(std::mem::take(&mut self.copied));
        if self.rest.is_empty() {
            self.rest = bytes;
        } else if !bytes.is_empty() {
            let mut joined = BytesMut::with_capacity(self.rest.len() + bytes.len());
            joined.extend_from_slice(&self.rest);
            joined.extend_from_slice(&bytes);
            self.rest = joined.freeze();
        }
    }

    fn len(&self) -> usize {
        self.gathered.len() + self.rest.len() - self.copied
    }

    /// The next `len` bytes in one piece; `None` when there are not so many.
    fn look(&mut self, len: usize) -> Option<&[u8]> {
        if self.gathered.is_empty() && self.rest.len() >= len {
            return self.rest.get(..len);
        }
        if self.gathered.len() < len {
            let wanted = self.copied + len - self.gathered.len();
            let end = wanted.min(self.rest.len());
            let part = self.rest.get(self.copied..end).unwrap_or_default();
            self.gathered.extend_from_slice(part);
            self.copied = end;
        }
        self.gathered.get(..len)
    }

    /// The next `len` bytes, which [`look`](Self::look) gave; a slice of what was pushed when they
    /// came whole.
    fn take(&mut self, len: usize) -> Bytes {
        self.offset += len as u64;
        if self.gathered.is_empty() {
            return self.rest.split_to(len.min(self.rest.len()));
        }
        self.look(len);
        let taken = self.gathered.split_to(len.min(self.gathered.len()));
        self.uncopy();
        taken.freeze()
    }

    fn skip(&mut self, len: usize) {
        let first = len.min(self.gathered.len());
        self.gathered.advance(first);
        self.uncopy();
        let second = (len - first).min(self.rest.len());
        self.rest.advance(second);
        self.offset += (first + second) as u64;
    }

    /// Goes on in `rest` when nothing is gathered but what is there too.
    fn uncopy(&mut self) {
        if let Some(done) = self.copied.checked_sub(self.gathered.len()) {
            self.rest.advance(done);
            self.gathered.clear();
            self.copied = 0;
        }
    }

    /// Skips bytes that are no tag's type.
    fn seek_tag(&mut self) {
        for _ in 0..2 {
            let part = if self.gathered.is_empty() {
                &self.rest[..]
            } else {
                &self.gathered[..]
            };
            let found = memchr::memchr3(8, 9, 18, part);
            let skipped = found.unwrap_or(part.len());
            self.skip(skipped);
            if found.is_some() {
                return;
            }
        }
    }
}
