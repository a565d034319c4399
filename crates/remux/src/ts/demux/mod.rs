//! MPEG-TS demuxer: packets in, access units out.
//!
//! ```text
//! bytes ─▶ packets, by sync: of 188, 192 or 204 bytes
//!            ├─ PID 0 ─▶ section ─▶ tables ─▶ programs
//!            ├─ PIDs of maps ─▶ section ─▶ tables ─▶ programs: the streams of the chosen one
//!            └─ PIDs of its streams ─▶ stream: pes ─▶ pictures, by video | frames, by audio | metadata
//!                                                        └─▶ shared: events, tracks, clock
//! ```
//!
//! Payload is copied once, from the packets into a place of the unit's own; see [`video`] for how
//! NAL units get their lengths there. Small units share an allocation.
//!
//! Tracks have the 90 kHz clock of the container. All streams of a program are unwrapped from 33 bits
//! together; the first time is taken as it is. Video tracks have even ids from 0, audio tracks odd
//! ones, in the order of the program map: as FLV's tracks have.
//!
//! Units come in the order in which they end; a video unit ends where the next begins, so audio that
//! was written behind it comes before it.
//!
//! Deliberately absent: constant delay (T-STD), the PCR (its discontinuities are told), teletext,
//! subtitles, MPEG-2 video, AV1.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod audio;
mod clock;
mod latm;
mod packets;
mod pes;
mod programs;
mod section;
mod shared;
mod stream;
mod sync;
mod tables;
mod video;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::TrackList;

use self::clock::Clock;
use self::programs::{MAX_SLOTS, Slot};
use self::section::Table;
pub(crate) use self::section::crc32;
use self::shared::Shared;
use self::stream::Stream;
pub use self::tables::{Content, Program, ProgramStream};
use crate::{Event, LeftOut};

/// Bounds on what an input may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one unit, or of a PES packet. Threat: a PES packet without length that never ends
    /// is gathered. 4K key frames have 1–4 MiB.
    pub unit_bytes: usize,
    /// Programs that are listed. Threat: a PAT names 253 a section in 256 sections, and each costs
    /// a table and a buffer.
    pub programs: usize,
    /// Streams of a program that are read. Threat: a map names 200, and each costs a buffer.
    pub streams: usize,
    /// Bytes in which the first packets must be found. Threat: a file of another kind is searched
    /// to its end.
    pub probe_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unit_bytes: 16 << 20,
            programs: 64,
            streams: 32,
            probe_bytes: 1 << 20,
        }
    }
}

/// The input is not MPEG-TS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not MPEG-TS: no packets of 188, 192 or 204 bytes in the first {searched} bytes")]
pub struct NotTs {
    /// How many bytes were searched.
    pub searched: u64,
}

/// Reads one program of an MPEG-TS stream.
///
/// # Contract
/// [`push`](Self::push) input, then [`poll`](Self::poll) until it gives `None`; at the end
/// [`finish`](Self::finish), and poll again. Any split of the input gives the same events. The only
/// error is [`NotTs`], which stays; whatever else is wrong with the input is an [`Event::Damage`],
/// and reading goes on behind it.
///
/// The program map announces all tracks at once, without configuration
/// ([`media::Unconfigured::Missing`]); each is announced again when its configuration is found,
/// before the unit that brings it.
#[derive(Debug)]
pub struct Demuxer {
    limits: Limits,
    shared: Shared,
    /// Input not yet looked at; a packet that straddles two pushes begins in `carry`.
    input: Bytes,
    carry: BytesMut,
    /// Bytes to pass over before the next packet: time code or parity.
    gap: usize,
    /// Place of the next byte of `carry` and `input` together.
    offset: u64,
    /// Distance of packets, once found.
    distance: Option<usize>,
    /// The next packet is where the last ended.
    locked: bool,
    /// Where packets were lost.
    garbage_from: Option<u64>,
    ended: bool,
    not_ts: Option<NotTs>,
    /// What each PID is.
    pids: Box<[Slot; 1 << 13]>,
    pat: Table,
    /// Programs with the sections of their maps.
    programs: Vec<Program>,
    maps: Vec<Table>,
    /// The program that was asked for.
    wanted: Option<u16>,
    chosen: Option<u16>,
    streams: Vec<Stream>,
    breaks: u32,
}

