//! What viewers of every protocol get, byte for byte, from their arrival to the end.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use deliver::{Guard, NewViewer, Protocol, Socket, Transfer};
use hub::CloseCause;
use support::*;
use tokio::io::AsyncReadExt;

fn metadata_values() -> Bytes {
    metadata().slice(13..)
}

fn lead(ms: u32) -> Vec<Got> {
    vec![
        Got::Data(ms, "onMetaData".to_owned(), metadata_values()),
        Got::Video(ms, video_header(0x1e)),
        Got::Audio(ms, audio_header()),
    ]
}

/// The second group of pictures of a stream, with what goes before it.
fn second_group(feed: &mut Feed) -> Vec<Got> {
    feed.video(0, true, 300);
    feed.audio(20);
    feed.video(0xff_fff0, true, 70_000);
    feed.audio(0xff_fff5);
    feed.video(0x100_0010, false, 9);
    let mut wanted = lead(0xff_fff0);
    wanted.extend([
        Got::Video(0xff_fff0, video(0xff_fff0, true, 70_000)),
        Got::Audio(0xff_fff5, audio(0xff_fff5)),
        Got::Video(0x100_0010, video(0x100_0010, false, 9)),
    ]);
    wanted
}

/// A feed whose clock may jump far: the wall is not asked within a session's first seconds.
fn feed(hub: &hub::Hub) -> Feed {
    Feed::with_headers(hub, "cam1")
}

