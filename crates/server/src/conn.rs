//! One connection: TLS, the look at its first request, then HTTP or the way out to the workers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::BytesMut;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::counters::ConnectionGuard;
use crate::io::{Figures, Guarded};
use crate::listener::Tls;
use crate::media::{MediaRequest, MediaSocket};
use crate::sniff::{Asked, Sniffed, sniff};
use crate::state::{Peer, Shared};

/// Serves a connection until it ends, is handed to the media sink, or the server stops.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    router: Router,
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    guard: ConnectionGuard,
) {
    prepare(&tcp, shared.config.limits.stall);
    let Some(tls) = tls else {
        let peer = ConnPeer {
            peer,
            guard,
            is_tls: false,
        };
        return first_request(shared, router, tcp, peer, MediaSocket::Plain).await;
    };
    let acceptor = TlsAcceptor::from(tls.load_full());
    let handshake = tokio::time::timeout(shared.config.limits.tls_handshake, acceptor.accept(tcp));
    let stream = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                shared.counters.reject("tls-handshake");
                tracing::debug!(%peer, %error, "tls handshake refused");
                return;
            }
            Err(_) => {
                shared.counters.reject("tls-handshake");
                tracing::debug!(%peer, "tls handshake took too long");
                return;
            }
        },
        () = shared.stop.cancelled() => return,
    };
    let peer = ConnPeer {
        peer,
        guard,
        is_tls: true,
    };
    // HTTP/2 too: its preface has the same deadline as a first request.
    let wrap = |stream| MediaSocket::Tls(Box::new(stream));
    first_request(shared, router, stream, peer, wrap).await;
}

struct ConnPeer {
    peer: SocketAddr,
    is_tls: bool,
    guard: ConnectionGuard,
}

/// Small writes go out at once; a peer that is gone is noticed.
fn prepare(tcp: &TcpStream, stall: Duration) {
    let socket = socket2::SockRef::from(tcp);
    // A socket that refuses an option still works, only less well.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_keepalive(true);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(stall));
    #[cfg(not(target_os = "linux"))]
    let _ = stall;
}

/// Reads the first request's head as far as needed to tell endless media from the rest.
async fn first_request<S>(
    shared: Arc<Shared>,
    router: Router,
    mut stream: S,
    peer: ConnPeer,
    wrap: impl FnOnce(S) -> MediaSocket,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let mut head = BytesMut::new();
    let read = tokio::select! {
        read = tokio::time::timeout(
            limits.first_head,
            read_head(&mut stream, &mut head, limits.head_bytes),
        ) => read,
        () = shared.stop.cancelled() => return,
    };
    let asked = match read {
        Ok(Ok(Sniffed::Media(asked))) => Some(asked),
        Ok(Ok(_)) => None,
        // Nothing, or half a head, and then the end.
        Ok(Err(_)) => return,
        Err(_) => {
            shared.counters.reject("http-slow-head");
            if !head.is_empty() {
                let _ = tokio::time::timeout(
                    Duration::from_secs(1),
                    stream.write_all(
                        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\
                          Connection: close\r\n\r\n",
                    ),
                )
                .await;
            }
            return;
        }
    };
    if let Some(sink) = shared.media.as_ref()
        && let Some(asked) = asked
        && let Some((name, kind)) = meant(&shared, &asked)
    {
        let request = MediaRequest {
            name,
            kind,
            query: asked.query,
            http_version: asked.version,
            method: asked.method,
            peer: peer.peer,
            response_headers: shared.cors.lines(asked.origin.as_deref()),
            leftover: head.split_off(asked.head_len).freeze(),
            user_agent: asked.user_agent,
            guard: peer.guard,
        };
        return sink.serve(wrap(stream), request);
    }
    http(shared, router, stream, head, peer).await;
}

/// The stream and framing of a request that goes to the sink.
fn meant(shared: &Shared, asked: &Asked) -> Option<(media::StreamName, crate::media::MediaKind)> {
    let target = shared.known(&asked.targets)?;
    let kind = asked.kind(target)?;
    let is_web_socket = asked.web_socket.is_some();
    if is_web_socket && !shared.cors.admits(asked.origin.as_deref()) {
        return None;
    }
    Some((target.name().clone(), kind))
}

async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    head: &mut BytesMut,
    max: usize,
) -> io::Result<Sniffed> {
    loop {
        head.reserve(2048);
        if stream.read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match sniff(head, max) {
            Sniffed::More => {}
            sniffed => return Ok(sniffed),
        }
    }
}

/// Serves HTTP/1 and HTTP/2; `early` was read already.
async fn http<S>(shared: Arc<Shared>, router: Router, stream: S, early: BytesMut, peer: ConnPeer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let protocol = if peer.is_tls { "https" } else { "http" };
    let io = Guarded::new(
        stream,
        early.freeze(),
        shared.config.limits.stall,
        Figures {
            bytes_in: shared.counters.wire_in(protocol),
            bytes_out: shared.counters.wire_out(protocol),
            stalled: shared.counters.cut("stalled"),
        },
    );
    let extension = Peer {
        addr: peer.peer,
        is_tls: peer.is_tls,
        guard: Arc::new(peer.guard),
    };
    let service =
        hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(extension.clone());
            let service = TowerToHyperService::new(router.clone());
            hyper::service::Service::call(&service, request.map(Body::new))
        });
    let builder = builder(&shared);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(io), service);
    tokio::pin!(connection);
    let mut finishing = false;
    loop {
        tokio::select! {
            // Polled again after the other branches: it keeps its state.
            done = connection.as_mut() => {
                if let Err(error) = done {
                    tracing::debug!(peer = %peer.peer, %error, "http connection ended");
                }
                return;
            }
            () = shared.stop.cancelled(), if !finishing => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shared.kill.cancelled() => return,
        }
    }
}

fn builder(shared: &Shared) -> auto::Builder<Tracked> {
    let limits = &shared.config.limits;
    let mut builder = auto::Builder::new(Tracked(shared.tracker.clone()));
    // hyper takes no buffer below 8 KiB.
    const LEAST_BUFFER: usize = 8 << 10;
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_buf_size(limits.head_bytes.max(LEAST_BUFFER))
        .max_headers(limits.headers);
    // Windows as large as a segment: a player's download is not held up by our acknowledgements.
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

/// Spawns the tasks of HTTP/2 streams where the server waits for them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
