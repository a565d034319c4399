#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// x264 High 3840x2160 60 fps; x265 Main 854x480 30 fps; Main 1080x720 of libaom; vp9 of ffmpeg.
const AVCC: &str =
    "01640033ffe1001a67640033acca500f0010fb0110000003001000000788f183196001000568e93b2c8b";
const HVCC: &str = "0101600000009000000000005af000fcfdf8f800000f03200001001840010c01ffff01600000030090000003000003005a959809210001002942010101600000030090000003000003005aa006b201e1d796566924cae68080000003008000000f0422000100074401c172b46240";
const AV1C: &str = "81050c000a0b0000002d4c37b3dfff9804";
const VPCC: &str = "01000000000b820202020000";

pub(super) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(super) fn parse(codec: Codec, record: &str) -> CodecConfig {
    CodecConfig::parse(codec, &hex(record)).unwrap()
}

pub(super) fn refusal(codec: Codec, record: &[u8]) -> String {
    CodecConfig::parse(codec, record).unwrap_err().to_string()
}

#[test]
fn avcc_gives_parameter_sets_size_and_rate() {
    let CodecConfig::H264(config) = parse(Codec::H264, AVCC) else {
        panic!("another codec");
    };
    assert_eq!(
        config.params,
        VideoParams {
            width: 3840,
            height: 2160,
            frame_rate: Some((60, 1))
        }
    );
    assert_eq!(config.nal_length_size, 4);
    assert_eq!((config.sps.len(), config.pps.len()), (1, 1));
    assert_eq!(config.sps[0].len(), 26);
    assert_eq!(config.pps[0], hex("68e93b2c8b"));
    assert_eq!(config.codec_string(), "avc1.640033");
    assert_eq!(config.profile_level(), "High@5.1");
}

#[test]
fn level_that_is_too_low_for_the_size_is_no_reason_to_refuse() {
    let lied = AVCC.replace("640033", "64000a");
    assert_eq!(
        parse(Codec::H264, &lied).to_string(),
        "H.264 High@1.0 3840x2160 60 fps"
    );
    assert_eq!(parse(Codec::H264, &lied).codec_string(), "avc1.64000a");
}

#[test]
fn avcc_errors_name_structure_and_offset() {
    let good = hex(AVCC);
    assert_eq!(refusal(Codec::H264, &[]), "avcC: cut off at byte 0");
    assert_eq!(
        refusal(Codec::H264, &good[..20]),
        "avcC: cut off within a parameter set at byte 20"
    );
    assert_eq!(
        refusal(Codec::H264, &[&[2], &good[1..]].concat()),
        "avcC: version 2, not 1 at byte 0"
    );
    assert_eq!(
        refusal(Codec::H264, &[1, 100, 0, 51, 0xff, 0xe0, 0]),
        "avcC: no sequence parameter set at byte 5"
    );
    let mut wrong = good.clone();
    wrong[8] = 0x68;
    assert_eq!(
        refusal(Codec::H264, &wrong),
        "SPS: not a sequence parameter set at byte 8"
    );
    let huge = [&[1, 100, 0, 51, 0xff, 0xe1, 0x10, 1][..], &[0x67; 0x1001]].concat();
    assert_eq!(
        refusal(Codec::H264, &huge),
        "avcC: parameter set of more than 4096 bytes at byte 8"
    );
    let many = [&good[..good.len() - 8], &[40], &[0; 80]].concat();
    assert_eq!(
        refusal(Codec::H264, &many),
        "avcC: more than 32 parameter sets at byte 99"
    );
    assert!(refusal(Codec::H264, &[1; 70_000]).contains("70000 bytes, more than 65536"));
}

#[test]
fn hvcc_gives_parameter_sets_size_and_rate() {
    let CodecConfig::H265(config) = parse(Codec::H265, HVCC) else {
        panic!("another codec");
    };
    assert_eq!(
        config.params,
        VideoParams {
            width: 854,
            height: 480,
            frame_rate: Some((30, 1))
        }
    );
    assert_eq!(
        (config.vps.len(), config.sps.len(), config.pps.len()),
        (1, 1, 1)
    );
    assert_eq!(config.nal_length_size, 4);
    assert_eq!(config.codec_string(), "hvc1.1.6.L90.90");
    assert_eq!(config.profile_level(), "Main@3.0");
}

#[test]
fn hvcc_codec_string_names_space_tier_and_all_constraints() {
    let CodecConfig::H265(mut config) = parse(Codec::H265, HVCC) else {
        panic!("another codec");
    };
    (config.profile_space, config.high_tier, config.level) = (1, true, 153);
    config.constraints = [0xb0, 0, 0, 0, 0x0c, 0];
    assert_eq!(config.codec_string(), "hvc1.A1.6.H153.B0.0.0.0.C");
    assert_eq!(config.profile_level(), "Main@5.1 high tier");
    config.constraints = [0; 6];
    assert_eq!(config.codec_string(), "hvc1.A1.6.H153");
}

