//! Why a file is not read or not written. Every text begins with the place.

use std::fmt::Display;
use std::io;
use std::path::Path;

/// Why a conversion ends without its output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading failed.
    #[error("{input}: {}", read_reason(error))]
    Read {
        /// What was read.
        input: String,
        /// What the system said.
        error: io::Error,
    },
    /// Writing failed.
    #[error("{output}: {}", write_reason(error))]
    Write {
        /// What was written.
        output: String,
        /// What the system said.
        error: io::Error,
    },
    /// The output exists and may not be replaced.
    #[error("{output}: exists; pass -y to replace it")]
    Exists {
        /// Its name.
        output: String,
    },
    /// The input is not what it seems to be.
    #[error("{input}: {error}")]
    Input {
        /// What was read.
        input: String,
        /// Where and what.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The input holds nothing that can be used.
    #[error("{input}: {what}")]
    Nothing {
        /// What was read.
        input: String,
        /// What is missing and what to do.
        what: &'static str,
    },
    /// The output's container cannot hold this.
    #[error("{output}: {what}")]
    Output {
        /// What was written.
        output: String,
        /// What cannot be held and what to do.
        what: String,
    },
    /// What was asked makes no sense; nothing was done.
    #[error("{0}")]
    Usage(String),
    /// Whoever reads the output has gone away.
    #[error("{}", write_reason(&io::ErrorKind::BrokenPipe.into()))]
    Closed,
}

impl Error {
    /// Reading `input` failed.
    pub(super) fn read(input: impl Display, error: io::Error) -> Self {
        let input = input.to_string();
        Self::Read { input, error }
    }

    /// Writing `path` failed.
    pub(super) fn write(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        let output = path.display().to_string();
        Self::Write { output, error }
    }

    /// `input` is not what it seems to be.
    pub(super) fn input(
        input: impl Display,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Input {
            input: input.to_string(),
            error: error.into(),
        }
    }

    /// `path` cannot hold this.
    pub(super) fn output(path: &Path, what: impl Display) -> Self {
        Self::Output {
            output: path.display().to_string(),
            what: what.to_string(),
        }
    }
}

fn read_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder; name a file in it".to_owned(),
        _ => error.to_string(),
    }
}

fn write_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist; create it".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a folder; name a file in it".to_owned(),
        io::ErrorKind::StorageFull => "disk full; free space and start again".to_owned(),
        io::ErrorKind::BrokenPipe => "closed by its reader".to_owned(),
        _ => error.to_string(),
    }
}
