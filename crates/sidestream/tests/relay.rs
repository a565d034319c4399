//! The facade: what is published inside a process comes out of it, on every path.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use media::DataMessage;
use remux::flv::TagKind;
use sidestream::pull::{Input, Source};
use sidestream::record::{Format, State, What};
use sidestream::{
    AccessUnit, Action, Ask, Config, Dts, Error, Event, Item, Relay, Ticks, Track, Verdict,
};

const AAC: [u8; 2] = [0x11, 0x90];

fn config(more: &str) -> Config {
    let text =
        format!("[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n{more}");
    Config::from_toml("test.toml", &text).unwrap()
}

async fn relay(more: &str) -> Relay {
    Relay::builder().config(config(more)).build().await.unwrap()
}

fn frame(track: media::TrackId, number: i64) -> AccessUnit {
    let payload = Bytes::from(format!("frame {number}"));
    AccessUnit::new(track, Dts(number * 21), payload).random_access()
}

/// Publishes frames until dropped, one per millisecond: joins by a network need a moving stream.
async fn keep_sending(relay: &Relay, name: &str) -> tokio::task::JoinHandle<()> {
    let mut publisher = relay.publish(name).await.unwrap();
    let track = publisher.add_track(Track::aac(AAC).unwrap()).unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            publisher.send(frame(track, number)).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

async fn first_bodies(url: &str, count: usize) -> Vec<(TagKind, Bytes)> {
    let input: Input = url.parse().unwrap();
    let mut source = Source::open(&input, Duration::from_secs(10)).await.unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let tag = source.next().await.unwrap().expect("goes on");
        bodies.push((tag.kind, tag.body));
    }
    bodies
}

#[tokio::test]
async fn a_subscriber_gets_the_units_that_were_sent() {
    let relay = relay("[streams]\nviewer_end_grace = \"0s\"\n").await;
    let mut early = relay.subscribe("live/a").await.unwrap();
    let mut publisher = relay.publish("live/a").await.unwrap();
    let track = publisher.add_track(Track::aac(AAC).unwrap()).unwrap();
    for number in 0..50 {
        let unit = frame(track, number).composition_offset(Ticks(0));
        publisher.send(unit).unwrap();
    }
    publisher.finish();
    let mut got = Vec::new();
    let mut tracks = 0;
    while let Some(item) = early.next().await {
        match item {
            Item::Unit(unit) => got.push((unit.dts.0, unit.payload)),
            Item::Tracks(list) => tracks += list.len(),
            Item::Lagged { missed } => panic!("{missed} missed"),
            _ => {}
        }
    }
    let sent: Vec<_> = (0..50)
        .map(|number| (number * 21, Bytes::from(format!("frame {number}"))))
        .collect();
    assert_eq!(got, sent);
    assert_eq!(tracks, 1);
}

#[tokio::test]
async fn what_is_published_inside_plays_over_rtmp_and_http() {
    let relay = relay("").await;
    let sending = keep_sending(&relay, "live/a").await;
    let rtmp = relay.listeners().rtmp.unwrap();
    let http = relay.listeners().http.unwrap();
    for url in [
        format!("rtmp://{rtmp}/live/a"),
        format!("http://{http}/live/a.flv"),
    ] {
        let bodies = first_bodies(&url, 12).await;
        let audio: Vec<_> = bodies
            .iter()
            .filter(|(kind, _)| *kind == TagKind::Audio)
            .map(|(_, body)| body)
            .collect();
        assert_eq!(
            &audio[0][..],
            [0xaf, 0, 0x11, 0x90],
            "{url}: sequence header first"
        );
        assert!(
            audio[1].starts_with(b"\xaf\x01frame "),
            "{url}: {:?}",
            audio[1]
        );
    }
    sending.abort();
    assert!(relay.shutdown(Duration::from_secs(5)).await.clean);
}

