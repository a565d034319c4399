//! The stamp in each video frame: which stream, which frame, sent when.
//!
//! ```text
//! NAL length 4 | 06 | 05 | 35 | UUID 16 | 19 bytes: 16 bytes of numbers, 7 bits each | 80
//!                SEI  user_data_unregistered (H.264 §D.1.7)
//! ```
//!
//! Each byte of the numbers has its highest bit set, so there are no zero bytes and no emulation
//! prevention (H.264 §7.4.1) is needed.

/// Names the stamp; no byte of it is zero.
const UUID: [u8; 16] = *b"sidestream-stamp";
const NUMBERS: usize = 16;
/// `NUMBERS` bytes at 7 bits a byte.
const PACKED: usize = (NUMBERS * 8).div_ceil(7);
const SEI: u8 = 6;
const USER_DATA_UNREGISTERED: u8 = 5;
const PAYLOAD: usize = UUID.len() + PACKED;
/// Bytes of the whole NAL unit with its length.
pub(crate) const LEN: usize = 4 + 3 + PAYLOAD + 1;

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
    /// Appends the stamp as a NAL unit with a length of four bytes.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&((LEN - 4) as u32).to_be_bytes());
        out.extend_from_slice(&[SEI, USER_DATA_UNREGISTERED, PAYLOAD as u8]);
        out.extend_from_slice(&UUID);
        let numbers =
            u128::from(self.stream) << 96 | u128::from(self.frame) << 64 | u128::from(self.sent_ns);
        for index in 0..PACKED {
            let bits = (numbers >> (7 * index)) as u8;
            out.push(0x80 | bits);
        }
        out.push(0x80);
    }

    /// The stamp of an access unit whose NAL lengths have four bytes.
    pub(crate) fn find(unit: &[u8]) -> Option<Self> {
        media::nal::LengthPrefixed::new(unit, 4)
            .take_while(|nal| !is_slice(nal))
            .find_map(Self::of_nal)
    }

    fn of_nal(nal: &[u8]) -> Option<Self> {
        let payload = nal.strip_prefix(&[SEI, USER_DATA_UNREGISTERED, PAYLOAD as u8])?;
        let packed = payload.strip_prefix(&UUID)?.get(..PACKED)?;
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

/// Whether a NAL unit is coded slice data (types 1 to 5): SEI comes before it.
pub(crate) fn is_slice(nal: &[u8]) -> bool {
    matches!(media::nal::h264::kind(nal), Some(1..=5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_behind_other_units_and_has_no_zero_bytes() {
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
            stamp.write(&mut unit);
            assert_eq!(unit.len() - at, LEN);
            assert!(unit.get(at + 4..).is_some_and(|nal| !nal.contains(&0)));
            unit.extend_from_slice(&[0, 0, 0, 2, 0x65, 1]);
            assert_eq!(Stamp::find(&unit), Some(stamp));
        }
    }

    #[test]
    fn other_units_are_no_stamps() {
        assert_eq!(Stamp::find(&[0, 0, 0, 2, 6, 5, 0, 0, 0, 1, 0x41]), None);
        assert_eq!(Stamp::find(&[0, 0, 0, 9, 6]), None);
    }
}
