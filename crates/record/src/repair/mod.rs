//! Files that a crash left: cut behind what is whole, and finished.
//!
//! What is to be repaired is found by its marker; one that a living process holds is left alone.

mod aac;
mod flv;
mod hls;
mod mp4;
mod ts;

use std::io;

use remux::mp4::Write;

use crate::filing::Filing;
use crate::format::Format;
use crate::manifest::{MANIFEST, MARKER, Marker, Progress};
use crate::status::Shared;
use crate::storage::{EntryKind, Storage, StoredFile, folder_of};

/// Largest marker that is read. Threat: a planted file.
const MAX_MARKER: u64 = 16 << 20;
/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 16;

/// The files that are not finished, without the marker's ending.
pub(crate) fn find(storage: &dyn Storage) -> Vec<String> {
    let mut found = Vec::new();
    walk(storage, "", 0, &mut found);
    found.sort();
    found
}

fn walk(storage: &dyn Storage, folder: &str, depth: usize, found: &mut Vec<String>) {
    let entries = match storage.list(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder, "recordings not looked through: {error}");
            return;
        }
    };
    for entry in entries {
        let path = match folder {
            "" => entry.name,
            folder => format!("{folder}/{}", entry.name),
        };
        match entry.kind {
            EntryKind::Folder if depth < MAX_DEPTH => walk(storage, &path, depth + 1, found),
            EntryKind::File => found.extend(path.strip_suffix(MARKER).map(str::to_owned)),
            _ => {}
        }
    }
}

/// Cuts a file behind what is whole and finishes it; `None` when there is nothing to keep, or
/// somebody writes it.
///
/// # Errors
/// Whatever the system says; it can be tried again.
pub(crate) fn repair(
    storage: &dyn Storage,
    path: &str,
    status: Option<Shared>,
) -> io::Result<Option<Filing>> {
    let marker_path = format!("{path}{MARKER}");
    let mut lock = match storage.open(&marker_path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !lock.lock()? {
        return Ok(None);
    }
    let content = read_file(lock.as_ref(), MAX_MARKER)?;
    let Some((marker, mut progress)) = Marker::read(&content) else {
        if !Marker::is_begun(&content) {
            tracing::warn!(path = marker_path, "not a marker of ours; left as it is");
            return Ok(None);
        }
        // Nothing was recorded then.
        return drop_empty(storage, path, &marker_path).map(|()| None);
    };
    let Ok(format) = marker.format.parse::<Format>() else {
        tracing::warn!(path, "unknown format {:?}; left as it is", marker.format);
        return Ok(None);
    };
    if !marker_was_ours(&marker, path) {
        tracing::warn!(path, "marker does not belong here; left as it is");
        return Ok(None);
    }
    let is_worth = match format {
        Format::Flv => flv::repair(storage, path, &mut progress)?,
        Format::Mp4 => {
            // A finished index is not read again: another repair takes the marker's word.
            let tell = |progress: &Progress| {
                lock.write_at(Marker::progress_at(), &[progress.line().into()])
            };
            mp4::repair(storage, path, &mut progress, tell)?
        }
        Format::Ts => ts::repair(storage, path)?,
        Format::Aac => aac::repair(storage, path)?,
        Format::Hls | Format::HlsTs => hls::repair(storage, path, format, &mut progress)?,
    };
    if !is_worth {
        return drop_empty(storage, path, &marker_path).map(|()| None);
    }
    tracing::info!(path, rec = %marker.recording, "unfinished recording repaired");
    Ok(Some(Filing {
        path: path.to_owned(),
        marker,
        progress,
        // Of a recording that runs it is no more than a file that could not be finished at once.
        recovered: status.is_none(),
        status,
        lock,
    }))
}

fn marker_was_ours(marker: &Marker, path: &str) -> bool {
    // The one thing that a marker and its place have in common.
    marker.version == 1 && !path.is_empty() && !folder_of(path).contains("..")
}

/// Removes what holds no media.
fn drop_empty(storage: &dyn Storage, path: &str, marker_path: &str) -> io::Result<()> {
    for gone in [
        path.to_owned(),
        format!("{path}{MANIFEST}.tmp"),
        marker_path.to_owned(),
    ] {
        match storage.remove(&gone) {
            // A folder that is not empty after all: its files stay.
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                ) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    tracing::info!(path, "unfinished recording without media removed");
    Ok(())
}

/// Opens the media file; `None` when it was never created.
fn open(storage: &dyn Storage, path: &str) -> io::Result<Option<Box<dyn StoredFile>>> {
    match storage.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Cuts a file when it is longer, and makes it durable.
fn cut(file: &mut dyn StoredFile, size: u64) -> io::Result<()> {
    if file.size()? > size {
        file.truncate(size)?;
    }
    file.sync()
}

/// Does what a muxer of files asks for.
fn apply(file: &mut dyn StoredFile, write: Write) -> io::Result<()> {
    match write {
        Write::Append(pieces) => file.write_at(file.size()?, &pieces),
        Write::Overwrite { at, bytes } => file.write_at(at, &[bytes]),
        Write::Truncate { len } => file.truncate(len),
        Write::Sync => file.sync(),
    }
}

/// The content of a small file.
pub(crate) fn read_all(storage: &dyn Storage, path: &str, max: u64) -> io::Result<Vec<u8>> {
    read_file(storage.open(path)?.as_ref(), max)
}

fn read_file(file: &dyn StoredFile, max: u64) -> io::Result<Vec<u8>> {
    let size = file.size()?;
    if size > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let count = file.read_at(0, &mut content)?;
    content.truncate(count);
    Ok(content)
}
