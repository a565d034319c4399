//! Files below the recording root.
//!
//! A seam: [`Disk`] is the real one, tests put one in its place that fails the n-th operation or
//! never returns. Paths are relative to the root, parts joined by `/`, none of them `.` or `..`.

mod disk;
#[cfg(test)]
pub(crate) mod faulty;

use std::io;

use bytes::Bytes;

pub use disk::Disk;

/// A folder tree that recordings are written into.
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// Creates a file, and the folders above it. Never opens what is there already, and follows no
    /// symbolic link below the root.
    ///
    /// # Errors
    /// `AlreadyExists`, and whatever the system says.
    fn create(&self, path: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Opens a regular file for reading and writing; follows no symbolic link.
    ///
    /// # Errors
    /// Whatever the system says; `InvalidInput` for what is no regular file.
    fn open(&self, path: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file, or an empty folder.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// What a folder holds, in no order; `""` is the root. A root that is not there is empty.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, folder: &str) -> io::Result<Vec<Entry>>;

    /// Bytes that unprivileged users may still write.
    ///
    /// # Errors
    /// Whatever the system says.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
}

/// An open file.
pub trait StoredFile: Send {
    /// Writes all pieces at `at`, in order. After an error part of them may be there.
    ///
    /// # Errors
    /// Whatever the system says.
    fn write_at(&mut self, at: u64, pieces: &[Bytes]) -> io::Result<()>;

    /// Reads at most `buffer.len()` bytes; less only at the end.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn size(&self) -> io::Result<u64>;

    /// Cuts it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn truncate(&mut self, size: u64) -> io::Result<()>;

    /// Makes its content durable.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Takes the lock that says "a process writes this"; false when another has it. It is given
    /// back when the file is closed.
    ///
    /// # Errors
    /// Whatever the system says.
    fn lock(&self) -> io::Result<bool>;
}

/// Something in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a pipe, a device: never touched.
    Other,
}

/// The folder part of a path; `""` at the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Writes a small file whole: under another name first, so that readers see the old one or the new.
pub(crate) fn replace(storage: &dyn Storage, path: &str, content: Bytes) -> io::Result<()> {
    let temporary = format!("{path}.tmp");
    // One that a crash left behind.
    match storage.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = storage.create(&temporary).and_then(|mut file| {
        file.write_at(0, &[content])?;
        file.sync()
    });
    let renamed = written.and_then(|()| storage.rename(&temporary, path));
    if renamed.is_err() {
        // The reason is what counts; what is left is removed with the next try.
        let _ = storage.remove(&temporary);
    }
    renamed
}
