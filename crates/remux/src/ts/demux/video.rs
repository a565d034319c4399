//! H.264 and HEVC out of Annex B: access units, their kind, and the codec configuration.
//!
//! ```text
//! region   16 spare | 00 00 00 01 AUD | 00 00 00 01 SPS | 00 00 00 01 PPS | 00 00 01 slice | …
//! unit                                                            | length 32, slice | …
//! ```
//!
//! The bytes of a unit are gathered once, in one place; there lengths are written over start codes.
//! Where these are a byte too short, the NAL units before move left into the room of what is left
//! out or into the spare bytes.
//!
//! Left out are delimiters, and parameter sets that say what the configuration says: a container
//! with a configuration has no need of them, and muxers of this one add them again. Those that a
//! random access unit brings and that are new make a new configuration. Other units with new sets
//! keep them, and from then on all units do: the decoder needs them where they are. Kept is also what
//! a spare zero byte follows: our muxer marks so what was the publisher's own
//! ([`super::super::framing`]), and what it brings back is the publisher's unit, byte by byte.
//!
//! Access units are split by ITU-T H.264 §7.4.1.2.3, ITU-T H.265 §7.4.2.4.4: by delimiters, sets and
//! SEI behind a slice, and by a slice that begins a picture.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use media::nal::{h264, h265};
use media::{CodecConfig, config};
use memchr::memmem::Finder;

/// Spare bytes before a region: room to write lengths over start codes of three bytes.
pub(super) const SPARE: usize = 16;
/// NAL units of one region. Threat: start codes alone, five bytes each, would cost a table entry
/// each; a 4K picture has some hundred slices.
const MAX_NALS: usize = 8_192;
/// Bytes of a length prefix.
const LENGTH: usize = 4;

/// Reads one video stream.
#[derive(Debug)]
pub(super) struct Video {
    hevc: bool,
    finder: Finder<'static>,
    sets: Sets,
    configured: bool,
    /// New sets came where no configuration could change: none are left out any more.
    in_band: bool,
    nals: Vec<Nal>,
}

/// Parameter sets in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sets {
    vps: Vec<Bytes>,
    sps: Vec<Bytes>,
    pps: Vec<Bytes>,
}

/// A NAL unit in a region.
#[derive(Clone, Copy, Debug)]
struct Nal {
    /// Its bytes, without start code and trailing zeros.
    start: usize,
    end: usize,
    /// A zero byte follows that no start code needs.
    own: bool,
    kind: u8,
}

/// An access unit in a region.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// Where its first start code begins: says in which PES packet it commences.
    pub(super) at: usize,
    /// The place of its length-prefixed NAL units; `None`: in `moved`.
    place: Range<usize>,
    moved: Option<Bytes>,
    pub(super) random_access: bool,
    /// The configuration changes with this unit.
    pub(super) config: Option<Result<CodecConfig, config::Error>>,
}

impl Unit {
    /// Its payload, of its region.
    pub(super) fn payload(&mut self, region: &Bytes) -> Bytes {
        self.moved
            .take()
            .unwrap_or_else(|| region.slice(self.place.clone()))
    }
}

/// More NAL units than [`MAX_NALS`].
#[derive(Debug)]
pub(super) struct TooMany;

impl Video {
    pub(super) fn new(hevc: bool) -> Self {
        Self {
            hevc,
            finder: Finder::new(&[0, 0, 1]),
            sets: Sets::default(),
            configured: false,
            in_band: false,
            nals: Vec::new(),
        }
    }

    /// Whether a PES packet that begins so begins an access unit, as far as its first bytes tell.
    pub(super) fn begins_unit(&self, payload: &[u8]) -> bool {
        let Some(first) = payload.iter().position(|&byte| byte != 0) else {
            return false;
        };
        if first < 2 || payload.get(first) != Some(&1) {
            return false;
        }
        let rest = payload.get(first + 1..).unwrap_or_default();
        self.kind(rest)
            .is_some_and(|kind| self.leads(kind) || self.is_slice(kind) && self.is_first(rest))
    }

