//! Who may publish and who may watch: signed URLs and keys with real encoders and players.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::Media;
use e2e::media::testdata;
use e2e::process::{Process, command, run_ok};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::{secs, until};
use std::time::SystemTime;

const PUSH_KEY: &str = "e12c46f2612d5106e2034781ab261ca3";
const PLAY_KEY: &str = "for players only";

/// The query of a signed URL, the sum made by `md5sum`.
fn signed(key: &str, stream: &str, seconds_from_now: i64) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let time = format!("{:X}", now.checked_add_signed(seconds_from_now).unwrap());
    let mut sum = command("sh");
    sum.args(["-c", "printf %s \"$1\" | md5sum", "sum"]);
    sum.arg(format!("{key}{stream}{time}"));
    let sum = run_ok("md5sum", sum, secs(10)).text();
    let secret = sum.split_whitespace().next().unwrap();
    format!("txSecret={secret}&txTime={time}")
}

fn publish(server: &Server, key: &str) -> Process {
    ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "30"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url(key),
    )
}

fn refused(server: &Server, key: &str, reason: &str) {
    let mut publisher = publish(server, key);
    let status = publisher.wait(secs(30));
    assert!(!status.success(), "{key}: {}", publisher.log());
    server.wait_for_log(reason, secs(10));
}

#[test]
fn publishers_sign_their_urls() {
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[auth]\npublish = \"txsecret\"\npublish_key = \"{PUSH_KEY}\"\n\
         publish_key_backup = \"the backup key\"\n"
    ));
    let good = signed(PUSH_KEY, "cam", 3_600);
    let _publisher = publish(&server, &format!("live/cam?{good}"));
    server.wait_for_stream("live/cam");
    refused(&server, &format!("live/other?{good}"), "txSecret is wrong");
    refused(&server, "live/other", "the URL is not signed");
    let expired = signed(PUSH_KEY, "other", -60);
    refused(
        &server,
        &format!("live/other?{expired}"),
        "the URL expired 6",
    );
    let forged = signed("another key", "other", 3_600);
    refused(
        &server,
        &format!("live/other?{forged}"),
        "txSecret is wrong",
    );
    assert!(server.stream("live/other").is_none());
    // The one that was let in is not disturbed, and who has the backup key is let in too.
    let backup = signed("the backup key", "other", 3_600);
    let _other = publish(&server, &format!("live/other?{backup}"));
    server.wait_for_stream("live/other");
    assert_eq!(server.stream("live/cam").unwrap()["state"], "live");
    let log = server.log();
    let (_, secret) = good.split_once("txSecret=").unwrap();
    assert!(!log.contains(&secret[..32]), "the secret is in the log");
    assert!(!log.contains(PUSH_KEY));
    server.assert_alive();
}

#[test]
fn players_bring_a_key_and_any_hls_player_plays() {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\n[auth]\nplay = \"key\"\nplay_key = \"{PLAY_KEY}\"\n"
    ));
    let query = format!("key={}", PLAY_KEY.replace(' ', "%20"));
    let over_rtmp = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.rtmp_url(&format!("live/cam?{query}")),
    );
    server.wait_for_rtmp_connections(1);
    let _publisher = publish(&server, "live/cam");
    server.wait_for_stream("live/cam");
    for path in [
        "/live/cam.m3u8",
        "/live/cam.ts.m3u8",
        "/live/cam.flv",
        "/live/cam.ts",
    ] {
        assert_eq!(server.get(path).status, 403, "{path}");
        assert_eq!(
            server.get(&format!("{path}?key=wrong")).status,
            403,
            "{path}"
        );
    }

    // Playlist by playlist, as a player goes.
    let multivariant = until("the first segment", secs(20), || {
        let answer = server.get(&format!("/live/cam.m3u8?{query}"));
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(
        multivariant.header("cache-control"),
        Some("private, no-cache")
    );
    let uri = |text: &str| {
        let uri = text.lines().find(|line| !line.starts_with('#')).unwrap();
        assert!(uri.contains("?token="), "{uri}");
        uri.to_owned()
    };
    let media = format!("/live/{}", uri(&multivariant.text()));
    let playlist = server.get(&media);
    assert_eq!(playlist.status, 200);
    let segment = format!("/live/cam/{}", uri(&playlist.text()));
    let answer = server.get(&segment);
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("cache-control")
            .unwrap()
            .starts_with("private")
    );
    for linked in [&media, &segment] {
        let (bare, _) = linked.split_once('?').unwrap();
        assert_eq!(server.get(bare).status, 403, "{bare}");
        assert_eq!(
            server.get(&format!("{bare}?token=0-x")).status,
            403,
            "{bare}"
        );
    }
    assert!(!format!("{}{}", multivariant.text(), playlist.text()).contains("players"));

    // FFmpeg as it is.
    let native = ReadOptions::native(Version::V9);
    let over_http = [
        ("/live/cam.m3u8", native.clone()),
        (
            "/live/cam.ts.m3u8",
            ReadOptions::ts(Version::V9, &["h264", "aac"]),
        ),
        ("/live/cam.flv", native),
    ];
    let readers = over_http.map(|(path, options)| {
        let url = server.http_url(&format!("{path}?{query}"));
        Reader::start(&options, &url)
    });
    for mut reader in readers.into_iter().chain([over_rtmp]) {
        let frames = |media: &Media| media.tracks.iter().map(|t| t.frames.len()).sum::<usize>();
        let done = reader.read_until(secs(30), |media| frames(media) >= 100);
        assert!(done, "{}", reader.process().log());
    }
    crate::browser::watch(&server, &format!("live/cam?{query}"), "hls", &[]);
}

#[test]
fn a_reload_asks_for_a_key_from_then_on() {
    let mut server = Server::with_config(SHORT_LIFE);
    let _first = publish(&server, "live/first");
    server.wait_for_stream("live/first");
    let config = format!("{SHORT_LIFE}[auth]\npublish = \"key\"\npublish_key = \"{PUSH_KEY}\"\n");
    std::fs::write(server.folder().join("sidestream.toml"), config).unwrap();
    server.process().signal("HUP");
    server.wait_for_log("reload", secs(10));
    refused(&server, "live/second", "a key is needed");
    refused(&server, "live/second?key=wrong", "the key is wrong");
    let _second = publish(&server, &format!("live/second?key={PUSH_KEY}"));
    server.wait_for_stream("live/second");
    assert_eq!(server.stream("live/first").unwrap()["state"], "live");
    server.assert_alive();
}
