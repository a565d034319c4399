//! Peers that are slow, dead, mistaken or hostile: they end, in time, and nothing else changes.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Action, Ask, Verdict};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn handshake_that_drips_is_cut_off_at_the_deadline_of_the_whole() {
    let rig = rig(|setup| setup.config.limits.setup_time = Duration::from_millis(400)).await;
    let mut witness = rig.witness().await;
    let mut silent = rig.raw().await;
    let (mut read, mut write) = rig.raw().await.into_split();
    let drip = tokio::spawn(async move {
        let mut c0c1 = vec![3];
        c0c1.resize(1_537, 0);
        for byte in c0c1 {
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (dripping, still) = tokio::join!(closes(&mut read), closes(&mut silent));
    for took in [dripping, still] {
        assert!(took >= Duration::from_millis(350), "{took:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    drip.abort();
    witness.check().await;
}

#[tokio::test]
async fn connection_that_negotiates_and_then_does_nothing_is_cut_off() {
    let rig = rig(|setup| setup.config.limits.setup_time = Duration::from_millis(400)).await;
    // Connects, creates a stream, and leaves it at that: the publish is never sent.
    let mut client = rig.publisher("live", "cam1").await;
    let mut said = Vec::new();
    let publish = b"\x02\x00\x07publish";
    let took = within("the close", async {
        let mut start = Instant::now();
        let mut buf = vec![0; 4096];
        loop {
            while let Some(bytes) = client.session.poll_transmit() {
                if bytes.windows(publish.len()).any(|part| part == publish) {
                    start = Instant::now();
                    continue;
                }
                let _ = client.socket.write_all(&bytes).await;
            }
            match client.socket.read(&mut buf).await {
                Ok(count @ 1..) => {
                    said.extend_from_slice(&buf[..count]);
                    client
                        .session
                        .handle_input(Instant::now(), &buf[..count])
                        .unwrap();
                }
                _ => return start.elapsed(),
            }
        }
    })
    .await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(said.windows(7).any(|part| part == b"_result"));
    assert!(rig.hub.list().is_empty());
}

#[tokio::test]
async fn other_protocols_are_closed_at_once() {
    let rig = rig(|_| {}).await;
    let mut witness = rig.witness().await;
    for hello in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\xff\xff\xff",
    ] {
        let mut socket = rig.raw().await;
        socket.write_all(hello).await.unwrap();
        let start = Instant::now();
        // The server says that it ends at once; it waits a second for the peer to do so, too.
        let mut buf = [0; 64];
        let read = within("the end", socket.read(&mut buf)).await;
        assert!(!matches!(read, Ok(1..)), "{hello:?}");
        assert!(start.elapsed() < Duration::from_millis(900), "{hello:?}");
    }
    until("violations", || {
        rig.count(|counters| &counters.violations) == 3
    })
    .await;
    witness.check().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_room_is_made() {
    let rig = rig(|setup| setup.connections = 2).await;
    let first = rig.live("cam1").await;
    let _second = rig.live("cam2").await;
    let mut third = rig.raw().await;
    closes(&mut third).await;
    assert_eq!(rig.count(|counters| &counters.refused_connections), 1);
    drop(first);
    until("room", || {
        rig.stream("cam1").unwrap().phase() != hub::Phase::Live
    })
    .await;
    within("a place", async {
        loop {
            let config = ClientConfig::new("live", "rtmp://a/live", "cam3");
            let session = ClientSession::publish(config, Limits::default(), Instant::now());
            let mut client = Client::new(rig.raw().await, session);
            client.send().await;
            let mut first = [0; 1];
            if matches!(client.socket.read(&mut first).await, Ok(1)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn peer_that_reads_no_answers_is_cut_off() {
    let rig = rig(|setup| setup.config.answer_time = Duration::from_millis(300)).await;
    let mut witness = rig.witness().await;
    let mut client = rig.live("cam1").await;
    let mut pings = Vec::new();
    for n in 0..2_000_u32 {
        pings.extend([2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6]);
        pings.extend(n.to_be_bytes());
    }
    within("the end of the flood", async {
        while client.socket.write_all(&pings).await.is_ok() {}
    })
    .await;
    let stream = rig.stream("cam1").unwrap();
    until("it to be gone", || stream.phase() != hub::Phase::Live).await;
    witness.check().await;
}

#[tokio::test]
async fn violations_end_their_connection_only() {
    let rig = rig(|_| {}).await;
    let mut witness = rig.witness().await;
    // A chunk size of 0; 16 MB declared; a message whose length changes midway.
    for bytes in [
        &[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[3, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0],
        &[0xc7],
    ] {
        let mut client = rig.live("cam1").await;
        client.socket.write_all(bytes).await.unwrap();
        let stream = rig.stream("cam1").unwrap();
        until("it to be gone", || stream.phase() != hub::Phase::Live).await;
        let hub::Phase::Interrupted { cause, .. } = stream.phase() else {
            panic!();
        };
        let cause = cause.to_string();
        assert!(cause.contains("byte"), "says where: {cause}");
        witness.check().await;
    }
}

#[tokio::test]
async fn player_that_may_wait_is_accepted_and_handed_on_at_once() {
    let mut rig = rig(|_| {}).await;
    let mut client = rig.player("live", "cam1").await;
    assert_eq!(client.outcome().await, Ok(()));
    let player = within("the player", rig.players.recv()).await.unwrap();
    let hub = rig.hub.clone();
    let _publisher = rig.live("cam1").await;
    let live = hub.stream(&name("cam1")).unwrap();
    assert!(Arc::ptr_eq(&player.stream, &live), "it waits for this one");
    assert_eq!(
        (player.info.protocol, player.message_stream_id),
        ("rtmp", 1)
    );
    assert_eq!(player.wait, Duration::from_secs(30));
}

#[tokio::test]
async fn player_that_may_not_wait_is_refused_at_once() {
    let mut rig = rig(|setup| setup.config.play_wait = Duration::ZERO).await;
    let mut player = rig.player("live", "cam1").await;
    let (code, why) = player.outcome().await.unwrap_err();
    assert_eq!(code, "NetStream.Play.StreamNotFound");
    assert_eq!(why, "nobody publishes live/cam1 yet; start the publisher");
    assert_eq!(player.event().await, None);
    assert_eq!(rig.count(|counters| &counters.refused_plays), 1);
    assert!(rig.players.try_recv().is_err());
}

#[tokio::test]
async fn player_keeps_its_place_among_the_connections() {
    let mut rig = rig(|setup| setup.connections = 1).await;
    let mut client = rig.player("live", "cam1").await;
    assert_eq!(client.outcome().await, Ok(()));
    let player = within("the player", rig.players.recv()).await.unwrap();
    closes(&mut rig.raw().await).await;
    assert_eq!(rig.count(|counters| &counters.refused_connections), 1);
    drop(player);
    rig.live("cam1").await;
}

#[tokio::test]
async fn names_that_are_awaited_are_limited() {
    let mut rig = rig(|setup| setup.hub.max_awaited = 2).await;
    let mut waiting = Vec::new();
    for n in 0..2 {
        let mut client = rig.player("live", &format!("cam{n}")).await;
        assert_eq!(client.outcome().await, Ok(()));
        waiting.push(within("the player", rig.players.recv()).await.unwrap());
    }
    let mut client = rig.player("live", "cam2").await;
    assert!(client.outcome().await.is_err());
    // Those who leave make room, at the next tick.
    drop(waiting);
    rig.hub.tick(Instant::now());
    let mut client = rig.player("live", "cam2").await;
    assert_eq!(client.outcome().await, Ok(()));
}

#[tokio::test]
async fn play_is_refused_by_name_and_by_the_authorizer() {
    let rig = rig(|setup| {
        setup.authorizer = Arc::new(|ask: Ask| async move {
            match ask.action {
                Action::Play => Verdict::deny("members only"),
                Action::Publish => Verdict::Allow,
            }
        });
    })
    .await;
    let _live = rig.live("cam1").await;
    let (code, why) = rig
        .player("live", "cam1")
        .await
        .outcome()
        .await
        .unwrap_err();
    assert_eq!(
        (code.as_str(), why.as_str()),
        ("NetStream.Play.Failed", "members only")
    );
    let (code, why) = rig.player("live", "..").await.outcome().await.unwrap_err();
    assert_eq!(code, "NetStream.Play.StreamNotFound");
    assert!(why.contains("begins with"), "{why}");
    assert_eq!(rig.count(|counters| &counters.refused_plays), 2);
}

#[tokio::test]
async fn connection_that_publishes_does_not_play() {
    let mut rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    client.command(0, "createStream", &[]).await;
    client.command(2, "play", &["cam1".into()]).await;
    let refused = within("the answer", async {
        loop {
            match client.event().await.expect("closed") {
                ClientEvent::Status {
                    code, description, ..
                } if code.contains("Play") => {
                    return description;
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(refused, "this connection publishes; play on another one");
    assert_eq!(rig.stream("cam1").unwrap().phase(), hub::Phase::Live);
    assert!(rig.players.try_recv().is_err());
}

#[tokio::test]
async fn rtmps_publishes_and_plain_text_there_is_closed() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let rig = rig(|setup| {
        setup.tls = Some(Arc::new(tls));
        setup.config.limits.setup_time = Duration::from_millis(500);
    })
    .await;
    let mut plain = rig.raw().await;
    plain.write_all(&[3; 1_537]).await.unwrap();
    closes(&mut plain).await;
    // One that never begins is closed at the deadline.
    let mut silent = rig.raw().await;
    assert!(closes(&mut silent).await < Duration::from_secs(3));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let name = "localhost".to_owned().try_into().unwrap();
    let socket = connector.connect(name, rig.raw().await).await.unwrap();
    let config = ClientConfig::new("live", "rtmps://localhost/live", "cam1");
    let session = ClientSession::publish(config, Limits::default(), Instant::now());
    let mut client = Client::new(socket, session);
    assert_eq!(client.outcome().await, Ok(()));
    let (info, _) = rig.stream("cam1").unwrap().publisher().unwrap();
    assert_eq!(info.protocol, "rtmps");
    client.video(0, &video_header(0x1e)).await;
    client.video(0, &video(0, true, 100_000)).await;
    client.socket.flush().await.unwrap();
    let stream = rig.stream("cam1").unwrap();
    until("media", || stream.has_media()).await;
}