impl Demuxer {
    /// A demuxer at the start of a stream, that will read the first program whose map has media.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut pids = Box::new([Slot::Unknown; 1 << 13]);
        if let Some(pat) = pids.first_mut() {
            *pat = Slot::Pat;
        }
        Self {
            limits: Limits {
                programs: limits.programs.min(MAX_SLOTS),
                streams: limits.streams.min(MAX_SLOTS),
                ..limits
            },
            shared: Shared {
                events: VecDeque::new(),
                tracks: Arc::default(),
                left_out: Vec::new(),
                clock: Clock::default(),
                unit_bytes: limits.unit_bytes,
            },
            input: Bytes::new(),
            carry: BytesMut::new(),
            gap: 0,
            offset: 0,
            distance: None,
            locked: false,
            garbage_from: None,
            ended: false,
            not_ts: None,
            pids,
            pat: Table::default(),
            programs: Vec::new(),
            maps: Vec::new(),
            wanted: None,
            chosen: None,
            streams: Vec::new(),
            breaks: 0,
        }
    }

    /// Reads the program of this number and no other. To be called before the first push; what was
    /// read of another program is forgotten.
    pub fn select(&mut self, program: u16) {
        self.wanted = Some(program);
        if self.chosen != Some(program) {
            self.chosen = None;
            self.maps.iter_mut().for_each(Table::forget_last);
        }
    }

    /// The programs that were found so far, and what they consist of.
    #[must_use]
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The number of the program that is read.
    #[must_use]
    pub fn program(&self) -> Option<u16> {
        self.chosen
    }

    /// The tracks that were found so far.
    #[must_use]
    pub fn tracks(&self) -> &Arc<TrackList> {
        &self.shared.tracks
    }

    /// Audio and video of the program that is not read, and why; each is named once and keeps its id.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.shared.left_out
    }

    /// Bytes of a packet with time code or parity: 188, 192 or 204; `None` before the first was found.
    #[must_use]
    pub fn packet_size(&self) -> Option<usize> {
        self.distance
    }

    /// Takes the next bytes.
    pub fn push(&mut self, input: Bytes) {
        if self.input.is_empty() {
            self.input = input;
        } else if !input.is_empty() {
            let mut joined = BytesMut::with_capacity(self.input.len() + input.len());
            joined.extend_from_slice(&self.input);
            joined.extend_from_slice(&input);
            self.input = joined.freeze();
        }
    }

    /// The next event; `None`: needs more input.
    ///
    /// # Errors
    /// [`NotTs`], again at each call.
    pub fn poll(&mut self) -> Result<Option<Event>, NotTs> {
        loop {
            if let Some(event) = self.shared.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = &self.not_ts {
                return Err(error.clone());
            }
            let goes_on = if self.locked {
                self.packets()
            } else {
                self.search()
            };
            if !goes_on && self.shared.events.is_empty() {
                return match &self.not_ts {
                    Some(error) => Err(error.clone()),
                    None => Ok(None),
                };
            }
        }
    }

    /// No more input comes: units that are open are told by the next polls.
    pub fn finish(&mut self) {
        if !self.ended {
            self.ended = true;
            self.end_input();
        }
    }

    /// Between two files of one timeline, as HLS segments are: units that are open end here, and
    /// continuity counters start anew.
    pub fn boundary(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.end_input();
        self.ended = false;
        self.garbage_from = None;
        for stream in &mut self.streams {
            stream.forget_continuity();
        }
        for table in self.maps.iter_mut().chain([&mut self.pat]) {
            table.forget_continuity();
        }
    }

    /// Reads what is left of the input, then ends the units that are open.
    fn end_input(&mut self) {
        // Events stay in order: the rest is looked at before the streams are flushed.
        let mut events = VecDeque::new();
        while let Ok(Some(event)) = self.poll() {
            events.push_back(event);
        }
        self.shared.events = events;
        if self.not_ts.is_some() {
            return;
        }
        let end = self.offset + self.carry.len() as u64;
        if self.locked && !self.carry.is_empty() {
            self.cut_off_packet(end);
            self.locked = false;
        }
        self.offset = end;
        self.carry.clear();
        self.flush(end);
    }

    /// Between two files whose timelines have nothing to do with each other: a
    /// [`boundary`](Self::boundary) and an [`Event::Discontinuity`].
    pub fn discontinuity(&mut self) {
        self.boundary();
        self.breaks += 1;
        for stream in &mut self.streams {
            stream.breaks = self.breaks;
            stream.is_fresh = true;
            stream.forget_time();
        }
        self.shared.events.push_back(Event::Discontinuity);
    }

    fn flush(&mut self, end: u64) {
        for stream in &mut self.streams {
            stream.flush(end, &mut self.shared);
        }
    }
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}
