//! FLV files as tracks and access units.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::{AccessUnit, Dts, Track, TrackId, TrackList};
use remux::flv::{Demuxer, Event, Limits, Parser, TagKind};

/// Folders with sound files.
pub(crate) const FOLDERS: [&str; 4] = ["flv", "flv-edge", "flv-ffmpeg", "flv-remux"];
/// Files whose clock breaks: what becomes of that is decided before the muxers.
const BROKEN_CLOCK: &str = "ts-jump-back-to-0.flv";

/// A file's tracks and its units in arrival order, with unwrapped times.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) tracks: TrackList,
    pub(crate) units: Vec<AccessUnit>,
}

impl Source {
    /// The tracks that a muxer carries, video first.
    pub(crate) fn carried(&self, carries: impl Fn(TrackId) -> bool) -> Vec<Arc<Track>> {
        let carried = self.tracks.iter().filter(|track| carries(track.id));
        let mut carried: Vec<_> = carried.cloned().collect();
        carried.sort_by_key(|track| (track.kind(), track.id));
        carried
    }

    /// The units of one track, without empty ones, which no muxer writes.
    pub(crate) fn of(&self, id: TrackId) -> impl Iterator<Item = &AccessUnit> {
        let units = self.units.iter().filter(move |unit| unit.track == id);
        units.filter(|unit| !unit.payload.is_empty())
    }
}

pub(crate) fn root() -> Option<PathBuf> {
    let named = std::env::var_os("SIDESTREAM_SHARED").map(PathBuf::from);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = named
        .into_iter()
        .chain(above.map(|folder| folder.join("shared")))
        .map(|folder| folder.join("testmedia"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: no shared/testmedia beside the repository");
    }
    found
}

/// All files whose configuration does not change.
pub(crate) fn sources() -> Vec<Source> {
    let Some(root) = root() else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = FOLDERS
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| !path.ends_with(BROKEN_CLOCK));
    paths.sort();
    let sources: Vec<_> = paths.iter().filter_map(|path| source(path)).collect();
    assert!(
        sources.len() > 35,
        "{} of {} files",
        sources.len(),
        paths.len()
    );
    sources
}

pub(crate) fn source(path: &Path) -> Option<Source> {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.push(std::fs::read(path).unwrap().into());
    let mut parser = Parser::new(Limits::default());
    let mut tracks: Vec<Track> = Vec::new();
    let mut units = Vec::new();
    let mut last = None;
    while let Some(tag) = demuxer.poll().unwrap() {
        let events = match tag.kind {
            TagKind::Audio => parser.audio(&tag.body),
            TagKind::Video => parser.video(&tag.body),
            TagKind::Script => continue,
        };
        // Unwrapped, from the first time as it is.
        let step = |last: i64| i64::from((tag.timestamp.wrapping_sub(last as u32)).cast_signed());
        let dts = last.map_or(tag.timestamp.into(), |last| last + step(last));
        last = Some(dts);
        for event in events.into_iter().flatten() {
            match event {
                Event::Track(track) => {
                    let before = tracks.iter().position(|known| known.id == track.id);
                    match before {
                        // Announced without, then with its configuration, is no change.
                        Some(at) if tracks[at].config.is_err() => tracks[at] = *track,
                        Some(at) if tracks[at].same_configuration(&track) => {}
                        // The size of VP9 comes with its first key frame.
                        Some(at) if track.completes(&tracks[at]) => tracks[at] = *track,
                        Some(_) => return None,
                        None => tracks.push(*track),
                    }
                }
                Event::Unit(mut unit) => {
                    unit.dts = Dts(dts);
                    units.push(unit);
                }
                _ => {}
            }
        }
    }
    Some(Source {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        path: path.to_owned(),
        tracks: TrackList::new(tracks.into_iter().map(Into::into).collect()),
        units,
    })
}
