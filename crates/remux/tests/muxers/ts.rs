//! MPEG-TS: times and bytes, against the units themselves and against ffmpeg's own conversion.

use bytes::BytesMut;
use media::{AccessUnit, Codec, CodecConfig, Track};
use remux::ts::Muxer;
use remux::{Scheme, TimedMetadata};

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

/// ID3 as ffmpeg reads it: what it calls the stream, and each tag's time and bytes.
#[test]
fn ffmpeg_reads_id3() {
    if !ffmpeg::is_here() {
        return;
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let source = source(&folder.join("h264-mp3.flv")).unwrap();
    let (mut muxer, _) = Muxer::new(&source.tracks);
    assert!(muxer.carry_metadata());
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    let mut tags = Vec::new();
    for (n, unit) in source.units.iter().enumerate() {
        muxer.unit(unit, &mut out).unwrap();
        if n % 20 == 0 {
            let timed = TimedMetadata {
                pts: unit.dts.0 * 90 + 45_000,
                duration: None,
                scheme: Scheme::Id3,
                bytes: id3(3 + n * 4).into(),
            };
            muxer.timed(&timed, &mut out).unwrap();
            tags.push(timed);
        }
    }
    assert!(tags.len() > 5);
    let path = ffmpeg::file("id3.ts", &out);
    let run = |program: &str, before: &[&str], after: &[&str]| {
        let output = std::process::Command::new(program)
            .args(["-v", "error"])
            .args(before)
            .arg(&path)
            .args(after)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{told}");
        output.stdout
    };
    let probe = |entries: &str| {
        let lines = ["-select_streams", "d", "-of", "csv=p=0", "-show_entries"];
        let text = run("ffprobe", &[&lines[..], &[entries]].concat(), &[]);
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().map(|line| line.trim_end_matches(','));
        let lines = lines.filter(|line| !line.is_empty()).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    // The stream is listed by itself and in its program.
    let names = probe("stream=codec_name");
    assert!(!names.is_empty() && names.iter().all(|name| name == "timed_id3"));
    let times: Vec<String> = tags.iter().map(|timed| timed.pts.to_string()).collect();
    assert_eq!(probe("packet=pts"), times);

    let copy = ["-map", "0:d", "-c", "copy", "-f", "data", "-"];
    let data = run("ffmpeg", &["-nostdin", "-i"], &copy);
    let without = |cut: usize| -> Vec<u8> {
        let kept = tags.iter().flat_map(|timed| &timed.bytes[cut..]);
        kept.copied().collect()
    };
    // ffmpeg 5.1 takes off each packet of this stream type a header of 5 bytes, which KLV has
    // (MISB ST 1402) and ID3 has not; later ones take it off KLV only.
    assert!(data == without(0) || data == without(5));
    std::fs::remove_file(path).unwrap();
}

/// An ID3v2.4 tag of one frame TXXX (§4.2.6: encoding, description, text of `len` bytes).
fn id3(len: usize) -> Vec<u8> {
    let text = vec![b'x'; len];
    let size = |len: usize| [0, 0, (len >> 7) as u8, (len & 0x7f) as u8];
    let frame = [&b"TXXX"[..], &size(3 + len), &[0, 0, 3, 0, 0], &text].concat();
    [&b"ID3\x04\0\0"[..], &size(frame.len()), &frame].concat()
}
