//! `[[hls.encryption]]`: which streams' HLS is encrypted, and how.

use std::num::NonZeroU64;
use std::time::Duration;

use hls::{Method, Rotation};
use media::StreamName;

use super::quantity::show_duration;
use super::setting::{Setting, Wrong, read_word};
use super::value::Value;
use super::{Config, Hls, push};

/// `[[hls.encryption]]`: the first rule that takes a stream says how its HLS is encrypted.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct HlsEncryption {
    /// Pattern of stream names, `*` stands for anything: `live/*`. Empty when `stream` is set.
    pub matches: String,
    /// One stream's name. Empty when `matches` is set.
    pub stream: String,
    /// How; `None`: not at all.
    pub method: Option<Method>,
    /// The next key is taken after this much media; zero: never.
    pub rotate: Duration,
    /// The next key is taken after this many segments; zero: never.
    pub rotate_segments: usize,
    /// Where keys are fetched: `{app}`, `{stream}` and `{key}` are filled in. Empty: they are made.
    pub key_url: String,
    /// How long an answer from there is waited for.
    pub key_timeout: Duration,
}

impl Default for HlsEncryption {
    fn default() -> Self {
        Self {
            matches: String::new(),
            stream: String::new(),
            method: Some(Method::Aes128),
            rotate: Duration::ZERO,
            rotate_segments: 0,
            key_url: String::new(),
            key_timeout: Duration::from_secs(5),
        }
    }
}

impl std::fmt::Debug for HlsEncryption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may hold what the key server lets in by.
        let (pattern, stream, method) = (&self.matches, &self.stream, self.method);
        write!(
            f,
            "HlsEncryption(match {pattern:?}, stream {stream:?}, {method:?})"
        )
    }
}

impl HlsEncryption {
    /// A rule for the streams that `pattern` matches (`live/*`).
    #[must_use]
    pub fn new(pattern: &str, method: Option<Method>) -> Self {
        Self {
            matches: pattern.to_owned(),
            method,
            ..Self::default()
        }
    }

    /// Whether this rule takes the stream.
    #[must_use]
    pub fn takes(&self, name: &StreamName) -> bool {
        push::takes(&self.matches, &self.stream, name)
    }

    /// When the next key is taken.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        let segments = u64::try_from(self.rotate_segments).unwrap_or(u64::MAX);
        match (NonZeroU64::new(segments), self.rotate) {
            (Some(segments), _) => Rotation::Segments(segments),
            (None, Duration::ZERO) => Rotation::Never,
            (None, time) => Rotation::Media(time),
        }
    }
}

impl Hls {
    /// The pattern or name of the first rule that may encrypt a stream which this pattern matches.
    pub(super) fn may_encrypt(&self, pattern: &str) -> Option<String> {
        for rule in &self.encryption {
            let stream = StreamName::from_path(&rule.stream).ok();
            let taken = stream.as_ref().map_or(&*rule.matches, StreamName::as_str);
            if rule.method.is_some() && push::overlap(taken, pattern) {
                return Some(taken.to_owned());
            }
            if taken == "*" || taken == pattern {
                // Of these streams no later rule is asked.
                return None;
            }
        }
        None
    }
}

impl Config {
    /// What encryption changes that its settings do not say, a sentence each.
    #[must_use]
    pub fn encryption_notes(&self) -> Vec<String> {
        let rules = self.hls.encryption.iter();
        rules
            .filter(|rule| rule.method == Some(Method::Aes128) && self.hls.low_latency)
            .map(|rule| {
                let streams = if rule.stream.is_empty() {
                    &rule.matches
                } else {
                    &rule.stream
                };
                format!(
                    "hls.encryption of {streams}: aes-128 encrypts whole segments, so there are no \
                     parts and no low latency; cbcs keeps both"
                )
            })
            .collect()
    }
}

/// Which rules are broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    for (index, rule) in config.hls.encryption.iter().enumerate() {
        let mut say = |key: &str, what: String| {
            complain(
                &format!("hls.encryption.{index}.{key}"),
                format!("hls.encryption.{what}"),
            );
        };
        match (rule.matches.is_empty(), rule.stream.is_empty()) {
            (true, true) => say(
                "match",
                "match: neither match nor stream is set; write match = \"live/*\"".to_owned(),
            ),
            (false, false) => say("match", "match: stream is set, too; keep one".to_owned()),
            (true, false) => {
                if let Err(error) = StreamName::from_path(&rule.stream) {
                    say("stream", format!("stream: {error}"));
                }
            }
            (false, true) => {}
        }
        let shortest = Duration::from_secs(1);
        if !rule.rotate.is_zero() && rule.rotate < shortest {
            let (found, shortest) = (show_duration(rule.rotate), show_duration(shortest));
            let what = format!("rotate: {found} is less than {shortest}; 0 keeps one key");
            say("rotate", what);
        }
        if !rule.rotate.is_zero() && rule.rotate_segments > 0 {
            let what = "rotate_segments: rotate is set, too; keep one".to_owned();
            say("rotate_segments", what);
        }
        if !rule.key_url.is_empty() {
            let is_http = ["http://", "https://"].iter().any(|scheme| {
                rule.key_url
                    .strip_prefix(scheme)
                    .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '{']))
            });
            // The URL itself may be a secret.
            if !is_http {
                let what = "key_url: not an http:// or https:// URL; write \
                            key_url = \"https://keys.example.com/{app}/{stream}/{key}\"";
                say("key_url", what.to_owned());
            } else if !rule.key_url.contains("{key}") {
                let what = "key_url: has no {key}, so all keys would be one; put it into the URL";
                say("key_url", what.to_owned());
            }
        }
        let (low, high) = (Duration::from_millis(100), Duration::from_secs(60));
        if rule.key_timeout < low || rule.key_timeout > high {
            let shown = [rule.key_timeout, low, high].map(show_duration);
            let [found, low, high] = shown;
            let what = format!("key_timeout: {found} is not between {low} and {high}");
            say("key_timeout", what);
        }
    }
}

impl Setting for Option<Method> {
    const PLAIN: bool = true;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let words = [
            ("aes-128", Some(Method::Aes128)),
            ("cbcs", Some(Method::Cbcs)),
            ("none", None),
        ];
        read_word(name, value, &words)
    }

    fn show(&self) -> String {
        format!("\"{}\"", self.map_or("none", Method::as_str))
    }
}
