//! Viewers of every protocol on loopback sockets, and what they get.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

#[path = "../../../publish/tests/support/feed.rs"]
mod feed;
#[path = "../../../publish/tests/support/remote.rs"]
mod remote;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use deliver::{Config, Deliver, Guard, NewViewer, Protocol, Socket, Transfer};
use hub::{Hub, Stream, ViewerInfo};
use remux::flv::{Demuxer, TagKind};
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub use feed::*;
use remote::Incoming;
pub use remote::{Got, accept, listener, until, within, words};

pub fn hub() -> Hub {
    hub_with(|_| {})
}

pub fn hub_with(change: impl FnOnce(&mut hub::Config)) -> Hub {
    let mut config = hub::Config::default();
    config.end_grace = Duration::ZERO;
    change(&mut config);
    Hub::new(config)
}

/// One worker.
pub fn deliver(change: impl FnOnce(&mut Config)) -> Deliver {
    let mut config = Config::default();
    config.workers = 1;
    change(&mut config);
    Deliver::start(&config).unwrap()
}

pub fn info(protocol: &'static str) -> ViewerInfo {
    ViewerInfo {
        protocol,
        peer: None,
        client: "test".into(),
        since: Instant::now(),
    }
}

/// Both ends of a connection; the viewer's receive buffer is small when `narrow`.
pub async fn pair(narrow: bool) -> (TcpStream, TcpStream) {
    let (listener, addr) = listener().await;
    let socket = TcpSocket::new_v4().unwrap();
    if narrow {
        socket.set_recv_buffer_size(4 << 10).unwrap();
    }
    let viewer = socket.connect(addr).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    if narrow {
        socket2::SockRef::from(&server)
            .set_send_buffer_size(4 << 10)
            .unwrap();
    }
    (viewer, server)
}

pub const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// How an HTTP body is marked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    UntilClose,
    Chunked,
    WebSocket,
}

/// An HTTP viewer.
pub struct Http {
    pub socket: TcpStream,
    body: Body,
    wire: BytesMut,
    head_read: bool,
    demuxer: Demuxer,
    /// FLV file header's flags, once read.
    pub flags: Option<u8>,
    /// The end was said in the protocol's way.
    pub said_end: bool,
    /// The connection is over.
    pub closed: bool,
    header: BytesMut,
}

pub async fn flv(deliver: &Deliver, stream: &Arc<Stream>, body: Body, narrow: bool) -> Http {
    let (socket, server) = pair(narrow).await;
    let head = Bytes::from_static(HEAD.as_bytes());
    let protocol = match body {
        Body::UntilClose => Protocol::Flv {
            head,
            transfer: Transfer::UntilClose,
        },
        Body::Chunked => Protocol::Flv {
            head,
            transfer: Transfer::Chunked,
        },
        Body::WebSocket => Protocol::WsFlv { head },
    };
    let viewer = NewViewer {
        stream: Arc::clone(stream),
        socket: Socket::Plain(server),
        protocol,
        info: info("http-flv"),
        wait_until: None,
        guard: deliver::Guard::default(),
    };
    deliver.serve(viewer).unwrap();
    Http {
        socket,
        body,
        wire: BytesMut::new(),
        head_read: false,
        demuxer: Demuxer::new(remux::flv::Limits::default()),
        flags: None,
        said_end: false,
        closed: false,
        header: BytesMut::new(),
    }
}

impl Http {
    /// The next tag; `None` at the end.
    pub async fn next(&mut self) -> Option<Got> {
        loop {
            if let Some(tag) = self.demuxer.poll().unwrap() {
                return Some(match tag.kind {
                    TagKind::Video => Got::Video(tag.timestamp, tag.body),
                    TagKind::Audio => Got::Audio(tag.timestamp, tag.body),
                    _ => {
                        let message = remux::flv::data_message(media::Dts(0), &tag.body).unwrap();
                        let values = tag.body.slice(3 + message.name.len()..);
                        Got::Data(tag.timestamp, message.name.into(), values)
                    }
                });
            }
            if self.closed {
                return None;
            }
            let mut buf = vec![0; 64 << 10];
            let count = within("bytes", self.socket.read(&mut buf))
                .await
                .unwrap_or(0);
            if count == 0 {
                self.closed = true;
                assert!(self.wire.is_empty(), "a piece is cut: {:?}", self.wire);
                continue;
            }
            self.wire.extend_from_slice(&buf[..count]);
            while let Some(piece) = self.piece() {
                if self.flags.is_none() {
                    self.header.extend_from_slice(&piece);
                    if self.header.len() > 4 {
                        self.flags = Some(self.header[4]);
                    }
                }
                self.demuxer.push(piece);
            }
        }
    }

