//! A publisher with two sounds, each its own tone: offered as a group, and each player hears the one that was chosen.

use e2e::ffmpeg::Version;
use e2e::media::repository;
use e2e::process::{Process, command, run_ok};
use e2e::server::{SHORT_LIFE, Server, sidestream};
use e2e::wait::{secs, until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

use crate::browser::watch;
use crate::web_players::play;

/// The tones of both sounds, in Hz.
const TONES: [&str; 2] = ["440", "1000"];
const CONTAINERS: [&str; 2] = ["/live/two.m3u8", "/live/two.ts.m3u8"];

/// A picture and two sounds, as FFmpeg 9 writes them (Enhanced RTMP v2 multitrack).
fn two_sounds(folder: &Path, seconds: &str) -> PathBuf {
    let file = folder.join("two.flv");
    let mut encode = command(Version::V9.program());
    encode.args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i"]);
    encode.arg(format!("testsrc2=s=320x180:r=25:d={seconds}"));
    for tone in TONES {
        let tone = format!("sine=frequency={tone}:sample_rate=48000:duration={seconds}");
        encode.args(["-f", "lavfi", "-i", &tone]);
    }
    encode.args(["-map", "0:v", "-map", "1:a", "-map", "2:a"]);
    encode.args([
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
    ]);
    encode.args(["-threads", "1", "-g", "25", "-keyint_min", "25"]);
    encode.args(["-sc_threshold", "0", "-b:v", "300k"]);
    // Noise substitution would make a frame's samples depend on all frames before it.
    encode.args(["-c:a", "aac", "-aac_pns", "0", "-b:a", "96k"]);
    encode.arg(&file);
    run_ok("ffmpeg encodes two sounds", encode, secs(60));
    file
}

fn publish(server: &Server, file: &Path, rounds: &str) -> Process {
    let mut ffmpeg = command(Version::V9.program());
    ffmpeg.args(["-nostdin", "-loglevel", "warning", "-re"]);
    ffmpeg.args(["-stream_loop", rounds, "-i"]).arg(file);
    ffmpeg.args(["-map", "0", "-c", "copy", "-f", "flv"]);
    ffmpeg.arg(server.rtmp_url("live/two"));
    ffmpeg.stdout(std::process::Stdio::null());
    Process::start("ffmpeg publishing two sounds", ffmpeg)
}

/// The multivariant playlist, as soon as it offers both sounds.
fn offered(server: &Server, path: &str) -> String {
    until("two sounds", secs(20), || {
        let text = server.get(path).text();
        (text.matches("#EXT-X-MEDIA:TYPE=AUDIO").count() == 2).then_some(text)
    })
}

/// Every URI of a playlist below `/live/`.
fn uris(text: &str) -> Vec<String> {
    let attributes = text.lines().filter_map(|line| line.split("URI=\"").nth(1));
    let attributes = attributes.filter_map(|rest| rest.split('"').next());
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let all = attributes.chain(lines);
    all.map(|uri| format!("/live/{uri}")).collect()
}

/// Checksums of the decoded samples of one sound, frame by frame.
fn samples(input: &str, map: &str) -> Vec<String> {
    let mut decode = command(Version::V9.program());
    decode.args(["-nostdin", "-loglevel", "error", "-i", input]);
    decode.args(["-map", map, "-c:a", "pcm_s16le", "-f", "framemd5", "-"]);
    let text = run_ok(&format!("ffmpeg decodes {map}"), decode, secs(30)).text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

#[test]
fn each_sound_that_is_chosen_is_the_publishers_own_to_the_sample() {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\n"
    ));
    let folder = tempfile::tempdir().unwrap();
    let file = two_sounds(folder.path(), "6");
    let mut publisher = publish(&server, &file, "0");
    let texts = CONTAINERS.map(|path| offered(&server, path));
    // What somebody asked for stays after the end.
    let all = texts.iter().flat_map(|text| uris(text));
    let all: Vec<String> = all.collect();
    for uri in &all {
        assert_eq!(server.get(uri).status, 200, "{uri}");
    }
    let python = "
import sys, m3u8
for text in sys.argv[1:]:
    playlist = m3u8.loads(text)
    sounds = [(one.type, one.group_id, one.name, one.default, one.autoselect, one.channels) for one in playlist.media]
    assert sounds == [('AUDIO', 'sound', 'Audio 1', 'YES', 'YES', '1'), ('AUDIO', 'sound', 'Audio 2', 'NO', None, '1')], sounds
    for variant in playlist.playlists:
        assert variant.stream_info.audio == 'sound', text
        assert [one.uri for one in variant.media] == [one.uri for one in playlist.media], text
";
    let mut parse = command(repository().join(".tools/py/bin/python"));
    parse.args(["-c", python]).args(&texts);
    run_ok("python m3u8", parse, secs(30));
    until("the end", secs(30), || {
        let ended = |uri: &String| server.get(uri).text().contains("#EXT-X-ENDLIST");
        all.iter().all(ended).then_some(())
    });
    publisher.finish(secs(10));
    let source = file.to_str().unwrap();
    for path in CONTAINERS {
        for n in 0..2 {
            let sent = samples(source, &format!("0:a:{n}"));
            let name = format!("0:m:comment:Audio {}", n + 1);
            let heard = samples(&server.http_url(path), &name);
            // The first frame overlaps with one that is not there.
            let (heard, end) = (&heard[1..], sent.len());
            assert!(heard.len() > 150, "{path} {n}: {}", heard.len());
            assert_eq!(heard, &sent[end - heard.len()..], "{path} {n}");
        }
    }
}

