//! `[auth]`: who may publish, who may watch, who may use the API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use control::admission::{self, Gate, OnError, WebhookSettings};
use control::callback;
use control::credential::{Secret, UrlKeys};

use super::ApiKey;
use super::load::unreadable;
use super::quantity::show_duration;
use super::setting::{Setting, Wrong};
use super::value::{Kind, Value};
pub use control::admission::GateMode;

/// Shorter keys can be guessed.
const MIN_KEY_BYTES: usize = 8;

/// `[auth]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Auth {
    /// What publishers need.
    pub publish: AuthGate,
    /// What players need.
    pub play: AuthGate,
    /// Who is asked where a direction says so; empty: nobody.
    pub webhook: Option<Secret>,
    /// Signs what it is asked (Standard Webhooks): `whsec_…`.
    pub webhook_secret: Option<Secret>,
    /// File whose first line is that secret.
    pub webhook_secret_file: Option<PathBuf>,
    /// How long its answer is waited for.
    pub webhook_timeout: Duration,
    /// How long an answer about a player holds.
    pub webhook_cache: Duration,
    /// What is decided when it gives none.
    pub on_webhook_error: OnError,
    /// Keys that open `/v1` from anywhere; without any, `/v1` answers this machine only.
    pub keys: Vec<ApiKey>,
    /// File with one `NAME KEY` a line.
    pub keys_file: Option<PathBuf>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            publish: AuthGate::default(),
            play: AuthGate::default(),
            webhook: None,
            webhook_secret: None,
            webhook_secret_file: None,
            webhook_timeout: Duration::from_secs(5),
            webhook_cache: Duration::from_secs(10),
            on_webhook_error: OnError::Deny,
            keys: Vec::new(),
            keys_file: None,
        }
    }
}

/// What one direction needs.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AuthGate {
    /// Nothing, a signed URL, a key, the webhook's word.
    pub mode: GateMode,
    /// The key that URLs are signed with, or the key itself.
    pub key: Option<Secret>,
    /// File whose first line is the key.
    pub key_file: Option<PathBuf>,
    /// A second key that is accepted.
    pub key_backup: Option<Secret>,
    /// File whose first line is the second key.
    pub key_backup_file: Option<PathBuf>,
    /// Added to the time in signed URLs.
    pub validity: Duration,
}

impl Auth {
    pub(super) fn paths(&mut self) -> [&mut Option<PathBuf>; 6] {
        [
            &mut self.webhook_secret_file,
            &mut self.keys_file,
            &mut self.publish.key_file,
            &mut self.publish.key_backup_file,
            &mut self.play.key_file,
            &mut self.play.key_backup_file,
        ]
    }

    /// What admission works with: the keys, also those in files.
    ///
    /// # Errors
    /// The setting, and one sentence about its file.
    pub(crate) fn admission(&self) -> Result<admission::Settings, (String, String)> {
        let secret = self.signing_secret()?;
        let webhook = self.webhook.as_ref().map(|url| WebhookSettings {
            url: url.reveal().to_owned(),
            timeout: self.webhook_timeout,
            keep: self.webhook_cache,
            on_error: self.on_webhook_error,
            secret,
        });
        Ok(admission::Settings {
            publish: self.publish.gate("publish")?,
            play: self.play.gate("play")?,
            webhook,
        })
    }

    /// What signs the webhook's questions.
    fn signing_secret(&self) -> Result<Option<callback::Secret>, (String, String)> {
        let (setting, text) = match (&self.webhook_secret, &self.webhook_secret_file) {
            (Some(secret), _) => ("auth.webhook_secret", secret.clone()),
            (None, Some(path)) => {
                let setting = "auth.webhook_secret_file";
                let text = first_line(path);
                let wrong = |what| {
                    (
                        setting.to_owned(),
                        format!("{setting}: {}: {what}", path.display()),
                    )
                };
                (setting, text.map_err(wrong)?)
            }
            (None, None) => return Ok(None),
        };
        let parsed = callback::Secret::parse(text.reveal());
        let wrong = |what| (setting.to_owned(), format!("{setting}: {what}"));
        parsed.map(Some).map_err(wrong)
    }

