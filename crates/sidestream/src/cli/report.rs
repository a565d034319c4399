//! What people read on standard error: one line each.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use super::Exit;
use super::args::{Color, Global};

/// Prints errors and warnings.
#[derive(Debug)]
pub(super) struct Report {
    color: bool,
}

impl Report {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            color: wants_color(global.color, std::io::stderr().is_terminal()),
        }
    }

    /// Prints `error: …`.
    pub(super) fn error(&self, what: impl Display) -> Exit {
        self.line("error", "1;31", &what);
        Exit::Failed
    }

    /// Prints `warning: …`.
    pub(super) fn warning(&self, what: impl Display) {
        self.line("warning", "1;33", &what);
    }

    fn line(&self, word: &str, code: &str, what: &dyn Display) {
        let mut out = std::io::stderr().lock();
        // Nobody is left to be told when this fails.
        let _ = if self.color {
            writeln!(out, "\x1b[{code}m{word}:\x1b[0m {what}")
        } else {
            writeln!(out, "{word}: {what}")
        };
    }
}

/// Whether to colour a stream that is, or is not, a terminal.
pub(super) fn wants_color(color: Color, is_terminal: bool) -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb",
    }
}
