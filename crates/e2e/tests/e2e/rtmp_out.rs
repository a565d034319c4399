//! RTMP in, RTMP out: every frame's bytes, DTS and PTS equal the source's.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Kind};
use e2e::gst::FlvReader;
use e2e::media::testdata;
use e2e::rtmp::{Client, Pace, Value, push_tags};
use e2e::server::Server;
use e2e::wait::secs;

#[test]
fn five_real_players_that_wait_for_the_publisher_receive_every_frame() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let tags = flv::media(&flv::read_file(&file));
    let url = server.rtmp_url("live/cam");

    let five = Reader::start(&ReadOptions::native(Version::V5), &url);
    let nine = Reader::start(&ReadOptions::native(Version::V9), &url);
    let mut dump = FlvReader::rtmpdump(&url);
    let mut gst = FlvReader::rtmp2src(&url);
    let mut gst_librtmp = FlvReader::rtmpsrc(&url);
    server.wait_for_rtmp_connections(5);
    let mut publisher = ffmpeg::publish(Version::V5, &file, &url);

    // The publisher's clock starts at 0 and is kept, not rebased.
    let placed = five.expect(&source, Coverage::Whole, secs(30));
    assert_eq!(placed.shift, 0, "FFmpeg 5.1");
    let placed = nine.expect(&source, Coverage::Whole, secs(30));
    assert_eq!(placed.shift, 0, "FFmpeg 9");
    for reader in [&mut dump, &mut gst, &mut gst_librtmp] {
        reader.expect(&tags, Coverage::Whole, secs(30));
        for kind in [8, 9] {
            assert_eq!(
                flv::configurations(&reader.tags, kind),
                flv::configurations(&flv::read_file(&file), kind),
                "{}: codec configuration of tag type {kind}",
                reader.process().name()
            );
        }
        assert!(
            reader.tags.iter().any(|tag| tag.kind == 18),
            "{}: no onMetaData",
            reader.process().name()
        );
    }
    publisher.finish(secs(10));
}

#[test]
fn ffmpeg_9_publishes_to_an_old_player() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/nine");
    let five = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let mut publisher = ffmpeg::publish(Version::V9, &file, &url);
    five.expect(&source, Coverage::Whole, secs(30));
    publisher.finish(secs(10));
}

#[test]
fn gstreamer_publishes_with_its_own_rtmp_and_with_librtmp() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let tags = flv::media(&flv::read_file(&file));
    // librtmp sends the file's tags as they are, as fast as the server takes them.
    let url = server.rtmp_url("live/librtmp");
    let mut player = FlvReader::rtmp2src(&url);
    server.wait_for_rtmp_connections(1);
    let mut publisher = e2e::gst::push_raw(&file, &url);
    // The whole file passes in milliseconds; a player that says `play` in the middle of it starts
    // at the newest key frame. `a_player_that_waits_gets_a_burst…` is about one that is in time.
    player.expect(&tags, Coverage::FromKeyFrame, secs(30));
    publisher.finish(secs(10));

    let url = server.rtmp_url("live/rtmp2sink");
    let mut player = FlvReader::rtmpsrc(&url);
    let mut publisher = e2e::gst::publish_remuxed(&file, &url);
    // flvmux writes tags of its own and may drop B-frame timing: payload bytes are what it keeps.
    player.read_until(secs(30), |tags| {
        tags.iter().filter(|t| t.is_media()).count() > 320
    });
    let keys = player.tags.iter().filter(|tag| tag.is_key_frame()).count();
    assert!(keys >= 4, "{keys} key frames");
    publisher.finish(secs(30));
}

#[test]
fn a_player_that_waits_gets_a_burst_from_its_first_frame() {
    let server = Server::start();
    let tags = flv::read_file(&testdata("bframes.flv"));
    let mut player = Client::play(&server.rtmp, "live", "burst").unwrap();
    // Commands are answered in order. The first answer may be of the connection that read the play
    // command together with this one; the second is of who serves the player from then on.
    for _ in 0..2 {
        player.call("createStream", &[Value::Null]).unwrap();
    }
    let mut client = Client::publish(&server.rtmp, "live", "burst").unwrap();
    // Six seconds at once, as a file that is pushed unpaced.
    push_tags(&mut client, &tags, Pace::Unpaced).unwrap();
    client.unpublish("burst").unwrap();
    let mut received = Vec::new();
    while let Ok(message) = player.receive() {
        received.push(flv::Tag {
            kind: message.kind,
            timestamp_ms: message.timestamp_ms,
            body: message.payload,
        });
    }
    flv::media(&tags).assert_received("player", &flv::media(&received), Coverage::Whole);
}