    /// Finds the units of `region`, whose first [`SPARE`] bytes are not part of the stream, and
    /// writes their lengths. What is behind the last whole unit is split off and given back:
    /// everything but slices, unless nothing follows (`ended`).
    pub(super) fn units(
        &mut self,
        region: &mut BytesMut,
        ended: bool,
        found: &mut Vec<Unit>,
    ) -> Result<BytesMut, TooMany> {
        self.scan(region)?;
        let mut floor = 0;
        let mut from = 0;
        let mut slices = false;
        for index in 0..self.nals.len() {
            let Some(&nal) = self.nals.get(index) else {
                break;
            };
            let is_slice = self.is_slice(nal.kind);
            let bytes = region.get(nal.start..nal.end).unwrap_or_default();
            let begins = self.leads(nal.kind) || is_slice && self.is_first(bytes);
            if slices && begins {
                floor = self.unit(region, from..index, floor, found);
                from = index;
                slices = false;
            }
            slices |= is_slice;
        }
        let rest = self.nals.get(from).filter(|_| !slices && !ended);
        if let Some(rest) = rest {
            return Ok(region.split_off(rest.start.saturating_sub(3)));
        }
        self.unit(region, from..self.nals.len(), floor, found);
        Ok(BytesMut::new())
    }

    /// Lists the NAL units of a region.
    fn scan(&mut self, region: &[u8]) -> Result<(), TooMany> {
        self.nals.clear();
        let mut from = SPARE;
        let mut open = None;
        let stream = region.get(SPARE..).unwrap_or_default();
        for code in self.finder.find_iter(stream) {
            let code = code + SPARE;
            let zeros = trailing_zeros(region.get(from..code).unwrap_or_default());
            // Before the three bytes found: zero_byte, and more.
            self.nals.extend(
                open.and_then(|start| nal(self.hevc, region, start..code - zeros, zeros > 1)),
            );
            if self.nals.len() > MAX_NALS {
                return Err(TooMany);
            }
            open = Some(code + 3);
            from = code + 3;
        }
        let zeros = trailing_zeros(region.get(from..).unwrap_or_default());
        self.nals.extend(
            open.and_then(|start| nal(self.hevc, region, start..region.len() - zeros, zeros > 0)),
        );
        Ok(())
    }

    /// Makes a unit of these NAL units; gives where its bytes end.
    fn unit(
        &mut self,
        region: &mut [u8],
        range: Range<usize>,
        floor: usize,
        found: &mut Vec<Unit>,
    ) -> usize {
        let nals = self.nals.get(range.clone()).unwrap_or_default();
        let Some(first) = nals.first() else {
            return floor;
        };
        let at = first.start - 3;
        let end = nals.last().map_or(floor, |last| last.end);
        let random_access = nals.iter().any(|nal| self.is_random_access(region, nal));
        let brings_sets = nals.iter().any(|nal| self.is_set(nal.kind));
        let config = if brings_sets {
            self.take_sets(region, range.clone(), random_access)
        } else {
            None
        };
        let (aud, in_band) = (self.aud(), self.in_band);
        let is_kept = |nal: &Nal| nal.own || nal.kind != aud && (in_band || !self.is_set(nal.kind));
        let kept = self.nals.get(range).unwrap_or_default().iter();
        let kept = kept.filter(|nal| is_kept(nal));
        let (place, moved) = match left_shift(kept.clone(), floor) {
            Some(start) => (write_lengths(region, kept, start), None),
            None => (0..0, Some(gather(region, kept))),
        };
        let is_empty = moved.as_ref().map_or(place.is_empty(), Bytes::is_empty);
        if !is_empty || config.is_some() {
            found.push(Unit {
                at,
                place,
                moved,
                random_access,
                config,
            });
        }
        end
    }