#[test]
fn av1c_gives_size_and_codec_string() {
    let CodecConfig::Av1(config) = parse(Codec::Av1, AV1C) else {
        panic!("another codec");
    };
    assert_eq!((config.params.width, config.params.height), (1080, 720));
    assert_eq!(config.codec_string(), "av01.0.05M.08");
    assert_eq!(config.obus, hex("0a0b0000002d4c37b3dfff9804"));
    let hdr = av1::Config {
        level: 13,
        bit_depth: 10,
        color: Some((9, 16, 9, false)),
        ..config
    };
    assert_eq!(hdr.codec_string(), "av01.0.13M.10.0.110.09.16.09.0");
    // Without a sequence header (it is in the stream) all but size and colour is known.
    assert_eq!(parse(Codec::Av1, "81050c00").to_string(), "AV1");
    assert_eq!(
        refusal(Codec::Av1, &hex("81050c000a0b00")),
        "sequence header OBU: cut off at byte 4"
    );
}

#[test]
fn vpcc_is_read_with_and_without_its_box_header() {
    assert_eq!(parse(Codec::Vp9, VPCC).codec_string(), "vp09.00.11.08");
    assert_eq!(
        parse(Codec::Vp9, &VPCC[8..]).codec_string(),
        "vp09.00.11.08"
    );
    assert_eq!(
        parse(Codec::Vp9, "022aa202020200").codec_string(),
        "vp09.02.42.10"
    );
    assert_eq!(
        refusal(Codec::Vp9, &[0, 10, 0x10]),
        "vpcC: bit depth 1 at byte 2"
    );
}

#[test]
fn aac_in_all_ways_of_signalling() {
    for (record, text, string, samples) in [
        ("1210", "AAC-LC 44.1 kHz 2ch", "mp4a.40.2", 1024),
        ("121056e500", "AAC-LC 44.1 kHz 2ch", "mp4a.40.2", 1024),
        ("2b920800", "HE-AAC 44.1 kHz 2ch", "mp4a.40.5", 2048),
        ("139056e5a0", "HE-AAC 44.1 kHz 2ch", "mp4a.40.5", 2048),
        ("eb8a0800", "HE-AACv2 44.1 kHz 2ch", "mp4a.40.29", 2048),
        (
            "138856e5a54880",
            "HE-AACv2 44.1 kHz 2ch",
            "mp4a.40.29",
            2048,
        ),
        ("1780562210", "AAC-LC 44.1 kHz 2ch", "mp4a.40.2", 1024),
        ("11b0", "AAC-LC 48 kHz 6ch", "mp4a.40.2", 1024),
        ("11b8", "AAC-LC 48 kHz 8ch", "mp4a.40.2", 1024),
        ("1214", "AAC-LC 44.1 kHz 2ch", "mp4a.40.2", 960),
    ] {
        let config = parse(Codec::Aac, record);
        assert_eq!(config.to_string(), text, "{record}");
        assert_eq!(config.codec_string(), string, "{record}");
        assert_eq!(
            config.audio().unwrap().frame_samples,
            Some(samples),
            "{record}"
        );
    }
    let CodecConfig::Aac(he) = parse(Codec::Aac, "2b920800") else {
        panic!("another codec");
    };
    assert_eq!(
        (he.object_type, he.core_sample_rate, he.frequency_index),
        (2, 22_050, 7)
    );
    assert_eq!(
        refusal(Codec::Aac, &[0x12]),
        "AudioSpecificConfig: cut off at byte 0"
    );
    assert_eq!(
        refusal(Codec::Aac, &hex("1690")),
        "AudioSpecificConfig: reserved sample rate index at byte 1"
    );
}

#[test]
fn aac_channels_come_from_the_program_config_element() {
    // LC, 44.1 kHz, configuration 0; front: single and pair, back: pair, one LFE: 5.1.
    let fields = [
        (2, 5),
        (4, 4),
        (0, 4),
        (0, 3),
        (0, 4),
        (1, 2),
        (4, 4),
        (2, 4),
        (0, 4),
        (1, 4),
        (1, 2),
        (0, 3),
        (0, 4),
        (0, 3),
        (0, 1),
        (0, 4),
        (1, 1),
        (0, 4),
        (1, 1),
        (1, 4),
        (0, 4),
    ];
    let mut bits: Vec<bool> = Vec::new();
    for (value, count) in fields {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }
    bits.resize(bits.len().next_multiple_of(8), false);
    let mut record: Vec<u8> = bits
        .chunks(8)
        .map(|byte| byte.iter().fold(0, |sum, &bit| sum << 1 | u8::from(bit)))
        .collect();
    record.push(0);
    let config = CodecConfig::parse(Codec::Aac, &record).unwrap();
    assert_eq!(config.to_string(), "AAC-LC 44.1 kHz 6ch");
    let CodecConfig::Aac(config) = config else {
        panic!("another codec");
    };
    assert!(config.adts_header(10).is_err(), "ADTS cannot say it");
    record.pop();
    assert!(refusal(Codec::Aac, &record).contains("program config element cut off"));
}

