//! Making and changing endpoints: every field checked, all that is wrong said at once.

use std::time::Duration;

use super::{ActiveSecret, Scope, Webhook, WebhookOrigin, WebhookState};
use crate::callback::{Acknowledgement, Profile, Schedule, Secret, destination};
use crate::clock::UnixMs;
use crate::error::{Error, FieldError, Reason};
use crate::event::EventKind;
use crate::id::WebhookId;

/// How long a replaced secret signs on beside the new one.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// Secrets that sign at once. Bounds: the length of the signature header.
const MAX_SECRETS: usize = 4;
/// Patterns of one endpoint.
const MAX_TYPES: usize = 64;

/// When deliveries are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAge {
    /// After so long, a minute at least.
    After(Duration),
    /// Never: until it is acknowledged.
    Never,
}

impl MaxAge {
    fn duration(self) -> Option<Duration> {
        match self {
            Self::After(age) => Some(age),
            Self::Never => None,
        }
    }
}

/// What an endpoint is made of; `None` takes what the profile usually does.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWebhook {
    /// Where to POST.
    pub url: String,
    /// Form, signature and manners.
    pub profile: Profile,
    /// Patterns of event types: `*`, `channel.*`, `recording.file.completed`; empty is `*`.
    pub types: Vec<String>,
    /// What else an event must be about.
    pub scope: Scope,
    /// The shared secret; one is drawn if there is none.
    pub secret: Option<String>,
    /// What ends a delivery.
    pub acknowledgement: Option<Acknowledgement>,
    /// How long an attempt may take: 1 to 60 s.
    pub timeout: Option<Duration>,
    /// When deliveries are given up; usually after 72 h.
    pub max_age: Option<MaxAge>,
}

impl NewWebhook {
    /// An endpoint for all events in the native form.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            profile: Profile::Native,
            types: Vec::new(),
            scope: Scope::default(),
            secret: None,
            acknowledgement: None,
            timeout: None,
            max_age: None,
        }
    }

    /// The endpoint, not stored yet; `timeout` is the one of the settings.
    ///
    /// # Errors
    /// Every wrong field; [`Reason::CallbackUrlForbidden`] if it is the URL's address only.
    pub(crate) fn build(
        self,
        now: UnixMs,
        origin: WebhookOrigin,
        (allow_private, timeout): (bool, Option<Duration>),
    ) -> Result<Webhook, Error> {
        let mut faults = Faults::default();
        let url = faults.url(&self.url, allow_private);
        let types = faults.types(self.types);
        let secret = match self.secret {
            Some(text) => faults.secret(&text),
            None => Some(draw()?),
        };
        let timeout = self.timeout.or(timeout);
        let timeout = faults.timeout(timeout.unwrap_or_else(|| self.profile.usual_timeout()));
        let max_age = faults.max_age(
            self.max_age
                .unwrap_or(MaxAge::After(Schedule::DEFAULT_MAX_AGE)),
        );
        faults.end()?;
        Ok(Webhook {
            id: WebhookId::fresh(now),
            origin,
            profile: self.profile,
            types,
            scope: self.scope,
            acknowledgement: self
                .acknowledgement
                .unwrap_or_else(|| self.profile.usual_acknowledgement()),
            timeout,
            max_age,
            state: WebhookState::Active,
            disabled_reason: None,
            failing_since: None,
            created_at: now,
            version: 1,
            url,
            secrets: secret
                .map(|secret| ActiveSecret {
                    secret,
                    until: None,
                })
                .into_iter()
                .collect(),
        })
    }
}

/// What is to change; `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookPatch {
    /// Where to POST.
    pub url: Option<String>,
    /// Form, signature and manners.
    pub profile: Option<Profile>,
    /// Patterns of event types.
    pub types: Option<Vec<String>>,
    /// What else an event must be about.
    pub scope: Option<Scope>,
    /// What ends a delivery.
    pub acknowledgement: Option<Acknowledgement>,
    /// How long an attempt may take: 1 to 60 s.
    pub timeout: Option<Duration>,
    /// When deliveries are given up.
    pub max_age: Option<MaxAge>,
    /// Whether it is called.
    pub state: Option<WebhookState>,
}