#[tokio::test]
async fn late_joiners_of_every_protocol_get_headers_and_the_current_gop() {
    let hub = hub();
    let mut feed = feed(&hub);
    // Beyond 24 bits from the start: a jump there would be a break of the clock.
    feed.video(0xff_f000, true, 10);
    let mut wanted = lead(0xff_fff0);
    feed.video(0xff_fff0, true, 70_000);
    feed.audio(0xff_fff5);
    feed.video(0x100_0010, false, 9);
    wanted.extend([
        Got::Video(0xff_fff0, video(0xff_fff0, true, 70_000)),
        Got::Audio(0xff_fff5, audio(0xff_fff5)),
        Got::Video(0x100_0010, video(0x100_0010, false, 9)),
    ]);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    let mut bodies = Vec::new();
    for body in [Body::UntilClose, Body::Chunked, Body::WebSocket] {
        bodies.push(flv(&deliver, &stream, body, false).await);
    }
    assert_eq!(rtmp.take(6).await, wanted, "rtmp");
    for http in &mut bodies {
        assert_eq!(http.take(6).await, wanted);
        assert_eq!(http.flags, Some(5), "audio and video");
    }
    assert_eq!(deliver.viewers(), 4);
    assert_eq!(stream.viewers().count(), 4);
    // What comes goes to all.
    feed.audio(0x100_0020);
    let next = [Got::Audio(0x100_0020, audio(0x100_0020))];
    assert_eq!(rtmp.take(1).await, next);
    for http in &mut bodies {
        assert_eq!(http.take(1).await, next);
    }
    // The end, in each protocol's words.
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    assert!(rtmp.rest().await.is_empty());
    let end = "NetStream.Play.UnpublishNotify".to_owned();
    assert_eq!(rtmp.codes.last(), Some(&end));
    for http in &mut bodies {
        assert!(http.rest().await.is_empty());
    }
    let said: Vec<_> = bodies.iter().map(|http| http.said_end).collect();
    assert_eq!(said, [false, true, true]);
    until("all to be gone", || deliver.viewers() == 0).await;
    until("all to be gone", || stream.viewers().count() == 0).await;
    assert!(deliver.shutdown(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn clock_that_breaks_goes_on_without_a_gap() {
    let hub = hub();
    let mut feed = feed(&hub);
    let wanted = second_group(&mut feed);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    let got = rtmp.take(6).await;
    let bodies = |list: &[Got]| -> Vec<Bytes> {
        list.iter()
            .map(|one| match one {
                Got::Video(_, body) | Got::Audio(_, body) | Got::Data(_, _, body) => body.clone(),
                Got::Unpublish => Bytes::new(),
            })
            .collect()
    };
    assert_eq!(bodies(&got), bodies(&wanted));
    let Got::Video(ms, _) = got[3] else {
        panic!("{got:?}")
    };
    assert!(ms < 1_000, "the jump of 4.6 hours is no pause: {ms}");
}

#[tokio::test]
async fn player_that_comes_first_waits_for_the_stream() {
    let hub = hub();
    let stream = hub.await_stream(&name("cam1")).unwrap();
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    let mut http = flv(&deliver, &stream, Body::Chunked, false).await;
    let mut feed = feed(&hub);
    assert!(Arc::ptr_eq(&stream, feed.publisher.stream()));
    feed.video(100, false, 5);
    feed.video(200, true, 10);
    let mut wanted = lead(200);
    wanted.push(Got::Video(200, video(200, true, 10)));
    assert_eq!(rtmp.take(4).await, wanted);
    assert_eq!(http.take(4).await, wanted);
}

#[tokio::test]
async fn player_that_waited_long_enough_is_told_and_its_place_is_free() {
    let hub = hub();
    let stream = hub.await_stream(&name("cam1")).unwrap();
    let deliver = deliver(|_| {});
    let place = Arc::new(());
    let wait_until = Some(Instant::now() + Duration::from_millis(100));
    let guard = Guard::new(Arc::clone(&place));
    let mut rtmp = player_with(&deliver, &stream, false, wait_until, guard).await;
    assert_eq!(Arc::strong_count(&place), 2);
    assert!(rtmp.rest().await.is_empty());
    let end = "NetStream.Play.StreamNotFound".to_owned();
    assert_eq!(rtmp.codes.last(), Some(&end));
    until("the place to be free", || Arc::strong_count(&place) == 1).await;
    // One whose publisher came in time is served on.
    let wait_until = Some(Instant::now() + Duration::from_millis(100));
    let mut rtmp = player_with(&deliver, &stream, false, wait_until, Guard::default()).await;
    let mut feed = feed(&hub);
    feed.video(0, true, 5);
    rtmp.take(4).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    feed.audio(20);
    assert_eq!(words(&rtmp.take(1).await), "a20");
}

#[tokio::test]
async fn tracks_that_appear_late_are_sent_when_they_come() {
    let hub = hub();
    let mut feed = Feed::start(&hub, "cam1");
    feed.audio_body(0, &audio_header());
    feed.audio(0);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    let mut http = flv(&deliver, &stream, Body::UntilClose, false).await;
    assert_eq!(words(&rtmp.take(3).await), "onMetaData0 AH0 a0");
    assert_eq!(words(&http.take(3).await), "onMetaData0 AH0 a0");
    assert_eq!(http.flags, Some(4), "audio alone");
    feed.video_body(40, &video_header(0x1e));
    feed.video(40, true, 5);
    feed.audio(60);
    // The sound's header is not sent again: nothing changed for its decoder.
    assert_eq!(words(&rtmp.take(3).await), "VH40 K40 a60");
    assert_eq!(words(&http.take(3).await), "VH40 K40 a60");
}

#[tokio::test]
async fn publisher_that_comes_back_goes_on_for_the_same_viewers() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(5_000, true, 5);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    rtmp.take(4).await;
    drop(feed);
    let mut feed = Feed::start(&hub, "cam1");
    feed.video_body(0, &video_header(0x28));
    feed.audio_body(0, &audio_header());
    feed.video(0, true, 7);
    // The picture's header is another one, that of the sound is not.
    let got = rtmp.take(2).await;
    let Got::Video(ms, _) = got[1] else {
        panic!("{got:?}")
    };
    assert!((5_001..6_000).contains(&ms), "{ms}");
    assert_eq!(got[0], Got::Video(ms, video_header(0x28)));
    assert_eq!(got[1], Got::Video(ms, video(0, true, 7)));
}

#[tokio::test]
async fn second_stream_of_a_name_is_another_stream() {
    let hub = hub();
    let deliver = deliver(|_| {});
    for round in 0..3_u32 {
        let mut feed = feed(&hub);
        feed.video(round, true, 5);
        let stream = Arc::clone(feed.publisher.stream());
        let mut rtmp = player(&deliver, &stream, false).await;
        let got = rtmp.take(4).await;
        assert_eq!(got[3], Got::Video(round, video(round, true, 5)));
        feed.publisher.close(Instant::now(), CloseCause::Finished);
        assert!(rtmp.rest().await.is_empty());
    }
}

#[tokio::test]
async fn ts_viewer_gets_packets_from_tables_on_and_the_end() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(0, true, 3_000);
    feed.audio(10);
    let (mut socket, server) = pair(false).await;
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let viewer = NewViewer {
        stream: Arc::clone(&stream),
        socket: Socket::Plain(server),
        protocol: Protocol::Ts {
            head: Bytes::from_static(HEAD.as_bytes()),
            transfer: Transfer::UntilClose,
        },
        info: info("http-ts"),
        wait_until: None,
        guard: deliver::Guard::default(),
    };
    deliver.serve(viewer).unwrap();
    until("the viewer", || stream.viewers().count() == 1).await;
    feed.video(40, false, 3_000);
    let viewer = stream.viewers().list().remove(0);
    // Two pictures of 3000 bytes: 16 packets and more each.
    until("both pictures", || {
        viewer.bytes_out.load(Ordering::Relaxed) > 32 * 188
    })
    .await;
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    let mut got = Vec::new();
    within("the end", socket.read_to_end(&mut got))
        .await
        .unwrap();
    let body = got.strip_prefix(HEAD.as_bytes()).unwrap();
    assert_eq!(body.len() % 188, 0, "whole packets");
    assert!(body.chunks(188).all(|packet| packet[0] == 0x47));
    let pid = |packet: &[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
    let first: Vec<_> = body.chunks(188).take(3).map(pid).collect();
    assert_eq!(first[0], 0, "PAT first: {first:?}");
    assert!(
        first[1] != 0 && first[1] != first[2],
        "PMT, then media: {first:?}"
    );
}

#[tokio::test]
async fn kicked_viewer_goes_and_the_others_stay() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(0, true, 5);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut first = player(&deliver, &stream, false).await;
    first.take(4).await;
    let mut second = flv(&deliver, &stream, Body::Chunked, false).await;
    second.take(4).await;
    let id = stream.viewers().list()[0].id;
    stream.viewers().get(id).unwrap().drop_with("not paid");
    assert!(first.rest().await.is_empty());
    feed.audio(10);
    assert_eq!(words(&second.take(1).await), "a10");
    until("one to be gone", || stream.viewers().count() == 1).await;
}

#[tokio::test]
async fn pause_stops_media_and_its_end_begins_with_headers() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(0, true, 5);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    rtmp.take(4).await;
    rtmp.command("pause", true.into()).await;
    loop {
        let event = rtmp.event().await.unwrap();
        let paused = "NetStream.Pause.Notify";
        if matches!(event, rtmp::ClientEvent::Status { code, .. } if code == paused) {
            break;
        }
    }
    feed.video(40, false, 5);
    feed.video(80, true, 5);
    feed.video(120, false, 5);
    rtmp.command("pause", false.into()).await;
    assert_eq!(
        words(&rtmp.take(5).await),
        "onMetaData80 VH80 AH80 K80 v120"
    );
}

