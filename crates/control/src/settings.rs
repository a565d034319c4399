//! What the configuration says of the control plane.

use crate::credential::{StreamCodeRule, Template};
use crate::error::Error;
use crate::model::{Policy, UnknownPublish};

/// Whether callers need keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No API keys: every publish is adopted and served at once.
    Open,
    /// API keys: the policy holds.
    Keyed,
}

/// Settings of [`Control`](crate::Control).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The app that calls without one mean.
    pub app_id: String,
    /// The business id that classic stream codes begin with.
    pub bizid: String,
    /// The RTMP app that streams are published under.
    pub rtmp_app: String,
    /// Whether callers need keys.
    pub mode: Mode,
    /// The policy before anything is changed by calls.
    pub policy: Policy,
}

impl Settings {
    /// The usual settings of a mode.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let mut policy = Policy::default();
        if mode == Mode::Open {
            policy.auto_bypass.enabled = true;
            policy.unknown_publish = UnknownPublish::Adopt;
            // As many as the hub takes.
            policy.max_channels = 1_000_000;
        }
        Self {
            app_id: "1400000001".to_owned(),
            bizid: "8888".to_owned(),
            rtmp_app: "live".to_owned(),
            mode,
            policy,
        }
    }

    /// The rule of a policy's stream codes.
    ///
    /// # Errors
    /// When the policy's pattern is none.
    pub fn code_rule(
        &self,
        policy: &Policy,
        app_id: &str,
        bizid: &str,
    ) -> Result<StreamCodeRule, Error> {
        Ok(match policy.stream_code_rule.as_str() {
            "classic_md5" => StreamCodeRule::ClassicMd5 {
                bizid: bizid.to_owned(),
            },
            "plain" => StreamCodeRule::Plain {
                sdk_app_id: app_id.to_owned(),
            },
            pattern => StreamCodeRule::Custom {
                template: pattern
                    .parse::<Template>()
                    .map_err(|error| Error::field("/stream_code_rule", error.to_string()))?,
                sdk_app_id: app_id.to_owned(),
                bizid: bizid.to_owned(),
            },
        })
    }
}
