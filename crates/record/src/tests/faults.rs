//! A recording driven by hand: every operation on the disk fails once, or is the last one before a
//! crash.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};

use media::{StreamName, TrackKind};

use super::clip::{Clip, Seen};
use super::files::{assert_part, manifests, of, units};
use crate::config::{Config, Spec, Split};
use crate::event::{EventLog, What};
use crate::finisher::{Finisher, Job, Own};
use crate::format::Format;
use crate::manifest::{Cause, MARKER};
use crate::queue::{Entry, Now, Queue};
use crate::repair;
use crate::session::Session;
use crate::status::{Shared, State};
use crate::storage::faulty::{Faulty, Plan};
use crate::writer::Writer;

/// Units a batch: about 200 ms.
const BATCH: usize = 15;
const FORMATS: [Format; 5] = [
    Format::Mp4,
    Format::Flv,
    Format::Hls,
    Format::Ts,
    Format::HlsTs,
];

fn config() -> Config {
    let mut config = Config::new("/nowhere".into());
    config.name = "{app}/{stream}-{index}".parse().unwrap();
    config.min_free = 0;
    config
}

fn writer(storage: &Faulty, spec: Spec, finisher: Sender<Job>, events: &EventLog) -> Writer {
    Writer {
        id: "rec_1".into(),
        stream: StreamName::from_path("live/clip").unwrap(),
        session: Session::new(spec.media, spec.split),
        spec,
        config: Arc::new(config()),
        storage: Arc::new(storage.clone()),
        queue: Arc::new(Queue::new(0)),
        status: Shared::default(),
        events: events.clone(),
        finisher,
        own: Own::default(),
        piece: None,
        next_index: 0,
        trouble: None,
        looked: None,
        done_ms: 0,
        lost: Vec::new(),
    }
}

/// `recover`: as a process does at its start.
fn finish(storage: &Faulty, jobs: &Receiver<Job>, events: &EventLog, recover: bool) {
    let mut config = config();
    config.recover = recover;
    let finisher = Finisher {
        config: Arc::new(config),
        storage: Arc::new(storage.clone()),
        events: events.clone(),
        sums: Arc::default(),
        hurry: Arc::new(AtomicBool::new(true)),
        own: Own::default(),
    };
    finisher.run(jobs);
}

/// As a process does at its start.
fn restart(storage: &Faulty) -> usize {
    let events = EventLog::new();
    let mut told = events.reader();
    let count = repair::find(storage).len();
    let (sender, jobs) = channel();
    drop(sender);
    finish(storage, &jobs, &events, true);
    while let Ok(event) = told.0.try_recv() {
        match event.what {
            What::FileCompleted(manifest) => assert!(manifest.recovered, "{}", manifest.path),
            other => panic!("{other:?}"),
        }
    }
    count
}

/// Records a clip on a storage; the state in the end, and how much was surely written, in
/// milliseconds of the stream.
fn record(storage: &Faulty, clip: &Clip, split: Split) -> (State, i64) {
    let spec = Spec {
        formats: FORMATS.to_vec(),
        split,
        ..Spec::default()
    };
    let events = EventLog::new();
    let (sender, jobs) = channel();
    let mut writer = writer(storage, spec, sender, &events);
    let (status, mut written_ms) = (writer.status.clone(), 0);
    let headers = Arc::clone(&clip.headers);
    let mut entries = vec![Entry::Join { headers, missed: 0 }];
    for batch in clip.frames.chunks(BATCH) {
        let newest_ms = batch.iter().map(|frame| frame.time_ms).max().unwrap();
        let wall_ms = 1_763_716_502_000 + newest_ms;
        entries.push(Entry::Now(Now { wall_ms, newest_ms }));
        entries.extend(batch.iter().map(|frame| Entry::Frame(Arc::clone(frame))));
        writer.step(&mut entries);
        if status.get().state == State::Recording {
            written_ms = newest_ms;
        }
    }
    entries.push(Entry::End);
    writer.step(&mut entries);
    writer.end();
    let state = status.get().state;
    finish(storage, &jobs, &events, false);
    (state, written_ms)
}

