//! Asks the one decision about publishers and players for the hub's shells.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use control::admission::{self, Play, Question};
use hub::{Action, Ask, Authorizer, Verdict, Verdicts};

use super::error::Error;
use crate::config::Config;

/// The configured decision, and then the one of whoever embeds the relay.
pub(super) struct Gatekeeper {
    admission: Arc<admission::Admission>,
    then: Option<Arc<dyn Authorizer>>,
}

impl Gatekeeper {
    pub(super) fn new(
        admission: Arc<admission::Admission>,
        then: Option<Arc<dyn Authorizer>>,
    ) -> Self {
        Self { admission, then }
    }

    async fn decide(&self, ask: Ask) -> Verdict {
        let question = Question {
            name: ask.name.clone(),
            protocol: ask.protocol,
            peer: ask.peer,
            query: ask.query.as_deref().unwrap_or_default().to_owned(),
        };
        match ask.action {
            Action::Publish => match self.admission.publish(&question).await {
                Ok(stream) if stream == question.name => Verdict::Allow,
                Ok(stream) => Verdict::AllowAs(stream),
                Err(reason) => Verdict::Deny(reason.into()),
            },
            Action::Play => match self.admission.play(&question).await {
                Play::Open => Verdict::Allow,
                Play::Links(query) => Verdict::AllowLinks(query),
                Play::Refused(reason) => Verdict::Deny(reason.into()),
                Play::Absent => Verdict::Absent,
            },
        }
    }
}

impl Authorizer for Gatekeeper {
    fn authorize(&self, ask: Ask) -> Verdicts<'_> {
        Box::pin(async move {
            let Some(then) = &self.then else {
                return self.decide(ask).await;
            };
            let verdict = self.decide(ask.clone()).await;
            if verdict.is_refusal() {
                return verdict;
            }
            match then.authorize(ask).await {
                Verdict::Allow => verdict,
                other => other,
            }
        })
    }
}

/// Opens streams to players, for the API.
pub(super) struct Opener(pub(super) Arc<admission::Admission>);

impl server::PlayTokens for Opener {
    fn token<'a>(
        &'a self,
        stream: &'a media::StreamName,
        valid: std::time::Duration,
    ) -> server::Token<'a> {
        Box::pin(self.0.play_token(stream, valid))
    }
}

/// The decision by the configuration.
pub(super) async fn admission(
    config: &Config,
    registry: Arc<dyn admission::Registry>,
    control: &control::Control,
) -> Result<Arc<admission::Admission>, Error> {
    let tokens = control.play_tokens().await?;
    let admission =
        admission::Admission::new(settings(config)?, registry, tokens, Arc::new(unix_now));
    Ok(Arc::new(admission?))
}

/// What the configuration says.
pub(super) fn settings(config: &Config) -> Result<admission::Settings, Error> {
    let settings = config.auth.admission();
    settings.map_err(|(_, what)| Error::SecretFile(what))
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
