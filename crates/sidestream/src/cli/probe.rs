//! `sidestream probe`: what a file or a stream holds, and what is wrong with its time.

mod analysis;
mod live;
mod show;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use remux::Event;
use sidestream::convert;
use sidestream::pull::{Input, PullError, Source};

use super::args::{Global, Probe};
use super::remux::watch;
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging, runtime};

use analysis::{Analysis, Found};
use live::Live;

/// Between two looks at Ctrl-C: events that pass.
const LOOK_EVERY: u32 = 256;

/// Reads the input and prints what was found.
pub(super) fn run(args: Probe, global: &Global, report: &Report) -> Exit {
    logging::start(global, "warn", sidestream::config::LogFormat::Text);
    let found = match &args.input {
        Input::File(path) => file(path, report),
        _ => stream(&args, report),
    };
    match found {
        Ok(found) => tell(&found, &args, report),
        Err(exit) => exit,
    }
}

/// Reads a file to its end, or to Ctrl-C.
fn file(path: &Path, report: &Report) -> Result<Found, Exit> {
    let stop = watch(report)?;
    let failed = |error| report.error(error);
    let mut source = convert::Source::open(path, None).map_err(failed)?;
    let mut analysis = Analysis::default();
    let mut events = 0_u32;
    while let Some(event) = source.next_event().map_err(failed)? {
        match event {
            Event::Tracks(tracks) => analysis.tracks(&tracks),
            Event::Unit(unit) => analysis.unit(&unit),
            Event::Data(_) => analysis.data(),
            Event::Timed(_) => analysis.timed(),
            Event::Discontinuity => analysis.breaks("the clock breaks"),
            Event::Damage(damage) => analysis.damage(&damage),
            _ => {}
        }
        events = events.wrapping_add(1);
        // What was read so far is shown, however the reading ended.
        if events.is_multiple_of(LOOK_EVERY) && stop.load(Ordering::Relaxed) {
            break;
        }
    }
    analysis.bytes = source.position();
    let format = source.format();
    if analysis.is_empty() {
        return Err(nothing(source.name(), report));
    }
    let format = (format.title(), format.name());
    let mut found = analysis.finish(source.name(), format, false, source.bytes_total());
    (found.programs, found.program) = source.programs();
    found.left_out = source.left_out();
    // Some were announced as tracks before it was seen what they are.
    let left_out = &found.left_out;
    found.tracks.retain(|counted| {
        let is_left_out = left_out.iter().any(|left| left.track == counted.track.id);
        counted.units > 0 || !is_left_out
    });
    Ok(found)
}

/// Reads a live stream for a while.
fn stream(args: &Probe, report: &Report) -> Result<Found, Exit> {
    let runtime = runtime(report)?;
    let name = args.input.to_string();
    let mut analysis = Analysis::default();
    let mut live = Live::new();
    let read = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| PullError::Io {
            input: "signals".to_owned(),
            error,
        })?;
        let mut source = Source::open(&args.input, args.wait).await?;
        let until = Instant::now() + args.duration;
        let work = async {
            while let Some(tag) = source.next().await? {
                live.tag(&tag, &mut analysis);
                if Instant::now() >= until {
                    break;
                }
            }
            Ok::<(), PullError>(())
        };
        // What was read so far is shown, however the reading ended.
        tokio::select! {
            done = work => done,
            () = tokio::time::sleep_until(until.into()) => Ok(()),
            _ = signals.stop() => Ok(()),
        }
    });
    read.map_err(|error| report.error(error))?;
    if analysis.is_empty() {
        return Err(nothing(&name, report));
    }
    Ok(analysis.finish(&name, ("FLV", "flv"), true, None))
}

fn nothing(name: &str, report: &Report) -> Exit {
    report.error(format_args!(
        "{name}: no audio or video found; check the input"
    ))
}

fn tell(found: &Found, args: &Probe, report: &Report) -> Exit {
    let text = match args.json {
        true => format!("{:#}\n", show::json(found)),
        false => show::text(found),
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    match &found.damage {
        Some(damage) if args.strict => report.error(damage),
        Some(damage) => {
            report.warning(format_args!("{damage}; use --strict to fail"));
            Exit::Done
        }
        None => Exit::Done,
    }
}
