//! A publisher's stay on a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Revoked;
use crate::notice::Notice;

/// What is known of a publisher. `Debug` does not show its query.
#[derive(Clone)]
pub struct PublisherInfo {
    /// Label: `rtmp`, `rtmps`, `library`.
    pub protocol: &'static str,
    /// Its address; `None` inside the process.
    pub peer: Option<SocketAddr>,
    /// What it calls itself (`flashVer`), shortened to 128 bytes.
    pub client: Box<str>,
    /// The connection's id as the log names it.
    pub conn: Box<str>,
    /// What followed `?` in the publish URL. May hold secrets.
    pub query: Box<str>,
}

impl PublisherInfo {
    /// A publisher inside this process.
    #[must_use]
    pub fn library() -> Self {
        Self {
            protocol: "library",
            peer: None,
            client: "".into(),
            conn: "".into(),
            query: "".into(),
        }
    }
}

impl std::fmt::Debug for PublisherInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let query = if self.query.is_empty() { "" } else { "****" };
        f.debug_struct("PublisherInfo")
            .field("protocol", &self.protocol)
            .field("peer", &self.peer)
            .field("client", &self.client)
            .field("conn", &self.conn)
            .field("query", &query)
            .finish()
    }
}

/// Why a publisher left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// It said so: unpublish, `FCUnpublish`, `deleteStream`, end of a library publisher.
    Finished,
    /// Its connection broke, or it fell silent.
    Lost(Box<str>),
    /// It was sent away.
    Revoked(Revoked),
}

impl std::fmt::Display for CloseCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Finished => f.write_str("publisher ended the stream"),
            Self::Lost(why) => f.write_str(why),
            Self::Revoked(why) => write!(f, "{why}"),
        }
    }
}

/// The publisher that owns a stream now.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) id: u64,
    pub(crate) info: PublisherInfo,
    pub(crate) since: Instant,
    pub(crate) last_received: Instant,
    pub(crate) notice: Arc<Notice<Revoked>>,
}
