//! A stream outlives its publisher; who may publish when two want to.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Media};
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::nginx::Nginx;
use e2e::rtmp::{Client, Pace, push_tags};
use e2e::server::Server;
use e2e::wait::{secs, until};
use std::net::Shutdown;

/// Splits what a reader received of two publications into both: the second begins where the clip's
/// first frames come again.
fn halves(received: &Media, source: &Media) -> (Media, Media) {
    let (mut first, mut second) = (Media::default(), Media::default());
    for track in &received.tracks {
        let head = &source.track(track.kind, 0).unwrap().frames[0].md5;
        let again = track
            .frames
            .iter()
            .skip(1)
            .position(|frame| frame.md5 == *head);
        let cut = again.map_or(track.frames.len(), |at| at + 1);
        for (half, frames) in [
            (&mut first, &track.frames[..cut]),
            (&mut second, &track.frames[cut..]),
        ] {
            let mut track = track.clone();
            track.frames = frames.to_vec();
            half.tracks.push(track);
        }
    }
    (first, second)
}

#[test]
fn viewers_hls_and_push_targets_stay_over_a_killed_publisher() {
    let nginx = Nginx::start();
    let server = Server::with_config(&format!(
        "[streams]\nreconnect_window = \"8s\"\nviewer_end_grace = \"1s\"\n\
         [hls]\nalways = true\nsegment = \"1s\"\n\
         [[push]]\nmatch = \"live/*\"\nurl = \"{}\"\n",
        nginx.url("live/{stream}")
    ));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let mut viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    let mut target = Reader::start(&ReadOptions::native(Version::V9), &nginx.url("live/cam"));
    server.wait_for_rtmp_connections(1);
    let mut publisher = ffmpeg::publish(Version::V5, &file, &url);
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut hls = Collector::new(&server.http, &list.media);
    viewer.wait_for_frames(&source, 80, secs(20));
    hls.until("two segments", secs(10), |list| list.segments.len() >= 2);
    publisher.kill();
    server.wait_for_log("publisher lost", secs(10));
    let sequence_before = hls.last.as_ref().unwrap().sequence;
    let frames_before = viewer.received().frame_count();
    assert!(frames_before > 150, "{frames_before}");

    let mut publisher = ffmpeg::publish(Version::V5, &file, &url);
    server.wait_for_log("publisher back", secs(10));
    hls.until_end(secs(30));
    publisher.finish(secs(10));

    // The same viewer process, on the same connection, has both publications: all of the second.
    viewer.read_until(secs(20), |_| false);
    let all = viewer.take();
    let (first, second) = halves(&all, &source);
    source.assert_received("viewer, before", &first, Coverage::Part(70));
    let later = source.assert_received("viewer, after", &second, Coverage::Whole);
    assert!(later.shift > 0, "the clock goes on: {later:?}");

    // HLS: the same playlist went on, one DISCONTINUITY, every frame of the second publication.
    assert_eq!(hls.discontinuities(), 1);
    assert!(hls.last.as_ref().unwrap().sequence >= sequence_before);
    let numbers: Vec<u64> = hls.segments.keys().copied().collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );

    // The push target's player at nginx saw the second publication too.
    target.read_until(secs(20), |media| {
        let (_, second) = halves(media, &source);
        second.tracks.len() == 2 && second.tracks.iter().all(|t| t.frames.len() >= 140)
    });
}

#[test]
fn the_stream_ends_when_nobody_comes_back() {
    let server = Server::with_config(
        "[streams]\nreconnect_window = \"2s\"\n[hls]\nalways = true\nsegment = \"1s\"\n",
    );
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let mut viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let mut publisher = ffmpeg::publish(Version::V5, &file, &url);
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    viewer.wait_for_frames(&source, 60, secs(20));
    publisher.kill();
    let mut hls = Collector::new(&server.http, &list.media);
    hls.until_end(secs(10));
    viewer.process_mut().finish(secs(10));
    until("404 of the ended stream", secs(10), || {
        (server.get("/live/cam.flv").status == 404).then_some(())
    });
    server.wait_for_log("stream ended", secs(5));
}

#[test]
fn a_second_publisher_of_a_healthy_stream_is_refused_with_a_clear_status() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let player = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    server.wait_for_stream("live/cam");
    let (code, description) = Client::publish(&server.rtmp, "live", "cam")
        .unwrap_err()
        .refusal();
    assert_eq!(code, "NetStream.Publish.BadName");
    assert!(
        description.contains("live/cam is already being published")
            && description.contains("stop that publisher or use another name"),
        "{description}"
    );
    // FFmpeg shows the same words to its user.
    let mut second = ffmpeg::publish(Version::V5, &file, &url);
    assert!(!second.wait(secs(10)).success());
    assert!(
        second.log().contains("already being published"),
        "{}",
        second.log()
    );
    player.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn on_conflict_replace_lets_the_newcomer_take_over() {
    let server = Server::with_config(
        "[streams]\non_conflict = \"replace\"\nreconnect_window = \"1s\"\nviewer_end_grace = \"1s\"\n",
    );
    let tags = flv::read_file(&testdata("bframes.flv"));
    let mut viewer = Client::play(&server.rtmp, "live", "cam").unwrap();
    let mut first = Client::publish(&server.rtmp, "live", "cam").unwrap();
    push_tags(&mut first, &tags[..100], Pace::Unpaced).unwrap();
    let mut second = Client::publish(&server.rtmp, "live", "cam").unwrap();
    // The first is told and closed.
    first.wait_for_close(secs(5)).unwrap();
    push_tags(&mut second, &tags, Pace::Unpaced).unwrap();
    let last = tags.iter().rfind(|tag| tag.is_media()).unwrap();
    loop {
        let message = viewer.receive().unwrap();
        if message.payload == last.body {
            break;
        }
    }
    second.unpublish("cam").unwrap();
}

#[test]
fn a_dead_owner_gives_way_after_two_seconds() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let owner = ffmpeg::publish(Version::V5, &file, &url);
    server.wait_for_stream("live/cam");
    // Its connection stays open but it says nothing any more, like a cable that was pulled.
    owner.signal("STOP");
    let stopped = std::time::Instant::now();
    let early = Client::publish(&server.rtmp, "live", "cam").unwrap_err();
    assert_eq!(early.refusal().0, "NetStream.Publish.BadName");
    until("the dead owner gives way", secs(4), || {
        Client::publish(&server.rtmp, "live", "cam").ok()
    })
    .socket()
    .shutdown(Shutdown::Both)
    .unwrap();
    assert!(stopped.elapsed() >= secs(1), "{:?}", stopped.elapsed());
    // And the stream works on.
    let viewer = Reader::start(
        &ReadOptions::native(Version::V9),
        &server.rtmp_url("live/cam"),
    );
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    let mut viewer = viewer;
    let media = viewer.read_to_end_of(&source, secs(30));
    let (first, second) = halves(&media, &source);
    let whole = if second.frame_count() > 0 {
        second
    } else {
        first
    };
    source.assert_received("viewer", &whole, Coverage::FromKeyFrame);
}
