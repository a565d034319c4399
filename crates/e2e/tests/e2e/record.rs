//! Recordings: every frame in every container, over reconnects and `kill -9`.

use e2e::ffmpeg::{self, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Kind, Media};
use e2e::media::testdata;
use e2e::process::{command, run};
use e2e::server::{Options, Server};
use e2e::wait::{secs, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A server that records everything into `dir`.
fn server(dir: &Path, rule: &str) -> Server {
    server_in(Vec::new(), dir, rule)
}

/// The same, started by a wrapper.
pub(crate) fn server_in(wrapper: Vec<String>, dir: &Path, rule: &str) -> Server {
    let config = format!(
        "[streams]\nreconnect_window = \"20s\"\nviewer_end_grace = \"1s\"\n\
         [record]\ndir = \"{}\"\nmin_free = \"0B\"\nname = \"{{app}}/{{stream}}-{{index}}\"\n\
         [[record.rule]]\nmatch = \"live/*\"\n{rule}\n",
        dir.display()
    );
    Server::with(&Options {
        config,
        wrapper,
        ..Options::default()
    })
}

/// Waits for the manifest of a file.
pub(crate) fn manifest(file: &Path) -> Value {
    let path = format!("{}.json", file.display());
    let text = until(&path, secs(15), || std::fs::read_to_string(&path).ok());
    serde_json::from_str(&text).unwrap()
}

/// What FFmpeg says about a file when it reads all of it.
pub(crate) fn complaints(version: Version, file: &Path) -> String {
    let mut ffmpeg = command(version.program());
    ffmpeg.args(["-nostdin", "-v", "error", "-xerror", "-i"]);
    // Pictures keep their own times, which need not fit a frame rate.
    ffmpeg
        .arg(file)
        .args(["-map", "0", "-fps_mode", "passthrough"]);
    ffmpeg.args(["-enc_time_base:v", "1:90000", "-f", "null", "-"]);
    let output = run("ffmpeg", ffmpeg, secs(30));
    match output.code {
        Some(0) => output.stderr,
        code => format!("{code:?} {}", output.stderr),
    }
}

/// The media file of a recording in a folder format, or itself.
fn playable(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join("index.m3u8"),
        false => path.to_owned(),
    }
}

pub(crate) fn framing(format: &str) -> Framing {
    match format {
        "ts" | "hls-ts" => Framing::Ts,
        _ => Framing::Native,
    }
}

/// The frames of a recording; reading it all, FFmpeg has nothing to complain about.
pub(crate) fn frames(dir: &Path, name: &str, format: &str) -> Media {
    let file = playable(&dir.join(format!("{name}.{format}")));
    assert_eq!(complaints(Version::V5, &file), "", "{}", file.display());
    ffmpeg::file_frames(Version::V5, &file, framing(format), false)
}

pub(crate) fn video_frames(media: &Media) -> usize {
    media.video().map_or(0, |track| track.frames.len())
}

#[test]
fn every_container_has_every_frame_from_one_pass() {
    let dir = tempfile::tempdir().unwrap();
    let all = ["mp4", "flv", "hls", "ts", "hls-ts"];
    let rule = format!(
        "formats = {all:?}\n[[record.rule]]\nmatch = \"live/*\"\nmedia = \"audio\"\nformats = [\"aac\", \"mp4\"]\nname = \"sound\""
    );
    let server = server(dir.path(), &rule);
    let file = testdata("bframes.flv");
    ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam")).finish(secs(30));
    for format in all {
        let path = dir.path().join(format!("live/cam-0.{format}"));
        let manifest = manifest(&path);
        assert_eq!(manifest["stream"], "live/cam");
        assert_eq!(manifest["format"], format);
        assert_eq!(manifest["gaps"], serde_json::json!([]));
        assert_eq!(manifest["recovered"], false);
        assert_eq!(manifest["tracks"][0]["codec_string"], "avc1.64000c");
        let ms = manifest["duration_ms"].as_i64().unwrap();
        assert!((5_950..6_100).contains(&ms), "{ms} ms");
        let got = frames(dir.path(), "live/cam-0", format);
        let sent = ffmpeg::source(Version::V5, &file, framing(format));
        sent.assert_received(format, &got, Coverage::Whole);
    }
    let sent = ffmpeg::source(Version::V5, &file, Framing::Native).without(Kind::Video);
    manifest(&dir.path().join("sound.m4a"));
    let got = frames(dir.path(), "sound", "m4a");
    sent.assert_received("m4a", &got, Coverage::Whole);
    // A rule for sound alone beside the other: both are kept, and no marker.
    manifest(&dir.path().join("sound.aac"));
    until("no markers", secs(5), || {
        let names = std::fs::read_dir(dir.path().join("live")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name());
        let marker = names.find(|name| name.to_string_lossy().ends_with(".recording"));
        marker.is_none().then_some(())
    });
    until("seven files in /metrics", secs(5), || {
        let metrics = server.get("/metrics").text();
        let line = "sidestream_recording_files_total 7\n";
        metrics.contains(line).then_some(())
    });
}

