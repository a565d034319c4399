//! A clip that is published endlessly, and viewers of it on loopback sockets.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use deliver::{Deliver, Guard, NewViewer, Protocol, Socket, Transfer};
use hub::{Hub, Publisher, PublisherInfo, Stream, ViewerInfo};
use media::StreamName;
use remux::flv::{Demuxer, Event, Parser, TagKind};
use rtmp::{ClientConfig, ClientEvent, ClientSession};
use rtmp::{ServerConfig, ServerEvent, ServerSession};
use sidestream_benches::{Clip, events};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";

/// A tag, wherever it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Got {
    pub kind: TagKind,
    pub ms: u32,
    pub body: Bytes,
}

/// Publishes the tags of a clip, one after the other, again and again.
pub struct Source {
    clip: Clip,
    parser: Parser,
    publisher: Publisher,
    next: usize,
    offset_ms: u32,
}

impl Source {
    pub fn new(hub: &Hub, clip: &str) -> Self {
        let name = StreamName::parse("live", "room").unwrap();
        let publisher = hub.publish(&name, PublisherInfo::library(), Instant::now());
        Self {
            clip: Clip::load(clip),
            parser: Parser::new(remux::flv::Limits::default()),
            publisher: publisher.unwrap(),
            next: 0,
            offset_ms: 0,
        }
    }

    pub fn stream(&self) -> &Arc<Stream> {
        self.publisher.stream()
    }

    /// Units of one turn of the clip.
    pub fn units_per_turn(&self) -> usize {
        self.clip.units.len()
    }

    /// Publishes up to the next key frame and gives its tag.
    pub fn publish_key(&mut self) -> Got {
        loop {
            let got = self.publish();
            // Key frame, AVC (FLV 10.1 §E.4.3.1).
            if got.body.first() == Some(&0x17) {
                return got;
            }
        }
    }

    /// Publishes the next unit and gives its tag.
    pub fn publish(&mut self) -> Got {
        loop {
            let Some(tag) = self.clip.tags.get(self.next) else {
                self.offset_ms += self.clip.tags.last().unwrap().timestamp + 40;
                self.next = 0;
                continue;
            };
            self.next += 1;
            let ms = tag.timestamp + self.offset_ms;
            // As it comes from a socket: in an allocation of its own.
            let body = Bytes::copy_from_slice(&tag.body);
            for event in events(&mut self.parser, tag.kind, &body) {
                match event {
                    Event::Track(track) => self.publisher.track(*track).unwrap(),
                    Event::Unit(unit) => {
                        self.publisher.unit_at(ms, unit, Instant::now()).unwrap();
                        return Got {
                            kind: tag.kind,
                            ms,
                            body,
                        };
                    }
                    _ => {}
                }
            }
        }
    }
}

/// What a viewer speaks.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Rtmp,
    Flv,
    Chunked,
    WebSocket,
}

/// Connects a viewer and hands it over; gives its end of the connection, which buffers little when
/// it is `narrow`.
pub fn join(deliver: &Deliver, stream: &Arc<Stream>, kind: Kind, narrow: bool) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let viewer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    if narrow {
        let small = 4 << 10;
        let sockets = [
            socket2::SockRef::from(&viewer),
            socket2::SockRef::from(&server),
        ];
        sockets[0].set_recv_buffer_size(small).unwrap();
        sockets[1].set_send_buffer_size(small).unwrap();
    }
    server.set_nonblocking(true).unwrap();
    let server = tokio::net::TcpStream::from_std(server).unwrap();
    let head = Bytes::from_static(HEAD);
    let transfer = Transfer::Chunked;
    let protocol = match kind {
        Kind::Rtmp => rtmp(),
        Kind::Flv => Protocol::Flv {
            head,
            transfer: Transfer::UntilClose,
        },
        Kind::Chunked => Protocol::Flv { head, transfer },
        Kind::WebSocket => Protocol::WsFlv { head },
    };
    let new = NewViewer {
        stream: Arc::clone(stream),
        socket: Socket::Plain(server),
        protocol,
        info: ViewerInfo {
            protocol: "test",
            peer: None,
            client: "".into(),
            since: Instant::now(),
        },
        wait_until: None,
        guard: Guard::default(),
    };
    deliver.serve(new).unwrap();
    viewer
}

/// A session whose play was accepted; what it said until then was never sent.
fn rtmp() -> Protocol {
    let now = Instant::now();
    let limits = rtmp::Limits::default();
    let mut server = ServerSession::new(Arc::new(ServerConfig::default()), limits, now);
    let config = ClientConfig::new("live", "rtmp://127.0.0.1/live", "room");
    let mut client = ClientSession::play(config, limits, now);
    let mut id = 0;
    let mut is_ready = false;
    while !is_ready {
        while let Some(bytes) = client.poll_transmit() {
            server.handle_input(now, &bytes).unwrap();
        }
        while let Some(event) = server.poll_event() {
            match event {
                ServerEvent::Connect(_) => server.accept_connect().unwrap(),
                ServerEvent::Play(request) => {
                    id = request.message_stream_id;
                    server.accept_play(id).unwrap();
                }
                _ => {}
            }
        }
        while let Some(bytes) = server.poll_transmit() {
            client.handle_input(now, &bytes).unwrap();
        }
        while let Some(event) = client.poll_event() {
            is_ready |= event == ClientEvent::Ready;
        }
    }
    Protocol::Rtmp {
        session: Box::new(server),
        message_stream_id: id,
    }
}

/// A viewer that reads: FLV up to the end of the connection.
pub struct Watcher {
    socket: TcpStream,
    demuxer: Demuxer,
    /// Bytes of the head that are still to come.
    head: usize,
    buffer: Vec<u8>,
}

impl Watcher {
    pub fn join(deliver: &Deliver, stream: &Arc<Stream>) -> Self {
        let socket = join(deliver, stream, Kind::Flv, false);
        // Fails a test that hangs.
        let patience = Some(Duration::from_secs(20));
        socket.set_read_timeout(patience).unwrap();
        Self {
            socket,
            demuxer: Demuxer::new(remux::flv::Limits::default()),
            head: HEAD.len(),
            buffer: vec![0; 64 << 10],
        }
    }

    /// The next tag.
    pub fn next(&mut self) -> Got {
        loop {
            if let Some(tag) = self.demuxer.poll().unwrap() {
                return Got {
                    kind: tag.kind,
                    ms: tag.timestamp,
                    body: tag.body,
                };
            }
            let count = self.socket.read(&mut self.buffer).unwrap();
            assert!(count > 0, "the connection was closed");
            let head = self.head.min(count);
            self.head -= head;
            let body = Bytes::copy_from_slice(&self.buffer[head..count]);
            self.demuxer.push(body);
        }
    }

    /// Reads up to the picture with which it starts, behind its headers.
    pub fn start(&mut self, first: &Got) {
        while self.next() != *first {}
    }
}
