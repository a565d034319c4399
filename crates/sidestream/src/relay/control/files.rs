//! Recorded files: from manifests to the control plane's records, and their removal.

use std::io;
use std::path::Path;

use ::record::{Disk, EntryKind, Manifest, Storage};
use control::FinishedFile;
use control::model::{FileBody, FileGap, RecordOrigin};

/// Deepest folder that is looked into.
const DEPTH: usize = 16;
/// Largest manifest that is read. Threat: a planted file.
const LARGEST: u64 = 16 << 20;

/// What a manifest says; `None` when a later version wrote it in words that are not known here.
pub(super) fn finished(manifest: &Manifest) -> Option<FinishedFile> {
    let millis = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .map(jiff::Timestamp::as_millisecond)
    };
    let video = manifest.tracks.iter().find(|track| track.kind == "video");
    let codecs = manifest.tracks.iter().map(|track| {
        let precise = track.codec_string.as_ref();
        precise.unwrap_or(&track.codec).clone()
    });
    let gaps = manifest.gaps.iter().map(|gap| FileGap {
        at_ms: gap.at_ms,
        missing_ms: gap.missing_ms,
        cause: gap.cause.as_str().to_owned(),
    });
    Some(FinishedFile {
        recording: manifest.recording.clone(),
        stream: manifest.stream.clone(),
        path: manifest.path.clone(),
        start_ms: millis(&manifest.start_time).ok()?,
        end_ms: millis(&manifest.end_time).ok()?,
        size: manifest.size,
        body: FileBody {
            format: manifest.format.parse().ok()?,
            media: manifest.media.parse().ok()?,
            // Known to the control plane, not to the recorder.
            origin: RecordOrigin::Auto,
            duration_ms: manifest.duration_ms,
            codecs: codecs.collect(),
            width: video.and_then(|track| track.width),
            height: video.and_then(|track| track.height),
            sha256: manifest.sha256.clone(),
            gaps: gaps.collect(),
            segment_index: manifest.index,
            recovered: manifest.recovered,
            storage: "local".to_owned(),
            expires_at_ms: None,
        },
    })
}

/// All finished files below a root.
pub(super) fn all(root: &Path) -> Vec<FinishedFile> {
    let mut found = Vec::new();
    walk(&Disk::new(root), "", 0, &mut found);
    found
}

fn walk(disk: &Disk, folder: &str, depth: usize, found: &mut Vec<FinishedFile>) {
    for entry in disk.list(folder).unwrap_or_default() {
        let path = match folder {
            "" => entry.name,
            folder => format!("{folder}/{}", entry.name),
        };
        match entry.kind {
            EntryKind::Folder if depth < DEPTH => walk(disk, &path, depth + 1, found),
            EntryKind::File if path.ends_with(".json") => {
                found.extend(read(disk, &path).and_then(|manifest| finished(&manifest)));
            }
            _ => {}
        }
    }
}

fn read(disk: &Disk, path: &str) -> Option<Manifest> {
    let file = disk.open(path).ok()?;
    let size = file.size().ok().filter(|size| *size <= LARGEST)?;
    let mut content = vec![0; usize::try_from(size).ok()?];
    let read = file.read_at(0, &mut content).ok()?;
    serde_json::from_slice(content.get(..read)?).ok()
}

/// Removes a file or a folder of a recording, and its manifest.
pub(super) fn remove(root: &Path, path: &str) -> io::Result<()> {
    let disk = Disk::new(root);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let entry = disk
        .list(folder)?
        .into_iter()
        .find(|entry| entry.name == name);
    match entry.map(|entry| entry.kind) {
        Some(EntryKind::Folder) => {
            for member in disk.list(path)? {
                disk.remove(&format!("{path}/{}", member.name))?;
            }
            disk.remove(path)?;
        }
        Some(_) => disk.remove(path)?,
        // Somebody else was faster.
        None => {}
    }
    match disk.remove(&format!("{path}.json")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
