//! What a call answers when it does not do what was asked.

mod reason;

use std::fmt;
use std::time::Duration;

pub use reason::Reason;

use crate::model::Channel;

/// A call was refused, or could not be carried out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Error {
    /// Which of the known reasons; holds the numbers and the HTTP status.
    pub reason: Reason,
    /// One sentence for people: what, which, and what to do.
    pub detail: String,
    /// All fields that are wrong, when it was the request.
    pub fields: Vec<FieldError>,
    /// The channel that is in the way.
    pub existing: Option<Box<Channel>>,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
}

/// One field of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer into the request's body: `/channel/name`.
    pub pointer: String,
    /// What is wrong and what is allowed.
    pub detail: String,
}

impl Error {
    /// An error with one sentence.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            fields: Vec::new(),
            existing: None,
            retry_after: None,
        }
    }

    /// One wrong field of a request.
    #[must_use]
    pub fn field(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError {
            pointer: pointer.to_owned(),
            detail: detail.into(),
        }])
    }

    /// Wrong fields of a request.
    #[must_use]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let first = fields.first();
        let detail = first.map_or_else(String::new, |field| {
            format!("{}: {}", field.pointer, field.detail)
        });
        Self {
            fields,
            ..Self::new(Reason::FieldInvalid, detail)
        }
    }

    /// With the time after which a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// With the channel that is in the way.
    #[must_use]
    pub fn existing(mut self, channel: Channel) -> Self {
        self.existing = Some(Box::new(channel));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}",
            self.reason.name(),
            self.reason.code(),
            self.detail
        )
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    /// Trouble with the database: what can pass is [`Reason::StorageUnavailable`], a damaged file is
    /// [`Reason::RegistryData`], and a statement that is wrong is our fault.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull,
            FileLockingProtocolFailed, NotADatabase, OutOfMemory, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        let reason = match error.sqlite_error_code() {
            Some(
                CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure,
            ) => Reason::StorageUnavailable,
            Some(DatabaseCorrupt | NotADatabase) => Reason::RegistryData,
            _ => Reason::OperationInternal,
        };
        Self::new(reason, format!("the control database: {error}"))
    }
}
