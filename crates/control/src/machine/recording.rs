//! A recording task's states.

use crate::clock::UnixMs;
use crate::event::EventKind;
use crate::model::{Cause, RecordState, Recording};

/// What happens to a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordInput {
    /// The recorder writes.
    Writes,
    /// The recorder leaves units out.
    Pauses,
    /// The recorder cannot write; whether it goes on by itself.
    Fails { reason: String, resumes: bool },
    /// Somebody ends it.
    Stop { cause: Cause },
    /// The recorder is through with it.
    Over,
}

impl Recording {
    /// Goes on; the event that tells of it.
    pub(crate) fn apply(&mut self, input: RecordInput, now: UnixMs) -> Option<EventKind> {
        use RecordState as State;
        match (self.state, input) {
            (State::Pending, RecordInput::Writes) => {
                self.state = State::Recording;
                self.started_at = Some(now);
                Some(EventKind::RecordingStarted)
            }
            (State::Paused, RecordInput::Writes) => {
                self.state = State::Recording;
                Some(EventKind::RecordingResumed)
            }
            (State::Recording, RecordInput::Pauses) => {
                self.state = State::Paused;
                Some(EventKind::RecordingPaused)
            }
            (
                State::Pending | State::Recording,
                RecordInput::Fails {
                    reason,
                    resumes: true,
                },
            ) => {
                self.state = State::Paused;
                self.cause = Some(Cause::ours(reason));
                Some(EventKind::RecordingFailed)
            }
            (
                state,
                RecordInput::Fails {
                    reason,
                    resumes: false,
                },
            ) if !state.is_over() => {
                self.end(State::Failed, now);
                self.cause = Some(Cause::ours(reason));
                Some(EventKind::RecordingFailed)
            }
            (State::Pending | State::Recording | State::Paused, RecordInput::Stop { cause }) => {
                self.cause = Some(cause);
                if self.started_at.is_some() {
                    self.state = State::Finalizing;
                    None
                } else {
                    self.end(State::Aborted, now);
                    Some(EventKind::RecordingEnded)
                }
            }
            (State::Recording | State::Paused | State::Finalizing, RecordInput::Over) => {
                self.end(State::Completed, now);
                Some(EventKind::RecordingEnded)
            }
            (State::Pending, RecordInput::Over) => {
                self.end(State::Aborted, now);
                Some(EventKind::RecordingEnded)
            }
            _ => None,
        }
    }

    fn end(&mut self, state: RecordState, now: UnixMs) {
        self.state = state;
        self.ended_at = Some(now);
    }
}