    /// Takes one piece of the body off the wire.
    fn piece(&mut self) -> Option<Bytes> {
        if !self.head_read {
            let rest = self.wire.strip_prefix(HEAD.as_bytes())?;
            self.wire = rest.into();
            self.head_read = true;
        }
        if self.said_end || self.wire.is_empty() {
            return None;
        }
        let (start, len, behind) = match self.body {
            Body::UntilClose => (0, self.wire.len(), 0),
            Body::Chunked => {
                let line = self.wire.windows(2).position(|two| two == b"\r\n")?;
                let len = std::str::from_utf8(&self.wire[..line]).unwrap();
                (line + 2, usize::from_str_radix(len, 16).unwrap(), 2)
            }
            Body::WebSocket => {
                let wire = &self.wire;
                match (*wire.first()?, *wire.get(1)?) {
                    (0x88, 2) => {
                        if wire.len() < 4 {
                            return None;
                        }
                        assert_eq!(&wire[2..], [0x03, 0xe8]);
                        self.said_end = true;
                        self.wire.clear();
                        return None;
                    }
                    (0x82, 127) => {
                        let len = u64::from_be_bytes(wire.get(2..10)?.try_into().unwrap());
                        (10, len as usize, 0)
                    }
                    (0x82, 126) => {
                        let len = u16::from_be_bytes(wire.get(2..4)?.try_into().unwrap());
                        (4, usize::from(len), 0)
                    }
                    (0x82, len) => (2, usize::from(len), 0),
                    other => panic!("frame {other:?}"),
                }
            }
        };
        if self.wire.len() < start + len + behind {
            return None;
        }
        self.wire.advance(start);
        let piece = self.wire.split_to(len).freeze();
        if behind > 0 {
            assert_eq!(self.wire.split_to(behind), "\r\n");
            self.said_end = len == 0;
        }
        Some(piece)
    }

    pub async fn take(&mut self, count: usize) -> Vec<Got> {
        let mut got = Vec::new();
        for _ in 0..count {
            match self.next().await {
                Some(one) => got.push(one),
                None => panic!("closed after {}", words(&got)),
            }
        }
        got
    }

    pub async fn rest(&mut self) -> Vec<Got> {
        let mut got = Vec::new();
        while let Some(one) = self.next().await {
            got.push(one);
        }
        got
    }
}

/// An RTMP player.
pub struct Player {
    pub socket: TcpStream,
    pub session: ClientSession,
    /// Codes of statuses, in order.
    pub codes: Vec<String>,
    pub closed: bool,
}

/// A player whose play is accepted and handed to the workers.
pub async fn player(deliver: &Deliver, stream: &Arc<Stream>, narrow: bool) -> Player {
    player_with(deliver, stream, narrow, None, Guard::default()).await
}

/// A player that waits so long for its stream, and holds a place.
pub async fn player_with(
    deliver: &Deliver,
    stream: &Arc<Stream>,
    narrow: bool,
    wait_until: Option<Instant>,
    guard: Guard,
) -> Player {
    let (socket, server) = pair(narrow).await;
    let stream = Arc::clone(stream);
    let deliver = deliver.clone();
    let serving = tokio::spawn(async move {
        let mut incoming = Incoming::new(server);
        let rtmp::ServerEvent::Play(request) = incoming.negotiate().await else {
            panic!("not a play");
        };
        let id = request.message_stream_id;
        incoming.session.accept_play(id).unwrap();
        incoming.send().await;
        let viewer = NewViewer {
            stream,
            socket: Socket::Plain(incoming.socket),
            protocol: Protocol::Rtmp {
                session: Box::new(incoming.session),
                message_stream_id: id,
            },
            info: info("rtmp"),
            wait_until,
            guard,
        };
        deliver.serve(viewer).unwrap();
    });
    let config = ClientConfig::new("live", "rtmp://127.0.0.1/live", "cam1");
    let mut player = Player {
        socket,
        session: ClientSession::play(config, Limits::default(), Instant::now()),
        codes: Vec::new(),
        closed: false,
    };
    while player.event().await.unwrap() != ClientEvent::Ready {}
    within("the hand-over", serving).await.unwrap();
    player
}

impl Player {
    /// The next event; `None` when the connection is over.
    pub async fn event(&mut self) -> Option<ClientEvent> {
        loop {
            self.send().await;
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
            let mut buf = vec![0; 64 << 10];
            let count = within("bytes", self.socket.read(&mut buf))
                .await
                .unwrap_or(0);
            if count == 0 {
                self.closed = true;
                return None;
            }
            self.session
                .handle_input(Instant::now(), &buf[..count])
                .unwrap();
        }
    }

    pub async fn send(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            let _ = self.socket.write_all(&bytes).await;
        }
    }

    /// The next message; `None` when the connection is over.
    pub async fn next(&mut self) -> Option<Got> {
        loop {
            return Some(match self.event().await? {
                ClientEvent::Video { timestamp, payload } => Got::Video(timestamp, payload),
                ClientEvent::Audio { timestamp, payload } => Got::Audio(timestamp, payload),
                ClientEvent::Data {
                    timestamp,
                    name,
                    payload,
                } => Got::Data(timestamp, name, payload),
                ClientEvent::Status { code, .. } => {
                    self.codes.push(code);
                    continue;
                }
                _ => continue,
            });
        }
    }

    pub async fn take(&mut self, count: usize) -> Vec<Got> {
        let mut got = Vec::new();
        for _ in 0..count {
            match self.next().await {
                Some(one) => got.push(one),
                None => panic!("closed after {}", words(&got)),
            }
        }
        got
    }

    pub async fn rest(&mut self) -> Vec<Got> {
        let mut got = Vec::new();
        while let Some(one) = self.next().await {
            got.push(one);
        }
        got
    }

    /// Sends a command on the stream that plays.
    pub async fn command(&mut self, name: &str, argument: amf0::Value) {
        use amf0::Value;
        let mut payload = BytesMut::new();
        let values = [Value::from(name), Value::Number(0.0), Value::Null, argument];
        amf0::encode_all(&values, &mut payload);
        self.message(20, 1, &payload).await;
    }

    pub async fn message(&mut self, type_id: u8, message_stream_id: u32, payload: &[u8]) {
        let header = rtmp::chunk::MessageHeader {
            csid: 3,
            message_stream_id,
            timestamp: 0,
            type_id,
            length: 0,
        };
        self.session.send_message(header, payload);
        self.send().await;
    }
}
