//! HEVCDecoderConfigurationRecord (hvcC); the sequence parameter set in it: `sps.rs`.
//!
//! ```text
//! | 1 | space 2, tier 1, profile 5 | compatibility 32 | constraints 48 | level | … | byte 21: length size - 1 |
//! | array count | array: 1 bit complete, 1 bit 0, type 6 | u16 count | u16 length, NAL unit | … |
//! ```
//!
//! Spec: ISO/IEC 14496-15 §8.3.3.1 and annex E.

use bytes::Bytes;

use super::parameter_sets::{MAX_SETS, Record};
use super::{Error, VideoParams};
use crate::nal::h265 as nal;

mod ref_pic_sets;
mod scaling_lists;
mod sps;

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
        let params = sps::video_params(first)?;
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

#[cfg(test)]
mod tests;
