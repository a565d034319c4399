//! Codec configurations of real encoders against what ffprobe 8.1 said of the same files (the
//! manifest beside them), and against the records that MP4 files of the same media hold.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use media::{Codec, CodecConfig, TrackId};

use crate::files::{SOUND, files, parse, read, shared_media, tags};

#[test]
fn parameters_are_those_of_the_manifest() {
    let Some(root) = shared_media() else {
        return;
    };
    let manifest = std::fs::read_to_string(root.join("MANIFEST.md")).unwrap();
    let mut compared = 0;
    for path in files(&SOUND) {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let line = manifest
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")));
        let theirs: Vec<_> = line
            .unwrap()
            .split('|')
            .nth(5)
            .unwrap()
            .split(';')
            .collect();
        for config in first_configs(&path).values() {
            let ours = as_in_manifest(config);
            assert!(
                theirs.iter().any(|track| track.trim().starts_with(&ours)),
                "{name}: {ours} is not in {theirs:?}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 77);
}

/// The beginning of a manifest entry: codec, profile, size; codec, rate, channels.
fn as_in_manifest(config: &CodecConfig) -> String {
    let video = config.video().unwrap_or_default();
    let audio = config.audio().unwrap_or_default();
    let size = format!("{}x{}", video.width, video.height);
    let sound = format!("{} Hz {} ch", audio.sample_rate, audio.channels);
    let profile = |text: String| text.split('@').next().unwrap_or_default().to_owned();
    match config {
        CodecConfig::H264(c) => format!("h264 {} {size}", profile(c.profile_level())),
        CodecConfig::H265(c) => format!("hevc {} {size}", profile(c.profile_level())),
        CodecConfig::Av1(c) => format!("av1 {} {size}", ["Main", "High"][usize::from(c.profile)]),
        CodecConfig::Vp9(c) => format!("vp9 Profile {}", c.profile),
        CodecConfig::Aac(_) => format!("aac LC {sound}"),
        other => format!(
            "{} {sound}",
            other.codec().name().to_lowercase().replace('-', "")
        ),
    }
}

#[test]
fn codec_strings_are_those_that_players_expect() {
    let Some(root) = shared_media() else {
        return;
    };
    let strings = |file: &str| -> Vec<_> {
        let configs = first_configs(&root.join(file));
        configs
            .values()
            .map(|config| (config.codec_string(), config.to_string()))
            .collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        strings("flv/avc_aac.flv"),
        [
            pair("avc1.640033", "H.264 High@5.1 3840x2160 60 fps"),
            pair("mp4a.40.2", "AAC-LC 48 kHz 2ch"),
        ]
    );
    assert_eq!(
        strings("flv-ffmpeg/h264-29.97fps-aac.flv")[0],
        pair(
            "avc1.42c01e",
            "H.264 Constrained Baseline@3.0 640x360 29.97 fps"
        )
    );
    assert_eq!(
        strings("flv/hevc_aac.flv")[0],
        pair("hvc1.1.6.L153.90", "HEVC Main@5.1 3840x2160 60 fps")
    );
    assert_eq!(
        strings("flv-remux/exo-av1.flv")[0],
        pair("av01.0.05M.08", "AV1 1080x720")
    );
    assert_eq!(
        strings("flv-ffmpeg/vp9-25fps-opus-ertmp.flv"),
        [
            pair("vp09.00.11.08", "VP9"),
            pair("opus", "Opus 48 kHz 1ch")
        ]
    );
    assert_eq!(
        strings("flv-ffmpeg/h264-eac3-5.1-ertmp.flv")[1],
        pair("ec-3", "E-AC-3 48 kHz 6ch")
    );
}

#[test]
fn mp4_boxes_hold_the_same_records() {
    let Some(root) = shared_media() else {
        return;
    };
    let in_flv = |file: &str, id: u16| first_configs(&root.join(file))[&TrackId(id)].clone();
    let in_mp4 = |file: &str, kind: &[u8; 4]| atom(&read(&root.join(file)), kind).unwrap();
    // ffmpeg remuxed these FLV files from these MP4 files.
    assert_eq!(
        in_flv("flv-remux/exo-av1.flv", 0).raw(),
        &in_mp4("mp4/sample_av1.mp4", b"av1C")
    );
    // A record made of the first frame is the one that a packager wrote.
    assert_eq!(
        in_flv("flv-remux/exo-ac3-audio.flv", 1).raw(),
        &in_mp4("mp4/sample_ac3_fragmented.mp4", b"dac3")
    );
    // But for the data rate: its frames say one block, its packager took them for six.
    let ours = in_flv("flv-remux/exo-eac3-audio.flv", 1).raw().slice(2..);
    assert_eq!(
        ours,
        in_mp4("mp4/sample_eac3_fragmented.mp4", b"dec3").slice(2..)
    );
    let opus = in_mp4("mp4/sample_opus_fragmented.mp4", b"dOps");
    let opus = CodecConfig::parse(Codec::Opus, &opus).unwrap();
    assert_eq!(opus.to_string(), "Opus 48 kHz 2ch");
    let hevc = in_mp4("mp4/hvc1_init.mp4", b"hvcC");
    let hevc = CodecConfig::parse(Codec::H265, &hevc).unwrap();
    assert_eq!(hevc.to_string(), "HEVC Main@2.1 640x360 24 fps");
    let avc = in_mp4("mp4/prog_8s.mp4", b"avcC");
    let avc = CodecConfig::parse(Codec::H264, &avc).unwrap();
    assert_eq!(avc.to_string(), "H.264 High@3.0 640x360 30 fps");
}

/// The payload of the first box of that type, found by its name alone.
fn atom(mp4: &Bytes, kind: &[u8; 4]) -> Option<Bytes> {
    let at = mp4.windows(4).position(|window| window == kind)?;
    let size = u32::from_be_bytes(mp4[at - 4..at].try_into().unwrap());
    Some(mp4.slice(at + 4..at - 4 + usize::try_from(size).unwrap()))
}

/// The first configuration of each track that has one.
fn first_configs(path: &Path) -> BTreeMap<TrackId, CodecConfig> {
    let mut configs = BTreeMap::new();
    for track in parse(&tags(&read(path))).announced {
        if let Ok(config) = track.config {
            configs.entry(track.id).or_insert(config);
        }
    }
    configs
}