#[test]
fn adts_header_is_exact_and_refuses_what_it_cannot_say() {
    let config = |record| aac::Config::parse(&hex(record)).unwrap();
    assert_eq!(
        config("1210").adts_header(100).unwrap(),
        *hex("fff150800d7ffc")
    );
    // 7.1 in 8184 bytes: every bit of length and channels.
    assert_eq!(
        config("11b8").adts_header(8_184).unwrap(),
        *hex("fff14dc3fffffc")
    );
    assert_eq!(
        config("2b920800").adts_header(0).unwrap(),
        *hex("fff15c8000fffc")
    );
    assert!(config("1210").adts_header(8_185).is_err());
    assert!(config("1210").adts_header(usize::MAX).is_err());
    assert!(
        aac::Config::parse(&hex("1780006410"))
            .unwrap()
            .adts_header(1)
            .is_err(),
        "rate 200 Hz"
    );
}

#[test]
fn opus_head_in_three_forms_is_the_same() {
    let ogg = parse(Codec::Opus, "4f707573486561640102380180bb0000000000");
    let bare = parse(Codec::Opus, "0102380180bb0000000000");
    let mp4 = parse(Codec::Opus, "000201380000bb80000000");
    for config in [ogg, bare, mp4] {
        let CodecConfig::Opus(config) = config else {
            panic!("another codec");
        };
        assert_eq!(
            (
                config.pre_skip,
                config.input_sample_rate,
                config.params.channels
            ),
            (312, 48_000, 2)
        );
        assert_eq!(config.params.sample_rate, 48_000);
    }
    let surround = parse(
        Codec::Opus,
        "0106380180bb000000000104020004010203 05"
            .replace(' ', "")
            .as_str(),
    );
    let CodecConfig::Opus(surround) = surround else {
        panic!("another codec");
    };
    assert_eq!(surround.mapping, hex("0402000401020305"));
    assert_eq!(
        refusal(Codec::Opus, &hex("0103380180bb0000000000")),
        "OpusHead: 3 channels at byte 1"
    );
    assert_eq!(
        refusal(Codec::Opus, b"OpusHead\x01"),
        "OpusHead: cut off at byte 9"
    );
}

#[test]
fn flac_in_three_forms_is_the_same() {
    let info = format!(
        "10001000000000000000{}{}",
        "0ac442f000000000",
        "00".repeat(16)
    );
    for record in [
        info.clone(),
        format!("80000022{info}"),
        format!("664c614300000022{info}04000000"),
    ] {
        let CodecConfig::Flac(config) = parse(Codec::Flac, &record) else {
            panic!("another codec");
        };
        assert_eq!(
            config.params,
            AudioParams {
                sample_rate: 44_100,
                channels: 2,
                frame_samples: Some(4_096)
            }
        );
        assert_eq!(config.bits_per_sample, 16);
        assert_eq!(config.stream_info, hex(&info));
    }
    assert_eq!(
        refusal(Codec::Flac, b"fLaC"),
        "STREAMINFO: no STREAMINFO block at byte 4"
    );
}

#[test]
fn mp3_headers_of_all_versions() {
    for (header, rate, channels, samples, bytes) in [
        ("fffb9064", 44_100, 2, 1_152, Some(417)),
        ("fffb92c4", 44_100, 1, 1_152, Some(418)),
        ("fff384c4", 24_000, 1, 576, Some(192)),
        ("ffe318c4", 8_000, 1, 576, Some(72)),
        ("fffb0064", 44_100, 2, 1_152, None),
    ] {
        let config = mp3::Config::from_frame(&hex(header)).unwrap();
        assert_eq!(
            (
                config.params.sample_rate,
                config.params.channels,
                config.params.frame_samples,
                config.frame_bytes
            ),
            (rate, channels, Some(samples), bytes),
            "{header}"
        );
    }
    let raw = |header| mp3::Config::from_frame(&hex(header)).unwrap().raw;
    assert_eq!(
        raw("fffb9064"),
        raw("fffae200"),
        "another bit rate, padding and CRC"
    );
    assert_ne!(raw("fffb9064"), raw("fffb92c4"), "mono");
    let error = mp3::Config::from_frame(&hex("fffd9064"))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "MP3 frame header: not layer III at byte 1");
}

