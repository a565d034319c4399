//! `kill -9` in a storm of starts, publishes, file completions and stops: nothing that was answered
//! is lost, no event is lost, none is out of order within its channel.
//!
//! The test starts itself as a child, reads what the child says was answered, kills it, and looks at
//! the database. Ten times; `SIDESTREAM_KILLS=100` for more.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use control::model::*;
use control::request::*;
use control::*;

const DATABASE: &str = "SIDESTREAM_STORM_DATABASE";
const USERS: usize = 16;

#[test]
fn nothing_that_was_answered_is_lost_by_kill_9() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if let Some(path) = std::env::var_os(DATABASE) {
        runtime.block_on(storm(Path::new(&path)));
        return;
    }
    let kills = std::env::var("SIDESTREAM_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let mut answered = Vec::new();
    for round in 0..kills {
        let before = answered.len();
        answered.extend(killed_storm(
            &path,
            Duration::from_millis(40 + 37 * (round % 7)),
        ));
        assert!(
            answered.len() > before,
            "round {round}: nothing was answered before the kill"
        );
        runtime.block_on(check(&path, &answered));
    }
    println!("{kills} kills, {} answers, none lost", answered.len());
}

/// Runs a storm, kills it so long after its first answer; what it said was answered.
fn killed_storm(path: &Path, life: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "nothing_that_was_answered_is_lost_by_kill_9",
        ])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (begun, begins) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut answered = Vec::new();
        let mut line = String::new();
        // The last line may be cut off.
        while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            if let Some((_, answer)) = line.trim_end().split_once("answered ") {
                answered.push(answer.to_owned());
                // Nobody listens after the first.
                let _ = begun.send(());
            }
            line.clear();
        }
        answered
    });
    begins
        .recv_timeout(Duration::from_secs(30))
        .expect("an answer");
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The child: works until it is killed.
async fn storm(path: &Path) {
    let control = open(path).await;
    let users = (0..USERS).map(|user| {
        let control = control.clone();
        tokio::spawn(async move { one_user(&control, user).await })
    });
    let limit = tokio::time::sleep(Duration::from_secs(60));
    tokio::select! {
        () = limit => panic!("nobody killed it"),
        _ = futures(users.collect()) => {}
    }
}

async fn futures(users: Vec<tokio::task::JoinHandle<()>>) {
    for user in users {
        user.await.unwrap();
    }
}

async fn one_user(control: &Control, user: usize) {
    let name = format!("anchor_{user}");
    for round in 0_u64.. {
        let started = match control.start(start(&name)).await {
            Ok(started) => started.channel,
            // Left over from before the kill.
            Err(error) => *error.existing.expect("only a channel is in the way"),
        };
        say(&format!("start {}", started.id));
        let publishing = Publishing {
            stream: started.stream.clone(),
            protocol: "rtmp".to_owned(),
            user_ip: None,
            query: String::new(),
        };
        control
            .observe(Observation::Published(publishing))
            .await
            .unwrap();
        let recorded = file(
            &started.stream,
            &format!("rec_{:032x}", fastrand(user, round)),
        );
        let path = recorded.path.clone();
        control
            .observe(Observation::File(Box::new(recorded)))
            .await
            .unwrap();
        say(&format!("file {path}"));
        let cause = Cause {
            errcode: 1,
            text: "over".to_owned(),
        };
        let stream = started.stream.clone();
        control
            .observe(Observation::Lost { stream, cause })
            .await
            .unwrap();
        let stopped = control.stop_channel(started.id).await.unwrap();
        assert!(matches!(
            stopped.effect,
            StopEffect::Stopped | StopEffect::AlreadyStopped
        ));
        say(&format!(
            "stop {} {}",
            started.id,
            stopped.channel.unwrap().version
        ));
    }
}

/// Different in each life of the process.
fn fastrand(user: usize, round: u64) -> u128 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    now << 24 | (user as u128) << 16 | u128::from(round & 0xffff)
}

fn say(answer: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "answered {answer}").unwrap();
    out.flush().unwrap();
}

