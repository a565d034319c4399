//! HTTP-FLV, WebSocket-FLV and endless HTTP-TS.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv::{self, Tag};
use e2e::frames::{Coverage, Framing};
use e2e::http;
use e2e::media::testdata;
use e2e::server::Server;
use e2e::wait::secs;
use e2e::ws::WebSocket;
use std::io::Read;

#[test]
fn http_flv_and_websocket_flv_carry_every_frame() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    server.wait_for_stream("live/cam");

    let url = server.http_url("/live/cam.flv");
    let five = Reader::start(&ReadOptions::native(Version::V5), &url);
    let nine = Reader::start(&ReadOptions::native(Version::V9), &url);
    let raw = {
        let address = server.http.clone();
        std::thread::spawn(move || http_flv_tags(&address, "/live/cam.flv"))
    };
    let websocket = {
        let address = server.http.clone();
        std::thread::spawn(move || websocket_tags(&address, "/live/cam.flv"))
    };

    for reader in [five, nine] {
        let placed = reader.expect(&source, Coverage::FromKeyFrame, secs(30));
        assert!(placed.first <= 50, "joined at frame {}", placed.first);
        assert_eq!(placed.shift, 0);
    }
    let tags = flv::read_file(&file);
    for (name, received) in [
        ("HTTP-FLV", raw.join()),
        ("WebSocket-FLV", websocket.join()),
    ] {
        let received = received.unwrap();
        let placed =
            flv::media(&tags).assert_received(name, &flv::media(&received), Coverage::FromKeyFrame);
        assert_eq!(placed.shift, 0, "{name}");
        for kind in [8, 9] {
            assert_eq!(
                flv::configurations(&received, kind),
                flv::configurations(&tags, kind),
                "{name}: configuration of type {kind}"
            );
        }
        assert_eq!(received[0].kind, 18, "{name} starts with onMetaData");
    }
}

/// All tags of an HTTP-FLV response until the server ends it.
pub(crate) fn http_flv_tags(address: &str, path: &str) -> Vec<Tag> {
    let (head, mut body) = http::open("GET", address, path, &[]).unwrap();
    assert_eq!(head.status, 200, "{path}");
    assert_eq!(head.header("content-type"), Some("video/x-flv"));
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
    let mut reader = flv::Reader::default();
    let mut tags = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return tags,
            Ok(n) => tags.extend(reader.push(&buffer[..n])),
            Err(error) => panic!("HTTP-FLV is cut off instead of ended: {error}"),
        }
    }
}

fn websocket_tags(address: &str, path: &str) -> Vec<Tag> {
    let mut socket = WebSocket::open(address, path).unwrap();
    let mut reader = flv::Reader::default();
    let mut tags = Vec::new();
    while let Some(message) = socket.message().unwrap() {
        tags.extend(reader.push(&message));
    }
    tags
}

#[test]
fn endless_mpeg_ts_carries_every_frame() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    server.wait_for_stream("live/cam");
    let options = ReadOptions::ts(Version::V5, &["h264", "aac"]);
    let five = Reader::start(&options, &server.http_url("/live/cam.ts"));
    let options = ReadOptions::ts(Version::V9, &["h264", "aac"]);
    let nine = Reader::start(&options, &server.http_url("/live/cam.ts"));
    let (head, _body) = http::open("GET", &server.http, "/live/cam.ts", &[]).unwrap();
    assert_eq!(head.header("content-type"), Some("video/mp2t"));
    for reader in [five, nine] {
        let placed = reader.expect(&source, Coverage::FromKeyFrame, secs(30));
        assert!(placed.first <= 50, "joined at frame {}", placed.first);
    }
}

#[test]
fn audio_only_and_video_only_work_on_http_outputs() {
    let server = Server::start();
    for (name, codec) in [("audio-only", "aac"), ("video-only", "h264")] {
        let file = testdata(&format!("{name}.flv"));
        let stream = format!("live/{name}");
        let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url(&stream));
        server.wait_for_stream(&stream);
        let flv = Reader::start(
            &ReadOptions::native(Version::V9),
            &server.http_url(&format!("/{stream}.flv")),
        );
        let ts = Reader::start(
            &ReadOptions::ts(Version::V9, &[codec]),
            &server.http_url(&format!("/{stream}.ts")),
        );
        let native = ffmpeg::source(Version::V5, &file, Framing::Native);
        flv.expect(&native, Coverage::FromKeyFrame, secs(30));
        let annex_b = ffmpeg::source(Version::V5, &file, Framing::Ts);
        ts.expect(&annex_b, Coverage::FromKeyFrame, secs(30));
    }
}

#[test]
fn an_unknown_stream_is_404_at_once_in_text_or_json() {
    let server = Server::start();
    for path in [
        "/live/no.flv",
        "/live/no.ts",
        "/live/no.m3u8",
        "/live/no.ts.m3u8",
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}");
        let text = response.text();
        assert!(
            text.contains("no stream live/no; publish it to rtmp://"),
            "{path}: {text}"
        );
        let response = http::get_with(&server.http, path, &[("Accept", "application/json")]);
        assert_eq!(response.status, 404);
        assert_eq!(response.json()["status"], 404, "{}", response.text());
    }
}
