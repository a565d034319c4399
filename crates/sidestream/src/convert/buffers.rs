//! Memory that input is read into, used again when nothing of it is needed any more.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustix::buffer::spare_capacity;

/// Bytes that are read at once: large enough that few units straddle two reads.
pub(super) const READ_LEN: usize = 1 << 20;
/// Buffers that wait to be used again.
const MAX_FREE: usize = 8;

/// Reads without zeroing and, as long as outputs let go of their input, without allocating.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    /// The lock guards the list for the time of a push or a pop.
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// What was read; goes back to the list when the last slice of it is dropped.
struct Lent {
    bytes: Vec<u8>,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_FREE {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Buffers {
    /// The next bytes of `input`; empty at its end.
    pub(super) fn read(&self, input: impl AsFd) -> io::Result<Bytes> {
        self.fill(READ_LEN, |buffer| {
            rustix::io::read(input.as_fd(), spare_capacity(buffer))
        })
    }

    /// At most `len` bytes from `offset` on; empty at the end.
    pub(super) fn read_at(&self, input: impl AsFd, offset: u64, len: usize) -> io::Result<Bytes> {
        let len = len.min(READ_LEN);
        self.fill(len, |buffer| {
            let room = spare_capacity(buffer);
            rustix::io::pread(input.as_fd(), room, offset)
        })
    }

    fn fill(
        &self,
        len: usize,
        mut read: impl FnMut(&mut Vec<u8>) -> rustix::io::Result<usize>,
    ) -> io::Result<Bytes> {
        let reused = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut buffer = reused.unwrap_or_default();
        buffer.clear();
        buffer.reserve_exact(len);
        loop {
            match read(&mut buffer) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Bytes::from_owner(Lent {
            bytes: buffer,
            free: Arc::clone(&self.free),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_only_when_no_slice_of_it_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        std::fs::write(&path, b"abcdef").expect("written");
        let file = std::fs::File::open(&path).expect("opened");
        let buffers = Buffers::default();
        let first = buffers.read_at(&file, 0, 4).expect("read");
        assert_eq!(&first[..], b"abcdef".get(..first.len()).unwrap_or_default());
        let kept = first.slice(2..3);
        drop(first);
        let second = buffers.read_at(&file, 3, 4).expect("read");
        assert_eq!((&kept[..], &second[..3]), (&b"c"[..], &b"def"[..]));
        let place = second.as_ptr();
        drop(second);
        // No more room is asked for, so it stays where it is.
        let third = buffers.read_at(&file, 0, 3).expect("read");
        assert_eq!((third.as_ptr(), &third[..3]), (place, &b"abc"[..]));
        assert!(buffers.read_at(&file, 6, 3).expect("read").is_empty());
    }
}
