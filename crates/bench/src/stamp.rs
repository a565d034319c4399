//! The stamp in each video frame: which stream, which frame, sent when.
//!
//! ```text
//! NAL length 4 | header | 05 | 35 | UUID 16 | 19 bytes: 16 bytes of numbers, 7 bits each | 80
//!                06 in H.264 (SEI), 4e 01 in HEVC (prefix SEI);
//!                         user_data_unregistered (H.264 §D.1.7, HEVC §D.2.7)
//! ```
//!
//! Each byte of the numbers has its highest bit set, so there are no zero bytes and no emulation
//! prevention (H.264 §7.4.1) is needed: whatever a server does to framing, containers and
//! timestamps, the same bytes come out.

use memchr::memmem;

use crate::video_tag::Codec;

/// Names the stamp; no byte of it is zero.
const UUID: [u8; 16] = *b"sidestream-stamp";
const NUMBERS: usize = 16;
/// `NUMBERS` bytes at 7 bits a byte.
const PACKED: usize = (NUMBERS * 8).div_ceil(7);
const USER_DATA_UNREGISTERED: u8 = 5;
const PAYLOAD: usize = UUID.len() + PACKED;
/// How far into a frame a stamp is looked for: parameter sets and other SEI come before it.
pub(crate) const SEARCHED: usize = 4_096;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Number of the stream, from 0.
    pub(crate) stream: u32,
    /// Number of the video frame within the publish, from 0.
    pub(crate) frame: u32,
    /// When it was sent: [`crate::clock::now_ns`].
    pub(crate) sent_ns: u64,
}

impl Stamp {
    /// Bytes of the whole NAL unit with its length.
    pub(crate) fn len(codec: Codec) -> usize {
        4 + header(codec).len() + 2 + PAYLOAD + 1
    }

    /// Appends the stamp as a NAL unit with a length of four bytes.
    pub(crate) fn write(self, codec: Codec, out: &mut Vec<u8>) {
        let length = Self::len(codec) - 4;
        out.extend_from_slice(&(length as u32).to_be_bytes());
        out.extend_from_slice(header(codec));
        out.extend_from_slice(&[USER_DATA_UNREGISTERED, PAYLOAD as u8]);
        out.extend_from_slice(&UUID);
        let numbers =
            u128::from(self.stream) << 96 | u128::from(self.frame) << 64 | u128::from(self.sent_ns);
        for index in 0..PACKED {
            let bits = (numbers >> (7 * index)) as u8;
            out.push(0x80 | bits);
        }
        out.push(0x80);
    }

    /// The stamp in the first bytes of a frame, in any framing of its NAL units.
    pub(crate) fn find(head: &[u8]) -> Option<Self> {
        let at = memmem::find(head, &UUID)? + UUID.len();
        let packed = head.get(at..at + PACKED)?;
        let numbers = packed.iter().rev().fold(0u128, |numbers, &byte| {
            numbers << 7 | u128::from(byte & 0x7f)
        });
        Some(Self {
            stream: (numbers >> 96) as u32,
            frame: (numbers >> 64) as u32,
            sent_ns: numbers as u64,
        })
    }
}

fn header(codec: Codec) -> &'static [u8] {
    match codec {
        Codec::H264 => &[6],
        Codec::Hevc => &[0x4e, 1],
    }
}

/// The first bytes of a frame that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// A new frame begins.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes more of the frame; what is beyond the searched part is dropped.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = SEARCHED.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_behind_other_units_and_has_no_zero_bytes() {
        for codec in [Codec::H264, Codec::Hevc] {
            for stamp in [
                Stamp {
                    stream: 0,
                    frame: 0,
                    sent_ns: 0,
                },
                Stamp {
                    stream: u32::MAX,
                    frame: 0x8000_0001,
                    sent_ns: u64::MAX - 1,
                },
            ] {
                let mut unit = vec![0, 0, 0, 2, 9, 0xf0];
                let at = unit.len();
                stamp.write(codec, &mut unit);
                assert_eq!(unit.len() - at, Stamp::len(codec));
                let length =
                    u32::from_be_bytes([unit[at], unit[at + 1], unit[at + 2], unit[at + 3]]);
                assert_eq!(length as usize, Stamp::len(codec) - 4);
                assert!(!unit[at + 4..].contains(&0));
                unit.extend_from_slice(&[0, 0, 0, 2, 0x65, 1]);
                assert_eq!(Stamp::find(&unit), Some(stamp));
            }
        }
    }

    #[test]
    fn other_units_and_cut_stamps_are_no_stamps() {
        assert_eq!(Stamp::find(&[0, 0, 0, 2, 6, 5, 0, 0, 0, 1, 0x41]), None);
        let stamp = Stamp {
            stream: 1,
            frame: 2,
            sent_ns: 3,
        };
        let mut unit = Vec::new();
        stamp.write(Codec::H264, &mut unit);
        for end in 0..unit.len() - 1 {
            assert_eq!(Stamp::find(&unit[..end]), None, "cut at {end}");
        }
        assert_eq!(Stamp::find(&unit[..unit.len() - 1]), Some(stamp));
    }

    #[test]
    fn a_head_keeps_what_is_searched_and_no_more() {
        let mut head = Head::default();
        head.push(&[1; 4_000]);
        head.push(&[2; 4_000]);
        assert_eq!(head.bytes().len(), SEARCHED);
        assert_eq!(head.bytes()[3_999..4_001], [1, 2]);
        head.clear();
        assert!(head.bytes().is_empty());
    }
}
