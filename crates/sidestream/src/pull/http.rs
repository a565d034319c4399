//! A body of endless FLV over HTTP/1.1.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;

use super::net::ClientSocket;
use super::{Input, PullError};

/// A server that sends nothing for this long is gone.
const IDLE: Duration = Duration::from_secs(30);
/// Between two looks for a stream that is not there yet.
const RETRY: Duration = Duration::from_millis(500);

/// The body of a response.
pub(super) struct Body {
    incoming: Incoming,
    cut_off: bool,
    /// Drives the connection; it ends with this.
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Body {
    pub(super) async fn open(input: &Input, uri: &Uri, wait: Duration) -> Result<Self, PullError> {
        let until = Instant::now() + wait;
        loop {
            match Self::request(input, uri).await {
                Err(PullError::NobodyPublishes { .. }) if Instant::now() + RETRY <= until => {
                    tokio::time::sleep(RETRY).await;
                }
                result => return result,
            }
        }
    }

    async fn request(input: &Input, uri: &Uri) -> Result<Self, PullError> {
        let answer = |what: String| PullError::Answer {
            input: input.to_string(),
            what,
        };
        let tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| answer("no host".to_owned()))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let socket = ClientSocket::connect(input, bare, port, tls, &[b"http/1.1"]).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
            .await
            .map_err(|error| answer(error.to_string()))?;
        let connection = tokio::spawn(async move {
            // Its end, good or bad, is seen by whoever reads the body.
            let _ = connection.await;
        });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let request = Request::get(path)
            .header(header::HOST, authority)
            .header(
                header::USER_AGENT,
                concat!("sidestream/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::<Bytes>::new())
            .map_err(|error| answer(error.to_string()))?;
        let response = tokio::time::timeout(IDLE, sender.send_request(request))
            .await
            .map_err(|_| PullError::Timeout {
                input: input.to_string(),
                after: IDLE,
            })?
            .map_err(|error| answer(error.to_string()))?;
        match response.status() {
            StatusCode::OK => Ok(Self {
                incoming: response.into_body(),
                cut_off: false,
                connection,
            }),
            StatusCode::NOT_FOUND => {
                connection.abort();
                Err(PullError::NobodyPublishes {
                    input: input.to_string(),
                    stream: uri
                        .path()
                        .trim_matches('/')
                        .trim_end_matches(".flv")
                        .to_owned(),
                })
            }
            status => {
                connection.abort();
                Err(answer(format!(
                    "the server answered {status}, expected 200"
                )))
            }
        }
    }

    /// Whether the body ended before the server said so.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// More of the body; empty at its end.
    pub(super) async fn read(&mut self, input: &Input) -> Result<Bytes, PullError> {
        loop {
            let frame = tokio::time::timeout(IDLE, self.incoming.frame()).await;
            let Ok(frame) = frame else {
                return Err(PullError::Timeout {
                    input: input.to_string(),
                    after: IDLE,
                });
            };
            match frame {
                None => return Ok(Bytes::new()),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(data),
                    _ => {}
                },
                // An endless body that ends with its connection is no error.
                Some(Err(error)) if error.is_incomplete_message() => {
                    self.cut_off = true;
                    return Ok(Bytes::new());
                }
                Some(Err(error)) => {
                    return Err(PullError::Io {
                        input: input.to_string(),
                        error: std::io::Error::other(error),
                    });
                }
            }
        }
    }
}
