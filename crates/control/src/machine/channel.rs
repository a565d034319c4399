//! A channel's states.
//!
//! ```text
//!              publishing          served              lost
//!   Pending ───────────▶ Starting ───────▶ Live ────────────────▶ Interrupted
//!      ▲                    │  │            ▲                        │  │
//!      └──── lost ──────────┘  │ overdue    └───── publishing ───────┘  │ overdue
//!                              ▼                                        ▼
//!   any ── stop ──▶ Ended    Failed                                   Ended
//!   Ended, Failed ── start again while the id is kept ──▶ Pending
//! ```

use std::time::Duration;

use crate::clock::UnixMs;
use crate::event::EventKind;
use crate::model::{Cause, Channel, ChannelState};

/// What happens to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ChannelInput {
    /// It is started, for the first time or again.
    Start,
    /// Its source publishes; the media side has to serve it by this moment.
    Publishing { due: UnixMs },
    /// The media side serves it.
    Served,
    /// Its source no longer publishes; it is waited for until then.
    Lost { cause: Cause, until: UnixMs },
    /// The time that it waits for is over, if it is.
    Overdue,
    /// A call or the policy ends it.
    Stop { cause: Cause },
}

impl Channel {
    /// Goes on; the event that tells of it. What makes no difference changes nothing.
    pub(crate) fn apply(
        &mut self,
        input: ChannelInput,
        now: UnixMs,
        retention: Duration,
    ) -> Option<EventKind> {
        use ChannelState as State;
        match (self.state, input) {
            (State::Ended | State::Failed, ChannelInput::Start) => {
                self.state = State::Pending;
                self.started_at = None;
                self.ended_at = None;
                self.reserved_until = None;
                self.cause = None;
                self.version += 1;
                Some(EventKind::ChannelPending)
            }
            (State::Pending, ChannelInput::Publishing { due }) => {
                self.go(State::Starting, Some(due));
                None
            }
            (State::Interrupted, ChannelInput::Publishing { .. }) => {
                self.go(State::Live, None);
                self.cause = None;
                Some(EventKind::ChannelResumed)
            }
            (State::Starting, ChannelInput::Served) => {
                self.go(State::Live, None);
                self.started_at = Some(now);
                Some(EventKind::ChannelStarted)
            }
            (State::Starting, ChannelInput::Lost { .. }) => {
                self.go(State::Pending, None);
                None
            }
            (State::Live, ChannelInput::Lost { cause, until }) => {
                self.go(State::Interrupted, Some(until));
                self.cause = Some(cause);
                Some(EventKind::ChannelInterrupted)
            }
            (State::Interrupted, ChannelInput::Overdue) if self.is_due(now) => {
                let cause = self.cause.take();
                self.end(State::Ended, cause, now, retention);
                Some(EventKind::ChannelEnded)
            }
            (State::Starting, ChannelInput::Overdue) if self.is_due(now) => {
                let cause = Cause::ours("the media side did not take it in time");
                self.end(State::Failed, Some(cause), now, retention);
                Some(EventKind::ChannelFailed)
            }
            (
                State::Pending | State::Starting | State::Live | State::Interrupted,
                ChannelInput::Stop { cause },
            ) => {
                self.end(State::Ended, Some(cause), now, retention);
                Some(EventKind::ChannelEnded)
            }
            _ => None,
        }
    }

    fn is_due(&self, now: UnixMs) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }

    fn go(&mut self, state: ChannelState, due: Option<UnixMs>) {
        self.state = state;
        self.due_at = due;
        self.version += 1;
    }

    fn end(&mut self, state: ChannelState, cause: Option<Cause>, now: UnixMs, retention: Duration) {
        self.go(state, None);
        self.cause = cause;
        self.ended_at = Some(now);
        self.reserved_until = Some(now.plus(retention));
    }
}
