//! Playing a stream of a remote server.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use remux::flv::TagKind;
use rtmp::{ClientEvent, Url};

use crate::config::Config;
use crate::connection::{Connection, Purpose};
use crate::error::Error;

/// A play on a remote server: gives tag bodies.
pub struct Pull {
    connection: Connection,
}

/// One message of the remote stream.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// Audio, video or script data.
    pub kind: TagKind,
    /// Milliseconds, wrapping at 2^32.
    pub timestamp_ms: u32,
    /// The tag body; for script data the whole AMF0, name included.
    pub body: Bytes,
}

impl Pull {
    /// Connects and starts playing.
    ///
    /// # Errors
    /// [`Error`] says where it failed.
    pub async fn connect(url: &Url, config: &Config) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::open(url, Purpose::Play, config, Arc::default()).await?,
        })
    }

    /// The next message; `None` when the server said that the stream ended. Cancel safe.
    ///
    /// # Errors
    /// Whatever ends a connection.
    pub async fn next(&mut self) -> Result<Option<Pulled>, Error> {
        loop {
            let event = match self.connection.event().await {
                Err(Error::Closed) if self.connection.said_end() => return Ok(None),
                event => event?,
            };
            let (kind, timestamp_ms, body) = match event {
                ClientEvent::Video { timestamp, payload } => (TagKind::Video, timestamp, payload),
                ClientEvent::Audio { timestamp, payload } => (TagKind::Audio, timestamp, payload),
                ClientEvent::Data {
                    timestamp,
                    name,
                    payload,
                } => {
                    let mut body = BytesMut::with_capacity(name.len() + payload.len() + 3);
                    amf0::encode(&amf0::Value::String(name), &mut body);
                    body.extend_from_slice(&payload);
                    (TagKind::Script, timestamp, body.freeze())
                }
                _ => continue,
            };
            return Ok(Some(Pulled {
                kind,
                timestamp_ms,
                body,
            }));
        }
    }

    /// Leaves.
    pub async fn close(self) {
        self.connection.close().await;
    }
}
