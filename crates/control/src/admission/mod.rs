//! Who may publish and who may watch: the one decision that every ingest and every output asks for.
//!
//! ```text
//!  publish ─▶ Registry::recognise ─▶ issued key? ──────────────────────▶ Registry::admit ─▶ its stream
//!                    │ nobody's          └─ no ─▶ gate: open | txsecret | key | webhook ─┘
//!                    ▼ refused                              ▼ refused
//!  play ────▶ Registry::playable ─▶ token? ─▶ password, gate ─▶ open, or links that carry a token
//! ```
//!
//! A token on the links of a playlist is the same for all viewers of a stream within an hour, so that
//! one rendering serves them; it holds for a day, and falls with the password.
//!
//! Whether a stream is forbidden, served, or anybody's is the [`Registry`]'s to know; limits of
//! viewers and connections are not asked about here.

mod gate;
mod playables;
mod registry;
#[cfg(test)]
mod tests;
mod webhook;

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use media::StreamName;

pub use gate::{Gate, GateMode};
pub use playables::Playables;
pub use registry::{Answers, AnyStream, Playable, Recognised, Registry};
pub use webhook::{OnError, WebhookError, WebhookSettings};

use crate::credential::{PlayTokens, Query, TokenError, TokenUse, Via};
use webhook::{Decision, Webhook};

/// How long a token on links holds beyond the hour in which it was made: as long as somebody may
/// watch without opening the stream anew.
const LINKS_HOLD: Duration = Duration::from_secs(24 * 3_600);

/// For how long all viewers get the same token.
const SAME_LINKS_S: u64 = 3_600;

/// What somebody wants, of which stream, and what they brought.
#[derive(Clone)]
pub struct Question {
    /// The stream, or the key that stands for it.
    pub name: StreamName,
    /// How they come: `rtmp`, `hls`, …
    pub protocol: &'static str,
    /// Where they come from.
    pub peer: Option<SocketAddr>,
    /// What followed `?`, as it came.
    pub query: String,
}

/// Whether somebody may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Play {
    /// Yes, like everybody.
    Open,
    /// Yes; links that carry this query are let in as well.
    Links(Arc<str>),
    /// No, for this reason.
    Refused(String),
    /// There is no such stream.
    Absent,
}

/// What the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// For publishers.
    pub publish: Gate,
    /// For players.
    pub play: Gate,
    /// Who is asked where a gate says so.
    pub webhook: Option<WebhookSettings>,
}

/// Tells the time in Unix seconds.
pub type UnixClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The decision. Settings can be changed while it is asked.
pub struct Admission {
    // Guards what is in force; held to clone it.
    force: RwLock<Arc<Force>>,
    registry: Arc<dyn Registry>,
    tokens: PlayTokens,
    clock: UnixClock,
}

/// Settings with what they need to work.
struct Force {
    publish: Gate,
    play: Gate,
    webhook: Option<Webhook>,
}

impl Admission {
    /// Decides by these settings, and by what the registry knows of streams.
    ///
    /// # Errors
    /// [`WebhookError`] when the webhook's client cannot be made.
    pub fn new(
        settings: Settings,
        registry: Arc<dyn Registry>,
        tokens: PlayTokens,
        clock: UnixClock,
    ) -> Result<Self, WebhookError> {
        Ok(Self {
            force: RwLock::new(Arc::new(Force::new(settings)?)),
            registry,
            tokens,
            clock,
        })
    }