/// How many units the files of a format hold, one behind the other, but for the gaps that they
/// tell: video, audio. Checks each.
fn recorded(storage: &Faulty, format: Format, sent: &[Seen]) -> [usize; 2] {
    let kinds = [TrackKind::Video, TrackKind::Audio];
    let (mut counts, mut next) = ([0, 0], [0, 0]);
    for manifest in manifests(storage, format) {
        let got = units(storage, &manifest.path, format);
        let newest = got.iter().map(|unit| unit.dts).max();
        // Of some formats a repair keeps what has no whole unit.
        let newest = newest.unwrap_or(manifest.duration_ms);
        let told = manifest.duration_ms;
        let is_true = match format {
            Format::Flv => (newest..=newest + 45).contains(&told),
            // A finished index is not read again, and the marker is a second old at most.
            Format::Mp4 => (newest - 1_100..=newest + 45).contains(&told),
            _ => true,
        };
        assert!(
            is_true,
            "{}: {} ms, the last unit at {newest} ms",
            manifest.path, told
        );
        let told = manifest.gaps.iter().map(|gap| gap.missing_ms).sum::<i64>();
        let mut shifts = Vec::new();
        for (n, kind) in kinds.into_iter().enumerate() {
            let (got, sent) = (of(&got, kind), of(sent, kind));
            let Some(first) = got.first() else { continue };
            let what = format!("{} {}", manifest.path, kind.as_str());
            if kind == TrackKind::Video {
                assert!(first.is_random_access, "{what}");
            }
            let ahead = sent[next[n]..].iter();
            let missing = ahead
                .take_while(|unit| unit.payload != first.payload)
                .count();
            let missing_ms = sent[next[n]..]
                .get(missing)
                .map(|at| at.dts - sent[next[n]].dts);
            assert!(
                missing_ms.is_some_and(|ms| ms <= told),
                "{what}: {missing} units are missing, {missing_ms:?} ms of {told} ms that are told"
            );
            next[n] += missing;
            shifts.extend(assert_part(&got, &sent, next[n], &what));
            next[n] += got.len();
            counts[n] += got.len();
        }
        assert!(
            shifts.windows(2).all(|pair| pair[0] == pair[1]),
            "{}: sound and picture are moved apart: {shifts:?}",
            manifest.path
        );
    }
    counts
}

fn assert_tidy(storage: &Faulty, what: &str) {
    for path in storage.paths() {
        assert!(
            !path.ends_with(MARKER) && !path.ends_with(".tmp"),
            "{what}: {path} is left"
        );
    }
}

fn split_2s() -> Split {
    Split::every(std::time::Duration::from_secs(2))
}

#[test]
fn all_formats_hold_every_unit_over_splits() {
    let clip = Clip::read("bframes.flv");
    let sent = clip.units();
    let all = [TrackKind::Video, TrackKind::Audio].map(|kind| of(&sent, kind).len());
    let storage = Faulty::default();
    let (state, _) = record(&storage, &clip, split_2s());
    assert_eq!(state, State::Completed);
    assert_tidy(&storage, "at the end");
    for format in FORMATS {
        assert_eq!(manifests(&storage, format).len(), 3, "{format}");
        assert_eq!(recorded(&storage, format, &sent), all, "{format}");
    }
    assert_eq!(restart(&storage), 0);
}

#[test]
fn any_operation_that_fails_costs_no_more_than_what_follows() {
    let clip = Clip::read("bframes.flv");
    let sent = clip.units();
    let all = [of(&sent, TrackKind::Video).len()];
    let whole = Faulty::default();
    record(&whole, &clip, split_2s());
    assert!(whole.count() > 200, "{} operations", whole.count());
    for n in 0..whole.count() {
        let storage = Faulty::default();
        storage.plan(Plan::Once(n));
        let (state, _) = record(&storage, &clip, split_2s());
        assert!(state.is_over() || state == State::Suspended, "{state:?}");
        storage.plan(Plan::Nothing);
        restart(&storage);
        assert_tidy(&storage, &format!("operation {n} failed"));
        for format in FORMATS {
            let counts = recorded(&storage, format, &sent);
            // A file that could not be finished lacks a fragment at most.
            if state == State::Completed {
                let lost = all[0] - counts[0];
                assert!(
                    lost <= 15,
                    "{format}, operation {n}: {lost} pictures are lost"
                );
            }
        }
    }
}

