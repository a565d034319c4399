//! Whose picture and sound a stream is: a room, a user, and which of the user's sources.

use std::fmt;
use std::str::FromStr;

/// Longest room or user id, in bytes: what a stream name's part may have.
const MAX_ID_BYTES: usize = 255;

/// Which of a user's sources: the camera or the auxiliary stream (screen share).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The camera, `main`.
    #[default]
    Main,
    /// The auxiliary stream, `aux`.
    Aux,
}

impl Source {
    /// As stream codes and the API write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Aux => "aux",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Source {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "main" => Ok(Self::Main),
            "aux" => Ok(Self::Aux),
            _ => Err(IdentityError::Source),
        }
    }
}

/// One source of one member of a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    room: String,
    user: String,
    source: Source,
}

/// Why a room, user and source name nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Empty id.
    #[error("empty {0} id")]
    Empty(&'static str),
    /// Longer than 255 bytes.
    #[error("{part} id of {len} bytes, more than {MAX_ID_BYTES}")]
    TooLong {
        /// `room` or `user`.
        part: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A control character.
    #[error("{0} id with a control character")]
    Control(&'static str),
    /// Neither `main` nor `aux`.
    #[error("the source is neither \"main\" nor \"aux\"")]
    Source,
}

impl Identity {
    /// Takes ids of 1 to 255 bytes without control characters.
    ///
    /// # Errors
    /// [`IdentityError`] says which id and why.
    pub fn new(
        room: impl Into<String>,
        user: impl Into<String>,
        source: Source,
    ) -> Result<Self, IdentityError> {
        let (room, user) = (room.into(), user.into());
        check("room", &room)?;
        check("user", &user)?;
        Ok(Self { room, user, source })
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Which of the user's sources.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

fn check(part: &'static str, id: &str) -> Result<(), IdentityError> {
    if id.is_empty() {
        return Err(IdentityError::Empty(part));
    }
    if id.len() > MAX_ID_BYTES {
        let len = id.len();
        return Err(IdentityError::TooLong { part, len });
    }
    if id.chars().any(char::is_control) {
        return Err(IdentityError::Control(part));
    }
    Ok(())
}
