//! Publishers: who gets in, what arrives, how it ends.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hub::{Action, Ask, CloseCause, JoinAt, OnConflict, Phase, Revoked, Verdict};
use support::*;

async fn phase(rig: &Rig, stream: &str) -> Phase {
    let stream = rig.stream(stream).unwrap();
    until("the publisher to be gone", || stream.phase() != Phase::Live).await;
    stream.phase()
}

#[tokio::test]
async fn media_arrives_as_it_was_sent() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    let stream = rig.stream("cam1").unwrap();
    let mut subscriber = stream.subscribe(JoinAt::Newest);
    client.video(0, &video_header(0x1e)).await;
    client.audio(0, &audio_header()).await;
    let sent = [video(0, true, 200_000), video(40, false, 3), audio(41)];
    client.video(0, &sent[0]).await;
    client.video(40, &sent[1]).await;
    client.audio(41, &sent[2]).await;
    let mut got = Vec::new();
    until("all", || {
        got.extend(bodies(&mut subscriber));
        got.len() == 3
    })
    .await;
    assert_eq!(got, sent);
    assert_eq!(stream.tracks().len(), 2);
    let (info, _) = stream.publisher().unwrap();
    assert_eq!(info.protocol, "rtmp");
    assert_eq!(&*info.client, "FMLE/3.0 (compatible; sidestream)");
}

#[tokio::test]
async fn bad_messages_cost_themselves_only() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    let mut subscriber = rig.stream("cam1").unwrap().subscribe(JoinAt::Newest);
    client.video(0, &video_header(0x1e)).await;
    client.video(0, &video(0, true, 9)).await;
    for bad in [
        &b"\x17"[..],
        b"\x17\x01",
        b"\xa7",
        b"\x90hvc",
        b"\x96\x00avc1\x00",
    ] {
        client.video(10, &Bytes::copy_from_slice(bad)).await;
    }
    client.audio(10, &Bytes::from_static(b"\xaf")).await;
    client.audio(10, &Bytes::from_static(b"\x99")).await;
    client.video(40, &video(40, false, 9)).await;
    let mut got = Vec::new();
    until("both", || {
        got.extend(bodies(&mut subscriber));
        got.last() == Some(&video(40, false, 9))
    })
    .await;
    assert_eq!(got[0], video(0, true, 9));
    let bad = rig.count(|counters| &counters.bad_messages);
    assert!(bad >= 4, "{bad}");
    assert_eq!(rig.stream("cam1").unwrap().phase(), Phase::Live);
    assert_eq!(rig.count(|counters| &counters.violations), 0);
}

#[tokio::test]
async fn connection_that_breaks_leaves_the_stream_waiting() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    client.video(0, &video_header(0x1e)).await;
    drop(client);
    let Phase::Interrupted { cause, .. } = phase(&rig, "cam1").await else {
        panic!("not waiting");
    };
    assert!(matches!(&cause, CloseCause::Lost(_)), "{cause:?}");
    // It may come back at once.
    rig.live("cam1").await;
}

#[tokio::test]
async fn unpublish_is_the_end() {
    for command in ["FCUnpublish", "deleteStream", "closeStream"] {
        let rig = rig(|_| {}).await;
        let mut client = rig.live("cam1").await;
        client.video(0, &video_header(0x1e)).await;
        let argument = match command {
            "FCUnpublish" => amf0::Value::from("cam1"),
            _ => amf0::Value::Number(1.0),
        };
        client.command(1, command, &[argument]).await;
        let Phase::Interrupted { cause, .. } = phase(&rig, "cam1").await else {
            panic!("{command}");
        };
        assert_eq!(cause, CloseCause::Finished, "{command}");
    }
}

#[tokio::test]
async fn healthy_owner_stays_and_the_newcomer_is_told() {
    let rig = rig(|_| {}).await;
    let mut owner = rig.live("cam1").await;
    let mut newcomer = rig.publisher("live", "cam1").await;
    let (code, why) = newcomer.outcome().await.unwrap_err();
    assert_eq!(code, "NetStream.Publish.BadName");
    let from = owner.socket.local_addr().unwrap();
    assert_eq!(
        why,
        format!(
            "live/cam1 is already being published from {from}; stop that publisher or use another name"
        )
    );
    assert_eq!(newcomer.event().await, None, "closed");
    owner.video(0, &video_header(0x1e)).await;
    assert_eq!(rig.stream("cam1").unwrap().phase(), Phase::Live);
    assert_eq!(rig.count(|counters| &counters.refused_publishes), 1);
}

