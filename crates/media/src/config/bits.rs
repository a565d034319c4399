//! Reads bits, most significant first.

/// A place in a byte slice, in bits. Reading past the end gives `None` and stays there.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits read so far: `0 <= at <= 8 * bytes.len()`.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The byte that the next bit is in, for error offsets.
    pub(super) fn byte_offset(&self) -> usize {
        self.at / 8
    }

    /// Bits that are left.
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` (at most 32) bits.
    pub(super) fn read(&mut self, count: usize) -> Option<u32> {
        if count > 32 || count > self.remaining() {
            return None;
        }
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// The next `count` (at most 8) bits.
    pub(super) fn small(&mut self, count: usize) -> Option<u8> {
        self.read(count.min(8))
            .and_then(|value| u8::try_from(value).ok())
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.read(1).map(|bit| bit == 1)
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        if count > self.remaining() {
            return None;
        }
        self.at += count;
        Some(())
    }

    /// Goes on at the next byte, unless already at one.
    pub(super) fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// An unsigned Exp-Golomb code of at most 31 leading zeros (ITU-T H.264 §9.1).
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.read(zeros)?;
        Some((1 << zeros) - 1 + rest)
    }
}

/// A NAL unit without its emulation prevention bytes: every `00 00 03` becomes `00 00`
/// (ITU-T H.264 §7.3.1).
pub(super) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bits_codes_and_the_end() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0xff]);
        assert_eq!(bits.read(3), Some(0b101));
        assert_eq!(bits.ue(), Some(5), "00110");
        assert_eq!(bits.ue(), Some(1), "010");
        bits.align();
        assert_eq!(bits.byte_offset(), 2);
        assert_eq!(bits.read(9), None);
        assert_eq!(bits.small(8), Some(0xff));
        assert_eq!(bits.read(0), Some(0));
        assert_eq!(bits.flag(), None);
        assert_eq!(Bits::new(&[0; 9]).ue(), None, "more than 31 zeros");
        assert_eq!(
            Bits::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).ue(),
            Some(u32::MAX - 1)
        );
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        assert_eq!(
            unescape(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3]),
            [1, 0, 0, 1, 0, 0, 0, 0]
        );
        assert_eq!(unescape(&[0, 3, 0, 0, 0, 3]), [0, 3, 0, 0, 0]);
    }
}
