//! HEVCDecoderConfigurationRecord (hvcC) and the sequence parameter set in it.
//!
//! ```text
//! | 1 | space 2, tier 1, profile 5 | compatibility 32 | constraints 48 | level | … | byte 21: length size - 1 |
//! | array count | array: 1 bit complete, 1 bit 0, type 6 | u16 count | u16 length, NAL unit | … |
//! ```
//!
//! Spec: ISO/IEC 14496-15 §8.3.3.1 and annex E, ITU-T H.265 §7.3.2.2.

use bytes::Bytes;

use super::bits::{self, Bits};
use super::parameter_sets::{MAX_SET_BYTES, MAX_SETS, Record};
use super::{Error, VideoParams, contain, plausible_rate};
use crate::nal::h265 as nal;

/// Bytes before the arrays.
const HEADER: usize = 22;

/// A parsed HEVCDecoderConfigurationRecord.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// Size and rate of the first SPS.
    pub params: VideoParams,
    /// Bytes of each NAL unit's length prefix: 1, 2 or 4.
    pub nal_length_size: u8,
    /// `general_profile_space`: 0, or 1–3 for A–C.
    pub profile_space: u8,
    /// `general_tier_flag`: whether it is the high tier.
    pub high_tier: bool,
    /// `general_profile_idc`: 1 Main, 2 Main 10.
    pub profile: u8,
    /// `general_profile_compatibility_flag[0]` in the most significant bit.
    pub compatibility: u32,
    /// The six bytes of constraint flags behind the compatibility flags.
    pub constraints: [u8; 6],
    /// `general_level_idc`: thirty times the level.
    pub level: u8,
    /// Video parameter sets, without start code or length. Slices of `raw`.
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets; at least one. Slices of `raw`.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets. Slices of `raw`.
    pub pps: Vec<Bytes>,
}

impl Config {
    /// Parses an HEVCDecoderConfigurationRecord. SEI arrays are kept in `raw` only.
    ///
    /// # Errors
    /// [`Error`] when the record is cut off, of another version, has no SPS, or the size cannot be
    /// read from its first SPS.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let mut reader = Record::new("hvcC", &raw, 0);
        let [
            version,
            profile,
            c0,
            c1,
            c2,
            c3,
            f0,
            f1,
            f2,
            f3,
            f4,
            f5,
            level,
        ] = reader.array()?;
        let [.., last] = reader.array::<{ HEADER - 13 }>()?;
        // Some encoders of the time before the final standard wrote 0.
        if version > 1 {
            return Err(Error::new("hvcC", 0, format!("version {version}, not 1")));
        }
        let nal_length_size = (last & 3) + 1;
        if nal_length_size == 3 {
            return Err(Error::new("hvcC", HEADER - 1, "NAL length size 3"));
        }
        let (mut vps, mut sps, mut pps) = (Vec::new(), Vec::new(), Vec::new());
        let [arrays] = reader.array()?;
        if usize::from(arrays) > MAX_SETS {
            return Err(reader.error("more than 32 arrays"));
        }
        for _ in 0..arrays {
            let [kind, n0, n1] = reader.array()?;
            for _ in 0..u16::from_be_bytes([n0, n1]) {
                let set = reader.set()?;
                match kind & 0x3f {
                    nal::VPS => vps.push(set),
                    nal::SPS => sps.push(set),
                    nal::PPS => pps.push(set),
                    _ => {}
                }
            }
        }
        let Some(first) = sps.first() else {
            return Err(Error::new("hvcC", HEADER, "no sequence parameter set"));
        };
        let params = sps_params(first)?;
        Ok(Self {
            params,
            nal_length_size,
            profile_space: profile >> 6,
            high_tier: profile & 0x20 != 0,
            profile: profile & 0x1f,
            compatibility: u32::from_be_bytes([c0, c1, c2, c3]),
            constraints: [f0, f1, f2, f3, f4, f5],
            level,
            vps,
            sps,
            pps,
            raw,
        })
    }

    /// `hvc1.1.6.L93.90` (ISO/IEC 14496-15 §E.3).
    #[must_use]
    pub fn codec_string(&self) -> String {
        let space = match self.profile_space {
            1 => "A",
            2 => "B",
            3 => "C",
            _ => "",
        };
        let tier = if self.high_tier { 'H' } else { 'L' };
        let mut text = format!(
            "hvc1.{space}{}.{:X}.{tier}{}",
            self.profile,
            self.compatibility.reverse_bits(),
            self.level
        );
        let used = self.constraints.iter().rposition(|&byte| byte != 0);
        for byte in self
            .constraints
            .iter()
            .take(used.map_or(0, |last| last + 1))
        {
            text.push_str(&format!(".{byte:X}"));
        }
        text
    }

    /// Profile and level as people write them: `Main@3.1`, `Main 10@5.1 high tier`.
    #[must_use]
    pub fn profile_level(&self) -> String {
        let profile = match self.profile {
            1 => "Main",
            2 => "Main 10",
            3 => "Main Still Picture",
            4 => "Rext",
            9 => "SCC",
            other => return format!("profile {other}@{}", self.level_text()),
        };
        format!("{profile}@{}", self.level_text())
    }

    fn level_text(&self) -> String {
        let tier = if self.high_tier { " high tier" } else { "" };
        format!("{}.{}{tier}", self.level / 30, self.level % 30 / 3)
    }
}

