//! An accepted connection, plain or encrypted.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::sys::socket::setsockopt;
use nix::{libc, setsockopt_impl, sockopt_impl};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Bytes read at once: more than this and the parse no longer runs from the first-level cache.
pub(crate) const READ_BYTES: usize = 32 << 10;

sockopt_impl!(
    /// Bytes that must have come before the socket is told of as readable.
    ReceiveLowWater,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    libc::c_int
);

thread_local! {
    /// One read buffer for all connections of a thread; never borrowed across an await.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A connection from a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Reads once and gives the bytes to `take`, whose result is returned; `None` at the end.
    /// Cancel safe: nothing is read unless it returns.
    pub(crate) async fn read_with<R>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> R,
    ) -> io::Result<Option<R>> {
        poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buf = ReadBuf::new(scratch);
                ready!(self.poll_read(cx, &mut buf))?;
                let filled = buf.filled();
                Poll::Ready(Ok((!filled.is_empty()).then(|| take(filled))))
            })
        })
        .await
    }

    /// As [`Socket::read_with`], of what has come so far whether or not it was told of: the
    /// outer `None` when there is nothing.
    pub(crate) fn try_read_with<R>(
        &mut self,
        take: impl FnOnce(&[u8]) -> R,
    ) -> io::Result<Option<Option<R>>> {
        let Self::Plain(tcp) = self else {
            return Ok(None);
        };
        SCRATCH.with_borrow_mut(|scratch| match (&*SockRef::from(&*tcp)).read(scratch) {
            Ok(0) => Ok(Some(None)),
            Ok(count) => Ok(Some(Some(take(&scratch[..count])))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Bytes that must have come before [`Socket::read_with`] wakes; an end or an error always
    /// does. False where it cannot be said: a TLS record is read whole.
    pub(crate) fn set_low_water(&self, bytes: usize) -> bool {
        let Self::Plain(tcp) = self else {
            return false;
        };
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        setsockopt(tcp, ReceiveLowWater, &bytes).is_ok()
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }

    /// Writes all of it and flushes. Not cancel safe.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes).await,
            Self::Tls(tls) => {
                tls.write_all(bytes).await?;
                tls.flush().await
            }
        }
    }

    /// Says that no more comes.
    pub(crate) async fn shutdown(&mut self) {
        let result = match self {
            Self::Plain(tcp) => tcp.shutdown().await,
            Self::Tls(tls) => tls.shutdown().await,
        };
        // The peer may be gone already; there is nobody to tell.
        drop(result);
    }
}
