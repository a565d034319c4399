//! The way of a file's events from the source to the sink.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use media::{AccessUnit, DataMessage, Dts, TrackId, TrackKind};
use remux::timed::scte35;
use remux::{Event, LeftOut, Scheme, TimedMetadata};

use super::clock::Clock;
use super::cut::{Cut, Passing};
use super::sink::{self, Begin, Layout, Sink, Target, ninety_khz};
use super::tracks::{Known, Prelude};
use super::{Error, Job, Losses, Progress, Source, Summary, TrackChoice, Watch};

/// Between two tellings of progress: units that pass.
const TELL_EVERY: u32 = 256;

pub(super) fn run(job: &Job, layout: Layout, watch: &mut dyn Watch) -> Result<Summary, Error> {
    refuse_same(&job.input, &job.output)?;
    let audio = [TrackChoice::Kind(TrackKind::Audio)];
    let choice: &[TrackChoice] = match job.tracks.is_empty() && layout.format.is_audio(&job.output)
    {
        true => &audio,
        false => &job.tracks,
    };
    let mut source = Source::open(&job.input, job.from)?;
    let target = Target::open(&job.output, layout)?;

    let mut prelude = Prelude::new(choice);
    while let Some(event) = source.next_event()? {
        if prelude.hold(event, source.announces_all()) {
            break;
        }
    }
    let tracks = prelude.tracks(source.name())?;
    let begin = Begin {
        tracks: &tracks,
        first: prelude.first(),
        bytes_total: source.bytes_total(),
        // It describes all tracks.
        metadata: prelude.metadata().filter(|_| choice.is_empty()),
    };
    let (sink, left_out) = target.sink(layout, &begin)?;
    if left_out.len() >= tracks.len() {
        let reasons: Vec<String> = left_out
            .iter()
            .map(|left| {
                format!(
                    "{} track {} ({}): {}",
                    left.codec.kind().as_str(),
                    left.track,
                    left.codec,
                    left.reason
                )
            })
            .collect();
        return Err(Error::output(
            &job.output,
            format_args!("no track can be carried: {}", reasons.join("; ")),
        ));
    }
    let video = tracks.video().map(|track| track.id);
    let video = video.filter(|&id| left_out.iter().all(|left| left.track != id));
    let mut copy = Copy {
        job,
        watch,
        known: Known::new(choice, Arc::clone(&tracks)),
        cut: Cut::new(job.start, job.end, prelude.first(), video),
        clock: Clock::new(layout.format, prelude.first()),
        sink,
        first: prelude.first(),
        newest: prelude.first(),
        written: None,
        passed: Vec::new(),
        losses: Losses::default(),
        told: Vec::new(),
        warnings: 0,
        untold: 0,
        interrupted: false,
    };
    copy.left_out(&job.output.display().to_string(), &left_out);
    copy.left_out(source.name(), &source.left_out());
    copy.all(&mut source, prelude.events)?;
    copy.finish(&source)
}

/// Input and output must be two files.
fn refuse_same(input: &Path, output: &Path) -> Result<(), Error> {
    let same = |a, b| matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b);
    match same(input, output) {
        true => Err(Error::Usage(format!(
            "{}: is the input too; write to another name",
            output.display()
        ))),
        false => Ok(()),
    }
}

/// The work between the source and the sink.
struct Copy<'a> {
    job: &'a Job,
    watch: &'a mut dyn Watch,
    known: Known<'a>,
    cut: Cut,
    clock: Clock,
    sink: Box<dyn Sink>,
    /// First and newest time of the source, in ticks of 90 kHz.
    first: i64,
    newest: i64,
    /// First and newest time of what was written.
    written: Option<(i64, i64)>,
    passed: Vec<Passing>,
    losses: Losses,
    /// Tracks that are left out.
    told: Vec<TrackId>,
    warnings: u64,
    /// Units since progress was told.
    untold: u32,
    interrupted: bool,
}

