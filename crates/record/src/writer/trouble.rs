//! A disk that is full or fails: what is said of it, and when it is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{LOOK, Trouble, Writer};
use crate::error::{self, Error};
use crate::event::What;
use crate::manifest::Cause;
use crate::status::State;

/// Longest pause between two tries of a suspended recording.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// More than is kept back must be free before a suspended recording goes on: one part in this.
const HYSTERESIS: u64 = 8;

impl Writer {
    /// Stops writing: finishes what there is, and waits for better times where that is wanted.
    pub(super) fn fail(&mut self, error: &Error) {
        let at = self.done_ms + self.session.end().ms;
        self.trouble = Some(Trouble {
            next_try: Instant::now() + LOOK,
            wait: LOOK,
        });
        let end_ms = self.session.end().ms;
        let outputs = self.piece.iter().flat_map(|piece| &piece.outputs);
        let lost_ms = outputs.map(|output| end_ms - output.durable_ms()).max();
        self.finish_piece();
        // The hole that the session tells holds it.
        self.lost.clear();
        self.session.abandon(Cause::Disk, lost_ms.unwrap_or(0));
        let resumes = self.config.resume && !matches!(error, Error::Tracks { .. });
        let advice = match (resumes, error.is_space()) {
            (true, true) => "it goes on when space is free",
            (true, false) => "it is tried again",
            (false, true) => "free space and start it again",
            (false, false) => "start it again",
        };
        let at = error::clock(at);
        let reason = format!("stopped at {at}, {error}; files so far are complete; {advice}");
        tracing::error!(event = "recording.failed", rec = %self.id, "recording {} of {}: {reason}", self.id, self.stream);
        self.status.failed();
        self.status.set_deaf(true);
        self.status.update(|status| {
            status.state = if resumes {
                State::Suspended
            } else {
                State::Failed
            };
            status.reason = Some(error.to_string().into());
        });
        let reason = Arc::from(reason);
        self.events
            .push(&self.id, &self.stream, What::Failed { reason, resumes });
    }

    /// Once a second: is there space, can a suspended recording go on?
    pub(super) fn look(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        if let Some(trouble) = &mut self.trouble {
            if Instant::now() < trouble.next_try || self.status.get().state != State::Suspended {
                return;
            }
            trouble.wait = (trouble.wait * 2).min(RETRY_MAX);
            trouble.next_try = Instant::now() + trouble.wait;
            if self.has_space_again() {
                self.trouble = None;
                self.status.update(|status| {
                    status.state = State::Recording;
                    status.reason = None;
                });
                self.status.set_deaf(false);
                self.events.push(&self.id, &self.stream, What::Resumed);
                tracing::info!(rec = %self.id, stream = %self.stream, "recording goes on");
            }
        } else if self.piece.is_some()
            && let Err(error) = self.check_space()
        {
            self.fail(&error);
        }
    }

    pub(super) fn check_space(&self) -> Result<(), Error> {
        let free = self
            .storage
            .free_bytes()
            .map_err(|error| Error::io("the recording folder", error))?;
        let kept = self.config.min_free;
        match free < kept {
            true => Err(Error::Space { free, kept }),
            false => Ok(()),
        }
    }

    fn has_space_again(&self) -> bool {
        let kept = self.config.min_free;
        // Without a bound of its own, some room for the next try to get anywhere.
        let wanted = (kept + kept / HYSTERESIS).max(1 << 20);
        self.storage.free_bytes().is_ok_and(|free| free >= wanted)
    }
}
