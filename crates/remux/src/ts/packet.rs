//! The packetiser: one PES packet cut into 188-byte TS packets in one pass, with one copy.
//!
//! ```text
//! TS packet (ISO/IEC 13818-1 §2.4.3.2)
//!   0x47 | error 1, start 1, priority 1, PID 13 | scrambling 2, adaptation 2, continuity 4 | …
//!
//! adaptation field (§2.4.3.4), when adaptation is 10 or 11
//!   length 8 | discontinuity 1, random access 1, priority 1, PCR 1, OPCR 1, splice 1, private 1,
//!   extension 1 | PCR: base 33, reserved 6 (ones), extension 9 | stuffing 0xFF…
//!
//! stuffing of 1 byte is the length byte alone (length 0), of 2 bytes length and flags
//! ```
//!
//! The length of the PES packet is known before its first byte is written, so each packet's room
//! is known when it is opened and stuffing goes where it belongs: before the last bytes.

use bytes::{BufMut, BytesMut};

use super::pes;

/// Bytes of a TS packet.
pub(super) const PACKET_LEN: usize = 188;
/// Bytes of its header.
const HEADER_LEN: usize = 4;
/// Bytes of a program clock reference.
const PCR_LEN: usize = 6;
/// Bytes for adaptation field and payload.
const BODY_LEN: usize = PACKET_LEN - HEADER_LEN;
/// Values of a 33-bit clock at 90 kHz: 26.5 hours.
const CLOCK_MASK: u64 = (1 << 33) - 1;

/// `payload_unit_start_indicator`.
const UNIT_START: u32 = 0x40_0000;
/// `adaptation_field_control`.
const ADAPTATION: u32 = 0x20;
const PAYLOAD: u32 = 0x10;

/// `discontinuity_indicator`.
const DISCONTINUITY: u8 = 0x80;
/// `random_access_indicator`.
const RANDOM_ACCESS: u8 = 0x40;
/// `PCR_flag`.
const PCR: u8 = 0x10;

/// A time at 90 kHz as the wire has it: modulo 2^33, exact for negative times too.
pub(super) fn wrap(ticks: i64) -> u64 {
    ticks.cast_unsigned() & CLOCK_MASK
}

/// What the adaptation field of a PES packet's first TS packet says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Adaptation {
    /// The continuity of this PID, or the clock, breaks here.
    pub(super) discontinuity: bool,
    /// Decoding can start here.
    pub(super) random_access: bool,
    /// Program clock reference at 90 kHz, unwrapped; its 27 MHz extension is always 0.
    pub(super) pcr: Option<i64>,
}

impl Adaptation {
    fn flags(self) -> u8 {
        let mut flags = 0;
        if self.discontinuity {
            flags |= DISCONTINUITY;
        }
        if self.random_access {
            flags |= RANDOM_ACCESS;
        }
        if self.pcr.is_some() {
            flags |= PCR;
        }
        flags
    }
}

/// Writes one PES packet of known length.
#[derive(Debug)]
pub(super) struct Packetiser<'a> {
    out: &'a mut BytesMut,
    /// Header of a packet without adaptation field whose continuity counter is 0.
    header: u32,
    continuity: &'a mut u8,
    /// Bytes of the PES packet that no opened TS packet has room for yet.
    left: usize,
    /// Bytes that the open TS packet still takes.
    room: usize,
}

impl<'a> Packetiser<'a> {
    /// Begins a PES packet of this header and `len` bytes behind it; reserves the bytes of all its
    /// TS packets in `out`.
    #[inline]
    pub(super) fn begin(
        out: &'a mut BytesMut,
        pid: u16,
        continuity: &'a mut u8,
        adaptation: Adaptation,
        pes: pes::Header,
        len: usize,
    ) -> Self {
        let flags = adaptation.flags();
        let field_len = match (flags, adaptation.pcr) {
            (0, _) => 0,
            (_, None) => 2,
            (_, Some(_)) => 2 + PCR_LEN,
        };
        let len = pes.len() + len;
        out.reserve((len + field_len).div_ceil(BODY_LEN) * PACKET_LEN);
        let room = len.min(BODY_LEN - field_len);
        let header = header(pid);
        let first = header | UNIT_START | u32::from(*continuity);
        *continuity = (*continuity + 1) & 0x0f;
        put_start(
            out,
            first,
            flags,
            adaptation.pcr,
            field_len,
            BODY_LEN - room,
        );
        pes.put(out);
        Self {
            out,
            header,
            continuity,
            left: len - room,
            room: room - pes.len(),
        }
    }

