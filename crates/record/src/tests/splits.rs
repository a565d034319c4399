//! Whatever splits a recording, its files together are the stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hub::{Frame, Item};
use media::{AccessUnit, Dts, Headers, Track, TrackId, TrackKind, TrackList};
use proptest::prelude::*;

use super::clip::Clip;
use crate::config::Split;
use crate::format::Media;
use crate::session::{Act, Session};

/// What happens between two frames.
#[derive(Clone, Copy, Debug)]
enum Op {
    Split,
    /// The audio gets another configuration, in the middle of a group of pictures.
    OtherAudio,
    /// The hour is full.
    Clock,
}

#[derive(Clone, Debug)]
struct Plan {
    /// Pictures of each group.
    groups: Vec<u32>,
    /// By how much sound comes later than the picture.
    lag_ms: i64,
    every_ms: u64,
    /// Places in the stream, in thousandths, and what happens there.
    ops: Vec<(usize, Op)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let op = prop_oneof![Just(Op::Split), Just(Op::OtherAudio), Just(Op::Clock)];
    (
        prop::collection::vec(1..40_u32, 1..12),
        0..600_i64,
        prop_oneof![Just(0), 200..4_000_u64],
        prop::collection::vec((0..1_000_usize, op), 0..6),
    )
        .prop_map(|(groups, lag_ms, every_ms, ops)| Plan {
            groups,
            lag_ms,
            every_ms,
            ops,
        })
}

/// The tracks of a clip, and the same with a second configuration of the audio.
fn tracks() -> [Arc<TrackList>; 2] {
    let tracks = Arc::clone(&Clip::read("bframes.flv").headers.tracks);
    let other = Clip::read("audio-only.flv");
    let other: &Track = other.headers.tracks.audio().unwrap();
    let mut changed = other.clone();
    changed.id = tracks.audio().unwrap().id;
    let changed = tracks.with(changed);
    [tracks, Arc::new(changed)]
}

fn frame(item: Item, time_ms: i64, join: bool) -> Arc<Frame> {
    Arc::new(Frame {
        item,
        time_ms,
        clock_ms: time_ms,
        offset_ms: 0,
        join,
    })
}

/// Units in the order of their arrival; payloads are their numbers.
fn stream(plan: &Plan, tracks: &TrackList) -> Vec<Arc<Frame>> {
    let video = tracks.video().unwrap().id;
    let audio = tracks.audio().unwrap().id;
    let mut units: Vec<(i64, TrackId, i64, bool)> = Vec::new();
    let mut picture = 0;
    for group in &plan.groups {
        for n in 0..*group {
            units.push((picture * 40, video, picture * 40, n == 0));
            picture += 1;
        }
    }
    for n in 0..picture * 40 * 3 / 64 {
        let ms = n * 64 / 3;
        units.push((ms + plan.lag_ms, audio, ms, false));
    }
    units.sort_by_key(|(arrival, ..)| *arrival);
    let numbered = units.into_iter().enumerate();
    let frames = numbered.map(|(number, (_, track, ms, key))| {
        let payload = Bytes::from(number.to_string().into_bytes());
        let unit = AccessUnit::new(track, Dts(ms), payload);
        let unit = if key { unit.random_access() } else { unit };
        frame(Item::Unit(unit), ms, key)
    });
    frames.collect()
}

/// Units of a file: track, time in the stream as the file's origin gives it, payload.
struct File {
    tracks: Arc<TrackList>,
    units: Vec<AccessUnit>,
}

fn record(plan: &Plan, lists: &[Arc<TrackList>; 2]) -> (Vec<Arc<Frame>>, Vec<File>) {
    let frames = stream(plan, &lists[0]);
    let mut split = Split::every(Duration::from_millis(plan.every_ms));
    split.at = Some(crate::config::Clock::Hour);
    let mut session = Session::new(Media::Av, split);
    let mut acts = Vec::new();
    let headers = |tracks: &Arc<TrackList>| Headers {
        tracks: Arc::clone(tracks),
        ..Headers::default()
    };
    // An hour begins at any time zone's multiple of 15 minutes; none is near.
    let mut wall_ms = 1_763_716_502_120;
    session.join(&headers(&lists[0]), 0, &mut acts);
    session.arrived(wall_ms, 0);
    for (index, frame_) in frames.iter().enumerate() {
        for (place, op) in &plan.ops {
            if place * frames.len() / 1_000 != index {
                continue;
            }
            match op {
                Op::Split => session.split(),
                Op::Clock => {
                    wall_ms += 3_600_000;
                    session.arrived(wall_ms, 0);
                }
                Op::OtherAudio => {
                    let item = Item::Tracks(Arc::clone(&lists[1]));
                    session.frame(&frame(item, frame_.time_ms, false), &mut acts);
                }
            }
        }
        session.frame(frame_, &mut acts);
    }
    session.finish(&mut acts);
    let mut files = Vec::new();
    let mut open: Option<File> = None;
    for act in acts {
        match act {
            Act::Open(opening) => {
                assert!(open.is_none(), "two files at once");
                open = Some(File {
                    tracks: Arc::clone(&opening.headers.tracks),
                    units: Vec::new(),
                });
            }
            Act::Unit { unit, .. } => open.as_mut().expect("a file").units.push(unit),
            Act::Close(_) => files.push(open.take().expect("a file")),
            Act::Gap(gap) => panic!("{gap:?}"),
            _ => {}
        }
    }
    assert!(open.is_none(), "the last file is closed");
    (frames, files)
}

