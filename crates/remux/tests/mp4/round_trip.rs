//! FLV → MP4 → units: every payload byte, DTS, PTS and role.

use media::{AccessUnit, TrackId};
use remux::mp4::{FileMuxer, FragmentMuxer, Layout, Origin, Recorder};

use crate::drive::{Shell, Told, apply, demux};
use crate::source::{Source, sources};

/// Ticks of 90 kHz in a millisecond.
const MS: i64 = 90;

/// The units of one track as (dts, pts, role, payload) in 90 kHz, as an MP4 can say them: decode
/// times that do not rise are moved on by a tick.
fn wanted(source: &Source, id: TrackId) -> Vec<(i64, i64, media::FrameRole, &[u8])> {
    let mut last = i64::MIN;
    let units = source.of(id).map(|unit| {
        let dts = (unit.dts.0 * MS).max(last.saturating_add(1));
        last = dts;
        (dts, unit.pts().0 * MS, unit.role, &unit.payload[..])
    });
    units.collect()
}

fn found(told: &Told, id: TrackId) -> Vec<(i64, i64, media::FrameRole, &[u8])> {
    let units = told.units.iter().filter(|unit| unit.track == id);
    let of = |unit: &AccessUnit| (unit.dts.0, unit.pts().0, unit.role);
    units
        .map(|unit| {
            let (dts, pts, role) = of(unit);
            (dts, pts, role, &unit.payload[..])
        })
        .collect()
}

/// `shift`: ticks that all times were moved by, when they may be.
fn assert_same(
    name: &str,
    source: &Source,
    told: &Told,
    carries: impl Fn(TrackId) -> bool,
    rebased: bool,
) {
    assert_eq!(told.error, None, "{name}");
    assert_eq!(told.damage, [], "{name}");
    let tracks = source.carried(&carries);
    assert_eq!(
        told.tracks.len(),
        tracks
            .iter()
            .filter(|t| source.of(t.id).next().is_some())
            .count(),
        "{name}"
    );
    let mut shift = None;
    for track in tracks {
        let (want, got) = (wanted(source, track.id), found(told, track.id));
        assert_eq!(want.len(), got.len(), "{name} {}", track.id);
        for (n, (want, got)) in want.iter().zip(&got).enumerate() {
            let moved = want.0 - got.0;
            if rebased {
                // The same for all samples of all tracks.
                assert_eq!(
                    *shift.get_or_insert(moved),
                    moved,
                    "{name} {} {n}",
                    track.id
                );
            } else {
                assert_eq!(moved, 0, "{name} {} {n}", track.id);
            }
            assert_eq!(want.1 - moved, got.1, "{name} {} {n}: pts", track.id);
            assert_eq!(want.2, got.2, "{name} {} {n}: role", track.id);
            assert!(want.3 == got.3, "{name} {} {n}: payload", track.id);
        }
        let ours = told.tracks.get(track.id).unwrap();
        assert_eq!(ours.codec, track.codec, "{name}");
        let (ours, theirs) = (
            ours.config.as_ref().unwrap(),
            track.config.as_ref().unwrap(),
        );
        assert_eq!(ours.codec_string(), theirs.codec_string(), "{name}");
        assert_eq!(ours.audio(), theirs.audio(), "{name}");
    }
}

fn shells() -> [Shell; 3] {
    [Shell::File(1 << 20), Shell::File(1_000), Shell::Pipe(1_500)]
}

pub(crate) fn file(source: &Source, origin: Origin, layout: Layout) -> Vec<u8> {
    let (mut muxer, _) = FileMuxer::new(&source.tracks, origin, layout);
    let mut file = Vec::new();
    for unit in &source.units {
        muxer.push(unit).unwrap();
        if muxer.pending_bytes() > 10_000 {
            apply(&mut file, muxer.poll());
        }
    }
    apply(&mut file, muxer.finish(&[]));
    file
}

