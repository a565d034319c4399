//! Errors of the hub.

use std::net::SocketAddr;
use std::time::Duration;

use media::StreamName;

/// Why a publisher is not let in.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Somebody else publishes this stream and is healthy.
    #[error(
        "{name} is already being published{}; stop that publisher or use another name",
        owner.map(|peer| format!(" from {peer}")).unwrap_or_default()
    )]
    Busy {
        /// The stream.
        name: StreamName,
        /// The owner's address; `None` when it publishes from inside this process.
        owner: Option<SocketAddr>,
        /// How long the owner has been silent.
        silent: Duration,
    },
    /// The limit of streams is reached.
    #[error("{max} streams are live, the limit; end one or raise limits.publishers")]
    TooManyStreams {
        /// The limit.
        max: usize,
    },
    /// The relay is shutting down.
    #[error("the relay is shutting down; publish to another one")]
    Draining,
}

/// The publisher no longer owns its stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revoked {
    /// Another publisher took over.
    #[error("another publisher took over")]
    Replaced,
    /// An operator sent it away.
    #[error("dropped by the operator: {0}")]
    Dropped(Box<str>),
    /// The relay is shutting down.
    #[error("the relay is shutting down")]
    Draining,
}
