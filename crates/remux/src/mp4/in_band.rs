//! Configurations that are found in the samples: parameter sets of avc3 and hev1.
//!
//! Spec: ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1.

use bytes::Bytes;
use media::config;
use media::nal::{LengthPrefixed, h264, h265};
use media::{Codec, CodecConfig};

/// Most sets of a kind that are looked at; the second of two equal ones is passed over.
const MAX_SETS: usize = 16;

/// The configuration that the parameter sets in a length-prefixed access unit make up; `None` when
/// they are not all there. Files whose sample entry has no sets use lengths of 4 bytes.
pub(super) fn configuration(codec: Codec, unit: &[u8]) -> Option<CodecConfig> {
    match codec {
        Codec::H264 => {
            let of = |kind| sets(unit, |nal| h264::kind(nal) == Some(kind));
            let (sps, pps) = (of(h264::SPS), of(h264::PPS));
            pps.first()?;
            let config = config::h264::Config::from_sets(&sps, &pps);
            config.ok().map(CodecConfig::H264)
        }
        Codec::H265 => {
            let of = |kind| sets(unit, |nal| h265::kind(nal) == Some(kind));
            let (vps, sps, pps) = (of(h265::VPS), of(h265::SPS), of(h265::PPS));
            pps.first()?;
            let config = config::h265::Config::from_sets(&vps, &sps, &pps);
            config.ok().map(CodecConfig::H265)
        }
        _ => None,
    }
}

/// The NAL units of a kind, copied.
fn sets(unit: &[u8], is_kind: impl Fn(&[u8]) -> bool) -> Vec<Bytes> {
    let mut sets: Vec<Bytes> = Vec::new();
    for nal in LengthPrefixed::new(unit, 4).filter(|nal| is_kind(nal)) {
        if sets.len() < MAX_SETS && !sets.iter().any(|set| set == nal) {
            sets.push(Bytes::copy_from_slice(nal));
        }
    }
    sets
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
