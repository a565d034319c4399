//! The sequence header OBU up to its colours.
//!
//! ```text
//! | profile 3, still 1, reduced 1 | [ timing [ decoder model ] ] | operating points | size | tools | colours | …
//! ```
//!
//! Spec: AV1 §5.5 (syntax), §6.4 (meaning).

use super::super::bits::Bits;
use super::super::{VideoParams, plausible_rate};

const CUT_OFF: &str = "cut off";

/// What is wanted of a sequence header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SequenceHeader {
    /// `seq_profile`: 0–2.
    pub(super) profile: u8,
    /// `seq_level_idx[0]`.
    pub(super) level: u8,
    /// `seq_tier[0]`.
    pub(super) high_tier: bool,
    pub(super) params: VideoParams,
    pub(super) color: ColorConfig,
}

/// AV1 §5.5.2.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColorConfig {
    /// 8, 10 or 12.
    pub(super) bit_depth: u8,
    pub(super) monochrome: bool,
    /// Bit 3 horizontal, bit 2 vertical subsampling, bits 1 and 0 the sample position: as in av1C.
    pub(super) chroma: u8,
    /// Primaries, transfer, matrix and full range; `None` when all is left open.
    pub(super) description: Option<(u8, u8, u8, bool)>,
}

impl SequenceHeader {
    /// Reads a sequence header OBU's payload. The error says what is wrong.
    pub(super) fn read(payload: &[u8]) -> Result<Self, &'static str> {
        let mut bits = Bits::new(payload);
        let profile = bits.small(3).ok_or(CUT_OFF)?;
        if profile > 2 {
            return Err("reserved profile");
        }
        let is_still = bits.flag().ok_or(CUT_OFF)?;
        let is_reduced = bits.flag().ok_or(CUT_OFF)?;
        if is_reduced && !is_still {
            return Err("reduced header of a picture that is not still");
        }
        Self::read_rest(&mut bits, profile, is_reduced).ok_or(CUT_OFF)
    }

    /// AV1 §5.5.1 behind `reduced_still_picture_header`; `None` at the end of the bits.
    fn read_rest(bits: &mut Bits<'_>, profile: u8, is_reduced: bool) -> Option<Self> {
        let (point, frame_rate) = if is_reduced {
            let level = bits.small(5)?;
            let high_tier = false;
            (OperatingPoint { level, high_tier }, None)
        } else {
            timing_and_points(bits)?
        };
        let width_bits = bits.read(4)? as usize + 1;
        let height_bits = bits.read(4)? as usize + 1;
        let width = bits.read(width_bits)? + 1;
        let height = bits.read(height_bits)? + 1;
        // Frame ids: how long they and their differences are.
        if !is_reduced && bits.flag()? {
            bits.skip(4 + 3)?;
        }
        // Superblocks of 128, intra filter, intra edge filter.
        bits.skip(3)?;
        if !is_reduced {
            skip_inter_tools(bits)?;
        }
        // Super resolution, directional enhancement, loop restoration.
        bits.skip(3)?;
        Some(Self {
            profile,
            level: point.level,
            high_tier: point.high_tier,
            params: VideoParams {
                width,
                height,
                frame_rate,
            },
            color: ColorConfig::read(bits, profile)?,
        })
    }
}

/// The first one is for the whole stream.
struct OperatingPoint {
    level: u8,
    high_tier: bool,
}

/// From `timing_info_present_flag` to the last operating point: the first point and the frame rate.
fn timing_and_points(bits: &mut Bits<'_>) -> Option<(OperatingPoint, Option<(u32, u32)>)> {
    let mut frame_rate = None;
    // Bits of each delay, when there is a decoder model.
    let mut delay_bits = None;
    if bits.flag()? {
        frame_rate = timing_info(bits)?;
        if bits.flag()? {
            delay_bits = Some(bits.read(5)? as usize + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let has_display_delay = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.read(5)? {
        bits.skip(12)?;
        let level = bits.small(5)?;
        let high_tier = level > 7 && bits.flag()?;
        if let Some(delay) = delay_bits
            && bits.flag()?
        {
            bits.skip(delay + delay + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
        first.get_or_insert(OperatingPoint { level, high_tier });
    }
    Some((first?, frame_rate))
}

/// AV1 §5.5.3: the rate, when every picture is shown equally long. The outer `None` is the end of
/// the bits.
fn timing_info(bits: &mut Bits<'_>) -> Option<Option<(u32, u32)>> {
    let units_in_tick = u64::from(bits.read(32)?);
    let time_scale = bits.read(32)?;
    if !bits.flag()? {
        return Some(None);
    }
    let ticks = u64::from(bits.ue()?) + 1;
    let units = units_in_tick.checked_mul(ticks);
    Some(units.and_then(|units| plausible_rate(time_scale.into(), units)))
}

/// The tools that a still picture cannot have: from `enable_interintra_compound` to
/// `order_hint_bits_minus_1`.
fn skip_inter_tools(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4)?;
    let has_order_hint = bits.flag()?;
    if has_order_hint {
        bits.skip(2)?;
    }
    // Screen content tools: chosen by each picture, or always, or never; only if not never may
    // motion vectors be integers: chosen by each picture, or stated here.
    let by_picture = bits.flag()?;
    if (by_picture || bits.flag()?) && !bits.flag()? {
        bits.skip(1)?;
    }
    if has_order_hint {
        bits.skip(3)?;
    }
    Some(())
}

impl ColorConfig {
    /// AV1 §5.5.2, up to the sample position. Numbers of ITU-T H.273.
    fn read(bits: &mut Bits<'_>, profile: u8) -> Option<Self> {
        const UNSPECIFIED: u8 = 2;
        // BT.709 primaries, sRGB transfer, identity matrix: always full range 4:4:4.
        const SRGB: (u8, u8, u8) = (1, 13, 0);

        let is_deep = bits.flag()?;
        let bit_depth = match is_deep {
            true if profile == 2 && bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        let monochrome = profile != 1 && bits.flag()?;
        let mut numbers = (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED);
        if bits.flag()? {
            numbers = (bits.small(8)?, bits.small(8)?, bits.small(8)?);
        }
        let is_srgb = !monochrome && numbers == SRGB;
        let full_range = is_srgb || bits.flag()?;
        let (x, y) = match profile {
            _ if monochrome => (true, true),
            _ if is_srgb => (false, false),
            0 => (true, true),
            1 => (false, false),
            _ if bit_depth == 12 => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        let position = if x && y && !monochrome {
            bits.small(2)?
        } else {
            0
        };
        let (primaries, transfer, matrix) = numbers;
        let is_open = numbers == (UNSPECIFIED, UNSPECIFIED, UNSPECIFIED) && !full_range;
        Some(Self {
            bit_depth,
            monochrome,
            chroma: u8::from(x) << 3 | u8::from(y) << 2 | position,
            description: (!is_open).then_some((primaries, transfer, matrix, full_range)),
        })
    }
}
