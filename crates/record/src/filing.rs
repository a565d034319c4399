//! The last step of a file: its hash, its manifest, the event.
//!
//! A file is read once when it is complete, throttled, on a thread of its own: formats that are
//! patched at the end cannot be hashed while they grow, and the recording itself is never slowed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use media::StreamName;
use sha2::{Digest as _, Sha256};

use crate::event::{EventLog, What};
use crate::format::Format;
use crate::manifest::{MANIFEST, MARKER, Manifest, Marker, Member, Progress, rfc3339};
use crate::mux::PLAYLIST;
use crate::status::{Shared, Sums};
use crate::storage::{EntryKind, Storage, StoredFile, folder_of, replace};

/// Read at once.
const READ_BYTES: usize = 1 << 20;
/// Most bytes a second while recordings run, so that theirs come first.
const BYTES_PER_S: u64 = 200 << 20;

/// A file that is complete but for its manifest.
pub(crate) struct Filing {
    pub(crate) path: String,
    pub(crate) marker: Marker,
    pub(crate) progress: Progress,
    pub(crate) recovered: bool,
    /// Of the recording, while it is known.
    pub(crate) status: Option<Shared>,
    /// Held until the manifest is there.
    pub(crate) lock: Box<dyn StoredFile>,
}

impl Filing {
    /// Hashes, writes the manifest, removes the marker, tells.
    ///
    /// # Errors
    /// Whatever the system says: the marker stays, and the next start tries again.
    pub(crate) fn finish(
        self,
        storage: &dyn Storage,
        (events, sums): (&EventLog, &Sums),
        hurry: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let is_folder = self.marker.format.parse().is_ok_and(Format::is_folder);
        let (size, sha256, files) = match is_folder {
            true => {
                let mut files = members(storage, &self.path, hurry)?;
                let size = files.iter().map(|member| member.size).sum();
                let playlist = files.iter().position(|member| member.name == PLAYLIST);
                let playlist = playlist.map(|at| files.remove(at));
                (size, playlist.map_or_else(String::new, |p| p.sha256), files)
            }
            false => {
                let (size, sha256) = hash(storage, &self.path, hurry)?;
                (size, sha256, Vec::new())
            }
        };
        let manifest = Manifest {
            version: 1,
            recording: self.marker.recording.clone(),
            stream: self.marker.stream.clone(),
            path: self.path.clone(),
            format: self.marker.format.clone(),
            media: self.marker.media.clone(),
            index: self.marker.index,
            size,
            start_time: rfc3339(self.marker.start_ms),
            end_time: rfc3339(self.progress.end_ms.max(self.marker.start_ms)),
            duration_ms: self.progress.duration_ms,
            sha256,
            gaps: self.progress.gaps,
            tracks: self.marker.tracks,
            recovered: self.recovered,
            files,
        };
        let mut text = serde_json::to_vec_pretty(&manifest)?;
        text.push(b'\n');
        replace(storage, &format!("{}{MANIFEST}", self.path), text.into())?;
        storage.sync_folder(folder_of(&self.path))?;
        storage.remove(&format!("{}{MARKER}", self.path))?;
        drop(self.lock);
        if let Some(status) = &self.status {
            status.update(|status| status.files_completed += 1);
        }
        sums.files.fetch_add(1, Ordering::Relaxed);
        sums.recovered
            .fetch_add(manifest.recovered.into(), Ordering::Relaxed);
        tracing::info!(
            event = "recording.file.completed",
            rec = %manifest.recording,
            stream = %manifest.stream,
            path = %manifest.path,
            bytes = manifest.size,
            duration_ms = manifest.duration_ms,
            gaps = manifest.gaps.len(),
            recovered = manifest.recovered,
            "recording file completed"
        );
        if let Ok(stream) = StreamName::from_path(&manifest.stream) {
            let id: Arc<str> = manifest.recording.as_str().into();
            events.push(&id, &stream, What::FileCompleted(Arc::new(manifest)));
        }
        Ok(())
    }
}

/// Every file of a folder, in order of their names.
fn members(
    storage: &dyn Storage,
    folder: &str,
    hurry: &dyn Fn() -> bool,
) -> io::Result<Vec<Member>> {
    let mut names: Vec<String> = storage
        .list(folder)?
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::File && !entry.name.ends_with(".tmp"))
        .map(|entry| entry.name)
        .collect();
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let members = names.into_iter().map(|name| {
        let (size, sha256) = hash(storage, &format!("{folder}/{name}"), hurry)?;
        Ok(Member { name, size, sha256 })
    });
    members.collect()
}

/// Size and SHA-256 of a file.
fn hash(storage: &dyn Storage, path: &str, hurry: &dyn Fn() -> bool) -> io::Result<(u64, String)> {
    let file = storage.open(path)?;
    let mut buffer = vec![0; READ_BYTES];
    let (mut at, mut hasher, began) = (0_u64, Sha256::new(), Instant::now());
    loop {
        let count = file.read_at(at, &mut buffer)?;
        hasher.update(&buffer[..count]);
        at += count as u64;
        if count < buffer.len() {
            break;
        }
        let due = Duration::from_millis(at * 1_000 / BYTES_PER_S);
        let ahead = due.saturating_sub(began.elapsed());
        if !ahead.is_zero() && !hurry() {
            std::thread::sleep(ahead);
        }
    }
    let sum = hasher.finalize();
    let hex = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((at, hex))
}
