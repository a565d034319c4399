//! FLV → MP4 → FLV: every payload byte, DTS, PTS, role and configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, Dts, FrameRole, Headers, TrackId, TrackList};
use remux::Event;
use remux::flv::{FileDemuxer, FileMuxer as FlvMuxer};
use remux::mp4::{FileMuxer, FragmentMuxer, Layout, Origin, Recorder};

use crate::drive::{Shell, apply, events};
use crate::source::{FOLDERS, root};

/// Units in a fragment.
const FRAGMENT: usize = 25;

/// An FLV file as events.
pub(crate) struct Flv {
    name: String,
    events: Vec<Event>,
}

impl Flv {
    pub(crate) fn read(name: &str, bytes: &Bytes) -> Self {
        let mut demuxer = FileDemuxer::default();
        demuxer.push(bytes.clone());
        demuxer.finish();
        let mut events = Vec::new();
        while let Some(event) = demuxer.poll().unwrap() {
            events.push(event);
        }
        Self {
            name: name.to_owned(),
            events,
        }
    }

    /// Every track as it is first described: with its configuration when it ever has one.
    pub(crate) fn first_tracks(&self) -> TrackList {
        let mut tracks = TrackList::default();
        for track in lists(&self.events).flat_map(|list| list.iter()) {
            if tracks
                .get(track.id)
                .is_none_or(|known| known.config.is_err())
            {
                tracks = tracks.with(track.as_ref().clone());
            }
        }
        tracks
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = &AccessUnit> {
        self.events.iter().filter_map(|event| match event {
            Event::Unit(unit) if !unit.payload.is_empty() => Some(unit),
            _ => None,
        })
    }

    fn of(&self, id: TrackId) -> Vec<&AccessUnit> {
        self.units().filter(|unit| unit.track == id).collect()
    }

    /// The configurations of a track, one behind the other.
    fn configurations(&self, id: TrackId) -> Vec<String> {
        let of = |list: &Arc<TrackList>| Some(list.get(id)?.config.as_ref().ok()?.to_string());
        let mut all: Vec<_> = lists(&self.events).filter_map(of).collect();
        all.dedup();
        all
    }
}

fn lists(events: &[Event]) -> impl Iterator<Item = &Arc<TrackList>> {
    events.iter().filter_map(|event| match event {
        Event::Tracks(tracks) => Some(tracks),
        _ => None,
    })
}

/// A file of the repository's `testdata/`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    folder.join(name)
}

/// The sound FLV files of the repository and of the shared media.
fn files() -> Vec<PathBuf> {
    let shared = root().into_iter();
    let shared = shared.flat_map(|root| FOLDERS.map(|folder| root.join(folder)));
    let mut files: Vec<PathBuf> = std::iter::once(testdata(""))
        .chain(shared)
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flv"))
        .collect();
    files.sort();
    files
}

fn flv_files() -> impl Iterator<Item = Flv> {
    files().into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Flv::read(&name, &std::fs::read(&path).unwrap().into())
    })
}

/// The tracks of `list` that have a configuration.
fn configured(list: &TrackList) -> TrackList {
    let configured = list.iter().filter(|track| track.config.is_ok());
    TrackList::new(configured.cloned().collect())
}

/// An ordinary MP4 of the file; `None`: a track changed in a way that needs a new file.
fn ordinary(flv: &Flv, layout: Layout) -> Option<Vec<u8>> {
    let (mut muxer, _) = FileMuxer::new(&flv.first_tracks(), Origin::Kept, layout);
    let mut file = Vec::new();
    for event in &flv.events {
        match event {
            Event::Tracks(tracks) => muxer.set_tracks(&configured(tracks)).ok()?,
            Event::Unit(unit) => muxer.push(unit).unwrap(),
            _ => {}
        }
    }
    assert_eq!(muxer.damaged_units(), 0, "{}", flv.name);
    apply(&mut file, muxer.finish(&[]));
    Some(file)
}

/// Units in fragments, and what the next unit of each track begins with.
fn fragments(units: &[AccessUnit]) -> impl Iterator<Item = (&[AccessUnit], Vec<(TrackId, Dts)>)> {
    units.chunks(FRAGMENT).enumerate().map(move |(n, part)| {
        let later = units.get((n + 1) * FRAGMENT..).unwrap_or_default();
        let mut ends: Vec<(TrackId, Dts)> = Vec::new();
        for unit in later {
            if ends.iter().all(|(id, _)| *id != unit.track) {
                ends.push((unit.track, unit.dts));
            }
        }
        (part, ends)
    })
}

