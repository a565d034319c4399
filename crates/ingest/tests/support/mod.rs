//! An ingest on a loopback port, and clients that talk to it.
#![allow(dead_code, unused_imports, unreachable_pub, clippy::unwrap_used)]

#[path = "../../../publish/tests/support/feed.rs"]
mod feed;
#[path = "../../../publish/tests/support/remote.rs"]
mod remote;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hub::{AllowAll, Authorizer, Hub, JoinAt, Received, Stream, Subscriber};
use ingest::{Config, Ingest, Player, Players};
use rtmp::chunk::MessageHeader;
use rtmp::{ClientConfig, ClientEvent, ClientSession, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

pub use feed::*;
pub use remote::{listener, until, within};

/// Keeps the players that are handed on.
struct Kept(mpsc::UnboundedSender<Player>);

impl Players for Kept {
    fn play(&self, player: Player) {
        let _ = self.0.send(player);
    }
}

/// An ingest and its hub.
pub struct Rig {
    pub hub: Hub,
    pub ingest: Ingest,
    pub addr: SocketAddr,
    pub players: mpsc::UnboundedReceiver<Player>,
}

/// What a test may change before the ingest starts.
pub struct Setup {
    pub hub: hub::Config,
    pub config: Config,
    pub authorizer: Arc<dyn Authorizer>,
    pub connections: usize,
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

pub async fn rig(change: impl FnOnce(&mut Setup)) -> Rig {
    let mut setup = Setup {
        hub: hub::Config::default(),
        config: Config::default(),
        authorizer: Arc::new(AllowAll),
        connections: 100,
        tls: None,
    };
    change(&mut setup);
    let hub = Hub::new(setup.hub);
    let (sender, players) = mpsc::unbounded_channel();
    let ingest = Ingest::new(
        hub.clone(),
        setup.config,
        setup.authorizer,
        Arc::new(Kept(sender)),
        Arc::new(Semaphore::new(setup.connections)),
    );
    let (listener, addr) = listener().await;
    ingest.listen(listener, setup.tls);
    Rig {
        hub,
        ingest,
        addr,
        players,
    }
}

impl Rig {
    pub fn stream(&self, stream: &str) -> Option<Arc<Stream>> {
        self.hub.stream(&name(stream))
    }

    pub fn count(&self, of: impl Fn(&ingest::Counters) -> &AtomicU64) -> u64 {
        of(self.ingest.counters()).load(Ordering::Relaxed)
    }

    pub async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// A client that wants to publish `app/key`.
    pub async fn publisher(&self, app: &str, key: &str) -> Client<TcpStream> {
        let config = ClientConfig::new(app, format!("rtmp://{}/{app}", self.addr), key);
        let session = ClientSession::publish(config, Limits::default(), Instant::now());
        Client::new(self.raw().await, session)
    }

    /// A client that wants to play `app/key`.
    pub async fn player(&self, app: &str, key: &str) -> Client<TcpStream> {
        let config = ClientConfig::new(app, format!("rtmp://{}/{app}", self.addr), key);
        let session = ClientSession::play(config, Limits::default(), Instant::now());
        Client::new(self.raw().await, session)
    }

    /// A client that publishes `live/stream`, accepted.
    pub async fn live(&self, stream: &str) -> Client<TcpStream> {
        let mut client = self.publisher("live", stream).await;
        assert_eq!(client.outcome().await, Ok(()));
        client
    }

    /// Somebody else publishes and is heard: for "nothing else is changed".
    pub async fn witness(&self) -> Witness {
        let mut client = self.live("witness").await;
        client.video(0, &video_header(0x1e)).await;
        client.video(0, &video(0, true, 10)).await;
        let stream = self.stream("witness").unwrap();
        Witness {
            client,
            subscriber: stream.subscribe(JoinAt::Newest),
            ms: 0,
        }
    }
}

/// An innocent stream.
pub struct Witness {
    client: Client<TcpStream>,
    subscriber: Subscriber,
    ms: u32,
}

impl Witness {
    /// Sends a picture, which must come out.
    pub async fn check(&mut self) {
        self.ms += 40;
        let body = video(self.ms, false, 1_000);
        self.client.video(self.ms, &body).await;
        let mut frames = Vec::new();
        within("the innocent stream", async {
            loop {
                self.subscriber.read(&mut frames).await;
                let found = frames.iter().any(|frame| match &frame.item {
                    hub::Item::Unit(unit) => unit.flv_body.as_ref() == Some(&body),
                    _ => false,
                });
                if found {
                    return;
                }
            }
        })
        .await;
    }
}

/// An RTMP client.
pub struct Client<S> {
    pub socket: S,
    pub session: ClientSession,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(socket: S, session: ClientSession) -> Self {
        Self { socket, session }
    }

    /// The next event; `None` when the server closed.
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

    /// Accepted, or why not: code and description.
    pub async fn outcome(&mut self) -> Result<(), (String, String)> {
        loop {
            match self.event().await.expect("closed without an answer") {
                ClientEvent::Ready => return Ok(()),
                ClientEvent::Rejected { code, description } => return Err((code, description)),
                _ => {}
            }
        }
    }

    /// The last error status before the server closes.
    pub async fn farewell(&mut self) -> Option<(String, String)> {
        let mut last = None;
        while let Some(event) = self.event().await {
            if let ClientEvent::Status {
                level,
                code,
                description,
            } = event
                && level == "error"
            {
                last = Some((code, description));
            }
        }
        last
    }

    pub async fn message(&mut self, header: MessageHeader, payload: &[u8]) {
        self.session.send_message(header, payload);
        self.send().await;
    }

    pub async fn video(&mut self, ms: u32, body: &Bytes) {
        self.message(MessageHeader::video(1, ms, 0), body).await;
    }

    pub async fn audio(&mut self, ms: u32, body: &Bytes) {
        self.message(MessageHeader::audio(1, ms, 0), body).await;
    }

    pub async fn command(&mut self, message_stream_id: u32, name: &str, arguments: &[amf0::Value]) {
        let mut payload = BytesMut::new();
        let start = [
            amf0::Value::from(name),
            amf0::Value::Number(9.0),
            amf0::Value::Null,
        ];
        amf0::encode_all(start.iter().chain(arguments), &mut payload);
        let header = MessageHeader {
            csid: 3,
            message_stream_id,
            timestamp: 0,
            type_id: 20,
            length: 0,
        };
        self.message(header, &payload).await;
    }
}

/// Reads until the server closes; how long that took.
pub async fn closes(socket: &mut (impl AsyncRead + Unpin)) -> Duration {
    let start = Instant::now();
    let mut buf = vec![0; 64 << 10];
    while matches!(within("the close", socket.read(&mut buf)).await, Ok(1..)) {}
    start.elapsed()
}

/// Bodies of the units of a stream so far, in order.
pub fn bodies(subscriber: &mut Subscriber) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while let Some(received) = subscriber.try_read(&mut frames) {
        if matches!(received, Received::Ended) {
            break;
        }
    }
    frames
        .iter()
        .filter_map(|frame| match &frame.item {
            hub::Item::Unit(unit) => unit.flv_body.clone(),
            _ => None,
        })
        .collect()
}
