//! MPEG-TS: times and bytes, against the units themselves and against ffmpeg's own conversion.

use bytes::BytesMut;
use media::{AccessUnit, Codec, CodecConfig, Track};
use remux::ts::Muxer;

use crate::ffmpeg::{self, Packet};
use crate::source::{Source, source, sources};

fn mux(source: &Source) -> (Muxer, BytesMut) {
    let (mut muxer, _) = Muxer::new(&source.tracks);
    let mut out = BytesMut::new();
    for (n, unit) in source.units.iter().enumerate() {
        if n % 50 == 0 {
            muxer.tables(&mut out);
        }
        muxer.unit(unit, &mut out).unwrap();
    }
    (muxer, out)
}

/// The bytes that ffmpeg gives for an audio unit read from MPEG-TS.
fn framed(track: &Track, unit: &AccessUnit) -> Vec<u8> {
    match &track.config {
        Ok(CodecConfig::Aac(config)) => {
            let header = config.adts_header(unit.payload.len()).unwrap();
            [&header, &unit.payload[..]].concat()
        }
        _ => unit.payload.to_vec(),
    }
}

#[test]
fn ffmpeg_reads_every_unit_with_its_times_and_audio_bytes() {
    if !ffmpeg::is_here() {
        return;
    }
    for source in sources() {
        let (muxer, out) = mux(&source);
        if muxer.is_empty() {
            continue;
        }
        let path = ffmpeg::file(&format!("{}.ts", source.name), &out);
        let read = ffmpeg::packets(&path, &[]);
        let carried = source.carried(|id| muxer.carries(id));
        for (index, track) in carried.iter().enumerate() {
            let video = matches!(track.codec, Codec::H264 | Codec::H265);
            let want: Vec<Packet> = source
                .of(track.id)
                .map(|unit| {
                    let data = if video {
                        Vec::new()
                    } else {
                        framed(track, unit)
                    };
                    Packet::new(unit.dts.0 * 90, unit.pts().0 * 90, true, &data).in_33_bits()
                })
                .collect();
            let got = read.get(&index).cloned().unwrap_or_default();
            let got: Vec<Packet> = got
                .into_iter()
                .map(|packet| match video {
                    // Compared below, by ffmpeg's own conversion.
                    true => Packet::new(packet.dts, packet.pts, true, &[]),
                    false => packet,
                })
                .map(Packet::in_33_bits)
                .collect();
            let name = format!("{} {}", source.name, track.codec);
            ffmpeg::assert_same(&name, &want, &got);
        }
        std::fs::remove_file(path).unwrap();
    }
}

/// Slices and SEI of H.264: the same from our MPEG-TS and from the FLV file through ffmpeg's
/// `h264_mp4toannexb`. Delimiters and parameter sets, which both add in their own way, are taken
/// out of both.
#[test]
fn h264_is_what_ffmpeg_makes_of_the_source() {
    if !ffmpeg::is_here() {
        return;
    }
    let mut compared = 0;
    for source in sources() {
        let video = source.tracks.video();
        // What ffmpeg 5 reads: classic FLV.
        if source.name.contains("ertmp") || video.is_none_or(|track| track.codec != Codec::H264) {
            continue;
        }
        let (_, out) = mux(&source);
        let path = ffmpeg::file(&format!("{}.annexb.ts", source.name), &out);
        let ours = "filter_units=remove_types=7-9";
        let theirs = "h264_mp4toannexb,filter_units=remove_types=7-9";
        let got = ffmpeg::packets(&path, &["-bsf:v", ours]);
        let want = ffmpeg::packets(&source.path, &["-bsf:v", theirs]);
        let first = |mut all: std::collections::BTreeMap<usize, Vec<Packet>>| {
            let (_, packets) = all.pop_first().unwrap();
            packets
                .into_iter()
                .map(Packet::in_33_bits)
                .collect::<Vec<_>>()
        };
        ffmpeg::assert_same(&source.name, &first(want), &first(got));
        std::fs::remove_file(path).unwrap();
        compared += 1;
    }
    assert!(compared == 0 || compared > 8, "{compared} files");
}

/// Decodes all of a file and gives every picture and block of samples as its checksum; ffmpeg must
/// have nothing to say.
fn decoded(path: &std::path::Path) -> Vec<String> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v?", "-map", "0:a?", "-fps_mode", "passthrough"])
        .args(["-f", "framemd5", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", path.display());
    assert_eq!(errors, "", "{}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let frames = text.lines().filter(|line| !line.starts_with('#'));
    // Stream, size and checksum; times are compared elsewhere, packet by packet.
    let rows = frames.map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        [fields[0], fields[4], fields[5]].join(" ")
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort_by_key(|row| row.as_bytes().first().copied());
    rows
}

#[test]
fn ffmpeg_decodes_what_it_decodes_of_the_source() {
    if !ffmpeg::is_here() {
        return;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    for (name, is_classic) in [
        ("bframes.flv", true),
        ("audio-only.flv", true),
        ("video-only.flv", true),
        ("h264-mp3.flv", true),
        ("h264-ac3.flv", false),
        ("h264-eac3.flv", false),
        ("h264-opus.flv", false),
        ("hevc-aac.flv", false),
    ] {
        let source = source(&folder.join(name)).unwrap();
        let (muxer, out) = mux(&source);
        assert!(source.tracks.iter().all(|track| muxer.carries(track.id)));
        let path = ffmpeg::file(&format!("{name}.decoded.ts"), &out);
        let got = decoded(&path);
        assert!(got.len() > 50, "{name}: {}", got.len());
        // FFmpeg 5 reads no enhanced FLV: that it decodes ours without a word is all there.
        if is_classic {
            assert_eq!(got, decoded(&source.path), "{name}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
