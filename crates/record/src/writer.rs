//! The thread of one recording: takes frames from the queue, writes all its formats.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use media::StreamName;

use crate::config::{Config, Spec};
use crate::error::{self, Error};
use crate::event::{EventLog, What};
use crate::filing::Filing;
use crate::finisher::{Job, Own};
use crate::format::Format;
use crate::manifest::{Cause, Gap, Marker, TrackInfo};
use crate::name::{Fill, Template};
use crate::output::Output;
use crate::queue::{Entry, Queue};
use crate::session::{Act, End, Opening, Session};
use crate::status::{Shared, State};
use crate::storage::Storage;

/// Between two looks at the free space, and at whether a suspended recording can go on.
const LOOK: Duration = Duration::from_secs(1);
/// Longest pause between two tries of a suspended recording.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// More than is kept back must be free before a suspended recording goes on: one part in this.
const HYSTERESIS: u64 = 8;
/// Names that are tried when one is taken.
const NAMES: u32 = 10_000;

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

    /// Begins the files of the next piece, under the first name that is free in all formats.
    fn open(&mut self, opening: &Opening) -> Result<(), Error> {
        self.check_space()?;
        let start = jiff::Timestamp::from_millisecond(opening.wall_ms).unwrap_or_default();
        let start = start.to_zoned(jiff::tz::TimeZone::system());
        let template = self.spec.name.clone();
        let template = template.unwrap_or_else(|| self.config.name.clone());
        for _ in 0..NAMES {
            let stem = self.stem(&template, &start);
            match self.open_all(&stem, opening) {
                Err(Error::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::AlreadyExists =>
                {
                    self.next_index += 1;
                }
                opened => {
                    self.piece = Some(opened?);
                    return self.begun();
                }
            }
        }
        Err(Error::NoName(self.stem(&template, &start)))
    }

    /// The path of the next piece, without extension.
    fn stem(&self, template: &Template, start: &jiff::Zoned) -> String {
        let path = |index| {
            template.path(&Fill {
                stream: &self.stream,
                start,
                index,
                id: &self.id,
            })
        };
        let own = path(self.next_index);
        // A template without number: the first file has none, the others one behind.
        match self.next_index {
            0 => own,
            index if own == path(index + 1) => format!("{own}-{index}"),
            _ => own,
        }
    }

    fn open_all(&self, stem: &str, opening: &Opening) -> Result<Piece, Error> {
        let tracks: Vec<TrackInfo> = opening
            .headers
            .tracks
            .iter()
            .map(|t| TrackInfo::of(t))
            .collect();
        let mut piece = Piece {
            outputs: Vec::new(),
            markers: Vec::new(),
        };
        let mut refused = None;
        for format in &self.spec.formats {
            let path = format!("{stem}{}", self.spec.ending(*format));
            let marker = Marker::new(
                &self.id,
                self.stream.as_str(),
                (*format, self.spec.media),
                self.next_index,
                opening.wall_ms,
                tracks.clone(),
            );
            // Before its marker is there: the look for unfinished files must not take it for one.
            self.own.add(&path);
            match Output::create(&self.storage, path, &marker, *format, &opening.headers) {
                Ok(output) => {
                    piece.outputs.push(output);
                    piece.markers.push(marker);
                }
                // The other formats may carry them.
                Err(error @ Error::Tracks { .. }) => {
                    tracing::warn!(rec = %self.id, stream = %self.stream, "{error}");
                    refused = Some(error);
                }
                Err(error) => {
                    for output in &mut piece.outputs {
                        output.discard();
                    }
                    return Err(error);
                }
            }
        }
        match refused {
            Some(error) if piece.outputs.is_empty() => Err(error),
            _ => Ok(piece),
        }
    }

    fn begun(&mut self) -> Result<(), Error> {
        let paths: Vec<String> = self
            .piece
            .iter()
            .flat_map(|p| &p.outputs)
            .map(|o| o.path.clone())
            .collect();
        tracing::info!(event = "recording.started", rec = %self.id, stream = %self.stream, files = paths.join(" "), "recording");
        let is_first = self.status.get().state == State::Pending;
        self.status.update(|status| {
            status.state = State::Recording;
            status.open = paths;
        });
        if is_first {
            self.events.push(&self.id, &self.stream, What::Started);
        }
        self.next_index += 1;
        let lost = std::mem::take(&mut self.lost);
        for output in self.piece.iter_mut().flat_map(|piece| &mut piece.outputs) {
            let own = lost.iter().find(|(format, _)| *format == output.format);
            if let Some((_, missing_ms)) = own {
                output.gap(&Gap {
                    at_ms: 0,
                    missing_ms: *missing_ms,
                    in_time: false,
                    cause: Cause::Disk,
                });
            }
        }
        if !lost.is_empty() {
            self.status.gap();
        }
        Ok(())
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

    /// Finishes the files of the piece and hands them on.
    fn finish_piece(&mut self) {
        let Some(piece) = self.piece.take() else {
            return;
        };
        let mut longest = 0;
        for (output, marker) in piece.outputs.into_iter().zip(piece.markers) {
            let format = output.format;
            let unfiled = output.finish();
            if unfiled.lost_ms > 0 {
                self.lost.push((format, unfiled.lost_ms));
            }
            let status = Some(self.status.clone());
            longest = longest.max(unfiled.progress.duration_ms);
            let job = match unfiled.is_sound {
                true => Job::File(Box::new(Filing {
                    path: unfiled.path,
                    marker,
                    progress: unfiled.progress,
                    recovered: false,
                    status,
                    lock: unfiled.lock,
                })),
                false => {
                    // The repair takes its lock.
                    drop(unfiled.lock);
                    Job::Repair(unfiled.path, status)
                }
            };
            // A finisher that is gone leaves it to the next start.
            let _ = self.finisher.send(job);
        }
        self.done_ms += longest;
        self.status.update(|status| status.open.clear());
    }

    /// Stops writing: finishes what there is, and waits for better times where that is wanted.
    fn fail(&mut self, error: &Error) {
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
    fn look(&mut self) {
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

    fn check_space(&self) -> Result<(), Error> {
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

    fn figures(&self) {
        let (queued, dropped) = self.queue.figures();
        self.status.queued(queued);
        self.status.dropped(dropped);
        let duration_ms = self.done_ms + self.session.end().ms;
        self.status
            .update(|status| status.duration_ms = status.duration_ms.max(duration_ms));
    }
}
