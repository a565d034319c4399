//! `sidestream-load`: loads a live media server and measures what it adds.
//!
//! N publishers send an FLV file at its own pace, M viewers play. Each video frame carries a stamp
//! in an SEI NAL unit (see [`stamp`]): the viewers find it again, so latency and loss are exact,
//! whatever the server does to timestamps.
//!
//! ```text
//! publisher ──▶ [stamp: stream, frame, time sent] ──▶ server ──▶ viewer: now - time sent
//!  (N tasks)                                                     (M tasks)
//! ```
//!
//! One thread does it all, so that it can be pinned to one core and its own share is known: a run
//! in which the generator was the bottleneck says so, and measures nothing.
//!
//! Contract: Linux (`/proc`); H.264 with NAL lengths of four bytes. Nothing is written to disk.

mod args;
mod clock;
mod process;
mod publisher;
mod report;
mod run;
mod samples;
mod source;
mod stamp;
mod touch;
mod url;
mod viewer;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Context as _;
use clap::Parser as _;

use crate::args::Args;
use crate::run::Run;
use crate::source::Source;

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sidestream-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Exit code 2: measured, but what was measured is not the server.
fn start() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let source =
        Source::load(&args.file).with_context(|| format!("cannot use {}", args.file.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot make a runtime")?;
    let run = Rc::new(Run::new(args, source));
    let local = tokio::task::LocalSet::new();
    let report = local.block_on(&runtime, run::measure(&run))?;
    if run.args.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(if report.doubts().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(2)
    })
}
