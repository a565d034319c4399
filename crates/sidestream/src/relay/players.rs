//! Joins the crates that accept viewers with the one that serves them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use deliver::{Deliver, Guard, NewViewer, Protocol, Transfer};
use hub::{Action, Ask, Authorizer, Hub, Verdict, ViewerInfo};
use ingest::{Player, Players};
use server::{HttpVersion, MediaKind, MediaRequest, MediaSink, MediaSocket, Method};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::task::TaskTracker;

/// Hands RTMP players to the workers.
pub(super) struct RtmpPlayers(pub(super) Deliver);

impl Players for RtmpPlayers {
    fn play(&self, player: Player) {
        let stream = player.stream.name().clone();
        let viewer = NewViewer {
            stream: player.stream,
            socket: match player.socket {
                ingest::Socket::Plain(tcp) => deliver::Socket::Plain(tcp),
                ingest::Socket::Tls(tls) => deliver::Socket::Tls(tls),
                _ => return,
            },
            protocol: Protocol::Rtmp {
                session: player.session,
                message_stream_id: player.message_stream_id,
            },
            info: player.info,
            wait_until: Some(Instant::now() + player.wait),
            guard: Guard::new(player.permit),
        };
        if let Err(error) = self.0.serve(viewer) {
            tracing::warn!(%stream, %error, "viewer refused");
        }
    }
}

/// Hands sockets that asked for endless media over HTTP to the workers.
#[derive(Clone)]
pub(super) struct HttpPlayers {
    pub(super) hub: Hub,
    pub(super) deliver: Deliver,
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) tasks: TaskTracker,
}

impl MediaSink for HttpPlayers {
    fn serve(&self, socket: MediaSocket, request: MediaRequest) {
        let this = self.clone();
        self.tasks
            .spawn(async move { this.admit(socket, request).await });
    }
}

impl HttpPlayers {
    async fn admit(self, socket: MediaSocket, request: MediaRequest) {
        let protocol = match request.kind {
            MediaKind::Flv => "http-flv",
            MediaKind::WsFlv { .. } => "ws-flv",
            MediaKind::Ts => "http-ts",
            _ => return,
        };
        let mut ask = Ask::new(Action::Play, request.name.clone(), protocol);
        ask.peer = Some(request.peer);
        ask.query.clone_from(&request.query);
        match self.authorizer.authorize(ask).await {
            Verdict::Deny(reason) => {
                return refuse(socket, &request, "403 Forbidden", &reason).await;
            }
            Verdict::Absent => {
                return refuse(socket, &request, "404 Not Found", "no such stream").await;
            }
            Verdict::Allow | Verdict::AllowAs(_) | Verdict::AllowLinks(_) => {}
        }
        let Some(stream) = self.hub.stream(&request.name) else {
            return;
        };
        let transfer = match request.http_version {
            HttpVersion::Http11 => Transfer::Chunked,
            HttpVersion::Http10 => Transfer::UntilClose,
        };
        let head = head(&request, transfer);
        if request.method == Method::Head {
            return write_all(socket, &head).await;
        }
        let protocol_state = match request.kind {
            MediaKind::WsFlv { .. } => Protocol::WsFlv { head },
            MediaKind::Ts => Protocol::Ts { head, transfer },
            _ => Protocol::Flv { head, transfer },
        };
        let viewer = NewViewer {
            stream,
            socket: match socket {
                MediaSocket::Plain(tcp) => deliver::Socket::Plain(tcp),
                MediaSocket::Tls(tls) => deliver::Socket::Tls(tls),
                _ => return,
            },
            protocol: protocol_state,
            info: ViewerInfo {
                protocol,
                peer: Some(request.peer),
                client: request.user_agent,
                since: Instant::now(),
            },
            wait_until: None,
            guard: Guard::new(request.guard),
        };
        if let Err(error) = self.deliver.serve(viewer) {
            tracing::warn!(stream = %request.name, %error, "viewer refused");
        }
    }
}

/// The response head that comes before media.
fn head(request: &MediaRequest, transfer: Transfer) -> Bytes {
    let mut head = String::with_capacity(256 + request.response_headers.len());
    let content_type = match &request.kind {
        MediaKind::WsFlv { accept_key } => {
            let _ = write!(
                head,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept_key}\r\n"
            );
            head.push_str(&request.response_headers);
            head.push_str("\r\n");
            return head.into();
        }
        MediaKind::Ts => "video/mp2t",
        _ => "video/x-flv",
    };
    let version = match request.http_version {
        HttpVersion::Http11 => "1.1",
        HttpVersion::Http10 => "1.0",
    };
    let _ = write!(
        head,
        "HTTP/{version} 200 OK\r\nContent-Type: {content_type}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n"
    );
    if transfer == Transfer::Chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    }
    head.push_str(&request.response_headers);
    head.push_str("\r\n");
    head.into()
}

async fn refuse(socket: MediaSocket, request: &MediaRequest, status: &str, reason: &str) {
    let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
    let text = format!("{}: {reason}\n", request.name);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n{}\r\n{text}",
        text.len(),
        request.response_headers,
    );
    write_all(socket, head.as_bytes()).await;
}

async fn write_all(socket: MediaSocket, bytes: &[u8]) {
    match socket {
        MediaSocket::Plain(tcp) => write_and_close(tcp, bytes).await,
        MediaSocket::Tls(tls) => write_and_close(tls, bytes).await,
        _ => {}
    }
}

async fn write_and_close(mut socket: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) {
    // A few hundred bytes fit into any socket; a peer that has gone needs no answer.
    if socket.write_all(bytes).await.is_ok() {
        let _ = socket.shutdown().await;
    }
}
