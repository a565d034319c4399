//! Finds media, reads FLV and MPEG-TS with our own code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use media::{AccessUnit, Dts, Track, TrackId, TrackList};
use remux::ts::Demuxer;
use remux::{Damage, Event, LeftOut, TimedMetadata, flv};

/// A file or folder of the shared test media.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SIDESTREAM_SHARED").map(PathBuf::from);
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = named
        .into_iter()
        .chain(above.map(|folder| folder.join("shared")))
        .map(|folder| folder.join("testmedia").join(name))
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no shared/testmedia/{name} beside the repository");
    }
    found
}

/// A file of `testdata`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

/// All files of a folder with this extension, sorted.
pub(crate) fn folder(path: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// What a demuxer told, events of a kind together.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) tracks: TrackList,
    /// How often the list changed.
    pub(crate) lists: usize,
    pub(crate) units: Vec<AccessUnit>,
    pub(crate) timed: Vec<TimedMetadata>,
    pub(crate) damage: Vec<Damage>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) discontinuities: usize,
    /// Everything in order, as text.
    pub(crate) log: Vec<String>,
}

impl Told {
    pub(crate) fn event(&mut self, event: Event) {
        self.log.push(match &event {
            Event::Unit(unit) => format!("{unit:?} {:x}", checksum(&unit.payload)),
            Event::Tracks(tracks) => {
                let tracks = tracks.iter().map(|t| {
                    let config = t.config.as_ref().map(|config| config.raw().clone());
                    format!("{:?} {} {config:x?}", t.id, t.codec)
                });
                tracks.collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        });
        match event {
            Event::Tracks(tracks) => {
                self.lists += 1;
                self.tracks = tracks.as_ref().clone();
            }
            Event::Unit(unit) => self.units.push(unit),
            Event::Timed(timed) => self.timed.push(timed.as_ref().clone()),
            Event::Damage(damage) => self.damage.push(damage),
            Event::Discontinuity => self.discontinuities += 1,
            _ => {}
        }
    }

    pub(crate) fn of(&self, id: TrackId) -> impl Iterator<Item = &AccessUnit> {
        self.units.iter().filter(move |unit| unit.track == id)
    }
}

/// FNV-1a.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Reads all of `bytes`, pushed in pieces.
pub(crate) fn demux_in(bytes: &Bytes, sizes: impl Iterator<Item = usize>) -> Told {
    demux_with(Demuxer::default(), bytes, sizes)
}

/// Reads all of `bytes` with this demuxer.
pub(crate) fn demux_with(
    mut demuxer: Demuxer,
    bytes: &Bytes,
    mut sizes: impl Iterator<Item = usize>,
) -> Told {
    let mut told = Told::default();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        demuxer.push(rest.split_to(size));
        while let Ok(Some(event)) = demuxer.poll() {
            told.event(event);
        }
    }
    demuxer.finish();
    while let Ok(Some(event)) = demuxer.poll() {
        told.event(event);
    }
    told.left_out = demuxer.left_out().to_vec();
    told
}

pub(crate) fn demux(bytes: &Bytes) -> Told {
    demux_in(bytes, std::iter::empty())
}

pub(crate) fn read(path: &Path) -> Bytes {
    std::fs::read(path).unwrap().into()
}

/// An FLV file as events: one list of tracks before the units it is valid for.
#[derive(Debug)]
pub(crate) struct Flv {
    pub(crate) name: String,
    /// Lists and units in order; times unwrapped from the first.
    pub(crate) events: Vec<Event>,
    pub(crate) units: BTreeMap<TrackId, Vec<AccessUnit>>,
}

pub(crate) fn flv(path: &Path) -> Flv {
    let mut demuxer = flv::Demuxer::default();
    demuxer.push(read(path));
    let mut parser = flv::Parser::default();
    let mut tracks: Vec<Track> = Vec::new();
    let mut flv = Flv {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        events: Vec::new(),
        units: BTreeMap::new(),
    };
    let mut last: Option<i64> = None;
    while let Some(tag) = demuxer.poll().unwrap() {
        let events = match tag.kind {
            flv::TagKind::Audio => parser.audio(&tag.body),
            flv::TagKind::Video => parser.video(&tag.body),
            flv::TagKind::Script => continue,
        };
        let step = |last: i64| i64::from((tag.timestamp.wrapping_sub(last as u32)).cast_signed());
        let dts = last.map_or(tag.timestamp.into(), |last| last + step(last));
        last = Some(dts);
        for event in events.into_iter().flatten() {
            match event {
                flv::Event::Track(track) => {
                    tracks.retain(|known| known.id != track.id);
                    tracks.push(*track);
                    let list = tracks.iter().cloned().map(Into::into).collect();
                    let list = TrackList::new(list);
                    flv.events.push(Event::Tracks(list.into()));
                }
                flv::Event::Unit(mut unit) => {
                    unit.dts = Dts(dts);
                    if !unit.payload.is_empty() {
                        flv.units.entry(unit.track).or_default().push(unit.clone());
                    }
                    flv.events.push(Event::Unit(unit));
                }
                _ => {}
            }
        }
    }
    flv
}
