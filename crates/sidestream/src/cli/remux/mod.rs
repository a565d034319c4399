//! `sidestream remux`: a file into another container. The work is `sidestream::convert`'s.

mod progress;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sidestream::convert::{Error, Job, OutputFormat, Summary};
use sidestream::describe::precise;

use super::args::{Global, Remux};
use super::report::Report;
use super::signals::Signals;
use super::{Exit, runtime};

use progress::Progress;

/// Does what was asked.
pub(super) fn run(args: &Remux, global: &Global, report: &Report) -> Exit {
    let job = match job(args) {
        Ok(job) => job,
        Err(what) => {
            report.error(what);
            return Exit::Usage;
        }
    };
    let stop = match watch(report) {
        Ok(stop) => stop,
        Err(exit) => return exit,
    };
    let mut progress = Progress::new(args, global, report, &stop);
    let done = job.run(&mut progress);
    progress.clear();
    match done {
        Ok(summary) => {
            let exit = lost(args, &summary, report);
            progress.finish(&summary);
            match summary.interrupted {
                true => Exit::Interrupted,
                false => exit,
            }
        }
        Err(Error::Closed) => Exit::Failed,
        Err(Error::Usage(what)) => {
            report.error(what);
            Exit::Usage
        }
        Err(error) => report.error(error),
    }
}

fn job(args: &Remux) -> Result<Job, String> {
    let mut job = Job::new(&args.input, &args.output);
    job.from = args.from;
    job.to = args.to;
    job.tracks.clone_from(&args.tracks);
    job.start = args.start;
    job.end = args.end;
    job.faststart = args.faststart;
    job.segment = args.segment;
    job.date = args.date;
    job.overwrite = args.overwrite;
    if args.fragment {
        job.to = match args.to.or_else(|| OutputFormat::of_name(&args.output)) {
            Some(OutputFormat::Mp4 | OutputFormat::Fmp4) => Some(OutputFormat::Fmp4),
            _ => return Err(needs_mp4("--fragment")),
        };
    }
    Ok(job)
}

fn needs_mp4(option: &str) -> String {
    format!("{option}: is for MP4; write to a name that ends with .mp4")
}

/// A flag that Ctrl-C sets: the work ends with what it has.
pub(super) fn watch(report: &Report) -> Result<Arc<AtomicBool>, Exit> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let runtime = runtime(report)?;
    let signals = runtime.block_on(async { Signals::new() });
    let mut signals = signals.map_err(|error| report.error(format_args!("signals: {error}")))?;
    std::thread::spawn(move || {
        runtime.block_on(signals.stop());
        flag.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

/// Says what of the input was lost, and how the command ends for it.
fn lost(args: &Remux, summary: &Summary, report: &Report) -> Exit {
    if let Some(lost) = summary.losses.sentence(summary.bytes_total) {
        let name = |path: &Path, standard: &str| match path.as_os_str() == "-" {
            true => standard.to_owned(),
            false => path.display().to_string(),
        };
        let input = name(&args.input, "standard input");
        let output = name(&args.output, "standard output");
        let what = format!(
            "{input}: {lost}; wrote {} to {output}",
            precise(summary.media)
        );
        match args.strict {
            true => report.error(what),
            false => {
                report.warning(format_args!("{what}; use --strict to fail"));
                Exit::Done
            }
        };
    }
    match args.strict && summary.is_damaged() {
        true => Exit::Failed,
        false => Exit::Done,
    }
}
