//! Commands: what was asked, what is printed, which exit code.

mod args;
mod bench;
mod check;
mod demo;
mod generate;
mod hls_check;
mod key;
mod limits;
mod logging;
mod port_owner;
mod probe;
mod push;
mod record;
mod remux;
mod report;
mod serve;
mod settings;
mod signals;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use report::Report;

/// How a command ends, by the numbers that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Done.
    Done,
    /// Failed; the reason was printed.
    Failed,
    /// Wrong usage; the reason was printed.
    Usage,
    /// Cut short by Ctrl-C, with what was done so far in order.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
        })
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error).into(),
    };
    let report = Report::new(&cli.global);
    let exit = match cli.command {
        Command::Serve(args) => serve::run(&args, &cli.global, &report),
        Command::Demo(args) => demo::run(&args, &cli.global, &report),
        Command::Check(args) => check::run(&args, &report),
        Command::Key(args) => key::run(&args, &report),
        Command::Remux(args) => remux::run(&args, &cli.global, &report),
        Command::Push(args) => push::run(args, &cli.global, &report),
        Command::Record(args) => record::run(args, &cli.global, &report),
        Command::Probe(args) => probe::run(args, &cli.global, &report),
        Command::Bench(args) => bench::run(args, &cli.global, &report),
        Command::HlsCheck(args) => hls_check::run(args, &cli.global, &report),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args, &report),
    };
    exit.into()
}

/// The runtime of a command; its threads are named for those who look at them.
fn runtime(report: &Report) -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("sidestream-io")
        .enable_all()
        .build()
        .map_err(|error| {
            report.error(format_args!(
                "threads: {error}; raise the limit of processes"
            ))
        })
}
