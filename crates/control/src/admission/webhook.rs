//! The authorisation webhook: somebody else's server is asked, and waited for.
//!
//! `POST` with a JSON body; any 2xx lets in, 4xx (but 408 and 429) refuses with the body as the
//! reason, everything else is trouble, and trouble is decided by [`OnError`]. Whatever the server
//! does, an answer is there after the timeout: queueing, connecting, redirects (not followed) and
//! bodies that drip included.
//!
//! With a secret each question is signed as Standard Webhooks has it, as callbacks are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Question;
use crate::callback::{Secret, signature};
use crate::clock::UnixMs;
use crate::id::fresh_number;

/// Publishers that are asked about at once. Players have as many of their own, so that they cannot
/// crowd publishers out. Bounds: connections to the webhook.
const AT_ONCE: usize = 128;

/// Players' answers that are kept. Bounds: memory under viewers with ever new queries.
const MAX_KEPT: usize = 10_000;

/// Bytes of a refusal that are read.
const REASON_BYTES: usize = 512;

/// Characters of a reason that the peer is told.
const REASON_CHARS: usize = 200;

/// What is decided when the webhook gives no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Nobody gets in.
    #[default]
    Deny,
    /// Everybody gets in.
    Allow,
}

/// Whom to ask and how long to wait.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `http://` or `https://`.
    pub url: String,
    /// For the whole answer.
    pub timeout: Duration,
    /// How long an answer about a player holds; zero: it is not kept. Publishers are asked about
    /// each time.
    pub keep: Duration,
    /// What is decided without an answer.
    pub on_error: OnError,
    /// Signs questions; without it they are not signed.
    pub secret: Option<Secret>,
}

impl std::fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its path and query may hold a key.
        let host = Url::parse(&self.url).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        let (timeout, on_error) = (self.timeout, self.on_error);
        write!(
            f,
            "WebhookSettings({host}, {timeout:?}, on error {on_error:?})"
        )
    }
}

/// Why there can be no webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Not a URL of HTTP.
    #[error("the webhook's URL is none; write \"https://HOST/PATH\"")]
    Url,
    /// TLS cannot be set up.
    #[error("no HTTP client for the webhook")]
    Client(#[source] reqwest::Error),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    Deny(String),
}

/// What the webhook is told.
#[derive(Serialize)]
struct Body<'a> {
    action: &'a str,
    app: &'a str,
    stream: &'a str,
    protocol: &'a str,
    peer: Option<String>,
    query: &'a str,
}

/// A player's question, as far as its answer depends on it.
type KeptKey = (String, String, Option<IpAddr>);

pub(super) struct Webhook {
    settings: WebhookSettings,
    url: Url,
    client: Client,
    publishers: Semaphore,
    players: Semaphore,
    // Guards answers about players and when they were given.
    kept: Mutex<HashMap<KeptKey, (Decision, Instant)>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Http(reqwest::Error),
}

impl Webhook {
    pub(super) fn new(settings: WebhookSettings) -> Result<Self, WebhookError> {
        let url = Url::parse(&settings.url).map_err(|_| WebhookError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(WebhookError::Url);
        }
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("sidestream/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(WebhookError::Client)?;
        Ok(Self {
            settings,
            url,
            client,
            publishers: Semaphore::new(AT_ONCE),
            players: Semaphore::new(AT_ONCE),
            kept: Mutex::default(),
        })
    }

    /// `now` is in Unix seconds.
    pub(super) async fn ask(
        &self,
        action: &'static str,
        question: &Question,
        now: u64,
    ) -> Decision {
        let is_play = action == "play";
        let key = || {
            let peer = question.peer.map(|peer| peer.ip());
            (
                question.name.as_str().to_owned(),
                question.query.clone(),
                peer,
            )
        };
        if is_play && let Some(decision) = self.kept(&key()) {
            return decision;
        }
        let answer = self.request(action, question, now).await;
        match answer {
            Ok(decision) => {
                if is_play {
                    self.keep(key(), &decision);
                }
                decision
            }
            Err(trouble) => {
                // The URL may hold a key.
                let trouble = match trouble {
                    Trouble::Http(error) => Trouble::Http(error.without_url()),
                    other => other,
                };
                let on_error = self.settings.on_error;
                tracing::warn!(stream = %question.name, action, error = %chain(&trouble), ?on_error,
                    "the authorisation webhook gave no answer");
                match on_error {
                    OnError::Allow => Decision::Allow,
                    OnError::Deny => {
                        Decision::Deny("permission could not be asked for; try again".to_owned())
                    }
                }
            }
        }
    }

    async fn request(
        &self,
        action: &'static str,
        question: &Question,
        now: u64,
    ) -> Result<Decision, Trouble> {
        let timeout = self.settings.timeout;
        let deadline = Instant::now() + timeout;
        let places = match action {
            "play" => &self.players,
            _ => &self.publishers,
        };
        let body = Body {
            action,
            app: question.name.app(),
            stream: question.name.stream(),
            protocol: question.protocol,
            peer: question.peer.map(|peer| peer.to_string()),
            query: &question.query,
        };
        // Of texts and an address: this is always JSON.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut request = self.client.post(self.url.clone());
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.settings.secret {
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            let id = format!("ask_{}", fresh_number(UnixMs(now.saturating_mul(1_000))));
            let signature = signature::standard([secret], &id, now, &body);
            request = request
                .header("webhook-id", id)
                .header("webhook-timestamp", now)
                .header("webhook-signature", signature);
        }
        let request = request.body(body);
        let asked = tokio::time::timeout_at(deadline, async {
            // Closed never: an error cannot come.
            let place = places.acquire().await;
            request.send().await.map(|response| (response, place))
        });
        let asked = asked.await.map_err(|_| Trouble::Timeout(timeout))?;
        let (response, _place) = asked.map_err(Trouble::Http)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Decision::Allow);
        }
        let is_refusal = status.is_client_error()
            && status != StatusCode::REQUEST_TIMEOUT
            && status != StatusCode::TOO_MANY_REQUESTS;
        match is_refusal {
            true => Ok(Decision::Deny(reason(response, deadline).await)),
            false => Err(Trouble::Status(status)),
        }
    }

    fn kept(&self, key: &KeptKey) -> Option<Decision> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (decision, since) = kept.get(key)?;
        (since.elapsed() < self.settings.keep).then(|| decision.clone())
    }

    fn keep(&self, key: KeptKey, decision: &Decision) {
        if self.settings.keep.is_zero() {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            let keep = self.settings.keep;
            kept.retain(|_, (_, since)| since.elapsed() < keep);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(key, (decision.clone(), Instant::now()));
        }
    }
}

/// The first line of a refusal's body, cut, without control characters.
async fn reason(mut response: Response, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    // A body that drips, breaks off or is too long still refuses; the rest is not waited for.
    while bytes.len() < REASON_BYTES
        && let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await
    {
        let room = REASON_BYTES - bytes.len();
        bytes.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.trim().lines().next().unwrap_or_default();
    let line: String = line
        .chars()
        .filter(|ch| !ch.is_control())
        .take(REASON_CHARS)
        .collect();
    match line.is_empty() {
        true => "refused by the authorisation webhook".to_owned(),
        false => line,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
