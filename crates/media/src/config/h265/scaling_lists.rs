//! Scaling lists, passed over.
//!
//! Spec: ITU-T H.265 §7.3.4, §7.4.5.

use super::super::bits::Bits;
use super::sps::within;

/// `scaling_list_data`: six lists for each of three block sizes, two for the largest.
pub(super) fn skip(bits: &mut Bits<'_>) -> Option<()> {
    for (coefficients, lists, has_dc) in
        [(16, 6, false), (64, 6, false), (64, 6, true), (64, 2, true)]
    {
        for list in 0..lists {
            let is_own = bits.flag()?;
            if !is_own {
                // How many lists back the one is that it equals; 0: the default.
                within(bits.ue()?, list)?;
                continue;
            }
            // Signed codes, which are twice the value: -7–247 for DC, -128–127 for each step.
            if has_dc {
                within(bits.ue()?, 493)?;
            }
            for _ in 0..coefficients {
                within(bits.ue()?, 256)?;
            }
        }
    }
    Some(())
}