    /// Calls `complain` with `auth.key` and one sentence for each rule that is broken.
    pub(super) fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        for (direction, gate) in [("publish", &self.publish), ("play", &self.play)] {
            gate.check(direction, complain);
            if gate.mode == GateMode::Webhook && self.webhook.is_none() {
                let what = format!(
                    "auth.{direction}: \"webhook\" needs auth.webhook; write webhook = \"https://HOST/PATH\""
                );
                complain(&format!("auth.{direction}"), what);
            }
        }
        if self
            .webhook
            .as_ref()
            .is_some_and(|url| !is_http(url.reveal()))
        {
            let what = "auth.webhook is not a URL; write webhook = \"https://HOST/PATH\"";
            complain("auth.webhook", what.to_owned());
        }
        let secret = self.webhook_secret.as_ref();
        if let Some(Err(what)) = secret.map(|secret| callback::Secret::parse(secret.reveal())) {
            complain(
                "auth.webhook_secret",
                format!("auth.webhook_secret: {what}"),
            );
        }
        if self.webhook_secret.is_some() && self.webhook_secret_file.is_some() {
            let what = "auth.webhook_secret_file and webhook_secret are both set; keep one";
            complain("auth.webhook_secret_file", what.to_owned());
        }
        let mut between = |key: &str, value: Duration, low: Duration, high: Duration| {
            if value < low || value > high {
                let (value, low, high) = (
                    show_duration(value),
                    show_duration(low),
                    show_duration(high),
                );
                let path = format!("auth.{key}");
                complain(
                    &path,
                    format!("{path}: {value} is not between {low} and {high}"),
                );
            }
        };
        let seconds = Duration::from_secs;
        // A connection is given up after ten seconds without a decision.
        let (shortest, longest) = (Duration::from_millis(100), seconds(8));
        between("webhook_timeout", self.webhook_timeout, shortest, longest);
        between(
            "webhook_cache",
            self.webhook_cache,
            Duration::ZERO,
            seconds(3_600),
        );
        let year = seconds(365 * 86_400);
        between(
            "publish_validity",
            self.publish.validity,
            Duration::ZERO,
            year,
        );
        between("play_validity", self.play.validity, Duration::ZERO, year);
    }
}

impl AuthGate {
    fn gate(&self, direction: &str) -> Result<Gate, (String, String)> {
        let read = |name: &str, key: &Option<Secret>, file: &Option<PathBuf>| match file {
            None => Ok::<_, (String, String)>(key.clone()),
            Some(path) => {
                let setting = format!("auth.{direction}_{name}");
                let key = first_line(path).map_err(|what| {
                    (
                        setting.clone(),
                        format!("{setting}: {}: {what}", path.display()),
                    )
                })?;
                Ok(Some(key))
            }
        };
        let main = read("key_file", &self.key, &self.key_file)?;
        let backup = read("key_backup_file", &self.key_backup, &self.key_backup_file)?;
        Ok(Gate {
            mode: self.mode,
            keys: main.map(|main| UrlKeys {
                main,
                backup,
                validity: self.validity,
            }),
        })
    }

    fn check(&self, direction: &str, complain: &mut dyn FnMut(&str, String)) {
        let mut say = |key: &str, what: String| {
            let path = format!("auth.{direction}{key}");
            complain(&path, format!("{path}{what}"));
        };
        let has_main = self.key.is_some() || self.key_file.is_some();
        if matches!(self.mode, GateMode::TxSecret | GateMode::Key) && !has_main {
            let mode = self.mode.show();
            say(
                "",
                format!(": {mode} needs a key; set {direction}_key or {direction}_key_file"),
            );
        }
        for (name, key, file) in [
            ("key", &self.key, &self.key_file),
            ("key_backup", &self.key_backup, &self.key_backup_file),
        ] {
            if key.is_some() && file.is_some() {
                say(
                    &format!("_{name}_file"),
                    format!(" and {direction}_{name} are both set; keep one"),
                );
            }
            if let Some(len) = key.as_ref().map(|key| key.reveal().len())
                && len < MIN_KEY_BYTES
            {
                say(
                    &format!("_{name}"),
                    format!(" has {len} characters; use at least {MIN_KEY_BYTES}"),
                );
            }
        }
        let backup = if self.key_backup.is_some() {
            Some("_key_backup")
        } else {
            self.key_backup_file.as_ref().map(|_| "_key_backup_file")
        };
        if let Some(backup) = backup.filter(|_| !has_main) {
            say(
                backup,
                format!(" is set, {direction}_key is not; set that one"),
            );
        }
    }
}

fn is_http(url: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .filter_map(|scheme| url.strip_prefix(scheme))
        .any(|rest| {
            !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(|c| c.is_ascii_graphic())
        })
}

/// The key on the first line of a file.
fn first_line(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(&e, "remove the setting"))?;
    let key = text.lines().next().unwrap_or_default().trim();
    match key.len() {
        MIN_KEY_BYTES.. => Ok(Secret::new(key)),
        len => Err(format!(
            "the key on its first line has {len} characters; use at least {MIN_KEY_BYTES}"
        )),
    }
}

