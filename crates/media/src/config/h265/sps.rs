//! The sequence parameter set: size in front, frame rate far behind it.
//!
//! ```text
//! | sub-layers | profile, tier, level | chroma | size | cropping | bit depths | POC bits | buffering | block sizes |
//! [ scaling lists ] | tools | [ PCM ] | short-term sets | [ long-term pictures ] | [ VUI: …, timing ]
//! ```
//!
//! Every field up to the timing has to be passed over, but players need only the size: what goes
//! wrong behind the cropping costs the frame rate and nothing else. Every count is checked against
//! its range before it is used.
//!
//! Spec: ITU-T H.265 §7.3.2.2, §7.4.3.2, §7.3.3; VUI: §E.2.1.

use super::super::bits::{self, Bits};
use super::super::parameter_sets::MAX_SET_BYTES;
use super::super::{Error, VideoParams, plausible_rate};
use super::{ref_pic_sets, scaling_lists};
use crate::nal::h265 as nal;

/// Size and rate of an SPS NAL unit.
pub(super) fn video_params(set: &[u8]) -> Result<VideoParams, Error> {
    if set.len() > MAX_SET_BYTES {
        return Err(Error::new("SPS", 0, "more than 4096 bytes"));
    }
    if nal::kind(set) != Some(nal::SPS) {
        return Err(Error::new("SPS", 0, "not a sequence parameter set"));
    }
    let rbsp = bits::unescape(set.get(2..).unwrap_or_default());
    let mut reader = Bits::new(&rbsp);
    let head = Head::read(&mut reader)
        .ok_or_else(|| Error::new("SPS", set.len().min(2 + reader.byte_offset()), "cut off"))?;
    let (width, height) = head
        .size()
        .ok_or_else(|| Error::new("SPS", 2, "cropped to nothing, or larger than 65535"))?;
    Ok(VideoParams {
        width,
        height,
        frame_rate: frame_rate(&head, &mut reader),
    })
}

/// An SPS up to the conformance window.
struct Head {
    /// `sps_max_sub_layers_minus1`: 0–7.
    more_sub_layers: u32,
    /// `chroma_format_idc`: 0 none, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    chroma_format: u32,
    width: u32,
    height: u32,
    /// Left, right, top, bottom, in chroma units.
    window: [u32; 4],
}

impl Head {
    /// H.265 §7.3.2.2.1; `None` at the end of the bits.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        bits.skip(4)?;
        let more_sub_layers = bits.read(3)?;
        bits.skip(1)?;
        skip_profile_tier_level(bits, more_sub_layers)?;
        bits.ue()?;
        let chroma_format = bits.ue()?;
        if chroma_format == 3 {
            bits.skip(1)?;
        }
        let (width, height) = (bits.ue()?, bits.ue()?);
        let mut window = [0; 4];
        if bits.flag()? {
            for side in &mut window {
                *side = bits.ue()?;
            }
        }
        Some(Self {
            more_sub_layers,
            chroma_format,
            width,
            height,
            window,
        })
    }

    /// After the conformance window (H.265 §7.4.3.2.1).
    fn size(&self) -> Option<(u32, u32)> {
        let (unit_x, unit_y) = match self.chroma_format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] = self.window;
        let crop = |size: u32, unit: u32, a: u32, b: u32| {
            let cropped = size.checked_sub(a.checked_add(b)?.checked_mul(unit)?)?;
            (1..=65_535).contains(&cropped).then_some(cropped)
        };
        Some((
            crop(self.width, unit_x, left, right)?,
            crop(self.height, unit_y, top, bottom)?,
        ))
    }
}

/// H.265 §7.3.3.
fn skip_profile_tier_level(bits: &mut Bits<'_>, more_sub_layers: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut present = Vec::with_capacity(8);
    for _ in 0..more_sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if more_sub_layers > 0 {
        for _ in more_sub_layers..8 {
            bits.skip(2)?;
        }
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// The rate that the video usability information states; `None` when there is none, the bits end
/// before it, or a value on the way is out of its range.
fn frame_rate(head: &Head, bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    if head.chroma_format > 3 {
        return None;
    }
    for _depth in 0..2 {
        within(bits.ue()?, 8)?;
    }
    let poc_bits = within(bits.ue()?, 12)? as usize + 4;
    let per_sub_layer = bits.flag()?;
    let sub_layers = if per_sub_layer {
        head.more_sub_layers + 1
    } else {
        1
    };
    for _ in 0..sub_layers {
        // Pictures kept, pictures reordered, latency.
        within(bits.ue()?, 15)?;
        within(bits.ue()?, 15)?;
        bits.ue()?;
    }
    // Coding and transform blocks: smallest, how many sizes more.
    for _ in 0..4 {
        within(bits.ue()?, 3)?;
    }
    // Depth of the transform tree in inter and in intra blocks.
    for _ in 0..2 {
        within(bits.ue()?, 4)?;
    }
    // Whether there is scaling, and by lists of its own rather than the default ones.
    if bits.flag()? && bits.flag()? {
        scaling_lists::skip(bits)?;
    }
    // Asymmetric partitions, sample adaptive offset.
    bits.skip(2)?;
    if bits.flag()? {
        skip_pcm(bits)?;
    }
    ref_pic_sets::skip(bits)?;
    if bits.flag()? {
        for _ in 0..within(bits.ue()?, 32)? {
            bits.skip(poc_bits + 1)?;
        }
    }
    // Temporal motion vector prediction, strong intra smoothing.
    bits.skip(2)?;
    let has_vui = bits.flag()?;
    if has_vui { vui_rate(bits) } else { None }
}

/// The PCM part of H.265 §7.3.2.2.1.
fn skip_pcm(bits: &mut Bits<'_>) -> Option<()> {
    bits.skip(4 + 4)?;
    within(bits.ue()?, 2)?;
    within(bits.ue()?, 2)?;
    bits.skip(1)
}

/// The timing in vui_parameters (H.265 §E.2.1), as pictures per second.
fn vui_rate(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    const EXTENDED_SAR: u32 = 255;
    if bits.flag()? && bits.read(8)? == EXTENDED_SAR {
        bits.skip(16 + 16)?;
    }
    // Overscan.
    if bits.flag()? {
        bits.skip(1)?;
    }
    // Video signal type, and the colour description in it.
    if bits.flag()? {
        bits.skip(3 + 1)?;
        if bits.flag()? {
            bits.skip(8 + 8 + 8)?;
        }
    }
    // Where the chroma samples are, in both fields.
    if bits.flag()? {
        within(bits.ue()?, 5)?;
        within(bits.ue()?, 5)?;
    }
    // Neutral chroma, fields as pictures, field information in SEI.
    bits.skip(3)?;
    // Default display window.
    if bits.flag()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    if !bits.flag()? {
        return None;
    }
    let units_in_tick = bits.read(32)?;
    let time_scale = bits.read(32)?;
    plausible_rate(time_scale.into(), units_in_tick.into())
}

/// `value`, when it is at most `max`.
pub(super) fn within(value: u32, max: u32) -> Option<u32> {
    (value <= max).then_some(value)
}
