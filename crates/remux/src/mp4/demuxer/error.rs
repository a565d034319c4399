//! Why a file cannot be read.

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DemuxError {
    /// There is no `moov`: not an MP4 file, one whose recording was not finished, or a segment
    /// without its init segment.
    #[error("no movie box (moov) before the end at byte {len}")]
    NoMovie {
        /// Where the input ends.
        len: u64,
    },
    /// A box that must be read whole is not all there.
    #[error("{} box at byte {offset} is cut off: {len} bytes, {have} are there", .kind.escape_ascii())]
    CutOff {
        /// Its type.
        kind: [u8; 4],
        /// Where it begins.
        offset: u64,
        /// Bytes that it says it has.
        len: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// What is there is not a box.
    #[error("not a box at byte {offset}: {why}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        why: Box<str>,
    },
    /// A box is larger than we read.
    #[error("{} box at byte {offset} has {len} bytes, more than {max}", .kind.escape_ascii())]
    TooLarge {
        /// Its type.
        kind: [u8; 4],
        /// Where it begins.
        offset: u64,
        /// Bytes that it says it has.
        len: u64,
        /// Bytes that it may have.
        max: u64,
    },
    /// Bytes are needed again that went by: the index lies behind the media, or tracks lie far
    /// apart.
    #[error(
        "byte {offset} is needed after byte {position}; the file must be read from disk, not from a pipe"
    )]
    NotSeekable {
        /// What is needed.
        offset: u64,
        /// What was read last.
        position: u64,
    },
}