    /// Appends bytes of the PES packet; all calls together give its length, and no more.
    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.room {
            self.out.extend_from_slice(bytes);
            self.room -= bytes.len();
        } else {
            self.put_on(bytes);
        }
    }

    /// Fills the open packet and goes on in the next ones.
    fn put_on(&mut self, bytes: &[u8]) {
        let (now, mut bytes) = bytes.split_at(self.room);
        self.out.extend_from_slice(now);
        self.room = 0;
        let mut continuity = *self.continuity;
        // Most of a large unit: whole packets of payload, whose copies are of a known length.
        while self.left >= BODY_LEN {
            let Some((now, later)) = bytes.split_first_chunk::<BODY_LEN>() else {
                break;
            };
            let header = self.header | u32::from(continuity);
            self.out.extend_from_slice(&header.to_be_bytes());
            self.out.extend_from_slice(now);
            continuity = (continuity + 1) & 0x0f;
            self.left -= BODY_LEN;
            bytes = later;
        }
        *self.continuity = continuity;
        while !bytes.is_empty() {
            if self.room == 0 {
                self.open();
            }
            if self.room == 0 {
                return;
            }
            let (now, later) = bytes.split_at(self.room.min(bytes.len()));
            self.out.extend_from_slice(now);
            self.room -= now.len();
            bytes = later;
        }
    }

    /// Writes packet header and stuffing, so that the packet ends exactly with the payload it takes.
    #[inline]
    fn open(&mut self) {
        debug_assert!(self.left > 0, "more bytes than announced");
        self.room = self.left.min(BODY_LEN);
        self.left -= self.room;
        let header = self.header | u32::from(*self.continuity);
        put_start(self.out, header, 0, None, 0, BODY_LEN - self.room);
        *self.continuity = (*self.continuity + 1) & 0x0f;
    }
}

/// Appends a packet with an adaptation field and no payload; such a packet repeats the continuity
/// counter of the one before (§2.4.3.3).
pub(super) fn put_pcr_only(out: &mut BytesMut, pid: u16, next_continuity: u8, pcr: i64) {
    out.reserve(PACKET_LEN);
    let last = next_continuity.wrapping_sub(1) & 0x0f;
    let header = header(pid) & !PAYLOAD | u32::from(last);
    put_start(out, header, PCR, Some(pcr), 2 + PCR_LEN, BODY_LEN);
}

/// Appends a section in packets of its own: a pointer field of 0 in front of it, ones behind (§2.4.4).
pub(super) fn put_section(out: &mut BytesMut, pid: u16, continuity: &mut u8, section: &[u8]) {
    out.reserve((1 + section.len()).div_ceil(BODY_LEN) * PACKET_LEN);
    let mut rest = section;
    let mut pointer: &[u8] = &[0];
    while !(pointer.is_empty() && rest.is_empty()) {
        let start = if pointer.is_empty() { 0 } else { UNIT_START };
        out.put_u32(header(pid) | start | u32::from(*continuity));
        *continuity = (*continuity + 1) & 0x0f;
        let room = BODY_LEN - pointer.len();
        let (now, later) = rest.split_at(rest.len().min(room));
        out.put_slice(pointer);
        out.put_slice(now);
        out.put_bytes(0xff, room - now.len());
        (pointer, rest) = (&[], later);
    }
}

/// The header of a packet with payload alone, whose continuity counter is 0.
fn header(pid: u16) -> u32 {
    0x47 << 24 | u32::from(pid) << 8 | PAYLOAD
}

/// Appends a packet up to its payload: the header, and an adaptation field of `len` bytes in all, of
/// which the length byte and what it says are `field_len`.
///
/// The longest start is written and cut: the copies are of a known length, and no bytes are put
/// together in memory to be read from there in larger pieces, which would wait for them.
#[inline]
fn put_start(
    out: &mut BytesMut,
    header: u32,
    flags: u8,
    pcr: Option<i64>,
    field_len: usize,
    len: usize,
) {
    let control = if len > 0 { ADAPTATION } else { 0 };
    let field = len.wrapping_sub(1) as u64 & 0xff;
    let pcr = wrap(pcr.unwrap_or(0)) << 15 | 0x3f << 9;
    let start =
        u64::from(header | control) << 32 | field << 24 | u64::from(flags) << 16 | pcr >> 32;
    // Stuffing of two bytes and more has the flags byte before it.
    let used = field_len.max(len.min(2));
    let end = out.len() + HEADER_LEN + used;
    out.extend_from_slice(&start.to_be_bytes());
    if field_len > 2 {
        let [_, _, _, _, rest @ ..] = pcr.to_be_bytes();
        out.extend_from_slice(&rest);
    }
    out.truncate(end);
    if len > used {
        out.put_bytes(0xff, len - used);
    }
}
