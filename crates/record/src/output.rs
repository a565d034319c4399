//! One format of one piece of a recording: its muxer, its file or folder, its marker.

use std::sync::Arc;

use bytes::Bytes;
use media::Headers;

use crate::error::Error;
use crate::format::Format;
use crate::manifest::{Gap, MARKER, Marker, Progress};
use crate::mux::{self, Mux, PLAYLIST, Step, Steps};
use crate::session::End;
use crate::storage::{Storage, StoredFile};

/// Pieces written at once.
const MAX_PIECES: usize = 1_024;

/// A file that is being written.
pub(crate) struct Output {
    pub(crate) format: Format,
    /// Below the root; the folder, where it is one.
    pub(crate) path: String,
    storage: Arc<dyn Storage>,
    mux: Box<dyn Mux>,
    steps: Steps,
    marker: Box<dyn StoredFile>,
    file: Option<Growing>,
    playlist: Option<Growing>,
    /// Bytes of files that are complete.
    done_bytes: u64,
    progress: Progress,
    told_ms: i64,
    /// Written by the start, not yet counted.
    early_bytes: u64,
    /// Up to here the file surely has everything, in milliseconds.
    durable_ms: i64,
    /// A step failed: the muxer and the file do not agree any more.
    is_broken: bool,
}

/// An open file that is only appended to, but for a few bytes.
struct Growing {
    path: String,
    file: Box<dyn StoredFile>,
    /// Bytes that are surely there.
    size: u64,
}

impl Growing {
    fn create(storage: &dyn Storage, path: String) -> Result<Self, Error> {
        let file = storage
            .create(&path)
            .map_err(|error| Error::io(&path, error))?;
        Ok(Self {
            path,
            file,
            size: 0,
        })
    }

    fn append(&mut self, pieces: &[Bytes]) -> Result<u64, Error> {
        let written = self.file.write_at(self.size, pieces);
        if let Err(error) = written {
            // Half a unit is of no use; when it cannot be cut off, the repair does it.
            let _ = self.file.truncate(self.size);
            return Err(Error::io(&self.path, error));
        }
        let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.size += bytes;
        Ok(bytes)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.file
            .sync()
            .map_err(|error| Error::io(&self.path, error))
    }
}