    /// Compares the unit's parameter sets with those in force.
    fn take_sets(
        &mut self,
        region: &[u8],
        range: Range<usize>,
        random_access: bool,
    ) -> Option<Result<CodecConfig, config::Error>> {
        let mut next = self.sets.clone();
        let mut fresh = Sets::default();
        for nal in self
            .nals
            .get(range)?
            .iter()
            .filter(|nal| self.is_set(nal.kind))
        {
            // Copies: a slice would hold the region for the life of the stream.
            let set = || Bytes::copy_from_slice(region.get(nal.start..nal.end).unwrap_or_default());
            match (self.hevc, nal.kind) {
                (false, h264::SPS) | (true, h265::SPS) => fresh.sps.push(set()),
                (true, h265::VPS) => fresh.vps.push(set()),
                _ => fresh.pps.push(set()),
            }
        }
        for sets in [&mut fresh.vps, &mut fresh.sps, &mut fresh.pps] {
            let mut seen: Vec<Bytes> = Vec::new();
            sets.retain(|set| {
                let is_new = !seen.contains(set);
                seen.push(set.clone());
                is_new
            });
        }
        let new_sps = !fresh.sps.is_empty() && fresh.sps != next.sps;
        for (fresh, known) in [(fresh.vps, &mut next.vps), (fresh.sps, &mut next.sps)] {
            if !fresh.is_empty() {
                *known = fresh;
            }
        }
        if new_sps {
            next.pps.clear();
        }
        for set in fresh.pps {
            let id = self.pps_id(&set);
            match next.pps.iter_mut().find(|known| self.pps_id(known) == id) {
                Some(known) => *known = set,
                None => next.pps.push(set),
            }
        }
        if next == self.sets {
            return None;
        }
        if self.configured && !random_access {
            self.in_band = true;
            return None;
        }
        self.sets = next;
        if self.sets.sps.is_empty() || self.sets.pps.is_empty() {
            return None;
        }
        let Sets { vps, sps, pps } = &self.sets;
        let config = match self.hevc {
            true => config::h265::Config::from_sets(vps, sps, pps).map(CodecConfig::H265),
            false => config::h264::Config::from_sets(sps, pps).map(CodecConfig::H264),
        };
        self.configured = true;
        // What no record holds is needed in the bitstream.
        self.in_band |= config.is_err();
        Some(config)
    }

    /// The first Exp-Golomb code of a picture parameter set, as its leading bits: equal when the id
    /// is (H.264 §7.3.2.2, H.265 §7.3.2.3.1).
    fn pps_id(&self, set: &[u8]) -> (u32, u32) {
        let header = if self.hevc { 2 } else { 1 };
        let bytes = set.get(header..).unwrap_or_default();
        let word = bytes
            .iter()
            .chain(&[0; 4])
            .take(4)
            .fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let zeros = word.leading_zeros().min(15);
        (zeros, word >> (31 - 2 * zeros))
    }

    fn kind(&self, nal: &[u8]) -> Option<u8> {
        if self.hevc {
            h265::kind(nal)
        } else {
            h264::kind(nal)
        }
    }

    fn aud(&self) -> u8 {
        if self.hevc { h265::AUD } else { h264::AUD }
    }

    fn is_set(&self, kind: u8) -> bool {
        if self.hevc {
            matches!(kind, h265::VPS | h265::SPS | h265::PPS)
        } else {
            matches!(kind, h264::SPS | h264::PPS)
        }
    }

    fn is_slice(&self, kind: u8) -> bool {
        if self.hevc {
            kind < 32
        } else {
            matches!(kind, 1..=h264::IDR)
        }
    }

    /// Whether a NAL unit behind a slice begins the next access unit, whatever it holds.
    fn leads(&self, kind: u8) -> bool {
        if self.hevc {
            matches!(kind, h265::VPS..=h265::AUD | 39 | 41..=44 | 48..=55)
        } else {
            matches!(kind, h264::SEI..=h264::AUD | 14..=18)
        }
    }

    /// Whether a slice begins a picture: `first_mb_in_slice` is 0, `first_slice_segment_in_pic_flag`
    /// is 1. Slice data partitions B and C have no such field.
    fn is_first(&self, nal: &[u8]) -> bool {
        let (at, has) = match self.hevc {
            true => (2, true),
            false => (1, matches!(h264::kind(nal), Some(1 | 2 | h264::IDR))),
        };
        has && nal.get(at).is_some_and(|byte| byte & 0x80 != 0)
    }

