//! Why a recording does not start, or does not go on.

use std::io;

/// What goes wrong with recordings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name template cannot be used.
    #[error("name {template:?}: {what}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong with it.
        what: String,
    },
    /// No format was asked for, or one that does not fit what is recorded.
    #[error("formats: {0}")]
    Formats(&'static str),
    /// A file operation failed.
    #[error("{path}: {}", reason(source))]
    Io {
        /// Below the recording root.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Less space is free than is to be kept back.
    #[error("disk full ({} free, {} kept back)", decimal(*free), bytes(*kept))]
    Space {
        /// Bytes free.
        free: u64,
        /// Bytes that stay free.
        kept: u64,
    },
    /// A container can carry none of the stream's tracks.
    #[error("{format} can carry none of the tracks: {why}")]
    Tracks {
        /// The format.
        format: &'static str,
        /// Why.
        why: String,
    },
    /// No name was free.
    #[error("{0}: this name and thousands behind it are taken; clear the folder")]
    NoName(String),
    /// No thread could be started.
    #[error("thread: {0}")]
    Thread(io::Error),
    /// The manager is shutting down.
    #[error("the relay is stopping")]
    Stopping,
    /// A panic in the writer.
    #[error("internal error; please report it")]
    Internal,
}

impl Error {
    pub(crate) fn io(path: &str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Whether more space would cure it.
    #[must_use]
    pub fn is_space(&self) -> bool {
        match self {
            Self::Space { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            ),
            _ => false,
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "disk full".to_owned(),
        io::ErrorKind::QuotaExceeded => "disk quota exceeded".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        _ => error.to_string(),
    }
}

/// Bytes as people read storage: binary units.
pub(crate) fn bytes(count: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        if count >= 1 << shift {
            let tenths = (u128::from(count) * 10) >> shift;
            return match tenths % 10 {
                0 => format!("{} {unit}", tenths / 10),
                part => format!("{}.{part} {unit}", tenths / 10),
            };
        }
    }
    format!("{count} B")
}

/// Media time as people read it: `0:41:07`.
pub(crate) fn clock(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours}:{minutes:02}:{:02}", seconds % 60)
}

/// Free space as people read it: decimal units.
fn decimal(count: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{} {name}", count / unit),
        None => format!("{count} B"),
    }
}