/// The file in fragments, and as a recording that was finished.
fn fragmented(flv: &Flv) -> [Vec<u8>; 2] {
    let tracks = flv.first_tracks();
    let units: Vec<AccessUnit> = flv.units().cloned().collect();
    let (mut muxer, _) = FragmentMuxer::new(&tracks);
    let (mut recorder, _) = Recorder::new(&tracks, Origin::Kept);
    let mut live = muxer.init_segment().to_vec();
    let mut recording = Vec::new();
    apply(&mut recording, [recorder.start()]);
    for (units, ends) in fragments(&units) {
        // Nothing of some fragments is carried.
        if let Ok(fragment) = muxer.fragment(units, &ends) {
            live.extend_from_slice(&fragment);
        }
        apply(&mut recording, recorder.fragment(units, &ends).ok());
    }
    apply(&mut recording, recorder.finish(&[]));
    [live, recording]
}

/// The MP4 as an FLV file, read again.
fn back(name: &str, mp4: Vec<u8>) -> Flv {
    let events = events(&mp4.into(), Shell::File(1 << 20));
    let first_ms = events.iter().find_map(|event| match event {
        Event::Unit(unit) => Some(unit.dts.0 / 90),
        _ => None,
    });
    let mut muxer = FlvMuxer::new(64);
    let mut file = Vec::new();
    let mut dts = Dts(first_ms.unwrap_or(0));
    let mut is_begun = false;
    for event in &events {
        match event {
            Event::Tracks(tracks) => {
                let headers = Headers {
                    tracks: Arc::clone(tracks),
                    ..Headers::default()
                };
                let write = match std::mem::replace(&mut is_begun, true) {
                    false => muxer.start(&headers, dts),
                    true => muxer.headers(&headers, dts),
                };
                apply(&mut file, [write]);
            }
            Event::Unit(unit) => {
                dts = Dts(unit.dts.0 / 90);
                apply(&mut file, [muxer.unit(unit)]);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    apply(&mut file, muxer.finish());
    Flv::read(name, &file.into())
}

type Key<'a> = (Option<i64>, i64, FrameRole, &'a [u8]);

/// Decode times are compared where they never go back: those of a file rise.
fn keys<'a>(units: &[&'a AccessUnit], with_dts: bool) -> Vec<Key<'a>> {
    let key = |unit: &&'a AccessUnit| {
        let dts = with_dts.then_some(unit.dts.0);
        (dts, unit.pts().0, unit.role, &unit.payload[..])
    };
    units.iter().map(key).collect()
}

/// Compares what `carries`; how many units that are.
fn assert_same(name: &str, want: &Flv, got: &Flv, carries: impl Fn(TrackId) -> bool) -> usize {
    let damage = |event: &&Event| matches!(event, Event::Damage(_));
    assert_eq!(got.events.iter().filter(damage).count(), 0, "{name}");
    let mut compared = 0;
    for track in want.first_tracks().iter().filter(|track| carries(track.id)) {
        let id = track.id;
        let (ours, theirs) = (got.of(id), want.of(id));
        let is_rising = theirs.is_sorted_by_key(|unit| unit.dts);
        let (a, b) = (keys(&ours, is_rising), keys(&theirs, is_rising));
        assert_eq!(a.len(), b.len(), "{name} {id}: units");
        for (n, (a, b)) in a.iter().zip(&b).enumerate() {
            assert!((a.0, a.1, a.2) == (b.0, b.1, b.2), "{name} {id} unit {n}");
            assert!(a.3 == b.3, "{name} {id} unit {n}: payload");
        }
        if !theirs.is_empty() {
            assert_eq!(
                got.configurations(id),
                want.configurations(id),
                "{name} {id}"
            );
        }
        compared += a.len();
    }
    compared
}

#[test]
fn ordinary_files() {
    let (mut files, mut units) = (0, 0);
    for flv in flv_files() {
        let (muxer, left_out) =
            FileMuxer::new(&flv.first_tracks(), Origin::Kept, Layout::IndexLast);
        let carries = |id| left_out.iter().all(|left_out| left_out.track != id);
        if muxer.is_empty() {
            continue;
        }
        for layout in [Layout::IndexLast, Layout::Reserved(1 << 20)] {
            let Some(file) = ordinary(&flv, layout) else {
                panic!("{}: needs a new file", flv.name);
            };
            units += assert_same(&flv.name, &flv, &back(&flv.name, file), carries);
        }
        files += 1;
    }
    assert!(
        files >= 12 && units > 2 * 2_000,
        "{files} files, {units} units"
    );
}

#[test]
fn fragments_and_recordings() {
    let (mut files, mut units) = (0, 0);
    for flv in flv_files() {
        let (muxer, _) = FragmentMuxer::new(&flv.first_tracks());
        let tracks = flv.first_tracks();
        let mut ids = tracks.iter().map(|track| track.id);
        // A new configuration needs a new init segment, and a new recording.
        if muxer.is_empty() || ids.any(|id| flv.configurations(id).len() > 1) {
            continue;
        }
        for file in fragmented(&flv) {
            let got = back(&flv.name, file);
            units += assert_same(&flv.name, &flv, &got, |id| muxer.carries(id));
        }
        files += 1;
    }
    assert!(
        files >= 12 && units > 2 * 2_000,
        "{files} files, {units} units"
    );
}