    fn is_random_access(&self, region: &[u8], nal: &Nal) -> bool {
        if self.hevc {
            // IRAP pictures: BLA, IDR, CRA.
            return matches!(nal.kind, 16..=23);
        }
        match nal.kind {
            h264::IDR => true,
            h264::SEI => has_recovery_point(region.get(nal.start + 1..nal.end).unwrap_or_default()),
            _ => false,
        }
    }
}

/// The NAL unit of these bytes, unless there are none.
fn nal(hevc: bool, region: &[u8], place: Range<usize>, own: bool) -> Option<Nal> {
    let bytes = region.get(place.clone())?;
    let kind = match hevc {
        true => h265::kind(bytes),
        false => h264::kind(bytes),
    }?;
    Some(Nal {
        start: place.start,
        end: place.end,
        own,
        kind,
    })
}

/// Whether SEI messages have a recovery point (H.264 §D.1.8): how streams without IDR pictures, of
/// open groups or with intra refresh, say where decoding can start.
fn has_recovery_point(mut sei: &[u8]) -> bool {
    const RECOVERY_POINT: usize = 6;
    loop {
        let (Some(kind), Some(len)) = (sei_number(&mut sei), sei_number(&mut sei)) else {
            return false;
        };
        if kind == RECOVERY_POINT {
            return true;
        }
        let Some(rest) = sei.get(len..) else {
            return false;
        };
        sei = rest;
    }
}

/// A number of 0xff… and a last byte (H.264 §7.3.2.3.1); `None` at the trailing bits.
fn sei_number(sei: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    loop {
        let (&byte, rest) = sei.split_first()?;
        if rest.is_empty() {
            return None;
        }
        *sei = rest;
        number += usize::from(byte);
        if byte != 0xff {
            return Some(number);
        }
    }
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|&&byte| byte == 0).count()
}

/// Where the first kept NAL unit has to begin, so that each can be written with its length and none
/// moves right; `None` when that is below `floor`.
fn left_shift<'a>(mut kept: impl Iterator<Item = &'a Nal>, floor: usize) -> Option<usize> {
    let Some(first) = kept.next() else {
        return Some(floor);
    };
    let (mut shift, mut most, mut end) = (0i64, 0i64, first.end);
    for nal in kept {
        let gap = nal.start - end;
        shift += LENGTH as i64 - gap as i64;
        most = most.max(shift);
        end = nal.end;
    }
    let most = usize::try_from(most).ok()?;
    let start = first.start.checked_sub(most)?;
    (start >= floor + LENGTH).then_some(start)
}

/// Writes the kept NAL units with their lengths, the first of them at `start`.
fn write_lengths<'a>(
    region: &mut [u8],
    kept: impl Iterator<Item = &'a Nal>,
    start: usize,
) -> Range<usize> {
    let mut at: Option<usize> = None;
    let mut begin = start;
    for nal in kept {
        let to = match at {
            Some(end) => end + LENGTH,
            None => {
                begin = start - LENGTH;
                start
            }
        };
        let len = nal.end - nal.start;
        if to != nal.start {
            region.copy_within(nal.start..nal.end, to);
        }
        if let Some(prefix) = region.get_mut(to - LENGTH..to) {
            prefix.copy_from_slice(&length(len));
        }
        at = Some(to + len);
    }
    begin..at.unwrap_or(begin)
}

/// The kept NAL units with their lengths, elsewhere.
fn gather<'a>(region: &[u8], kept: impl Iterator<Item = &'a Nal> + Clone) -> Bytes {
    let len = kept.clone().map(|nal| LENGTH + nal.end - nal.start).sum();
    let mut out = BytesMut::with_capacity(len);
    for nal in kept {
        out.extend_from_slice(&length(nal.end - nal.start));
        out.extend_from_slice(region.get(nal.start..nal.end).unwrap_or_default());
    }
    out.freeze()
}

fn length(len: usize) -> [u8; LENGTH] {
    u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes()
}
