//! `sidestream record`: streams of other servers to files.

use crate::record::{complaints, frames, framing, manifest, video_frames};
use e2e::ffmpeg::{self, Version};
use e2e::frames::{Coverage, Framing, Kind, Media};
use e2e::media::testdata;
use e2e::process::Process;
use e2e::proxy::Proxy;
use e2e::server::{Server, clean_command, sidestream};
use e2e::wait::{secs, until};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

fn record(url: &str, out: &Path, more: &[&str]) -> Process {
    let mut program = clean_command();
    program.args(["record", "--wait", "20s", url]).arg(out);
    program.args(more).stdout(Stdio::piped());
    Process::start(&format!("sidestream record {}", out.display()), program)
}

fn units(server: &Server) -> Option<u64> {
    server.stream("live/cam")?["tracks"][0]["units"].as_u64()
}

fn wait_for_bytes(path: &Path, bytes: u64) {
    until(
        &format!("{bytes} bytes in {}", path.display()),
        secs(20),
        || (std::fs::metadata(path).ok()?.len() >= bytes).then_some(()),
    );
}

#[test]
fn every_container_holds_every_frame_of_a_remote_stream() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start();
    let (rtmp, http) = (
        server.rtmp_url("live/cam"),
        server.http_url("/live/cam.flv"),
    );
    let all = ["mp4", "flv", "ts", "hls", "m4a"];
    let mut running: Vec<Process> = all
        .iter()
        .map(|format| {
            let url = if *format == "flv" { &http } else { &rtmp };
            record(url, &dir.path().join(format!("cam.{format}")), &["--json"])
        })
        .collect();
    server.wait_for_rtmp_connections(all.len() - 1);
    let file = testdata("bframes.flv");
    ffmpeg::publish(Version::V5, &file, &rtmp).finish(secs(30));
    for (process, format) in running.iter_mut().zip(all) {
        let lines = process.stdout_lines();
        process.finish(secs(15));
        let lines: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect();
        let path = dir.path().join(format!("cam.{format}"));
        let [.., told, summary] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert_eq!(told["event"], "file");
        assert_eq!(told["path"], path.to_str().unwrap());
        assert_eq!(summary["event"], "summary");
        assert_eq!(summary["files"], 1);
        assert_eq!(summary["connections"], 1);
        assert_eq!(summary["gaps"], 0);
        let ms = manifest(&path)["duration_ms"].as_i64().unwrap();
        assert!((5_950..6_100).contains(&ms), "{format}: {ms} ms");
        let marker = format!("{}.recording", path.display());
        assert!(!Path::new(&marker).exists());
        let got = frames(dir.path(), "cam", format);
        let sent = ffmpeg::source(Version::V5, &file, framing(format));
        let sent = match format {
            "m4a" => sent.without(Kind::Video),
            _ => sent,
        };
        sent.assert_received(format, &got, Coverage::Whole);
    }
}

/// The frames of `got` that are in `sent`, all at times moved alike; the number of pictures.
fn assert_at_their_times(sent: &Media, got: &Media) -> usize {
    let mut shift = None;
    for kind in [Kind::Video, Kind::Audio] {
        let sent = &sent.track(kind, 0).unwrap().frames;
        let known: HashMap<_, _> = sent.iter().map(|frame| (&frame.md5, frame.dts)).collect();
        for frame in &got.track(kind, 0).unwrap().frames {
            let Some(dts) = known.get(&frame.md5) else {
                panic!("{kind:?}: a frame that was not sent: {frame:?}");
            };
            let moved = frame.dts - dts;
            assert_eq!(*shift.get_or_insert(moved), moved, "{kind:?} {frame:?}");
        }
    }
    video_frames(got)
}

