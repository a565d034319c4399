//! Publishing something that is not a stream of the hub: a file, a clip.

use std::sync::Arc;

use bytes::Bytes;
use remux::flv::TagKind;
use rtmp::Url;

use crate::config::Config;
use crate::connection::{Connection, Purpose};
use crate::error::Error;
use crate::target::wrapped;

/// A publish on a remote server, fed tag by tag.
pub struct Publication {
    connection: Connection,
}

impl Publication {
    /// Connects and starts publishing.
    ///
    /// # Errors
    /// [`Error`] says where it failed.
    pub async fn connect(url: &Url, config: &Config) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::open(url, Purpose::Publish, config, Arc::default()).await?,
        })
    }

    /// Queues a tag body; script data is wrapped as servers want it (`@setDataFrame`).
    /// `timestamp_ms` wraps at 2^32. [`Publication::flush`] writes it.
    pub fn push(&mut self, kind: TagKind, timestamp_ms: u32, body: Bytes) {
        self.connection.push(wrapped(kind, body), timestamp_ms);
    }

    /// Writes what is queued. Cancel safe: the next call goes on.
    ///
    /// # Errors
    /// [`Error::Stalled`] when the server takes nothing, and whatever ends a connection.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.connection.flush().await
    }

    /// Waits until the server ends the connection; for whoever has nothing to send at the moment.
    /// Cancel safe.
    pub async fn closed(&mut self) -> Error {
        loop {
            if let Err(error) = self.connection.event().await {
                return error;
            }
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.connection.bytes_out()
    }

    /// Ends the publish in the protocol's way; waits at most a second.
    pub async fn finish(self) {
        self.connection.close().await;
    }
}