/// Enhanced RTMP of FFmpeg 9, whose VP9 header does not say the picture's size.
#[test]
fn vp9_is_recorded_with_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let formats = ["mp4", "flv", "hls"];
    let server = server(dir.path(), &format!("formats = {formats:?}"));
    let clip = testdata("vp9-opus.flv");
    ffmpeg::publish(Version::V9, &clip, &server.rtmp_url("live/vp9")).finish(secs(30));
    let sent = ffmpeg::source(Version::V9, &clip, Framing::Native);
    for format in formats {
        let path = dir.path().join(format!("live/vp9-0.{format}"));
        let manifest = manifest(&path);
        let tracks = manifest["tracks"].as_array().unwrap();
        let codecs: Vec<_> = tracks.iter().map(|track| &track["codec_string"]).collect();
        assert_eq!(codecs, ["vp09.00.10.08", "opus"], "{format}");
        let file = playable(&path);
        assert_eq!(complaints(Version::V9, &file), "", "{format}");
        let got = ffmpeg::file_frames(Version::V9, &file, Framing::Native, false);
        sent.assert_received(format, &got, Coverage::Whole);
    }
}

#[test]
fn a_publisher_that_breaks_off_and_comes_back_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path(), "formats = [\"mp4\", \"flv\"]");
    let file = testdata("bframes.flv");
    let url = server.rtmp_url("live/cam");
    let mut first = ffmpeg::publish(Version::V5, &file, &url);
    let stream = server.wait_for_stream("live/cam");
    let recording = &stream["recordings"][0];
    assert_eq!(recording["formats"], serde_json::json!(["mp4", "flv"]));
    until("50 pictures", secs(20), || {
        let stream = server.stream("live/cam")?;
        (stream["tracks"][0]["units"].as_u64()? >= 50).then_some(())
    });
    first.kill();
    server.wait_for_log("publisher lost", secs(5));
    ffmpeg::publish(Version::V5, &file, &url).finish(secs(30));
    let path = dir.path().join("live/cam-0.mp4");
    let manifest = manifest(&path);
    assert_eq!(manifest["index"], 0);
    let gaps = manifest["gaps"].as_array().unwrap();
    assert!(gaps.len() <= 1, "{gaps:?}");
    assert!(
        gaps.iter().all(|gap| gap["cause"] == "publisher"),
        "{gaps:?}"
    );
    assert!(!dir.path().join("live/cam-1.mp4").exists());
    let sent = ffmpeg::source(Version::V5, &file, Framing::Native);
    for format in ["mp4", "flv"] {
        let got = frames(dir.path(), "live/cam-0", format);
        // The second publisher's frames are all there, at the end.
        for kind in [Kind::Video, Kind::Audio] {
            let sent: Vec<_> = sent
                .track(kind, 0)
                .unwrap()
                .frames
                .iter()
                .map(|f| &f.md5)
                .collect();
            let got: Vec<_> = got
                .track(kind, 0)
                .unwrap()
                .frames
                .iter()
                .map(|f| &f.md5)
                .collect();
            let (before, behind) = got.split_at(got.len() - sent.len());
            assert_eq!(behind, sent, "{format} {kind:?}");
            assert_eq!(before, &sent[..before.len()], "{format} {kind:?}");
            if kind == Kind::Video {
                assert!(before.len() >= 50, "{format}: {} of 50", before.len());
            }
        }
    }
}