impl WebhookPatch {
    /// Changes an endpoint in memory.
    ///
    /// # Errors
    /// As [`NewWebhook::build`].
    pub(crate) fn apply(self, webhook: &mut Webhook, allow_private: bool) -> Result<(), Error> {
        let mut faults = Faults::default();
        if let Some(url) = self.url {
            webhook.url = faults.url(&url, allow_private);
        }
        if let Some(types) = self.types {
            webhook.types = faults.types(types);
        }
        if let Some(timeout) = self.timeout {
            webhook.timeout = faults.timeout(timeout);
        }
        if let Some(max_age) = self.max_age {
            webhook.max_age = faults.max_age(max_age);
        }
        faults.end()?;
        webhook.profile = self.profile.unwrap_or(webhook.profile);
        webhook.acknowledgement = self.acknowledgement.unwrap_or(webhook.acknowledgement);
        if let Some(scope) = self.scope {
            webhook.scope = scope;
        }
        if let Some(state) = self.state {
            webhook.state = state;
            webhook.disabled_reason =
                (state == WebhookState::Disabled).then(|| "disabled by a call".to_owned());
        }
        webhook.version += 1;
        Ok(())
    }
}

impl Webhook {
    /// Puts a new secret first; the one before signs on for a day.
    ///
    /// # Errors
    /// The given text is no secret, or none can be drawn.
    pub(crate) fn rotate(&mut self, now: UnixMs, text: Option<&str>) -> Result<Secret, Error> {
        let mut faults = Faults::default();
        let secret = match text {
            Some(text) => faults.secret(text),
            None => Some(draw()?),
        };
        faults.end()?;
        let Some(secret) = secret else {
            return Err(no_randomness());
        };
        let until = now.plus(OVERLAP);
        self.secrets
            .retain(|it| it.until.is_none_or(|until| now < until) && it.secret != secret);
        for old in &mut self.secrets {
            old.until = Some(old.until.map_or(until, |known| known.min(until)));
        }
        self.secrets.insert(
            0,
            ActiveSecret {
                secret: secret.clone(),
                until: None,
            },
        );
        self.secrets.truncate(MAX_SECRETS);
        self.version += 1;
        Ok(secret)
    }
}

/// Which of these patterns name no type of event, by their place, and what to write instead.
#[must_use]
pub fn check_types(types: &[String]) -> Vec<(usize, String)> {
    let unknown = |pattern: &String| !EventKind::ALL.iter().any(|kind| kind.matches(pattern));
    let wrong = types
        .iter()
        .enumerate()
        .filter(|(_, pattern)| unknown(pattern));
    let example = "write a type like channel.started, a beginning like channel.*, or *";
    let say = |(index, pattern): (usize, &String)| {
        let shown: String = pattern.chars().take(60).collect();
        (index, format!("no event has the type {shown:?}; {example}"))
    };
    wrong.map(say).collect()
}

fn draw() -> Result<Secret, Error> {
    Secret::generate().map_err(|_| no_randomness())
}

fn no_randomness() -> Error {
    Error::new(
        Reason::OperationInternal,
        "the system gives no random bytes for a secret",
    )
}

/// Gathers what is wrong with a request.
#[derive(Default)]
struct Faults {
    fields: Vec<FieldError>,
    forbidden: bool,
}

impl Faults {
    fn add(&mut self, pointer: &str, detail: impl Into<String>) {
        self.fields.push(FieldError {
            pointer: pointer.to_owned(),
            detail: detail.into(),
        });
    }

    fn url(&mut self, url: &str, allow_private: bool) -> String {
        match destination::check(url, allow_private) {
            Ok(url) => url.into(),
            Err(error) => {
                self.forbidden = matches!(
                    error,
                    destination::Forbidden::Private(_) | destination::Forbidden::Local(_)
                );
                self.add("/url", error.to_string());
                String::new()
            }
        }
    }

    fn types(&mut self, types: Vec<String>) -> Vec<String> {
        if types.is_empty() {
            return vec!["*".to_owned()];
        }
        if types.len() > MAX_TYPES {
            self.add(
                "/types",
                format!("{} patterns; at most {MAX_TYPES}", types.len()),
            );
        }
        for (index, what) in check_types(&types) {
            self.add(&format!("/types/{index}"), what);
        }
        types
    }

    fn secret(&mut self, text: &str) -> Option<Secret> {
        Secret::parse(text)
            .map_err(|error| self.add("/secret", error.to_string()))
            .ok()
    }

    fn timeout(&mut self, timeout: Duration) -> Duration {
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&timeout) {
            self.add("/timeout_s", "1 to 60 s");
        }
        timeout
    }

    fn max_age(&mut self, age: MaxAge) -> Option<Duration> {
        let age = age.duration();
        let range = Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 3600);
        if age.is_some_and(|age| !range.contains(&age)) {
            self.add("/max_age", "1 minute to 30 days, or 0 for never");
        }
        age
    }

    fn end(self) -> Result<(), Error> {
        if self.fields.is_empty() {
            return Ok(());
        }
        let only_forbidden = self.forbidden && self.fields.len() == 1;
        let mut error = Error::fields(self.fields);
        if only_forbidden {
            error.reason = Reason::CallbackUrlForbidden;
        }
        Err(error)
    }
}