#[tokio::test]
async fn newcomer_takes_over_where_it_is_configured() {
    let rig = rig(|setup| setup.hub.on_conflict = OnConflict::Replace).await;
    let mut owner = rig.live("cam1").await;
    let _newcomer = rig.live("cam1").await;
    let (code, why) = owner.farewell().await.unwrap();
    assert_eq!(code, "NetStream.Publish.Failed");
    assert_eq!(why, "another publisher took over");
    assert_eq!(rig.stream("cam1").unwrap().phase(), Phase::Live);
}

#[tokio::test]
async fn silent_owner_gives_way_at_once() {
    let rig = rig(|setup| setup.hub.owner_silence = Duration::from_millis(50)).await;
    let mut owner = rig.live("cam1").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let _newcomer = rig.live("cam1").await;
    assert!(owner.farewell().await.is_some());
    assert_eq!(rig.stream("cam1").unwrap().phase(), Phase::Live);
}

#[tokio::test]
async fn one_of_many_that_race_for_a_name_wins() {
    let rig = rig(|_| {}).await;
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut client = rig.publisher("live", "cam1").await;
        racers.spawn(async move {
            let won = client.outcome().await.is_ok();
            (won, client)
        });
    }
    let all = racers.join_all().await;
    assert_eq!(all.iter().filter(|(won, _)| *won).count(), 1);
}

#[tokio::test]
async fn publish_without_a_name_takes_it_from_the_app() {
    let rig = rig(|_| {}).await;
    let mut client = rig.publisher("live/cam1", "").await;
    assert_eq!(client.outcome().await, Ok(()));
    assert!(rig.stream("cam1").is_some());
}

#[tokio::test]
async fn bad_names_are_refused_with_the_reason() {
    let rig = rig(|_| {}).await;
    for (app, key, wanted) in [
        ("live", "..", "begins with"),
        ("live", "%2e%2e", "begins with"),
        ("live", "a/../b", "contains '/'"),
        ("live", "a\r\nb", "contains '\\r'"),
        ("live", "a\u{202e}b", "contains"),
        ("live", "", "expected APP/STREAM"),
        ("", "cam1", "empty app name"),
        ("v1", "cam1", "is reserved"),
        ("live", "%zz", "percent-encoded"),
    ] {
        let mut client = rig.publisher(app, key).await;
        let (code, why) = client.outcome().await.unwrap_err();
        assert_eq!(code, "NetStream.Publish.Denied", "{app:?} {key:?}");
        assert!(why.contains(wanted), "{app:?} {key:?}: {why}");
    }
    let long = "x".repeat(256);
    let (_, why) = rig
        .publisher("live", &long)
        .await
        .outcome()
        .await
        .unwrap_err();
    assert!(why.contains("256 bytes, more than 255"), "{why}");
    assert!(rig.hub.list().is_empty());
}

#[tokio::test]
async fn authorizer_decides_and_sees_the_key() {
    let rig = rig(|setup| {
        setup.authorizer = Arc::new(|ask: Ask| async move {
            assert!(ask.peer.is_some());
            assert_eq!((ask.action, ask.protocol), (Action::Publish, "rtmp"));
            match ask.key() {
                Some("s3cret") => Verdict::Allow,
                _ => Verdict::deny("wrong key"),
            }
        });
    })
    .await;
    let mut client = rig.publisher("live", "cam1?key=guess").await;
    let (code, why) = client.outcome().await.unwrap_err();
    assert_eq!(
        (code.as_str(), why.as_str()),
        ("NetStream.Publish.Denied", "wrong key")
    );
    assert!(rig.stream("cam1").is_none());
    let mut client = rig.publisher("live", "cam1?key=s3cret").await;
    assert_eq!(client.outcome().await, Ok(()));
    let mut client = rig.publisher("live?key=s3cret", "cam2").await;
    assert_eq!(client.outcome().await, Ok(()), "beside the app");
}

#[tokio::test]
async fn permission_that_is_never_given_is_refused_in_time() {
    let rig = rig(|setup| {
        setup.config.limits.setup_time = Duration::from_millis(300);
        setup.authorizer = Arc::new(|_: Ask| std::future::pending::<Verdict>());
    })
    .await;
    let mut client = rig.publisher("live", "cam1").await;
    let (_, why) = client.outcome().await.unwrap_err();
    assert!(why.contains("not decided in time"), "{why}");
}

#[tokio::test]
async fn publisher_that_sends_too_much_is_stopped() {
    let rig = rig(|setup| setup.config.publish_bitrate_bps = 1_000_000).await;
    let mut witness = rig.witness().await;
    let mut client = rig.live("cam1").await;
    client.video(0, &video_header(0x1e)).await;
    let body = video(0, true, 100_000);
    for _ in 0..8 {
        client.video(0, &body).await;
    }
    let (code, why) = client.farewell().await.unwrap();
    assert_eq!(code, "NetStream.Publish.Failed");
    assert!(
        why.contains("more than limits.publish_bitrate (1000000 bit/s)"),
        "{why}"
    );
    assert_eq!(rig.count(|counters| &counters.violations), 1);
    witness.check().await;
}

