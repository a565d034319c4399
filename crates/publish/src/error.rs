//! Why a remote server is not reached, or no longer.

use std::io;
use std::time::Duration;

/// Why a connection to a remote server failed. The texts never hold a stream key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's name gives no address.
    #[error("no address for {host}: {source}; check the host name")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// None of the addresses takes the connection.
    #[error("cannot connect to {host}:{port}: {source}")]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The last address's error.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("tls with {host}: {source}; check the certificate and the name")]
    Tls {
        /// The host.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
    /// Something took too long.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The server refused the publish or play.
    #[error("refused by the server (\"{0}\"); check the key there")]
    Rejected(String),
    /// The server ended the stream and said why.
    #[error("ended by the server (\"{0}\")")]
    Ended(String),
    /// The server ended the connection.
    #[error("closed by the server")]
    Closed,
    /// The server broke the protocol.
    #[error("{}", with_causes(.0))]
    Rtmp(#[from] rtmp::Error),
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The server does not read what it is sent.
    #[error("the server has taken nothing for {0:?}")]
    Stalled(Duration),
    /// The target is this relay and this stream.
    #[error("the target is this stream itself; a loop is not pushed")]
    Loop,
}

impl Error {
    /// Whether trying again can never help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Loop)
    }
}

/// An error and what caused it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
