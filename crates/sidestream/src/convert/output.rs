//! The file that is written: gathered into few large writes, under another name until it is whole.

use std::fs::File;
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use remux::mp4::Write;

use super::Error;

/// Bytes that are gathered before they are written.
pub(super) const WRITE_LEN: usize = 1 << 19;
/// Slices that one call takes (`IOV_MAX`).
const MAX_SLICES: usize = 1_024;

/// Where bytes go.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// The file's name in the end.
    path: PathBuf,
    /// Its name until then; `None` where there is no file to rename: a pipe, a device.
    part: Option<PathBuf>,
    gathered: Vec<Bytes>,
    gathered_len: usize,
    written: u64,
}

impl Output {
    /// Opens standard output for `-`, what is no regular file as it is, else `NAME.part`.
    pub(super) fn create(path: &Path, overwrite: bool) -> Result<Self, Error> {
        let (file, part) = if is_standard(path) {
            let stdout = rustix::io::dup(io::stdout());
            let stdout = stdout.map_err(|error| Error::write(path, error.into()))?;
            (File::from(stdout), None)
        } else {
            refuse_existing(path, overwrite)?;
            if is_special(path) {
                let file = File::options().write(true).open(path);
                (file.map_err(|error| Error::write(path, error))?, None)
            } else {
                let part = part_name(path);
                // Readable too: an index in front needs the media once more.
                let file = File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(&part);
                let file = file.map_err(|error| Error::write(path, error))?;
                (file, Some(part))
            }
        };
        Ok(Self {
            file,
            path: path.to_owned(),
            part,
            gathered: Vec::new(),
            gathered_len: 0,
            written: 0,
        })
    }

    /// Its name in the end.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does what a muxer asks.
    pub(super) fn apply(&mut self, write: Write) -> Result<(), Error> {
        match write {
            Write::Append(parts) => parts.into_iter().try_for_each(|part| self.append(part)),
            Write::Overwrite { at, bytes } => self.replace(at, &bytes),
            // The file has another name until it is whole.
            Write::Sync => Ok(()),
            Write::Truncate { len } => self.truncate(len),
        }
    }

    /// Whether bytes that were written can be replaced.
    pub(super) fn is_file(&self) -> bool {
        self.part.is_some()
    }

    /// Bytes at the end of the file, shared until they are written.
    #[inline]
    pub(super) fn append(&mut self, bytes: Bytes) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.gathered_len += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_len >= WRITE_LEN || self.gathered.len() >= MAX_SLICES {
            self.flush()?;
        }
        Ok(())
    }

    /// Bytes at the end of the file, written now.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.flush()?;
        self.written += bytes.len() as u64;
        let done = self.file.write_all(bytes);
        done.map_err(|error| Error::write(&self.path, error))
    }

    /// Replaces bytes that were written before.
    fn replace(&mut self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        self.flush()?;
        let done = self.file.write_all_at(bytes, at);
        done.map_err(|error| Error::write(&self.path, error))
    }

    /// Cuts the file off.
    fn truncate(&mut self, len: u64) -> Result<(), Error> {
        self.flush()?;
        let done = self.file.set_len(len);
        done.map_err(|error| Error::write(&self.path, error))
    }

    /// Another file: `head`, then this range of what was written, which is then removed.
    pub(super) fn with_front(mut self, head: &[u8], range: Range<u64>) -> Result<Self, Error> {
        self.flush()?;
        let failed = |error: io::Error| Error::write(&self.path, error);
        let mut name = self.path.as_os_str().to_owned();
        name.push(".front.part");
        let part = PathBuf::from(name);
        let mut front = Self {
            file: File::create(&part).map_err(failed)?,
            path: self.path.clone(),
            part: Some(part),
            gathered: Vec::new(),
            gathered_len: 0,
            written: head.len() as u64,
        };
        front.file.write_all(head).map_err(failed)?;
        self.file
            .seek(SeekFrom::Start(range.start))
            .map_err(failed)?;
        let mut media = (&self.file).take(range.end.saturating_sub(range.start));
        // Between files the kernel copies.
        front.written += io::copy(&mut media, &mut front.file).map_err(failed)?;
        Ok(front)
    }

    /// The whole file is written: it gets its name. Gives its length.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        if let Some(part) = self.part.take() {
            let done = std::fs::rename(&part, &self.path);
            done.map_err(|error| Error::write(&self.path, error))?;
        }
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut slices: Vec<IoSlice<'_>> = self
            .gathered
            .iter()
            .map(|bytes| IoSlice::new(bytes))
            .collect();
        let done = write_all(&mut self.file, &mut slices);
        done.map_err(|error| Error::write(&self.path, error))?;
        self.written += self.gathered_len as u64;
        self.gathered.clear();
        self.gathered_len = 0;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // What was not finished is worth nothing; nobody is left to be told when this fails.
        if let Some(part) = self.part.take() {
            let _ = std::fs::remove_file(part);
        }
    }
}

fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let now = slices.len().min(MAX_SLICES);
        let written = file.write_vectored(slices.get(..now).unwrap_or_default());
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// `-`: standard input or output.
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether what was written there can be replaced.
pub(super) fn is_replaceable(path: &Path) -> bool {
    !is_standard(path) && !is_special(path)
}

/// Whether writing to it replaces nothing: a device or a pipe.
fn is_special(path: &Path) -> bool {
    let kind = std::fs::metadata(path).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_char_device() || kind.is_fifo() || kind.is_block_device())
}

/// An error when the file exists and may not be replaced.
pub(super) fn refuse_existing(path: &Path, overwrite: bool) -> Result<(), Error> {
    if !is_replaceable(path) {
        return Ok(());
    }
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Error::write(path, io::ErrorKind::IsADirectory.into()))
        }
        Ok(_) if !overwrite => Err(Error::Exists {
            output: path.display().to_string(),
        }),
        _ => Ok(()),
    }
}

/// `NAME.part`.
fn part_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
