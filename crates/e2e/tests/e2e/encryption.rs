//! Encrypted HLS, taken apart by others: FFmpeg's own decryption frame by frame, OpenSSL byte by byte.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing};
use e2e::hls::{FIRST_SEGMENT, Playlist, multivariant};
use e2e::http::get;
use e2e::media::testdata;
use e2e::process::{command, run_ok};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::{secs, until};

fn encrypted(rule: &str) -> Server {
    encrypted_with("", rule)
}

/// The same with more settings of `[hls]`.
fn encrypted_with(hls: &str, rule: &str) -> Server {
    Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\nsegments = 10\n{hls}\
         [[hls.encryption]]\nmatch = \"live/*\"\n{rule}"
    ))
}

/// What FFmpeg makes of both playlists is what was published, to the last bit.
fn plays_whole(server: &Server) {
    let file = testdata("bframes.flv");
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let start = ["-live_start_index", "0"];
    let native = |version| {
        let options = ReadOptions::native(version).with(&start);
        Reader::start(&options, &server.http_url("/live/cam.m3u8"))
    };
    let (nine, five) = (native(Version::V9), native(Version::V5));
    let ts = ReadOptions::ts(Version::V5, &["h264", "aac"]).with(&start);
    let ts = Reader::start(&ts, &server.http_url("/live/cam.ts.m3u8"));
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    nine.expect(&source, Coverage::Whole, secs(30));
    five.expect(&source, Coverage::Whole, secs(30));
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    ts.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn ffmpeg_decrypts_whole_segments_over_a_change_of_keys() {
    let server = encrypted("method = \"aes-128\"\nrotate_segments = 2\n");
    plays_whole(&server);
    let secret = server.folder().join("data/hls-keys.secret");
    assert_eq!(std::fs::read(secret).unwrap().len(), 32);
}

#[test]
fn ffmpeg_decrypts_samples() {
    // FFmpeg fetches the first key only, so there is one.
    plays_whole(&encrypted("method = \"cbcs\"\n"));
}

/// What was kept plays to the last bit after a kill: the next process makes its keys again.
fn plays_the_past(rule: &str) {
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\ndvr = \"2h\"\ndvr_min_free = \"0B\"\n\
         [[hls.encryption]]\nmatch = \"live/*\"\n{rule}"
    ));
    let file = testdata("bframes.flv");
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    // The last of the six ends with the stream.
    until("six segments of the past", secs(30), || {
        let answer = get(&server.http, "/live/cam/fmp4.m3u8?start=-600");
        let count = answer.text().matches("#EXTINF").count();
        (answer.status == 200 && count >= 6).then_some(())
    });
    publisher.finish(secs(10));
    server.kill_and_start();
    server.wait_for_log("dvr: taken up", secs(5));
    let url = server.http_url("/live/cam.m3u8?start=-600");
    let played = ffmpeg::file_frames(Version::V9, url.as_ref(), Framing::Native, false);
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    source.assert_received("the past", &played, Coverage::Whole);
}

#[test]
fn ffmpeg_decrypts_whole_segments_that_were_kept() {
    plays_the_past("method = \"aes-128\"\nrotate_segments = 2\n");
}

#[test]
fn ffmpeg_decrypts_samples_that_were_kept() {
    plays_the_past("method = \"cbcs\"\n");
}

