//! Where the keys of encrypted HLS come from.
//!
//! ```text
//! generated    HMAC-SHA-256 (secret, stream, epoch, number)     there at once, the same after a restart
//! key server   GET, one key ahead of the one in use             asked again until it answers
//! ```
//!
//! Keys are stored nowhere. Those of segments on the disk are made again, or asked for again.
//!
//! What the segmenter asks for it gets at once or not at all; while it has not got it, nothing new
//! is listed, and requests for playlists are answered with the reason. Neither keys nor URLs of key
//! servers are in what is logged or shown.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hls::{Key, KeySource};
use hmac::{Hmac, KeyInit as _, Mac as _};
use media::StreamName;
use sha2::Sha256;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// First and longest pause before a key server is asked again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// What is read of a key server's answer: more is no key.
const KEY_BYTES: usize = 16;

/// Which streams are encrypted, and how.
pub trait EncryptionRules: fmt::Debug + Send + Sync {
    /// How this stream is encrypted; `None`: not at all.
    fn of(&self, name: &StreamName) -> Option<StreamEncryption>;
}

/// How a stream is encrypted.
#[derive(Clone, Debug)]
pub struct StreamEncryption {
    /// The method.
    pub method: hls::Method,
    /// When the next key is taken.
    pub rotation: hls::Rotation,
    /// Where keys come from.
    pub keys: KeyOrigin,
}

/// Where keys come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyOrigin {
    /// Made of a secret.
    Generated(KeySecret),
    /// Fetched.
    Server(Arc<dyn KeyServer>),
}

impl KeyOrigin {
    /// The key of a number within any run of a stream; an error says why it cannot be had, without
    /// a URL.
    pub(super) async fn again(
        &self,
        name: &StreamName,
        epoch: u64,
        number: u64,
    ) -> Result<Key, String> {
        match self {
            Self::Generated(secret) => Ok(secret.key(name, epoch, number)),
            Self::Server(server) => {
                let fetched = server.fetch(name, &key_id(epoch, number)).await;
                fetched.map(Key::new)
            }
        }
    }
}

/// What a key server calls a key.
fn key_id(epoch: u64, number: u64) -> String {
    format!("{epoch:x}-{number}")
}

/// What keys are made of; who has it can make them all. Not shown.
#[derive(Clone)]
pub struct KeySecret(Arc<[u8; 32]>);

impl KeySecret {
    /// The secret of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Arc::new(bytes))
    }

    /// The key of a number within an epoch of a stream; always the same, so that media outlives
    /// the process.
    fn key(&self, name: &StreamName, epoch: u64, number: u64) -> Key {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("any length is a key");
        mac.update(name.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(&epoch.to_be_bytes());
        mac.update(&number.to_be_bytes());
        let code = mac.finalize().into_bytes();
        let mut bytes = [0; KEY_BYTES];
        bytes
            .iter_mut()
            .zip(&code)
            .for_each(|(to, from)| *to = *from);
        Key::new(bytes)
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// What asking a key server comes to: the key, or one sentence that names no URL.
pub type Fetch = Pin<Box<dyn Future<Output = Result<[u8; 16], String>> + Send>>;

/// A key server.
pub trait KeyServer: fmt::Debug + Send + Sync {
    /// Asks for the key `id` (`{epoch}-{number}`) of a stream; asked twice, it answers the same.
    /// Ends within a bound of its own.
    fn fetch(&self, name: &StreamName, id: &str) -> Fetch;
}

/// A key server on HTTP: a GET per key, answered with 16 bytes.
pub struct HttpKeyServer {
    client: reqwest::Client,
    url: Box<str>,
    timeout: Duration,
}

impl HttpKeyServer {
    /// The server at `url`, in which `{app}`, `{stream}` and `{key}` are filled in.
    ///
    /// # Errors
    /// The TLS library cannot be set up, for instance without any root certificate.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("sidestream/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_idle_timeout(Duration::from_secs(30))
            .timeout(timeout)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self {
            client,
            url: url.into(),
            timeout,
        })
    }
}

impl fmt::Debug for HttpKeyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold what the server lets in by.
        f.write_str("HttpKeyServer(..)")
    }
}

impl KeyServer for HttpKeyServer {
    fn fetch(&self, name: &StreamName, id: &str) -> Fetch {
        let url = self
            .url
            .replace("{app}", &encoded(name.app()))
            .replace("{stream}", &encoded(name.stream()))
            .replace("{key}", id);
        let (client, timeout) = (self.client.clone(), self.timeout);
        Box::pin(async move {
            let failed = |error: reqwest::Error| match error.is_timeout() {
                true => format!("the key server did not answer within {timeout:?}"),
                false => format!("the key server cannot be reached: {}", cause(error)),
            };
            let mut response = client.get(url).send().await.map_err(failed)?;
            let status = response.status().as_u16();
            if status != 200 {
                return Err(format!("the key server answered with status {status}"));
            }
            let mut body = Vec::with_capacity(KEY_BYTES);
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                body.extend_from_slice(&chunk);
                if body.len() > KEY_BYTES {
                    break;
                }
            }
            <[u8; KEY_BYTES]>::try_from(body)
                .map_err(|_| format!("the key server's answer is no key of {KEY_BYTES} bytes"))
        })
    }
}

