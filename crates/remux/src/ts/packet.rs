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

/// Bytes of a TS packet.
pub(super) const PACKET_LEN: usize = 188;
/// Bytes of its header.
const HEADER_LEN: usize = 4;
/// Bytes for adaptation field and payload.
const BODY_LEN: usize = PACKET_LEN - HEADER_LEN;
/// Values of a 33-bit clock at 90 kHz: 26.5 hours.
const CLOCK_MASK: u64 = (1 << 33) - 1;

/// `discontinuity_indicator`.
const DISCONTINUITY: u8 = 0x80;
/// `random_access_indicator`.
const RANDOM_ACCESS: u8 = 0x40;
/// `PCR_flag`.
const PCR: u8 = 0x10;

static STUFFING: [u8; BODY_LEN] = [0xff; BODY_LEN];

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
    /// The field without its length byte; `None` when there is nothing to say.
    fn encode(self) -> Option<([u8; 7], usize)> {
        let mut flags = 0;
        if self.discontinuity {
            flags |= DISCONTINUITY;
        }
        if self.random_access {
            flags |= RANDOM_ACCESS;
        }
        if let Some(pcr) = self.pcr {
            let [_, _, p0, p1, p2, p3, p4, p5] = (wrap(pcr) << 15 | 0x3f << 9).to_be_bytes();
            return Some(([flags | PCR, p0, p1, p2, p3, p4, p5], 7));
        }
        (flags != 0).then_some(([flags, 0, 0, 0, 0, 0, 0], 1))
    }
}

/// Writes one PES packet of known length.
#[derive(Debug)]
pub(super) struct Packetiser<'a> {
    out: &'a mut BytesMut,
    pid: u16,
    continuity: &'a mut u8,
    /// Bytes of the PES packet that no opened TS packet has room for yet.
    left: usize,
    /// Bytes that the open TS packet still takes.
    room: usize,
}

impl<'a> Packetiser<'a> {
    /// Opens the first TS packet of a PES packet of `len` bytes (`len > 0`); reserves the bytes of
    /// all of them in `out`.
    pub(super) fn begin(
        out: &'a mut BytesMut,
        pid: u16,
        continuity: &'a mut u8,
        adaptation: Adaptation,
        len: usize,
    ) -> Self {
        let field = adaptation.encode();
        let field_len = field.map_or(0, |(_, len)| 1 + len);
        out.reserve((len + field_len).div_ceil(BODY_LEN) * PACKET_LEN);
        let mut packets = Self {
            out,
            pid,
            continuity,
            left: len,
            room: 0,
        };
        let field = field
            .as_ref()
            .map(|(bytes, len)| bytes.split_at(*len).0)
            .unwrap_or_default();
        packets.open(0x40, field);
        packets
    }

    /// Appends bytes of the PES packet; all calls together give its length, and no more.
    #[inline]
    pub(super) fn put(&mut self, mut bytes: &[u8]) {
        if self.room > 0 {
            let (now, later) = bytes.split_at(self.room.min(bytes.len()));
            self.out.put_slice(now);
            self.room -= now.len();
            bytes = later;
        }
        // Most of a large unit: whole packets of payload, whose copies are of a known length.
        while self.left >= BODY_LEN {
            let Some((now, later)) = bytes.split_first_chunk::<BODY_LEN>() else {
                break;
            };
            let header = header(self.pid, 0, 0x10 | *self.continuity);
            self.out.extend_from_slice(&header);
            self.out.extend_from_slice(now);
            *self.continuity = (*self.continuity + 1) & 0x0f;
            self.left -= BODY_LEN;
            bytes = later;
        }
        while !bytes.is_empty() {
            if self.room == 0 {
                self.open(0, &[]);
            }
            if self.room == 0 {
                return;
            }
            let (now, later) = bytes.split_at(self.room.min(bytes.len()));
            self.out.put_slice(now);
            self.room -= now.len();
            bytes = later;
        }
    }

    /// Writes packet header, adaptation field and stuffing, so that the packet ends exactly with
    /// the payload it takes.
    #[inline]
    fn open(&mut self, start: u8, field: &[u8]) {
        debug_assert!(self.left > 0, "more bytes than announced");
        let field_len = if field.is_empty() { 0 } else { 1 + field.len() };
        self.room = self.left.min(BODY_LEN - field_len);
        self.left -= self.room;
        let adaptation_len = BODY_LEN - self.room;
        let control = if adaptation_len == 0 { 0x10 } else { 0x30 };
        self.out
            .put_slice(&header(self.pid, start, control | *self.continuity));
        *self.continuity = (*self.continuity + 1) & 0x0f;
        if adaptation_len > 0 {
            put_adaptation(self.out, field, adaptation_len);
        }
    }
}

/// Appends a packet with an adaptation field and no payload; such a packet repeats the continuity
/// counter of the one before (§2.4.3.3).
pub(super) fn put_pcr_only(out: &mut BytesMut, pid: u16, next_continuity: u8, pcr: i64) {
    let adaptation = Adaptation {
        pcr: Some(pcr),
        ..Adaptation::default()
    };
    if let Some((field, len)) = adaptation.encode() {
        out.reserve(PACKET_LEN);
        let last = next_continuity.wrapping_sub(1) & 0x0f;
        out.put_slice(&header(pid, 0, 0x20 | last));
        put_adaptation(out, field.split_at(len).0, BODY_LEN);
    }
}

#[inline]
fn header(pid: u16, start: u8, control: u8) -> [u8; HEADER_LEN] {
    let [high, low] = pid.to_be_bytes();
    [0x47, start | (high & 0x1f), low, control]
}

/// Appends an adaptation field of `len` bytes in all: length byte, `field`, stuffing.
fn put_adaptation(out: &mut BytesMut, field: &[u8], len: usize) {
    let flags_only: &[u8] = &[0];
    // Stuffing of two bytes and more needs the flags byte before it.
    let field = if field.is_empty() && len > 1 {
        flags_only
    } else {
        field
    };
    out.put_u8(u8::try_from(len - 1).unwrap_or(u8::MAX));
    out.put_slice(field);
    out.put_slice(STUFFING.split_at(len - 1 - field.len()).0);
}
