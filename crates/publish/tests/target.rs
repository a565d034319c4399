//! A target against servers that behave: what arrives there, byte for byte.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use hub::CloseCause;
use publish::Target;
use std::time::{Duration, Instant};
use support::*;
use tokio_util::task::TaskTracker;

/// Values of the metadata as a session reports them: what follows the name.
fn metadata_values() -> Bytes {
    metadata().slice(13..)
}

fn lead(ms: u32) -> [Got; 3] {
    [
        Got::Data(ms, "onMetaData".to_owned(), metadata_values()),
        Got::Video(ms, video_header(0x1e)),
        Got::Audio(ms, audio_header()),
    ]
}

#[tokio::test]
async fn server_gets_headers_then_the_current_gop_then_what_comes() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 300);
    feed.audio(20);
    feed.video(2_000, true, 70_000);
    feed.audio(2_010);
    feed.video(2_040, false, 9);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let target = Target::start(stream, url(addr, "app/k3y?token=t"), quick(), &tracker);
    let mut server = accept(&listener).await;
    assert_eq!(server.accept_publish().await, "k3y");
    let mut wanted = lead(2_000).to_vec();
    wanted.extend([
        Got::Video(2_000, video(2_000, true, 70_000)),
        Got::Audio(2_010, audio(2_010)),
        Got::Video(2_040, video(2_040, false, 9)),
    ]);
    assert_eq!(server.take(6).await, wanted);
    // Beyond 24 bits, and back to small times: RTMP's clock wraps.
    feed.audio(2_050);
    assert_eq!(server.take(1).await, [Got::Audio(2_050, audio(2_050))]);
    let status = target.status();
    assert_eq!(
        (status.state.as_str(), status.connections, status.skips),
        ("publishing", 1, 0)
    );
    assert!(status.bytes_out > 70_000, "{status:?}");
    assert_eq!(status.last_error, None);
}

#[tokio::test]
async fn metadata_is_wrapped_for_servers_that_keep_it() {
    use rml_rtmp::chunk_io::ChunkDeserializer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(5, true, 300);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let _target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let (mut socket, _) = listener.accept().await.unwrap();
    // Their session answers, their deserializer shows the messages as they are.
    let mut handshake = rml_rtmp::handshake::Handshake::new(rml_rtmp::handshake::PeerType::Server);
    let mut buf = vec![0; 64 << 10];
    let mut input = loop {
        use rml_rtmp::handshake::HandshakeProcessResult::{Completed, InProgress};
        let count = within("handshake", socket.read(&mut buf)).await.unwrap();
        match handshake.process_bytes(&buf[..count]).unwrap() {
            InProgress { response_bytes } => socket.write_all(&response_bytes).await.unwrap(),
            Completed {
                response_bytes,
                remaining_bytes,
            } => {
                socket.write_all(&response_bytes).await.unwrap();
                break remaining_bytes;
            }
        }
    };
    use rml_rtmp::sessions::{
        ServerSession, ServerSessionConfig, ServerSessionEvent as Event, ServerSessionResult,
    };
    let (mut session, mut results) = ServerSession::new(ServerSessionConfig::new()).unwrap();
    let mut chunks = ChunkDeserializer::new();
    let mut messages = Vec::new();
    while messages.len() < 4 {
        let mut rest = &input[..];
        while let Some(message) = chunks.get_next_message(rest).unwrap() {
            rest = &[];
            if message.type_id == 1 {
                let size = u32::from_be_bytes(message.data[..4].try_into().unwrap());
                chunks.set_max_chunk_size(size as usize).unwrap();
            }
            if [8, 9, 18].contains(&message.type_id) {
                messages.push((message.type_id, message.timestamp.value, message.data));
            }
        }
        results.extend(session.handle_input(&input).unwrap());
        while !results.is_empty() {
            match results.remove(0) {
                ServerSessionResult::OutboundResponse(packet) => {
                    socket.write_all(&packet.bytes).await.unwrap();
                }
                ServerSessionResult::RaisedEvent(
                    Event::ConnectionRequested { request_id, .. }
                    | Event::ReleaseStreamRequested { request_id, .. }
                    | Event::PublishStreamRequested { request_id, .. },
                ) => results.extend(session.accept_request(request_id).unwrap()),
                _ => {}
            }
        }
        if messages.len() < 4 {
            let count = within("messages", socket.read(&mut buf)).await.unwrap();
            assert!(count > 0, "closed");
            input = buf[..count].to_vec();
        }
    }
    let set = [b"\x02\x00\x0d@setDataFrame", &metadata()[..]].concat();
    assert_eq!(
        messages,
        [
            (18, 5, Bytes::from(set)),
            (9, 5, video_header(0x1e)),
            (8, 5, audio_header()),
            (9, 5, video(5, true, 300)),
        ]
    );
}

