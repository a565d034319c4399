//! The stream under hyper: bytes read beforehand come first, and a peer that takes nothing is cut
//! off.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A connection that hyper serves.
pub(crate) struct Guarded<S> {
    inner: S,
    /// Read before hyper came; given to it first.
    early: Bytes,
    stall: Duration,
    /// Runs while a write waits; `waiting` says whether it does.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    figures: Figures,
}

/// What a connection counts, beside the others of its listener.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) bytes_in: Arc<AtomicU64>,
    pub(crate) bytes_out: Arc<AtomicU64>,
    /// Connections cut off because their peers took nothing.
    pub(crate) stalled: Arc<AtomicU64>,
}

impl<S> Guarded<S> {
    pub(crate) fn new(inner: S, early: Bytes, stall: Duration, figures: Figures) -> Self {
        let read = early.len() as u64;
        figures.bytes_in.fetch_add(read, Ordering::Relaxed);
        Self {
            inner,
            early,
            stall,
            timer: Box::pin(tokio::time::sleep(stall)),
            waiting: false,
            figures,
        }
    }

    /// Turns a write that waits into an error once it has waited too long.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                self.waiting = false;
                if let Ok(count) = &result {
                    let written = *count as u64;
                    self.figures.bytes_out.fetch_add(written, Ordering::Relaxed);
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                if !self.waiting {
                    self.waiting = true;
                    self.timer.as_mut().reset(Instant::now() + self.stall);
                }
                std::task::ready!(self.timer.as_mut().poll(cx));
                self.figures.stalled.fetch_add(1, Ordering::Relaxed);
                let text = "the peer takes nothing";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let count = self.early.len().min(into.remaining());
            into.put_slice(self.early.get(..count).unwrap_or_default());
            self.early.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, into);
        let count = into.filled().len().saturating_sub(before);
        let bytes_in = &self.figures.bytes_in;
        bytes_in.fetch_add(count as u64, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, flushed.map_ok(|()| 0)).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, closed.map_ok(|()| 0)).map_ok(|_| ())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn guarded(
        early: &'static [u8],
    ) -> (Guarded<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(8);
        let stall = Duration::from_secs(30);
        let io = Guarded::new(ours, Bytes::from_static(early), stall, Figures::default());
        (io, theirs)
    }

    #[tokio::test]
    async fn early_bytes_come_first_in_any_portion() {
        let (mut io, mut peer) = guarded(b"early");
        peer.write_all(b"late").await.unwrap();
        let mut got = [0; 3];
        io.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"ear");
        let mut got = [0; 6];
        io.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"lylate");
        assert_eq!(io.figures.bytes_in.load(Ordering::Relaxed), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_takes_nothing_is_cut_off_and_one_that_takes_a_little_is_not() {
        let (mut io, mut peer) = guarded(b"");
        let taking = tokio::spawn(async move {
            let mut byte = [0; 8];
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                peer.read_exact(&mut byte).await.unwrap();
            }
            peer
        });
        io.write_all(&[7; 32]).await.unwrap();
        let _peer = taking.await.unwrap();
        let began = Instant::now();
        let error = io.write_all(&[7; 9]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(30));
        assert_eq!(io.figures.stalled.load(Ordering::Relaxed), 1);
    }
}
