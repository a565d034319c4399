//! Sends bytes that are in memory: validators, conditions, ranges, compression, HEAD
//! (RFC 9110 §8.8, §13, §14, RFC 9111).

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::error::{Problem, Reason};
use crate::hls::Stored;
use crate::pieces;

/// Playlists: kept by caches, but asked about each time (H17).
pub(crate) const NO_CACHE: &str = "no-cache";
/// What never changes at its URL.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Keys: nobody keeps them.
pub(crate) const NO_STORE: &str = "no-store";

/// Playlists of one viewer: no shared cache keeps them.
pub(crate) const PRIVATE_NO_CACHE: &str = "private, no-cache";
/// What never changes at its URL and is not for everybody.
pub(crate) const PRIVATE_IMMUTABLE: &str = "private, max-age=31536000, immutable";

/// Something to send.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// As it is.
    pub(crate) body: Source,
    /// The same, compressed, when it can be had so.
    pub(crate) gzip: Gzip,
    pub(crate) content_type: &'static str,
    /// With its quotation marks.
    pub(crate) etag: String,
    pub(crate) cache_control: Cow<'static, str>,
}

/// Where content comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// It is in memory.
    Memory(hls::Body),
    /// It is read from the disk while it is sent.
    Disk(Stored),
}

impl Source {
    #[cfg(test)]
    pub(crate) fn joined(&self) -> Bytes {
        match self {
            Self::Memory(body) => body.joined(),
            Self::Disk(_) => Bytes::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(body) => body.len(),
            Self::Disk(stored) => stored.len(),
        }
    }

    /// `len` bytes from `first` on; both lie within it.
    fn body(&self, first: usize, len: usize) -> Body {
        match self {
            Self::Memory(body) => pieces::body(body, first, len),
            Self::Disk(stored) => stored.body(first, len),
        }
    }
}

impl<T: Into<hls::Body>> From<T> for Source {
    fn from(body: T) -> Self {
        Self::Memory(body.into())
    }
}

/// Whether content can be had compressed.
#[derive(Clone, Debug)]
pub(crate) enum Gzip {
    /// Media: it is compressed already.
    Never,
    /// Compressed once, for all.
    Here(hls::Body),
}

/// Compresses text once for all who want it.
pub(crate) fn compress(body: &[u8]) -> Bytes {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    // Writing to memory does not fail; an empty answer would be noticed.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// Answers a GET or HEAD with `content`. A single range is honoured; what asks for several, or is
/// not understood, gets everything (RFC 9110 §14.2 allows that).
pub(crate) fn send(
    content: &Content,
    method: &Method,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&content.cache_control) {
        headers.insert(CACHE_CONTROL, value);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content.content_type));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (body, etag) = match &content.gzip {
        Gzip::Never => (content.body.clone(), content.etag.clone()),
        Gzip::Here(gzip) => {
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
            // Another representation has another validator; a range is one of plain bytes.
            if accepts_gzip(request) && !request.contains_key(RANGE) {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                (
                    gzip.clone().into(),
                    format!("{}-gz\"", content.etag.trim_end_matches('"')),
                )
            } else {
                (content.body.clone(), content.etag.clone())
            }
        }
    };
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, value);
    }
    if none_match(request, &etag) {
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_ENCODING);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = no_length();
        return Ok(response);
    }
    // A range means something with GET only (RFC 9110 section 14.2).
    let whole = body.len();
    let wanted = if method == Method::GET {
        range(request, &etag, whole)
    } else {
        Wanted::All
    };
    let (first, len) = match wanted {
        Wanted::All => (0, whole),
        Wanted::Part { first, last } => {
            let text = format!("bytes {first}-{last}/{whole}");
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(CONTENT_RANGE, value);
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, last + 1 - first)
        }
        Wanted::Nothing => {
            let detail = format!("the range lies outside 0-{}", whole.saturating_sub(1));
            let problem = Problem::new(Reason::RangeInvalid, detail);
            let size = HeaderValue::from_str(&format!("bytes */{whole}"));
            return Err(match size {
                Ok(size) => problem.with(CONTENT_RANGE, size),
                Err(_) => problem,
            });
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len as u64));
    if method != Method::HEAD {
        *response.body_mut() = body.body(first, len);
    }
    Ok(response)
}

/// What a range asks for of content whose length is not known yet: the first byte, and the last one
/// where it says which. `None` for what can be answered from the whole only.
pub(crate) fn range_ahead(request: &HeaderMap, etag: &str) -> Option<(usize, Option<usize>)> {
    let unknown = usize::MAX;
    match range(request, etag, unknown) {
        // The last bytes of an unknown length begin where nothing is.
        Wanted::Part { first, .. } if first > unknown / 2 => None,
        Wanted::Part { first, last } => Some((first, (last < unknown - 1).then_some(last))),
        Wanted::All | Wanted::Nothing => None,
    }
}

