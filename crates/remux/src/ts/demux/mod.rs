//! MPEG-TS demuxer: packets in, access units out.
//!
//! ```text
//! bytes ─▶ sync: packets of 188, 192 or 204 bytes
//!            ├─ PID 0 ─▶ section ─▶ tables: programs
//!            ├─ PIDs of maps ─▶ section ─▶ tables: streams of a program
//!            └─ PIDs of the chosen program ─▶ stream: PES ─▶ video | audio | metadata ─▶ events
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
mod pes;
mod section;
mod stream;
mod sync;
mod tables;
mod video;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use media::{Codec, Timescale, Track, TrackId, TrackKind, TrackList, Unconfigured};

use self::audio::Framer;
use self::clock::Clock;
use self::latm::Latm;
use self::section::Sections;
use self::stream::{Arrival, NewReader, Shared, Stream};
use self::sync::Found;
use self::tables::Map;
pub use self::tables::{Content, Program, ProgramStream};
use super::packet::PACKET_LEN;
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

/// What a PID is; indices fit because of [`MAX_SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Unknown,
    Pat,
    Map(u8),
    Stream(u8),
}

/// Indices that a [`Slot`] holds.
const MAX_SLOTS: usize = 256;

/// Sections of one PID, and the last one that was read.
#[derive(Debug, Default)]
struct Table {
    sections: Sections,
    continuity: Option<u8>,
    last: Vec<u8>,
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
            self.maps.iter_mut().for_each(|map| map.last.clear());
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
            table.continuity = None;
            table.sections.reset();
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

