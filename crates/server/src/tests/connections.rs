//! Real sockets: what comes first on a connection, what is refused, how it all stops.
//!
//! Nothing here waits by time but for what the server is asked to do by time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::Bench;
use crate::{ALPN, Config, HttpVersion, MediaKind, MediaRequest, MediaSink, MediaSocket, Tls};

pub(super) async fn listen(bench: &Bench, tls: Option<Tls>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    bench.server.serve(listener, tls);
    addr
}

/// Sends bytes and reads until the server closes.
async fn exchange(addr: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    to_end(&mut socket).await
}

async fn to_end(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    // A reset in place of an orderly end is an end, too.
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Takes sockets and says what came with them.
struct Sink(mpsc::UnboundedSender<(MediaSocket, MediaRequest)>);

impl MediaSink for Sink {
    fn serve(&self, socket: MediaSocket, request: MediaRequest) {
        self.0.send((socket, request)).unwrap();
    }
}

type Taken = mpsc::UnboundedReceiver<(MediaSocket, MediaRequest)>;

fn with_sink(config: Config) -> (Bench, Taken) {
    let (sender, taken) = mpsc::unbounded_channel();
    let bench = Bench::with(config, |parts| parts.media = Some(Arc::new(Sink(sender))));
    (bench, taken)
}

pub(super) fn tls_pair() -> (Tls, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = made.cert.der().clone();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key.into())
        .unwrap();
    server.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(ArcSwap::from_pointee(server)), Arc::new(client))
}

pub(super) async fn tls_connect(
    addr: SocketAddr,
    mut client: rustls::ClientConfig,
    alpn: &[u8],
) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    client.alpn_protocols = vec![alpn.to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let tcp = TcpStream::connect(addr).await.unwrap();
    let name = "localhost".try_into().unwrap();
    connector.connect(name, tcp).await.unwrap()
}

