//! Writes bits, for the tests of what reads them.

/// Bits, most significant first.
#[derive(Default)]
pub(super) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    /// The lowest `count` bits of `value`.
    pub(super) fn bits(&mut self, value: u64, count: usize) {
        self.bits
            .extend((0..count).rev().map(|at| value >> at & 1 == 1));
    }

    /// An unsigned Exp-Golomb code (ITU-T H.264 §9.1); `uvlc` of AV1 §4.10.3 is the same.
    pub(super) fn ue(&mut self, value: u64) {
        let len = (value + 1).ilog2() as usize;
        self.bits(0, len);
        self.bits(value + 1, len + 1);
    }

    /// The bytes; zeros fill up the last one.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        let byte = |bits: &[bool]| bits.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit));
        self.bits.chunks(8).map(byte).collect()
    }

    /// The bytes of a NAL unit, with emulation prevention (ITU-T H.264 §7.3.1).
    pub(super) fn escaped(self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut zeros = 0;
        for byte in self.bytes() {
            if zeros >= 2 && byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            out.push(byte);
        }
        out
    }
}
