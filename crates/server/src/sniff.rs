//! Reads the head of a connection's first request, to tell endless media from all the rest.
//!
//! Nothing is decided about HTTP here that hyper would decide otherwise: what is not clearly a
//! well-formed request for endless media is left to it, byte for byte.

use data_encoding::BASE64;
use sha1::{Digest, Sha1};

use crate::media::{HttpVersion, MediaKind, Method};
use crate::paths::{self, Readings, Target};

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// Not enough bytes yet to tell.
    More,
    /// For hyper.
    Http,
    /// A request for endless media, complete.
    Media(Box<Asked>),
}

/// A request for endless media.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) targets: Vec<Target>,
    /// What followed `?`.
    pub(crate) query: Option<Box<str>>,
    pub(crate) web_socket: Option<Box<str>>,
    pub(crate) version: HttpVersion,
    pub(crate) method: Method,
    pub(crate) user_agent: Box<str>,
    pub(crate) origin: Option<String>,
    /// Bytes of the head.
    pub(crate) head_len: usize,
}

impl Asked {
    pub(crate) fn kind(&self, target: &Target) -> Option<MediaKind> {
        match (target, &self.web_socket) {
            (Target::Flv(_), Some(accept_key)) => Some(MediaKind::WsFlv {
                accept_key: accept_key.clone(),
            }),
            (Target::Flv(_), None) => Some(MediaKind::Flv),
            (Target::Ts(_), None) => Some(MediaKind::Ts),
            _ => None,
        }
    }
}

/// What HTTP/2 connections without TLS begin with (RFC 9113 §3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Header fields that a request for media may have before it is hyper's business.
const MAX_HEADERS: usize = 64;

/// Looks at the first bytes; `max` bytes without an end are no media request.
pub(crate) fn sniff(bytes: &[u8], max: usize) -> Sniffed {
    if bytes.is_empty() {
        return Sniffed::More;
    }
    if H2_PREFACE.starts_with(bytes) {
        return if bytes.len() == H2_PREFACE.len() {
            Sniffed::Http
        } else {
            Sniffed::More
        };
    }
    if !may_be_media(bytes) {
        return Sniffed::Http;
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_len)) => {
            asked(&request, head_len).map_or(Sniffed::Http, |asked| Sniffed::Media(Box::new(asked)))
        }
        Ok(httparse::Status::Partial) if bytes.len() < max => Sniffed::More,
        _ => Sniffed::Http,
    }
}

/// Whether the request line, as far as it is there, can be that of a media request: everything
/// else goes to hyper without waiting for the end of its head.
fn may_be_media(bytes: &[u8]) -> bool {
    let methods: [&[u8]; 2] = [b"GET /", b"HEAD /"];
    let begins = |method: &[u8]| {
        let common = method.len().min(bytes.len());
        bytes.get(..common) == method.get(..common)
    };
    if !methods.into_iter().any(begins) {
        return false;
    }
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
        return true;
    };
    let line = bytes.get(..end).unwrap_or_default();
    let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    let path = target.split(|&byte| byte == b'?').next();
    path.is_some_and(|path| path.ends_with(b".flv") || path.ends_with(b".ts"))
}

fn asked(request: &httparse::Request<'_, '_>, head_len: usize) -> Option<Asked> {
    let method = match request.method? {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return None,
    };
    let version = match request.version? {
        0 => HttpVersion::Http10,
        1 => HttpVersion::Http11,
        _ => return None,
    };
    let (path, query) = match request.path?.split_once('?') {
        Some((path, query)) => (path, Some(query.into())),
        None => (request.path?, None),
    };
    let Readings::Some(targets) = paths::read(path) else {
        return None;
    };
    let all = |name: &'static str| {
        request
            .headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    let one = |name: &'static str| {
        let value = all(name).next()?;
        Some(String::from_utf8_lossy(value).trim().to_owned())
    };
    let hosts = all("host").count();
    // A body, two hosts, or none where one must be: what hyper and the router say to those they
    // also say here.
    let has_body = ["content-length", "transfer-encoding", "expect"]
        .into_iter()
        .any(|name| all(name).next().is_some());
    if has_body || hosts > 1 || (hosts == 0 && version == HttpVersion::Http11) {
        return None;
    }
    let web_socket = match one("upgrade") {
        None => None,
        Some(upgrade) if upgrade.eq_ignore_ascii_case("websocket") => {
            let connection = all("connection").any(|value| {
                let value = String::from_utf8_lossy(value);
                value
                    .split(',')
                    .any(|t| t.trim().eq_ignore_ascii_case("upgrade"))
            });
            let versioned = one("sec-websocket-version").as_deref() == Some("13");
            if !connection || !versioned || version == HttpVersion::Http10 || method != Method::Get
            {
                return None;
            }
            Some(accept_key(&one("sec-websocket-key")?)?)
        }
        // h2c by upgrade and others: ignored, as hyper does.
        Some(_) => None,
    };
    Some(Asked {
        targets,
        query,
        web_socket,
        version,
        method,
        user_agent: one("user-agent")
            .as_deref()
            .map(client_text)
            .unwrap_or_default(),
        origin: one("origin"),
        head_len,
    })
}

