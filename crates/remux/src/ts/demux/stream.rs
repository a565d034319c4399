//! One elementary stream: continuity, PES packets, and what is made of their payload.
//!
//! ```text
//! TS packet ─▶ continuity ─▶ PES header ─▶ gathered bytes, with a mark where each PES begins
//!                                             │ video: at the start of the next access unit
//!                                             │ audio: at the end of a PES packet
//!                                             ▼
//!                                           units
//! ```
//!
//! The time of a PES packet is that of the first unit that begins in it (ISO/IEC 13818-1 §2.4.3.7).
//! Units behind it are placed by counting: audio by its samples, exactly; video, where streams give
//! several pictures one time, by the last distance between two times.

mod frames;
mod pictures;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::{Codec, TrackId};

use self::frames::SampleClock;
use self::pictures::Pictures;
use super::audio::Framer;
use super::pes;
use super::section::Sections;
use super::shared::Shared;
use super::video::{self, Video};
use crate::{Event, Scheme, TimedMetadata};

/// Bytes that are reserved at a time at least, and at most for one stream's small units: several
/// share an allocation, which lives as long as any of them.
const BLOCK: std::ops::Range<usize> = 4 << 10..128 << 10;
/// A unit's share of a block is at least one of so many.
const UNITS_A_BLOCK: usize = 8;
/// An elementary stream that is read.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) pid: u16,
    /// `None`: timed metadata.
    pub(super) track: Option<(TrackId, Codec)>,
    /// What the program map said, to tell whether it says the same again.
    pub(super) map_entry: (u8, Option<u8>),
    reader: Reader,
    continuity: Continuity,
    pes: Pes,
    /// The beginning of a PES header that spans packets.
    header: Vec<u8>,
    gathered: BytesMut,
    marks: Vec<Mark>,
    /// Where in the input the PES packet of the first gathered byte begins.
    from: u64,
    /// Behind the last packet of this PID.
    seen: u64,
    last_dts: Option<i64>,
    scrambled: bool,
    /// Number of the program's discontinuities that this stream knows of.
    pub(super) breaks: u32,
    /// No packet came since its beginning, or since a discontinuity that was told.
    pub(super) is_fresh: bool,
    /// Counter of the last packet that told of a discontinuity.
    last_break: Option<u8>,
}

/// What makes units of the bytes.
#[derive(Debug)]
enum Reader {
    Video(Box<Video>, Pictures),
    Audio(Framer, SampleClock),
    Id3,
    Scte35(Sections),
    /// Something that turned out to be unreadable.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pes {
    /// Waits for a start.
    Idle,
    /// Within a header.
    Header,
    /// So many bytes are to come; `None`: up to the next start.
    Body(Option<usize>),
    /// All bytes came.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuity {
    Unknown,
    Last(u8),
    /// The last packet came twice already.
    Repeated(u8),
}

/// Where a PES packet begins among the gathered bytes.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: usize,
    /// Presentation and decode time, unwrapped.
    times: Option<(i64, i64)>,
}

/// What a packet's header says to its stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) offset: u64,
    /// Behind the packet.
    pub(super) end: u64,
    pub(super) starts: bool,
    pub(super) continuity: u8,
    pub(super) scrambled: bool,
    /// `discontinuity_indicator`: any continuity counter may follow.
    pub(super) breaks: bool,
}

impl Stream {
    pub(super) fn new(
        pid: u16,
        track: Option<(TrackId, Codec)>,
        map_entry: (u8, Option<u8>),
        reader: NewReader,
    ) -> Self {
        let reader = match reader {
            NewReader::Video { hevc } => {
                Reader::Video(Box::new(Video::new(hevc)), Pictures::default())
            }
            NewReader::Audio(framer) => Reader::Audio(framer, SampleClock::default()),
            NewReader::Id3 => Reader::Id3,
            NewReader::Scte35 => Reader::Scte35(Sections::default()),
        };
        Self {
            pid,
            track,
            map_entry,
            reader,
            continuity: Continuity::Unknown,
            pes: Pes::Idle,
            header: Vec::new(),
            gathered: BytesMut::new(),
            marks: Vec::new(),
            from: 0,
            seen: 0,
            last_dts: None,
            scrambled: false,
            breaks: 0,
            is_fresh: true,
            last_break: None,
        }
    }

