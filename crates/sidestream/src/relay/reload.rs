//! The configuration, read again: for SIGHUP and for `POST /v1/reload`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::{Inner, Relay, Reloaded};
use crate::config::{Config, ConfigError, Place, Problem};

/// Where a configuration comes from, and can be read again.
pub trait ConfigSource: Send + Sync + 'static {
    /// Reads it with everything that it names. May block.
    ///
    /// # Errors
    /// Every problem that is found.
    fn read(&self) -> Result<Config, ConfigError>;

    /// It is in force now.
    fn applied(&self, _config: &Config) {}
}

/// A source, and the relay that it is put in force in.
pub(super) struct Reloader {
    source: Arc<dyn ConfigSource>,
    relay: OnceLock<Weak<Inner>>,
    // Held while one reload runs: the last that was asked for wins as a whole.
    turn: Mutex<()>,
}

impl Reloader {
    pub(super) fn new(source: Arc<dyn ConfigSource>) -> Self {
        Self {
            source,
            relay: OnceLock::new(),
            turn: Mutex::default(),
        }
    }

    /// From now on there is a relay to put configurations in force in.
    pub(super) fn serve(&self, relay: &Arc<Inner>) {
        let _ = self.relay.set(Arc::downgrade(relay));
    }

    pub(super) fn run(&self) -> Result<Reloaded, ConfigError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = |what: String| ConfigError {
            problems: vec![Problem {
                place: Place::Default,
                what,
            }],
        };
        let config = self.source.read()?;
        let Some(inner) = self.relay.get().and_then(Weak::upgrade) else {
            return Err(whole(
                "the relay is starting or stopping; try again".to_owned(),
            ));
        };
        let relay = Relay { inner };
        let reloaded = relay.reload(&config);
        let reloaded = reloaded.map_err(|error| whole(error.to_string()))?;
        self.source.applied(&config);
        Ok(reloaded)
    }
}

impl server::Reload for Reloader {
    fn reload(&self) -> Result<server::Reloaded, Vec<server::Misconfigured>> {
        match self.run() {
            Ok(reloaded) => {
                let words = |sections: &[&str]| sections.iter().map(|s| (*s).to_owned()).collect();
                tracing::info!(
                    applied = reloaded.applied.join(","),
                    kept_until_restart = reloaded.kept_until_restart.join(","),
                    "/v1/reload: configuration reloaded"
                );
                let mut answer = server::Reloaded::default();
                answer.applied = words(&reloaded.applied);
                answer.kept_until_restart = words(&reloaded.kept_until_restart);
                Ok(answer)
            }
            Err(error) => {
                tracing::error!("/v1/reload: configuration kept as it was: {error}");
                let wrong = error.problems.into_iter().map(|problem| {
                    let mut wrong = server::Misconfigured::default();
                    wrong.place = problem.place.to_string();
                    wrong.detail = problem.what;
                    wrong
                });
                Err(wrong.collect())
            }
        }
    }
}
