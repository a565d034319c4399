//! What can go wrong, of a run and of one connection.

use std::io;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be published.
    #[error("{0}")]
    Source(String),
    /// An address cannot be used.
    #[error("{url}: {what}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Settings(String),
    /// The machine's limits do not allow the run.
    #[error("{0}")]
    Limits(String),
    /// No publisher, or no viewer, came as far as media.
    #[error("none of {count} {what} came through: {reason}")]
    Nothing {
        /// How many were tried.
        count: u32,
        /// `publishers` or `viewers`.
        what: &'static str,
        /// The most frequent reason.
        reason: String,
    },
    /// A process that was to be measured is not there.
    #[error("process {pid}: {what}")]
    Process {
        /// Its id.
        pid: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A connection could not be made.
    #[error("connect {peer}: {error}")]
    Connect {
        /// Host and port.
        peer: String,
        /// The reason.
        error: io::Error,
    },
    /// The server closed the connection.
    #[error("closed by the server")]
    Closed,
    /// The server ended the stream.
    #[error("ended by the server")]
    Ended,
    /// The server said no.
    #[error("refused: {0}")]
    Refused(String),
    /// The server did not speak the protocol.
    #[error("{0}")]
    Protocol(String),
    /// Something did not come in time.
    #[error("{0} did not come in time")]
    Timeout(&'static str),
    /// A socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<rtmp::Error> for Error {
    fn from(error: rtmp::Error) -> Self {
        Self::Protocol(error.to_string())
    }
}
