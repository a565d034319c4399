//! Low latency HLS over HTTP/2: one connection for all requests, those that wait among them; and
//! what floods do to the others.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Bench;
use super::connections::{listen, tls_connect, tls_pair};
use super::low_latency::{Encoder, MEDIA, blocked, edge, hint};

/// No wait here lasts longer.
const LIMIT: Duration = Duration::from_secs(30);

async fn connect<S>(socket: S) -> SendRequest<Empty<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(socket);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &SendRequest<Empty<Bytes>>, path: &str) -> super::Answer {
    let request = http::Request::get(format!("http://tv.example{path}"));
    let request = request.body(Empty::new()).unwrap();
    let answer = sender.clone().send_request(request);
    let answer = tokio::time::timeout(LIMIT, answer).await.unwrap().unwrap();
    let (parts, body) = answer.into_parts();
    assert_eq!(parts.version, http::Version::HTTP_2);
    super::Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Waits until this many requests wait.
async fn until_blocked(bench: &Bench, count: usize) {
    let counted = async {
        while blocked(bench) != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, counted).await.unwrap();
}

#[tokio::test]
async fn requests_that_wait_share_a_connection_with_those_that_do_not() {
    let bench = Bench::new();
    let mut encoder = Encoder::silent(&bench, "live/cam1");
    encoder.frames(56);
    let (tls, client) = tls_pair();
    let plain = listen(&bench, None).await;
    let encrypted = listen(&bench, Some(tls)).await;
    let prior_knowledge = connect(TcpStream::connect(plain).await.unwrap()).await;
    let by_alpn = connect(tls_connect(encrypted, (*client).clone(), b"h2").await).await;
    for sender in [prior_knowledge, by_alpn] {
        let first = get(&sender, MEDIA).await;
        assert_eq!(first.status, StatusCode::OK);
        let (last, parts) = edge(&first);
        let query = format!("{MEDIA}?_HLS_msn={}&_HLS_part={parts}", last + 1);
        let hinted = hint(&first);
        let segment = format!("/live/cam1/{}", first.first_uri());
        let (waited, part, ()) = tokio::join!(get(&sender, &query), get(&sender, &hinted), async {
            until_blocked(&bench, 2).await;
            // Another request of the same connection is not held up.
            let whole = get(&sender, &segment).await;
            assert_eq!(whole.header("content-length"), whole.body.len().to_string());
            assert_eq!(blocked(&bench), 2);
            encoder.frames(8);
        });
        assert_eq!(edge(&waited), (last, parts + 1));
        assert!(part.status == StatusCode::OK && part.body.windows(4).any(|b| b == b"moof"));
        // Past the key frame, to the first part of the next segment.
        encoder.frames(15);
    }
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![len[1], len[2], len[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes
}

/// A GET, HPACK without a table (RFC 7541 §6.2.2).
fn request(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    let mut fields = vec![
        0x82,
        0x86,
        0x01,
        1,
        b'h',
        0x04,
        u8::try_from(path.len()).unwrap(),
    ];
    fields.extend(path.as_bytes());
    frame(1, flags, stream, &fields)
}

/// Sends until the server ends the connection; what it said before.
async fn flood(addr: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let (mut read, mut write) = TcpStream::connect(addr).await.unwrap().into_split();
    let sent = async {
        // An error is what is hoped for: the connection has been ended.
        let _ = write.write_all(&preface()).await;
        let _ = write.write_all(&bytes).await;
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let ended = async { while matches!(read.read_buf(&mut said).await, Ok(1..)) {} };
    tokio::time::timeout(LIMIT, async {
        tokio::select! { () = ended => {} () = sent => {} }
    })
    .await
    .expect("the connection ends");
    said
}

/// Whether a GOAWAY frame is among these.
fn goes_away(mut said: &[u8]) -> bool {
    while let [a, b, c, kind, ..] = *said {
        if kind == 7 {
            return true;
        }
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        said = said.get(9 + len..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn floods_end_their_connection_and_nothing_else() {
    let bench = Bench::new();
    let mut encoder = Encoder::silent(&bench, "live/cam1");
    encoder.frames(56);
    let addr = listen(&bench, None).await;
    let innocent = connect(TcpStream::connect(addr).await.unwrap()).await;
    let first = get(&innocent, MEDIA).await;
    let (last, parts) = edge(&first);
    let query = format!("{MEDIA}?_HLS_msn={}&_HLS_part={parts}", last + 1);

    // Rapid reset: requests that would wait, each taken back at once.
    let resets = (0..20_000_u32).flat_map(|n| {
        let stream = 2 * n + 1;
        let mut both = request(stream, &query, 5);
        both.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
        both
    });
    // Header lists that never end.
    let endless = std::iter::once(request(1, MEDIA, 1))
        .chain((0..20_000).map(|_| frame(9, 0, 1, &[0, 1, b'x', 1, b'y'])))
        .flatten();
    let resets: Vec<u8> = resets.collect();
    let endless: Vec<u8> = endless.collect();
    for (what, bytes) in [("resets", resets), ("headers", endless)] {
        let said = flood(addr, bytes).await;
        assert!(goes_away(&said) || said.is_empty(), "{what}");
        until_blocked(&bench, 0).await;
    }

    // More requests than a connection may have open: the surplus is refused, the others wait.
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let mut bytes = preface();
    (0..150).for_each(|n| bytes.extend(request(2 * n + 1, &query, 5)));
    socket.write_all(&bytes).await.unwrap();
    until_blocked(&bench, 100).await;
    let (waited, ()) = tokio::join!(get(&innocent, &query), async {
        until_blocked(&bench, 101).await;
        encoder.frames(8);
    });
    assert_eq!(edge(&waited), (last, parts + 1));
    drop(socket);
    until_blocked(&bench, 0).await;
}