    /// The input ends within a packet: it costs the unit that it belongs to.
    fn cut_off_packet(&mut self, end: u64) {
        let pid = match self.carry.get(1..3) {
            Some(&[high, low]) => Some(u16::from_be_bytes([high & 0x1f, low])),
            _ => None,
        };
        let slot = pid.map(|pid| self.slot(pid));
        match slot {
            Some(Slot::Stream(index)) => {
                if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                    stream.lose(end, "the last packet is cut off", &mut self.shared);
                }
            }
            _ => self
                .shared
                .damage(self.offset..end, None, "the last packet is cut off"),
        }
    }

    /// Looks for packets; whether there is something to read.
    #[cold]
    fn search(&mut self) -> bool {
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(&self.input);
            self.input = self.carry.split().freeze();
        }
        let from = *self.garbage_from.get_or_insert(self.offset);
        let found = sync::find(&self.input, self.distance, self.ended);
        let (skipped, is_found) = match found {
            Found::At { at, distance } => {
                self.distance = Some(distance);
                (at, true)
            }
            Found::NotBefore(at) => (at, false),
        };
        self.input.advance(skipped);
        self.offset += skipped as u64;
        // The last look: nothing more can be found.
        let rest = if self.ended && !is_found {
            self.input.len() as u64
        } else {
            0
        };
        let end = self.offset + rest;
        if self.distance.is_none()
            && (end - from > self.limits.probe_bytes || rest > 0 || self.ended && end > 0)
        {
            self.not_ts = Some(NotTs { searched: end });
            self.input = Bytes::new();
            return false;
        }
        // A time code comes before its packet's sync byte.
        let time_code = if self.distance == Some(192) { 4 } else { 0 };
        if (is_found || self.ended) && end > from + time_code {
            self.shared
                .damage(from..end - time_code, None, "no MPEG-TS packets");
        }
        self.locked = is_found;
        if is_found {
            self.garbage_from = None;
            self.gap = 0;
        } else {
            if self.ended {
                self.garbage_from = Some(end);
                self.offset = end;
                self.input = Bytes::new();
            }
            self.carry = BytesMut::from(&self.input[..]);
            self.input = Bytes::new();
        }
        is_found
    }

    /// Reads packets up to the first event; false when more input is needed.
    fn packets(&mut self) -> bool {
        let distance = self.distance.unwrap_or(PACKET_LEN);
        let mut input = std::mem::take(&mut self.input);
        if !self.carry.is_empty() {
            let missing = PACKET_LEN - self.carry.len();
            self.carry
                .extend_from_slice(&input.split_to(missing.min(input.len())));
            let Some(&packet) = self.carry.first_chunk::<PACKET_LEN>() else {
                return false;
            };
            self.carry.clear();
            // Its sync byte was looked at when the rest was kept.
            self.packet(&packet, self.offset);
            self.offset += PACKET_LEN as u64;
            self.gap = distance - PACKET_LEN;
        }
        let mut rest = &input[..];
        let goes_on = loop {
            if self.gap > 0 {
                let skip = self.gap.min(rest.len());
                rest = rest.get(skip..).unwrap_or_default();
                self.gap -= skip;
                self.offset += skip as u64;
            }
            if !self.shared.events.is_empty() {
                break true;
            }
            let Some((packet, behind)) = rest.split_first_chunk::<PACKET_LEN>() else {
                break false;
            };
            if packet.first() != Some(&0x47) {
                self.locked = false;
                break true;
            }
            self.packet(packet, self.offset);
            rest = behind;
            self.offset += PACKET_LEN as u64;
            self.gap = distance - PACKET_LEN;
        };
        let left = rest.len();
        input.advance(input.len() - left);
        if goes_on {
            self.input = input;
            return true;
        }
        match input.first() {
            // What is kept begins with a sync byte.
            Some(&byte) if byte != 0x47 => {
                self.locked = false;
                self.input = input;
                true
            }
            _ => {
                self.carry.extend_from_slice(&input);
                false
            }
        }
    }

    fn slot(&self, pid: u16) -> Slot {
        self.pids
            .get(usize::from(pid))
            .copied()
            .unwrap_or(Slot::Unknown)
    }

    /// One TS packet (ISO/IEC 13818-1 §2.4.3.2).
    #[inline]
    fn packet(&mut self, packet: &[u8; PACKET_LEN], offset: u64) {
        let [_, high, low, control, rest @ ..] = packet;
        let slot = self.slot(u16::from_be_bytes([high & 0x1f, *low]));
        if slot == Slot::Unknown {
            return;
        }
        let end = offset + PACKET_LEN as u64;
        if high & 0x80 != 0 {
            let what = "a packet is marked as damaged";
            self.shared.damage(offset..end, None, what);
            return;
        }
        let mut arrival = Arrival {
            offset,
            end,
            starts: high & 0x40 != 0,
            continuity: control & 0x0f,
            scrambled: control & 0xc0 != 0,
            breaks: false,
        };
        let mut payload = &rest[..];
        if control & 0x20 != 0 {
            let Some((&len, behind)) = payload.split_first() else {
                return;
            };
            // Longer than the packet: nothing of it can be believed.
            let Some((field, behind)) = behind.split_at_checked(len.into()) else {
                self.shared.damage(
                    offset..end,
                    None,
                    "an adaptation field longer than its packet",
                );
                return;
            };
            arrival.breaks = field.first().is_some_and(|flags| flags & 0x80 != 0);
            payload = behind;
        }
        match slot {
            Slot::Stream(index) => {
                if arrival.breaks {
                    arrival.breaks = self.break_at(index, arrival);
                }
                if control & 0x10 == 0 {
                    return;
                }
                if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                    stream.packet(arrival, payload, &mut self.shared);
                }
            }
            _ if control & 0x10 == 0 || arrival.scrambled => {}
            Slot::Pat => self.pat(arrival, payload),
            Slot::Map(index) => self.map(index.into(), arrival, payload),
            Slot::Unknown => {}
        }
    }

    /// A stream's `discontinuity_indicator` (§2.4.3.5). The first of the program's streams tells of
    /// it; the others, which follow, only take note. Before it, what is open ends. False when the
    /// packet is the last one again.
    #[cold]
    fn break_at(&mut self, index: u8, arrival: Arrival) -> bool {
        let Some(stream) = self.streams.get_mut(usize::from(index)) else {
            return true;
        };
        if stream.repeats_break(arrival.continuity) {
            return false;
        }
        // A stream that was not there before has nothing to continue.
        if stream.breaks < self.breaks || stream.is_fresh {
            stream.breaks = self.breaks;
            return true;
        }
        self.breaks += 1;
        stream.breaks = self.breaks;
        self.flush(arrival.offset);
        for stream in &mut self.streams {
            stream.forget_time();
        }
        // Some muxers mark the first packets of a file.
        if self.shared.clock.newest.is_some() {
            self.shared.events.push_back(Event::Discontinuity);
        }
        true
    }

    fn pat(&mut self, arrival: Arrival, payload: &[u8]) {
        let mut changed = Vec::new();
        let sound = self.pat.push(arrival, payload, |section, body| {
            changed.extend(tables::associations(section, body));
        });
        if !sound {
            let range = arrival.offset..arrival.end;
            self.shared.damage(
                range,
                None,
                "a program association table with a wrong checksum",
            );
        }
        for (section, associations) in changed {
            self.associate(section, &associations);
        }
    }

    /// Takes a section of the PAT: the first one begins the list anew.
    fn associate(&mut self, section: u8, associations: &[(u16, u16)]) {
        let (mut programs, mut maps) = if section == 0 {
            (Vec::new(), Vec::new())
        } else {
            (
                std::mem::take(&mut self.programs),
                std::mem::take(&mut self.maps),
            )
        };
        for &(number, map_pid) in associations {
            if programs.len() >= self.limits.programs {
                break;
            }
            let is_new = |p: &Program| p.number != number && p.map_pid != map_pid;
            if map_pid == 0 || !programs.iter().all(is_new) {
                continue;
            }
            let known = self.programs.iter().zip(&mut self.maps);
            let same = |(p, _): &(&Program, &mut Table)| p.number == number && p.map_pid == map_pid;
            match known.into_iter().find(same) {
                Some((program, map)) => {
                    programs.push(program.clone());
                    maps.push(std::mem::take(map));
                }
                None => {
                    programs.push(Program {
                        number,
                        map_pid,
                        pcr_pid: None,
                        streams: Vec::new(),
                    });
                    maps.push(Table::default());
                }
            }
        }
        (self.programs, self.maps) = (programs, maps);
        if self
            .chosen
            .is_some_and(|chosen| self.programs.iter().all(|p| p.number != chosen))
        {
            // Its number changed: the next map with media is read, the streams go on until then.
            self.chosen = None;
            self.maps.iter_mut().for_each(|map| map.last.clear());
        }
        self.assign_pids();
    }

    /// Rebuilds the table of PIDs.
    fn assign_pids(&mut self) {
        self.pids.fill(Slot::Unknown);
        let streams = self.streams.iter().map(|stream| stream.pid).enumerate();
        let streams = streams.map(|(n, pid)| (pid, u8::try_from(n).map(Slot::Stream)));
        let maps = self
            .programs
            .iter()
            .map(|program| program.map_pid)
            .enumerate();
        let maps = maps.map(|(n, pid)| (pid, u8::try_from(n).map(Slot::Map)));
        for (pid, slot) in streams.chain(maps).chain([(0, Ok(Slot::Pat))]) {
            if let (Some(place), Ok(slot)) = (self.pids.get_mut(usize::from(pid)), slot) {
                *place = slot;
            }
        }
    }

    fn map(&mut self, index: usize, arrival: Arrival, payload: &[u8]) {
        let max = self.limits.streams;
        let mut found = Vec::new();
        let Some(table) = self.maps.get_mut(index) else {
            return;
        };
        let sound = table.push(arrival, payload, |section, body| {
            found.extend(tables::map(section, body, max));
        });
        if !sound {
            let range = arrival.offset..arrival.end;
            self.shared
                .damage(range, None, "a program map with a wrong checksum");
        }
        for map in found {
            let Some(program) = self
                .programs
                .get_mut(index)
                .filter(|p| p.number == map.number)
            else {
                continue;
            };
            program.pcr_pid = Some(map.pcr_pid);
            program.streams = map.streams.iter().map(|entry| entry.stream).collect();
            let has_media = program.streams.iter().any(|s| s.content.codec().is_some());
            let is_chosen = match (self.chosen, self.wanted) {
                (Some(chosen), _) => chosen == map.number,
                (None, Some(wanted)) => wanted == map.number,
                (None, None) => has_media,
            };
            if is_chosen {
                self.chosen = Some(map.number);
                self.follow(&map, arrival.offset);
            }
        }
    }

    /// Reads the streams of this map from now on. Streams that go on keep their state, new ones get
    /// the lowest track number of their kind that is free.
    fn follow(&mut self, map: &Map, offset: u64) {
        let mut before = std::mem::take(&mut self.streams);
        let left_out_before = std::mem::take(&mut self.shared.left_out);
        let mut streams: Vec<Stream> = Vec::new();
        let mut tracks: Vec<Arc<Track>> = Vec::new();
        // What goes on is known first, so that new tracks do not take its numbers.
        let stays = |stream: &Stream| {
            map.streams.iter().any(|entry| {
                let key = (entry.stream.stream_type, entry.opus_channels);
                entry.stream.pid == stream.pid && key == stream.map_entry
            })
        };
        let mut taken: Vec<TrackId> = before
            .iter()
            .filter(|stream| stays(stream))
            .filter_map(|stream| stream.track.map(|(id, _)| id))
            .collect();
        for entry in &map.streams {
            let pid = entry.stream.pid;
            if pid == 0 || pid == 0x1fff || streams.iter().any(|stream| stream.pid == pid) {
                continue;
            }
            let known = before.iter().position(|s| s.pid == pid && stays(s));
            let stream = match known {
                Some(at) => before.swap_remove(at),
                None => {
                    let Some((reader, codec)) = reader(entry) else {
                        if let Some((codec, what)) = entry.stream.unread() {
                            let track = free_id(codec.kind(), &mut taken);
                            let reason = format!("PID {pid:#x} has {what}, which is not read");
                            self.shared.left_out.push(LeftOut {
                                track,
                                codec,
                                reason,
                            });
                        }
                        continue;
                    };
                    let track = codec.map(|codec| (free_id(codec.kind(), &mut taken), codec));
                    let key = (entry.stream.stream_type, entry.opus_channels);
                    let mut stream = Stream::new(pid, track, key, reader);
                    stream.breaks = self.breaks;
                    stream
                }
            };
            if let Some((id, codec)) = stream.track {
                let left_out = left_out_before.iter().find(|left| left.track == id);
                if let Some(left_out) = left_out.filter(|_| known.is_some()) {
                    self.shared.left_out.push(left_out.clone());
                    streams.push(stream);
                    continue;
                }
                let known = self
                    .shared
                    .tracks
                    .get(id)
                    .filter(|t| known.is_some() && t.codec == codec);
                tracks.push(known.cloned().unwrap_or_else(|| {
                    Arc::new(Track {
                        id,
                        codec,
                        timescale: Timescale::NINETY_KHZ,
                        config: Err(Unconfigured::Missing),
                        flv_body: None,
                    })
                }));
            }
            streams.push(stream);
        }
        for stream in &mut before {
            stream.flush(offset, &mut self.shared);
        }
        self.streams = streams;
        self.assign_pids();
        let tracks = TrackList::new(tracks);
        let same = tracks.len() == self.shared.tracks.len()
            && tracks
                .iter()
                .zip(self.shared.tracks.iter())
                .all(|(a, b)| a.id == b.id && a.same_configuration(b));
        if !same {
            self.shared.tracks = Arc::new(tracks);
            let tracks = Arc::clone(&self.shared.tracks);
            self.shared.events.push_back(Event::Tracks(tracks));
        }
    }
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Table {
    /// Takes a packet's payload and gives each sound section that differs from the last; false when
    /// one has a wrong checksum.
    fn push(
        &mut self,
        arrival: Arrival,
        payload: &[u8],
        mut found: impl FnMut(&[u8], &[u8]),
    ) -> bool {
        let expected = self.continuity.map(|last| last.wrapping_add(1) & 0x0f);
        if self.continuity == Some(arrival.continuity) && !arrival.breaks {
            return true;
        }
        if expected.is_some_and(|expected| expected != arrival.continuity) {
            self.sections.reset();
        }
        self.continuity = Some(arrival.continuity);
        let mut sound = true;
        let last = &mut self.last;
        self.sections.push(payload, arrival.starts, |section| {
            if *last == section {
                return;
            }
            match section::checked(section) {
                Some(body) => {
                    found(section, body);
                    last.clear();
                    last.extend_from_slice(section);
                }
                None => sound = false,
            }
        });
        sound
    }
}

