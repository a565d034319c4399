//! Whole files: events, damage and its place, the index that is filled in at the end.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Dts, Headers};
use remux::flv::{Error, FileDemuxer, FileMuxer, Rebuild};
use remux::mp4::Write;
use remux::{Damage, Event};

use crate::files::{SOUND, files, parse, read, tags};

#[derive(Debug, Default)]
struct Told {
    units: Vec<AccessUnit>,
    lists: usize,
    data: Vec<DataMessage>,
    damage: Vec<Damage>,
    breaks: usize,
    log: Vec<String>,
}

fn demux(bytes: &Bytes, step: usize) -> Result<Told, Error> {
    let mut demuxer = FileDemuxer::default();
    let mut told = Told::default();
    let mut rest = bytes.clone();
    loop {
        let ends = rest.is_empty();
        if ends {
            demuxer.finish();
        }
        demuxer.push(rest.split_to(step.min(rest.len())));
        while let Some(event) = demuxer.poll()? {
            told.log.push(format!("{event:?}"));
            match event {
                Event::Unit(unit) => told.units.push(unit),
                Event::Tracks(_) => told.lists += 1,
                Event::Data(message) => told.data.push(message.as_ref().clone()),
                Event::Damage(damage) => told.damage.push(damage),
                Event::Discontinuity => told.breaks += 1,
                _ => {}
            }
        }
        if ends {
            return Ok(told);
        }
    }
}

fn testdata(name: &str) -> Bytes {
    read(
        &std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../testdata")
            .join(name),
    )
}

#[test]
fn vp9_is_told_of_with_its_size() {
    let told = demux(&testdata("vp9-opus.flv"), 1 << 20).unwrap();
    let lists: Vec<_> = told
        .log
        .iter()
        .filter(|line| line.starts_with("Tracks"))
        .collect();
    assert_eq!((told.lists, lists.len()), (2, 2));
    assert!(
        !lists[0].contains("Vp9") && lists[1].contains("width: 160"),
        "{lists:?}"
    );
}

#[test]
fn sound_files_give_every_unit() {
    for path in files(&SOUND) {
        let bytes = read(&path);
        let want = parse(&tags(&bytes));
        let got = demux(&bytes, bytes.len()).unwrap();
        let name = path.display();
        assert!(got.damage.len() == want.errors, "{name}: {:?}", got.damage);
        let restarts = path.ends_with("ts-jump-back-to-0.flv");
        assert_eq!(got.breaks, usize::from(restarts), "{name}");
        for (track, want) in &want.units {
            let got: Vec<_> = got
                .units
                .iter()
                .filter(|unit| unit.track == *track)
                .collect();
            assert_eq!(got.len(), want.len(), "{name}");
            for (want, got) in want.iter().zip(got) {
                assert_eq!(
                    (&want.payload, want.key),
                    (&got.payload, got.is_random_access())
                );
                if !restarts {
                    assert_eq!(i64::from(want.dts), got.dts.0 & 0xffff_ffff, "{name}");
                }
            }
        }
        let mut last = std::collections::BTreeMap::new();
        for unit in &got.units {
            let before = last.insert(unit.track, unit.dts).unwrap_or(unit.dts);
            assert!(
                (-1_000..20_000_000).contains(&(unit.dts - before).0),
                "{name}: {unit:?}"
            );
        }
    }
}

