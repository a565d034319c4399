//! A viewer that takes as many bytes as it is told to, when it is told to.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use hub::{Stream, ViewerInfo};
use rtmp::chunk::MessageHeader;
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use rtmp::{ServerConfig, ServerEvent, ServerSession};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::read::{self, Read};
use crate::protocol::{Guard, NewViewer, Protocol, Transfer};
use crate::socket::Socket;

/// What a viewer speaks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// RTMP in chunks of this size.
    Rtmp(u32),
    Flv,
    Chunked,
    WebSocket,
    /// MPEG-TS in chunks.
    Ts,
}

pub(super) struct TestViewer {
    kind: Kind,
    name: String,
    /// `None` once the server has said that no more comes.
    socket: Option<DuplexStream>,
    /// Speaks for an RTMP player.
    client: Option<ClientSession>,
    /// All that came, in RTMP from the server's first byte on.
    wire: Vec<u8>,
    /// Bytes of `wire` from before it was handed over.
    negotiated: usize,
    unsent: Vec<u8>,
    asked: usize,
    paused: bool,
    has_paused: bool,
}

impl TestViewer {
    /// The viewer, and its side for the group; its socket holds so many bytes.
    pub(super) fn new(
        kind: Kind,
        socket_bytes: usize,
        number: usize,
        stream: Arc<Stream>,
        now: Instant,
    ) -> (Self, NewViewer) {
        let (ours, theirs) = tokio::io::duplex(socket_bytes);
        let mut viewer = Self {
            kind,
            name: number.to_string(),
            socket: Some(ours),
            client: None,
            wire: Vec::new(),
            negotiated: 0,
            unsent: Vec::new(),
            asked: 0,
            paused: false,
            has_paused: false,
        };
        let head = Bytes::from_static(read::HEAD);
        let protocol = match kind {
            Kind::Rtmp(chunk_size) => viewer.negotiate(chunk_size, now),
            Kind::Flv => Protocol::Flv {
                head,
                transfer: Transfer::UntilClose,
            },
            Kind::Chunked => Protocol::Flv {
                head,
                transfer: Transfer::Chunked,
            },
            Kind::WebSocket => Protocol::WsFlv { head },
            Kind::Ts => Protocol::Ts {
                head,
                transfer: Transfer::Chunked,
            },
        };
        let info = ViewerInfo {
            protocol: "memory",
            peer: None,
            client: viewer.name.as_str().into(),
            since: now,
        };
        let new = NewViewer {
            stream,
            socket: Socket::Memory(theirs),
            protocol,
            info,
            wait_until: None,
            guard: Guard::default(),
        };
        (viewer, new)
    }

    fn negotiate(&mut self, chunk_size: u32, now: Instant) -> Protocol {
        let config = ServerConfig {
            chunk_size,
            ..ServerConfig::default()
        };
        let mut server = ServerSession::new(Arc::new(config), Limits::default(), now);
        let config = ClientConfig::new("live", "rtmp://127.0.0.1/live", "room");
        let mut client = ClientSession::play(config, Limits::default(), now);
        let mut message_stream_id = 0;
        let mut is_ready = false;
        while !is_ready {
            while let Some(bytes) = client.poll_transmit() {
                server.handle_input(now, &bytes).unwrap();
            }
            while let Some(event) = server.poll_event() {
                match event {
                    ServerEvent::Connect(_) => server.accept_connect().unwrap(),
                    ServerEvent::Play(request) => {
                        message_stream_id = request.message_stream_id;
                        server.accept_play(message_stream_id).unwrap();
                    }
                    _ => {}
                }
            }
            while let Some(bytes) = server.poll_transmit() {
                self.wire.extend_from_slice(&bytes);
                client.handle_input(now, &bytes).unwrap();
            }
            while let Some(event) = client.poll_event() {
                is_ready |= event == ClientEvent::Ready;
            }
        }
        while client.poll_transmit().is_some() {}
        self.negotiated = self.wire.len();
        self.client = Some(client);
        Protocol::Rtmp {
            session: Box::new(server),
            message_stream_id,
        }
    }