impl Copy<'_> {
    fn all(&mut self, source: &mut Source, held: VecDeque<Event>) -> Result<(), Error> {
        for event in held {
            if !self.event(event)? {
                return Ok(());
            }
        }
        while let Some(event) = source.next_event()? {
            let is_unit = matches!(event, Event::Unit(_));
            if matches!(event, Event::Tracks(_)) {
                self.left_out(source.name(), &source.left_out());
            }
            if !self.event(event)? || is_unit && !self.tell(source) {
                break;
            }
        }
        Ok(())
    }

    /// Tells of the progress now and then; false when the job shall end.
    fn tell(&mut self, source: &Source) -> bool {
        self.untold += 1;
        if self.untold < TELL_EVERY {
            return true;
        }
        self.untold = 0;
        let progress = Progress {
            bytes_read: source.position(),
            bytes_total: source.bytes_total(),
            share: source.share(),
            media: duration(self.newest - self.first),
        };
        self.interrupted = self.watch.progress(progress).is_break();
        !self.interrupted
    }

    /// Passes one event on; false when nothing more is wanted.
    fn event(&mut self, event: Event) -> Result<bool, Error> {
        match event {
            Event::Unit(unit) => return self.unit(unit),
            Event::Tracks(tracks) => {
                self.known.update(&tracks);
            }
            // FLV tells times of script data in milliseconds.
            Event::Data(message) => {
                self.aside(message.dts.0.saturating_mul(90), Passing::Data(message))?;
            }
            Event::Timed(metadata) => self.aside(metadata.pts, Passing::Timed(metadata))?,
            Event::Discontinuity => self.clock.break_here(),
            Event::Damage(damage) => {
                let at = duration(self.newest - self.first);
                self.losses.add(&damage, at);
            }
            _ => {}
        }
        Ok(true)
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<bool, Error> {
        let Some(track) = self.known.get(unit.track) else {
            return Ok(true);
        };
        self.newest = self.newest.max(ninety_khz(track, unit.dts.0));
        if self.cut.is_open() {
            self.write(unit)?;
            return Ok(true);
        }
        let mut passed = std::mem::take(&mut self.passed);
        let goes_on = self.cut.push(track, unit, &mut passed);
        self.pass(passed)?;
        Ok(goes_on)
    }

    /// What stands beside the units, of this time in ticks of 90 kHz.
    fn aside(&mut self, time: i64, passing: Passing) -> Result<(), Error> {
        let mut passed = std::mem::take(&mut self.passed);
        match self.cut.is_open() {
            true => passed.push(passing),
            false => self.cut.push_aside(time, passing, &mut passed),
        }
        self.pass(passed)
    }

    fn pass(&mut self, mut passed: Vec<Passing>) -> Result<(), Error> {
        for passing in passed.drain(..) {
            // The same for all that is no unit, whose tracks round it to their own ticks.
            let moved = self.clock.shift().saturating_sub(self.cut.origin());
            match passing {
                Passing::Unit(mut unit) => {
                    if let Some(track) = self.known.get(unit.track) {
                        self.cut.move_back(track, &mut unit);
                    }
                    self.write(unit)?;
                }
                Passing::Data(message) => {
                    let dts = message.dts.0.saturating_add(moved.div_euclid(90));
                    let message = DataMessage {
                        dts: Dts(dts),
                        ..DataMessage::clone(&message)
                    };
                    self.sink.data(&Arc::new(message))?;
                }
                Passing::Timed(metadata) => {
                    let mut metadata = TimedMetadata::clone(&metadata);
                    metadata.pts = metadata.pts.saturating_add(moved);
                    // It has times of its own, on the clock of the source.
                    if metadata.scheme == Scheme::Scte35
                        && let Some(section) = scte35::moved(&metadata.bytes, moved)
                    {
                        metadata.bytes = section;
                    }
                    self.sink.timed(&Arc::new(metadata))?;
                }
            }
        }
        self.passed = passed;
        Ok(())
    }

    fn write(&mut self, mut unit: AccessUnit) -> Result<(), Error> {
        // Some writers repeat a configuration, changed, behind the last unit.
        if self.known.is_new(unit.track) {
            let left_out = self.sink.tracks(self.known.all_told())?;
            self.left_out(&self.job.output.display().to_string(), &left_out);
        }
        let Some(track) = self.known.get(unit.track) else {
            return Ok(());
        };
        if self.clock.place(track, &mut unit) {
            self.sink.discontinuity()?;
        }
        let time = ninety_khz(track, unit.dts.0);
        let (first, newest) = self.written.unwrap_or((time, time));
        self.written = Some((first.min(time), newest.max(time)));
        self.sink.unit(unit)
    }

    /// Says, once for each track, what is not carried.
    fn left_out(&mut self, by: &str, left_out: &[LeftOut]) {
        for LeftOut {
            track,
            codec,
            reason,
        } in left_out
        {
            if self.told.contains(track) {
                continue;
            }
            self.told.push(*track);
            let kind = codec.kind().as_str();
            self.warn(&format!(
                "{by}: leaves out {kind} track {track} ({codec}): {reason}"
            ));
        }
    }

    fn warn(&mut self, what: &str) {
        self.warnings += 1;
        self.watch.warning(what);
    }

    fn finish(mut self, source: &Source) -> Result<Summary, Error> {
        let mut passed = std::mem::take(&mut self.passed);
        self.cut.finish(&mut passed);
        self.pass(passed)?;
        let Some((first, newest)) = self.written else {
            return Err(Error::Nothing {
                input: source.name().to_owned(),
                what: match self.cut.is_open() {
                    true => NO_MEDIA,
                    false => "nothing lies between --start and --end; choose other places",
                },
            });
        };
        let sink = std::mem::replace(&mut self.sink, Box::new(sink::Nothing));
        let finished = sink.finish()?;
        if finished.damaged_units > 0 {
            let count = finished.damaged_units;
            let plural = if count == 1 { "" } else { "s" };
            let what = "left out: NAL unit lengths do not add up";
            let input = source.name();
            self.warn(&format!("{input}: {count} access unit{plural} {what}"));
        }
        if finished.undated_cues > 0 {
            let cues = match finished.undated_cues {
                1 => "1 cue".to_owned(),
                count => format!("{count} cues"),
            };
            let input = source.name();
            self.warn(&format!(
                "{input}: {cues} left out of the playlist; say with --date when it began"
            ));
        }
        // Of those left out some were never among them.
        let tracks = self.known.tracks.iter();
        Ok(Summary {
            media: duration(newest - first),
            bytes_read: source.position(),
            bytes_total: source.bytes_total(),
            bytes_written: finished.bytes,
            tracks: tracks
                .filter(|track| !self.told.contains(&track.id))
                .count(),
            warnings: self.warnings,
            losses: self.losses,
            damaged_units: finished.damaged_units,
            interrupted: self.interrupted,
        })
    }
}

/// Said of an input without a unit.
pub(super) const NO_MEDIA: &str = "no audio or video found; check the input";

fn duration(ticks: i64) -> Duration {
    Duration::from_micros(ticks.max(0).unsigned_abs().saturating_mul(100) / 9)
}