    /// Puts other settings in force; who is in stays in.
    ///
    /// # Errors
    /// [`WebhookError`]; the settings before stay in force.
    pub fn configure(&self, settings: Settings) -> Result<(), WebhookError> {
        let new = Arc::new(Force::new(settings)?);
        *self.force.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The stream that somebody may publish, or why not.
    ///
    /// # Errors
    /// The reason, for the publisher.
    pub async fn publish(&self, question: &Question) -> Result<StreamName, String> {
        let force = self.force();
        let recognised = self.registry.recognise(question).await?;
        if recognised.via != Via::IssuedKey {
            let query = Query::parse(&question.query);
            match force
                .publish
                .check(&question.name, &query, (self.clock)())?
            {
                gate::Check::Passed => {}
                gate::Check::AskWebhook => force.ask("publish", question, (self.clock)()).await?,
            }
        }
        self.registry.admit(question, &recognised).await?;
        Ok(recognised.stream)
    }

    /// Whether somebody may watch.
    pub async fn play(&self, question: &Question) -> Play {
        let force = self.force();
        let playable = self.registry.playable(&question.name);
        if !playable.served {
            return Play::Absent;
        }
        if playable.password.is_none() && force.play.mode == GateMode::Open {
            return Play::Open;
        }
        match self.check_play(&force, &playable, question).await {
            Ok(links) => Play::Links(links),
            Err(reason) => Play::Refused(reason),
        }
    }

    /// A token that opens a stream to a player for `valid`, for `?token=`. It is one for the password
    /// that was asked for last, which the media side may not know yet.
    pub async fn play_token(&self, stream: &StreamName, valid: Duration) -> String {
        let force = self.force();
        let password = self.registry.password(stream).await;
        let until = (self.clock)().saturating_add(valid.as_secs());
        let binding = force.play.binding(password.as_ref());
        self.tokens
            .token(TokenUse::Open, stream.as_str(), &binding, until)
    }

    async fn check_play(
        &self,
        force: &Force,
        playable: &Playable,
        question: &Question,
    ) -> Result<Arc<str>, String> {
        let query = Query::parse(&question.query);
        let now = (self.clock)();
        let stream = question.name.as_str();
        let binding = force.play.binding(playable.password.as_ref());
        if let Some(token) = query.get("token") {
            let verify = |usage| self.tokens.verify(usage, stream, &binding, token, now);
            match verify(TokenUse::Link) {
                Ok(()) => return Ok(format!("token={token}").into()),
                Err(TokenError::Expired(ago)) => return Err(TokenError::Expired(ago).to_string()),
                Err(TokenError::Wrong) => {}
            }
            verify(TokenUse::Open).map_err(|error| error.to_string())?;
            return Ok(self.links(stream, &binding, now));
        }
        if let Some(password) = &playable.password {
            match query.get("pwd") {
                None => return Err("a password is needed: add ?pwd=PASSWORD to the URL".to_owned()),
                Some(pwd) if !password.matches(pwd) => {
                    return Err("the password is wrong".to_owned());
                }
                Some(_) => {}
            }
        }
        match force.play.check(&question.name, &query, now)? {
            gate::Check::Passed => {}
            gate::Check::AskWebhook => force.ask("play", question, now).await?,
        }
        Ok(self.links(stream, &binding, now))
    }

    /// What links carry: the same for all who ask within the hour.
    fn links(&self, stream: &str, binding: &str, now: u64) -> Arc<str> {
        let hour = now - now % SAME_LINKS_S;
        let until = hour.saturating_add(SAME_LINKS_S + LINKS_HOLD.as_secs());
        let token = self.tokens.token(TokenUse::Link, stream, binding, until);
        format!("token={token}").into()
    }

    fn force(&self) -> Arc<Force> {
        Arc::clone(&self.force.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Force {
    fn new(settings: Settings) -> Result<Self, WebhookError> {
        Ok(Self {
            publish: settings.publish,
            play: settings.play,
            webhook: settings.webhook.map(Webhook::new).transpose()?,
        })
    }

    async fn ask(&self, action: &'static str, question: &Question, now: u64) -> Result<(), String> {
        let Some(webhook) = &self.webhook else {
            return Err("no authorisation webhook is configured".to_owned());
        };
        match webhook.ask(action, question, now).await {
            Decision::Allow => Ok(()),
            Decision::Deny(reason) => Err(reason),
        }
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let force = self.force();
        write!(
            f,
            "Admission(publish {:?}, play {:?})",
            force.publish, force.play
        )
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let query = crate::credential::masked(&self.query);
        write!(f, "Question({} {:?}, {query})", self.protocol, self.name)
    }
}