    /// Takes at most so many bytes of those that are there. Says whether any moved.
    pub(super) fn take(&mut self, most: usize) -> bool {
        let sent = self.push_out();
        let mut left = most;
        let mut buf = [0; 8 << 10];
        while let Some(socket) = &mut self.socket
            && left > 0
        {
            let end = left.min(buf.len());
            let mut into = ReadBuf::new(&mut buf[..end]);
            let mut cx = Context::from_waker(Waker::noop());
            match Pin::new(socket).poll_read(&mut cx, &mut into) {
                Poll::Pending => break,
                Poll::Ready(result) => result.unwrap(),
            }
            if into.filled().is_empty() {
                self.socket = None;
            }
            self.wire.extend_from_slice(into.filled());
            left -= into.filled().len();
        }
        sent || left < most
    }

    /// Sends a ping, where the protocol has one.
    pub(super) fn ask(&mut self) {
        match self.kind {
            // Ping request, event type 6 (RTMP 1.0 §7.1.7).
            Kind::Rtmp(_) => self.say(4, 0, &[0, 6, 0, 0, 0, 9]),
            // FIN, ping, masked with zeros (RFC 6455 §5.5.2).
            Kind::WebSocket => self.send(&[0x89, 0x83, 0, 0, 0, 0, 1, 2, 3]),
            Kind::Flv | Kind::Chunked | Kind::Ts => return,
        }
        self.asked += 1;
    }

    /// Pauses or goes on, in RTMP.
    pub(super) fn turn_pause(&mut self) {
        if !matches!(self.kind, Kind::Rtmp(_)) {
            return;
        }
        self.paused = !self.paused;
        self.has_paused = true;
        let mut payload = BytesMut::new();
        let values = [
            amf0::Value::from("pause"),
            amf0::Value::Number(0.0),
            amf0::Value::Null,
            self.paused.into(),
        ];
        amf0::encode_all(&values, &mut payload);
        self.say(20, 1, &payload);
    }

    pub(super) fn end_pause(&mut self) {
        if self.paused {
            self.turn_pause();
        }
    }

    /// Sends an RTMP message.
    fn say(&mut self, type_id: u8, message_stream_id: u32, payload: &[u8]) {
        let client = self.client.as_mut().expect("an RTMP player");
        let header = MessageHeader {
            csid: 3,
            message_stream_id,
            timestamp: 0,
            type_id,
            length: 0,
        };
        client.send_message(header, payload);
        let sent = std::iter::from_fn(|| client.poll_transmit());
        let bytes: Vec<u8> = sent.flatten().collect();
        self.send(&bytes);
    }

    fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.push_out();
    }

    /// Sends what fits of what it has to say. Says whether anything did.
    fn push_out(&mut self) -> bool {
        let (Some(socket), false) = (&mut self.socket, self.unsent.is_empty()) else {
            return false;
        };
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(socket).poll_write(&mut cx, &self.unsent) {
            Poll::Pending => false,
            Poll::Ready(sent) => {
                self.unsent.drain(..sent.unwrap());
                true
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    pub(super) fn is_rtmp(&self) -> bool {
        matches!(self.kind, Kind::Rtmp(_))
    }

    pub(super) fn has_paused(&self) -> bool {
        self.has_paused
    }

    /// Bytes that it got from the group.
    pub(super) fn bytes(&self) -> u64 {
        (self.wire.len() - self.negotiated) as u64
    }

    /// What it got, read by others' code.
    pub(super) fn read(&self) -> Read {
        assert!(self.socket.is_none(), "the server has not closed");
        match self.kind {
            Kind::Rtmp(_) => read::rtmp(&self.wire),
            Kind::Flv => read::flv(&self.wire),
            Kind::Chunked => read::chunked(&self.wire),
            Kind::WebSocket => read::web_socket(&self.wire),
            Kind::Ts => read::ts_chunked(&self.wire),
        }
    }
}
