//! Who may watch a channel, and that what was sent is on record when the relay has stopped.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::model::{ChannelSpec, IfExists, Source, StartWhen};
use control::request::{Place, Start};
use control::usage::{Granularity, GroupBy, UsageQuery, UsageRow};
use control::{Control, Mode, Settings, Store, UnixMs};
use sidestream::{AccessUnit, Config, Dts, Relay, Track};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(30);

async fn relay(data: &Path) -> Relay {
    let text = format!(
        "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [auth]\nkeys = [\"ss_live_0123456789abcdef\"]\n[hls]\nsegment = \"500ms\"\n\
         [storage]\ndata = {:?}\n",
        data.display().to_string()
    );
    let config = Config::from_toml("test.toml", &text).unwrap();
    Relay::builder().config(config).build().await.unwrap()
}

fn start(password: Option<&str>) -> Start {
    Start {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        user_id: "u".to_owned(),
        source: Source::Main,
        spec: ChannelSpec {
            protocols: vec![],
            audio_only: false,
            sdk_type: None,
            name: String::new(),
            description: String::new(),
            password: password.map(str::to_owned),
            metadata: serde_json::Map::new(),
        },
        record: None,
        targets: vec![],
        start_when: StartWhen::OnPublish,
        if_exists: IfExists::Error,
        must_be_in_room: false,
        sequence: None,
    }
}

/// Status and body of a GET.
async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let answer = async {
        let mut tcp = tokio::net::TcpStream::connect(addr).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let text = tokio::time::timeout(PATIENCE, answer).await.unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

/// The first link of a playlist.
fn link(playlist: &str) -> String {
    let line = playlist
        .lines()
        .find(|line| !line.starts_with('#') && !line.is_empty());
    line.unwrap().to_owned()
}

#[tokio::test]
async fn a_players_password_opens_its_channel_and_what_was_sent_is_usage() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path()).await;
    let channel = relay
        .control()
        .start(start(Some("open sesame")))
        .await
        .unwrap()
        .channel;
    let stream = channel.stream.clone();
    let http = relay.listeners().http.unwrap();
    let playlist = format!("/{stream}.m3u8");
    assert_eq!(get(http, &playlist).await.0, 404, "not before it is live");

    let mut publisher = relay.publish(&stream).await.unwrap();
    let track = publisher
        .add_track(Track::aac([0x11, 0x90]).unwrap())
        .unwrap();
    let mut sent = 0_u64;
    // Three seconds of sound at once: enough for a segment.
    for number in 0..150 {
        let payload = Bytes::from(format!("frame {number:6}"));
        sent += payload.len() as u64;
        let unit = AccessUnit::new(track, Dts(number * 21), payload).random_access();
        publisher.send(unit).unwrap();
    }
    let waits = async {
        while get(http, &playlist).await.0 == 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits)
        .await
        .expect("served within 30 s");
    assert_eq!(get(http, &playlist).await.0, 403);
    assert_eq!(get(http, &format!("{playlist}?pwd=guess")).await.0, 403);
    let (status, multivariant) = get(http, &format!("{playlist}?pwd=open%20sesame")).await;
    assert_eq!(status, 200, "{multivariant}");
    let media = format!("/live/{}", link(&multivariant));
    assert!(media.contains("?token="), "{media}");
    let (status, list) = get(http, &media).await;
    assert_eq!(status, 200, "{list}");
    let segment = format!("/{stream}/{}", link(&list));
    assert_eq!(get(http, &segment).await.0, 200);
    let (bare, _) = segment.split_once('?').unwrap();
    assert_eq!(get(http, bare).await.0, 403);

    let viewers = relay.stream(&stream).unwrap().viewers().bytes_out();
    assert!(viewers > 0);
    publisher.finish();
    relay.shutdown(Duration::from_secs(10)).await;
    drop(relay);

    let clock: Arc<dyn control::Clock> = Arc::new(UnixMs::now);
    let store = Store::open(&folder.path().join("control.db"), Arc::clone(&clock)).unwrap();
    let control = Control::open(store, Settings::new(Mode::Keyed), clock)
        .await
        .unwrap();
    let now = control.now();
    let query = UsageQuery {
        from: now.minus(Duration::from_secs(3_600)),
        to: now.plus(Duration::from_secs(3_600)),
        granularity: Granularity::Day,
        group_by: GroupBy::Channel,
        app_id: None,
    };
    let rows = control.usage(query).await.unwrap();
    let sum = |direction: &str| -> u64 {
        let of = |row: &UsageRow| row.bytes.get(direction).copied().unwrap_or(0);
        rows.iter().map(of).sum()
    };
    assert_eq!(sum("in"), sent);
    assert_eq!(sum("out"), viewers);
    assert!(
        rows.iter().all(|row| row.group == channel.id.to_string()),
        "{rows:#?}"
    );
}