#[test]
fn ordinary_files_come_back() {
    for source in sources() {
        let (muxer, _) = FragmentMuxer::new(&source.tracks);
        let carries = |id| muxer.carries(id);
        for origin in [Origin::Kept, Origin::First] {
            let rebased = origin == Origin::First;
            for layout in [
                Layout::IndexLast,
                Layout::Reserved(400_000),
                Layout::Reserved(100),
            ] {
                let bytes = file(&source, origin, layout).into();
                let told = demux(&bytes, Shell::File(1 << 20));
                assert_same(&source.name, &source, &told, carries, rebased);
                if layout == Layout::Reserved(400_000) {
                    let told = demux(&bytes, Shell::Pipe(1_500));
                    assert_same(&source.name, &source, &told, carries, rebased);
                }
            }
        }
        // In front in a second pass.
        let (mut muxer, _) = FileMuxer::new(&source.tracks, Origin::Kept, Layout::IndexLast);
        source
            .units
            .iter()
            .for_each(|unit| muxer.push(unit).unwrap());
        let mut first = Vec::new();
        let (last, front) = muxer.finish_in_front(&[]);
        apply(&mut first, last);
        let media =
            usize::try_from(front.media.start).unwrap()..usize::try_from(front.media.end).unwrap();
        let second = [&front.head[..], &first[media]].concat().into();
        for shell in shells() {
            assert_same(
                &source.name,
                &source,
                &demux(&second, shell),
                carries,
                false,
            );
        }
    }
}

/// Fragments of `count` units each, and what the next of each track begins with.
pub(crate) fn fragments(
    source: &Source,
    count: usize,
) -> impl Iterator<Item = (&[AccessUnit], Vec<(TrackId, media::Dts)>)> {
    source
        .units
        .chunks(count)
        .enumerate()
        .map(move |(n, units)| {
            let later = &source.units[((n + 1) * count).min(source.units.len())..];
            let next = |id| {
                later
                    .iter()
                    .find(|unit| unit.track == id && !unit.payload.is_empty())
            };
            let ends = source
                .tracks
                .iter()
                .filter_map(|track| Some((track.id, next(track.id)?.dts)));
            (units, ends.collect())
        })
}

#[test]
fn recordings_come_back_before_and_after_they_are_finished() {
    for source in sources() {
        let (mut recorder, _) = Recorder::new(&source.tracks, Origin::First);
        let mut file = Vec::new();
        apply(&mut file, [recorder.start()]);
        for (units, ends) in fragments(&source, 40) {
            if let Ok(write) = recorder.fragment(units, &ends) {
                apply(&mut file, [write]);
            }
        }
        assert_eq!(recorder.position(), file.len() as u64);
        let (muxer, _) = FragmentMuxer::new(&source.tracks);
        // Unfinished, tracks without units are there too.
        let told = demux(&file.clone().into(), Shell::File(1 << 20));
        assert_eq!((told.error, told.damage), (None, vec![]), "{}", source.name);
        assert_eq!(
            told.units.len(),
            source
                .tracks
                .iter()
                .filter(|t| muxer.carries(t.id))
                .map(|t| source.of(t.id).count())
                .sum::<usize>()
        );
        apply(&mut file, recorder.finish(&[]));
        let told = demux(&file.into(), Shell::File(1 << 20));
        let rising = |id| wanted(&source, id).windows(2).all(|w| w[1].0 - w[0].0 > 1);
        if source.tracks.iter().all(|track| rising(track.id)) {
            assert_same(&source.name, &source, &told, |id| muxer.carries(id), true);
        }
    }
}

#[test]
fn fragments_come_back_from_file_and_pipe() {
    for source in sources() {
        let (mut muxer, _) = FragmentMuxer::new(&source.tracks);
        let mut file = muxer.init_segment().to_vec();
        let mut sliced = file.clone();
        let (mut again, _) = FragmentMuxer::new(&source.tracks);
        for (units, ends) in fragments(&source, 30) {
            if let Ok(fragment) = muxer.fragment(units, &ends) {
                file.extend_from_slice(&fragment);
                again
                    .slices(units, &ends)
                    .unwrap()
                    .iter()
                    .for_each(|slice| sliced.extend_from_slice(slice));
            }
        }
        assert!(file == sliced, "{}", source.name);
        let file = file.into();
        let want = demux(&file, Shell::File(1 << 20));
        let units = source
            .tracks
            .iter()
            .filter(|t| muxer.carries(t.id))
            .map(|t| source.of(t.id).count());
        assert_eq!(want.units.len(), units.sum::<usize>());
        for shell in shells() {
            let told = demux(&file, shell);
            assert_eq!(
                (told.error, told.damage),
                (None, vec![]),
                "{} {shell:?}",
                source.name
            );
            for track in source.tracks.iter() {
                let key =
                    |unit: &&AccessUnit| (unit.dts, unit.pts(), unit.role, unit.payload.clone());
                let (a, b) = (want.of(track.id), told_of(&told.units, track.id));
                assert!(
                    a.iter().map(key).eq(b.iter().map(key)),
                    "{} {shell:?}",
                    source.name
                );
            }
        }
    }
}

fn told_of(units: &[AccessUnit], id: TrackId) -> Vec<&AccessUnit> {
    units.iter().filter(|unit| unit.track == id).collect()
}