#[tokio::test]
async fn the_authorizer_is_asked_for_publish_and_play() {
    let authorizer = |ask: Ask| async move {
        match (ask.action, ask.key()) {
            (Action::Publish, Some("s3cret")) | (Action::Play, Some("v1ew")) => Verdict::Allow,
            _ => Verdict::deny("wrong stream key"),
        }
    };
    let builder = Relay::builder().config(config(""));
    let relay = builder.authorizer(authorizer).build().await.unwrap();
    let sending = keep_sending(&relay, "live/a").await;
    let rtmp = relay.listeners().rtmp.unwrap();
    let wait = Duration::from_secs(10);
    let refused: Input = format!("rtmp://{rtmp}/live/a?key=guess").parse().unwrap();
    let error = Source::open(&refused, wait).await.err().unwrap();
    assert!(error.to_string().contains("wrong stream key"), "{error}");
    first_bodies(&format!("rtmp://{rtmp}/live/a?key=v1ew"), 3).await;
    let http = relay.listeners().http.unwrap();
    first_bodies(&format!("http://{http}/live/a.flv?key=v1ew"), 3).await;
    for path in [
        "/live/a.flv",
        "/live/a.ts?key=guess",
        "/live/a.m3u8?key=guess",
    ] {
        assert_eq!(status(http, path, None).await, 403, "{path}");
    }
    assert_eq!(status(http, "/live/a.m3u8?key=v1ew", None).await, 200);
    let url = format!("rtmp://{rtmp}/live/b").parse().unwrap();
    let refused = publish::Publication::connect(&url, &publish::Config::default()).await;
    assert!(
        refused
            .err()
            .unwrap()
            .to_string()
            .contains("wrong stream key")
    );
    sending.abort();
}

#[tokio::test]
async fn push_rules_of_the_configuration_reach_another_relay() {
    let far = relay("").await;
    let rtmp = far.listeners().rtmp.unwrap();
    let rule = format!("[[push]]\nmatch = \"live/*\"\nurl = \"rtmp://{rtmp}/copy/{{stream}}\"\n");
    let near = relay(&rule).await;
    let mut events = far.events();
    let sending = keep_sending(&near, "live/a").await;
    let started = events.next().await.unwrap();
    assert!(matches!(&started, Event::PublishStarted { name, .. } if name.as_str() == "copy/a"));
    let mut copy = far.subscribe("copy/a").await.unwrap();
    let payload = loop {
        if let Some(Item::Unit(unit)) = copy.next().await {
            break unit.payload;
        }
    };
    assert!(payload.starts_with(b"frame "));
    assert_eq!(near.push_targets().len(), 1);
    // Taking the rule away stops the target; nothing else changes.
    let reloaded = near.reload(&config("")).unwrap();
    assert!(reloaded.applied.contains(&"push"));
    assert_eq!(reloaded.kept_until_restart, Vec::<&str>::new());
    let ended = async {
        loop {
            if let Some(Event::PublisherLost { .. }) = events.next().await {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended)
        .await
        .unwrap();
    assert!(near.stream("live/a").is_some());
    sending.abort();
}

#[tokio::test]
async fn reload_swaps_keys_and_certificates_and_says_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(dir.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(dir.path().join(format!("{name}.key")), key).unwrap();
    };
    write("a");
    let path = dir.path().join("sidestream.toml");
    let text = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
        [rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"a.pem\"\nkey = \"a.key\"\n";
    std::fs::write(&path, text).unwrap();
    let relay = Relay::builder()
        .config(Config::from_file(&path).unwrap())
        .build()
        .await
        .unwrap();
    assert_ne!(relay.listeners().rtmps.unwrap().port(), 0);
    let http = relay.listeners().http.unwrap();
    assert_eq!(status(http, "/v1/streams", None).await, 200);
    assert_eq!(status(http, "/v1/channels", None).await, 200);

    write("a");
    let text =
        format!("{text}[auth]\nkeys = [\"ss_live_0123456789abcdef\"]\n[hls]\nsegments = 5\n");
    std::fs::write(&path, text).unwrap();
    let reloaded = relay.reload(&Config::from_file(&path).unwrap()).unwrap();
    assert!(reloaded.applied.contains(&"rtmps"));
    assert_eq!(reloaded.kept_until_restart, ["hls"]);
    assert_eq!(status(http, "/v1/streams", None).await, 401);
    let key = Some("ss_live_0123456789abcdef");
    assert_eq!(status(http, "/v1/streams", key).await, 200);

    // A pair that does not match changes nothing.
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("a.pem"), made.cert.pem()).unwrap();
    let error = relay
        .reload(&Config::from_file(&path).unwrap())
        .unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error}");
    assert_eq!(status(http, "/v1/streams", key).await, 200);
}