    /// Takes the payload of a packet.
    #[inline]
    pub(super) fn packet(&mut self, arrival: Arrival, payload: &[u8], shared: &mut Shared) {
        if self.continuity != Continuity::Last(arrival.continuity.wrapping_sub(1) & 0x0f)
            && !self.continues(arrival, shared)
        {
            return;
        }
        self.continuity = Continuity::Last(arrival.continuity);
        self.seen = arrival.end;
        if arrival.scrambled || self.scrambled {
            self.scrambling(arrival, shared);
            if arrival.scrambled {
                return;
            }
        }
        if let Reader::Scte35(sections) = &mut self.reader {
            let newest = shared.clock.newest.unwrap_or(0);
            let events = &mut shared.events;
            sections.push(payload, arrival.starts, |section| {
                events.push_back(timed(
                    newest,
                    Scheme::Scte35,
                    Bytes::copy_from_slice(section),
                ));
            });
            return;
        }
        if arrival.starts {
            self.start(arrival, payload, shared);
            return;
        }
        match self.pes {
            Pes::Body(left) => self.body(left, payload, shared),
            Pes::Header => {
                self.header.extend_from_slice(payload);
                let header = std::mem::take(&mut self.header);
                self.head(arrival, &header, shared);
            }
            Pes::Idle | Pes::Full => {}
        }
    }

    /// The reader says what is left when the input ends or a new timeline begins.
    pub(super) fn flush(&mut self, offset: u64, shared: &mut Shared) {
        let is_cut = matches!(self.pes, Pes::Header | Pes::Body(Some(_)));
        if is_cut {
            self.lose(offset, "the unit is cut off", shared);
        } else {
            self.units(true, shared);
            if !matches!(self.reader, Reader::Video(..)) && !self.gathered.is_empty() {
                self.lose(offset, "the frame is cut off", shared);
            }
        }
        self.clear();
    }

    /// Takes note of a discontinuity; whether it is the last packet's again, which came twice.
    pub(super) fn repeats_break(&mut self, continuity: u8) -> bool {
        self.last_break.replace(continuity) == Some(continuity)
            && self.continuity == Continuity::Last(continuity)
    }

    /// Continuity counters of what follows have nothing to do with those before.
    pub(super) fn forget_continuity(&mut self) {
        self.continuity = Continuity::Unknown;
    }

    /// The next time is placed by the program's clock.
    pub(super) fn forget_time(&mut self) {
        self.last_dts = None;
        if let Reader::Video(_, pictures) = &mut self.reader {
            pictures.last = None;
        }
    }

    /// The unit that is open cannot be told to be whole.
    pub(super) fn lose(&mut self, offset: u64, what: &str, shared: &mut Shared) {
        let is_open = !matches!(self.pes, Pes::Idle | Pes::Full) || !self.gathered.is_empty();
        let from = if is_open { self.from } else { self.seen };
        // What was complete before stays.
        match &self.reader {
            Reader::Video(..) if self.pes == Pes::Full => self.units(true, shared),
            Reader::Video(..) => self.whole_pictures(shared),
            _ => self.units(false, shared),
        }
        self.clear();
        let track = self.track.map(|(id, _)| id);
        shared.damage(from.min(offset)..offset, track, what);
    }

    fn clear(&mut self) {
        self.gathered.clear();
        self.marks.clear();
        self.header.clear();
        self.pes = Pes::Idle;
        if let Reader::Scte35(sections) = &mut self.reader {
            sections.reset();
        }
    }

    /// A packet whose counter is not the next one; whether to read it.
    #[cold]
    fn continues(&mut self, arrival: Arrival, shared: &mut Shared) -> bool {
        self.is_fresh = false;
        match self.continuity {
            Continuity::Unknown => {}
            _ if arrival.breaks => {}
            Continuity::Last(last) if last == arrival.continuity => {
                self.continuity = Continuity::Repeated(last);
                return false;
            }
            Continuity::Repeated(last) if last.wrapping_add(1) & 0x0f == arrival.continuity => {}
            Continuity::Last(last) | Continuity::Repeated(last) => {
                let lost = arrival.continuity.wrapping_sub(last.wrapping_add(1)) & 0x0f;
                let what = format!("{lost} packets or more of PID {:#x} are lost", self.pid);
                self.lose(arrival.offset, &what, shared);
            }
        }
        true
    }

    /// Scrambling began, or ended.
    #[cold]
    fn scrambling(&mut self, arrival: Arrival, shared: &mut Shared) {
        if arrival.scrambled && !self.scrambled {
            let what = format!("PID {:#x} is scrambled from here", self.pid);
            self.lose(arrival.end, &what, shared);
        }
        self.scrambled = arrival.scrambled;
    }

    /// A PES packet begins.
    fn start(&mut self, arrival: Arrival, payload: &[u8], shared: &mut Shared) {
        if !matches!(self.reader, Reader::Video(..)) {
            self.units(true, shared);
        }
        self.header.clear();
        self.head(arrival, payload, shared);
    }