/// The innermost cause: what is around it names the URL.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A part of a path or a query with everything but RFC 3986 unreserved characters encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// The keys of one run that are made.
#[derive(Debug)]
pub(super) struct Generated {
    pub(super) secret: KeySecret,
    pub(super) name: StreamName,
    pub(super) epoch: u64,
}

impl KeySource for Generated {
    fn key(&self, number: u64) -> Option<Key> {
        Some(self.secret.key(&self.name, self.epoch, number))
    }
}

/// The keys of one run that are fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    server: Arc<dyn KeyServer>,
    name: StreamName,
    epoch: u64,
    // Guards what is there and what is wanted; never held while anything waits.
    state: Mutex<State>,
    /// A further key is wanted.
    wanted: Notify,
    /// Raised with each answer.
    answers: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    keys: BTreeMap<u64, Key>,
    /// The newest that somebody asked for.
    asked: u64,
    /// It was asked for and is not there.
    missing: bool,
    /// Why the latest attempt failed.
    error: Option<Arc<str>>,
}

impl Fetched {
    pub(super) fn new(server: Arc<dyn KeyServer>, name: StreamName, epoch: u64) -> Self {
        Self {
            server,
            name,
            epoch,
            state: Mutex::default(),
            wanted: Notify::new(),
            answers: watch::Sender::new(0),
        }
    }

    /// Fetches keys, one ahead, until `stop`. `answered` is called after each answer.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken, answered: impl Fn()) {
        let [first_pause, longest] = PAUSES;
        let (mut number, mut pause) = (0, first_pause);
        loop {
            // A permit stays, so no wish is missed.
            while self.state().asked + 1 < number {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = self.wanted.notified() => {}
                }
            }
            let id = key_id(self.epoch, number);
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                answer = self.server.fetch(&self.name, &id) => answer,
            };
            let failed = answer.is_err();
            self.note(number, answer);
            self.answers.send_modify(|count| *count += 1);
            answered();
            if !failed {
                (number, pause) = (number + 1, first_pause);
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(pause) => pause = (2 * pause).min(longest),
            }
        }
    }

    fn note(&self, number: u64, answer: Result<[u8; 16], String>) {
        let mut state = self.state();
        match answer {
            Ok(bytes) => {
                state.keys.insert(number, Key::new(bytes));
                if state.error.take().is_some() {
                    tracing::info!(stream = %self.name, "hls has its key");
                }
                state.missing &= !state.keys.contains_key(&state.asked);
            }
            Err(why) => {
                if state.error.is_none() {
                    tracing::warn!(stream = %self.name, "hls waits for a key: {why}");
                }
                state.error = Some(why.into());
                state.missing |= number == state.asked;
            }
        }
    }

    /// Waits until the first key is there, or is known to be missing.
    pub(super) async fn first(&self) {
        let mut answers = self.answers.subscribe();
        loop {
            answers.borrow_and_update();
            if self.is_known() || answers.changed().await.is_err() {
                return;
            }
        }
    }

    fn is_known(&self) -> bool {
        let state = self.state();
        !state.keys.is_empty() || state.error.is_some()
    }

    /// Why nothing new is listed, while that is so.
    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        let state = self.state();
        state.error.clone().filter(|_| state.missing)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for Fetched {
    fn key(&self, number: u64) -> Option<Key> {
        let mut state = self.state();
        state.asked = state.asked.max(number);
        // Earlier ones are with their segments.
        state.keys = state.keys.split_off(&number);
        let key = state.keys.get(&number).cloned();
        state.missing = key.is_none();
        drop(state);
        self.wanted.notify_one();
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_the_same_again_and_no_two_alike() {
        let name = |text: &str| text.parse::<StreamName>().map_err(|_| ()).ok();
        let (Some(a), Some(b)) = (name("live/a"), name("live/b")) else {
            panic!("names");
        };
        let secret = KeySecret::new([7; 32]);
        let key = |name: &StreamName, epoch, number| secret.key(name, epoch, number).bytes();
        assert_eq!(key(&a, 1, 2), key(&a, 1, 2));
        let all = [
            key(&a, 1, 2),
            key(&a, 1, 3),
            key(&a, 2, 2),
            key(&b, 1, 2),
            KeySecret::new([8; 32]).key(&a, 1, 2).bytes(),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(format!("{secret:?}"), "KeySecret(..)");
        let server = HttpKeyServer::new("http://k/secret", Duration::from_secs(1));
        assert_eq!(
            server.map(|s| format!("{s:?}")),
            Ok("HttpKeyServer(..)".to_owned())
        );
    }
}
