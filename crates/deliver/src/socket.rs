//! A viewer's socket, plain or encrypted.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A viewer's connection. Writing to it is all that a worker does per viewer and batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// One whose every byte a test takes when it likes.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl Socket {
    /// The peer's address, where it is known.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Tls(tls) => Some(tls.get_ref().0),
            #[cfg(test)]
            Self::Memory(_) => None,
        }
    }

    /// Sets what every viewer's socket wants: small writes go out at once, and a backlog shows
    /// early, so that what is dropped is old and what is sent is fresh.
    pub(crate) fn prepare(&self) {
        /// Bytes that may wait in the kernel unsent.
        const NOT_SENT_LOW_WATER: u32 = 128 << 10;
        let Some(tcp) = self.tcp() else { return };
        let socket = socket2::SockRef::from(tcp);
        // A socket that refuses an option still works, only less well.
        let _ = socket.set_tcp_nodelay(true);
        #[cfg(target_os = "linux")]
        {
            let _ = socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER);
            let _ = socket.set_tcp_user_timeout(Some(std::time::Duration::from_secs(20)));
        }
        let _ = socket.set_keepalive(true);
    }

    /// Moves a plain socket to the runtime that runs now, so that its wake-ups stay on this
    /// thread. An encrypted one stays where it was opened; its wakers work from anywhere.
    pub(crate) fn adopt(self) -> io::Result<Self> {
        match self {
            Self::Plain(tcp) => Ok(Self::Plain(TcpStream::from_std(tcp.into_std()?)?)),
            other => Ok(other),
        }
    }

    pub(crate) fn is_plain(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }

    /// Writes one piece; pending when the socket is full, and the waker is then kept.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => match tcp.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Registers the waker, and tries again where the socket drained meanwhile.
                    Pin::new(tcp).poll_write(cx, bytes)
                }
                done => Poll::Ready(done),
            },
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
            #[cfg(test)]
            Self::Memory(memory) => Pin::new(memory).poll_write(cx, bytes),
        }
    }

    /// As [`Socket::poll_send`], of several pieces.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => match tcp.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Pin::new(tcp).poll_write_vectored(cx, slices)
                }
                done => Poll::Ready(done),
            },
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
            #[cfg(test)]
            Self::Memory(memory) => Pin::new(memory).poll_write_vectored(cx, slices),
        }
    }

    /// Pushes out what encryption holds back.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            #[cfg(test)]
            Self::Memory(memory) => Pin::new(memory).poll_flush(cx),
        }
    }

    /// Reads what the viewer sent.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, into),
            #[cfg(test)]
            Self::Memory(memory) => Pin::new(memory).poll_read(cx, into),
        }
    }

    /// Says that no more comes.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            #[cfg(test)]
            Self::Memory(memory) => Pin::new(memory).poll_shutdown(cx),
        }
    }
}
