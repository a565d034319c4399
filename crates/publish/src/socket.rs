//! A connection to a remote server, plain or encrypted.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rtmp::{Scheme, Url};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Config;
use crate::error::Error;

pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Connects: every address of the host is tried in turn.
    pub(crate) async fn connect(url: &Url, config: &Config) -> Result<Self, Error> {
        let (host, port) = (url.host().to_owned(), url.port());
        let limit = config.connect_timeout;
        let resolved = timeout(limit, lookup_host((host.as_str(), port)))
            .await
            .map_err(|_| Error::Timeout {
                what: "resolving the host name",
                limit,
            })?;
        let addresses = resolved.map_err(|source| Error::Resolve {
            host: host.clone(),
            source,
        })?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    prepare(&tcp, config.write_timeout);
                    return Self::secure(tcp, url, config).await;
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Error::Connect {
            host,
            port,
            source: last,
        })
    }

    async fn secure(tcp: TcpStream, url: &Url, config: &Config) -> Result<Self, Error> {
        if url.scheme() == Scheme::Rtmp {
            return Ok(Self::Plain(tcp));
        }
        let tls = |source| Error::Tls {
            host: url.host().to_owned(),
            source,
        };
        let name = ServerName::try_from(url.host().to_owned())
            .map_err(|error| tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let connector = TlsConnector::from(Arc::clone(&config.trust.client));
        let limit = config.connect_timeout;
        match timeout(limit, connector.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Self::Tls(Box::new(stream))),
            Ok(Err(source)) => Err(tls(source)),
            Err(_) => Err(Error::Timeout {
                what: "the tls handshake",
                limit,
            }),
        }
    }

    pub(crate) fn peer(&self) -> Option<std::net::SocketAddr> {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        tcp.peer_addr().ok()
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// A dead remote server shows within `dead_after`, also while nothing is acknowledged, and a slow
/// one as soon as it is slow.
fn prepare(tcp: &TcpStream, dead_after: Duration) {
    /// Bytes that may wait in the kernel unsent: what waits there cannot be skipped any more.
    #[cfg(target_os = "linux")]
    const NOT_SENT_LOW_WATER: u32 = 128 << 10;
    let socket = socket2::SockRef::from(tcp);
    // A socket that refuses an option still works, only less well.
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER);
        let _ = socket.set_tcp_user_timeout(Some(dead_after));
    }
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(dead_after)
        .with_interval(Duration::from_secs(1));
    let _ = socket.set_tcp_keepalive(&keepalive);
}
