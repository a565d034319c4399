//! The way out for endless media: sockets that leave HTTP and go to the workers that hold viewers.

use std::net::SocketAddr;

use bytes::Bytes;
use media::StreamName;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::counters::ConnectionGuard;

/// Takes sockets whose first request asks for endless media. The facade joins this crate and the
/// one that delivers media by implementing it.
pub trait MediaSink: Send + Sync + 'static {
    /// Takes over the socket: writes the response head itself and serves media until the end.
    ///
    /// Called only for streams that were known an instant ago; one that has ended since is
    /// answered by closing the socket. Must not block.
    fn serve(&self, socket: MediaSocket, request: MediaRequest);
}

/// A connection whose request head has been read.
#[derive(Debug)]
#[non_exhaustive]
pub enum MediaSocket {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What was asked, in facts.
#[derive(Debug)]
pub struct MediaRequest {
    /// The stream.
    pub name: StreamName,
    /// In which framing.
    pub kind: MediaKind,
    /// What followed `?`, as it came. May hold secrets.
    pub query: Option<Box<str>>,
    /// The version to answer in.
    pub http_version: HttpVersion,
    /// Whether the body is wanted.
    pub method: Method,
    /// The socket's peer.
    pub peer: SocketAddr,
    /// `User-Agent`, at most 128 bytes, without control characters.
    pub user_agent: Box<str>,
    /// Response header lines to send with the head, each `Name: value\r\n`: CORS and the like.
    pub response_headers: Box<str>,
    /// What was read behind the request's head; empty but for WebSocket clients in a hurry.
    pub leftover: Bytes,
    /// Holds the connection's place in limits and counters: to be dropped with the socket.
    pub guard: ConnectionGuard,
}

/// A framing of endless media.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaKind {
    /// HTTP-FLV: `video/x-flv`.
    Flv,
    /// FLV tags in WebSocket messages (RFC 6455); answered with 101.
    WsFlv {
        /// Value of the `Sec-WebSocket-Accept` header.
        accept_key: Box<str>,
    },
    /// Endless MPEG-TS: `video/mp2t`.
    Ts,
}

/// A version of HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// 1.0: the body ends with the connection.
    Http10,
    /// 1.1: chunked, or `Connection: close`.
    Http11,
}

/// A method that asks for media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Head and body.
    Get,
    /// Head only.
    Head,
}
