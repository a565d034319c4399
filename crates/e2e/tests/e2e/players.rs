//! Players with HLS readers of their own: VLC's `adaptive` (its own MP4 and TS demuxers), and mpv.
//! What they keep of a live stream is compared with the source, bytes and times.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use e2e::ffmpeg::{self, Version};
use e2e::frames::{Coverage, Framing, Kind, Media, Placed, TICKS_PER_MS};
use e2e::hls::{FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::process::{Process, command};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::secs;

/// `nobody` on Debian.
const NOBODY: u32 = 65_534;

/// VLC, which refuses to run as root, writing what it plays into a file.
fn vlc(url: &str, folder: &Path, out: &Path) -> Command {
    let mut vlc = Command::new("setpriv");
    vlc.args(["--pdeathsig", "KILL"]);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        vlc.args(["--reuid", "nobody", "--clear-groups"]);
        std::os::unix::fs::chown(folder, Some(NOBODY), None).unwrap();
    }
    vlc.args(["--", "vlc", "-I", "dummy", "--play-and-exit", url])
        .arg("--sout")
        .arg(format!("#std{{access=file,mux=ts,dst={}}}", out.display()))
        .arg("vlc://quit");
    vlc.env("HOME", folder).current_dir(folder);
    vlc
}

fn mpv(url: &str, _folder: &Path, out: &Path) -> Command {
    let mut mpv = command("mpv");
    mpv.args(["--no-config", "--no-terminal", "--vo=null", "--ao=null"])
        .arg(format!("--stream-record={}", out.display()))
        .arg(url);
    mpv
}

/// The pictures with their times, exactly; the last ones may stay in the player's muxer.
fn assert_pictures(player: &str, source: &Media, got: &Media) -> Placed {
    let pictures = source.clone().without(Kind::Audio);
    pictures.assert_received(
        player,
        &got.clone().without(Kind::Audio),
        Coverage::Part(100),
    )
}

/// The sound in order and without a gap. VLC counts samples from the first frame on, where FLV
/// rounds each frame's time to a millisecond.
fn assert_sound(player: &str, source: &Media, got: &Media, placed: Placed) {
    let source = &source.audio().unwrap().frames;
    // VLC's muxer tears the last one.
    let (_, got) = got.audio().unwrap().frames.split_last().unwrap();
    assert!(got.len() >= 200, "{player}: {} frames of sound", got.len());
    let runs = (0..=source.len() - got.len()).filter(|first| {
        let mut pairs = source.iter().skip(*first).zip(got);
        pairs.all(|(sent, got)| sent.md5 == got.md5)
    });
    let near = |first: &usize| {
        let mut pairs = source.iter().skip(*first).zip(got);
        pairs.all(|(sent, got)| (got.dts - placed.shift - sent.dts).abs() <= 2 * TICKS_PER_MS)
    };
    let runs: Vec<usize> = runs.collect();
    assert!(!runs.is_empty(), "{player}: other sound than was sent");
    assert!(
        runs.iter().any(near),
        "{player}: sound at other times than the pictures"
    );
}

/// Both playlists at once, from a moment in the stream to its end.
fn plays_both(player: &str, make: fn(&str, &Path, &Path) -> Command) {
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let file = testdata("bframes.flv");
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    let mut played = Vec::new();
    for path in ["/live/cam.m3u8", "/live/cam.ts.m3u8"] {
        multivariant(&server.http, path, FIRST_SEGMENT);
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("played.ts");
        let name = format!("{player} {path}");
        let process = Process::start(&name, make(&server.http_url(path), folder.path(), &out));
        played.push((name, process, folder, out));
    }
    for (name, mut process, _folder, out) in played {
        let status = process.wait(secs(60));
        assert!(status.success(), "{name}: {}", process.log());
        let got = ffmpeg::file_frames(Version::V5, &out, Framing::Ts, false);
        let placed = assert_pictures(&name, &source, &got);
        assert_sound(&name, &source, &got, placed);
    }
}

#[test]
fn vlc_plays_both_playlists() {
    plays_both("vlc", vlc);
}

#[test]
fn mpv_plays_both_playlists() {
    plays_both("mpv", mpv);
}
