//! What can be wrong with FLV bytes.

use media::TrackId;

/// What is wrong with a tag body or an FLV file, and at which byte.
///
/// The offsets of [`super::Parser`] count from the start of the tag body, those of
/// [`super::Demuxer`] from the start of the file or HTTP body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body or file ends within this structure.
    #[error("{what} is cut off at byte {offset}")]
    Truncated {
        /// The structure being read.
        what: &'static str,
        /// Where the bytes end.
        offset: u64,
    },
    /// A field has a value that no specification defines.
    #[error("{what} {value} is not defined, at byte {offset}")]
    Undefined {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u32,
        /// Where it is.
        offset: u64,
    },
    /// More tracks than the limit; this one is ignored.
    #[error("track {track} ignored: more than {max} tracks")]
    TooManyTracks {
        /// The track that does not fit.
        track: TrackId,
        /// The limit.
        max: usize,
    },
    /// A multitrack body goes on and on; each event costs many times its bytes.
    #[error("body ignored from here: more than {max} events in it")]
    TooManyPackets {
        /// The limit: four for each track.
        max: usize,
    },
    /// A sequence header beyond the limit.
    #[error("{track:?}: sequence header of {len} bytes exceeds {max}")]
    HeaderTooLong {
        /// Its track.
        track: TrackId,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The file does not begin as FLV does.
    #[error("not an FLV file: no \"FLV\" signature at byte 0")]
    NotFlv,
    /// A tag beyond the limit: damage, or an attempt to make us buffer.
    #[error("tag of {len} bytes exceeds {max} at byte {offset}")]
    TagTooLong {
        /// Declared length of its body in bytes.
        len: u32,
        /// The limit in bytes.
        max: u32,
        /// Where the tag begins.
        offset: u64,
    },
    /// The size after a tag is not the tag's: the size before or after it is damaged.
    #[error("previous tag size is {found}, not {expected}, at byte {offset}")]
    PreviousTagSize {
        /// What the file says.
        found: u32,
        /// Size of the tag just read: its body and 11 bytes.
        expected: u32,
        /// Where the size is.
        offset: u64,
    },
    /// An encrypted tag (FLV 10.1 §E.4.1, filter bit).
    #[error("encrypted tag at byte {offset}")]
    Encrypted {
        /// Where the tag begins.
        offset: u64,
    },
    /// A script tag that does not begin with a name.
    #[error("script data without a name of at most 255 bytes at byte {offset}")]
    NoName {
        /// Where the name should be.
        offset: u64,
    },
    /// A script tag whose name cannot be read.
    #[error("script data: {0}")]
    Script(#[from] amf0::Error),
}

/// How an [`Error`] is to be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer's bytes are wrong.
    Violation,
    /// A limit of ours was hit.
    Limit,
    /// We do not do that.
    Unsupported,
}

impl Error {
    /// What sort of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooManyTracks { .. }
            | Self::TooManyPackets { .. }
            | Self::HeaderTooLong { .. }
            | Self::TagTooLong { .. } => ErrorKind::Limit,
            Self::Encrypted { .. } => ErrorKind::Unsupported,
            _ => ErrorKind::Violation,
        }
    }
}
