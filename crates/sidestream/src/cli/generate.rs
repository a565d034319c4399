//! Completion scripts and man pages, made from the definition of the command line.

use std::io::Write;

use clap::CommandFactory;

use super::Exit;
use super::args::{Cli, Completions, Man};
use super::report::Report;

/// Prints a completion script.
pub(super) fn completions(args: &Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sidestream", &mut script);
    // A closed pipe ends quietly.
    let _ = std::io::stdout().write_all(&script);
    Exit::Done
}

/// Writes `sidestream.1` and one page per command.
pub(super) fn man(args: &Man, report: &Report) -> Exit {
    match clap_mangen::generate_to(Cli::command(), &args.dir) {
        Ok(()) => Exit::Done,
        Err(error) => report.error(format_args!("{}: {error}", args.dir.display())),
    }
}
