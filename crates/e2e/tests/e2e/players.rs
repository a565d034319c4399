//! Players with HLS readers of their own: VLC's `adaptive` (its own MP4 and TS demuxers), and mpv.
//! What they keep of a live stream is compared with the source, bytes and times.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use e2e::ffmpeg::{self, Version};
use e2e::frames::{Coverage, Framing, Kind, Media, Placed, TICKS_PER_MS};
use e2e::gst;
use e2e::hls::{FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::process::{Process, command};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::{secs, until};

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

/// A player that writes what it plays into a file.
struct Playing {
    name: String,
    process: Process,
    folder: tempfile::TempDir,
}

impl Playing {
    fn start(
        player: &str,
        make: fn(&str, &Path, &Path) -> Command,
        server: &Server,
        path: &str,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("{player} {path}");
        let out = folder.path().join("played.ts");
        let command = make(&server.http_url(path), folder.path(), &out);
        Self {
            process: Process::start(&name, command),
            name,
            folder,
        }
    }

    /// Waits for its end; what it wrote must be the source's.
    fn expect(mut self, source: &Media) {
        let status = self.process.wait(secs(60));
        assert!(status.success(), "{}: {}", self.name, self.process.log());
        let out = self.folder.path().join("played.ts");
        let got = ffmpeg::file_frames(Version::V5, &out, Framing::Ts, false);
        let placed = assert_pictures(&self.name, source, &got);
        assert_sound(&self.name, source, &got, placed);
    }
}

/// Both playlists at once, from a moment in the stream to its end.
fn plays_both(player: &str, make: fn(&str, &Path, &Path) -> Command) {
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let file = testdata("bframes.flv");
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    let played = ["/live/cam.m3u8", "/live/cam.ts.m3u8"].map(|path| {
        multivariant(&server.http, path, FIRST_SEGMENT);
        Playing::start(player, make, &server, path)
    });
    played.into_iter().for_each(|one| one.expect(&source));
}

#[test]
fn vlc_plays_both_playlists() {
    plays_both("vlc", vlc);
}

#[test]
fn mpv_plays_both_playlists() {
    plays_both("mpv", mpv);
}

/// A stream that is over, in both containers; one in clear, one encrypted with keys in turn.
#[test]
fn vlc_mpv_and_gstreamer_play_the_past_and_aes_128() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\ndvr = \"2h\"\ndvr_formats = [\"fmp4\", \"ts\"]\ndvr_dir = {:?}\ndvr_min_free = \"0B\"\n\
         [[hls.encryption]]\nmatch = \"sealed/*\"\nmethod = \"aes-128\"\nrotate_segments = 2\n",
        folder.path()
    ));
    let file = testdata("bframes.flv");
    let names = ["live/cam", "sealed/cam"];
    let publishers = names.map(|name| ffmpeg::publish(Version::V5, &file, &server.rtmp_url(name)));
    publishers.into_iter().for_each(|mut one| {
        one.finish(secs(20));
    });
    let paths = [
        "/live/cam.m3u8",
        "/live/cam.ts.m3u8",
        "/sealed/cam.m3u8",
        "/sealed/cam.ts.m3u8",
    ];
    let paths = paths.map(|path| format!("{path}?start=-3600"));
    for path in &paths {
        until("the end of the past", secs(20), || {
            let list = multivariant(&server.http, path, FIRST_SEGMENT);
            server
                .get(&list.media)
                .text()
                .contains("#EXT-X-ENDLIST")
                .then_some(())
        });
    }
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    let played = paths.iter().flat_map(|path| {
        let vlc = Playing::start("vlc", vlc, &server, path);
        [vlc, Playing::start("mpv", mpv, &server, path)]
    });
    let played: Vec<Playing> = played.collect();
    let sent = gst::pictures_of_file(&file);
    assert_eq!(sent.len(), 150);
    // GStreamer 1.22 does not decrypt init segments.
    let in_gstreamer = paths
        .iter()
        .filter(|path| !path.starts_with("/sealed/cam.m3u8"));
    for path in in_gstreamer {
        let mut playing = gst::play(&server.http_url(path));
        let lines = playing.stdout_lines();
        let log = || playing.log();
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let line = lines.recv_timeout(secs(30));
            let line =
                line.unwrap_or_else(|e| panic!("{path}: {e} after {}\n{}", got.len(), log()));
            got.extend(gst::picture(&line));
        }
        assert!(got == sent, "{path}: other pictures than were sent");
    }
    played.into_iter().for_each(|one| one.expect(&source));
}