proptest! {
    #[test]
    fn files_together_are_the_stream(plan in plans()) {
        let lists = tracks();
        let (frames, files) = record(&plan, &lists);
        let video = lists[0].video().unwrap().id;
        let sent = |id: TrackId| -> Vec<(i64, Bytes)> {
            let units = frames.iter().filter_map(|frame| match &frame.item {
                Item::Unit(unit) if unit.track == id => Some((unit.dts.0, unit.payload.clone())),
                _ => None,
            });
            units.collect()
        };
        let mut got: Vec<(TrackId, Vec<(i64, Bytes)>)> =
            lists[0].iter().map(|track| (track.id, Vec::new())).collect();
        for file in &files {
            let first = file.units.first().expect("a file has units");
            let stream_ms = |unit: &AccessUnit| {
                let number: usize = std::str::from_utf8(&unit.payload).unwrap().parse().unwrap();
                match &frames[number].item {
                    Item::Unit(sent) => sent.dts.0,
                    _ => unreachable!("units only"),
                }
            };
            let origin = stream_ms(first) - first.dts.0;
            for unit in &file.units {
                prop_assert!(unit.dts.0 >= 0, "negative time {}", unit.dts.0);
                prop_assert_eq!(stream_ms(unit) - unit.dts.0, origin);
                prop_assert!(file.tracks.get(unit.track).is_some());
                let own = got.iter_mut().find(|(id, _)| *id == unit.track);
                own.unwrap().1.push((stream_ms(unit), unit.payload.clone()));
            }
            let picture = file.units.iter().find(|unit| unit.track == video);
            prop_assert!(picture.is_none_or(|unit| unit.is_random_access()));
        }
        for (id, units) in got {
            prop_assert_eq!(units, sent(id));
        }
        // Each configuration has its files.
        for file in &files {
            let is_file = |list: &Arc<TrackList>| {
                let mut pairs = list.iter().zip(file.tracks.iter());
                pairs.all(|(a, b)| a.same_configuration(b))
            };
            prop_assert!(lists.iter().any(is_file));
        }
    }
}

#[test]
fn splits_come_where_they_are_asked_for() {
    let lists = tracks();
    let plan = Plan {
        groups: vec![25; 10],
        lag_ms: 30,
        every_ms: 3_000,
        ops: vec![(550, Op::Split), (860, Op::Clock)],
    };
    let (_, files) = record(&plan, &lists);
    let video = |file: &File| {
        let units = file.units.iter();
        let tracks = &file.tracks;
        units
            .filter(|unit| tracks.get(unit.track).unwrap().kind() == TrackKind::Video)
            .count()
    };
    // At 3 s, as asked behind 5.5 s, at the full hour behind 8.6 s.
    let counts: Vec<usize> = files.iter().map(video).collect();
    assert_eq!(counts, [75, 75, 75, 25]);
}

#[test]
fn sound_alone_follows_without_a_hole() {
    let clip = Clip::read("audio-only.flv");
    let mut session = Session::new(Media::Av, Split::every(Duration::from_secs(1)));
    let mut acts = Vec::new();
    session.join(&clip.headers, 0, &mut acts);
    for frame in &clip.frames {
        session.frame(frame, &mut acts);
    }
    session.finish(&mut acts);
    let mut firsts = Vec::new();
    let mut opened = false;
    for act in &acts {
        match act {
            Act::Open(_) => opened = true,
            Act::Unit { unit, .. } if std::mem::take(&mut opened) => firsts.push(unit.dts.0),
            _ => {}
        }
    }
    assert_eq!(firsts, [0, 0, 0, 0]);
}