#[test]
fn damage_costs_its_tags_and_says_which_bytes() {
    let bytes = testdata("h264-mp3.flv");
    let all = tags(&bytes);
    let want = demux(&bytes, bytes.len()).unwrap();
    assert_eq!(want.damage, []);
    let victim = &all[40];
    let (start, end) = (victim.offset as usize, all[41].offset as usize);
    // A header without sense, a size that lies, bytes that are missing, bytes too many.
    let cases: [(&str, Vec<u8>, u64); 4] = [
        (
            "type",
            [&bytes[..start], &[0x77], &bytes[start + 1..]].concat(),
            (end - start) as u64,
        ),
        (
            "size",
            [&bytes[..start + 1], &[0, 0xff, 3], &bytes[start + 4..]].concat(),
            (end - start) as u64,
        ),
        (
            "missing",
            [&bytes[..start + 20], &bytes[start + 37..]].concat(),
            (end - start) as u64 - 17,
        ),
        (
            "more",
            [&bytes[..end], &[0x55; 999], &bytes[end..]].concat(),
            999,
        ),
    ];
    for (name, broken, lost) in cases {
        let broken: Bytes = broken.into();
        let got = demux(&broken, broken.len()).unwrap();
        assert_eq!(got.damage.len(), 1, "{name}: {:?}", got.damage);
        let from = if name == "more" { end } else { start } as u64;
        assert_eq!(got.damage[0].bytes, from..from + lost, "{name}");
        let missing = usize::from(name != "more");
        assert_eq!(got.units.len(), want.units.len() - missing, "{name}");
        for step in [1, 11, 1_000] {
            assert_eq!(
                demux(&broken, step).unwrap().log,
                got.log,
                "{name} by {step}"
            );
        }
    }
}

#[test]
fn truncation_anywhere_gives_the_tags_before_it() {
    let bytes = testdata("h264-opus.flv");
    let want = demux(&bytes, bytes.len()).unwrap();
    let all = tags(&bytes);
    for end in (13..bytes.len())
        .step_by(997)
        .chain(all.iter().map(|tag| tag.offset as usize))
    {
        let got = demux(&bytes.slice(..end), 4_096).unwrap();
        let whole = all
            .iter()
            .filter(|tag| tag.offset as usize + 11 + tag.body.len() <= end);
        let units = parse(&whole.cloned().collect::<Vec<_>>());
        let count: usize = units.units.values().map(Vec::len).sum();
        assert_eq!(got.units.len(), count, "{end}");
        assert!(
            got.units
                .iter()
                .zip(&want.units)
                .all(|(a, b)| a.payload == b.payload)
        );
        if let Some(damage) = got.damage.first() {
            assert_eq!((got.damage.len(), damage.bytes.end), (1, end as u64));
        }
    }
    assert_eq!(
        demux(&Bytes::from_static(b"RIFF....WAVE"), 5).unwrap_err(),
        Error::NotFlv
    );
}

#[test]
fn damaged_files_are_read_to_their_end_for_every_split() {
    for path in files(&["badinput/flv", "flv-edge"]) {
        let bytes = read(&path);
        let Ok(want) = demux(&bytes, bytes.len()) else {
            continue;
        };
        assert!(!want.units.is_empty(), "{}", path.display());
        for step in [1, 1_000] {
            assert_eq!(
                demux(&bytes, step).unwrap().log,
                want.log,
                "{} by {step}",
                path.display()
            );
        }
        assert!(
            want.damage
                .iter()
                .all(|damage| damage.bytes.end <= bytes.len() as u64)
        );
    }
}

/// Writes the events as a file; its bytes, and those that it had before its end was written.
fn write(events: &[Event], room: usize) -> (Vec<u8>, Vec<u8>) {
    let mut muxer = FileMuxer::new(room);
    let mut file: Vec<u8> = Vec::new();
    let mut headers: Option<Headers> = None;
    for event in events {
        match event {
            Event::Tracks(tracks) => {
                let known = headers.is_some();
                let headers = headers.get_or_insert_default();
                headers.tracks = Arc::clone(tracks);
                let write = match known {
                    true => muxer.headers(headers, Dts(0)),
                    false => muxer.start(headers, Dts(0)),
                };
                apply(&mut file, write);
            }
            Event::Unit(unit) => apply(&mut file, muxer.unit(unit)),
            _ => {}
        }
    }
    let unfinished = file.clone();
    for write in muxer.finish() {
        apply(&mut file, write);
    }
    (file, unfinished)
}

