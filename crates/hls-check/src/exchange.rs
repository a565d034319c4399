//! Requests that the checker wants made, and what came of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

/// Names a request until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// What is asked of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Its content.
    Get,
    /// Its header fields alone.
    Head,
}

impl Method {
    /// `GET` or `HEAD`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// A request that is to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// To be given back with the [`Outcome`].
    pub id: RequestId,
    /// How to ask.
    pub method: Method,
    /// `http`, `https` or `file`, as the URL that was given to the checker.
    pub url: Url,
    /// Header fields, beside those that the shell adds for whom it knows; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Bytes of the body, whatever its coding, that may be read.
    pub max_body: usize,
    /// How long it may take to the last byte.
    pub timeout: Duration,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An answer, whatever its status.
    Answer(Answer),
    /// None within [`Request::timeout`].
    TimedOut,
    /// An answer with more than [`Request::max_body`] bytes.
    TooLong,
    /// None: the reason, as the end of a sentence.
    Failed(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it came from, after redirects.
    pub url: Url,
    /// The status; 200 and 404 of a file.
    pub status: u16,
    /// Whether it came over HTTP/2.
    pub is_http2: bool,
    /// Fields, names in lower case. None of a file.
    pub headers: Vec<(String, String)>,
    /// The body as it came: not decompressed.
    pub body: Bytes,
}

impl Answer {
    /// The first field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(field, _)| field == name);
        found.next().map(|(_, value)| value.trim())
    }

    /// Whether it is a file's, of which there are no header fields to judge.
    pub(crate) fn is_file(&self) -> bool {
        self.url.scheme() == "file"
    }
}

/// Header fields that a finding shows.
const SHOWN: [&str; 12] = [
    "content-type",
    "content-length",
    "content-range",
    "content-encoding",
    "cache-control",
    "etag",
    "age",
    "accept-ranges",
    "access-control-allow-origin",
    "location",
    "server",
    "via",
];
/// Bytes of a field's value that are shown. Threat: a server sends long ones to fill reports.
const MAX_VALUE: usize = 200;

/// A request and what came of it, as a finding shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How it was asked.
    pub method: Method,
    /// What for.
    pub url: Arc<str>,
    /// Fields of the request.
    pub request_headers: Vec<(&'static str, String)>,
    /// The answer's status; `None`: there was none.
    pub status: Option<u16>,
    /// `HTTP/2` or `HTTP/1.1`; `file`.
    pub protocol: &'static str,
    /// Fields of the answer that matter here.
    pub headers: Vec<(String, String)>,
    /// When it was asked, counted from the start.
    pub at: Duration,
    /// From the request to the last byte.
    pub took: Duration,
}

impl Seen {
    pub(crate) fn new(request: &Request, outcome: &Outcome, at: Duration, now: Duration) -> Self {
        let answer = match outcome {
            Outcome::Answer(answer) => Some(answer),
            _ => None,
        };
        let protocol = match answer {
            _ if request.url.scheme() == "file" => "file",
            Some(answer) if answer.is_http2 => "HTTP/2",
            _ => "HTTP/1.1",
        };
        let shown = |answer: &Answer| {
            let fields = answer.headers.iter();
            let fields = fields.filter(|(name, _)| SHOWN.contains(&name.as_str()));
            let cut = |(name, value): &(String, String)| {
                (name.clone(), value.chars().take(MAX_VALUE).collect())
            };
            fields.take(SHOWN.len()).map(cut).collect()
        };
        Self {
            method: request.method,
            url: request.url.as_str().into(),
            request_headers: request.headers.clone(),
            status: answer.map(|answer| answer.status),
            protocol,
            headers: answer.map(shown).unwrap_or_default(),
            at,
            took: now.saturating_sub(at),
        }
    }
}
