//! One attempt: a POST, and what came of it.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout, timeout_at};

use super::acknowledgement::retry_after;
use super::destination::{self, PublicResolver};

/// What is read of an answer's body: enough for `{"code":0}` with a long message, no more for anybody.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// How long the body may take once the status is known. The status alone settles most answers, so a body that drips
/// costs its sender no more than this.
const BODY_TIME: Duration = Duration::from_secs(2);

/// Idle connections kept to one host.
const IDLE_PER_HOST: usize = 16;

/// The HTTP client of all endpoints.
///
/// No redirects, no proxy from the environment, no cookies, no decompression: each would be a way around the guard of
/// [`destination`] or around the bounds above.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    allow_private: bool,
}

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// From the look-up of the name to the answer's status.
    pub(crate) timeout: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// An answer, or why there is none.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered {
        status: u16,
        retry_after: Option<Duration>,
        /// The first [`MAX_ANSWER_BYTES`] bytes, fewer if the rest did not come in time.
        body: Vec<u8>,
    },
    /// One sentence without a full stop; never contains the URL, whose query may hold a token.
    NoAnswer(String),
}

impl Sender {
    /// # Errors
    /// The TLS library cannot be set up, for instance without any root certificate.
    pub(crate) fn new(allow_private: bool) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .user_agent(concat!("sidestream/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10));
        if !allow_private {
            builder = builder.dns_resolver(PublicResolver);
        }
        Ok(Self {
            client: builder.build()?,
            allow_private,
        })
    }

    /// Sends once. Ends within the request's timeout and [`BODY_TIME`].
    pub(crate) async fn send(&self, request: Request) -> Attempt {
        let start = Instant::now();
        let outcome = self.outcome(request, start).await;
        Attempt {
            outcome,
            took: start.elapsed(),
        }
    }

    async fn outcome(&self, request: Request, start: Instant) -> Outcome {
        let url = match destination::check(&request.url, self.allow_private) {
            Ok(url) => url,
            Err(forbidden) => return Outcome::NoAnswer(forbidden.to_string()),
        };
        let mut post = self.client.post(url).body(request.body);
        for (name, value) in request.headers {
            let Ok(value) = HeaderValue::try_from(value) else {
                continue;
            };
            post = post.header(HeaderName::from_static(name), value);
        }
        let response = match timeout_at(start + request.timeout, post.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Outcome::NoAnswer(reason(error)),
            Err(_) => return Outcome::NoAnswer(format!("no answer within {:?}", request.timeout)),
        };
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| retry_after(value.to_str().ok()?, jiff::Timestamp::now()));
        Outcome::Answered {
            status,
            retry_after,
            body: first_bytes(response).await,
        }
    }
}

/// Reads the beginning of a body. What is cut off by the end of the connection or the clock is as good as absent.
async fn first_bytes(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let _ = timeout(BODY_TIME, async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ANSWER_BYTES {
                break;
            }
        }
    })
    .await;
    body
}

/// The causes of a failure, innermost last, without the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() {
        error.to_string()
    } else {
        texts.join(": ")
    }
}
