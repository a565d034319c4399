//! What a direction asks for: nothing, a signed URL, a key, or somebody else's word.

use media::StreamName;

use crate::credential::{Query, Secret, UrlKeys};

/// How one direction, publish or play, is guarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// What is asked for.
    pub mode: GateMode,
    /// The keys of signed URLs, or the keys themselves; nobody gets in where a mode needs them and
    /// there are none.
    pub keys: Option<UrlKeys>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateMode {
    /// Nothing.
    #[default]
    Open,
    /// A signed URL: `txSecret` and `txTime`.
    TxSecret,
    /// The key: `?key=`.
    Key,
    /// The webhook's word.
    Webhook,
}

/// What came of looking.
pub(super) enum Check {
    Passed,
    AskWebhook,
}

impl Gate {
    /// Looks at what somebody brought.
    pub(super) fn check(
        &self,
        name: &StreamName,
        query: &Query<'_>,
        now_unix: u64,
    ) -> Result<Check, String> {
        match (self.mode, &self.keys) {
            (GateMode::Open, _) => Ok(Check::Passed),
            (GateMode::Webhook, _) => Ok(Check::AskWebhook),
            (_, None) => Err("no key is configured; nobody gets in".to_owned()),
            (GateMode::TxSecret, Some(keys)) => {
                let verified = keys.verify(name.stream(), query, now_unix);
                verified.map(|()| Check::Passed).map_err(|e| e.to_string())
            }
            (GateMode::Key, Some(keys)) => {
                let Some(key) = query.get("key") else {
                    return Err("a key is needed: add ?key=KEY to the stream key or URL".to_owned());
                };
                let by_backup = keys
                    .backup
                    .as_ref()
                    .is_some_and(|backup| backup.matches(key));
                // Both are compared always.
                match keys.main.matches(key) | by_backup {
                    true => Ok(Check::Passed),
                    false => Err("the key is wrong".to_owned()),
                }
            }
        }
    }

    /// What play tokens depend on: they fall when the password, the mode or the key changes.
    pub(super) fn binding(&self, password: Option<&Secret>) -> String {
        let password = password.map_or("", |p| p.reveal());
        let key = self.keys.as_ref().map_or("", |keys| keys.main.reveal());
        format!("{:?}\0{}\0{password}\0{key}", self.mode, password.len())
    }
}
