//! A push target's states: what the pusher does, as the public numbers tell it.

use std::time::Duration;

use crate::clock::UnixMs;
use crate::model::{OnFail, Target, TargetState};

/// How long a target may be without a connection before it counts as failed.
const RECOVERY: Duration = Duration::from_secs(60);

/// What the media side does with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushState {
    /// Nothing: its channel is not live, or it gave up.
    Idle,
    /// It connects, or waits for the next try.
    Trying,
    /// Media flows.
    Publishing,
}

impl Target {
    /// Takes in what the media side does; whether the state changed.
    pub(crate) fn observe(&mut self, push: PushState, error: Option<String>, now: UnixMs) -> bool {
        use TargetState as State;
        let next = match (self.state, push) {
            (_, PushState::Publishing) => State::Running,
            (State::Running, PushState::Trying) => State::Recovering,
            (State::Idle | State::Disconnecting, PushState::Trying) => State::Connecting,
            (State::Connecting | State::Recovering, PushState::Trying)
                if now.since(self.since) > RECOVERY =>
            {
                State::Failed
            }
            (State::Failed, PushState::Idle) if self.on_fail == OnFail::Stop => State::Failed,
            (_, PushState::Idle) => State::Idle,
            (same, PushState::Trying) => same,
        };
        if error.is_some() {
            self.last_error = error;
        }
        let changed = next != self.state;
        if changed {
            self.state = next;
            self.since = now;
        }
        changed
    }

    /// Whether the media side is to push at all.
    pub(crate) fn is_wanted(&self) -> bool {
        !(self.state == TargetState::Failed && self.on_fail == OnFail::Stop)
    }
}
