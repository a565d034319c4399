//! Why media from elsewhere does not come. Every text begins with the input.

use std::io;
use std::time::Duration;

/// Why media from elsewhere does not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// The text is no input.
    #[error("{url}: {what}")]
    Url {
        /// The text without its query.
        url: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// Reading failed, or the connection broke.
    #[error("{input}: {}", io_reason(error))]
    Io {
        /// The input.
        input: String,
        /// What the system said.
        error: io::Error,
    },
    /// Nothing answers there.
    #[error("{input}: {}", connect_reason(error, peer))]
    Connect {
        /// The input.
        input: String,
        /// `host:port`.
        peer: String,
        /// What the system said.
        error: io::Error,
    },
    /// There is no such stream (yet).
    #[error("{input}: nobody publishes {stream} yet; start the publisher or add --wait 30s")]
    NobodyPublishes {
        /// The input.
        input: String,
        /// `app/stream`.
        stream: String,
    },
    /// The server refused.
    #[error("{input}: refused ({reason:?}); check the name and the key")]
    Refused {
        /// The input.
        input: String,
        /// The server's words.
        reason: String,
    },
    /// The server answered with something else.
    #[error("{input}: {what}")]
    Answer {
        /// The input.
        input: String,
        /// What it answered and what was expected.
        what: String,
    },
    /// Nothing came for too long.
    #[error("{input}: no answer for {}; check the address", crate::config::quantity::show_duration(*after))]
    Timeout {
        /// The input.
        input: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The server broke the protocol.
    #[error("{input}: {error}")]
    Rtmp {
        /// The input.
        input: String,
        /// What it did.
        error: rtmp::Error,
    },
    /// Damaged FLV.
    #[error("{input}: {error}")]
    Flv {
        /// The input.
        input: String,
        /// Where and what.
        error: remux::flv::Error,
    },
    /// TLS cannot be set up.
    #[error("{input}: tls: {what}")]
    Tls {
        /// The input.
        input: String,
        /// Why.
        what: String,
    },
}

fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder; name a file in it".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        _ => error.to_string(),
    }
}

fn connect_reason(error: &io::Error, peer: &str) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("connection refused by {peer}; start the server or check the port")
        }
        io::ErrorKind::TimedOut => format!("{peer} does not answer; check the address"),
        _ => format!("{peer}: {error}"),
    }
}