/// `Sec-WebSocket-Accept` for a client's key (RFC 6455 §4.2.2); `None` when the key is not 16
/// bytes in base64.
fn accept_key(key: &str) -> Option<Box<str>> {
    if BASE64.decode(key.as_bytes()).ok()?.len() != 16 {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    Some(BASE64.encode(&hash.finalize()).into())
}

/// A client's name for lists and logs: at most 128 bytes, control characters replaced.
pub(crate) fn client_text(text: &str) -> Box<str> {
    const MAX_BYTES: usize = 128;
    let mut out = String::with_capacity(text.len().min(MAX_BYTES));
    for ch in text.trim().chars() {
        let ch = if ch.is_control() { '\u{fffd}' } else { ch };
        if out.len() + ch.len_utf8() > MAX_BYTES {
            break;
        }
        out.push(ch);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MAX: usize = 16 << 10;

    fn media(text: &str) -> Asked {
        match sniff(text.as_bytes(), MAX) {
            Sniffed::Media(asked) => *asked,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn flv_request_is_read_whole() {
        let head = "GET /live/cam1.flv?x=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: VLC/3\r\n\r\n";
        let asked = media(&format!("{head}rest"));
        assert_eq!(asked.targets, [Target::Flv("live/cam1".parse().unwrap())]);
        assert_eq!(asked.head_len, head.len());
        assert_eq!(&*asked.user_agent, "VLC/3");
        assert_eq!(
            (asked.method, asked.version),
            (Method::Get, HttpVersion::Http11)
        );
        for cut in 0..head.len() {
            assert_eq!(sniff(&head.as_bytes()[..cut], MAX), Sniffed::More, "{cut}");
        }
    }

    #[test]
    fn old_players_ask_without_host() {
        let asked = media("HEAD /live/cam1.ts HTTP/1.0\r\n\r\n");
        assert_eq!(
            (asked.method, asked.version),
            (Method::Head, HttpVersion::Http10)
        );
    }

    #[test]
    fn websocket_key_is_answered_as_in_the_standard() {
        // The key and its answer are those of RFC 6455 §1.3.
        let asked = media(
            "GET /live/cam1.flv HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://a\r\n\r\n",
        );
        assert_eq!(
            asked.web_socket.as_deref(),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        assert_eq!(asked.origin.as_deref(), Some("http://a"));
    }

    #[test]
    fn everything_else_is_for_hyper_at_once() {
        for text in [
            "POST /live/cam1.flv",
            "GET /live/cam1.m3u8 HTTP/1.1\r\n",
            "GET /v1/streams HTTP/1.1\r\n",
            "\x16\x03\x01",
            "GET /live/cam1.flv HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
            "GET /live/cam1.flv HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /live/cam1.flv HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /live/cam1.flv HTTP/1.1\r\n\r\n",
            "GET /live/cam1.flv HTTP/1.1\r\nBad header\r\n\r\n",
            "GET /live/cam1.flv HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
            "GET /.flv HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(sniff(text.as_bytes(), MAX), Sniffed::Http, "{text:?}");
        }
    }

    #[test]
    fn h2_preface_is_waited_for() {
        assert_eq!(sniff(b"PRI * HT", MAX), Sniffed::More);
        assert_eq!(sniff(H2_PREFACE, MAX), Sniffed::Http);
        assert_eq!(sniff(b"PRINT / HTTP/1.1", MAX), Sniffed::Http);
    }

    #[test]
    fn endless_head_is_not_waited_for() {
        let mut head = b"GET /live/cam1.flv HTTP/1.1\r\nX: ".to_vec();
        head.resize(MAX, b'x');
        assert_eq!(sniff(&head, MAX), Sniffed::Http);
    }

    #[test]
    fn client_names_are_short_and_printable() {
        assert_eq!(
            &*client_text(" a\r\nb\u{1b}[31m "),
            "a\u{fffd}\u{fffd}b\u{fffd}[31m"
        );
        assert!(client_text(&"é".repeat(200)).len() <= 128);
    }
}