impl Output {
    /// Creates the marker, then the file; says in the log what the container leaves out.
    ///
    /// # Errors
    /// [`Error::Io`] with `AlreadyExists` when the name is taken, [`Error::Tracks`].
    pub(crate) fn create(
        storage: &Arc<dyn Storage>,
        path: String,
        marker: &Marker,
        format: Format,
        headers: &Headers,
    ) -> Result<Self, Error> {
        let (mux, left_out) = mux::muxer(format, headers)?;
        for track in left_out {
            tracing::warn!(
                "{}: {format} recording leaves out track {} ({}): {}",
                marker.stream,
                track.track,
                track.codec,
                track.reason
            );
        }
        // Also a manifest whose file was removed is not overwritten.
        let manifest = format!("{path}{}", crate::manifest::MANIFEST);
        match storage.open(&manifest) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            _ => {
                let taken = std::io::ErrorKind::AlreadyExists;
                return Err(Error::io(&manifest, taken.into()));
            }
        }
        let marker_path = format!("{path}{MARKER}");
        let file = Growing::create(storage.as_ref(), marker_path.clone())?;
        let locked = file.file.lock().and_then(|locked| match locked {
            true => Ok(()),
            false => Err(std::io::ErrorKind::WouldBlock.into()),
        });
        locked.map_err(|error| Error::io(&marker_path, error))?;
        let progress = Progress {
            end_ms: marker.start_ms,
            ..Progress::default()
        };
        let lines = [marker.line().into(), progress.line().into()];
        let mut this = Self {
            format,
            path,
            storage: Arc::clone(storage),
            mux,
            steps: Steps::default(),
            marker: file.file,
            file: None,
            playlist: None,
            done_bytes: 0,
            progress,
            told_ms: 0,
            early_bytes: 0,
            durable_ms: 0,
            is_broken: false,
        };
        let started = this
            .marker
            .write_at(0, &lines)
            .map_err(|error| Error::io(&marker_path, error))
            .and_then(|()| this.start());
        if started.is_err() {
            // Nothing was recorded: nothing stays.
            this.discard();
        }
        started.map(|()| this)
    }

    fn start(&mut self) -> Result<(), Error> {
        if !self.format.is_folder() {
            self.file = Some(Growing::create(self.storage.as_ref(), self.path.clone())?);
        }
        self.mux.start(&mut self.steps);
        // Here a folder that is there already is found out.
        self.drain().map(|bytes| self.early_bytes = bytes)
    }

    /// The muxer, and where it puts what is to be written.
    pub(crate) fn mux(&mut self) -> (&mut dyn Mux, &mut Steps) {
        (self.mux.as_mut(), &mut self.steps)
    }

    /// Bytes of the file, or of all files of the folder.
    pub(crate) fn bytes(&self) -> u64 {
        self.done_bytes + self.file.as_ref().map_or(0, |file| file.size)
    }

    pub(crate) fn gap(&mut self, gap: &Gap) {
        self.progress.gaps.push(gap.clone());
    }

    /// Writes what the muxer gave, and how far the file is; the bytes that were written.
    ///
    /// # Errors
    /// [`Error::Io`]: the file is as it was before the step that failed.
    pub(crate) fn write(&mut self, end: End) -> Result<u64, Error> {
        self.mux.flush(&mut self.steps);
        if self.is_broken {
            return Ok(0);
        }
        let bytes = self.drain()? + std::mem::take(&mut self.early_bytes);
        self.progress.duration_ms = end.ms;
        self.durable_ms = self.mux.held_from(end.ms);
        if let Some(wall_ms) = end.wall_ms {
            self.progress.end_ms = wall_ms;
        }
        self.progress.segment_ms = self.mux.segment_ms();
        // Once a second is enough: what it says is needed after a crash only.
        if bytes > 0 && (end.ms - self.told_ms).abs() >= 1_000 || self.told_ms == 0 {
            self.tell()?;
        }
        Ok(bytes)
    }

    fn tell(&mut self) -> Result<(), Error> {
        self.told_ms = self.progress.duration_ms.max(1);
        let line = Bytes::from(self.progress.line());
        let told = self.marker.write_at(Marker::progress_at(), &[line]);
        told.map_err(|error| Error::io(&format!("{}{MARKER}", self.path), error))
    }

    fn drain(&mut self) -> Result<u64, Error> {
        let done = self.do_steps();
        if done.is_err() {
            // What follows would stand in the wrong place.
            self.steps.clear();
            self.is_broken = true;
        }
        done
    }

    fn do_steps(&mut self) -> Result<u64, Error> {
        let mut bytes = 0;
        let mut pieces = Vec::new();
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Append(piece) => {
                    pieces.push(piece);
                    if self.steps.is_append() && pieces.len() < MAX_PIECES {
                        continue;
                    }
                    if let Some(file) = &mut self.file {
                        bytes += file.append(&pieces)?;
                    }
                    pieces.clear();
                }
                Step::Sync => {
                    if let Some(file) = &mut self.file {
                        file.sync()?;
                    }
                }
                Step::Overwrite { at, bytes } => {
                    if let Some(file) = &mut self.file {
                        let written = file.file.write_at(at, &[bytes]);
                        written.map_err(|error| Error::io(&file.path, error))?;
                    }
                }
                Step::Truncate { len } => {
                    if let Some(file) = &mut self.file {
                        let cut = file.file.truncate(len);
                        cut.map_err(|error| Error::io(&file.path, error))?;
                        file.size = len;
                    }
                }
                Step::Next { name } => {
                    self.close_member()?;
                    let path = format!("{}/{name}", self.path);
                    self.file = Some(Growing::create(self.storage.as_ref(), path)?);
                }
                Step::List(text) => {
                    if self.playlist.is_none() {
                        let path = format!("{}/{PLAYLIST}", self.path);
                        self.playlist = Some(Growing::create(self.storage.as_ref(), path)?);
                    }
                    if let Some(playlist) = &mut self.playlist {
                        bytes += playlist.append(&[text])?;
                    }
                }
                Step::Relist(text) => {
                    let path = format!("{}/{PLAYLIST}", self.path);
                    let size = text.len() as u64;
                    crate::storage::replace(self.storage.as_ref(), &path, text)
                        .map_err(|error| Error::io(&path, error))?;
                    let file = self
                        .storage
                        .open(&path)
                        .map_err(|error| Error::io(&path, error))?;
                    self.playlist = Some(Growing { path, file, size });
                }
            }
        }
        Ok(bytes)
    }

    fn close_member(&mut self) -> Result<(), Error> {
        if let Some(mut member) = self.file.take() {
            member.sync()?;
            self.done_bytes += member.size;
        }
        Ok(())
    }

    /// Up to here the file surely has everything, in milliseconds.
    pub(crate) fn durable_ms(&self) -> i64 {
        self.durable_ms
    }

    /// Finishes the file, and hands over what its manifest needs. After an error the marker stays,
    /// and a repair finishes the file.
    pub(crate) fn finish(mut self) -> Unfiled {
        if self.is_broken {
            return self.into_unfiled(false);
        }
        let end_ms = self.progress.duration_ms;
        self.mux.finish(end_ms, &mut self.steps);
        let mut finished = self.drain().map(drop);
        if finished.is_ok() {
            self.durable_ms = end_ms;
            finished = self.file.as_mut().map_or(Ok(()), Growing::sync);
        }
        // The marker says all there is to say, also to a repair.
        let finished = finished.and(self.tell());
        if let Err(error) = &finished {
            tracing::warn!("{error}; the file is finished later");
        }
        self.into_unfiled(finished.is_ok())
    }

    fn into_unfiled(mut self, is_sound: bool) -> Unfiled {
        let lost_ms = self.progress.duration_ms - self.durable_ms;
        self.progress.duration_ms = self.durable_ms;
        if lost_ms > 0 {
            // For the repair; what the marker said before is not far off.
            let _ = self.tell();
        }
        Unfiled {
            is_sound,
            lost_ms,
            path: self.path,
            lock: self.marker,
            progress: self.progress,
        }
    }

    /// Removes what this output created, and nothing else.
    pub(crate) fn discard(&mut self) {
        self.steps.clear();
        let files = [self.file.take(), self.playlist.take()];
        let paths = files.into_iter().flatten().map(|file| file.path);
        let marker = format!("{}{MARKER}", self.path);
        for path in paths.chain([marker]) {
            // What cannot be removed is left to the repair of the next start.
            let _ = self.storage.remove(&path);
        }
        if self.format.is_folder() {
            // Fails when somebody else's files are in it.
            let _ = self.storage.remove(&self.path);
        }
    }
}

/// A file that nothing is written to any more.
pub(crate) struct Unfiled {
    /// Whether it is complete but for its manifest; otherwise it needs a repair.
    pub(crate) is_sound: bool,
    /// Media time that was given to it and is not in the file.
    pub(crate) lost_ms: i64,
    pub(crate) path: String,
    /// The marker, locked until the manifest is there.
    pub(crate) lock: Box<dyn StoredFile>,
    pub(crate) progress: Progress,
}