/// The attributes of the last `EXT-X-KEY` before a segment: URI and vector.
fn key_of(text: &str, file: &str) -> (String, String) {
    let before = text.split(file).next().unwrap();
    let line = before.rsplit("#EXT-X-KEY:").next().unwrap();
    let line = line.lines().next().unwrap();
    assert!(line.starts_with("METHOD=AES-128,"), "{line}");
    let uri = line.split('"').nth(1).unwrap().to_owned();
    let (_, iv) = line.split_once("IV=0x").unwrap();
    (uri, iv.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn openssl_decrypts_segments_to_those_of_a_stream_in_clear() {
    // Whole segments are encrypted without parts; so the stream in clear has none, too.
    let server = encrypted_with(
        "low_latency = false\n",
        "method = \"aes-128\"\nrotate_segments = 1\n",
    );
    let file = testdata("bframes.flv");
    // The same frames under both names: what is not encrypted is the oracle.
    let _sealed = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let _clear = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("open/cam"));
    let folder = tempfile::tempdir().unwrap();
    for list in ["fmp4.m3u8", "ts.m3u8"] {
        let listed = |app: &str| {
            let path = format!("/{app}/cam/{list}");
            let text = until("three segments", secs(30), || {
                let response = get(&server.http, &path);
                let is_there =
                    response.status == 200 && response.text().matches("#EXTINF").count() >= 3;
                is_there.then(|| response.text())
            });
            (Playlist::parse(&path, &text), text)
        };
        let ((sealed, text), (clear, _)) = (listed("live"), listed("open"));
        let mut keys = Vec::new();
        for (sealed, clear) in sealed.segments.iter().zip(&clear.segments).take(3) {
            let name = sealed.path.rsplit('/').next().unwrap();
            let (uri, iv) = key_of(&text, name);
            let key = get(&server.http, &format!("/live/cam/{uri}"));
            assert_eq!((key.status, key.body.len()), (200, 16));
            assert_eq!(key.header("cache-control"), Some("no-store"));
            let input = folder.path().join("sealed");
            std::fs::write(&input, get(&server.http, &sealed.path).body).unwrap();
            let mut openssl = command("openssl");
            openssl.args([
                "enc",
                "-d",
                "-aes-128-cbc",
                "-K",
                &hex(&key.body),
                "-iv",
                &iv,
            ]);
            openssl.arg("-in").arg(&input);
            openssl.arg("-out").arg(folder.path().join("clear"));
            run_ok("openssl enc -d", openssl, secs(20));
            let decrypted = std::fs::read(folder.path().join("clear")).unwrap();
            let want = get(&server.http, &clear.path).body;
            assert_eq!(decrypted.len(), want.len(), "{name}");
            assert!(decrypted == want, "{name} is not the segment in clear");
            keys.push(key.body);
        }
        keys.dedup();
        assert_eq!(keys.len(), 3, "a key for each segment");
    }
}

#[test]
fn keys_are_for_those_who_may_play_and_stay_out_of_the_log() {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\n[auth]\nplay = \"key\"\nplay_key = \"for players\"\n\
         [[hls.encryption]]\nmatch = \"*\"\n"
    ));
    let file = testdata("bframes.flv");
    let loops = ["-re", "-stream_loop", "30"];
    let url = server.rtmp_url("live/cam");
    let _publisher = ffmpeg::publish_with(Version::V5, &loops, &file, &[], &url);
    server.wait_for_stream("live/cam");
    let path = "/live/cam/ts.m3u8?key=for%20players";
    let text = until("a playlist", secs(30), || {
        let response = get(&server.http, path);
        (response.status == 200).then(|| response.text())
    });
    let (uri, _) = key_of(&text, "#EXTINF");
    let (bare, token) = uri.split_once('?').expect("a token on the link");
    let key = get(&server.http, &format!("/live/cam/{uri}"));
    assert_eq!((key.status, key.body.len()), (200, 16));
    for wrong in [
        bare.to_owned(),
        format!("{bare}?{}x", &token[..token.len() - 1]),
    ] {
        let refused = get(&server.http, &format!("/live/cam/{wrong}"));
        assert_eq!(refused.status, 403, "{wrong}");
        assert!(!refused.body.windows(16).any(|bytes| bytes == key.body));
    }
    let log = server.log();
    assert!(
        !log.contains(&hex(&key.body)) && !log.contains(token),
        "{log}"
    );
    let metrics = get(&server.http, "/metrics").text();
    assert!(!metrics.contains("key-") && !metrics.contains(&hex(&key.body)));
}
