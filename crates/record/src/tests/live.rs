//! Recordings of running streams: disks that are full or stuck, pauses, publishers that come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Hub, JoinAt, Publisher, Received, Subscriber};
use media::TrackKind;
use tokio::sync::broadcast::error::TryRecvError;
use tokio_util::sync::CancellationToken;

use super::clip::{Seen, hub, lose, publisher, send, tags};
use super::files::{assert_part, manifests, of, units};
use crate::feeder::Feeder;
use crate::queue::Queue;
use crate::status::Shared;
use crate::storage::faulty::{Faulty, Plan};
use crate::{Cause, Config, Events, Format, Manager, Manifest, Media, Spec, State, What};

fn config() -> Config {
    let mut config = Config::new("/nowhere".into());
    config.name = "{app}/{stream}".parse().unwrap();
    config.min_free = 0;
    config
}

fn manager(hub: &Hub, storage: &Faulty, config: Config) -> Manager {
    let storage = Arc::new(storage.clone());
    Manager::on(hub.clone(), config, storage, |_| Vec::new()).unwrap()
}

/// Both formats of one pass, whose files are compared exactly.
fn both() -> Spec {
    Spec {
        formats: vec![Format::Flv, Format::Mp4],
        ..Spec::default()
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn words(events: &mut Events) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        match events.0.try_recv() {
            Ok(event) => words.push(match event.what {
                What::Started => "started".to_owned(),
                What::Paused => "paused".to_owned(),
                What::Resumed => "resumed".to_owned(),
                What::FileCompleted(manifest) => manifest.path.clone(),
                What::Failed { reason, resumes } => format!("failed {resumes}: {reason}"),
                What::Ended => "ended".to_owned(),
            }),
            Err(TryRecvError::Empty) => return words,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A subscriber from the start: it keeps in the ring what it has not read.
struct Witness(Subscriber);

impl Witness {
    fn new(publisher: &Publisher) -> Self {
        Self(publisher.stream().subscribe(JoinAt::Oldest))
    }

    /// Every unit, in the stream's time.
    fn units(&mut self, publisher: &Publisher) -> Vec<Seen> {
        let mut frames = Vec::new();
        while let Some(received) = self.0.try_read(&mut frames) {
            assert!(!matches!(received, Received::Join { missed: 1.., .. }));
        }
        let tracks = publisher.stream().tracks();
        let units = frames.iter().filter_map(|frame| match &frame.item {
            hub::Item::Unit(unit) => Some(Seen::of(unit, &tracks)),
            _ => None,
        });
        units.collect()
    }
}

fn only(storage: &Faulty, format: Format) -> Manifest {
    let mut found = manifests(storage, format);
    assert_eq!(found.len(), 1, "{:?}", storage.paths());
    found.remove(0)
}

/// The pictures of both formats, which are the same.
fn pictures(storage: &Faulty, index: usize) -> Vec<Seen> {
    let read = |format| {
        let manifest = &manifests(storage, format)[index];
        of(&units(storage, &manifest.path, format), TrackKind::Video)
    };
    let (flv, mp4) = (read(Format::Flv), read(Format::Mp4));
    assert_part(&mp4, &flv, 0, "mp4 and flv");
    assert_eq!(mp4.len(), flv.len());
    flv
}

#[tokio::test]
async fn a_stop_at_once_keeps_what_was_sent_before_it() {
    let (hub, storage) = (hub(), Faulty::default());
    let manager = manager(&hub, &storage, config());
    let tags = tags("bframes.flv");
    // Whether the task of a recording looks at the stop or at the stream first is chance.
    for number in 0..16 {
        let mut publisher = publisher(&hub, &format!("live/{number}"));
        send(&mut publisher, &tags, 0..1_000, 0);
        let recording = manager.record(Arc::clone(publisher.stream()), both());
        let recording = recording.unwrap();
        recording.stop();
        recording.finished().await;
        assert!(recording.status().bytes > 50_000, "{number}");
    }
    assert!(manager.shutdown(Duration::from_secs(30)).await.clean);
    assert_eq!(manifests(&storage, Format::Mp4).len(), 16);
}

#[tokio::test]
async fn a_disk_that_hangs_at_the_start_stops_nobody_and_own_files_are_not_taken_for_a_crash() {
    let (hub, storage) = (hub(), Faulty::default());
    let tags = tags("bframes.flv");
    // A crash.
    let before = manager(&hub, &storage, config());
    let mut publisher = publisher(&hub, "live/a");
    let recording = before.record(Arc::clone(publisher.stream()), both());
    let recording = recording.unwrap();
    send(&mut publisher, &tags, 0..3_000, 0);
    until("recording", || recording.status().bytes > 100_000).await;
    storage.plan(Plan::From(storage.count()));
    before.shutdown(Duration::from_secs(30)).await;
    storage.plan(Plan::Nothing);
    // The next start, where not even locks work.
    storage.set_lockless();
    storage.set_blind(true);
    let next = tokio::task::spawn_blocking({
        let (hub, storage) = (hub.clone(), storage.clone());
        move || manager(&hub, &storage, config())
    });
    let started = tokio::time::timeout(Duration::from_secs(30), next).await;
    if started.is_err() {
        storage.set_blind(false);
    }
    let manager = started.expect("started in time").unwrap();
    let mut publisher = super::clip::publisher(&hub, "live/b");
    let mut witness = Witness::new(&publisher);
    let recording = manager.record(Arc::clone(publisher.stream()), both());
    let recording = recording.unwrap();
    send(&mut publisher, &tags, 0..3_000, 0);
    until("recording", || recording.status().bytes > 100_000).await;
    storage.set_blind(false);
    until("the old file is finished", || {
        storage.paths().contains(&"live/a.mp4.json".to_owned())
    })
    .await;
    send(&mut publisher, &tags, 3_000..7_000, 0);
    let sent = of(&witness.units(&publisher), TrackKind::Video);
    recording.stop();
    recording.finished().await;
    assert!(manager.shutdown(Duration::from_secs(30)).await.clean);
    for format in [Format::Flv, Format::Mp4] {
        let files = manifests(&storage, format);
        let mut told: Vec<_> = files
            .iter()
            .map(|f| (f.path.clone(), f.recovered))
            .collect();
        told.sort();
        let path = |name: &str| format!("live/{name}.{format}");
        assert_eq!(told, [(path("a"), true), (path("b"), false)]);
        let got = of(&units(&storage, &path("b"), format), TrackKind::Video);
        assert_eq!(got.len(), 150);
        assert_part(&got, &sent, 0, "own");
    }
}

#[tokio::test]
async fn a_stuck_disk_costs_units_and_stops_nobody() {
    let (hub, storage) = (hub(), Faulty::default());
    let mut settings = config();
    // Some three seconds.
    settings.queue_bytes = 150_000;
    let manager = manager(&hub, &storage, settings);
    let mut publisher = publisher(&hub, "live/a");
    let mut witness = Witness::new(&publisher);
    let tags = tags("bframes.flv");
    let recording = manager
        .record(Arc::clone(publisher.stream()), both())
        .unwrap();
    send(&mut publisher, &tags, 0..1_000, 0);
    until("recording", || recording.status().bytes > 0).await;
    storage.set_blocked(true);
    // Published as fast as ever; the recording's queue fills up, and no further.
    send(&mut publisher, &tags, 1_000..5_000, 0);
    until("units are left out", || {
        recording.status().dropped_units > 0
    })
    .await;
    assert!(recording.status().queue_bytes <= 150_000);
    storage.set_blocked(false);
    until("the queue is empty", || recording.status().queue_bytes == 0).await;
    send(&mut publisher, &tags, 5_000..7_000, 0);
    let sent = witness.units(&publisher);
    recording.stop();
    recording.finished().await;
    let status = recording.status();
    assert_eq!(status.state, State::Completed);
    manager.shutdown(Duration::from_secs(30)).await;
    let manifest = only(&storage, Format::Mp4);
    assert_eq!(manifest.gaps.len(), 1, "{:?}", manifest.gaps);
    let gap = &manifest.gaps[0];
    assert_eq!((gap.cause, gap.in_time), (Cause::Overflow, true));
    assert!(gap.missing_ms >= 40, "{gap:?}");
    // What was left out is what was counted, and the time of the file goes on behind it.
    let all = units(&storage, &manifest.path, Format::Mp4);
    assert_eq!(all.len() as u64 + status.dropped_units, sent.len() as u64);
    let (got, sent) = (pictures(&storage, 0), of(&sent, TrackKind::Video));
    let before = got
        .iter()
        .zip(&sent)
        .take_while(|(a, b)| a.payload == b.payload);
    let before = before.count();
    let shift = assert_part(&got[..before], &sent, 0, "before the gap");
    let behind = sent.len() - (got.len() - before);
    assert!(got[before].is_random_access);
    assert_eq!(
        assert_part(&got[before..], &sent, behind, "behind it"),
        shift
    );
}

#[tokio::test]
async fn a_full_disk_suspends_and_space_resumes() {
    let (hub, storage) = (hub(), Faulty::default());
    storage.set_capacity(Some(400_000));
    let manager = manager(&hub, &storage, config());
    let mut events = manager.events();
    let mut publisher = publisher(&hub, "live/a");
    let mut witness = Witness::new(&publisher);
    let tags = tags("bframes.flv");
    let recording = manager
        .record(Arc::clone(publisher.stream()), both())
        .unwrap();
    // Two formats of 300 kB: half of them fit.
    send(&mut publisher, &tags, 0..3_000, 0);
    until("written", || recording.status().bytes > 200_000).await;
    send(&mut publisher, &tags, 3_000..7_000, 0);
    until("suspended", || recording.status().state == State::Suspended).await;
    let reason = recording.status().reason.unwrap();
    assert!(reason.ends_with(": disk full"), "{reason}");
    storage.set_capacity(Some(100 << 20));
    until("recording", || recording.status().state == State::Recording).await;
    send(&mut publisher, &tags, 0..3_000, 7_000);
    until("a second file", || !recording.status().open.is_empty()).await;
    recording.stop();
    recording.finished().await;
    manager.shutdown(Duration::from_secs(30)).await;
    let files = manifests(&storage, Format::Mp4);
    assert_eq!(files.len(), 2, "{:?}", storage.paths());
    assert!(files.iter().all(|file| !file.recovered));
    assert_eq!(files[0].gaps, []);
    assert_eq!(files[1].gaps.len(), 1, "{:?}", files[1].gaps);
    assert_eq!(files[1].gaps[0].cause, Cause::Disk);
    let sent = of(&witness.units(&publisher), TrackKind::Video);
    for format in [Format::Flv, Format::Mp4] {
        let path = &manifests(&storage, format)[0].path;
        let first = of(&units(&storage, path, format), TrackKind::Video);
        // What waited for a fragment is lost with the space.
        assert!((45..=110).contains(&first.len()), "{}", first.len());
        assert_part(&first, &sent, 0, path);
    }
    let second = pictures(&storage, 1);
    assert_eq!(second.len(), 75);
    assert_part(&second, &sent, sent.len() - 75, "second file");
    let told = words(&mut events);
    assert_eq!(told[0], "started");
    let failed = told.iter().find(|word| word.starts_with("failed")).unwrap();
    assert!(
        failed.starts_with("failed true: stopped at 0:00:0")
            && failed
                .ends_with("disk full; files so far are complete; it goes on when space is free"),
        "{failed}"
    );
    assert!(told.contains(&"resumed".to_owned()), "{told:?}");
}

#[tokio::test]
async fn without_resume_a_full_disk_ends_the_recording() {
    let (hub, storage) = (hub(), Faulty::default());
    let mut settings = config();
    settings.min_free = 1 << 20;
    settings.resume = false;
    storage.set_capacity(Some(1_000_000));
    let manager = manager(&hub, &storage, settings);
    let mut publisher = publisher(&hub, "live/a");
    let recording = manager
        .record(Arc::clone(publisher.stream()), both())
        .unwrap();
    send(&mut publisher, &tags("bframes.flv"), 0..7_000, 0);
    recording.finished().await;
    let status = recording.status();
    assert_eq!(status.state, State::Failed);
    assert_eq!(
        status.reason.as_deref(),
        Some("disk full (1 MB free, 1 MiB kept back)")
    );
    assert_eq!(storage.paths(), Vec::<String>::new());
    assert!(manager.list().is_empty());
}

#[tokio::test]
async fn a_publisher_that_comes_back_goes_on_in_the_same_file() {
    let (hub, storage) = (hub(), Faulty::default());
    let manager = manager(&hub, &storage, config());
    let mut first = publisher(&hub, "live/a");
    let mut witness = Witness::new(&first);
    let tags = tags("bframes.flv");
    let recording = manager.record(Arc::clone(first.stream()), both()).unwrap();
    send(&mut first, &tags, 0..2_000, 0);
    until("recording", || recording.status().bytes > 0).await;
    lose(first);
    let mut second = publisher(&hub, "live/a");
    send(&mut second, &tags, 0..3_000, 0);
    let sent = of(&witness.units(&second), TrackKind::Video);
    recording.stop();
    recording.finished().await;
    manager.shutdown(Duration::from_secs(30)).await;
    assert_eq!(only(&storage, Format::Mp4).duration_ms / 1_000, 5);
    let got = pictures(&storage, 0);
    assert_eq!(got.len(), 125);
    assert_part(&got, &sent, 0, "both publishers");
}

#[tokio::test]
async fn preroll_is_what_the_ring_holds() {
    let (hub, storage) = (hub(), Faulty::default());
    let manager = manager(&hub, &storage, config());
    let mut publisher = publisher(&hub, "live/a");
    let mut witness = Witness::new(&publisher);
    let tags = tags("bframes.flv");
    send(&mut publisher, &tags, 0..5_000, 0);
    let spec = Spec {
        preroll: Duration::from_millis(2_500),
        ..both()
    };
    let recording = manager
        .record(Arc::clone(publisher.stream()), spec)
        .unwrap();
    until("recording", || recording.status().bytes > 0).await;
    send(&mut publisher, &tags, 5_000..7_000, 0);
    let sent = of(&witness.units(&publisher), TrackKind::Video);
    recording.stop();
    recording.finished().await;
    manager.shutdown(Duration::from_secs(30)).await;
    // From the random access point at 3 s on.
    let got = pictures(&storage, 0);
    assert_eq!(got.len(), 75);
    assert_part(&got, &sent, 75, "with its pre-roll");
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let (hub, storage) = (hub(), Faulty::default());
    // Files of others, under every kind of name that a recording takes.
    storage.put("live/a.mp4", b"mine");
    storage.put("live/a-1.flv.json", b"mine");
    storage.put("live/a-2.mp4.recording", b"mine");
    storage.put("live/a-3.hls/init.mp4", b"mine");
    let manager = manager(&hub, &storage, config());
    let mut publisher = publisher(&hub, "live/a");
    let spec = Spec {
        formats: vec![Format::Flv, Format::Mp4, Format::Hls],
        ..Spec::default()
    };
    let recording = manager
        .record(Arc::clone(publisher.stream()), spec)
        .unwrap();
    send(&mut publisher, &tags("bframes.flv"), 0..2_000, 0);
    until("recording", || recording.status().bytes > 0).await;
    recording.stop();
    recording.finished().await;
    manager.shutdown(Duration::from_secs(30)).await;
    for format in [Format::Flv, Format::Mp4, Format::Hls] {
        let path = only(&storage, format).path;
        assert_eq!(path, format!("live/a-4.{format}"));
    }
    for path in ["live/a.mp4", "live/a-1.flv.json", "live/a-3.hls/init.mp4"] {
        assert_eq!(storage.content(path), b"mine", "{path}");
    }
}

#[tokio::test]
async fn rules_follow_streams_and_their_change() {
    let (hub, storage) = (hub(), Faulty::default());
    let mut settings = config();
    settings.name = "{stream}-{index}".parse().unwrap();
    let manager = manager(&hub, &storage, settings);
    let mut a = publisher(&hub, "live/a");
    let tags = tags("bframes.flv");
    send(&mut a, &tags, 0..2_000, 0);
    assert!(manager.list().is_empty());
    let audio = Spec {
        formats: vec![Format::Aac, Format::Mp4],
        media: Media::Audio,
        ..Spec::default()
    };
    let wanted = audio.clone();
    manager.set_rules(move |name| match name.stream() {
        "a" | "b" => vec![wanted.clone()],
        _ => Vec::new(),
    });
    assert_eq!(manager.list().len(), 1);
    let mut b = publisher(&hub, "live/b");
    let mut c = publisher(&hub, "live/c");
    for publisher in [&mut b, &mut c] {
        send(publisher, &tags, 0..2_000, 0);
    }
    until("two recordings", || manager.list().len() == 2).await;
    let recordings = manager.list();
    until("media", || {
        recordings.iter().all(|one| one.status().bytes > 0)
    })
    .await;
    // The same rules again change nothing; others end what they do not want.
    let wanted = audio.clone();
    manager.set_rules(move |name| match name.stream() {
        "b" => vec![wanted.clone()],
        _ => Vec::new(),
    });
    let left = manager.list();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id(), recordings[1].id());
    recordings[0].finished().await;
    let closed = manager.shutdown(Duration::from_secs(30)).await;
    assert_eq!((closed.recordings, closed.clean), (1, true));
    assert!(manager.record(Arc::clone(a.stream()), audio).is_err());
    let mut media = storage.paths();
    media.retain(|path| !path.ends_with(".json"));
    assert_eq!(media, ["a-0.aac", "a-0.m4a", "b-0.aac", "b-0.m4a"]);
}

#[tokio::test]
async fn old_files_are_removed_and_nothing_else() {
    let (hub, storage) = (hub(), Faulty::default());
    let record = async |settings: Config, name: &str| {
        let manager = manager(&hub, &storage, settings);
        let mut publisher = publisher(&hub, name);
        let spec = Spec {
            formats: vec![Format::Hls, Format::Mp4],
            ..Spec::default()
        };
        let recording = manager
            .record(Arc::clone(publisher.stream()), spec)
            .unwrap();
        send(&mut publisher, &tags("bframes.flv"), 0..2_000, 0);
        until("recording", || recording.status().bytes > 0).await;
        recording.stop();
        recording.finished().await;
        assert!(manager.shutdown(Duration::from_secs(30)).await.clean);
    };
    record(config(), "live/a").await;
    storage.put("live/notes.json", b"{}");
    storage.put("live/other.mp4", &[0; 1_000_000]);
    let mut settings = config();
    let one = only(&storage, Format::Mp4).size;
    // Room for three of them: of the two of each recording one must go.
    settings.keep_bytes = one * 7 / 2;
    record(settings, "live/b").await;
    let paths = storage.paths();
    let kept = |path: &str| paths.iter().any(|kept| kept.starts_with(path));
    assert!(kept("live/b.hls/") && kept("live/b.mp4"));
    assert!(kept("live/a.hls/") != kept("live/a.mp4"), "{paths:?}");
    assert!(kept("live/notes.json") && kept("live/other.mp4"));
    // Of the others one is from long ago.
    let path = match kept("live/a.mp4") {
        true => "live/a.mp4.json",
        false => "live/a.hls.json",
    };
    let text = String::from_utf8(storage.content(path)).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    manifest["end_time"] = "2020-01-01T00:00:00.000Z".into();
    storage.take(path);
    storage.put(path, manifest.to_string().as_bytes());
    let mut settings = config();
    settings.keep = Duration::from_secs(86_400);
    let manager = manager(&hub, &storage, settings);
    assert!(manager.shutdown(Duration::from_secs(30)).await.clean);
    let paths = storage.paths();
    let kept = |path: &str| paths.iter().any(|kept| kept.starts_with(path));
    assert!(!kept("live/a."), "{paths:?}");
    assert!(kept("live/b.hls.json") && kept("live/b.mp4.json"));
    assert!(kept("live/notes.json") && kept("live/other.mp4"));
}

/// A writer that takes nothing must not hold up the publisher, and with it all who watch.
#[tokio::test]
async fn nobody_waits_for_a_recording_whose_writer_is_deaf() {
    let mut config = hub::Config::default();
    // A third of the clip.
    config.gop_cache_bytes = 100_000;
    let hub = Hub::new(config);
    let mut publisher = publisher(&hub, "live/cam");
    let stream = Arc::clone(publisher.stream());
    let feeder = Feeder {
        stream: Arc::clone(&stream),
        queue: Arc::new(Queue::new(1 << 20)),
        status: Shared::default(),
        preroll: None,
        stop: CancellationToken::new(),
        done: CancellationToken::new(),
    };
    feeder.status.set_deaf(true);
    let done = feeder.done.clone();
    let subscriber = stream.subscribe_unhurried(JoinAt::Oldest);
    let run = tokio::spawn(feeder.run(subscriber));
    let tags = tags("bframes.flv");
    for ms in (0..6_000).step_by(200) {
        send(&mut publisher, &tags, ms..ms + 200, 0);
        let relieved = std::future::poll_fn(|cx| stream.poll_relieved(cx));
        let relieved = tokio::time::timeout(Duration::from_secs(10), relieved).await;
        assert!(relieved.is_ok(), "it waits at {ms} ms");
        // The feeder's turn.
        tokio::task::yield_now().await;
    }
    assert!(stream.stats().bytes_in > 250_000);
    done.cancel();
    run.await.unwrap();
}
