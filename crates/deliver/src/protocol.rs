//! What a viewer is when it is handed over.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{Stream, ViewerInfo};
use rtmp::ServerSession;

use crate::entry::Envelope;
use crate::socket::Socket;

/// A viewer on its way to a worker.
#[derive(Debug)]
pub struct NewViewer {
    /// What it watches; it may not be live yet.
    pub stream: Arc<Stream>,
    /// Its connection.
    pub socket: Socket,
    /// What it speaks.
    pub protocol: Protocol,
    /// What is known of it.
    pub info: ViewerInfo,
    /// When it gives up waiting for somebody to publish the stream; `None` waits for ever.
    pub wait_until: Option<Instant>,
    /// Dropped with the socket.
    pub guard: Guard,
}

/// Holds a connection's place in limits and counters, whatever that is to who hands it over.
#[derive(Default)]
pub struct Guard(Option<Box<dyn Any + Send>>);

impl Guard {
    /// Keeps `place` for as long as the viewer is served.
    #[must_use]
    pub fn new(place: impl Any + Send) -> Self {
        Self(Some(Box::new(place)))
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() {
            "Guard"
        } else {
            "no guard"
        })
    }
}

/// What a viewer speaks, and how far it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Protocol {
    /// RTMP, after its play was accepted and everything that `session` had to send was sent.
    Rtmp {
        /// The session.
        session: Box<ServerSession>,
        /// The message stream that plays.
        message_stream_id: u32,
    },
    /// HTTP-FLV.
    Flv {
        /// The response head, sent first.
        head: Bytes,
        /// How the body that follows is marked off; the head says the same.
        transfer: Transfer,
    },
    /// FLV in binary WebSocket messages, after the head that accepts the upgrade.
    WsFlv {
        /// Bytes to send first.
        head: Bytes,
    },
    /// Endless MPEG-TS over HTTP.
    Ts {
        /// The response head, sent first.
        head: Bytes,
        /// How the body that follows is marked off; the head says the same.
        transfer: Transfer,
    },
}

/// How an HTTP/1 body is marked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// `Transfer-Encoding: chunked`: players can tell the end from a break.
    Chunked,
    /// The end of the connection ends the body (HTTP/1.0).
    UntilClose,
}

impl Transfer {
    pub(crate) fn envelope(self) -> Envelope {
        match self {
            Self::Chunked => Envelope::Chunked,
            Self::UntilClose => Envelope::None,
        }
    }
}

impl Protocol {
    pub(crate) fn is_ts(&self) -> bool {
        matches!(self, Self::Ts { .. })
    }
}
