//! `[callbacks]`: who is told what happens.

use std::path::PathBuf;
use std::time::Duration;

use control::callback::{MaxAge, NewWebhook, Profile, Secret, check_types, destination};

use super::Config;
use super::inspect::read;
use super::setting::{Setting, Wrong, read_word};
use super::value::Value;

/// `[callbacks]`
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Callbacks {
    /// How long an attempt may take; zero is what the endpoint's profile usually takes.
    pub timeout: Duration,
    /// Whether endpoints may be addresses of private networks and of this machine.
    pub allow_private: bool,
    /// `[[callbacks.endpoint]]`
    pub endpoint: Vec<CallbackEndpoint>,
}

/// `[[callbacks.endpoint]]`: a server that is told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallbackEndpoint {
    /// Where to POST: `http://` or `https://`.
    pub url: String,
    /// Types of events, `*` at the end of one stands for anything.
    pub events: Vec<String>,
    /// File whose first line is the secret that callbacks are signed with.
    pub secret_file: Option<PathBuf>,
    /// Form, signature and manners.
    pub profile: Profile,
    /// Age at which a callback is given up; zero never.
    pub max_age: Duration,
}

impl Default for CallbackEndpoint {
    fn default() -> Self {
        Self {
            url: String::new(),
            events: vec!["*".to_owned()],
            secret_file: None,
            profile: Profile::Native,
            max_age: Duration::from_secs(72 * 3600),
        }
    }
}

impl CallbackEndpoint {
    /// The endpoint for the callbacks' store; reads the secret.
    ///
    /// # Errors
    /// One sentence: the setting, the file, what is wrong.
    pub(crate) fn webhook(&self) -> Result<NewWebhook, String> {
        let mut webhook = NewWebhook::new(&self.url);
        webhook.types.clone_from(&self.events);
        webhook.profile = self.profile;
        webhook.secret = Some(self.secret()?.expose().to_owned());
        webhook.max_age = Some(if self.max_age.is_zero() {
            MaxAge::Never
        } else {
            MaxAge::After(self.max_age)
        });
        Ok(webhook)
    }

    /// The secret of `secret_file`.
    ///
    /// # Errors
    /// One sentence: the setting, the file, what is wrong.
    pub fn secret(&self) -> Result<Secret, String> {
        let Some(path) = &self.secret_file else {
            return Err("callbacks.endpoint has no secret_file".to_owned());
        };
        let wrong = |what| format!("callbacks.endpoint.secret_file: {}: {what}", path.display());
        let text = read(path).map_err(wrong)?;
        let line = text.lines().next().unwrap_or_default().trim();
        Secret::parse(line).map_err(|error| wrong(format!("the first line: {error}")))
    }
}

/// Which rules are broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let callbacks = &config.callbacks;
    let seconds = Duration::from_secs(1)..=Duration::from_secs(60);
    if !callbacks.timeout.is_zero() && !seconds.contains(&callbacks.timeout) {
        let what = "callbacks.timeout is not between 1s and 1m; 0s is the profile's own".to_owned();
        complain("callbacks.timeout", what);
    }
    for (index, endpoint) in callbacks.endpoint.iter().enumerate() {
        let mut say =
            |key: &str, what: String| complain(&format!("callbacks.endpoint.{index}.{key}"), what);
        if endpoint.url.is_empty() {
            let what = "callbacks.endpoint has no url; write url = \"https://HOST/PATH\"";
            say("url", what.to_owned());
        } else if let Err(error) = destination::check(&endpoint.url, callbacks.allow_private) {
            say("url", format!("callbacks.endpoint.url: {error}"));
        } else if callbacks.endpoint[..index]
            .iter()
            .any(|other| other.url == endpoint.url)
        {
            let what =
                "callbacks.endpoint.url is that of another endpoint; write all events into one";
            say("url", what.to_owned());
        }
        for (_, what) in check_types(&endpoint.events) {
            say("events", format!("callbacks.endpoint.events: {what}"));
        }
        if endpoint.secret_file.is_none() {
            let what = "callbacks.endpoint has no secret_file; callbacks are signed: put a secret of 24 or more letters into a file";
            say("url", what.to_owned());
        }
        let range = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);
        if !endpoint.max_age.is_zero() && !range.contains(&endpoint.max_age) {
            let what = "callbacks.endpoint.max_age is not between 1m and 30d; 0s never gives up";
            say("max_age", what.to_owned());
        }
    }
}

