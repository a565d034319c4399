//! The control plane joined to a running relay: what is asked for happens to streams and files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use control::model::{
    Channel, ChannelSpec, ChannelState, Format, IfExists, Media, RecordState, Source, StartWhen,
};
use control::request::{
    ChannelFilter, FileFilter, Page, Place, RecordStart, RecordStop, RecordingFilter, Start,
    StartEffect, Stop, StopEffect,
};
use control::{ChannelId, Event, EventFilter, EventKind};
use sidestream::pull::{Input, Source as PullSource};
use sidestream::{AccessUnit, Config, Dts, Item, Relay, Track};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(30);

async fn relay(data: &Path, policy: &str) -> Relay {
    let text = format!(
        "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [auth]\nkeys = [\"ss_live_0123456789abcdef\"]\n\
         [streams]\nreconnect_window = \"5s\"\nviewer_end_grace = \"0s\"\n\
         [storage]\ndata = {:?}\n[record]\nmin_free = \"0B\"\n\
         [control.policy]\nstart_min_interval_s = 0\n{policy}",
        data.display().to_string()
    );
    let config = Config::from_toml("test.toml", &text).unwrap();
    Relay::builder().config(config).build().await.unwrap()
}

/// Sound, a frame a millisecond, until it is told to end; then says goodbye.
struct Sender {
    end: tokio::sync::oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn send(relay: &Relay, name: &str) -> Sender {
    let mut publisher = relay.publish(name).await.unwrap();
    let track = publisher
        .add_track(Track::aac([0x11, 0x90]).unwrap())
        .unwrap();
    let (end, mut ended) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        for number in 0_i64.. {
            let payload = Bytes::from(format!("frame {number}"));
            let unit = AccessUnit::new(track, Dts(number * 21), payload).random_access();
            if publisher.send(unit).is_err() {
                return;
            }
            tokio::select! {
                _ = &mut ended => return publisher.finish(),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
    });
    Sender { end, task }
}

impl Sender {
    async fn finish(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn place(room: &str) -> Place {
    Place {
        room_id: room.to_owned(),
        ..Place::default()
    }
}

fn start(room: &str, user: &str) -> Start {
    Start {
        place: place(room),
        user_id: user.to_owned(),
        source: Source::Main,
        spec: ChannelSpec {
            protocols: vec![],
            audio_only: false,
            sdk_type: None,
            name: String::new(),
            description: String::new(),
            password: None,
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

fn record(room: &str, user: &str) -> RecordStart {
    RecordStart {
        place: place(room),
        user_id: user.to_owned(),
        source: Source::Main,
        file_name: Some("lesson-1".to_owned()),
        media: Media::Av,
        formats: vec![Format::Flv, Format::Hls, Format::Mp4],
        segment_s: None,
        tags: vec![],
        class_id: 0,
        record_id: None,
        start_at: None,
        end_at: None,
        callback: true,
        compat: false,
    }
}

/// Asks until the answer is yes; asks again whenever there are events.
async fn until<F: Future<Output = bool>>(relay: &Relay, what: &str, yes: impl Fn() -> F) {
    let mut news = relay.control().news();
    let there = async {
        while !yes().await {
            let _ = tokio::time::timeout(Duration::from_millis(100), news.changed()).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, there).await;
    assert!(in_time.is_ok(), "{what}: not in 30 s");
}

async fn state(relay: &Relay, id: ChannelId) -> ChannelState {
    relay.control().channel(id).await.unwrap().state
}

async fn until_state(relay: &Relay, id: ChannelId, wanted: ChannelState) {
    until(relay, wanted.as_str(), || async {
        state(relay, id).await == wanted
    })
    .await;
}

async fn events(relay: &Relay, kind: EventKind) -> Vec<Event> {
    let filter = EventFilter {
        kinds: vec![kind],
        limit: 1_000,
        ..EventFilter::default()
    };
    relay.control().events(filter).await.unwrap()
}

/// Whether a player gets media over HTTP-FLV.
async fn plays(relay: &Relay, name: &str) -> bool {
    let http = relay.listeners().http.unwrap();
    let input: Input = format!("http://{http}/{name}.flv").parse().unwrap();
    match PullSource::open(&input, Duration::from_secs(10)).await {
        Ok(mut source) => source.next().await.is_ok_and(|tag| tag.is_some()),
        Err(_) => false,
    }
}

async fn only_channel(relay: &Relay) -> Option<Channel> {
    let page = relay
        .control()
        .channels(ChannelFilter::default(), Page::default())
        .await;
    let mut views = page.unwrap().items;
    assert!(views.len() <= 1);
    views.pop().map(|view| view.channel)
}

#[tokio::test]
async fn c2_a_publish_is_a_channel_without_a_call_and_stop_leaves_it_playing() {
    let dir = TempDir::new().unwrap();
    let relay = relay(dir.path(), "auto_bypass = { enabled = true }\n").await;
    let began = std::time::Instant::now();
    let sender = send(&relay, "live/cam").await;
    until(&relay, "a channel", || async {
        only_channel(&relay)
            .await
            .is_some_and(|channel| channel.state == ChannelState::Live)
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    let found = relay.control().start(start("live", "cam")).await.unwrap();
    assert_eq!(found.effect, StartEffect::UrlsOnly);
    assert!(plays(&relay, "live/cam").await);

    let mut viewer = relay.subscribe("live/cam").await.unwrap();
    let stop = Stop {
        place: place("live"),
        ids: vec![found.channel.id],
        ..Stop::default()
    };
    let stopped = relay.control().stop(stop).await.unwrap();
    assert_eq!(stopped[0].effect, StopEffect::IgnoredAuto);
    let goes_on = async {
        let mut units = 0;
        while units < 100 {
            units += usize::from(matches!(viewer.next().await.unwrap(), Item::Unit(_)));
        }
    };
    tokio::time::timeout(PATIENCE, goes_on)
        .await
        .expect("it plays on");
    assert_eq!(state(&relay, found.channel.id).await, ChannelState::Live);
    sender.finish().await;
    until_state(&relay, found.channel.id, ChannelState::Ended).await;
    assert!(!plays(&relay, "live/cam").await);
}

/// One row of the table: what is recorded, in which formats, and what callbacks hear of it.
async fn row(auto_bypass: bool, auto_record: bool, matrix: bool) -> (BTreeSet<String>, Vec<bool>) {
    let dir = TempDir::new().unwrap();
    let policy = format!(
        "auto_bypass = {{ enabled = {auto_bypass} }}\nauto_record = {{ enabled = {auto_record} }}\ncompat_matrix = {matrix}\n"
    );
    let relay = relay(dir.path(), &policy).await;
    let sender = send(&relay, "live/cam").await;
    until(&relay, "published", || async {
        !events(&relay, EventKind::IngestStarted).await.is_empty()
    })
    .await;
    let channel = relay
        .control()
        .start(start("live", "cam"))
        .await
        .unwrap()
        .channel
        .id;
    until_state(&relay, channel, ChannelState::Live).await;
    if !auto_record {
        relay
            .control()
            .start_recording(record("live", "cam"))
            .await
            .unwrap();
    }
    until(&relay, "recording", || async {
        let tasks = relay
            .control()
            .recordings(RecordingFilter::default(), Page::default())
            .await;
        let tasks = tasks.unwrap().items;
        tasks.len() == 1 && tasks[0].state == RecordState::Recording
    })
    .await;
    if !auto_record {
        let stop = RecordStop {
            place: place("live"),
            user_id: "cam".to_owned(),
            source: Source::Main,
        };
        assert_eq!(
            relay.control().stop_recordings(stop).await.unwrap().len(),
            1
        );
    } else if !auto_bypass {
        relay.control().stop_channel(channel).await.unwrap();
    }
    sender.finish().await;
    until(&relay, "recorded", || async {
        !events(&relay, EventKind::RecordingEnded).await.is_empty()
    })
    .await;
    // Files are finished before or behind the end of their recording.
    relay.shutdown(Duration::from_secs(20)).await;
    let relay = self::relay(dir.path(), &policy).await;
    until(&relay, "files", || async {
        let expected = if matrix && !auto_record { 1 } else { 3 };
        events(&relay, EventKind::RecordingFileCompleted)
            .await
            .len()
            == expected
    })
    .await;
    let files = relay
        .control()
        .files(FileFilter::default(), Page::default())
        .await
        .unwrap()
        .items;
    for file in &files {
        let content = dir.path().join("recordings").join(&file.path);
        assert!(content.exists(), "{}", file.path);
        assert!(file.size > 0 && file.body.sha256.len() == 64);
    }
    let told = events(&relay, EventKind::RecordingFileCompleted).await;
    let callbacks = told
        .iter()
        .map(|event| event.data["callback"].as_bool().unwrap());
    (
        files
            .iter()
            .map(|file| file.body.format.to_string())
            .collect(),
        callbacks.collect(),
    )
}

#[tokio::test]
async fn c3_the_four_rows_of_the_policy_record_their_formats_and_tell_of_them() {
    let all: BTreeSet<String> = ["flv", "hls", "mp4"].map(str::to_owned).into();
    let mp4: BTreeSet<String> = ["mp4".to_owned()].into();
    let rows = tokio::join!(
        row(true, true, true),
        row(false, true, true),
        row(true, false, true),
        row(false, false, true),
        row(false, false, false),
    );
    assert_eq!(rows.0, (all.clone(), vec![true; 3]), "auto, auto");
    assert_eq!(rows.1, (all.clone(), vec![true; 3]), "manual, auto");
    assert_eq!(
        rows.2,
        (mp4.clone(), vec![false]),
        "auto, manual, as the classic service"
    );
    assert_eq!(
        rows.3,
        (mp4, vec![false]),
        "manual, manual, as the classic service"
    );
    assert_eq!(rows.4, (all, vec![true; 3]), "manual, manual");
}

#[tokio::test]
async fn a_channel_outlives_a_restart_and_resumes_under_its_id() {
    let dir = TempDir::new().unwrap();
    let first = relay(dir.path(), "").await;
    let channel = first
        .control()
        .start(start("8001", "anchor_7"))
        .await
        .unwrap()
        .channel;
    let sender = send(&first, &channel.stream).await;
    until_state(&first, channel.id, ChannelState::Live).await;
    first.shutdown(Duration::from_secs(20)).await;
    drop(sender);
    let second = relay(dir.path(), "").await;
    assert_eq!(state(&second, channel.id).await, ChannelState::Interrupted);
    let sender = send(&second, &channel.stream).await;
    until_state(&second, channel.id, ChannelState::Live).await;
    assert_eq!(events(&second, EventKind::ChannelResumed).await.len(), 1);
    sender.finish().await;
}

#[tokio::test]
async fn a_forbidden_publisher_is_sent_away_and_its_stream_is_gone_for_players() {
    let dir = TempDir::new().unwrap();
    let relay = relay(dir.path(), "").await;
    let channel = relay
        .control()
        .start(start("8001", "anchor_7"))
        .await
        .unwrap()
        .channel;
    let sender = send(&relay, &channel.stream).await;
    until_state(&relay, channel.id, ChannelState::Live).await;
    let done = relay
        .control()
        .forbid_stream(channel.stream_id().to_owned(), None, None)
        .await
        .unwrap();
    assert!(done.dropped);
    tokio::time::timeout(PATIENCE, sender.task)
        .await
        .expect("it was sent away")
        .unwrap();
    until(&relay, "not served", || async {
        !plays(&relay, &channel.stream).await
    })
    .await;
    let ended = || async { events(&relay, EventKind::IngestEnded).await };
    until(&relay, "told", || async { !ended().await.is_empty() }).await;
    // Ended by us, though the publisher answered by hanging up.
    assert_eq!(ended().await[0].data["errcode"], 21);
}

/// Status line, headers and body of a GET.
async fn fetch(relay: &Relay, path: &str, range: &str) -> (String, Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let http = relay.listeners().http.unwrap();
    let asked = async {
        let mut tcp = tokio::net::TcpStream::connect(http).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer ss_live_0123456789abcdef\r\n{range}\r\n"
        );
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.to_lowercase(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn recorded_files_are_sent_as_they_lie_on_the_disk() {
    let dir = TempDir::new().unwrap();
    let relay = relay(dir.path(), "auto_bypass = { enabled = true }\n").await;
    let sender = send(&relay, "live/cam").await;
    until(&relay, "published", || async {
        !events(&relay, EventKind::IngestStarted).await.is_empty()
    })
    .await;
    let task = relay.control().start_recording(record("live", "cam"));
    task.await.unwrap();
    until(&relay, "recording", || async {
        !events(&relay, EventKind::RecordingStarted).await.is_empty()
    })
    .await;
    let stop = RecordStop {
        place: place("live"),
        user_id: "cam".to_owned(),
        source: Source::Main,
    };
    relay.control().stop_recordings(stop).await.unwrap();
    sender.finish().await;
    let files = async || {
        let all = (FileFilter::default(), Page::default());
        relay.control().files(all.0, all.1).await.unwrap().items
    };
    until(&relay, "three files", || async { files().await.len() == 3 }).await;
    for file in files().await {
        let (head, view) = fetch(&relay, &format!("/v1/files/{}", file.id), "").await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let view: serde_json::Value = serde_json::from_slice(&view).unwrap();
        let url = view["url"].as_str().unwrap();
        let url = &url[url.find("/v1/").unwrap()..];
        let place = dir.path().join("recordings").join(&file.path);
        let mut parts = vec![(url.to_owned(), place.clone())];
        if file.body.format == Format::Hls {
            // The playlist is where the answer says, and everything in the folder beside it.
            parts = std::fs::read_dir(&place)
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let (folder, _) = url.rsplit_once('/').unwrap();
                    let name = entry.file_name().into_string().unwrap();
                    (format!("{folder}/{name}"), entry.path())
                })
                .collect();
            assert!(parts.iter().any(|(part, _)| part == url), "{url} {parts:?}");
            assert!(parts.len() >= 3, "playlist, init segment, segments");
        } else {
            let (_, whole) = fetch(&relay, url, "").await;
            assert_eq!(whole.len() as u64, file.size);
        }
        for (part, path) in parts {
            let on_disk = std::fs::read(&path).unwrap();
            let (head, sent) = fetch(&relay, &part, "").await;
            assert!(head.starts_with("http/1.1 200 "), "{part}: {head}");
            assert!(sent == on_disk, "{part} differs from {}", path.display());
            let (head, sent) = fetch(&relay, &part, "Range: bytes=5-24\r\n").await;
            assert!(head.starts_with("http/1.1 206 "), "{part}: {head}");
            let told = format!("\r\ncontent-range: bytes 5-24/{}\r\n", on_disk.len());
            assert!(head.contains(&told), "{head}");
            assert_eq!(sent, on_disk[5..25]);
            if part.ends_with(".m3u8") {
                let text = String::from_utf8(on_disk).unwrap();
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                for line in lines {
                    assert!(place.join(line).exists(), "{line} of {text}");
                }
            }
        }
    }
}

#[tokio::test]
async fn without_keys_every_publish_is_a_channel_and_nothing_is_written() {
    let dir = TempDir::new().unwrap();
    let text = format!(
        "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[storage]\ndata = {:?}\n",
        dir.path().display().to_string()
    );
    let config = Config::from_toml("test.toml", &text).unwrap();
    let relay = Relay::builder().config(config).build().await.unwrap();
    let _sender = send(&relay, "shows/cam").await;
    until(&relay, "a channel", || async {
        only_channel(&relay)
            .await
            .is_some_and(|channel| channel.state == ChannelState::Live)
    })
    .await;
    let channel = only_channel(&relay).await.unwrap();
    assert_eq!(
        (channel.room_id.as_str(), channel.user_id.as_str()),
        ("shows", "cam")
    );
    assert!(plays(&relay, "shows/cam").await);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_stops_the_start_and_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("control.db"),
        "this is no database, but it is long enough".repeat(50),
    )
    .unwrap();
    let text = format!(
        "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"\"\n[control]\nstate = \"disk\"\n[storage]\ndata = {:?}\n",
        dir.path().display().to_string()
    );
    let config = Config::from_toml("test.toml", &text).unwrap();
    let error = Relay::builder().config(config).build().await.unwrap_err();
    assert!(error.to_string().contains("put a copy back"), "{error}");
}

/// One callback as a receiver sees it.
struct Told {
    id: String,
    time: i64,
    signature: String,
    body: Vec<u8>,
}

impl Told {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Takes one request and answers with a status.
async fn take(listener: &tokio::net::TcpListener, status: u16) -> Told {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut socket, _) = tokio::time::timeout(PATIENCE, listener.accept())
        .await
        .expect("a callback")
        .unwrap();
    let mut bytes = Vec::new();
    let (head, body) = loop {
        assert!(socket.read_buf(&mut bytes).await.unwrap() > 0);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length: usize = header(&head, "content-length").parse().unwrap();
        if bytes.len() >= end + 4 + length {
            break (head, bytes[end + 4..].to_vec());
        }
    };
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    Told {
        id: header(&head, "webhook-id"),
        time: header(&head, "webhook-timestamp").parse().unwrap(),
        signature: header(&head, "webhook-signature"),
        body,
    }
}

fn header(head: &str, name: &str) -> String {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
    line.unwrap_or_default().1.trim().to_owned()
}

#[tokio::test]
async fn c5_a_finished_file_is_told_signed_also_when_the_relay_dies_before_it_is_acknowledged() {
    let dir = TempDir::new().unwrap();
    let receiver = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let secret = dir.path().join("hook.secret");
    std::fs::write(&secret, "a-secret-of-24-letters-or-more\n").unwrap();
    let policy = format!(
        "auto_bypass = {{ enabled = true }}\nauto_record = {{ enabled = true, formats = [\"mp4\"] }}\n\
         [callbacks]\nallow_private = true\n[[callbacks.endpoint]]\nurl = \"http://{}/hook\"\n\
         events = [\"recording.file.*\"]\nsecret_file = {:?}\n",
        receiver.local_addr().unwrap(),
        secret.display().to_string()
    );
    let relay = self::relay(dir.path(), &policy).await;
    let sender = send(&relay, "live/cam").await;
    until(&relay, "recording", || async {
        !events(&relay, EventKind::RecordingStarted).await.is_empty()
    })
    .await;
    sender.finish().await;
    // The first attempt is refused; before the second the relay is gone.
    let refused = take(&receiver, 500).await;
    relay.shutdown(Duration::from_secs(20)).await;
    drop(relay);
    let relay = self::relay(dir.path(), &policy).await;
    let told = take(&receiver, 204).await;
    // The same event; only the URL follows the port that this relay was given.
    let without_url = |told: &Told| {
        let mut event = told.json();
        event["data"].as_object_mut().unwrap().remove("url");
        event
    };
    assert_eq!(told.id, refused.id);
    assert_eq!(without_url(&told), without_url(&refused));
    let secret = control::callback::Secret::parse("a-secret-of-24-letters-or-more").unwrap();
    let expected =
        control::callback::signature::standard([&secret], &told.id, told.time, &told.body);
    assert_eq!(told.signature, expected);
    let event = told.json();
    assert_eq!(event["type"], "recording.file.completed");
    assert_eq!(event["data"]["format"], "mp4");
    let url = event["data"]["url"].as_str().unwrap();
    let file = event["data"]["file_id"].as_str().unwrap();
    assert!(url.ends_with(&format!("/v1/files/{file}/content")), "{url}");
    let endpoint = relay.callbacks().webhooks().await.unwrap().remove(0);
    until(&relay, "delivered", || async {
        let page = relay
            .callbacks()
            .deliveries(endpoint.id, None, Page::default())
            .await
            .unwrap();
        let [only] = page.items.as_slice() else {
            panic!("{:?}", page.items)
        };
        only.state == control::callback::DeliveryState::Delivered && only.attempts == 2
    })
    .await;
    relay.shutdown(Duration::from_secs(20)).await;
}