/// Answers with the bytes from `first` to `last`, both inclusive, of content that grows still: its
/// length is said as `*` (RFC 9110 §14.4). Both lie within what is there of it.
pub(crate) fn send_so_far(content: &Content, first: usize, last: usize) -> Response {
    let len = last + 1 - first;
    let mut response = Response::new(content.body.body(first, len));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    let texts = [
        (CACHE_CONTROL, &*content.cache_control),
        (ETAG, &*content.etag),
        (CONTENT_RANGE, &*format!("bytes {first}-{last}/*")),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content.content_type));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len as u64));
    response
}

/// An empty body of a length that nobody writes: axum gives every answer a Content-Length, and the
/// only one that a 304 may have is that of the content (RFC 9110 §8.6).
fn no_length() -> Body {
    Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>())
}

/// `Accept-Encoding` names gzip (or anything) with a weight above 0 (RFC 9110 §12.5.3).
pub(crate) fn accepts_gzip(request: &HeaderMap) -> bool {
    let mut any = false;
    for value in request.get_all(ACCEPT_ENCODING) {
        for coding in value.as_bytes().split(|&byte| byte == b',') {
            let mut parts = coding.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|part| {
                let part = part.to_ascii_lowercase();
                part.strip_prefix(b"q=")
                    .is_some_and(|q| q.iter().all(|b| matches!(b, b'0' | b'.')))
            });
            if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
                return !refused;
            }
            any |= name == b"*" && !refused;
        }
    }
    any
}

/// Weak comparison with every validator listed (RFC 9110 §13.1.2).
fn none_match(request: &HeaderMap, etag: &str) -> bool {
    request.get_all(IF_NONE_MATCH).iter().any(|value| {
        let Ok(value) = value.to_str() else {
            return false;
        };
        value
            .split(',')
            .map(str::trim)
            .any(|listed| listed == "*" || listed.strip_prefix("W/").unwrap_or(listed) == etag)
    })
}

/// What part of the content is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// Both inclusive, within the content.
    Part {
        first: usize,
        last: usize,
    },
    /// A range without a byte in it.
    Nothing,
}

fn range(request: &HeaderMap, etag: &str, len: usize) -> Wanted {
    let Some(text) = request.get(RANGE).and_then(|value| value.to_str().ok()) else {
        return Wanted::All;
    };
    // A changed content is sent whole (RFC 9110 §13.1.5); dates never match, there are none.
    if let Some(condition) = request.get(IF_RANGE)
        && condition.as_bytes() != etag.as_bytes()
    {
        return Wanted::All;
    }
    parse_range(text, len)
}

fn parse_range(text: &str, len: usize) -> Wanted {
    let Some((unit, spec)) = text.split_once('=') else {
        return Wanted::All;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return Wanted::All;
    }
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::All;
    };
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // Beyond what fits is beyond any content.
        is_number.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    let end = len.saturating_sub(1);
    match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            None => Wanted::All,
            Some(0) => Wanted::Nothing,
            Some(_) if len == 0 => Wanted::Nothing,
            Some(count) => Wanted::Part {
                first: len.saturating_sub(count),
                last: end,
            },
        },
        (first, last) => {
            let Some(first) = number(first) else {
                return Wanted::All;
            };
            let last = match last {
                "" => end,
                last => match number(last) {
                    Some(last) if last >= first => last.min(end),
                    _ => return Wanted::All,
                },
            };
            if first >= len {
                return Wanted::Nothing;
            }
            Wanted::Part { first, last }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(first: usize, last: usize) -> Wanted {
        Wanted::Part { first, last }
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, want) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 9)),
            ("bytes=3-99", part(3, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            ("Bytes=9-9", part(9, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=0-99999999999999999999999", part(0, 9)),
            ("bytes=5-3", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=a-", Wanted::All),
            ("bytes=-", Wanted::All),
            ("items=0-1", Wanted::All),
            ("bytes", Wanted::All),
        ] {
            assert_eq!(parse_range(text, 10), want, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(parse_range("bytes=-1", 0), Wanted::Nothing);
    }

    #[test]
    fn ranges_of_what_grows_are_those_that_need_no_length() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(text).unwrap());
            range_ahead(&headers, "\"x\"")
        };
        assert_eq!(asked("bytes=7-"), Some((7, None)));
        assert_eq!(asked("bytes=7-9"), Some((7, Some(9))));
        // What Safari sends for the rest of a resource that grows (RFC 8673 §2.2).
        assert_eq!(
            asked("bytes=7-9007199254740991"),
            Some((7, Some(9_007_199_254_740_991)))
        );
        assert_eq!(asked("bytes=7-99999999999999999999999"), Some((7, None)));
        for whole in ["bytes=-7", "bytes=1-2,4-5", "bytes=9-7", "items=0-"] {
            assert_eq!(asked(whole), None, "{whole}");
        }
        assert_eq!(range_ahead(&HeaderMap::new(), "\"x\""), None);
    }

    #[test]
    fn gzip_is_sent_to_those_who_say_so() {
        for (text, want) in [
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("br;q=1, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
            assert_eq!(accepts_gzip(&headers), want, "{text}");
        }
    }

    #[test]
    fn compressed_text_is_the_text() {
        use std::io::Read;
        let packed = compress(b"#EXTM3U\n");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "#EXTM3U\n");
    }
}