fn apply(file: &mut Vec<u8>, write: Write) {
    match write {
        Write::Append(parts) => parts.iter().for_each(|part| file.extend_from_slice(part)),
        Write::Overwrite { at, bytes } => {
            let at = at as usize;
            file[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        other => panic!("{other:?}"),
    }
}

fn events(bytes: &Bytes) -> Vec<Event> {
    let mut demuxer = FileDemuxer::default();
    demuxer.push(bytes.clone());
    demuxer.finish();
    std::iter::from_fn(|| demuxer.poll().unwrap()).collect()
}

#[test]
fn a_file_that_was_cut_off_gets_the_end_that_it_would_have_had() {
    for name in ["bframes.flv", "hevc-aac.flv"] {
        let events = events(&testdata(name));
        for room in [2, 4, 100] {
            let (finished, mut file) = write(&events, room);
            assert_ne!(file, finished);
            let tags = tags(&Bytes::from(file.clone()));
            let mut rebuild = Rebuild::new(Some(&tags[0].body));
            for tag in &tags {
                rebuild.tag(tag.kind, tag.timestamp, tag.offset, &tag.body[..2]);
            }
            let size = file.len() as u64;
            for write in rebuild.finish(size) {
                apply(&mut file, write);
            }
            assert!(file == finished, "{name}, room for {room}");
        }
    }
    // A file of others keeps what it says.
    let other = testdata("bframes.flv");
    let tags = tags(&other);
    let mut rebuild = Rebuild::new(Some(&tags[0].body));
    for tag in &tags {
        rebuild.tag(tag.kind, tag.timestamp, tag.offset, &tag.body[..2]);
    }
    assert!(rebuild.has_media());
    assert!((6_000..6_100).contains(&rebuild.end_ms()));
    assert_eq!(rebuild.finish(other.len() as u64), []);
}

#[test]
fn finished_file_has_duration_size_and_key_frames() {
    let bytes = testdata("bframes.flv");
    let events = events(&bytes);
    let keys = 6;
    for (room, kept) in [
        (100, vec![0, 1, 2, 3, 4, 5]),
        (4, vec![0, 2, 4]),
        (3, vec![0, 2, 4]),
        (2, vec![0, 4]),
    ] {
        let (file, _) = write(&events, room);
        let file = Bytes::from(file);
        let told = demux(&file, file.len()).unwrap();
        assert_eq!(told.damage, []);
        let want = demux(&bytes, bytes.len()).unwrap();
        assert_eq!(told.units.len(), want.units.len());
        assert!(
            told.units
                .iter()
                .zip(&want.units)
                .all(|(a, b)| a.payload == b.payload && a.dts == b.dts)
        );
        let amf0 = &told.data[0].amf0;
        let limits = amf0::Limits::default();
        let (_, name) = amf0::decode(amf0, &limits).unwrap();
        let (value, _) = amf0::decode(&amf0[name..], &limits).unwrap();
        let number = |key: &str| value.get(key).and_then(amf0::Value::as_f64).unwrap();
        assert_eq!(number("filesize"), file.len() as f64);
        assert!(
            (6.0..6.1).contains(&number("duration")),
            "{}",
            number("duration")
        );
        assert_eq!(number("width"), 320.0);
        let table = value.get("keyframes").unwrap();
        let column = |key: &str| {
            let items = table.get(key).unwrap().items().unwrap();
            items
                .iter()
                .map(|item| item.as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        let (places, times) = (column("filepositions"), column("times"));
        let all = tags(&file);
        let key_tags: Vec<_> = all
            .iter()
            .filter(|tag| tag.kind.wire() == 9 && tag.body[..2] == [0x17, 1])
            .collect();
        assert_eq!(key_tags.len(), keys);
        let want: Vec<_> = kept
            .iter()
            .map(|&n| {
                (
                    key_tags[n].offset as f64,
                    f64::from(key_tags[n].timestamp) / 1_000.0,
                )
            })
            .collect();
        let got: Vec<_> = places.into_iter().zip(times).collect();
        assert_eq!(got, want, "room for {room}");
        assert_eq!(file[4], 5, "audio and video");
    }
}
