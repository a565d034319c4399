//! Why an RTMP session ends.

/// Why an RTMP session ended. Offsets are bytes received since the connection was opened, the
/// handshake included, so that they find the byte in a packet capture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is not RTMP version 3, and looks like another protocol's.
    #[error("not rtmp: looks like {protocol} (first byte {byte:#04x})")]
    OtherProtocol {
        /// What the first byte looks like, with advice.
        protocol: &'static str,
        /// The first byte.
        byte: u8,
    },
    /// The first byte names an RTMP version that is not spoken here.
    #[error("rtmp version {version} is not supported")]
    UnsupportedVersion {
        /// The version byte (6 is RTMPE).
        version: u8,
    },
    /// The handshake went wrong otherwise.
    #[error("handshake: {reason} at byte {offset}")]
    Handshake {
        /// What went wrong.
        reason: &'static str,
        /// Where.
        offset: u64,
    },
    /// A type 2 or type 3 chunk on a chunk stream that never had a message length.
    #[error("chunk stream {csid}: type {chunk_type} header without history at byte {offset}")]
    NoHistory {
        /// The chunk stream id.
        csid: u32,
        /// The chunk type, 2 or 3.
        chunk_type: u8,
        /// Where the chunk begins.
        offset: u64,
    },
    /// A message's length or type changes between its chunks (the cause of CVE-2016-10191).
    #[error(
        "chunk stream {csid}: message of {old} bytes changes length (now {new}) or type at byte {offset}"
    )]
    LengthChanged {
        /// The chunk stream id.
        csid: u32,
        /// The length announced by the message's first chunk, in bytes.
        old: u32,
        /// The length announced now, in bytes.
        new: u32,
        /// Where the chunk begins.
        offset: u64,
    },
    /// A protocol control message is too short or has a forbidden value.
    #[error("{name} with a bad value or length at byte {offset}")]
    BadControl {
        /// The message's name.
        name: &'static str,
        /// Where the message ended.
        offset: u64,
    },
    /// A command or its arguments cannot be read.
    #[error("command message ending at byte {offset}")]
    Command {
        /// Where the message ended.
        offset: u64,
        /// What was wrong with the AMF0 values; its offset counts from the message's start.
        source: amf0::Error,
    },
    /// A message is longer than allowed for its type at this stage.
    #[error("chunk stream {csid}: message of {len} bytes exceeds {max} at byte {offset}")]
    MessageTooLong {
        /// The chunk stream id.
        csid: u32,
        /// The announced length in bytes.
        len: u32,
        /// The limit in bytes.
        max: u32,
        /// Where the chunk begins.
        offset: u64,
    },
    /// A limit of [`Limits`](crate::Limits) was reached.
    #[error("more than {max} {what} at byte {offset}")]
    LimitReached {
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The limit.
        max: u64,
        /// Bytes received when it was reached.
        offset: u64,
    },
    /// The peer took too long.
    #[error("no {awaited} within {seconds} s")]
    TimedOut {
        /// What was waited for.
        awaited: &'static str,
        /// For how long, in seconds.
        seconds: u64,
    },
    /// The session was called in a way its contract excludes.
    #[error("session misuse: {what}")]
    Misuse {
        /// What was wrong.
        what: &'static str,
    },
}

/// How an [`Error`] should be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The peer went away or fell silent: debug.
    PeerClosed,
    /// The peer broke the protocol: info, close this connection.
    PeerViolation,
    /// The peer reached a limit: info, close this connection, count it.
    Limit,
    /// The peer wants something that is not supported: info.
    Unsupported,
    /// The operating system reported an error (only shells produce this): warn.
    Io,
    /// Our own fault: error.
    Bug,
}

impl Error {
    /// How to treat this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut { .. } => ErrorKind::PeerClosed,
            Self::OtherProtocol { .. }
            | Self::Handshake { .. }
            | Self::NoHistory { .. }
            | Self::LengthChanged { .. }
            | Self::BadControl { .. } => ErrorKind::PeerViolation,
            Self::Command { source, .. } => match source.kind() {
                amf0::ErrorKind::Limit => ErrorKind::Limit,
                _ => ErrorKind::PeerViolation,
            },
            Self::MessageTooLong { .. } | Self::LimitReached { .. } => ErrorKind::Limit,
            Self::UnsupportedVersion { .. } => ErrorKind::Unsupported,
            Self::Misuse { .. } => ErrorKind::Bug,
        }
    }
}
