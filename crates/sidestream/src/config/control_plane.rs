//! `[control]`

use control::credential::Secret;
use serde_json::{Map, Value as Json};

use super::setting::{Setting, Wrong};
use super::value::{Kind, Value};

/// `[control]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Control {
    /// The app that calls without one mean; part of plain stream codes.
    pub app_id: String,
    /// What classic stream codes begin with.
    pub bizid: String,
    /// The RTMP app under which announced streams are published.
    pub rtmp_app: String,
    /// The key of `sign = MD5(key + t)` on `/common_access`; without it, API keys only.
    pub common_access_key: Option<Secret>,
    /// Where the state is kept.
    pub state: StateIn,
    /// `[control.policy]`: first values of the policy; what calls change wins.
    pub policy: PolicyPatch,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            app_id: "1400000001".to_owned(),
            bizid: "8888".to_owned(),
            rtmp_app: "live".to_owned(),
            common_access_key: None,
            state: StateIn::Auto,
            policy: PolicyPatch::default(),
        }
    }
}

/// Where the control plane's state is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateIn {
    /// On the disk once there are API keys or callback endpoints, in memory before.
    #[default]
    Auto,
    /// In `control.db` in the data folder.
    Disk,
    /// In memory: gone with the process.
    Memory,
}

/// What differs from the mode's policy, as the API takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyPatch(pub Json);

impl Default for PolicyPatch {
    fn default() -> Self {
        Self(Json::Object(Map::new()))
    }
}

impl Setting for PolicyPatch {
    const PLAIN: bool = false;

    fn read(_: &str, value: &Value) -> Result<Self, Wrong> {
        let patch = json(value)?;
        match control::model::Policy::default().patched(&patch) {
            Ok(_) => Ok(Self(patch)),
            Err(error) => Err(Wrong::value(value, error.detail)),
        }
    }

    fn show(&self) -> String {
        let toml: Result<toml::Value, _> = serde_json::from_value(self.0.clone());
        toml.map_or_else(|_| "{}".to_owned(), |value| value.to_string())
    }
}

fn json(value: &Value) -> Result<Json, Wrong> {
    Ok(match &value.kind {
        Kind::Text(text) => text.clone().into(),
        Kind::Integer(number) => (*number).into(),
        Kind::Boolean(flag) => (*flag).into(),
        Kind::Array(items) => items
            .iter()
            .map(json)
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        Kind::Table(entries) => {
            let fields = entries
                .iter()
                .map(|entry| Ok((entry.name.clone(), json(&entry.value)?)));
            Json::Object(fields.collect::<Result<_, Wrong>>()?)
        }
        Kind::Float(_) | Kind::DateTime(_) => {
            let found = value.found();
            return Err(Wrong::value(
                value,
                format_args!("{found} has no place in a policy"),
            ));
        }
    })
}
