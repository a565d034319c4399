//! Enhanced RTMP: every codec that FFmpeg 9 can publish arrives unchanged on every output that carries it.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Media};
use e2e::gst::FlvReader;
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::secs;

/// What HLS makes of a clip.
struct Hls {
    /// `CODECS` of the fMP4 variant, in any order.
    codecs: &'static [&'static str],
}

/// Publishes a clip with FFmpeg 9 and compares RTMP, HTTP-FLV and HLS fMP4.
fn relayed(clip: &str, hls: &Hls) {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\n"
    ));
    let file = testdata(&format!("{clip}.flv"));
    let source = ffmpeg::source(Version::V9, &file, Framing::Native);
    let url = server.rtmp_url("live/e");
    let rtmp = Reader::start(&ReadOptions::native(Version::V9), &url);
    let mut raw = FlvReader::rtmp2src(&url);
    server.wait_for_rtmp_connections(2);
    let mut publisher = ffmpeg::publish(Version::V9, &file, &url);
    server.wait_for_stream("live/e");
    let http = Reader::start(
        &ReadOptions::native(Version::V9),
        &server.http_url("/live/e.flv"),
    );
    let list = multivariant(&server.http, "/live/e.m3u8", FIRST_SEGMENT);
    for codec in hls.codecs {
        assert!(
            list.attributes.contains(codec),
            "{codec}: {}",
            list.attributes
        );
    }
    let codecs = list.attributes.split("CODECS=\"").nth(1).unwrap();
    let codecs = codecs.split('"').next().unwrap().split(',').count();
    assert_eq!(codecs, hls.codecs.len(), "{}", list.attributes);
    let mut collector = Collector::new(&server.http, &list.media);
    collector.until_end(secs(20));
    publisher.finish(secs(10));

    rtmp.expect(&source, Coverage::Whole, secs(20));
    http.expect(&source, Coverage::FromKeyFrame, secs(20));
    let tags = flv::read_file(&file);
    raw.expect(&flv::media(&tags), Coverage::Whole, secs(20));
    let sent = ffmpeg::as_published(Version::V9, &file);
    for kind in [8, 9] {
        assert_eq!(
            flv::configurations(&raw.tags, kind),
            flv::configurations(&sent, kind),
            "configuration of type {kind}"
        );
    }
    source.assert_received("HLS fMP4", &collected(&collector), Coverage::Whole);
}

fn collected(collector: &Collector) -> Media {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.mp4");
    std::fs::write(&file, collector.concatenated()).unwrap();
    ffmpeg::file_frames(Version::V9, &file, Framing::Native, false)
}

#[test]
fn hevc_with_b_frames_and_aac() {
    relayed(
        "hevc-aac",
        &Hls {
            codecs: &["hvc1.1.6.L", "mp4a.40.2"],
        },
    );
}

#[test]
fn av1_and_aac() {
    relayed(
        "av1-aac",
        &Hls {
            codecs: &["av01.0.", "mp4a.40.2"],
        },
    );
}

#[test]
fn h264_and_opus() {
    relayed(
        "h264-opus",
        &Hls {
            codecs: &["avc1.64000", "opus"],
        },
    );
}

#[test]
fn h264_and_ac3() {
    relayed(
        "h264-ac3",
        &Hls {
            codecs: &["avc1.64000", "ac-3"],
        },
    );
}

#[test]
fn h264_and_eac3() {
    relayed(
        "h264-eac3",
        &Hls {
            codecs: &["avc1.64000", "ec-3"],
        },
    );
}

#[test]
fn h264_and_flac() {
    relayed(
        "h264-flac",
        &Hls {
            codecs: &["avc1.64000", "fLaC"],
        },
    );
}

#[test]
fn h264_and_mp3() {
    relayed(
        "h264-mp3",
        &Hls {
            codecs: &["avc1.64000", "mp4a.40.34"],
        },
    );
}

#[test]
fn vp9_and_opus() {
    relayed(
        "vp9-opus",
        &Hls {
            codecs: &["vp09.00.", "opus"],
        },
    );
}

#[test]
fn what_mpeg_ts_carries_of_the_enhanced_codecs_is_equal_too() {
    let server = Server::start();
    for (clip, codecs) in [
        ("hevc-aac", ["hevc", "aac"]),
        ("h264-mp3", ["h264", "mp3"]),
        ("h264-ac3", ["h264", "ac3"]),
        ("h264-eac3", ["h264", "eac3"]),
    ] {
        let file = testdata(&format!("{clip}.flv"));
        let source = ffmpeg::source(Version::V9, &file, Framing::Ts);
        let stream = format!("live/{clip}");
        let mut publisher = ffmpeg::publish(Version::V9, &file, &server.rtmp_url(&stream));
        server.wait_for_stream(&stream);
        let reader = Reader::start(
            &ReadOptions::ts(Version::V9, &codecs),
            &server.http_url(&format!("/{stream}.ts")),
        );
        reader.expect(&source, Coverage::FromKeyFrame, secs(20));
        publisher.finish(secs(10));
    }
}

#[test]
fn a_late_player_of_hevc_gets_headers_and_pictures() {
    // nginx-rtmp, which knows no enhanced RTMP, gives a late player of such a stream audio only.
    let server = Server::start();
    let file = testdata("hevc-aac.flv");
    let source = ffmpeg::source(Version::V9, &file, Framing::Native);
    let url = server.rtmp_url("live/hevc");
    let mut early = Reader::start(&ReadOptions::native(Version::V9), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V9, &file, &url);
    early.wait_for_frames(&source, 24, secs(20));
    let late = Reader::start(&ReadOptions::native(Version::V9), &url);
    let placed = late.expect(&source, Coverage::FromKeyFrame, secs(20));
    assert!(placed.first >= 15, "joined at {}", placed.first);
}
