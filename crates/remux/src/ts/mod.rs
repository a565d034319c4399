//! MPEG-TS (ISO/IEC 13818-1): [`Demuxer`] and [`Muxer`]. The demuxer is described in `demux`, the
//! muxer here: access units in, 188-byte packets out.
//!
//! ```text
//! tables()  ─▶ PAT | PMT
//! unit()    ─▶ first packet: random access, PCR | … | last packet: stuffing   (one PES packet)
//! ```
//!
//! One program. A track's PID is `0x100 +` its id and stays the same for the life of the muxer.
//! Every access unit is one PES packet with its own exact time; its bytes are copied once, from
//! the unit into the packets. Times are the unit's own at 90 kHz, modulo 2^33, with no offset
//! added: PTS and DTS of a millisecond clock are exact, negative ones too.
//!
//! The program clock reference runs [`PCR_LEAD`] before the DTS of the first video track (of the
//! first audio track when there is no video) and is on each of its units; while video pauses,
//! audio units bring packets with a PCR alone, so that it comes at least every 100 ms of media.
//!
//! ID3 tags are carried as timed metadata, and splice information (SCTE 35) in its sections, each on a
//! PID below those of the tracks, when asked for.
//!
//! Deliberately absent: constant bit rate, null packets, service information.

mod demux;
mod framing;
mod packet;
mod pes;
mod psi;
#[cfg(test)]
mod tests;

pub(crate) use self::demux::crc32;
pub use self::demux::{Content, Demuxer, Limits, NotTs, Program, ProgramStream};

use bytes::BytesMut;
use media::{AccessUnit, Rounding, Timescale, TrackId, TrackKind, TrackList};
use mpeg2ts::es::StreamType;

use self::framing::Carriage;
use self::packet::{Adaptation, Packetiser};
use self::psi::{Entry, Tables};
use crate::{LeftOut, Scheme, TimedMetadata};

/// PID of track 0.
const FIRST_PID: u16 = 0x100;
/// PID of timed metadata.
const METADATA_PID: u16 = 0xff;
/// PID of splice information.
const SPLICE_PID: u16 = 0xfe;
/// How far the PCR runs before the DTS, in ticks of 90 kHz: 500 ms. More than senders interleave
/// audio and video apart, so that no unit comes after its decode time.
pub const PCR_LEAD: i64 = 45_000;
/// After this time without a PCR an audio unit brings one, in ticks of 90 kHz: 70 ms, so that with
/// audio frames up to 30 ms none comes later than 100 ms after the last (§2.7.2).
const PCR_DUE: i64 = 6_300;
/// A backwards step from here on, in ticks of 90 kHz, is a new clock and not interleaving: 1 s.
const PCR_RESTART: i64 = 90_000;