#[tokio::test]
async fn a_listener_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config("");
    config.rtmp.listen = Some(taken.local_addr().unwrap());
    let error = Relay::builder().config(config).build().await.unwrap_err();
    let addr = taken.local_addr().unwrap();
    assert_eq!(
        error.to_string(),
        format!("rtmp listen {addr}: address in use")
    );
}

#[tokio::test]
async fn dropping_the_last_handle_closes_at_once() {
    let relay = relay("").await;
    let sending = keep_sending(&relay, "live/a").await;
    let listeners = relay.listeners().clone();
    let mut viewer = relay.subscribe("live/a").await.unwrap();
    drop(relay);
    while viewer.next().await.is_some() {}
    assert!(sending.await.is_err(), "the publisher is told");
    for addr in [listeners.rtmp.unwrap(), listeners.http.unwrap()] {
        while tokio::net::TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn metadata_reaches_late_viewers() {
    let relay = relay("").await;
    let rtmp = relay.listeners().rtmp.unwrap();
    let url = format!("rtmp://{rtmp}/live/a").parse().unwrap();
    let target = publish::Config::default();
    let mut publication = publish::Publication::connect(&url, &target).await.unwrap();
    let clip = Bytes::from_static(include_bytes!("../../../testdata/bframes.flv"));
    let mut clip = Source::from_bytes("bframes.flv", clip);
    let mut metadata = None;
    for _ in 0..60 {
        let tag = clip.next().await.unwrap().unwrap();
        if tag.kind == TagKind::Script {
            metadata = Some(tag.body.clone());
        }
        publication.push(tag.kind, tag.timestamp, tag.body);
    }
    publication.flush().await.unwrap();
    let mut viewer = relay.subscribe("live/a").await.unwrap();
    let data: std::sync::Arc<DataMessage> = loop {
        if let Item::Data(data) = viewer.next().await.unwrap() {
            break data;
        }
    };
    assert_eq!(Some(&data.amf0), metadata.as_ref());
    publication.finish().await;
}

/// The status of a GET.
async fn status(addr: std::net::SocketAddr, path: &str, key: Option<&str>) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut tcp = tokio::net::TcpStream::connect(addr).await.unwrap();
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
        key.unwrap_or_default()
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_recording_is_complete_when_the_relay_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[storage]\ndata = {:?}\n[record]\nmin_free = \"0B\"\nname = \"{{stream}}\"\n",
        folder.path()
    );
    let relay = relay(&settings).await;
    let mut events = relay.recording_events();
    let recording = relay
        .record("live/a")
        .format(Format::Mp4)
        .format(Format::Flv);
    let recording = recording.start().await.unwrap();
    let mut publisher = relay.publish("live/a").await.unwrap();
    let track = publisher.add_track(Track::aac(AAC).unwrap()).unwrap();
    for number in 0..100 {
        publisher.send(frame(track, number)).unwrap();
    }
    let stopped = relay.shutdown(Duration::from_secs(30)).await;
    assert_eq!((stopped.clean, stopped.recordings), (true, 1));
    assert_eq!(recording.status().state, State::Completed);
    let mut manifests = Vec::new();
    while manifests.len() < 2 {
        if let What::FileCompleted(manifest) = events.next().await.unwrap().what {
            manifests.push(manifest);
        }
    }
    for manifest in manifests {
        assert_eq!(manifest.duration_ms, 2_100, "{}", manifest.path);
        let path = folder.path().join("recordings").join(&manifest.path);
        assert_eq!(path.metadata().unwrap().len(), manifest.size);
    }
    let error = relay
        .record("live/b")
        .path("../b")
        .start()
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("recording: name \"../b\": "),
        "{error}"
    );
}
