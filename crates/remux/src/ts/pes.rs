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

use super::packet::wrap;

/// `stream_id` of the first video stream.
pub(super) const VIDEO: u8 = 0xe0;
/// `stream_id` of the first MPEG audio stream.
pub(super) const AUDIO: u8 = 0xc0;
/// `private_stream_1`: AC-3, E-AC-3 and Opus.
pub(super) const PRIVATE_1: u8 = 0xbd;

/// Bytes of the header that `PES_packet_length` does not count.
const UNCOUNTED: usize = 6;
/// Longest header: with PTS and DTS.
const MAX_LEN: usize = 19;

/// Bytes of payload that a PES packet of known length can hold: its length field counts 3 bytes of
/// flags and 10 of times too.
pub(super) const MAX_BOUNDED: usize = 0xffff - (MAX_LEN - UNCOUNTED);

/// A PES packet header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Header {
    /// A header for `payload_len` bytes at these times (90 kHz, unwrapped). A length beyond
    /// [`MAX_BOUNDED`], or `None`, is written as 0: up to the next start, allowed for video only.
    pub(super) fn new(stream_id: u8, payload_len: Option<usize>, pts: i64, dts: i64) -> Self {
        let (pts, dts) = (wrap(pts), wrap(dts));
        let both = pts != dts;
        let len = if both { MAX_LEN } else { MAX_LEN - 5 };
        let [high, low] = payload_len
            .and_then(|payload| u16::try_from(payload + len - UNCOUNTED).ok())
            .unwrap_or(0)
            .to_be_bytes();
        let (flags, header_len, prefix) = if both { (0xc0, 10, 3) } else { (0x80, 5, 2) };
        let [p0, p1, p2, p3, p4] = timestamp(prefix, pts);
        let [d0, d1, d2, d3, d4] = timestamp(1, dts);
        Self {
            // 0x84: data_alignment_indicator, each PES packet starts with an access unit.
            bytes: [
                0, 0, 1, stream_id, high, low, 0x84, flags, header_len, p0, p1, p2, p3, p4, d0, d1,
                d2, d3, d4,
            ],
            len,
        }
    }

    /// The header's bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }
}

/// A 33-bit time with its prefix and marker bits.
fn timestamp(prefix: u64, ticks: u64) -> [u8; 5] {
    let word = prefix << 36
        | (ticks >> 30 & 0x7) << 33
        | 1 << 32
        | (ticks >> 15 & 0x7fff) << 17
        | 1 << 16
        | (ticks & 0x7fff) << 1
        | 1;
    let [_, _, _, b0, b1, b2, b3, b4] = word.to_be_bytes();
    [b0, b1, b2, b3, b4]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_marker_bits() {
        let header = Header::new(VIDEO, None, 0x1_ffff_ffff, 0);
        assert_eq!(
            header.as_bytes(),
            [
                0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10, 0x3f, 0xff, 0xff, 0xff, 0xff, 0x11, 0, 1, 0, 1
            ]
        );
    }

    #[test]
    fn equal_times_are_written_once_and_audio_has_a_length() {
        let header = Header::new(AUDIO, Some(0x200), 90_000, 90_000);
        assert_eq!(
            header.as_bytes(),
            [0, 0, 1, 0xc0, 2, 8, 0x84, 0x80, 5, 0x21, 0, 5, 0xbf, 0x21]
        );
        // A time a whole turn later is the same time on the wire.
        assert_eq!(
            Header::new(AUDIO, Some(0x200), 90_000 + (1 << 33), 90_000).as_bytes(),
            header.as_bytes()
        );
    }
}
