//! AVCDecoderConfigurationRecord (avcC) and the sequence parameter set in it.
//!
//! ```text
//! | 1 | profile | constraints | level | 6 bits 1, length size - 1 | 3 bits 1, SPS count |
//! | u16 length, SPS | … | PPS count | u16 length, PPS | … | [chroma format, bit depths, SPS extensions]
//! ```
//!
//! The SPS is read by `h264-reader`, which checks every value before it calculates with it.
//!
//! Spec: ISO/IEC 14496-15 §5.3.3.1, ITU-T H.264 §7.3.2.1.1 and annex E.

use bytes::Bytes;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::rbsp::BitReader;

use super::parameter_sets::{MAX_SET_BYTES, Record};
use super::{Error, VideoParams, bits, plausible_rate};
use crate::nal::h264 as nal;

mod slices;
pub use slices::SliceHeaders;

/// A parsed AVCDecoderConfigurationRecord.
#[derive(Clone, Debug)]
pub struct Config {
    /// The record as it came, a copy.
    pub raw: Bytes,
    /// Size and rate of the first SPS.
    pub params: VideoParams,
    /// Bytes of each NAL unit's length prefix: 1, 2 or 4.
    pub nal_length_size: u8,
    /// `profile_idc`, as the first SPS says it.
    pub profile: u8,
    /// The six constraint flags and two reserved bits behind `profile_idc`.
    pub constraints: u8,
    /// `level_idc`: ten times the level, 11 with constraint flag 3 may mean 1b.
    pub level: u8,
    /// Sequence parameter sets, without start code or length; at least one. Slices of `raw`.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets; may be empty. Slices of `raw`.
    pub pps: Vec<Bytes>,
}

impl Config {
    /// Parses an AVCDecoderConfigurationRecord. What follows the picture parameter sets is kept in
    /// `raw` and not looked at.
    ///
    /// # Errors
    /// [`Error`] when the record is cut off, of another version, has no SPS, or its first SPS
    /// cannot be parsed.
    pub fn parse(record: &[u8]) -> Result<Self, Error> {
        let raw = Bytes::copy_from_slice(record);
        let mut reader = Record::new("avcC", &raw, 0);
        let [version, _, _, _, length_size, sps_count] = reader.array()?;
        if version != 1 {
            return Err(Error::new("avcC", 0, format!("version {version}, not 1")));
        }
        let nal_length_size = (length_size & 3) + 1;
        if nal_length_size == 3 {
            return Err(Error::new("avcC", 4, "NAL length size 3"));
        }
        let mut sps = Vec::new();
        for _ in 0..sps_count & 0x1f {
            sps.push(reader.set()?);
        }
        let Some(first) = sps.first() else {
            return Err(Error::new("avcC", 5, "no sequence parameter set"));
        };
        // 6 bytes of header and 2 of length before it.
        let parsed = Sps::parse(first).map_err(|why| Error::new("SPS", 8, why))?;
        let mut pps = Vec::new();
        let [pps_count] = reader.array()?;
        for _ in 0..pps_count {
            pps.push(reader.set()?);
        }
        Ok(Self {
            params: parsed.params,
            nal_length_size,
            profile: parsed.profile,
            constraints: parsed.constraints,
            level: parsed.level,
            sps,
            pps,
            raw,
        })
    }

    /// `avc1.PPCCLL` (RFC 6381 §3.3), of the first SPS.
    #[must_use]
    pub fn codec_string(&self) -> String {
        format!(
            "avc1.{:02x}{:02x}{:02x}",
            self.profile, self.constraints, self.level
        )
    }

    /// Profile and level as people write them: `High@4.0`, `Constrained Baseline@3.1`.
    #[must_use]
    pub fn profile_level(&self) -> String {
        let set = |flag: u8| self.constraints & (0x80 >> flag) != 0;
        let profile = match self.profile {
            44 => "CAVLC 4:4:4 Intra",
            66 if set(1) => "Constrained Baseline",
            66 => "Baseline",
            77 => "Main",
            88 => "Extended",
            100 if set(4) && set(5) => "Constrained High",
            100 => "High",
            110 if set(3) => "High 10 Intra",
            110 => "High 10",
            122 if set(3) => "High 4:2:2 Intra",
            122 => "High 4:2:2",
            244 if set(3) => "High 4:4:4 Intra",
            244 => "High 4:4:4 Predictive",
            118 => "Multiview High",
            128 => "Stereo High",
            other => return format!("profile {other}@{}", self.level_text()),
        };
        format!("{profile}@{}", self.level_text())
    }

    fn level_text(&self) -> String {
        let is_1b = self.level == 9
            || self.level == 11
                && self.constraints & 0x10 != 0
                && matches!(self.profile, 66 | 77 | 88);
        if is_1b {
            return "1b".to_owned();
        }
        format!("{}.{}", self.level / 10, self.level % 10)
    }
}

/// What is wanted of a sequence parameter set.
struct Sps {
    profile: u8,
    constraints: u8,
    level: u8,
    params: VideoParams,
}

impl Sps {
    /// Parses an SPS NAL unit.
    fn parse(nal: &[u8]) -> Result<Self, String> {
        let ([profile, constraints, level], sps) = read_sps(nal)?;
        let (width, height) = sps
            .pixel_dimensions()
            .map_err(|error| format!("{error:?}"))?;
        let timing = sps.vui_parameters.and_then(|vui| vui.timing_info);
        Ok(Self {
            profile,
            constraints,
            level,
            params: VideoParams {
                width,
                height,
                // A frame has two ticks, one for each field (H.264 §E.2.1).
                frame_rate: timing.and_then(|timing| {
                    let rate = plausible_rate(
                        timing.time_scale.into(),
                        2 * u64::from(timing.num_units_in_tick),
                    )?;
                    // Without the flag the "rate" may be a mere clock: x264 writes 1 kHz for FLV.
                    let is_clock = !timing.fixed_frame_rate_flag && rate.0 / rate.1 > 240;
                    (!is_clock).then_some(rate)
                }),
            },
        })
    }
}

/// Profile, constraints and level of an SPS NAL unit as it says them, and what is in it.
fn read_sps(nal: &[u8]) -> Result<([u8; 3], SeqParameterSet), String> {
    if nal.len() > MAX_SET_BYTES {
        return Err("more than 4096 bytes".to_owned());
    }
    if nal::kind(nal) != Some(nal::SPS) {
        return Err("not a sequence parameter set".to_owned());
    }
    let mut rbsp = bits::unescape(nal.get(1..).unwrap_or_default());
    let Some(&said) = rbsp.first_chunk() else {
        return Err("cut off".to_owned());
    };
    // The parser refuses pictures beyond the stated level, and encoders in the field state
    // levels that are too low; no level has the number 255, so it checks nothing.
    if let Some(byte) = rbsp.get_mut(2) {
        *byte = u8::MAX;
    }
    // cabac_zero_words and padding behind the stop bit.
    while rbsp.last() == Some(&0) {
        rbsp.pop();
    }
    let sps = SeqParameterSet::from_bits(BitReader::new(rbsp.as_slice()))
        .map_err(|error| format!("{error:?}"))?;
    Ok((said, sps))
}
