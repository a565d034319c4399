//! Connections to other servers, plain or encrypted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PullError;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to another server.
#[derive(Debug)]
pub(crate) enum ClientSocket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl ClientSocket {
    /// Connects; `tls` also proves who answers, by the roots of the web.
    pub(crate) async fn connect(
        input: &dyn std::fmt::Display,
        host: &str,
        port: u16,
        tls: bool,
        protocols: &[&[u8]],
    ) -> Result<Self, PullError> {
        let attempt = async {
            let tcp = TcpStream::connect((host, port)).await.map_err(|error| {
                let (input, peer) = (input.to_string(), format!("{host}:{port}"));
                PullError::Connect { input, peer, error }
            })?;
            let _ = tcp.set_nodelay(true);
            if !tls {
                return Ok(Self::Plain(tcp));
            }
            let wrong = |what: String| PullError::Tls {
                input: input.to_string(),
                what,
            };
            let name =
                ServerName::try_from(host.to_owned()).map_err(|error| wrong(error.to_string()))?;
            let config = client_config(protocols).map_err(|error| wrong(error.to_string()))?;
            let stream = TlsConnector::from(config)
                .connect(name, tcp)
                .await
                .map_err(|error| wrong(error.to_string()))?;
            Ok(Self::Tls(Box::new(stream)))
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(result) => result,
            Err(_) => Err(PullError::Timeout {
                input: input.to_string(),
                after: CONNECT_TIMEOUT,
            }),
        }
    }
}

fn client_config(protocols: &[&[u8]]) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let roots: rustls::RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let mut config = rustls::ClientConfig::builder_with_provider(crate::relay::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
