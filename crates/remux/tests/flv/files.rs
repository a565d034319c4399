//! Finds the shared media and reads FLV files with our own code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use media::{AccessUnit, Dts, FrameRole, Ticks, Track, TrackId};
use remux::flv::{Demuxer, Event, Limits, Parser, Tag, TagKind};

/// The folder of the shared test media.
pub(crate) fn shared_media() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("SIDESTREAM_SHARED").map(PathBuf::from);
    let found = named
        .into_iter()
        .chain(here.ancestors().map(|folder| folder.join("shared")))
        .map(|folder| folder.join("testmedia"))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: no shared/testmedia beside the repository");
    }
    found
}

/// All files below the folders of that name in the shared media.
pub(crate) fn files(folders: &[&str]) -> Vec<PathBuf> {
    let Some(root) = shared_media() else {
        return Vec::new();
    };
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// The folders of sound FLV files.
pub(crate) const SOUND: [&str; 4] = ["flv", "flv-edge", "flv-ffmpeg", "flv-remux"];

pub(crate) fn read(path: &Path) -> Bytes {
    std::fs::read(path).unwrap().into()
}

/// The tags of a file, pushed whole; panics when it is damaged.
pub(crate) fn tags(bytes: &Bytes) -> Vec<Tag> {
    let mut demuxer = Demuxer::default();
    demuxer.push(bytes.clone());
    let mut tags = Vec::new();
    while let Some(tag) = demuxer.poll().unwrap() {
        tags.push(tag);
    }
    demuxer.finish().unwrap();
    tags
}

/// An access unit in comparable form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) dts: u32,
    pub(crate) pts: u32,
    pub(crate) key: bool,
    pub(crate) payload: Bytes,
}

impl Unit {
    /// As it was, but for the body it came in.
    pub(crate) fn access_unit(&self, track: TrackId) -> AccessUnit {
        let offset = self.pts.wrapping_sub(self.dts).cast_signed();
        let unit = AccessUnit::new(track, Dts(self.dts.into()), self.payload.clone())
            .composition_offset(Ticks(offset.into()));
        if self.key { unit.random_access() } else { unit }
    }
}

/// What the parser made of a file.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// Each track as it was announced, in order.
    pub(crate) announced: Vec<Track>,
    pub(crate) units: BTreeMap<TrackId, Vec<Unit>>,
    pub(crate) errors: usize,
}

pub(crate) fn parse(tags: &[Tag]) -> Parsed {
    let mut parser = Parser::new(Limits::default());
    let mut parsed = Parsed::default();
    for tag in tags {
        let events = match tag.kind {
            TagKind::Audio => parser.audio(&tag.body),
            TagKind::Video => parser.video(&tag.body),
            TagKind::Script => continue,
        };
        let Ok(events) = events else {
            parsed.errors += 1;
            continue;
        };
        for event in events {
            match event {
                Event::Track(track) => parsed.announced.push(*track),
                Event::Unit(unit) => {
                    let offset = u32::try_from(unit.composition_offset.0 & 0xffff_ffff).unwrap();
                    parsed.units.entry(unit.track).or_default().push(Unit {
                        dts: tag.timestamp,
                        pts: tag.timestamp.wrapping_add(offset),
                        key: unit.role == FrameRole::RandomAccess,
                        payload: unit.payload,
                    });
                }
                _ => {}
            }
        }
    }
    parsed
}
