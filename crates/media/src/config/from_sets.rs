//! avcC and hvcC built of parameter sets, for containers that carry these in the bitstream.
//!
//! Spec: ISO/IEC 14496-15 §5.3.3.1 (avcC), §8.3.3.1 (hvcC); the fields that both records repeat are
//! read from the first SPS (ITU-T H.264 §7.3.2.1.1, ITU-T H.265 §7.3.2.2.1).

use bytes::{BufMut, Bytes};

use super::bits::{Bits, unescape};
use super::parameter_sets::{MAX_SET_BYTES, MAX_SETS};
use super::{Error, h264, h265};
use crate::nal;

/// Profiles whose SPS and avcC say chroma format and bit depths.
const HIGH_PROFILES: [u8; 4] = [100, 110, 122, 144];
/// Profiles whose SPS says them, and whose avcC does not (H.264 §7.3.2.1.1).
const OTHER_PROFILES: [u8; 9] = [44, 83, 86, 118, 128, 134, 135, 138, 139];

impl h264::Config {
    /// The configuration of a stream with these sets (NAL units without start code or length),
    /// for units with length prefixes of 4 bytes.
    ///
    /// # Errors
    /// [`Error`] as from [`h264::Config::parse`]; also for more than 31 SPS, or a set of more than
    /// 4096 bytes.
    pub fn from_sets(sps: &[Bytes], pps: &[Bytes]) -> Result<Self, Error> {
        let fail = |why: &str| Error::new("avcC", 0, why);
        check(sps.iter().chain(pps)).map_err(fail)?;
        let (Ok(sps_count), Ok(pps_count)) = (u8::try_from(sps.len()), u8::try_from(pps.len()))
        else {
            return Err(fail("too many parameter sets"));
        };
        let Some(&[_, profile, constraints, level]) = sps.first().and_then(|sps| sps.first_chunk())
        else {
            return Err(fail("no sequence parameter set"));
        };
        if sps_count > 31 {
            return Err(fail("more than 31 sequence parameter sets"));
        }
        let mut record = vec![1, profile, constraints, level, 0xff, 0xe0 | sps_count];
        put_sets(sps, &mut record);
        record.push(pps_count);
        put_sets(pps, &mut record);
        if HIGH_PROFILES.contains(&profile) || profile == 244 {
            let [chroma, luma_depth, chroma_depth] = sps
                .first()
                .and_then(|sps| h264_formats(sps))
                .unwrap_or([1, 0, 0]);
            // No SPS extension.
            record.extend([0xfc | chroma, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
        }
        Self::parse(&record)
    }
}

impl h265::Config {
    /// The configuration of a stream with these sets (NAL units without start code or length),
    /// for units with length prefixes of 4 bytes. The arrays are marked complete.
    ///
    /// # Errors
    /// [`Error`] as from [`h265::Config::parse`]; also for a set of more than 4096 bytes.
    pub fn from_sets(vps: &[Bytes], sps: &[Bytes], pps: &[Bytes]) -> Result<Self, Error> {
        let fail = |why: &str| Error::new("hvcC", 0, why);
        check(vps.iter().chain(sps).chain(pps)).map_err(fail)?;
        let head = sps
            .first()
            .and_then(|sps| H265Head::read(sps))
            .ok_or_else(|| fail("no sequence parameter set that can be read"))?;
        let mut record = vec![1];
        record.extend(head.profile_tier_level);
        // Reserved bits are ones; no minimum segmentation, parallelism and frame rate unknown.
        record.extend([0xf0, 0, 0xfc, 0xfc | head.chroma_format]);
        record.extend([0xf8 | head.luma_depth, 0xf8 | head.chroma_depth, 0, 0]);
        record.push((head.sub_layers << 3) | (u8::from(head.nested) << 2) | 3);
        let arrays = [
            (nal::h265::VPS, vps),
            (nal::h265::SPS, sps),
            (nal::h265::PPS, pps),
        ];
        let present = arrays.iter().filter(|(_, sets)| !sets.is_empty());
        record.push(u8::try_from(present.clone().count()).unwrap_or(3));
        for (kind, sets) in present {
            record.put_u8(0x80 | kind);
            record.put_u16(u16::try_from(sets.len()).unwrap_or(u16::MAX));
            put_sets(sets, &mut record);
        }
        Self::parse(&record)
    }
}

fn check<'a>(sets: impl Iterator<Item = &'a Bytes>) -> Result<(), &'static str> {
    let mut count = 0;
    for set in sets {
        count += 1;
        if set.len() > MAX_SET_BYTES {
            return Err("parameter set of more than 4096 bytes");
        }
    }
    if count > MAX_SETS {
        return Err("more than 32 parameter sets");
    }
    Ok(())
}

/// Each set behind its length; [`check`] was there before.
fn put_sets(sets: &[Bytes], record: &mut Vec<u8>) {
    for set in sets {
        record.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
        record.extend_from_slice(set);
    }
}