#[tokio::test]
async fn first_media_request_leaves_http_with_its_socket() {
    let (bench, mut taken) = with_sink(Config::default());
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let addr = listen(&bench, None).await;
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request = "GET /live/cam1.flv HTTP/1.0\r\nUser-Agent: player/1\r\n\r\nbehind";
    // In two pieces, cut within the path.
    socket.write_all(&request.as_bytes()[..9]).await.unwrap();
    socket.flush().await.unwrap();
    socket.write_all(&request.as_bytes()[9..]).await.unwrap();
    let (media, asked) = taken.recv().await.unwrap();
    assert_eq!(asked.name.as_str(), "live/cam1");
    assert_eq!(
        (asked.kind, asked.http_version),
        (MediaKind::Flv, HttpVersion::Http10)
    );
    assert_eq!(asked.peer, socket.local_addr().unwrap());
    assert_eq!(&*asked.user_agent, "player/1");
    assert!(
        asked
            .response_headers
            .contains("access-control-allow-origin: *\r\n")
    );
    let MediaSocket::Plain(mut media) = media else {
        panic!("not a plain socket")
    };
    let mut behind = asked.leftover.to_vec();
    while behind.len() < 6 {
        media.read_buf(&mut behind).await.unwrap();
    }
    assert_eq!(behind, b"behind");
    media.write_all(b"media").await.unwrap();
    let open = bench.server.shared().counters.connections_open("http");
    assert_eq!(open.load(std::sync::atomic::Ordering::Relaxed), 1);
    drop((media, asked.guard));
    assert_eq!(to_end(&mut socket).await, "media");
    assert_eq!(open.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn unknown_stream_is_answered_here_though_there_is_a_sink() {
    let (bench, _taken) = with_sink(Config::default());
    let addr = listen(&bench, None).await;
    let request = "GET /live/x.flv HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let answer = exchange(addr, request).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(
        answer.ends_with("no stream live/x; publish it to rtmp://h/live/x\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn websocket_goes_to_the_sink_unless_its_origin_may_not_play() {
    let mut config = Config::default();
    config.cors = vec!["https://site.example".to_owned()];
    let (bench, mut taken) = with_sink(config);
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let addr = listen(&bench, None).await;
    let upgrade = |origin: &str| {
        format!(
            "GET /live/cam1.flv HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let good = upgrade("https://site.example");
    socket.write_all(good.as_bytes()).await.unwrap();
    let accept_key = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into();
    assert_eq!(
        taken.recv().await.unwrap().1.kind,
        MediaKind::WsFlv { accept_key }
    );
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let bad = upgrade("https://evil.example");
    socket.write_all(bad.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 403");
}

#[tokio::test]
async fn segments_of_a_known_stream_are_not_taken_for_endless_media() {
    let (bench, _taken) = with_sink(Config::default());
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    bench.get("/live/cam1.ts.m3u8").await;
    let uri = bench.get("/live/cam1/ts.m3u8").await.first_uri();
    let addr = listen(&bench, None).await;
    let request = format!("GET /live/cam1/{uri} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let answer = exchange(addr, &request).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n"),
        "{}",
        &answer[..60]
    );
}

#[tokio::test]
async fn later_request_of_a_connection_plays_inside_http() {
    let (bench, _taken) = with_sink(Config::default());
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let addr = listen(&bench, None).await;
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // Pipelined, the first one answered before the second.
    let requests = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n\
                    GET /live/cam1.flv HTTP/1.1\r\nHost: h\r\n\r\n";
    socket.write_all(requests.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"FLV\x01") {
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
    }
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("\r\n\r\nok\nHTTP/1.1 200 OK\r\n"), "{text}");
}

#[tokio::test]
async fn websocket_inside_http_sends_flv() {
    use futures_util::StreamExt;
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "bframes.flv");
    let addr = listen(&bench, None).await;
    let url = format!("ws://{addr}/live/cam1.flv");
    let (mut socket, response) = tokio_tungstenite::connect_async(url).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(&message.into_data()[..4], b"FLV\x01");
    assert_eq!(
        publisher.stream().viewers().list()[0].info.protocol,
        "ws-flv"
    );
    bench.hub.drain(super::now());
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_binary() || message.is_close());
    }
}

#[tokio::test]
async fn encrypted_media_requests_are_sniffed_too_and_certificates_can_change() {
    let (bench, mut taken) = with_sink(Config::default());
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let (tls, client) = tls_pair();
    let addr = listen(&bench, Some(Arc::clone(&tls))).await;
    let mut socket = tls_connect(addr, (*client).clone(), b"http/1.1").await;
    let request = b"GET /live/cam1.ts HTTP/1.1\r\nHost: h\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let (media, asked) = taken.recv().await.unwrap();
    assert_eq!(asked.kind, MediaKind::Ts);
    let MediaSocket::Tls(mut media) = media else {
        panic!("not encrypted")
    };
    media.write_all(b"secret").await.unwrap();
    media.flush().await.unwrap();
    let mut got = [0; 6];
    socket.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"secret");

    let (other, client) = tls_pair();
    tls.store(other.load_full());
    let mut socket = tls_connect(addr, (*client).clone(), b"http/1.1").await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    assert!(to_end(&mut socket).await.ends_with("ok\n"));
}

/// One request over HTTP/2.
async fn h2<S>(socket: S, path: &str) -> http::Response<hyper::body::Incoming>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://tv.example{path}"))
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    sender.send_request(request).await.unwrap()
}

#[tokio::test]
async fn http2_works_with_and_without_tls_and_plays() {
    let (bench, _taken) = with_sink(Config::default());
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let (tls, client) = tls_pair();
    let plain = listen(&bench, None).await;
    let encrypted = listen(&bench, Some(tls)).await;
    let socket = TcpStream::connect(plain).await.unwrap();
    let mut response = h2(socket, "/live/cam1.flv").await;
    assert_eq!(response.status(), StatusCode::OK);
    let first = response
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert_eq!(&first[..3], b"FLV");
    let socket = tls_connect(encrypted, (*client).clone(), b"h2").await;
    let response = h2(socket, "/live/none.flv").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let text = response.collect().await.unwrap().to_bytes();
    assert_eq!(
        text,
        "no stream live/none; publish it to rtmp://tv.example/live/none\n"
    );
}