#[tokio::test]
async fn player_may_turn_audio_and_video_off() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(0, true, 5);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut rtmp = player(&deliver, &stream, false).await;
    rtmp.take(4).await;
    rtmp.command("receiveAudio", false.into()).await;
    // A ping behind it: once it is answered the command was obeyed.
    let mut ping = vec![0, 6];
    ping.extend(7_u32.to_be_bytes());
    rtmp.message(4, 0, &ping).await;
    let before = rtmp.session.bytes_received();
    while rtmp.session.bytes_received() == before {
        let mut buf = [0; 4096];
        let count = within("pong", rtmp.socket.read(&mut buf)).await.unwrap();
        rtmp.session
            .handle_input(Instant::now(), &buf[..count])
            .unwrap();
    }
    feed.audio(10);
    feed.video(40, false, 5);
    feed.audio(50);
    feed.video(80, false, 5);
    assert_eq!(words(&rtmp.take(2).await), "v40 v80");
}

#[tokio::test]
async fn hdr_description_reaches_viewers_that_are_there_and_those_who_come() {
    let hub = hub();
    let mut feed = feed(&hub);
    feed.video(0, true, 5);
    let stream = Arc::clone(feed.publisher.stream());
    let deliver = deliver(|_| {});
    let mut early = player(&deliver, &stream, false).await;
    early.take(4).await;
    let body = Bytes::from_static(b"\xd4hvc1colorInfo");
    let extra = media::Extra {
        track: stream.tracks().video().unwrap().id,
        flv_body: body.clone(),
    };
    feed.publisher.extra_at(20, extra, Instant::now()).unwrap();
    feed.video(40, true, 5);
    assert_eq!(early.take(1).await, [Got::Video(20, body.clone())]);
    // In a group of its own, and in one that runs already.
    for mut late in [
        flv(&deliver, &stream, Body::Chunked, false).await,
        flv(&support::deliver(|_| {}), &stream, Body::Chunked, false).await,
    ] {
        let got = late.take(5).await;
        assert_eq!(words(&got[..3]), "onMetaData40 VH40 AH40");
        assert_eq!(got[3], Got::Video(40, body.clone()));
        assert_eq!(got[4].word(), "K40");
    }
}