/// `chroma_format_idc` and the bit depths beyond 8 of luma and chroma (H.264 §7.3.2.1.1).
fn h264_formats(sps: &[u8]) -> Option<[u8; 3]> {
    let rbsp = unescape(sps.get(1..)?);
    let mut bits = Bits::new(&rbsp);
    let profile = bits.small(8)?;
    bits.skip(16)?;
    bits.ue()?;
    if !HIGH_PROFILES.contains(&profile) && !OTHER_PROFILES.contains(&profile) && profile != 244 {
        return None;
    }
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let formats = [chroma, bits.ue()?, bits.ue()?];
    let small = |value: u32| u8::try_from(value).ok();
    let [chroma, luma_depth, chroma_depth] = formats;
    (chroma <= 3 && luma_depth <= 7 && chroma_depth <= 7).then_some([
        small(chroma)?,
        small(luma_depth)?,
        small(chroma_depth)?,
    ])
}

/// What hvcC repeats of an SPS.
struct H265Head {
    /// Space, tier, profile; compatibility 4 bytes, constraints 6, level.
    profile_tier_level: [u8; 12],
    sub_layers: u8,
    nested: bool,
    chroma_format: u8,
    luma_depth: u8,
    chroma_depth: u8,
}

impl H265Head {
    /// ITU-T H.265 §7.3.2.2.1 and §7.3.3.
    fn read(sps: &[u8]) -> Option<Self> {
        let rbsp = unescape(sps.get(2..)?);
        let profile_tier_level = *rbsp.get(1..)?.first_chunk()?;
        let mut bits = Bits::new(&rbsp);
        bits.skip(4)?;
        let max_sub_layers = bits.small(3)?;
        let nested = bits.flag()?;
        bits.skip(96)?;
        let mut present = [(false, false); 8];
        for layer in present.iter_mut().take(max_sub_layers.into()) {
            *layer = (bits.flag()?, bits.flag()?);
        }
        if max_sub_layers > 0 {
            bits.skip(2 * usize::from(8 - max_sub_layers))?;
        }
        for (profile, level) in present {
            bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
        }
        bits.ue()?;
        let chroma = bits.ue()?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        bits.ue()?;
        bits.ue()?;
        if bits.flag()? {
            for _ in 0..4 {
                bits.ue()?;
            }
        }
        let (luma, depth) = (bits.ue()?, bits.ue()?);
        let small = |value: u32, max: u32| u8::try_from(value).ok().filter(|_| value <= max);
        Some(Self {
            profile_tier_level,
            sub_layers: max_sub_layers + 1,
            nested,
            chroma_format: small(chroma, 3)?,
            luma_depth: small(luma, 7)?,
            chroma_depth: small(depth, 7)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.map(|pair| byte(pair).unwrap()).collect()
    }

    /// x264 through ffmpeg: the record comes back byte by byte, chroma format and depths included.
    #[test]
    fn avcc_of_its_own_sets_is_itself() {
        let record = hex(
            "0164001effe1001a6764001eacd940a02ff97011000003000100000300320f162d9601000568ebecb22cfdf8f800",
        );
        let config = h264::Config::parse(&record).unwrap();
        let built = h264::Config::from_sets(&config.sps, &config.pps).unwrap();
        assert_eq!(built.raw, record);
    }

    /// x265 through ffmpeg: but for its fourth array, an SEI message, and the marks of completeness
    /// and parallelism, which say no more than ours.
    #[test]
    fn hvcc_repeats_what_the_sps_says() {
        let record = hex(
            "0101600000009000000000003ff000fcfdf8f800000f03200001001840010c01ffff01600000030090000003000003003fba0240210001002b42010101600000030090000003000003003fa005020171f2e5ba4a4c2f016808000003000800000300c84022000100064401c073c189",
        );
        let config = h265::Config::parse(&record).unwrap();
        let built = h265::Config::from_sets(&config.vps, &config.sps, &config.pps).unwrap();
        assert_eq!(built.raw[..22], record[..22]);
        assert_eq!(built.raw[23..], {
            let mut arrays = record[23..].to_vec();
            arrays[0] |= 0x80;
            for set in [&config.vps, &config.sps] {
                let kind = arrays
                    .windows(set[0].len())
                    .position(|w| w == set[0])
                    .unwrap();
                arrays[kind + set[0].len()] |= 0x80;
            }
            arrays
        });
        assert_eq!(built.codec_string(), config.codec_string());
        assert_eq!(
            (built.vps, built.sps, built.pps),
            (config.vps, config.sps, config.pps)
        );
    }

    #[test]
    fn sets_beyond_the_limits_are_errors() {
        let long = Bytes::from(vec![0x67; 5_000]);
        assert!(h264::Config::from_sets(std::slice::from_ref(&long), &[]).is_err());
        assert!(h264::Config::from_sets(&[], &[]).is_err());
        let many = vec![Bytes::from_static(&[0x68, 1]); 40];
        assert!(h264::Config::from_sets(&many[..1], &many).is_err());
        assert!(h265::Config::from_sets(&[], &[], &many).is_err());
        assert!(h265::Config::from_sets(&[], &[long], &[]).is_err());
    }
}
