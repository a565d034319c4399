//! Segments that are read from the disk while they are sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::Semaphore;

use super::{Dvr, Shelf};

/// Read at once, for one client: what a client that takes nothing holds in memory.
const CHUNK: usize = 256 << 10;
/// Reads at once, over all clients: each takes a thread while it lasts.
const READS: usize = 64;

static READING: Semaphore = Semaphore::const_new(READS);

/// A range of a file.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    file: Arc<File>,
    offset: u64,
    len: u64,
}

impl Dvr {
    /// The segment or init segment of this name, and its MIME type.
    pub(crate) async fn open_file(
        &self,
        shelf: &Shelf,
        name: &str,
    ) -> Option<(Stored, &'static str)> {
        let (path, found) = shelf.find(name)?;
        let opened = blocking(move || File::open(path)).await;
        let stored = Stored {
            file: Arc::new(opened.ok()?),
            offset: found.offset.into(),
            len: found.len.into(),
        };
        Some((stored, found.content_type))
    }
}

impl Stored {
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// `len` bytes from `first` on, both within it, read as they are taken.
    pub(crate) fn body(&self, first: usize, len: usize) -> Body {
        let file = Arc::clone(&self.file);
        let at = self.offset + first as u64;
        let chunks = stream::unfold((file, at, len), async |(file, at, left)| {
            if left == 0 {
                return None;
            }
            let most = left.min(CHUNK);
            let reading = Arc::clone(&file);
            let read = blocking(move || read(&reading, at, most)).await;
            // After an error there is nothing to go on with: the length was promised.
            let left = if read.is_ok() { left - most } else { 0 };
            Some((read, (file, at + most as u64, left)))
        });
        Body::from_stream(chunks)
    }
}

fn read(file: &File, at: u64, len: usize) -> io::Result<Bytes> {
    let mut chunk = BytesMut::zeroed(len);
    file.read_exact_at(&mut chunk, at)?;
    Ok(chunk.freeze())
}

/// Runs on a thread for blocking calls, a bounded number at once.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = READING.acquire().await;
    let done = tokio::task::spawn_blocking(work).await;
    drop(place);
    done.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}