fn start(user: &str) -> Start {
    Start {
        place: Place {
            room_id: "8001".to_owned(),
            ..Place::default()
        },
        user_id: user.to_owned(),
        source: Source::Main,
        spec: ChannelSpec {
            protocols: vec![Protocol::Hls],
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

fn file(stream: &str, recording: &str) -> FinishedFile {
    FinishedFile {
        recording: recording.to_owned(),
        stream: stream.to_owned(),
        path: format!("{stream}/{recording}.mp4"),
        start_ms: 0,
        end_ms: 1,
        size: 1,
        body: FileBody {
            format: Format::Mp4,
            media: Media::Av,
            origin: RecordOrigin::Auto,
            duration_ms: 1,
            codecs: vec![],
            width: None,
            height: None,
            sha256: String::new(),
            gaps: vec![],
            segment_index: 0,
            recovered: false,
            storage: "local".to_owned(),
            expires_at_ms: None,
        },
    }
}

async fn open(path: &Path) -> Control {
    let clock: Arc<dyn Clock> = Arc::new(UnixMs::now);
    let store = Store::open(path, Arc::clone(&clock)).unwrap();
    let mut settings = Settings::new(Mode::Keyed);
    settings.policy.start_min_interval_s = 0;
    Control::open(store, settings, clock).await.unwrap()
}

/// All events, in the order of the log.
async fn events(control: &Control) -> Vec<Event> {
    let mut all: Vec<Event> = Vec::new();
    loop {
        let after = all.last().map_or(0, |event| event.seq);
        let filter = EventFilter {
            after,
            limit: 1_000,
            ..EventFilter::default()
        };
        let page = control.events(filter).await.unwrap();
        if page.is_empty() {
            return all;
        }
        assert!(page[0].seq > after && page.is_sorted_by(|a, b| a.seq < b.seq));
        all.extend(page);
    }
}

async fn check(path: &Path, answered: &[String]) {
    let control = open(path).await;
    let events = events(&control).await;
    let mut last: HashMap<ChannelId, EventKind> = HashMap::new();
    let mut ends: HashMap<ChannelId, usize> = HashMap::new();
    let mut files: HashMap<String, usize> = HashMap::new();
    for event in &events {
        if event.kind == EventKind::RecordingFileCompleted {
            *files
                .entry(event.data["path"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        let Some(channel) = event.subject.channel_id else {
            continue;
        };
        if event.kind.matches("channel.*") {
            let before = last.insert(channel, event.kind);
            assert!(
                may_follow(before, event.kind),
                "{channel}: {:?} after {before:?}",
                event.kind
            );
            *ends.entry(channel).or_default() += usize::from(event.kind == EventKind::ChannelEnded);
        }
    }
    let mut stops: HashMap<ChannelId, usize> = HashMap::new();
    for answer in answered {
        let mut words = answer.split(' ');
        match (words.next().unwrap(), words.next().unwrap()) {
            ("start", id) => assert!(last.contains_key(&id.parse().unwrap()), "{answer} is lost"),
            ("stop", id) => *stops.entry(id.parse().unwrap()).or_default() += 1,
            (_, path) => assert_eq!(files.get(path), Some(&1), "{answer}: its event"),
        }
    }
    for (channel, stops) in stops {
        assert!(
            ends[&channel] >= stops,
            "{channel}: {stops} stops were answered, {} are there",
            ends[&channel]
        );
    }
    for (channel, kind) in last {
        let state = control.channel(channel).await.unwrap().channel.state;
        let told = match kind {
            EventKind::ChannelPending => {
                matches!(state, ChannelState::Pending | ChannelState::Starting)
            }
            EventKind::ChannelEnded => state == ChannelState::Ended,
            _ => false,
        };
        assert!(told, "{channel} is {state}, its last event {kind}");
    }
    control.close().await;
}

fn may_follow(before: Option<EventKind>, next: EventKind) -> bool {
    match before {
        None | Some(EventKind::ChannelEnded) => next == EventKind::ChannelPending,
        Some(EventKind::ChannelPending) => next == EventKind::ChannelEnded,
        Some(_) => false,
    }
}