/// A text that is not shown: the empty one is none.
impl Setting for Option<Secret> {
    const PLAIN: bool = true;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        match &value.kind {
            Kind::Text(text) => Ok((!text.is_empty()).then(|| Secret::new(text))),
            _ => Err(Wrong {
                at: value.at,
                what: format!(" is a text; write {name} = \"…\""),
            }),
        }
    }

    fn show(&self) -> String {
        match self {
            Some(_) => "\"****\"".to_owned(),
            None => "\"\"".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Config, Loader};
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let error = Config::from_toml("c", text).unwrap_err();
        error.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_read_and_never_shown() {
        let text = "[auth]\npublish = \"txsecret\"\npublish_key = \"0123456789\"\n\
                    publish_key_backup = \"abcdefghij\"\npublish_validity = \"1h\"\nplay = \"key\"\n\
                    play_key = \"for players\"\nwebhook = \"https://u:p4ss@h/x?k=q9\"\n\
                    webhook_secret = \"whsec_c2lkZXN0cmVhbS10ZXN0LXNlY3JldC0wMA==\"\n";
        let loaded = Loader::new().text("c", text).load().unwrap();
        let settings = loaded.config.auth.admission().unwrap();
        let keys = settings.publish.keys.clone().unwrap();
        assert_eq!(settings.publish.mode, GateMode::TxSecret);
        assert_eq!(keys.main.reveal(), "0123456789");
        assert_eq!(keys.backup.unwrap().reveal(), "abcdefghij");
        assert_eq!(keys.validity, Duration::from_secs(3_600));
        assert_eq!(settings.play.mode, GateMode::Key);
        let signs = settings.webhook.clone().unwrap().secret.unwrap();
        assert!(signs.expose().starts_with("whsec_c2lkZX"));
        let mut shown = format!("{:?} {settings:?}", loaded.config);
        shown.extend(loaded.settings().map(|(.., value, _)| value));
        for secret in [
            "0123456789",
            "abcdefghij",
            "for players",
            "p4ss",
            "q9",
            "c2lkZX",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn what_cannot_work_is_said_where_it_is_written() {
        let text = "[auth]\npublish = \"txsecret\"\nplay = \"webhook\"\nplay_key_backup = \"abcdefghij\"\n\
                    webhook_timeout = \"20s\"\n";
        assert_eq!(
            problems(text),
            [
                "c:2:11: auth.publish: \"txsecret\" needs a key; set publish_key or publish_key_file",
                "c:3:8: auth.play: \"webhook\" needs auth.webhook; write webhook = \"https://HOST/PATH\"",
                "c:4:19: auth.play_key_backup is set, play_key is not; set that one",
                "c:5:19: auth.webhook_timeout: 20s is not between 100ms and 8s",
            ]
        );
        let text = "[auth]\nplay = \"txsceret\"\nplay_key = 7\npublish_key = \"short\"\n\
                    publish_key_file = \"x\"\nwebhook = \"ftp://secret.host\"\non_webhook_error = \"deny\"\n\
                    webhook_secret = \"whsec_x\"\n";
        assert_eq!(
            problems(text),
            [
                "c:2:8: auth.play: \"txsceret\" is none of \"open\", \"txsecret\", \"key\", \"webhook\"; did you mean \"txsecret\"?",
                "c:3:12: auth.play_key is a text; write play_key = \"…\"",
                "c:4:15: auth.publish_key has 5 characters; use at least 8",
                "c:5:20: auth.publish_key_file and publish_key are both set; keep one",
                "c:6:11: auth.webhook is not a URL; write webhook = \"https://HOST/PATH\"",
                "c:8:18: auth.webhook_secret: after whsec_ comes base64 of 16 to 64 bytes",
            ]
        );
    }

    #[test]
    fn key_files_are_read_below_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("push.key"), "  from a file \nsecond line\n").unwrap();
        std::fs::write(dir.path().join("short.key"), "short\n").unwrap();
        let path = dir.path().join("c.toml");
        let text = "[auth]\npublish = \"key\"\npublish_key_file = \"push.key\"\n";
        std::fs::write(&path, text).unwrap();
        let loaded = Loader::new().file(&path).load().unwrap();
        let keys = loaded.config.auth.admission().unwrap().publish.keys;
        assert_eq!(keys.unwrap().main.reveal(), "from a file");
        let text = format!("{text}play_key_file = \"short.key\"\n");
        std::fs::write(&path, text).unwrap();
        let loaded = Loader::new().file(&path).load().unwrap();
        let found: Vec<String> = loaded.inspect().iter().map(ToString::to_string).collect();
        let (file, dir) = (path.display(), dir.path().display());
        let what = "the key on its first line has 5 characters; use at least 8";
        assert_eq!(
            found,
            [format!(
                "{file}:4:17: auth.play_key_file: {dir}/short.key: {what}"
            )]
        );
    }
}