#[tokio::test]
async fn publisher_that_comes_back_keeps_the_connection() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(1_000, true, 10);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    drop(feed);
    let mut feed = Feed::start(&hub, "cam1");
    feed.video_body(0, &video_header(0x28));
    feed.audio_body(0, &audio_header());
    feed.video(0, true, 10);
    let got = server.take(2).await;
    // The stream's clock went on from 1000: how far is the hub's affair, that it did is ours.
    let Got::Video(ms, _) = got[1] else {
        panic!("{got:?}")
    };
    assert!((1_001..2_000).contains(&ms), "{ms}");
    assert_eq!(
        got,
        [
            Got::Video(ms, video_header(0x28)),
            Got::Video(ms, video(0, true, 10)),
        ]
    );
    assert_eq!(target.status().connections, 1);
}

#[tokio::test]
async fn end_of_the_stream_ends_the_publish_in_order() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    feed.audio(10);
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    let rest = server.rest().await;
    assert_eq!(rest, [Got::Audio(10, audio(10)), Got::Unpublish]);
    drop(server);
    tracker.close();
    within("the target's end", tracker.wait()).await;
    let status = target.status();
    assert_eq!(status.state.as_str(), "stopped");
    assert_eq!(status.last_error, None);
}

#[tokio::test]
async fn stopped_target_says_goodbye() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.video(0, true, 10);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    target.stop();
    assert_eq!(server.rest().await, [Got::Unpublish]);
    drop(server);
    state(&target, "stopped").await;
}

#[tokio::test]
async fn stream_without_media_is_waited_for_and_may_end() {
    let hub = hub();
    let feed = Feed::with_headers(&hub, "cam1");
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    tracker.close();
    feed.publisher.close(Instant::now(), CloseCause::Finished);
    within("the target's end", tracker.wait()).await;
    assert_eq!(target.status().state.as_str(), "stopped");
    assert_eq!(target.status().connections, 0);
    // It never connected: nothing waits in the listener's queue.
    let nobody = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(nobody.is_err());
}

#[tokio::test]
async fn audio_alone_is_pushed_and_a_late_video_joins_it() {
    let hub = hub();
    let mut feed = Feed::start(&hub, "radio");
    feed.audio_body(0, &audio_header());
    feed.audio(0);
    feed.audio(20);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let _target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    let got = server.take(4).await;
    assert_eq!(words(&got), "onMetaData0 AH0 a0 a20");
    feed.video_body(40, &video_header(0x1e));
    feed.video(40, true, 5);
    // The sound's header is not sent again: nothing changed for its decoder.
    let got = server.take(2).await;
    assert_eq!(words(&got), "VH40 K40");
}

#[tokio::test]
async fn hdr_description_is_pushed_behind_its_configuration() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    let hdr = Bytes::from_static(b"\xd4hvc1colorInfo");
    let extra = media::Extra {
        track: media::TrackId(0),
        flv_body: hdr.clone(),
    };
    feed.publisher
        .extra_at(0, extra.clone(), Instant::now())
        .unwrap();
    feed.video(0, true, 10);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    assert_eq!(stream.tracks().video().unwrap().id, extra.track);
    let _target = Target::start(stream, url(addr, "app/key"), quick(), &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    let mut wanted = lead(0).to_vec();
    wanted.push(Got::Video(0, hdr.clone()));
    wanted.push(Got::Video(0, video(0, true, 10)));
    assert_eq!(server.take(5).await, wanted);
    feed.publisher.extra_at(40, extra, Instant::now()).unwrap();
    assert_eq!(server.take(1).await, [Got::Video(40, hdr)]);
}

#[tokio::test]
async fn long_group_of_pictures_is_old_but_not_late() {
    let hub = hub();
    let mut feed = Feed::with_headers(&hub, "cam1");
    feed.pictures(0..8_000, 8_000, 10);
    let (listener, addr) = listener().await;
    let tracker = TaskTracker::new();
    let stream = feed.publisher.stream().clone();
    let mut config = quick();
    config.queue = Duration::from_secs(1);
    let target = Target::start(stream, url(addr, "app/key"), config, &tracker);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    let got = server.take(83).await;
    assert_eq!(got[3].word(), "K0");
    assert_eq!(got[82].word(), "v7900");
    assert_eq!(target.status().skips, 0);
}