#[test]
fn ac3_headers_give_size_and_the_mp4_record() {
    // 48 kHz, 448 kbit/s, 3/2 with LFE.
    let config = ac3::Config::from_ac3_frame(&hex("0b7700001e40e1")).unwrap();
    assert_eq!(
        (
            config.params.sample_rate,
            config.params.channels,
            config.frame_bytes
        ),
        (48_000, 6, 1_792)
    );
    assert_eq!(config.raw, hex("103de0"));
    // 44.1 kHz, 96 kbit/s, odd size code: 209 words.
    let odd = ac3::Config::from_ac3_frame(&hex("0b7700004d4000")).unwrap();
    assert_eq!(odd.frame_bytes, 418);
    // E-AC-3, six blocks, 3/2 with LFE, with a dependent substream behind it.
    let mut unit = hex("0b77017f3f87c0");
    unit.resize(768, 0);
    assert_eq!(
        ac3::Config::from_eac3_frame(&unit).unwrap().raw,
        hex("0600200f00")
    );
    unit.extend_from_slice(&hex("0b77417f3f87c0"));
    assert_eq!(
        ac3::Config::from_eac3_frame(&unit).unwrap().raw,
        hex("0600200f0200")
    );
    assert!(
        ac3::Config::from_eac3_frame(&hex("0b7700001e40e1")).is_err(),
        "AC-3 is not E-AC-3"
    );
    assert!(
        ac3::Config::from_ac3_frame(&unit).is_err(),
        "and the other way round"
    );
}

#[test]
fn rates_that_no_camera_has_are_not_rates() {
    assert_eq!(plausible_rate(60_000, 2_002), Some((30_000, 1_001)));
    assert_eq!(plausible_rate(0, 0), None);
    assert_eq!(plausible_rate(1, 0), None);
    assert_eq!(plausible_rate(90_000, 1), None);
    assert_eq!(plausible_rate(u64::MAX, 1), None);
}

/// Every parser on the same bytes; also as the parameter set of a sound record.
fn feed_all(bytes: &[u8]) {
    for codec in [
        Codec::H264,
        Codec::H265,
        Codec::Av1,
        Codec::Vp9,
        Codec::Aac,
        Codec::Opus,
        Codec::Flac,
    ] {
        if let Ok(config) = CodecConfig::parse(codec, bytes) {
            let _ = (config.to_string(), config.codec_string());
            assert_eq!(config.raw(), bytes);
        }
    }
    for codec in [Codec::Mp3, Codec::Ac3, Codec::Eac3] {
        let _ = CodecConfig::from_frame(codec, bytes).map(|config| config.to_string());
    }
    let vp9 = super::vp9::Config::parse(&hex(VPCC)).unwrap();
    let _ = vp9.sized_by(bytes).map(|sized| sized.codec_string());
    let Ok(len) = u16::try_from(bytes.len()) else {
        return;
    };
    let set = [&len.to_be_bytes()[..], bytes].concat();
    let avcc = [&[1, 100, 0, 31, 0xff, 0xe1][..], &set, &[0]].concat();
    let _ = CodecConfig::parse(Codec::H264, &avcc);
    let mut hvcc = hex(HVCC)[..22].to_vec();
    hvcc.extend_from_slice(&[1, 33, 0, 1]);
    hvcc.extend_from_slice(&set);
    let _ = CodecConfig::parse(Codec::H265, &hvcc);
    let _ = CodecConfig::parse(Codec::Av1, &[&[0x81, 0, 0, 0][..], bytes].concat());
}

#[test]
fn fuzz_corpora_of_others_never_panic() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("SIDESTREAM_SHARED").map(PathBuf::from);
    let root = named
        .into_iter()
        .chain(here.ancestors().map(|folder| folder.join("shared")))
        .map(|folder| folder.join("testmedia/badinput"))
        .find(|folder| folder.is_dir());
    let Some(root) = root else {
        eprintln!("skipped: no shared/testmedia beside the repository");
        return;
    };
    let mut count = 0;
    for format in ["h264", "h265", "av1", "aac", "opus", "mp3", "ac3", "vp9"] {
        for file in std::fs::read_dir(root.join(format)).unwrap() {
            feed_all(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 139);
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        feed_all(&bytes);
    }

    #[test]
    fn no_damage_to_a_real_record_makes_its_parser_panic(
        which in 0_usize..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (codec, record) = [
            (Codec::H264, AVCC), (Codec::H265, HVCC), (Codec::Av1, AV1C), (Codec::Vp9, VPCC),
        ][which];
        let mut record = hex(record);
        for (index, bit) in flips {
            let at = index.index(record.len());
            record[at] ^= 1 << bit;
        }
        let _ = CodecConfig::parse(codec, &record).map(|config| config.to_string());
        record.truncate(cut.index(record.len()));
        let _ = CodecConfig::parse(codec, &record).map(|config| config.to_string());
    }
}
