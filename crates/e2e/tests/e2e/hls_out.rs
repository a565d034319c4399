//! HLS: both containers from one segmenter, frames equal, playlists that keep their promises.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing, Media};
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::secs;
use std::path::PathBuf;

fn always() -> Server {
    Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\n"
    ))
}

/// The collected media, as FFmpeg reads it.
fn frames(collector: &Collector, name: &str, framing: Framing) -> Media {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join(name);
    std::fs::write(&file, collector.concatenated()).unwrap();
    ffmpeg::file_frames(Version::V9, &file, framing, false)
}

#[test]
fn both_containers_carry_every_frame_and_are_cut_at_the_same_places() {
    let server = always();
    let file = testdata("bframes.flv");
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let fmp4 = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let ts = multivariant(&server.http, "/live/cam.ts.m3u8", FIRST_SEGMENT);
    for list in [&fmp4, &ts] {
        let attributes = &list.attributes;
        assert!(
            attributes.contains("CODECS=\"avc1.64000c,mp4a.40.2\""),
            "{attributes}"
        );
        assert!(attributes.contains("RESOLUTION=320x180"), "{attributes}");
        assert!(attributes.contains("FRAME-RATE=25"), "{attributes}");
        assert!(attributes.contains("BANDWIDTH="), "{attributes}");
    }
    let mut fmp4 = Collector::new(&server.http, &fmp4.media);
    let mut ts = Collector::new(&server.http, &ts.media);
    while !fmp4.poll().is_some_and(|list| list.ended) {
        ts.poll();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    ts.until_end(secs(10));
    publisher.finish(secs(10));

    let native = ffmpeg::source(Version::V5, &file, Framing::Native);
    let got = frames(&fmp4, "all.mp4", Framing::Native);
    native.assert_received("HLS fMP4", &got, Coverage::Whole);
    let annex_b = ffmpeg::source(Version::V5, &file, Framing::Ts);
    let got = frames(&ts, "all.ts", Framing::Ts);
    annex_b.assert_received("HLS TS", &got, Coverage::Whole);

    let cuts = |c: &Collector| -> Vec<f64> {
        c.segments
            .values()
            .map(|(segment, _)| segment.duration_s)
            .collect()
    };
    assert_eq!(cuts(&fmp4), cuts(&ts), "cut at the same access units");
    assert_eq!(fmp4.segments.len(), 6, "a segment per GOP of 1 s");
    assert!(
        (fmp4.duration_s() - 6.0).abs() < 0.1,
        "{}",
        fmp4.duration_s()
    );
    for collector in [&fmp4, &ts] {
        assert_eq!(collector.discontinuities(), 0, "nothing changed");
        let first = &collector.segments.values().next().unwrap().0;
        assert!(first.date_time.is_some(), "PROGRAM-DATE-TIME: {first:?}");
    }
    // Each segment starts with a key frame: it decodes alone.
    for (number, (segment, bytes)) in &ts.segments {
        assert_eq!(bytes.len() % 188, 0, "segment {number}");
        assert_eq!(bytes[0], 0x47, "segment {number}");
        assert_eq!(&bytes[1..3], &[0x40, 0x00], "PAT first in {}", segment.path);
    }
}

#[test]
fn ffmpeg_plays_both_playlists_live() {
    let server = always();
    let file = testdata("bframes.flv");
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let start = ["-live_start_index", "0"];
    let native = ReadOptions::native(Version::V9).with(&start);
    let nine = Reader::start(&native, &server.http_url("/live/cam.m3u8"));
    let native = ReadOptions::native(Version::V5).with(&start);
    let five = Reader::start(&native, &server.http_url("/live/cam.m3u8"));
    let ts = ReadOptions::ts(Version::V5, &["h264", "aac"]).with(&start);
    let ts = Reader::start(&ts, &server.http_url("/live/cam.ts.m3u8"));
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    nine.expect(&source, Coverage::Whole, secs(30));
    five.expect(&source, Coverage::Whole, secs(30));
    let source = ffmpeg::source(Version::V5, &file, Framing::Ts);
    ts.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn the_first_request_is_served_from_what_the_ring_holds() {
    // hls.always is off: nothing is segmented until somebody asks.
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let mut player = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    player.wait_for_frames(&source, 90, secs(20));
    let asked = std::time::Instant::now();
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut collector = Collector::new(&server.http, &list.media);
    collector.until("a segment", secs(5), |list| !list.segments.is_empty());
    // The current GOP was in the ring, so its segment is complete within one GOP, not two.
    assert!(asked.elapsed() < secs(2), "{:?}", asked.elapsed());
    collector.until_end(secs(20));
    let got = frames(&collector, "all.mp4", Framing::Native);
    source.assert_received("HLS fMP4", &got, Coverage::FromKeyFrame);
}
