//! What a muxer of files wants written.

use bytes::Bytes;

/// A step of writing a file; to be done in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// These bytes at the end of the file, one behind the other (a vectored write).
    Append(Vec<Bytes>),
    /// What was written so far must be on the disk before what follows is written (`fdatasync`):
    /// without it the file may not survive a power failure between the two, nothing worse.
    Sync,
    /// These bytes in place of those at this offset; the file does not grow.
    Overwrite {
        /// Bytes from the start of the file.
        at: u64,
        /// What is there then.
        bytes: Bytes,
    },
    /// The file ends here: what lies behind is cut off.
    Truncate {
        /// Its length in bytes.
        len: u64,
    },
}

impl Write {
    /// How many bytes are written.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Append(parts) => parts.iter().map(|part| part.len() as u64).sum(),
            Self::Overwrite { bytes, .. } => bytes.len() as u64,
            Self::Sync | Self::Truncate { .. } => 0,
        }
    }

    /// Whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