#[test]
fn a_crash_at_any_operation_costs_less_than_a_second() {
    let clip = Clip::read("bframes.flv");
    let sent = clip.units();
    let whole = Faulty::default();
    record(&whole, &clip, split_2s());
    for n in 0..whole.count() {
        let storage = Faulty::default();
        storage.plan(Plan::From(n));
        let (_, written_ms) = record(&storage, &clip, split_2s());
        storage.plan(Plan::Nothing);
        restart(&storage);
        assert_tidy(&storage, &format!("crash at operation {n}"));
        for format in FORMATS {
            let [video, _] = recorded(&storage, format, &sent);
            let pictures = of(&sent, TrackKind::Video);
            let end_ms = video.checked_sub(1).map_or(0, |last| pictures[last].dts);
            assert!(
                end_ms > written_ms - 700,
                "{format}, crash at operation {n}: {end_ms} ms of {written_ms} ms"
            );
        }
    }
}

#[test]
fn a_repair_that_crashes_is_done_by_the_next_one() {
    let clip = Clip::read("bframes.flv");
    let sent = clip.units();
    let whole = Faulty::default();
    record(&whole, &clip, Split::default());
    let crash = whole.count() * 2 / 3;
    let crashed = || {
        let storage = Faulty::default();
        storage.plan(Plan::From(crash));
        record(&storage, &clip, Split::default());
        storage.plan(Plan::Nothing);
        storage
    };
    let repaired = crashed();
    let before = repaired.count();
    assert_eq!(restart(&repaired), FORMATS.len());
    let wanted = FORMATS.map(|format| recorded(&repaired, format, &sent));
    for n in before..repaired.count() {
        let storage = crashed();
        storage.plan(Plan::From(n));
        restart(&storage);
        storage.plan(Plan::Nothing);
        restart(&storage);
        assert_tidy(&storage, &format!("repair crashed at operation {n}"));
        let got = FORMATS.map(|format| recorded(&storage, format, &sent));
        assert_eq!(got, wanted, "repair crashed at operation {n}");
    }
}

#[test]
fn a_pause_leaves_units_out_and_no_time() {
    let clip = Clip::read("bframes.flv");
    let sent = clip.units();
    let (storage, events) = (Faulty::default(), EventLog::new());
    let mut told = events.reader();
    let spec = Spec {
        formats: vec![Format::Flv, Format::Mp4],
        ..Spec::default()
    };
    let (sender, jobs) = channel();
    let mut writer = writer(&storage, spec, sender, &events);
    let status = writer.status.clone();
    let headers = Arc::clone(&clip.headers);
    let mut entries = vec![Entry::Join { headers, missed: 0 }];
    for frame in &clip.frames {
        // In the middle of groups of pictures; the file goes on with the next one.
        match frame.time_ms {
            1_520 if matches!(entries.last(), Some(Entry::Frame(_))) => entries.push(Entry::Pause),
            3_520 if matches!(entries.last(), Some(Entry::Frame(_))) => entries.push(Entry::Resume),
            _ => {}
        }
        entries.push(Entry::Frame(Arc::clone(frame)));
    }
    let resumed = entries
        .iter()
        .position(|entry| matches!(entry, Entry::Resume));
    let mut rest = entries.split_off(resumed.unwrap());
    writer.step(&mut entries);
    assert_eq!(status.get().state, State::Paused);
    rest.push(Entry::End);
    writer.step(&mut rest);
    writer.end();
    finish(&storage, &jobs, &events, false);
    for format in [Format::Flv, Format::Mp4] {
        let manifest = &manifests(&storage, format)[0];
        assert_eq!(manifest.gaps.len(), 1, "{:?}", manifest.gaps);
        let gap = &manifest.gaps[0];
        assert_eq!((gap.cause, gap.in_time), (Cause::Paused, false));
        let got = units(&storage, &manifest.path, format);
        let (got, sent) = (of(&got, TrackKind::Video), of(&sent, TrackKind::Video));
        let before = 38;
        let shift = assert_part(&got[..before], &sent, 0, "before the pause");
        let behind = assert_part(&got[before..], &sent, 100, "behind it");
        assert_eq!(got.len(), before + 50);
        assert_eq!(behind.unwrap() - shift.unwrap(), gap.missing_ms);
        assert_eq!(gap.at_ms + shift.unwrap(), got[before].dts);
        assert!(manifest.duration_ms < 4_000, "{}", manifest.duration_ms);
    }
    let mut words = Vec::new();
    while let Ok(event) = told.0.try_recv() {
        words.push(match event.what {
            What::Started => "started",
            What::Paused => "paused",
            What::Resumed => "resumed",
            What::Ended => "ended",
            What::FileCompleted(_) => "file",
            What::Failed { .. } => "failed",
        });
    }
    assert_eq!(
        words,
        ["started", "paused", "resumed", "ended", "file", "file"]
    );
}
