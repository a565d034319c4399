//! HLS folders to events.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hls::folder::{Demuxer, Step};
use remux::{Event, LeftOut};

use super::Container;
use crate::convert::Error;
use crate::convert::buffers::Buffers;

/// Files that are kept open: video and a few playlists of audio.
const MAX_OPEN: usize = 16;

/// Reads the files that a playlist names, beside it and below.
pub(super) struct Hls {
    name: String,
    folder: PathBuf,
    demuxer: Demuxer,
    buffers: Buffers,
    /// Those that are open: one for each playlist.
    open: Vec<(Arc<str>, File)>,
    position: u64,
}

impl Hls {
    pub(super) fn new(path: &Path, name: &str) -> Self {
        let playlist = path.file_name().unwrap_or_default();
        Self {
            name: name.to_owned(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            demuxer: Demuxer::new(&playlist.to_string_lossy()),
            buffers: Buffers::default(),
            open: Vec::new(),
            position: 0,
        }
    }

    fn open(&mut self, path: &Arc<str>) -> io::Result<u64> {
        let file = File::open(self.folder.join(&**path))?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.open.retain(|(known, _)| known != path);
        if self.open.len() >= MAX_OPEN {
            self.open.remove(0);
        }
        self.open.push((Arc::clone(path), file));
        Ok(metadata.len())
    }
}

impl Container for Hls {
    fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let step = self.demuxer.poll();
            match step.map_err(|error| Error::input(&self.name, error))? {
                Step::Event(event) => return Ok(Some(event)),
                Step::End => return Ok(None),
                Step::Open(path) => match self.open(&path) {
                    Ok(len) => self.demuxer.opened(len),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.demuxer.refused("no such file");
                    }
                    Err(error) => self.demuxer.refused(&error.to_string()),
                },
                Step::Read { path, offset, len } => {
                    let file = self.open.iter().find(|(known, _)| *known == path);
                    let read = match file {
                        Some((_, file)) => self.buffers.read_at(file, offset, len),
                        None => Err(io::ErrorKind::NotFound.into()),
                    };
                    let name = || self.folder.join(&*path);
                    let bytes = read.map_err(|error| Error::read(name().display(), error))?;
                    self.position += bytes.len() as u64;
                    self.demuxer.push(bytes);
                }
            }
        }
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn share(&self) -> Option<f64> {
        let (read, all) = self.demuxer.played();
        (!all.is_zero()).then(|| read.as_secs_f64() / all.as_secs_f64())
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.demuxer.left_out()
    }
}
