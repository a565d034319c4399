//! Accepting connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hub::{Authorizer, Hub, Stream, ViewerInfo};
use rtmp::ServerSession;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Counters};
use crate::conn::Connection;
use crate::socket::Socket;

/// How long accepting pauses when the process has no file descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// How often the same trouble of the listener is logged.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A player whose play was accepted; whoever takes it serves it until the end.
#[derive(Debug)]
pub struct Player {
    /// What it watches; it may not be live yet.
    pub stream: Arc<Stream>,
    /// Its connection.
    pub socket: Socket,
    /// Its session, with nothing left to send.
    pub session: Box<ServerSession>,
    /// The message stream that plays.
    pub message_stream_id: u32,
    /// What is known of it.
    pub info: ViewerInfo,
    /// How long it may wait for somebody to publish the stream.
    pub wait: Duration,
    /// Its place in the limit of connections: to be dropped with the socket.
    pub permit: OwnedSemaphorePermit,
}

/// Takes players over.
pub trait Players: Send + Sync + 'static {
    /// Serves `player` from now on; must not block.
    fn play(&self, player: Player);
}

/// Everything that connections need; clones share it.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) players: Arc<dyn Players>,
    pub(crate) counters: Arc<Counters>,
    /// What the ticks of all connections count from.
    pub(crate) started: Instant,
    connections: Arc<Semaphore>,
    ids: AtomicU64,
}

impl Ingest {
    /// An ingest that feeds `hub`, asks `authorizer`, and hands players to `players`. At most as
    /// many connections are open as `connections` has permits; it may be shared with others.
    #[must_use]
    pub fn new(
        hub: Hub,
        config: Config,
        authorizer: Arc<dyn Authorizer>,
        players: Arc<dyn Players>,
        connections: Arc<Semaphore>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                hub,
                config,
                authorizer,
                players,
                counters: Arc::default(),
                started: Instant::now(),
                connections,
                ids: AtomicU64::new(1),
            }),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// Accepts connections until [`Ingest::shutdown`]; with `tls` they are RTMPS. May be called
    /// for several listeners.
    pub fn listen(&self, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) {
        let this = self.clone();
        self.tracker.spawn(async move {
            let acceptor = tls.map(TlsAcceptor::from);
            // Dropping the accept loses no connection: the kernel keeps it.
            tokio::select! {
                () = this.accept_all(&listener, acceptor.as_ref()) => {}
                () = this.stop.cancelled() => {}
            }
        });
    }

    /// Takes no connection from now on, ends those that publish, waits for all at most `deadline`.
    /// Returns whether all had gone.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok()
    }

    async fn accept_all(&self, listener: &TcpListener, acceptor: Option<&TlsAcceptor>) {
        let mut trouble = Reporter::default();
        loop {
            match listener.accept().await {
                Ok((tcp, peer)) => self.accepted(tcp, peer, acceptor, &mut trouble),
                Err(error) if is_of_one_connection(&error) => {
                    tracing::debug!(%error, "connection lost before it was accepted");
                }
                Err(error) => {
                    // No descriptor or no memory: those who leave make room.
                    trouble.report(|| tracing::warn!(%error, "rtmp accept pauses"));
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            }
        }
    }

    fn accepted(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        acceptor: Option<&TlsAcceptor>,
        trouble: &mut Reporter,
    ) {
        let counters = &self.shared.counters;
        counters.connections.fetch_add(1, Ordering::Relaxed);
        let Ok(permit) = Arc::clone(&self.shared.connections).try_acquire_owned() else {
            counters.refused_connections.fetch_add(1, Ordering::Relaxed);
            trouble.report(|| tracing::warn!(%peer, "rtmp connection refused: limits.connections"));
            return;
        };
        prepare(&tcp);
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let acceptor = acceptor.cloned();
        self.tracker.spawn(async move {
            let protocol = if acceptor.is_some() { "rtmps" } else { "rtmp" };
            let deadline = shared.config.limits.setup_time;
            let stopped = stop.clone();
            let connection = Connection::new(shared, id, peer, protocol, stop, permit);
            let socket = match acceptor {
                None => Socket::Plain(tcp),
                Some(acceptor) => {
                    // A handshake that is dropped leaves nothing behind.
                    let accepted = tokio::select! {
                        accepted = tokio::time::timeout(deadline, acceptor.accept(tcp)) => accepted,
                        () = stopped.cancelled() => return,
                    };
                    match accepted {
                        Ok(Ok(tls)) => Socket::Tls(Box::new(tls)),
                        Ok(Err(error)) => {
                            tracing::info!(%peer, %error, "tls handshake");
                            return;
                        }
                        Err(_) => {
                            tracing::info!(%peer, ?deadline, "tls handshake took too long");
                            return;
                        }
                    }
                }
            };
            connection.run(socket).await;
        });
    }
}

/// Small answers go out at once, and a peer whose cable was pulled is noticed.
fn prepare(tcp: &TcpStream) {
    let socket = socket2::SockRef::from(tcp);
    // A socket that refuses an option still works, only less well.
    let _ = socket.set_tcp_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(5));
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(Duration::from_secs(20)));
}

/// Whether an accept failed because of the connection, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Lets the same trouble through once a minute.
#[derive(Default)]
struct Reporter {
    last: Option<Instant>,
}

impl Reporter {
    fn report(&mut self, log: impl FnOnce()) {
        if self.last.is_none_or(|last| last.elapsed() >= REPORT_EVERY) {
            self.last = Some(Instant::now());
            log();
        }
    }
}