#[test]
fn players_and_the_watch_page_change_from_one_sound_to_the_other() {
    let server = Server::with_config("[hls]\nalways = true\nsegment = \"1s\"\n");
    let folder = tempfile::tempdir().unwrap();
    let file = two_sounds(folder.path(), "20");
    let _publisher = publish(&server, &file, "20");
    for path in CONTAINERS {
        offered(&server, path);
    }
    until("six segments", secs(30), || {
        let text = server.get("/live/two/video.m3u8").text();
        (text.matches("#EXTINF").count() >= 6).then_some(())
    });
    let played = play(
        &server,
        &[
            ("/live/two.m3u8", "hls,low-latency,sounds"),
            ("/live/two.m3u8", "shaka,low-latency,sounds"),
            ("/live/two.ts.m3u8", "hls,sounds"),
            ("/live/two.ts.m3u8", "shaka,sounds"),
        ],
    );
    let heard = json!([["Audio 1", 440], ["Audio 2", 1000], ["Audio 1", 440]]);
    for seen in &played {
        assert_eq!(seen["sounds"], heard, "{seen:#}");
    }
    std::thread::scope(|scope| {
        let watched = scope.spawn(|| watch(&server, "live/two", "hls", &["--sounds"]));
        let checks = CONTAINERS.map(|path| {
            let url = server.http_url(path);
            scope.spawn(move || {
                let arguments = ["hls-check", &url, "--json", "--strict", "--time", "6s"];
                sidestream(&arguments, secs(60))
            })
        });
        let seen = watched.join().unwrap();
        // By keyboard; and again once HTTP-FLV was played in between, which has the default one.
        let heard = json!([["Audio 1", 440], ["Audio 2", 1000], ["Audio 2", 1000]]);
        assert_eq!(seen["sounds"], heard, "{seen:#}");
        let parts = seen["lowLatency"]["parts"].as_u64().unwrap();
        assert!(parts >= 5, "{seen:#}");
        for (path, check) in CONTAINERS.iter().zip(checks) {
            let output = check.join().unwrap();
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(found["findings"], json!([]), "{path}: {found:#}");
            assert_eq!(found["totals"]["failed"], 0, "{path}: {found:#}");
            let playlists = found["totals"]["playlists"].as_u64().unwrap();
            assert_eq!(playlists, 4, "{path}: {found:#}");
        }
    });
}
