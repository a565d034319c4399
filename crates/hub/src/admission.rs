//! Who may publish and who may watch: one question, asked by every ingest and every output.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use media::StreamName;

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish a stream.
    Publish,
    /// Watch a stream.
    Play,
}

/// The question: may this peer do this?
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ask {
    /// What it wants.
    pub action: Action,
    /// The stream.
    pub name: StreamName,
    /// How it comes: `rtmp`, `rtmps`, `http-flv`, `ws-flv`, `http-ts`, `hls`.
    pub protocol: &'static str,
    /// Where it comes from.
    pub peer: Option<SocketAddr>,
    /// What followed `?` in the name or URL, as it came. May hold secrets.
    pub query: Option<Box<str>>,
}

impl Ask {
    /// A question without query.
    #[must_use]
    pub fn new(action: Action, name: StreamName, protocol: &'static str) -> Self {
        Self {
            action,
            name,
            protocol,
            peer: None,
            query: None,
        }
    }

    /// The value of `key=` in the query; `key` is the usual place of a stream key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.parameter("key")
    }

    /// The first value of a query parameter, as it came (not percent-decoded).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, v)| v)
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow,
    /// Yes, as this stream: the name that was asked for is a key or an alias. For publishers;
    /// a player gets the stream that it asked for.
    AllowAs(StreamName),
    /// Yes, and so is whoever repeats this query (`token=…`): playlists put it on the links in
    /// them, and each request is asked about. For players.
    AllowLinks(Arc<str>),
    /// No; the peer is told this reason.
    Deny(Box<str>),
    /// There is no such stream for this peer.
    Absent,
}

impl Verdict {
    /// No, for this reason.
    #[must_use]
    pub fn deny(reason: &str) -> Self {
        Self::Deny(reason.into())
    }

    /// Whether it is no.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Deny(_) | Self::Absent)
    }
}

/// A verdict to come.
pub type Verdicts<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// Answers the question. Functions from [`Ask`] to a future of [`Verdict`] are authorizers.
pub trait Authorizer: Send + Sync + 'static {
    /// Whether the peer may do what it asks for.
    fn authorize(&self, ask: Ask) -> Verdicts<'_>;
}

impl<F, R> Authorizer for F
where
    F: Fn(Ask) -> R + Send + Sync + 'static,
    R: Future<Output = Verdict> + Send + 'static,
{
    fn authorize(&self, ask: Ask) -> Verdicts<'_> {
        Box::pin(self(ask))
    }
}

/// Allows everything: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize(&self, _: Ask) -> Verdicts<'_> {
        Box::pin(std::future::ready(Verdict::Allow))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn key_is_one_parameter_of_the_query() {
        let name = StreamName::parse("live", "a").unwrap();
        let mut ask = Ask::new(Action::Publish, name, "rtmp");
        assert_eq!(ask.key(), None);
        ask.query = Some("monkey=x&key=s3cret&key=2".into());
        assert_eq!(ask.key(), Some("s3cret"));
        assert_eq!(ask.parameter("token"), None);
    }
}