/// Why an access unit was not written; nothing of it was appended and the stream goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A NAL unit's length prefix runs past the end of the access unit.
    #[error("{track:?}: NAL unit length runs past the access unit at byte {offset}")]
    NalLength {
        /// Which track.
        track: TrackId,
        /// Byte offset of the length prefix in the access unit.
        offset: usize,
    },
    /// An audio frame longer than its framing can say.
    #[error("{track:?}: audio frame has {len} bytes, more than {max}")]
    FrameTooLong {
        /// Which track.
        track: TrackId,
        /// Bytes of the frame.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// Timed metadata longer than a PES packet of known length.
    #[error("timed metadata has {len} bytes, more than {max}")]
    MetadataTooLong {
        /// Its bytes.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
}

/// Writes one program of H.264, HEVC and audio tracks.
///
/// Contract: [`Muxer::tables`] first, and again at each point where a reader may join;
/// [`Muxer::unit`] in arrival order. Continuity counters run on over everything. An error costs
/// its unit only.
#[derive(Debug)]
pub struct Muxer {
    streams: Vec<Stream>,
    /// Index of the stream that carries the PCR.
    clock: Option<usize>,
    /// DTS at 90 kHz of the unit with the latest PCR; `None` at the start and after a break.
    last_pcr: Option<i64>,
    tables: Option<Tables>,
    /// Continuity counter of the next packet of timed metadata, and whether it says
    /// `discontinuity_indicator`; `None`: not carried.
    metadata: Option<(u8, bool)>,
    /// Continuity counter of the next packet of splice information; `None`: not carried.
    splices: Option<u8>,
}

#[derive(Debug)]
struct Stream {
    track: TrackId,
    kind: TrackKind,
    clock: TrackClock,
    pid: u16,
    stream_id: u8,
    carriage: Carriage,
    /// Continuity counter of the next packet.
    continuity: u8,
    /// The next packet says `discontinuity_indicator`.
    discontinuity: bool,
}

/// A track's clock.
#[derive(Clone, Copy, Debug)]
struct TrackClock {
    timescale: Timescale,
    /// Ticks of 90 kHz in one of its own, when that is a whole number, as for milliseconds: no
    /// division then.
    factor: Option<i64>,
}

impl Muxer {
    /// A muxer of the tracks that MPEG-TS can carry; the others come back with the reason.
    #[must_use]
    pub fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let mut muxer = Self {
            streams: Vec::new(),
            clock: None,
            last_pcr: None,
            tables: None,
            metadata: None,
            splices: None,
        };
        let left_out = muxer.set_tracks(tracks);
        muxer
            .streams
            .iter_mut()
            .for_each(|s| s.discontinuity = false);
        (muxer, left_out)
    }

    /// Takes a changed track list and keeps PIDs and continuity counters, so that the output can
    /// go on in the same stream; the program map gets the next version number. Call
    /// [`Muxer::tables`] before the next unit.
    pub fn set_tracks(&mut self, tracks: &TrackList) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        for track in tracks.iter() {
            let result = pid_of(track.id).and_then(|pid| Ok((pid, Carriage::of(track)?)));
            match result {
                Ok((pid, carriage)) => {
                    let before = self.streams.iter().find(|stream| stream.pid == pid);
                    let same_kind = streams.iter().filter(|s| s.kind == track.kind()).count();
                    streams.push(Stream {
                        track: track.id,
                        kind: track.kind(),
                        clock: TrackClock::new(track.timescale),
                        pid,
                        stream_id: stream_id(carriage.stream_id, same_kind),
                        carriage,
                        continuity: before.map_or(0, |stream| stream.continuity),
                        // A PID that was away may come back with another counter.
                        discontinuity: before.is_none_or(|stream| stream.discontinuity),
                    });
                }
                Err(reason) => left_out.push(LeftOut {
                    track: track.id,
                    codec: track.codec,
                    reason,
                }),
            }
        }
        while !self.build_tables(&streams) {
            let Some(last) = streams.pop() else { break };
            left_out.extend(tracks.get(last.track).map(|track| LeftOut {
                track: track.id,
                codec: track.codec,
                reason: "the MPEG-TS program map is full".to_owned(),
            }));
        }
        self.clock = clock_of(&streams);
        self.streams = streams;
        left_out
    }

    /// Whether no track is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether units of this track are written.
    #[must_use]
    pub fn carries(&self, id: TrackId) -> bool {
        self.streams.iter().any(|stream| stream.track == id)
    }

    /// Appends PAT and PMT: two packets, at each segment start and, in an endless stream, every
    /// 100 ms and before random access units.
    pub fn tables(&mut self, out: &mut BytesMut) {
        if let Some(tables) = &mut self.tables {
            tables.put(out);
        }
    }

    /// Appends the packets of one access unit; units of tracks not carried, and empty ones, append
    /// nothing.
    ///
    /// # Errors
    /// [`Error`]: nothing was appended; the next unit can follow.
    pub fn unit(&mut self, unit: &AccessUnit, out: &mut BytesMut) -> Result<(), Error> {
        let Some(index) = self.streams.iter().position(|s| s.track == unit.track) else {
            return Ok(());
        };
        let Some(stream) = self.streams.get(index) else {
            return Ok(());
        };
        let plan = stream.carriage.framing.plan(unit)?;
        if plan.len == 0 {
            return Ok(());
        }
        if self.clock != Some(index) {
            self.pcr_if_due(index, unit, out);
        }
        let Some(stream) = self.streams.get_mut(index) else {
            return Ok(());
        };
        let dts = stream.clock.at_90_khz(unit.dts.0);
        let pts = stream.clock.at_90_khz(unit.pts().0);
        let pcr = (self.clock == Some(index) && advances(self.last_pcr, dts)).then(|| {
            self.last_pcr = Some(dts);
            dts.saturating_sub(PCR_LEAD)
        });
        let bounded = (stream.kind == TrackKind::Audio).then_some(plan.len);
        let header = pes::Header::new(stream.stream_id, bounded, pts, dts);
        let mut packets = Packetiser::begin(
            out,
            stream.pid,
            &mut stream.continuity,
            Adaptation {
                discontinuity: std::mem::take(&mut stream.discontinuity),
                random_access: unit.is_random_access(),
                pcr,
            },
            header,
            plan.len,
        );
        let framing = &stream.carriage.framing;
        framing.put(plan, &unit.payload, &mut packets);
        Ok(())
    }

    /// Announces a stream of timed metadata (ID3, as HTTP Live Streaming has it) from the next
    /// [`Muxer::tables`] on; whether the program map has room for it.
    pub fn carry_metadata(&mut self) -> bool {
        if self.metadata.is_none() {
            self.metadata = Some((0, false));
            let streams = std::mem::take(&mut self.streams);
            if !self.build_tables(&streams) {
                self.metadata = None;
            }
            self.streams = streams;
        }
        self.metadata.is_some()
    }

    /// Announces a stream of splice information (SCTE 35) likewise.
    pub fn carry_splices(&mut self) -> bool {
        if self.splices.is_none() {
            self.splices = Some(0);
            let streams = std::mem::take(&mut self.streams);
            if !self.build_tables(&streams) {
                self.splices = None;
            }
            self.streams = streams;
        }
        self.splices.is_some()
    }

    /// Appends the packets of one ID3 tag, or of one splice information section. What is of another
    /// scheme appends nothing, and so does what was not announced ([`Muxer::carry_metadata`],
    /// [`Muxer::carry_splices`]).
    ///
    /// # Errors
    /// [`Error::MetadataTooLong`]: nothing was appended.
    pub fn timed(&mut self, timed: &TimedMetadata, out: &mut BytesMut) -> Result<(), Error> {
        let (continuity, discontinuity) = match (&timed.scheme, &mut self.metadata) {
            (Scheme::Id3, Some((continuity, discontinuity))) => (continuity, discontinuity),
            (Scheme::Scte35, _) => {
                if let Some(continuity) = &mut self.splices {
                    packet::put_section(out, SPLICE_PID, continuity, &timed.bytes);
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        let len = timed.bytes.len();
        if len > pes::MAX_BOUNDED {
            let max = pes::MAX_BOUNDED;
            return Err(Error::MetadataTooLong { len, max });
        }
        if len == 0 {
            return Ok(());
        }
        let header = pes::Header::new(pes::PRIVATE_1, Some(len), timed.pts, timed.pts);
        let adaptation = Adaptation {
            discontinuity: std::mem::take(discontinuity),
            ..Adaptation::default()
        };
        let mut packets = Packetiser::begin(out, METADATA_PID, continuity, adaptation, header, len);
        packets.put(&timed.bytes);
        Ok(())
    }

    /// Marks the next packet of every elementary stream with `discontinuity_indicator`, and lets
    /// the PCR start anew.
    pub fn discontinuity(&mut self) {
        self.last_pcr = None;
        for stream in &mut self.streams {
            stream.discontinuity = true;
        }
        if let Some((_, discontinuity)) = &mut self.metadata {
            *discontinuity = true;
        }
    }

    /// A packet with a PCR alone, before a unit of another stream, when the last one is long ago.
    fn pcr_if_due(&mut self, index: usize, unit: &AccessUnit, out: &mut BytesMut) {
        let (Some(last), Some(clock), Some(stream)) = (
            self.last_pcr,
            self.clock.and_then(|clock| self.streams.get(clock)),
            self.streams.get(index),
        ) else {
            return;
        };
        let dts = stream.clock.at_90_khz(unit.dts.0);
        if dts.saturating_sub(last) > PCR_DUE {
            packet::put_pcr_only(
                out,
                clock.pid,
                clock.continuity,
                dts.saturating_sub(PCR_LEAD),
            );
            self.last_pcr = Some(dts);
        }
    }

    /// Rebuilds PAT and PMT; false when the streams do not fit.
    fn build_tables(&mut self, streams: &[Stream]) -> bool {
        let asides = self.metadata.is_some() || self.splices.is_some();
        if streams.is_empty() && !asides && self.tables.is_none() {
            return true;
        }
        let entries: Vec<Entry> = streams
            .iter()
            .map(|stream| Entry {
                stream_type: stream.carriage.stream_type,
                pid: stream.pid,
                descriptors: stream.carriage.descriptors.clone(),
            })
            .chain(self.metadata.map(|_| Entry {
                stream_type: StreamType::PacketizedMetadata,
                pid: METADATA_PID,
                descriptors: vec![psi::id3_metadata()],
            }))
            .chain(self.splices.map(|_| Entry {
                stream_type: psi::SPLICES,
                pid: SPLICE_PID,
                descriptors: Vec::new(),
            }))
            .collect();
        let pcr_pid = clock_of(streams)
            .and_then(|clock| streams.get(clock))
            .map(|stream| stream.pid);
        match &mut self.tables {
            Some(tables) => tables.replace(pcr_pid, &entries).is_some(),
            None => {
                self.tables = Tables::new(pcr_pid, &entries);
                self.tables.is_some()
            }
        }
    }
}

/// The PID of a track; below the PMT's.
fn pid_of(id: TrackId) -> Result<u16, String> {
    id.0.checked_add(FIRST_PID)
        .filter(|&pid| pid < psi::PMT_PID)
        .ok_or_else(|| format!("MPEG-TS has no PID for track {id}"))
}

/// The stream with the PCR: the first video, or the first of all.
fn clock_of(streams: &[Stream]) -> Option<usize> {
    streams
        .iter()
        .position(|stream| stream.kind == TrackKind::Video)
        .or((!streams.is_empty()).then_some(0))
}

/// The n-th stream id of a kind; private streams share one (§2.4.3.7).
fn stream_id(first: u8, n: usize) -> u8 {
    match (first, u8::try_from(n)) {
        (pes::VIDEO, Ok(n)) => pes::VIDEO | n & 0x0f,
        (pes::AUDIO, Ok(n)) => pes::AUDIO | n & 0x1f,
        _ => first,
    }
}

/// Whether a PCR at `dts` goes on from the last: forward, or a clock that started anew.
fn advances(last: Option<i64>, dts: i64) -> bool {
    last.is_none_or(|last| dts > last || last.saturating_sub(dts) >= PCR_RESTART)
}

impl TrackClock {
    fn new(timescale: Timescale) -> Self {
        let (from, to) = (timescale.hz(), Timescale::NINETY_KHZ.hz());
        Self {
            timescale,
            factor: (to % from == 0).then_some(i64::from(to / from)),
        }
    }

    /// A time of the track at 90 kHz, rounded down.
    #[inline]
    fn at_90_khz(self, ticks: i64) -> i64 {
        let exact = self.factor.and_then(|factor| ticks.checked_mul(factor));
        exact.unwrap_or_else(|| {
            let to = Timescale::NINETY_KHZ;
            self.timescale.convert(ticks, to, Rounding::Floor)
        })
    }
}