    /// Reads a PES header, or keeps its beginning.
    fn head(&mut self, arrival: Arrival, bytes: &[u8], shared: &mut Shared) {
        let header = match pes::read(bytes) {
            pes::Read::Header(header) => header,
            pes::Read::More if bytes.len() <= pes::MAX_HEADER => {
                if self.gathered.is_empty() {
                    self.from = arrival.offset;
                }
                self.header = bytes.to_vec();
                self.pes = Pes::Header;
                return;
            }
            pes::Read::Ignored => {
                self.pes = Pes::Idle;
                return;
            }
            pes::Read::More | pes::Read::Malformed => {
                let what = format!("PID {:#x} has no PES header", self.pid);
                self.lose(arrival.end, &what, shared);
                return;
            }
        };
        if header.scrambled {
            let what = format!("a PES packet of PID {:#x} is scrambled", self.pid);
            self.lose(arrival.end, &what, shared);
            return;
        }
        let payload = bytes.get(header.len..).unwrap_or_default();
        if let Reader::Video(video, _) = &self.reader
            && !self.gathered.is_empty()
            && (header.times.is_some() || video.begins_unit(payload))
        {
            self.units(false, shared);
        }
        if self.gathered.is_empty() {
            self.from = arrival.offset;
            if matches!(self.reader, Reader::Video(..)) {
                self.reserve(payload.len());
                self.gathered.extend_from_slice(&[0; video::SPARE]);
            }
        }
        let times = header.times.map(|raw| {
            let times = shared.clock.place(raw, self.last_dts);
            self.last_dts = Some(times.1);
            times
        });
        let mark = Mark {
            at: self.gathered.len(),
            times,
        };
        match self.marks.last_mut().filter(|last| last.at == mark.at) {
            Some(last) if times.is_some() => *last = mark,
            Some(_) => {}
            None => self.marks.push(mark),
        }
        self.pes = Pes::Body(header.payload);
        self.body(header.payload, payload, shared);
    }

    /// Bytes of a PES packet's payload.
    #[inline]
    fn body(&mut self, left: Option<usize>, payload: &[u8], shared: &mut Shared) {
        let payload = match left {
            None => payload,
            Some(left) => payload.split_at(left.min(payload.len())).0,
        };
        if self.gathered.capacity() - self.gathered.len() < payload.len() {
            self.reserve(payload.len());
        }
        self.gathered.extend_from_slice(payload);
        if self.gathered.len() > shared.unit_bytes {
            let what = format!("a unit of more than {} bytes", shared.unit_bytes);
            self.lose(self.seen, &what, shared);
            return;
        }
        if let Some(left) = left {
            let left = left - payload.len();
            self.pes = if left == 0 {
                Pes::Full
            } else {
                Pes::Body(Some(left))
            };
            if left == 0 && !matches!(self.reader, Reader::Video(..)) {
                self.units(true, shared);
            }
        }
    }

    /// Room for more bytes: in the block that is there, or in a new one.
    #[cold]
    fn reserve(&mut self, more: usize) {
        let unit = match &self.reader {
            Reader::Video(_, pictures) => pictures.largest,
            _ => 1 << 10,
        };
        // While a unit outgrows its block, the room doubles.
        let block = (UNITS_A_BLOCK * unit).clamp(BLOCK.start, BLOCK.end);
        self.gathered
            .reserve(more.max(block).max(self.gathered.len()));
    }

    /// Makes units of what was gathered. Video: all of it (`ended`: with pictures that have not
    /// begun). Audio: the frames that are complete (`ended`: a PES packet ends here).
    fn units(&mut self, ended: bool, shared: &mut Shared) {
        if self.gathered.is_empty() {
            return;
        }
        match &mut self.reader {
            Reader::Video(..) => self.pictures(ended, false, shared),
            Reader::Audio(..) => self.frames(ended, shared),
            Reader::Id3 => {
                if ended {
                    let bytes = self.gathered.split().freeze();
                    let pts = self.marks.first().and_then(|mark| mark.times);
                    let pts = pts.map(|(pts, _)| pts).or(shared.clock.newest).unwrap_or(0);
                    self.marks.clear();
                    shared.events.push_back(timed(pts, Scheme::Id3, bytes));
                }
            }
            Reader::Scte35(_) | Reader::Nothing => self.clear(),
        }
    }
}

/// How a stream is to be read.
#[derive(Debug)]
pub(super) enum NewReader {
    Video { hevc: bool },
    Audio(Framer),
    Id3,
    Scte35,
}

fn timed(pts: i64, scheme: Scheme, bytes: Bytes) -> Event {
    Event::Timed(Arc::new(TimedMetadata {
        pts,
        duration: None,
        scheme,
        bytes,
    }))
}
