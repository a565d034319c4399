//! NAL framing: length-prefixed (FLV, MP4) and Annex B (MPEG-TS, elementary streams).
//!
//! ```text
//! length-prefixed   | size (1, 2 or 4 bytes) | NAL unit | size | NAL unit | …
//! Annex B           | 00 00 01 | NAL unit | 00 00 01 | NAL unit | …
//! ```
//!
//! Spec: ISO/IEC 14496-15 §5.3.2, ITU-T H.264 annex B.

/// The NAL units of a length-prefixed access unit, in order; borrows, never copies.
///
/// Ends early when a length runs past the end: [`LengthPrefixed::is_sound`] tells beforehand.
#[derive(Clone, Debug)]
pub struct LengthPrefixed<'a> {
    rest: &'a [u8],
    length_size: usize,
}

impl<'a> LengthPrefixed<'a> {
    /// Walks `unit`, whose lengths have `length_size` bytes (1, 2, 3 or 4).
    #[must_use]
    #[inline]
    pub fn new(unit: &'a [u8], length_size: u8) -> Self {
        Self {
            rest: unit,
            length_size: usize::from(length_size.clamp(1, 4)),
        }
    }

    /// Whether the lengths add up to exactly the whole unit.
    #[must_use]
    pub fn is_sound(unit: &[u8], length_size: u8) -> bool {
        let mut walk = LengthPrefixed::new(unit, length_size);
        walk.by_ref().for_each(drop);
        walk.rest.is_empty()
    }
}

impl<'a> Iterator for LengthPrefixed<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = match (self.length_size, self.rest.split_first_chunk()) {
            // As nearly all configurations say.
            (4, Some((&length, rest))) => (u32::from_be_bytes(length) as usize, rest),
            _ => {
                let (length, rest) = self.rest.split_at_checked(self.length_size)?;
                let sum = length.iter().fold(0, |sum, &b| sum << 8 | usize::from(b));
                (sum, rest)
            }
        };
        let (nal, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(nal)
    }
}

/// The NAL units between the start codes of an Annex B stream; trailing zero bytes are not part
/// of a unit.
#[derive(Clone, Debug)]
pub struct AnnexB<'a> {
    rest: &'a [u8],
}

impl<'a> AnnexB<'a> {
    /// Walks `stream`; bytes before the first start code are skipped.
    #[must_use]
    pub fn new(stream: &'a [u8]) -> Self {
        let rest = match find_start_code(stream) {
            Some(at) => stream.get(at + 3..).unwrap_or_default(),
            None => &[],
        };
        Self { rest }
    }
}

impl<'a> Iterator for AnnexB<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let (nal, rest) = match find_start_code(self.rest) {
                Some(at) => {
                    let (nal, rest) = self.rest.split_at_checked(at)?;
                    (nal, rest.get(3..).unwrap_or_default())
                }
                None => (self.rest, Default::default()),
            };
            self.rest = rest;
            let end = nal
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1);
            if end > 0 {
                return nal.get(..end);
            }
        }
        None
    }
}

/// Offset of the next `00 00 01`.
fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// `nal_unit_type` values of H.264 (table 7-1) that sidestream looks at.
pub mod h264 {
    /// Coded slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const AUD: u8 = 9;

    /// `nal_unit_type` of a NAL unit; `None` when it is empty.
    #[must_use]
    #[inline]
    pub fn kind(nal: &[u8]) -> Option<u8> {
        nal.first().map(|byte| byte & 0x1f)
    }
}

/// `nal_unit_type` values of H.265 (table 7-1) that sidestream looks at.
pub mod h265 {
    /// Video parameter set.
    pub const VPS: u8 = 32;
    /// Sequence parameter set.
    pub const SPS: u8 = 33;
    /// Picture parameter set.
    pub const PPS: u8 = 34;
    /// Access unit delimiter.
    pub const AUD: u8 = 35;

    /// `nal_unit_type` of a NAL unit; `None` when it is empty.
    #[must_use]
    #[inline]
    pub fn kind(nal: &[u8]) -> Option<u8> {
        nal.first().map(|byte| byte >> 1 & 0x3f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_prefixes_of_every_size_are_walked() {
        let one = [2, 0x65, 1, 1, 0x41];
        let four = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41];
        let want: Vec<&[u8]> = vec![&[0x65, 1], &[0x41]];
        assert_eq!(LengthPrefixed::new(&one, 1).collect::<Vec<_>>(), want);
        assert_eq!(LengthPrefixed::new(&four, 4).collect::<Vec<_>>(), want);
        assert!(LengthPrefixed::is_sound(&four, 4));
    }

    #[test]
    fn length_past_the_end_ends_the_walk_and_is_not_sound() {
        let bad = [0, 0, 0, 1, 0x65, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(LengthPrefixed::new(&bad, 4).count(), 1);
        assert!(!LengthPrefixed::is_sound(&bad, 4));
        assert!(!LengthPrefixed::is_sound(&[0, 0], 4));
    }

    #[test]
    fn annex_b_takes_both_start_codes_and_drops_trailing_zeros() {
        let stream = [
            9, 0, 0, 0, 1, 0x67, 1, 0, 0, 0, 0, 1, 0x68, 0, 0, 1, 0, 0, 1, 0x65, 7,
        ];
        let want: Vec<&[u8]> = vec![&[0x67, 1], &[0x68], &[0x65, 7]];
        assert_eq!(AnnexB::new(&stream).collect::<Vec<_>>(), want);
        assert_eq!(AnnexB::new(&[1, 2, 3]).count(), 0);
    }
}
