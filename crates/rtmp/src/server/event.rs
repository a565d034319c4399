//! What a server session reports.

use bytes::Bytes;

use crate::Capabilities;

/// What a [`ServerSession`](crate::ServerSession) reports. Names and queries are as the peer sent
/// them: neither decoded nor checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client wants to connect to an application. Answer with
    /// [`accept_connect`](crate::ServerSession::accept_connect) or
    /// [`reject_connect`](crate::ServerSession::reject_connect); nothing is read before that.
    Connect(Box<ConnectRequest>),
    /// The client wants to publish. Answer with
    /// [`accept_publish`](crate::ServerSession::accept_publish) or
    /// [`reject_publish`](crate::ServerSession::reject_publish); nothing is read before that.
    Publish(PublishRequest),
    /// The client wants to play. Answer with [`accept_play`](crate::ServerSession::accept_play) or
    /// [`reject_play`](crate::ServerSession::reject_play); nothing is read before that. To let a
    /// player wait for a publisher, accept, and send media when there is some.
    Play(PlayRequest),
    /// A video message of an accepted publisher, as an FLV tag body; never empty.
    Video {
        /// The message stream that publishes.
        message_stream_id: u32,
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// FLV VIDEODATA.
        payload: Bytes,
    },
    /// An audio message of an accepted publisher, as an FLV tag body; never empty.
    Audio {
        /// The message stream that publishes.
        message_stream_id: u32,
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// FLV AUDIODATA.
        payload: Bytes,
    },
    /// A data message of an accepted publisher, without `@setDataFrame`.
    Data {
        /// The message stream that publishes.
        message_stream_id: u32,
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// The handler's name, such as `onMetaData`.
        name: String,
        /// The values after the name, as AMF0 bytes; not examined.
        payload: Bytes,
    },
    /// A publisher takes back what it set with `@setDataFrame`.
    ClearDataFrame {
        /// The message stream that publishes.
        message_stream_id: u32,
        /// Milliseconds, wrapping at 2^32.
        timestamp: u32,
        /// The handler's name, such as `onMetaData`.
        name: String,
    },
    /// A publisher ended its stream in an orderly way. The message stream may publish or play again.
    Unpublish {
        /// The message stream that published.
        message_stream_id: u32,
        /// How.
        reason: UnpublishReason,
    },
    /// A player stopped playing. The message stream may publish or play again.
    StopPlay {
        /// The message stream that played.
        message_stream_id: u32,
    },
    /// A player paused or went on; already confirmed to it.
    Pause {
        /// The message stream that plays.
        message_stream_id: u32,
        /// True to pause.
        paused: bool,
    },
    /// A player wants audio, or wants none.
    ReceiveAudio {
        /// The message stream that plays.
        message_stream_id: u32,
        /// True to receive.
        on: bool,
    },
    /// A player wants video, or wants none.
    ReceiveVideo {
        /// The message stream that plays.
        message_stream_id: u32,
        /// True to receive.
        on: bool,
    },
}

/// The `connect` command (RTMP 1.0 §7.2.1.1).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ConnectRequest {
    /// Application name without its query; may be empty, may have several parts (`live/room`).
    pub app: String,
    /// What followed `?` in `app`, else in `tcUrl`. May hold secrets.
    pub query: Option<String>,
    /// `tcUrl` as sent; empty when absent. Never to be fetched. May hold secrets.
    pub tc_url: String,
    /// `flashVer`: the client's name for itself; empty when absent.
    pub flash_ver: String,
    /// What the client says about Enhanced RTMP; `None` when it says nothing.
    pub enhanced: Option<Capabilities>,
    /// 0 (AMF0) or 3 (AMF3), as asked for.
    pub object_encoding: f64,
}

/// The `publish` command (RTMP 1.0 §7.2.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishRequest {
    /// The message stream that wants to publish.
    pub message_stream_id: u32,
    /// Stream name without its query. Empty when the client put all of it into the application.
    /// Always the name in `publish`, never the one in `releaseStream` or `FCPublish`.
    pub key: String,
    /// What followed `?` in the name. May hold secrets.
    pub query: Option<String>,
    /// What to do with an earlier recording.
    pub mode: PublishMode,
}

/// Publishing type (RTMP 1.0 §7.2.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishMode {
    /// `live`, also when absent or unknown.
    Live,
    /// `record`.
    Record,
    /// `append`.
    Append,
}

/// The `play` command (RTMP 1.0 §7.2.2.1).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlayRequest {
    /// The message stream that wants to play.
    pub message_stream_id: u32,
    /// Stream name without its query.
    pub name: String,
    /// What followed `?` in the name. May hold secrets.
    pub query: Option<String>,
    /// As sent: -2 (live or recorded, the default), -1 (live only) or a position in seconds; FFmpeg
    /// and librtmp send milliseconds (-2000). May be NaN.
    pub start: f64,
    /// Whether to drop what was playing before.
    pub reset: bool,
}

/// How a publisher ended its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnpublishReason {
    /// `FCUnpublish` with the published name.
    FcUnpublish,
    /// `deleteStream`.
    DeleteStream,
    /// `closeStream`, or `publish` with `false`.
    CloseStream,
    /// Another `publish` or `play` on the same message stream.
    Replaced,
}

/// How the server ends a player's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The publisher is gone: `NetStream.Play.UnpublishNotify`.
    Unpublished,
    /// Everything was played: `NetStream.Play.Complete` and `NetStream.Play.Stop`.
    Complete,
    /// Nobody came to publish it: `NetStream.Play.StreamNotFound`, of level error.
    NotFound,
}
