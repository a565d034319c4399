//! Short-term reference picture sets, passed over.
//!
//! The length of a set that is predicted from another depends on how many pictures the other has,
//! so the pictures are kept, as differences of picture order count (POC).
//!
//! Spec: ITU-T H.265 §7.3.7, §7.4.8.

use super::super::bits::Bits;
use super::sps::within;

/// Most sets of an SPS (H.265 §7.4.3.2.1).
const MAX_SETS: u32 = 64;
/// Most pictures of a set: the size of the largest decoded picture buffer (H.265 §A.4.2).
const MAX_PICTURES: u32 = 16;
/// Largest difference from one picture to the next (H.265 §7.4.8).
const MAX_STEP: u32 = 1 << 15;
/// Range of a picture's difference from the current one (H.265 §7.4.8).
const DELTAS: std::ops::Range<i32> = -(1 << 15)..1 << 15;

/// `num_short_term_ref_pic_sets` and the sets.
pub(super) fn skip(bits: &mut Bits<'_>) -> Option<()> {
    let count = within(bits.ue()?, MAX_SETS)?;
    let mut previous: Option<Set> = None;
    for _ in 0..count {
        // In an SPS, a set is only ever predicted from the one before it.
        previous = Some(match previous {
            Some(previous) if bits.flag()? => previous.predict(bits)?,
            _ => Set::read(bits)?,
        });
    }
    Some(())
}

/// POC differences, at most [`MAX_PICTURES`] in all.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    /// Pictures before the current one, the nearest first: -1, -2, …
    before: Vec<i32>,
    /// Pictures after it, the nearest first.
    after: Vec<i32>,
}

impl Set {
    /// A set that states its pictures.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let before = bits.ue()?;
        let after = bits.ue()?;
        within(before.checked_add(after)?, MAX_PICTURES)?;
        Some(Self {
            before: read_deltas(bits, before, -1)?,
            after: read_deltas(bits, after, 1)?,
        })
    }

    /// A set that is this one, seen from another picture, with some pictures left out
    /// (H.265 equations 7-61 and 7-62).
    fn predict(&self, bits: &mut Bits<'_>) -> Option<Self> {
        let is_negative = bits.flag()?;
        let distance = i32::try_from(within(bits.ue()?, MAX_STEP - 1)? + 1).ok()?;
        let distance = if is_negative { -distance } else { distance };
        // One flag for each picture, and one for the picture that this set belongs to.
        let mut kept = Vec::new();
        for &delta in self.before.iter().chain(&self.after).chain(&[0]) {
            let is_used = bits.flag()?;
            // A picture that the current one does not use may stay for later ones.
            if is_used || bits.flag()? {
                kept.push(delta.checked_add(distance)?);
            }
        }
        kept.sort_unstable();
        let set = Self {
            before: kept
                .iter()
                .rev()
                .copied()
                .filter(|&delta| delta < 0)
                .collect(),
            after: kept.iter().copied().filter(|&delta| delta > 0).collect(),
        };
        let pictures = set.before.len() + set.after.len();
        let in_range = kept.iter().all(|delta| DELTAS.contains(delta));
        (in_range && pictures <= MAX_PICTURES as usize).then_some(set)
    }
}

/// `count` steps away from the current picture, to `side` -1 or 1.
fn read_deltas(bits: &mut Bits<'_>, count: u32, side: i32) -> Option<Vec<i32>> {
    let mut deltas = Vec::new();
    let mut delta = 0_i32;
    for _ in 0..count {
        let step = i32::try_from(within(bits.ue()?, MAX_STEP - 1)? + 1).ok()?;
        delta = delta.checked_add(side * step)?;
        if !DELTAS.contains(&delta) {
            return None;
        }
        deltas.push(delta);
        // Whether the current picture uses it.
        bits.skip(1)?;
    }
    Some(deltas)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::bit_writer::BitWriter;

    #[test]
    fn predicted_set_is_the_other_one_moved_with_what_is_kept() {
        let other = Set {
            before: vec![-1, -3],
            after: vec![2],
        };
        // One picture back; -1 is used, -3 goes, 2 stays unused, that set's own picture is used.
        let mut bits = BitWriter::default();
        bits.bits(1, 1);
        bits.ue(0);
        bits.bits(0b10_0011, 6);
        let expected = Set {
            before: vec![-1, -2],
            after: vec![1],
        };
        assert_eq!(other.predict(&mut Bits::new(&bits.bytes())), Some(expected));
    }

    #[test]
    fn picture_that_falls_on_the_current_one_is_in_neither_list() {
        let other = Set {
            before: vec![-1, -3],
            after: vec![2],
        };
        let mut bits = BitWriter::default();
        bits.bits(0, 1);
        bits.ue(0);
        bits.bits(0b1111, 4);
        let expected = Set {
            before: vec![-2],
            after: vec![1, 3],
        };
        assert_eq!(other.predict(&mut Bits::new(&bits.bytes())), Some(expected));
    }
}
