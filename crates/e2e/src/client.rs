//! HTTP clients that keep their connection, as players do: HTTP/1.1, and HTTP/2 with and without
//! TLS, several requests at once. Content codings are left to the caller.

use std::io::Read as _;
use std::ops::Deref;
use std::time::Duration;

use crate::http::Response;
use crate::wait::secs;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 over TCP, kept alive.
    Http1,
    /// HTTP/2 over TCP from the first byte (h2c).
    Http2,
    /// HTTP/2 over TLS, agreed upon by ALPN; any certificate will do.
    Http2OverTls,
}

/// Longest time for an answer to come whole.
const PATIENCE: Duration = secs(30);

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    runtime: tokio::runtime::Runtime,
    inner: reqwest::Client,
    base: String,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    /// Whether it came over HTTP/2.
    pub is_http2: bool,
    response: Response,
}

impl Deref for Answer {
    type Target = Response;

    fn deref(&self) -> &Response {
        &self.response
    }
}

impl Answer {
    /// The body as text, unpacked if it came compressed by gzip.
    ///
    /// # Panics
    /// When it is no text, or not gzip although it says so.
    pub fn plain(&self) -> String {
        let mut text = String::new();
        let read = match self.header("content-encoding") {
            Some("gzip") => {
                flate2::read::MultiGzDecoder::new(&self.body[..]).read_to_string(&mut text)
            }
            None => (&self.body[..]).read_to_string(&mut text),
            Some(other) => panic!("content-encoding {other}"),
        };
        read.unwrap();
        text
    }
}

/// A request that was sent and is not answered yet.
#[derive(Debug)]
pub struct Pending<'a> {
    client: &'a Client,
    what: String,
    task: tokio::task::JoinHandle<reqwest::Result<Answer>>,
}

impl Pending<'_> {
    /// Whether the whole answer is there.
    pub fn is_answered(&self) -> bool {
        self.task.is_finished()
    }

    /// The answer.
    ///
    /// # Panics
    /// When it has not come within 30 s, or the connection fails.
    pub fn wait(self) -> Answer {
        let answer = self
            .client
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.task).await });
        let answer = answer.unwrap_or_else(|_| panic!("no answer in {PATIENCE:?}: {}", self.what));
        answer
            .unwrap()
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.what))
    }
}

impl Client {
    /// A client of the server at `address` (`HOST:PORT`).
    ///
    /// # Panics
    /// When the client library refuses its settings.
    pub fn new(protocol: Protocol, address: &str) -> Self {
        let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let (builder, scheme) = match protocol {
            Protocol::Http1 => (builder.http1_only(), "http"),
            Protocol::Http2 => (builder.http2_prior_knowledge(), "http"),
            Protocol::Http2OverTls => (builder.tls_danger_accept_invalid_certs(true), "https"),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            runtime,
            inner: builder.build().unwrap(),
            base: format!("{scheme}://{address}"),
        }
    }

    /// Sends a request and goes on.
    ///
    /// # Panics
    /// When a header field is none.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Pending<'_> {
        let url = format!("{}{path}", self.base);
        let what = format!("{method} {url}");
        let mut request = self.inner.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let task = self.runtime.spawn(async move {
            let answer = request.send().await?;
            let is_http2 = answer.version() == reqwest::Version::HTTP_2;
            let status = answer.status().as_u16();
            let fields = answer.headers().iter().map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            });
            let headers = fields.collect();
            let body = answer.bytes().await?.to_vec();
            let response = Response {
                status,
                headers,
                body,
            };
            Ok(Answer { is_http2, response })
        });
        Pending {
            client: self,
            what,
            task,
        }
    }

    /// `GET`, waited for.
    ///
    /// # Panics
    /// As [`Pending::wait`].
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers).wait()
    }
}
