//! What a client session reports.

use bytes::Bytes;

/// What a [`ClientSession`](crate::ClientSession) reports.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server accepted: media may be sent (publish) or will come (play).
    Ready,
    /// The server refused the connect, the stream, the publish or the play. The shell closes.
    Rejected {
        /// Such as `NetStream.Publish.BadName`; empty when the server gave none.
        code: String,
        /// The server's words; may be empty. Untrusted text.
        description: String,
    },
    /// Another `onStatus`, or one that also caused `Ready` or `Closed`.
    Status {
        /// `status`, `warning` or `error`.
        level: String,
        /// Such as `NetStream.Play.Reset`.
        code: String,
        /// The server's words. Untrusted text.
        description: String,
    },
    /// The server ended the stream (unpublished, played to its end, stream EOF, connection closed by
    /// command). The shell closes.
    Closed,
    /// A video message while playing, as an FLV tag body; never empty.
    Video {
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// FLV VIDEODATA.
        payload: Bytes,
    },
    /// An audio message while playing, as an FLV tag body; never empty.
    Audio {
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// FLV AUDIODATA.
        payload: Bytes,
    },
    /// A data message while playing.
    Data {
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// The handler's name, such as `onMetaData`.
        name: String,
        /// The values after the name, as AMF0 bytes; not examined.
        payload: Bytes,
    },
}