/// Size and rate of an SPS NAL unit.
fn sps_params(set: &[u8]) -> Result<VideoParams, Error> {
    if set.len() > MAX_SET_BYTES {
        return Err(Error::new("SPS", 0, "more than 4096 bytes"));
    }
    if nal::kind(set) != Some(nal::SPS) {
        return Err(Error::new("SPS", 0, "not a sequence parameter set"));
    }
    let rbsp = bits::unescape(set.get(2..).unwrap_or_default());
    let mut reader = Bits::new(&rbsp);
    let head = SpsHead::read(&mut reader)
        .ok_or_else(|| Error::new("SPS", 2 + reader.byte_offset(), "cut off"))?;
    let (width, height) = head
        .size()
        .ok_or_else(|| Error::new("SPS", 2, "cropped to nothing, or larger than 65535"))?;
    Ok(VideoParams {
        width,
        height,
        frame_rate: if head.is_sane { frame_rate(set) } else { None },
    })
}

/// An SPS up to the block sizes; what follows is long, and wanted for the frame rate only.
struct SpsHead {
    chroma_format: u32,
    width: u32,
    height: u32,
    /// Left, right, top, bottom, in chroma units.
    window: [u32; 4],
    /// Whether the values are in their ranges, so that arithmetic on them cannot overflow.
    is_sane: bool,
}

impl SpsHead {
    /// ITU-T H.265 §7.3.2.2.1; `None` at the end of the bits.
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        bits.skip(4)?;
        let max_sub_layers = bits.read(3)?;
        bits.skip(1)?;
        skip_profile_tier_level(bits, max_sub_layers)?;
        bits.ue()?;
        let chroma_format = bits.ue()?;
        if chroma_format == 3 {
            bits.skip(1)?;
        }
        let width = bits.ue()?;
        let height = bits.ue()?;
        let mut window = [0; 4];
        if bits.flag()? {
            for side in &mut window {
                *side = bits.ue()?;
            }
        }
        let depths = [bits.ue()?, bits.ue()?];
        let poc = bits.ue()?;
        let layers = if bits.flag()? { max_sub_layers + 1 } else { 1 };
        let mut buffering = 0;
        for _ in 0..layers {
            buffering = buffering.max(bits.ue()?);
            bits.ue()?;
            bits.ue()?;
        }
        let [
            min_block,
            more_block,
            min_transform,
            more_transform,
            inter,
            intra,
        ] = [
            bits.ue()?,
            bits.ue()?,
            bits.ue()?,
            bits.ue()?,
            bits.ue()?,
            bits.ue()?,
        ];
        let is_sane = depths.iter().all(|&depth| depth <= 8)
            && poc <= 12
            && buffering <= 15
            && min_block <= 3
            && more_block <= 3
            && more_transform <= 3
            && min_transform + 2 < min_block + 3
            && inter <= 4
            && intra <= 4;
        Some(Self {
            chroma_format,
            width,
            height,
            window,
            is_sane,
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
fn skip_profile_tier_level(bits: &mut Bits<'_>, max_sub_layers: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut present = Vec::with_capacity(8);
    for _ in 0..max_sub_layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if max_sub_layers > 0 {
        for _ in max_sub_layers..8 {
            bits.skip(2)?;
        }
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// The rate that the video usability information states, when the SPS can be parsed so far.
///
/// The parser is stricter than players are: what it refuses has a size, but no rate.
fn frame_rate(set: &[u8]) -> Option<(u32, u32)> {
    let sps = contain(|| scuffle_h265::SpsNALUnit::parse(set).ok())??;
    let timing = sps.rbsp.vui_parameters?.vui_timing_info?;
    plausible_rate(
        timing.time_scale.get().into(),
        timing.num_units_in_tick.get().into(),
    )
}
