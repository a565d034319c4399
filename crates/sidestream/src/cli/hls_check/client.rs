//! Requests over HTTP/1.1 and HTTP/2, redirects followed, bodies read to their bound.

use std::time::Duration;

use ::hls_check::{Answer, Method, Outcome, Request, Url};
use bytes::BytesMut;
use reqwest::redirect::Policy;
use reqwest::{Response, Version, header};

/// Answers that send on to elsewhere.
const MAX_REDIRECTS: usize = 5;
/// Header fields of an answer that are taken. Threat: they are held in memory.
const MAX_FIELDS: usize = 100;
/// A page of another origin, so that answers say whether such pages may read them.
const ORIGIN: &str = "https://player.example";

/// A client that knows who may see its fields.
pub(super) struct Client {
    inner: reqwest::Client,
    origin: url_origin::Origin,
    headers: header::HeaderMap,
}

/// Who answers: scheme, host and port.
mod url_origin {
    use ::hls_check::Url;

    #[derive(PartialEq, Eq)]
    pub(super) struct Origin(String, Option<String>, Option<u16>);

    impl Origin {
        pub(super) fn of(url: &Url) -> Self {
            let host = url.host_str().map(str::to_owned);
            Self(url.scheme().to_owned(), host, url.port_or_known_default())
        }
    }
}

impl Client {
    pub(super) fn new(
        url: &Url,
        headers: &[(String, String)],
        insecure: bool,
        http2: bool,
    ) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("sidestream/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10));
        if insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if http2 {
            builder = builder.http2_prior_knowledge();
        }
        let mut fields = header::HeaderMap::new();
        for (name, value) in headers {
            let name = header::HeaderName::try_from(name).map_err(|error| error.to_string())?;
            let value = header::HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            fields.append(name, value);
        }
        Ok(Self {
            inner: builder.build().map_err(|error| error.to_string())?,
            origin: url_origin::Origin::of(url),
            headers: fields,
        })
    }

    /// Asks, within the request's time.
    pub(super) async fn ask(&self, request: Request) -> Outcome {
        match tokio::time::timeout(request.timeout, self.exchange(&request)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Failed(reason(&error)),
            Err(_) => Outcome::TimedOut,
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Outcome, reqwest::Error> {
        let mut url = request.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            if !matches!(url.scheme(), "http" | "https") {
                return Ok(Outcome::Failed(format!(
                    "{}:// is not fetched",
                    url.scheme()
                )));
            }
            let response = self.once(request, &url).await?;
            let status = response.status();
            let next = response
                .headers()
                .get(header::LOCATION)
                .filter(|_| status.is_redirection());
            let next = next.and_then(|value| url.join(value.to_str().ok()?).ok());
            match next {
                Some(next) if status.as_u16() != 304 => url = next,
                _ => return read(response, url, request.max_body).await,
            }
        }
        Ok(Outcome::Failed(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }

    async fn once(&self, request: &Request, url: &Url) -> Result<Response, reqwest::Error> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
        };
        let mut ask = self
            .inner
            .request(method, url.clone())
            .header(header::ORIGIN, ORIGIN);
        if !request
            .headers
            .iter()
            .any(|(name, _)| *name == "accept-encoding")
        {
            ask = ask.header(header::ACCEPT_ENCODING, "identity");
        }
        for (name, value) in &request.headers {
            ask = ask.header(*name, value);
        }
        // What proves who we are is for that server alone.
        if url_origin::Origin::of(url) == self.origin {
            ask = ask.headers(self.headers.clone());
        }
        ask.send().await
    }
}

async fn read(mut response: Response, url: Url, max: usize) -> Result<Outcome, reqwest::Error> {
    let fields = response.headers().iter().take(MAX_FIELDS);
    let fields = fields.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let mut answer = Answer {
        url,
        status: response.status().as_u16(),
        is_http2: response.version() == Version::HTTP_2,
        headers: fields.collect(),
        body: bytes::Bytes::new(),
    };
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max {
            return Ok(Outcome::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    answer.body = body.freeze();
    Ok(Outcome::Answer(answer))
}

/// The last cause, which says what happened, without the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.is_connect() {
        true => format!("no connection: {cause}"),
        false => cause.to_string(),
    }
}
