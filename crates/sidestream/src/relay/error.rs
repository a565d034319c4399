//! Why a relay cannot be built, or does not do what it was asked.

use std::io;
use std::net::SocketAddr;

use media::NameError;

/// What the facade refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A listen address cannot be bound.
    #[error("{listener} listen {addr}: {}", bind_reason(source))]
    Bind {
        /// `rtmp`, `rtmps`, `http` or `https`.
        listener: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate or key cannot be used.
    #[error("{0}")]
    Tls(#[from] super::tls::TlsError),
    /// A file of secrets cannot be used; the text says which and why.
    #[error("{0}")]
    SecretFile(String),
    /// The authorisation webhook cannot be asked.
    #[error("auth.webhook: {0}")]
    Webhook(#[from] control::admission::WebhookError),
    /// The storage that HLS is to be copied to cannot be used; the text says why.
    #[error("{0}")]
    Mirror(String),
    /// The workers or another part of the engine did not start.
    #[error("{part}: {source}")]
    Start {
        /// Which part.
        part: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The control plane's database cannot be used; the text says what to do.
    #[error("{0}")]
    Store(#[from] control::OpenError),
    /// The control plane cannot work as it is configured.
    #[error("control: {0}")]
    Control(#[from] control::Error),
    /// A text is not the name of a stream.
    #[error("stream name {name:?}: {source}")]
    Name {
        /// The text.
        name: String,
        /// Why.
        source: NameError,
    },
    /// A text is not the URL of a push target; the text is not repeated, it may hold a key.
    #[error("push target: {0}")]
    Url(#[from] rtmp::ParseUrlError),
    /// The hub does not let the publisher in.
    #[error(transparent)]
    Publish(#[from] hub::PublishError),
    /// The publisher no longer owns its stream.
    #[error(transparent)]
    Revoked(#[from] hub::Revoked),
    /// A track was refused.
    #[error(transparent)]
    Track(#[from] hub::TrackError),
    /// A codec configuration cannot be parsed.
    #[error(transparent)]
    CodecConfig(#[from] media::config::Error),
    /// A recording cannot be what it is to be, or cannot start.
    #[error("recording: {0}")]
    Record(#[from] ::record::Error),
    /// Too many names are awaited by subscribers.
    #[error("too many streams are awaited; wait for fewer names at once")]
    TooManyAwaited,
}

fn bind_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}
