//! A folder of this machine.
//!
//! Below the root every part of a path is opened by itself, relative to the one before and without
//! following links: nothing that is planted there leads out. (`openat2` with `RESOLVE_BENEATH`
//! does the same, where the kernel and its filters allow it; this works everywhere.) The root
//! itself may be a link: it is the operator's.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Entry, EntryKind, Storage, StoredFile, folder_of};

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const FILE_MODE: Mode = Mode::from_raw_mode(0o640);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o750);
/// Pieces written at once; `IOV_MAX` on Linux.
const MAX_PIECES: usize = 1_024;

/// Recordings below one folder.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Files go below `root`, which is made when the first one is created.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn open_root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.root, flags, Mode::empty())?)
    }

    /// Opens a folder part by part; makes what is missing when `make`.
    fn folder(&self, folder: &str, make: bool) -> io::Result<OwnedFd> {
        if make && !self.root.is_dir() {
            std::fs::create_dir_all(&self.root)?;
        }
        let mut fd = self.open_root()?;
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            if part == ".." || part == "." {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            fd = match rustix::fs::openat(&fd, part, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) if make => {
                    match rustix::fs::mkdirat(&fd, part, FOLDER_MODE) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    rustix::fs::openat(&fd, part, FOLDER, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(fd)
    }
}

/// The last part of a path; refuses what is none.
fn name_of(path: &str) -> io::Result<&str> {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        "" | "." | ".." => Err(io::ErrorKind::InvalidInput.into()),
        name => Ok(name),
    }
}

impl Storage for Disk {
    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let folder = self.folder(folder_of(path), true)?;
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&folder, name_of(path)?, flags, FILE_MODE)?;
        Ok(Box::new(DiskFile(File::from(fd))))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn StoredFile>> {
        let folder = self.folder(folder_of(path), false)?;
        // NONBLOCK: a pipe that was planted must not stop us here.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&folder, name_of(path)?, flags, Mode::empty())?;
        let file = File::from(fd);
        match file.metadata()?.is_file() {
            true => Ok(Box::new(DiskFile(file))),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (old, new) = (
            self.folder(folder_of(from), false)?,
            self.folder(folder_of(to), false)?,
        );
        Ok(rustix::fs::renameat(
            &old,
            name_of(from)?,
            &new,
            name_of(to)?,
        )?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let folder = self.folder(folder_of(path), false)?;
        let name = name_of(path)?;
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {
                Ok(rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR)?)
            }
            removed => Ok(removed?),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let fd = match self.folder(folder, false) {
            Err(error) if folder.is_empty() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            opened => opened?,
        };
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry?;
            // Names that are no UTF-8 are none of ours.
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let mut file_type = entry.file_type();
            if file_type == FileType::Unknown {
                let stat = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
                file_type = FileType::from_raw_mode(stat.st_mode);
            }
            let kind = match file_type {
                FileType::RegularFile => EntryKind::File,
                FileType::Directory => EntryKind::Folder,
                _ => EntryKind::Other,
            };
            entries.push(Entry {
                name: name.to_owned(),
                kind,
            });
        }
        Ok(entries)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        if !self.root.is_dir() {
            std::fs::create_dir_all(&self.root)?;
        }
        let stat = rustix::fs::fstatvfs(self.open_root()?)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.folder(folder, false)?)?)
    }
}

struct DiskFile(File);

impl StoredFile for DiskFile {
    fn write_at(&mut self, mut at: u64, pieces: &[Bytes]) -> io::Result<()> {
        for pieces in pieces.chunks(MAX_PIECES) {
            let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|p| IoSlice::new(p)).collect();
            let mut left = &mut slices[..];
            IoSlice::advance_slices(&mut left, 0);
            while !left.is_empty() {
                match rustix::io::pwritev(&self.0, left, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        at += count as u64;
                        IoSlice::advance_slices(&mut left, count);
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn read_at(&self, mut at: u64, mut buffer: &mut [u8]) -> io::Result<usize> {
        let mut total = 0;
        while !buffer.is_empty() {
            match self.0.read_at(buffer, at) {
                Ok(0) => break,
                Ok(count) => {
                    total += count;
                    at += count as u64;
                    buffer = &mut buffer[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn lock(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            // File systems without locks: one process is the rule.
            Err(Errno::NOSYS | Errno::OPNOTSUPP) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    fn disk() -> (tempfile::TempDir, Disk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(&folder.path().join("root"));
        (folder, disk)
    }

    #[test]
    fn links_lead_nowhere() {
        let (folder, disk) = disk();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("secret"), "s").unwrap();
        symlink(&outside, root.join("live")).unwrap();
        symlink(outside.join("new"), root.join("a.mp4")).unwrap();
        symlink(outside.join("secret"), root.join("b.mp4")).unwrap();
        assert!(disk.create("live/a.mp4").is_err());
        assert!(disk.open("live/secret").is_err());
        assert!(disk.remove("live/secret").is_err());
        assert!(disk.list("live").is_err());
        let taken = disk.create("a.mp4").err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert!(disk.open("b.mp4").is_err());
        let kinds: Vec<EntryKind> = disk.list("").unwrap().iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [EntryKind::Other; 3]);
        let left: Vec<_> = std::fs::read_dir(&outside).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"s");
    }

    #[test]
    fn paths_do_not_climb_and_nothing_is_overwritten() {
        let (folder, disk) = disk();
        for path in ["../a", "a/../../b", "..", "a/.", ""] {
            assert!(disk.create(path).is_err(), "{path:?}");
        }
        let mut file = disk.create("a/b/c").unwrap();
        file.write_at(0, &[Bytes::from_static(b"one"), Bytes::from_static(b"two")])
            .unwrap();
        let taken = disk.create("a/b/c").err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        let content = std::fs::read(folder.path().join("root/a/b/c")).unwrap();
        assert_eq!(content, b"onetwo");
    }

    #[test]
    fn a_lock_is_held_until_its_file_is_closed() {
        let (_folder, disk) = disk();
        let file = disk.create("a").unwrap();
        assert!(file.lock().unwrap());
        let other = disk.open("a").unwrap();
        assert!(!other.lock().unwrap());
        drop(file);
        assert!(other.lock().unwrap());
    }
}
