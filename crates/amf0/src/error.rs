//! What can be wrong with AMF0 bytes, and where.

/// Why AMF0 bytes could not be read. Every variant says at which byte, counted from the start of
/// the slice that was given to the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside a value.
    #[error("amf0: input ends inside a value at byte {offset}")]
    Truncated {
        /// Where the missing bytes should have been.
        offset: usize,
    },
    /// A marker that the specification does not define, or reserves (movie clip, record set).
    #[error("amf0: unknown marker {marker:#04x} at byte {offset}")]
    UnknownMarker {
        /// The marker byte.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// An AMF 3 value (behind the `avmplus` marker 0x11) of a kind that is not read here.
    #[error("amf0: unsupported amf3 value {marker:#04x} at byte {offset}")]
    UnsupportedAmf3 {
        /// The AMF 3 marker byte.
        marker: u8,
        /// Where it stands.
        offset: usize,
    },
    /// Objects and arrays are nested more deeply than [`Limits::depth`](crate::Limits::depth).
    #[error("amf0: nesting exceeds {max} levels at byte {offset}")]
    TooDeep {
        /// The limit that was reached.
        max: usize,
        /// Where the first value beyond it stands.
        offset: usize,
    },
    /// More values than [`Limits::nodes`](crate::Limits::nodes).
    #[error("amf0: more than {max} values at byte {offset}")]
    TooManyNodes {
        /// The limit that was reached.
        max: usize,
        /// Where the first value beyond it stands.
        offset: usize,
    },
}

/// How an [`Error`] should be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes are not AMF0.
    Malformed,
    /// The bytes are AMF0 that this crate does not read.
    Unsupported,
    /// A limit was reached; more of the same may be an attack.
    Limit,
}

impl Error {
    /// How to treat this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Truncated { .. } | Self::UnknownMarker { .. } => ErrorKind::Malformed,
            Self::UnsupportedAmf3 { .. } => ErrorKind::Unsupported,
            Self::TooDeep { .. } | Self::TooManyNodes { .. } => ErrorKind::Limit,
        }
    }

    /// The byte at which it happened, from the start of the decoded slice.
    pub fn offset(&self) -> usize {
        match *self {
            Self::Truncated { offset }
            | Self::UnknownMarker { offset, .. }
            | Self::UnsupportedAmf3 { offset, .. }
            | Self::TooDeep { offset, .. }
            | Self::TooManyNodes { offset, .. } => offset,
        }
    }
}