#[test]
fn a_late_player_starts_with_headers_and_the_current_gop() {
    let server = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/late");
    let mut early = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    // 2.4 s of pictures: the GOP that began at 2 s is the current one.
    early.wait_for_frames(&source, 60, secs(20));
    let late = Reader::start(&ReadOptions::native(Version::V9), &url);
    let mut tags = FlvReader::rtmp2src(&url);

    let placed = late.expect(&source, Coverage::FromKeyFrame, secs(30));
    assert!(placed.first >= 25, "first frame {}", placed.first);
    let all = flv::media(&flv::read_file(&file));
    let placed = tags.expect(&all, Coverage::FromKeyFrame, secs(30));
    assert!(placed.first >= 25, "first frame {}", placed.first);
    let first_media = tags.tags.iter().position(flv::Tag::is_media).unwrap();
    let head = &tags.tags[..first_media];
    assert!(
        head.iter().any(|tag| tag.kind == 18),
        "metadata before media"
    );
    for kind in [8, 9] {
        assert!(
            head.iter()
                .any(|tag| tag.kind == kind && tag.is_configuration()),
            "configuration of type {kind} before media: {head:?}"
        );
    }
    early.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn audio_only_and_video_only_streams_are_relayed() {
    let server = Server::start();
    for name in ["audio-only", "video-only"] {
        let file = testdata(&format!("{name}.flv"));
        let source = ffmpeg::source(Version::V5, &file, Framing::Native);
        let url = server.rtmp_url(&format!("live/{name}"));
        let mut reader = FlvReader::rtmp2src(&url);
        let nine = Reader::start(&ReadOptions::native(Version::V9), &url);
        let mut client = Client::publish(&server.rtmp, "live", name).unwrap();
        push_tags(&mut client, &flv::read_file(&file), Pace::Times(2.0)).unwrap();
        client.unpublish(name).unwrap();
        let tags = flv::media(&flv::read_file(&file));
        reader.expect(&tags, Coverage::Whole, secs(20));
        nine.expect(&source, Coverage::Whole, secs(20));
    }
}

#[test]
fn a_track_that_appears_late_reaches_players_that_are_there_and_later_ones() {
    let Some(shared) = e2e::media::shared() else {
        return;
    };
    let file = shared.join("flv-edge/audio-only-start-3s.flv");
    let tags = flv::read_file(&file);
    let server = Server::start();
    let url = server.rtmp_url("live/late-track");
    let mut early = FlvReader::rtmp2src(&url);
    server.wait_for_rtmp_connections(1);
    let mut client = Client::publish(&server.rtmp, "live", "late-track").unwrap();
    let first_video = tags.iter().position(|tag| tag.kind == 9).unwrap();
    push_tags(&mut client, &tags[..first_video], Pace::Times(3.0)).unwrap();
    let mut amid = FlvReader::rtmpdump(&url);
    server.wait_for_rtmp_connections(3);
    push_tags(&mut client, &tags[first_video..], Pace::Times(3.0)).unwrap();
    client.unpublish("late-track").unwrap();

    let source = flv::media(&tags);
    assert_eq!(source.tracks.len(), 2);
    early.expect(&source, Coverage::Whole, secs(20));
    let audio = source.clone().without(Kind::Video);
    let received = {
        amid.read_until(secs(20), |got| {
            got.last()
                .is_some_and(|tag| tag.body == tags.last().unwrap().body)
        });
        flv::media(&amid.tags)
    };
    // It joined in the audio part: all of the video, and audio from its join on.
    let video = source.without(Kind::Audio);
    video.assert_received(
        "rtmpdump",
        &received.clone().without(Kind::Audio),
        Coverage::Whole,
    );
    audio.assert_received(
        "rtmpdump",
        &received.without(Kind::Video),
        Coverage::FromKeyFrame,
    );
}

#[test]
fn an_empty_stream_key_takes_the_last_part_of_the_application() {
    let server = Server::start();
    let file = testdata("audio-only.flv");
    // What OBS sends when the key was pasted into the server field.
    let mut client = Client::publish(&server.rtmp, "live/obs", "").unwrap();
    push_tags(&mut client, &flv::read_file(&file), Pace::Unpaced).unwrap();
    let stream = e2e::wait::until("live/obs", secs(5), || server.stream("live/obs"));
    assert_eq!(stream["name"], "live/obs", "{stream}");
}
