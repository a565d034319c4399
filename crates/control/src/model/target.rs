//! Where a channel is pushed to.

use crate::clock::UnixMs;
use crate::id::{ChannelId, TargetId};
use crate::words::words;

words! {
    /// Where a target is.
    pub enum TargetState {
        /// Waits for its channel to be live.
        Idle = "idle",
        /// Connects.
        Connecting = "connecting",
        /// Media flows.
        Running = "running",
        /// It was running; tries again.
        Recovering = "recovering",
        /// Did not recover in a minute; tries slowly, or was told to stop.
        Failed = "failed",
        /// Being removed.
        Disconnecting = "disconnecting",
    }
}

impl TargetState {
    /// The public number.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }
}

words! {
    /// What a target does that has failed.
    pub enum OnFail {
        /// Tries on.
        Retry = "retry",
        /// Gives up.
        Stop = "stop",
    }
}

/// A push target.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Where to; may hold a stream key.
    pub url: String,
    /// For people.
    pub name: String,
    /// What it does when it has failed.
    pub on_fail: OnFail,
    /// Where it is.
    pub state: TargetState,
    /// Since when.
    pub since: UnixMs,
    /// Why the last try failed; without keys.
    pub last_error: Option<String>,
    /// Grows with each change by a caller.
    pub version: u64,
}

impl Target {
    /// The URL without what may be a key: the last part of its path, and its query.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let path = self.url.split('?').next().unwrap_or_default();
        match path.rsplit_once('/') {
            Some((start, _)) if !start.ends_with('/') => format!("{start}/…"),
            _ => "…".to_owned(),
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Target({}, {}, {})",
            self.id,
            self.shown_url(),
            self.state
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn states_have_the_public_numbers() {
        let numbers: Vec<_> = TargetState::ALL
            .iter()
            .map(|state| state.number())
            .collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
        assert_eq!(TargetState::Failed.number(), 4);
    }

    #[test]
    fn a_shown_url_holds_no_key() {
        let mut target = Target {
            id: TargetId::fresh(UnixMs(1)),
            channel_id: ChannelId(1),
            url: "rtmp://example.org/live/KEY?token=SECRET".to_owned(),
            name: String::new(),
            on_fail: OnFail::Retry,
            state: TargetState::Idle,
            since: UnixMs(0),
            last_error: None,
            version: 1,
        };
        assert_eq!(target.shown_url(), "rtmp://example.org/live/…");
        assert!(!format!("{target:?}").contains("KEY"));
        target.url = "rtmp://example.org".to_owned();
        assert_eq!(target.shown_url(), "…");
    }
}