#[tokio::test]
async fn requests_that_could_be_read_two_ways_are_refused_and_end_the_connection() {
    let bench = Bench::new();
    let addr = listen(&bench, None).await;
    let smuggled = "0\r\n\r\nGET /v1/streams HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (headers, status) in [
        ("Content-Length: 60\r\nTransfer-Encoding: chunked\r\n", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 60\r\n", 411),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding : chunked\r\n", 400),
        ("Content-Length: 262145\r\n", 413),
        ("Content-Encoding: gzip\r\nContent-Length: 3\r\n", 400),
        ("Host: other\r\n", 400),
    ] {
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{smuggled}");
        let answer = exchange(addr, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{headers:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{headers:?}: {answer}"
        );
        assert!(!answer.contains("\"items\""), "{headers:?}");
    }
    let answer = exchange(addr, "GET /healthz HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "no host: {answer}");
}

#[tokio::test]
async fn heads_are_bounded_in_count_and_size() {
    let bench = Bench::new();
    let addr = listen(&bench, None).await;
    let many = "X: y\r\n".repeat(65);
    let answer = exchange(addr, &format!("GET / HTTP/1.1\r\nHost: h\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = "x".repeat(17 << 10);
    let answer = exchange(
        addr,
        &format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let path = "x".repeat(5 << 10);
    let answer = exchange(addr, &format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
}

#[tokio::test]
async fn slow_heads_are_cut_off() {
    let mut config = Config::default();
    config.limits.first_head = Duration::from_millis(100);
    config.limits.idle = Duration::from_millis(100);
    let bench = Bench::with(config, |_| {});
    let addr = listen(&bench, None).await;
    // Nothing at all; half of what may be media; half a head for hyper; a second head that never
    // ends.
    assert_eq!(exchange(addr, "").await, "");
    let answer = exchange(addr, "GET /live/x.flv HTTP/1.1\r\nHost").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = exchange(addr, "POST /x HTTP/1.1\r\nHost").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    let answer = exchange(addr, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /").await;
    assert!(answer.contains("\r\n\r\nok\n"), "{answer}");
    let counted = bench.server.shared().counters.rejected("http-slow-head");
    assert_eq!(counted.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[tokio::test]
async fn old_http_is_answered_and_closed() {
    let bench = Bench::new();
    let addr = listen(&bench, None).await;
    let answer = exchange(addr, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so_and_places_come_back() {
    let bench = Bench::with(Config::default(), |parts| {
        parts.connections = Arc::new(tokio::sync::Semaphore::new(1));
    });
    let addr = listen(&bench, None).await;
    let mut first = TcpStream::connect(addr).await.unwrap();
    first
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = TcpStream::connect(addr).await.unwrap();
    let answer = to_end(&mut second).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(first);
    // The place is free once the server has seen the end of the first connection.
    let limit = Arc::clone(&bench.server.shared().connections);
    drop(limit.acquire().await.unwrap());
    let request = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert!(exchange(addr, request).await.ends_with("ok\n"));
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_cuts_endless_ones() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let addr = listen(&bench, None).await;
    let mut idle = TcpStream::connect(addr).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut silent = TcpStream::connect(addr).await.unwrap();
    let mut endless = TcpStream::connect(addr).await.unwrap();
    endless
        .write_all(b"GET /live/cam1.flv HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).await.unwrap();
    endless.read_exact(&mut byte).await.unwrap();
    let began = std::time::Instant::now();
    bench.server.shutdown(Duration::from_secs(10)).await;
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
    assert!(bench.server.shared().tracker.is_empty());
    to_end(&mut idle).await;
    to_end(&mut silent).await;
    to_end(&mut endless).await;
    assert!(
        TcpStream::connect(addr).await.is_err(),
        "the listener is closed"
    );
}
