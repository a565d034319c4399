//! Configurations that are found in the samples: parameter sets of avc3 and hev1.
//!
//! Spec: ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1; ITU-T H.265 §7.3.2.2, §7.3.3.

use media::nal::{LengthPrefixed, h264, h265};
use media::{Codec, CodecConfig};

/// The configuration that the parameter sets in a length-prefixed access unit make up; `None` when
/// they are not all there. Both kinds of files whose sample entry has no sets use lengths of 4 bytes.
pub(super) fn configuration(codec: Codec, unit: &[u8]) -> Option<CodecConfig> {
    let record = match codec {
        Codec::H264 => avcc(unit)?,
        Codec::H265 => hvcc(unit)?,
        _ => return None,
    };
    CodecConfig::parse(codec, &record).ok()
}

/// The NAL units of a kind, without copies of one another.
fn sets(unit: &[u8], is_kind: impl Fn(&[u8]) -> bool) -> Vec<&[u8]> {
    let mut sets: Vec<&[u8]> = Vec::new();
    for nal in LengthPrefixed::new(unit, 4).filter(|nal| is_kind(nal)) {
        // As many as the fields of both records can count.
        if sets.len() < 16 && !sets.contains(&nal) {
            sets.push(nal);
        }
    }
    sets
}

fn put_sets(record: &mut Vec<u8>, sets: &[&[u8]]) -> Option<()> {
    for set in sets {
        record.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend_from_slice(set);
    }
    Some(())
}

fn avcc(unit: &[u8]) -> Option<Vec<u8>> {
    let sps = sets(unit, |nal| h264::kind(nal) == Some(h264::SPS));
    let pps = sets(unit, |nal| h264::kind(nal) == Some(h264::PPS));
    let &[profile, constraints, level] = sps.first()?.get(1..)?.first_chunk()?;
    pps.first()?;
    let mut record = vec![1, profile, constraints, level, 0xff, 0xe0 | sps.len() as u8];
    put_sets(&mut record, &sps)?;
    record.push(pps.len() as u8);
    put_sets(&mut record, &pps)?;
    Some(record)
}

fn hvcc(unit: &[u8]) -> Option<Vec<u8>> {
    let of = |kind| sets(unit, |nal| h265::kind(nal) == Some(kind));
    let arrays = [h265::VPS, h265::SPS, h265::PPS].map(|kind| (kind, of(kind)));
    let [_, (_, sps), (_, pps)] = &arrays;
    pps.first()?;
    // NAL header, VPS id and layers, then profile, tier and level (12 bytes).
    let sps = without_escapes(sps.first()?);
    let layers = sps.get(2)?;
    let general = sps.get(3..15)?;
    let mut record = vec![1];
    record.extend_from_slice(general);
    // Segmentation and parallelism unknown; 4:2:0 with the bits of the profile, as decoders look into
    // the SPS for both; layers and nesting as there; lengths of 4 bytes.
    let nesting = (layers >> 1 & 7) + 1;
    let is_main_10 = general.first()? & 0x1f == 2;
    let depth = if is_main_10 { 0xfa } else { 0xf8 };
    record.extend([0xf0, 0, 0xfc, 0xfd, depth, depth, 0, 0]);
    record.push(nesting << 3 | (layers & 1) << 2 | 3);
    record.push(arrays.len() as u8);
    for (kind, sets) in &arrays {
        record.push(*kind);
        record.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
        put_sets(&mut record, sets)?;
    }
    Some(record)
}

/// The first bytes of a NAL unit without emulation prevention.
fn without_escapes(nal: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut keep = |byte: u8| {
        let is_escape = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !is_escape
    };
    let head = nal.iter().copied().take(32);
    head.filter(|&byte| keep(byte)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::test_media::{h264 as h264_track, h265 as h265_track, length_prefixed, nal};

    #[test]
    fn sets_in_a_sample_make_the_record() {
        let track = h264_track();
        let Ok(CodecConfig::H264(config)) = &track.config else {
            panic!("H.264");
        };
        let (sps, pps) = (&config.sps[0][..], &config.pps[0][..]);
        let unit = length_prefixed(&[&nal(9, 2), sps, sps, pps, &nal(0x65, 30)]);
        let made = configuration(Codec::H264, &unit).unwrap();
        assert_eq!(made.video(), Some(config.params));
        assert_eq!(made.codec_string(), config.codec_string());
        assert!(configuration(Codec::H264, &length_prefixed(&[sps])).is_none());

        let track = h265_track();
        let Ok(CodecConfig::H265(config)) = &track.config else {
            panic!("HEVC");
        };
        let sets = [&config.vps[0][..], &config.sps[0], &config.pps[0]];
        let made = configuration(Codec::H265, &length_prefixed(&sets)).unwrap();
        assert_eq!(made.video(), Some(config.params));
        assert_eq!(made.codec_string(), config.codec_string());
        let CodecConfig::H265(made) = made else {
            panic!("HEVC");
        };
        assert_eq!(
            (made.vps, made.sps, made.pps),
            (config.vps.clone(), config.sps.clone(), config.pps.clone())
        );
    }
}