/// What follows a name and its type in AMF0.
fn behind<'a>(body: &'a [u8], name: &[u8]) -> &'a [u8] {
    let at = body.windows(name.len()).position(|w| w == name).unwrap();
    &body[at + name.len()..]
}

/// `SIDESTREAM_KILLS=100` for the long run.
#[test]
fn kill_9_costs_less_than_a_second_and_the_next_start_finishes_the_files() {
    let kills = std::env::var("SIDESTREAM_KILLS").map_or(3, |count| count.parse().unwrap());
    let formats = ["mp4", "flv", "hls", "ts"];
    let file = testdata("bframes.flv");
    let sent = |framing| ffmpeg::source(Version::V5, &file, framing);
    let (native, ts) = (sent(Framing::Native), sent(Framing::Ts));
    // Pictures, by format; of files that are there.
    let mut lost: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for kill in 0..kills {
        let dir = tempfile::tempdir().unwrap();
        let rule = format!("formats = {formats:?}");
        let mut server = server(dir.path(), &rule);
        let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
        // Some moment of six seconds.
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos();
        let moment = u64::from(nanos / 1_000 % 135) + 5;
        let units = |server: &Server| {
            let stream = server.stream("live/cam")?;
            stream["tracks"][0]["units"].as_u64()
        };
        let received = until("the moment", secs(20), || {
            units(&server).filter(|units| *units >= moment)
        });
        server.process_mut().kill();
        let what = format!("kill {kill} at picture {received}");
        publisher.wait(secs(20));
        let unfinished = dir.path().join("live/cam-0.mp4.recording");
        let had_begun = unfinished.exists();
        drop(server);
        let next = self::server(dir.path(), &rule);
        for format in formats {
            let path = dir.path().join(format!("live/cam-0.{format}"));
            if !had_begun {
                continue;
            }
            let marker = format!("{}.recording", path.display());
            until(&format!("{what}: {marker} is gone"), secs(10), || {
                (!Path::new(&marker).exists()).then_some(())
            });
            if !path.exists() {
                // Less than a fragment.
                assert!(received <= 25, "{what}: no {format}");
                continue;
            }
            let manifest = manifest(&path);
            assert_eq!(manifest["recovered"], true, "{what}");
            let got = frames(dir.path(), "live/cam-0", format);
            let source = match framing(format) {
                Framing::Ts => &ts,
                Framing::Native => &native,
            };
            source.assert_received(&format!("{what}, {format}"), &got, Coverage::Part(1));
            let recorded = video_frames(&got) as u64;
            if format == "flv" {
                let duration = manifest["duration_ms"].as_u64().unwrap();
                assert!(
                    (recorded * 40..recorded * 40 + 400).contains(&duration),
                    "{what}: {duration} ms, {recorded} pictures"
                );
                let tags = flv::read_file(&path);
                let told = behind(&tags[0].body, b"duration\0");
                let told = f64::from_be_bytes(told[..8].try_into().unwrap());
                assert_eq!(told, duration as f64 / 1_000.0, "{what}");
                let places = behind(&tags[0].body, b"filepositions\x0a");
                let keys = tags.iter().filter(|tag| tag.is_key_frame()).count();
                assert_eq!(places[..4], u32::try_from(keys).unwrap().to_be_bytes());
            }
            lost.entry(format)
                .or_default()
                .push(received.saturating_sub(recorded));
            assert!(
                recorded + 25 > received,
                "{what}: {recorded} pictures in {format}"
            );
        }
        assert!(had_begun || received <= 25, "{what}: nothing recorded");
        if had_begun && received > 25 {
            next.wait_for_log("\"recovered\":true", secs(5));
        }
    }
    for (format, mut lost) in lost {
        lost.sort_unstable();
        let (files, sum): (_, u64) = (lost.len(), lost.iter().sum());
        let (median, most) = (lost[files / 2], lost[files - 1]);
        println!(
            "{kills} kills: {files} {format} files; pictures of 40 ms lost: mean {:.1}, median {median}, most {most}",
            sum as f64 / files as f64
        );
    }
}
