//! Push targets: by the rules of the configuration, and by hand.

use std::net::SocketAddr;
use std::time::Instant;

use media::StreamName;
use publish::{Manager, State, TargetHandle, TargetSpec};
use server::{PushTarget, PushTargets};

use super::error::Error;
use crate::config::Push;

/// A stream that is being pushed to a remote server. Dropping it does not stop it.
#[derive(Clone, Debug)]
pub struct PushHandle(pub(super) TargetHandle);

impl PushHandle {
    /// Where it is: `waiting`, `connecting`, `publishing`, `backoff`, `stopped`; its last error,
    /// its figures.
    #[must_use]
    pub fn status(&self) -> publish::Status {
        self.0.status()
    }

    /// Where it pushes to; displays without the key.
    #[must_use]
    pub fn url(&self) -> &rtmp::Url {
        self.0.url()
    }

    /// Ends it: says goodbye to the server within a second.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// A rule with its key read.
struct Rule {
    push: Push,
    key: Option<String>,
}

/// Turns `[[push]]` into the function that the manager asks.
pub(super) fn rules(
    config: &[Push],
    own_listeners: Vec<SocketAddr>,
) -> Result<impl Fn(&StreamName) -> Vec<TargetSpec> + Send + Sync + 'static, Error> {
    let rules: Vec<Rule> = config
        .iter()
        .map(|push| {
            let key = push.key().map_err(Error::SecretFile)?;
            Ok(Rule {
                push: push.clone(),
                key,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(move |name: &StreamName| {
        let wanted = rules.iter().filter(|rule| rule.push.takes(name));
        wanted
            .filter_map(|rule| {
                let url = rule
                    .push
                    .target_url(name.app(), name.stream(), rule.key.as_deref());
                match url {
                    Ok(url) => Some(TargetSpec {
                        url,
                        config: target_config(&rule.push, &own_listeners),
                    }),
                    // Checked when the configuration was read; a name may still not fit.
                    Err(error) => {
                        tracing::warn!(stream = %name, %error, "push target left out");
                        None
                    }
                }
            })
            .collect()
    })
}

pub(super) fn target_config(push: &Push, own_listeners: &[SocketAddr]) -> publish::Config {
    let mut config = publish::Config::default();
    config.queue = push.queue;
    config.retry_max = push.retry_max;
    config.own_listeners = own_listeners.to_vec();
    config
}

/// Tells the API where streams are pushed to.
pub(super) struct Targets(pub(super) Manager);

impl PushTargets for Targets {
    fn of(&self, stream: &StreamName) -> Vec<PushTarget> {
        let targets = self.0.of(stream);
        targets.iter().enumerate().map(wire).collect()
    }
}

fn wire((index, target): (usize, &TargetHandle)) -> PushTarget {
    let status = target.status();
    let mut wire = PushTarget::default();
    wire.id = format!("tgt_{}", index + 1);
    wire.url = target.url().to_string();
    wire.state = match status.state {
        State::Publishing { .. } => "live",
        State::Connecting => "connecting",
        State::Stopped => "stopped",
        _ => "waiting",
    }
    .to_owned();
    if let State::Backoff { until, attempt } = status.state {
        let wait = until.saturating_duration_since(Instant::now());
        wire.retry_in_s = Some(wait.as_secs_f64());
        wire.attempts = attempt.into();
    }
    if !matches!(status.state, State::Publishing { .. }) {
        wire.reason = status.last_error.map(String::from);
    }
    wire.bytes_out = status.bytes_out;
    wire.skips = status.skips;
    wire
}
