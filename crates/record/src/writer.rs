//! The thread of one recording: takes frames from the queue, writes all its formats.

mod pieces;
mod trouble;

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use media::StreamName;

use crate::config::{Config, Spec};
use crate::event::{EventLog, What};
use crate::finisher::{Job, Own};
use crate::format::Format;
use crate::manifest::{Cause, Marker};
use crate::output::Output;
use crate::queue::{Entry, Queue};
use crate::session::{Act, End, Session};
use crate::status::{Shared, State};
use crate::storage::Storage;

/// Between two looks at the free space, and at whether a suspended recording can go on.
const LOOK: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Writer {
    pub(crate) id: Arc<str>,
    pub(crate) stream: StreamName,
    pub(crate) spec: Spec,
    pub(crate) config: Arc<Config>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) status: Shared,
    pub(crate) events: EventLog,
    pub(crate) finisher: Sender<Job>,
    pub(crate) own: Own,
    pub(crate) session: Session,
    pub(crate) piece: Option<Piece>,
    pub(crate) next_index: u32,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) looked: Option<Instant>,
    /// Media time of the files that are complete, in milliseconds.
    pub(crate) done_ms: i64,
    /// What files lack at their end that could not be finished: the next ones say so.
    pub(crate) lost: Vec<(Format, i64)>,
}

/// The files of one stretch of the stream, one per format.
pub(crate) struct Piece {
    outputs: Vec<Output>,
    /// One per output.
    markers: Vec<Marker>,
}

/// Why nothing is written.
pub(crate) struct Trouble {
    next_try: Instant,
    wait: Duration,
}

impl Writer {
    /// Runs until the end of the queue.
    pub(crate) fn run(mut self) {
        let mut entries = Vec::new();
        loop {
            self.queue.take(LOOK, &mut entries);
            if self.step(&mut entries) {
                break;
            }
        }
        self.end();
    }

    /// Takes what the queue gave, and writes it; true when there is nothing more to do.
    pub(crate) fn step(&mut self, entries: &mut Vec<Entry>) -> bool {
        let mut acts = Vec::new();
        let mut ended = false;
        for entry in entries.drain(..) {
            ended |= matches!(entry, Entry::End);
            self.entry(entry, &mut acts);
        }
        self.flush(self.session.end());
        self.look();
        self.figures();
        ended || self.status.get().state.is_over()
    }

    /// Says how it ended.
    pub(crate) fn end(self) {
        if self.trouble.is_some() {
            // It ended while nothing could be written: its reason stays.
            self.status.update(|status| status.state = State::Failed);
        } else {
            self.status.update(|status| status.state = State::Completed);
            tracing::info!(event = "recording.ended", rec = %self.id, stream = %self.stream, "recording ended");
        }
        self.events.push(&self.id, &self.stream, What::Ended);
    }

    fn entry(&mut self, entry: Entry, acts: &mut Vec<Act>) {
        match entry {
            Entry::Join { headers, missed } => self.session.join(&headers, missed, acts),
            Entry::Frame(frame) => self.session.frame(&frame, acts),
            Entry::Now(now) => self.session.arrived(now.wall_ms, now.newest_ms),
            Entry::Overflow => self.session.lost(Cause::Overflow, acts),
            Entry::Pause => {
                self.session.pause(acts);
                self.act(acts);
                self.flush(self.session.end());
                self.set_state(State::Paused, What::Paused);
            }
            Entry::Resume => {
                self.session.resume();
                self.set_state(State::Recording, What::Resumed);
            }
            Entry::Split => self.session.split(),
            Entry::End => {
                self.session.finish(acts);
                self.status.update(|status| {
                    if !status.state.is_over() {
                        status.state = State::Finalizing;
                    }
                });
            }
        }
        self.act(acts);
    }

    fn set_state(&mut self, state: State, what: What) {
        if self.trouble.is_none() {
            self.status.update(|status| status.state = state);
        }
        tracing::info!(rec = %self.id, stream = %self.stream, "recording {}", match what {
            What::Paused => "paused",
            _ => "resumed",
        });
        self.events.push(&self.id, &self.stream, what);
    }

    fn act(&mut self, acts: &mut Vec<Act>) {
        for act in acts.drain(..) {
            if self.trouble.is_some() {
                continue;
            }
            if let Act::Open(opening) = act {
                if let Err(error) = self.open(&opening) {
                    self.fail(&error);
                }
                continue;
            }
            if let Act::Close(end) = act {
                self.flush(end);
                self.finish_piece();
                continue;
            }
            let Some(piece) = &mut self.piece else {
                continue;
            };
            if let Act::Gap(gap) = &act {
                self.status.gap();
                tracing::warn!(rec = %self.id, stream = %self.stream, at_ms = gap.at_ms, missing_ms = gap.missing_ms, cause = gap.cause.as_str(), "recording gap");
            }
            for output in &mut piece.outputs {
                if let Act::Gap(gap) = &act {
                    output.gap(gap);
                    continue;
                }
                let (mux, steps) = output.mux();
                match &act {
                    Act::Unit { unit, join } => mux.unit(unit, *join, steps),
                    Act::Data(data) => mux.data(data, steps),
                    Act::Extra(extra, ms) => mux.extra(extra, *ms, steps),
                    Act::Break => mux.discontinuity(steps),
                    Act::Open(_) | Act::Close(_) | Act::Gap(_) => {}
                }
            }
        }
    }

    /// Writes what the muxers gave.
    fn flush(&mut self, end: End) {
        let Some(piece) = &mut self.piece else { return };
        let mut largest = 0;
        let mut failed = None;
        for output in &mut piece.outputs {
            match output.write(end) {
                Ok(bytes) => self.status.wrote(bytes),
                Err(error) => failed = Some(error),
            }
            largest = largest.max(output.bytes());
        }
        if let Some(error) = failed {
            self.fail(&error);
        } else if self.spec.split.bytes > 0 && largest >= self.spec.split.bytes {
            self.session.split();
        }
    }

    fn figures(&self) {
        let (queued, dropped) = self.queue.figures();
        self.status.queued(queued);
        self.status.dropped(dropped);
        let duration_ms = self.done_ms + self.session.end().ms;
        self.status
            .update(|status| status.duration_ms = status.duration_ms.max(duration_ms));
    }
}