/// How to read a stream, and its codec when it is a track; `None`: not at all.
fn reader(entry: &tables::MapStream) -> Option<(NewReader, Option<Codec>)> {
    Some(match entry.stream.content {
        Content::Media(codec @ (Codec::H264 | Codec::H265)) => {
            let hevc = codec == Codec::H265;
            (NewReader::Video { hevc }, Some(codec))
        }
        Content::Media(codec) => {
            let framer = Framer::new(codec, entry.opus_channels)?;
            (NewReader::Audio(framer), Some(codec))
        }
        Content::Latm => {
            let framer = Framer::Latm(Box::<Latm>::default());
            (NewReader::Audio(framer), Some(Codec::Aac))
        }
        Content::Id3 => (NewReader::Id3, None),
        Content::Scte35 => (NewReader::Scte35, None),
        Content::Other | Content::Encrypted => return None,
    })
}

/// The lowest free track number of a kind: even for video, odd for audio.
fn free_id(kind: TrackKind, taken: &mut Vec<TrackId>) -> TrackId {
    let first = u16::from(kind == TrackKind::Audio);
    let ids = (first..u16::MAX).step_by(2).map(TrackId);
    let id = ids
        .into_iter()
        .find(|id| !taken.contains(id))
        .unwrap_or(TrackId(u16::MAX));
    taken.push(id);
    id
}