#[test]
fn a_connection_that_breaks_is_made_again_and_the_manifest_tells_the_gap() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start();
    let proxy = Proxy::start(&server.rtmp);
    let outs = ["cam.mp4", "cam.flv"].map(|name| dir.path().join(name));
    let url = format!("rtmp://{}/live/cam", proxy.address);
    let mut running: Vec<Process> = outs.iter().map(|out| record(&url, out, &[])).collect();
    server.wait_for_rtmp_connections(2);
    let file = testdata("bframes.flv");
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let reached = |wanted: u64| {
        until(&format!("picture {wanted}"), secs(20), || {
            units(&server).filter(|units| *units >= wanted)
        });
    };
    reached(40);
    proxy.close();
    // Two random access points later: what is missing is missing.
    reached(100);
    proxy.open();
    publisher.finish(secs(30));
    let sent = ffmpeg::source(Version::V5, &file, Framing::Native);
    for (process, out) in running.iter_mut().zip(&outs) {
        process.finish(secs(15));
        let log = process.log();
        assert!(
            log.contains(": the connection ended, try 1, next in 0.2s"),
            "{log}"
        );
        assert!(log.contains(", 1 gap, 1 reconnect\n"), "{log}");
        let manifest = manifest(out);
        let gaps = manifest["gaps"].as_array().unwrap();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0]["cause"], "publisher");
        assert_eq!(gaps[0]["in_time"], true);
        let (stem, format) = out
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .split_once('.')
            .unwrap();
        let got = frames(dir.path(), stem, format);
        let pictures = assert_at_their_times(&sent, &got);
        let missing_ms = gaps[0]["missing_ms"].as_u64().unwrap();
        assert_eq!(
            missing_ms,
            (150 - pictures as u64) * 40,
            "{pictures} pictures"
        );
        assert!(missing_ms >= 1_000, "{missing_ms}");
    }
}

#[test]
fn it_ends_when_it_is_told_to_and_what_is_there_plays() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start();
    let url = server.rtmp_url("live/cam");
    let file = testdata("bframes.flv");
    let path = |name: &str| dir.path().join(name);
    let loops = ["-re", "-stream_loop", "9"];
    let _publisher = ffmpeg::publish_with(Version::V5, &loops, &file, &[], &url);
    server.wait_for_stream("live/cam");
    // Nothing of what stands there is touched until -y says so, and the stream is there.
    std::fs::write(path("cut.mp4"), "mine").unwrap();
    let refused = sidestream(
        &["record", &url, path("cut.mp4").to_str().unwrap()],
        secs(20),
    );
    assert_eq!(refused.code, Some(1));
    let exists = format!(
        "error: {}: exists; pass -y to replace it\n",
        path("cut.mp4").display()
    );
    assert_eq!(refused.stderr, exists);
    let missing = format!("rtmp://{}/live/nobody", server.rtmp);
    let cut = path("cut.mp4");
    let late = [
        "record",
        "-y",
        "--wait",
        "0s",
        &missing,
        cut.to_str().unwrap(),
    ];
    let late = sidestream(&late, secs(20));
    assert_eq!(late.code, Some(1), "{}", late.stderr);
    assert_eq!(std::fs::read(&cut).unwrap(), b"mine");

    let mut limited = record(
        &url,
        &path("part.mp4"),
        &["--duration", "3s", "--split", "1s"],
    );
    let mut cut = record(&url, &path("cut.mp4"), &["-y"]);
    let mut term = record(&url, &path("term.ts"), &[]);
    let mut killed = record(&url, &path("killed.mp4"), &[]);
    for name in ["cut.mp4", "term.ts", "killed.mp4"] {
        wait_for_bytes(&path(name), 60_000);
    }
    killed.kill();
    cut.signal("INT");
    term.signal("TERM");
    assert_eq!(cut.wait(secs(15)).code(), Some(130), "{}", cut.log());
    assert_eq!(term.wait(secs(15)).code(), Some(130), "{}", term.log());
    limited.finish(secs(15));
    let log = limited.log();
    assert!(log.contains(", 3 files"), "{log}");
    let mut pictures = 0;
    for name in ["part", "part-1", "part-2"] {
        let got = frames(dir.path(), name, "mp4");
        pictures += video_frames(&got);
        manifest(&path(&format!("{name}.mp4")));
    }
    assert_eq!(pictures, 75, "{log}");
    let got = frames(dir.path(), "cut", "mp4");
    assert!(video_frames(&got) >= 25);
    manifest(&path("term.ts"));
    assert_eq!(complaints(Version::V5, &path("term.ts")), "");
    let got = ffmpeg::file_frames(Version::V5, &path("killed.mp4"), Framing::Native, false);
    assert!(video_frames(&got) >= 20);
    assert!(path("killed.mp4.recording").exists());
}