impl Setting for Profile {
    const PLAIN: bool = true;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let words: Vec<_> = Self::ALL.iter().map(|it| (it.as_str(), *it)).collect();
        read_word(name, value, &words)
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Loader;

    fn problems(text: &str) -> Vec<String> {
        let error = Loader::new().text("c", text).load().unwrap_err();
        error.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn endpoints_are_read_with_their_secret_below_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("hook.secret"),
            "a-secret-of-24-letters-or-more\n",
        )
        .unwrap();
        let text = "[callbacks]\ntimeout = \"5s\"\n[[callbacks.endpoint]]\nurl = \"https://app.example/hook\"\n\
                    events = [\"channel.*\"]\nsecret_file = \"hook.secret\"\nprofile = \"tencent_lvb\"\nmax_age = \"0s\"\n";
        let path = dir.path().join("sidestream.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = Loader::new().file(&path).load().unwrap();
        assert_eq!(loaded.inspect(), []);
        assert_eq!(loaded.config.callbacks.timeout, Duration::from_secs(5));
        let webhook = loaded.config.callbacks.endpoint[0].webhook().unwrap();
        assert_eq!(webhook.types, ["channel.*"]);
        assert_eq!(webhook.profile, Profile::TencentLvb);
        assert_eq!(
            webhook.secret.as_deref(),
            Some("a-secret-of-24-letters-or-more")
        );
        assert_eq!(webhook.max_age, Some(MaxAge::Never));
        std::fs::write(dir.path().join("hook.secret"), "with a space\n").unwrap();
        let found: Vec<_> = loaded.inspect().iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains(":6:15: callbacks.endpoint.secret_file: "),
            "{found:?}"
        );
        assert!(!found[0].contains("with a space"), "{found:?}");
    }

    #[test]
    fn what_is_wrong_with_an_endpoint_is_said_with_its_line() {
        let text = "[callbacks]\ntimeout = \"2m\"\n[[callbacks.endpoint]]\nurl = \"http://10.0.0.1/\"\nevents = [\"chanel.*\"]\n\
                    secret_file = \"x\"\n[[callbacks.endpoint]]\nevent = \"*\"\n[[callbacks.endpoint]]\n\
                    url = \"http://a.example/\"\nprofile = \"lvb\"\nsecret_file = \"x\"\nmax_age = \"1s\"\n";
        assert_eq!(
            problems(text),
            [
                "c:2:11: callbacks.timeout is not between 1s and 1m; 0s is the profile's own",
                "c:4:7: callbacks.endpoint.url: 10.0.0.1 is not a public address; [callbacks] allow_private = true allows it",
                "c:5:10: callbacks.endpoint.events: no event has the type \"chanel.*\"; write a type like channel.started, a beginning like channel.*, or *",
                "c:7:1: callbacks.endpoint has no url; write url = \"https://HOST/PATH\"",
                "c:7:1: callbacks.endpoint has no secret_file; callbacks are signed: put a secret of 24 or more letters into a file",
                "c:8:1: unknown key \"event\" in [[callbacks.endpoint]]; did you mean \"events\"?",
                "c:11:11: callbacks.endpoint.profile: \"lvb\" is none of \"native\", \"tencent_lvb\", \"tencent_css\"",
                "c:13:11: callbacks.endpoint.max_age is not between 1m and 30d; 0s never gives up",
            ]
        );
    }
}
