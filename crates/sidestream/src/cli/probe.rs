//! `sidestream probe`: what a file or a stream holds, and what is wrong with its time.

mod analysis;
mod show;

use std::io::Write;
use std::time::Instant;

use sidestream::pull::{PullError, Source};

use super::args::{Global, Probe};
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging, runtime};

use analysis::Analysis;

/// Reads the input and prints what was found.
pub(super) fn run(args: Probe, global: &Global, report: &Report) -> Exit {
    logging::start(global, "warn", sidestream::config::LogFormat::Text);
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let name = args.input.to_string();
    let mut analysis = Analysis::default();
    let read = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| PullError::Io {
            input: "signals".to_owned(),
            error,
        })?;
        let mut source = Source::open(&args.input, args.wait).await?;
        analysis.is_live = source.is_live();
        let until = analysis.is_live.then(|| Instant::now() + args.duration);
        let work = async {
            while let Some(tag) = source.next().await? {
                analysis.tag(&tag);
                if until.is_some_and(|until| Instant::now() >= until) {
                    break;
                }
            }
            Ok::<(), PullError>(())
        };
        let limit = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        // What was read so far is shown, however the reading ended.
        tokio::select! {
            done = work => done,
            () = limit => Ok(()),
            _ = signals.stop() => Ok(()),
        }
    });
    if let Err(error) = read {
        // Damage in the middle of a file is a finding; what cannot be read at all is a failure.
        if !matches!(error, PullError::Flv { .. }) || analysis.is_empty() {
            return report.error(error);
        }
        analysis.damage(error.to_string());
    }
    if analysis.is_empty() {
        return report.error(format_args!(
            "{name}: no audio or video found; check the input"
        ));
    }
    let found = analysis.finish(&name);
    let text = match args.json {
        true => format!("{:#}\n", show::json(&found)),
        false => show::text(&found),
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if let Some(damage) = &found.damage {
        if args.strict {
            return report.error(damage);
        }
        report.warning(format_args!("{damage}; use --strict to fail"));
    }
    Exit::Done
}
