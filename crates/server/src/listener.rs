//! The server: listeners, their connections, and how all of it stops.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hub::Events;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::accept::Acceptor;
use crate::api;
use crate::config::Config;
use crate::conn;
use crate::router;
use crate::state::{Parts, Shared};

/// A TLS configuration that may be replaced while the server runs: new connections take the one
/// that is there. It should offer [`ALPN`].
pub type Tls = Arc<ArcSwap<rustls::ServerConfig>>;

/// What `rustls::ServerConfig::alpn_protocols` should be, best first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How often the server looks after what nobody asks for any more.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The HTTP server. Clones are the same server; dropping the last one stops nothing, call
/// [`Server::shutdown`].
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    router: Router,
}

impl Server {
    /// A server without listeners. Spawns its housekeeping, so it needs a tokio runtime around it.
    #[must_use]
    pub fn new(config: Config, parts: Parts) -> Self {
        let shared = Arc::new(Shared::new(config, parts));
        let router = router::router(&shared);
        // Subscribed before anything can be published: no start is missed.
        let housekeeping = sweep(Arc::clone(&shared), shared.hub.events());
        shared.tracker.spawn(housekeeping);
        Self { shared, router }
    }

    /// Puts the ladders in force that the control plane has stored; to be called before streams are
    /// published. Without a control plane there are none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn load_ladders(&self) -> Result<(), control::Error> {
        api::load_ladders(&self.shared).await
    }

    /// All routes, for a service that has a listener of its own. The socket's peer is taken from
    /// the extension `axum::extract::ConnectInfo<SocketAddr>`; without it, a request does not come
    /// from loopback.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves the connections of a listener, over TLS when there is a configuration for it, until
    /// the server stops. Returns at once.
    pub fn serve(&self, listener: TcpListener, tls: Option<Tls>) {
        let accepting = accept(Arc::clone(&self.shared), self.router.clone(), listener, tls);
        self.shared.tracker.spawn(accepting);
    }

    /// As [`Server::serve`], for a listener of the standard library.
    ///
    /// # Errors
    /// The listener cannot be made non-blocking, or be registered with the runtime.
    pub fn serve_std(&self, listener: std::net::TcpListener, tls: Option<Tls>) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        self.serve(TcpListener::from_std(listener)?, tls);
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// From now on `/readyz` says that the server drains; everything is still served.
    pub fn drain(&self) {
        router::set_draining(&self.shared);
    }

    /// Stops within `within`: ends all playlists, waits until HLS viewers have read that (at most
    /// half the time), stops listening, lets connections finish, then cuts those that have not.
    pub async fn shutdown(&self, within: Duration) {
        let deadline = Instant::now() + within;
        self.drain();
        self.shared.hls.finish();
        let told = Instant::now() + within / 2;
        while !self.shared.hls.all_told() && Instant::now() < told {
            tokio::time::sleep(Duration::from_millis(50).min(within)).await;
        }
        self.shared.stop.cancel();
        self.shared.tracker.close();
        // A moment is kept back, so that what is cut can still be cleared away in time.
        let cut = deadline - (within / 10).min(Duration::from_millis(200));
        if tokio::time::timeout_at(cut, self.shared.tracker.wait())
            .await
            .is_err()
        {
            self.shared.kill.cancel();
            if tokio::time::timeout_at(deadline, self.shared.tracker.wait())
                .await
                .is_err()
            {
                let left = self.shared.tracker.len();
                tracing::warn!(left, "http tasks outlive the shutdown");
            }
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({} tasks)", self.shared.tracker.len())
    }
}

async fn accept(shared: Arc<Shared>, router: Router, listener: TcpListener, tls: Option<Tls>) {
    let protocol = if tls.is_some() { "https" } else { "http" };
    let mut acceptor = Acceptor::new(listener);
    loop {
        let (tcp, peer) = tokio::select! {
            // Cancel safe.
            accepted = acceptor.next() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
            shared.counters.reject("connections");
            if tls.is_none() {
                refuse(&tcp);
            }
            continue;
        };
        let guard = shared.counters.connection(protocol, Some(permit));
        let connection = conn::serve(
            Arc::clone(&shared),
            router.clone(),
            tcp,
            peer,
            tls.clone(),
            guard,
        );
        shared.tracker.spawn(connection);
    }
}

/// Says that the limit of connections is reached, if the socket takes it.
fn refuse(tcp: &TcpStream) {
    let _ = tcp.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\
          Connection: close\r\n\r\n",
    );
}

async fn sweep(shared: Arc<Shared>, mut events: Events) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // All cancel safe. What is always on begins with its stream: a second later the ring may
            // have let its first groups of pictures go.
            Some(name) = events.next_start() => shared.hls.begin_always(&name),
            _ = every.tick() => shared.hls.sweep(),
            () = shared.stop.cancelled() => return,
        }
    }
}
