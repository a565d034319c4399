//! A remote RTMP server that does what the test says.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtmp::{Limits, ServerConfig, ServerEvent, ServerSession, Url};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Fails a test that hangs, instead of the whole run.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Asks until the answer is yes: for states that tell nobody when they change.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    within(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A port on which nobody listens yet.
pub fn reserved() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

pub async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

pub fn url(addr: SocketAddr, rest: &str) -> Url {
    format!("rtmp://{addr}/{rest}").parse().unwrap()
}

/// One message as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Video(u32, Bytes),
    Audio(u32, Bytes),
    /// Name and values.
    Data(u32, String, Bytes),
    Unpublish,
}

impl Got {
    /// Short, for messages of failures: `v0`, `a20`, `V0` for a video sequence header.
    pub fn word(&self) -> String {
        match self {
            Self::Video(ms, body) if body.get(1) == Some(&0) => format!("VH{ms}"),
            Self::Video(ms, body) if body.first() == Some(&0x17) => format!("K{ms}"),
            Self::Video(ms, _) => format!("v{ms}"),
            Self::Audio(ms, body) if body.get(1) == Some(&0) => format!("AH{ms}"),
            Self::Audio(ms, _) => format!("a{ms}"),
            Self::Data(ms, name, _) => format!("{name}{ms}"),
            Self::Unpublish => "unpublish".to_owned(),
        }
    }
}

pub fn words(got: &[Got]) -> String {
    got.iter().map(Got::word).collect::<Vec<_>>().join(" ")
}

/// One accepted connection.
pub struct Incoming<S> {
    pub socket: S,
    pub session: ServerSession,
    events: VecDeque<ServerEvent>,
}

/// The next connection.
pub async fn accept(listener: &TcpListener) -> Incoming<TcpStream> {
    let (socket, _) = within("a connection", listener.accept()).await.unwrap();
    Incoming::new(socket)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    pub fn new(socket: S) -> Self {
        Self {
            socket,
            session: ServerSession::new(
                Arc::new(ServerConfig::default()),
                Limits::default(),
                Instant::now(),
            ),
            events: VecDeque::new(),
        }
    }

    /// The next event; `None` when the client closed.
    pub async fn event(&mut self) -> Option<ServerEvent> {
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

    /// Negotiates up to the publish or play, which is left undecided.
    pub async fn negotiate(&mut self) -> ServerEvent {
        loop {
            let event = self.event().await;
            match event.expect("the client closed before it published or played") {
                ServerEvent::Connect(_) => self.session.accept_connect().unwrap(),
                event @ (ServerEvent::Publish(_) | ServerEvent::Play(_)) => return event,
                _ => {}
            }
        }
    }

    /// Negotiates, and accepts the publish; gives its key.
    pub async fn accept_publish(&mut self) -> String {
        let ServerEvent::Publish(request) = self.negotiate().await else {
            panic!("not a publish");
        };
        self.session
            .accept_publish(request.message_stream_id)
            .unwrap();
        self.send().await;
        request.key
    }

    /// Refuses the publish; gives its key.
    pub async fn refuse_publish(&mut self, code: &str, description: &str) -> String {
        let ServerEvent::Publish(request) = self.negotiate().await else {
            panic!("not a publish");
        };
        let id = request.message_stream_id;
        self.session.reject_publish(id, code, description).unwrap();
        self.send().await;
        request.key
    }

    /// The next message; `None` when the client closed.
    pub async fn next(&mut self) -> Option<Got> {
        loop {
            return Some(match self.event().await? {
                ServerEvent::Video {
                    timestamp, payload, ..
                } => Got::Video(timestamp, payload),
                ServerEvent::Audio {
                    timestamp, payload, ..
                } => Got::Audio(timestamp, payload),
                ServerEvent::Data {
                    timestamp,
                    name,
                    payload,
                    ..
                } => Got::Data(timestamp, name, payload),
                ServerEvent::Unpublish { .. } => Got::Unpublish,
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

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<Got> {
        let mut got = Vec::new();
        while let Some(one) = self.next().await {
            got.push(one);
        }
        got
    }
}
