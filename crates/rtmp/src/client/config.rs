//! Where a client goes and what it says about itself.

use std::time::Duration;

use amf0::Value;

use crate::{Capabilities, Url};

/// Where a client goes and what it says about itself.
#[derive(Clone, PartialEq)]
pub struct ClientConfig {
    /// Application name, query included if the server wants one there.
    pub app: String,
    /// `tcUrl`: the server's URL up to the application.
    pub tc_url: String,
    /// Stream name to publish or play, query included. Secret: never logged.
    pub stream_key: String,
    /// `flashVer`. Default `FMLE/3.0 (compatible; sidestream)`: some servers look for FMLE.
    pub flash_ver: String,
    /// Chunk size of everything that is sent, in bytes, `1..=16_777_215`. Default 60 000.
    pub chunk_size: u32,
    /// The server is asked to acknowledge after this many bytes. Default 5 000 000.
    pub window_ack_bytes: u32,
    /// What is announced about Enhanced RTMP; `None` announces nothing.
    pub enhanced: Option<Capabilities>,
    /// Further properties of the connect command object, after the usual ones.
    pub connect_properties: Vec<(String, Value)>,
    /// A server that sends nothing for this long once publishing or playing has begun is gone;
    /// `None` waits for ever. Many servers send nothing at all to publishers. Default `None`.
    pub idle: Option<Duration>,
}

impl ClientConfig {
    /// The usual configuration for a stream of a server.
    pub fn new(
        app: impl Into<String>,
        tc_url: impl Into<String>,
        stream_key: impl Into<String>,
    ) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            stream_key: stream_key.into(),
            flash_ver: "FMLE/3.0 (compatible; sidestream)".to_owned(),
            chunk_size: 60_000,
            window_ack_bytes: 5_000_000,
            enhanced: Some(Capabilities::default()),
            connect_properties: Vec::new(),
            idle: None,
        }
    }

    /// The usual configuration for a URL.
    pub fn from_url(url: &Url) -> Self {
        Self::new(url.app(), url.tc_url(), url.stream_key())
    }
}

impl std::fmt::Debug for ClientConfig {
    /// Leaves out the stream key and everything else that may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig")
            .field("flash_ver", &self.flash_ver)
            .field("chunk_size", &self.chunk_size)
            .field("enhanced", &self.enhanced)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
