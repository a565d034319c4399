//! Settings of a command: flags over the environment over the file over defaults.

use std::path::Path;

use sidestream::config::{Loaded, Loader, Place, Problem, in_reading_order};

use super::args::Settings;
use super::report::Report;
use super::{Exit, logging};

/// The file that is taken without `--config`.
const DEFAULT_FILE: &str = "sidestream.toml";

/// Reads all layers and looks at the files they name; tells every problem in reading order.
pub(super) fn read(settings: &Settings) -> (Loaded, Vec<Problem>) {
    let (loaded, mut problems) = loader(settings).read();
    problems.extend(loaded.inspect());
    if let Err(what) = logging::check_level(&loaded.config.log.level) {
        problems.push(loaded.problem("log.level", format!("log.level: {what}")));
    }
    in_reading_order(&mut problems);
    (loaded, problems)
}

/// As [`read`]; problems are printed.
pub(super) fn load(settings: &Settings, report: &Report) -> Result<Loaded, Exit> {
    let (loaded, problems) = read(settings);
    match problems.is_empty() {
        true => Ok(loaded),
        false => Err(print(&problems, report)),
    }
}

fn loader(settings: &Settings) -> Loader {
    let mut loader = Loader::new();
    match &settings.config {
        Some(path) => loader = loader.file(path),
        None if Path::new(DEFAULT_FILE).exists() => loader = loader.file(Path::new(DEFAULT_FILE)),
        None => {}
    }
    loader = loader.environment(std::env::vars_os().filter_map(|(name, value)| {
        // Names of ours are plain; a value that is no text is as wrong as any wrong value.
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    }));
    if let Some(addr) = &settings.rtmp {
        loader = loader.flag("--rtmp", "rtmp", "listen", addr);
    }
    if let Some(addr) = &settings.http {
        loader = loader.flag("--http", "http", "listen", addr);
    }
    if let Some(dir) = &settings.data {
        loader = loader.flag("--data", "storage", "data", dir);
    }
    loader
}

/// Prints each problem on its line.
pub(super) fn print(problems: &[Problem], report: &Report) -> Exit {
    let mut exit = Exit::Failed;
    for problem in problems {
        if matches!(problem.place, Place::Flag(_)) {
            exit = Exit::Usage;
        }
        report.error(problem);
    }
    exit
}