#[tokio::test]
async fn operator_sends_a_publisher_away() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    assert!(rig.stream("cam1").unwrap().drop_publisher("maintenance"));
    let (code, why) = client.farewell().await.unwrap();
    assert_eq!(code, "NetStream.Publish.Failed");
    assert_eq!(why, "dropped by the operator: maintenance");
    let Phase::Interrupted { cause, .. } = phase(&rig, "cam1").await else {
        panic!();
    };
    assert!(matches!(cause, CloseCause::Revoked(Revoked::Dropped(_))));
}

#[tokio::test]
async fn shutdown_tells_publishers_and_ends_connections_that_do_nothing() {
    let rig = rig(|_| {}).await;
    let mut client = rig.live("cam1").await;
    let mut idle = tokio::net::TcpStream::connect(rig.addr).await.unwrap();
    until("both connections", || {
        rig.count(|counters| &counters.connections) == 2
    })
    .await;
    let ingest = rig.ingest.clone();
    let (drained, said) = tokio::join!(ingest.shutdown(Duration::from_secs(5)), async {
        let said = client.farewell().await;
        drop(client);
        closes(&mut idle).await;
        drop(idle);
        said
    });
    assert!(drained);
    let (code, why) = said.unwrap();
    assert_eq!(code, "NetStream.Publish.Failed");
    assert_eq!(why, "the relay is shutting down");
    assert!(tokio::net::TcpStream::connect(rig.addr).await.is_err());
}

#[tokio::test]
async fn connection_that_stays_idle_after_its_publish_is_closed_in_time() {
    let rig = rig(|setup| setup.config.limits.setup_time = Duration::from_millis(300)).await;
    let mut client = rig.live("cam1").await;
    // Later than the first deadline: the timer then follows the publisher's long one.
    for ms in 0..5 {
        client.audio(ms, &audio_header()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    client.command(1, "deleteStream", &[1.0.into()]).await;
    let took = closes(&mut client.socket).await;
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn enhanced_metadata_of_a_real_encoder_is_carried_on() {
    let Some(file) = shared("flv/hevc_aac.flv") else {
        return;
    };
    let rig = rig(|_| {}).await;
    let mut client = rig.live("hdr").await;
    let mut subscriber = rig.stream("hdr").unwrap().subscribe(JoinAt::Oldest);
    let mut demuxer = remux::flv::Demuxer::new(remux::flv::Limits::default());
    demuxer.push(std::fs::read(file).unwrap().into());
    let (mut sent, mut units) = (Vec::new(), 0);
    while let Some(tag) = demuxer.poll().unwrap() {
        use remux::flv::TagKind::{Audio, Video};
        match tag.kind {
            Video => {
                // Enhanced, packet type 4.
                if tag.body[0] & 0x8f == 0x84 {
                    sent.push(tag.body.clone());
                }
                client.video(tag.timestamp, &tag.body).await;
            }
            Audio => client.audio(tag.timestamp, &tag.body).await,
            _ => {}
        }
        units += 1;
    }
    assert!(!sent.is_empty(), "{units} tags");
    client.command(1, "FCUnpublish", &["hdr".into()]).await;
    phase(&rig, "hdr").await;
    let mut frames = Vec::new();
    while subscriber.try_read(&mut frames).is_some() {}
    let kept = rig.stream("hdr").unwrap().headers();
    assert_eq!(kept.extras.len(), 1);
    assert_eq!(Some(&kept.extras[0].flv_body), sent.last());
    assert_eq!(rig.count(|counters| &counters.bad_messages), 0);
    let mut relay = remux::flv::Relay::default();
    relay.join(&kept);
    let lead: Vec<_> = relay.lead().map(|tag| tag.body).collect();
    assert_eq!(lead.last(), sent.last(), "behind the configurations");
    assert_eq!(lead.len(), 4);
}

/// A file of the shared test media; says so when it is absent.
fn shared(path: &str) -> Option<std::path::PathBuf> {
    let given = std::env::var_os("SIDESTREAM_SHARED").map(std::path::PathBuf::from);
    let beside = || {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|dir| dir.join("shared"))
            .find(|dir| dir.join("testmedia").is_dir())
    };
    let found = given
        .or_else(beside)
        .map(|dir| dir.join("testmedia").join(path));
    let found = found.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: shared/testmedia/{path} is not there");
    }
    found
}
