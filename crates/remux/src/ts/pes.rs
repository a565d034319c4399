//! PES packet headers.
//!
//! ```text
//! ISO/IEC 13818-1 §2.4.3.6
//!   00 00 01 | stream_id 8 | PES_packet_length 16 |
//!   10, scrambling 2, priority 1, alignment 1, copyright 1, original 1 |
//!   PTS_DTS 2, ESCR 1, ES_rate 1, trick 1, copy info 1, CRC 1, extension 1 | header length 8 |
//!   PTS: 0010 or 0011, ts[32..30], 1 | ts[29..15], 1 | ts[14..0], 1 |
//!   DTS: 0001, as PTS
//! ```

use bytes::BytesMut;

use super::packet::wrap;

/// `stream_id` of the first video stream.
pub(super) const VIDEO: u8 = 0xe0;
/// `stream_id` of the first MPEG audio stream.
pub(super) const AUDIO: u8 = 0xc0;
/// `private_stream_1`: AC-3, E-AC-3 and Opus.
pub(super) const PRIVATE_1: u8 = 0xbd;

/// Bytes of the header that `PES_packet_length` does not count.
const UNCOUNTED: usize = 6;
/// Bytes of a time.
const TIME_LEN: usize = 5;
/// Longest header: with PTS and DTS.
const MAX_LEN: usize = 19;

/// Bytes of payload that a PES packet of known length can hold: its length field counts 3 bytes of
/// flags and 10 of times too.
pub(super) const MAX_BOUNDED: usize = 0xffff - (MAX_LEN - UNCOUNTED);

/// A PES packet header, in words that are written as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Up to the flags.
    fixed: u64,
    /// Header length, PTS and, when there is one, the first two bytes of DTS.
    times: u64,
    /// The rest of DTS.
    dts: Option<[u8; 3]>,
}

impl Header {
    /// A header for `payload_len` bytes at these times (90 kHz, unwrapped). A length beyond
    /// [`MAX_BOUNDED`], or `None`, is written as 0: up to the next start, allowed for video only.
    #[inline]
    pub(super) fn new(stream_id: u8, payload_len: Option<usize>, pts: i64, dts: i64) -> Self {
        let (pts, dts) = (wrap(pts), wrap(dts));
        let both = pts != dts;
        let (len, flags, header_len, prefix) = match both {
            true => (MAX_LEN, 0xc0, 10, 3),
            false => (MAX_LEN - TIME_LEN, 0x80, 5, 2),
        };
        let packet_len = payload_len
            .and_then(|payload| u16::try_from(payload + len - UNCOUNTED).ok())
            .unwrap_or(0);
        let dts = timestamp(1, dts);
        let [.., d2, d3, d4] = dts.to_be_bytes();
        Self {
            // 0x84: data_alignment_indicator, each PES packet starts with an access unit.
            fixed: 0x1 << 40
                | u64::from(stream_id) << 32
                | u64::from(packet_len) << 16
                | 0x8400
                | flags,
            times: header_len << 56 | timestamp(prefix, pts) << 16 | dts >> 24,
            dts: both.then_some([d2, d3, d4]),
        }
    }

    /// Its bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self.dts {
            Some(_) => MAX_LEN,
            None => MAX_LEN - TIME_LEN,
        }
    }

    /// Appends it. (Lengths that the compiler knows are copied by a store.)
    #[inline]
    pub(super) fn put(&self, out: &mut BytesMut) {
        out.extend_from_slice(&self.fixed.to_be_bytes());
        out.extend_from_slice(&self.times.to_be_bytes());
        match self.dts {
            Some(rest) => out.extend_from_slice(&rest),
            None => out.truncate(out.len() - 2),
        }
    }
}

/// A 33-bit time with its prefix and marker bits, in 40 bits.
fn timestamp(prefix: u64, ticks: u64) -> u64 {
    prefix << 36
        | (ticks >> 30 & 0x7) << 33
        | 1 << 32
        | (ticks >> 15 & 0x7fff) << 17
        | 1 << 16
        | (ticks & 0x7fff) << 1
        | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(header: Header) -> BytesMut {
        let mut bytes = BytesMut::new();
        header.put(&mut bytes);
        assert_eq!(bytes.len(), header.len());
        bytes
    }

    #[test]
    fn times_have_their_marker_bits() {
        let header = Header::new(VIDEO, None, 0x1_ffff_ffff, 0);
        assert_eq!(
            bytes(header)[..],
            [
                0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10, 0x3f, 0xff, 0xff, 0xff, 0xff, 0x11, 0, 1, 0, 1
            ]
        );
    }

    #[test]
    fn equal_times_are_written_once_and_audio_has_a_length() {
        let header = Header::new(AUDIO, Some(0x200), 90_000, 90_000);
        assert_eq!(
            bytes(header)[..],
            [0, 0, 1, 0xc0, 2, 8, 0x84, 0x80, 5, 0x21, 0, 5, 0xbf, 0x21]
        );
        // A time a whole turn later is the same time on the wire.
        assert_eq!(
            bytes(Header::new(AUDIO, Some(0x200), 90_000 + (1 << 33), 90_000)),
            bytes(header)
        );
    }
}
