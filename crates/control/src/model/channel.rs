//! The bypass live of one source.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Source;
use crate::clock::UnixMs;
use crate::id::ChannelId;
use crate::words::words;

words! {
    /// Where a channel is.
    pub enum ChannelState {
        /// Armed: waits for its source to publish.
        Pending = "pending",
        /// The source publishes, the media side was told to serve it.
        Starting = "starting",
        /// It is served.
        Live = "live",
        /// Its publisher was lost; it waits for it.
        Interrupted = "interrupted",
        /// Over.
        Ended = "ended",
        /// It could not be started.
        Failed = "failed",
        /// Its stream is forbidden: lies over the state below it.
        Forbidden = "forbidden",
    }
}

impl ChannelState {
    /// Whether it is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

words! {
    /// Who manages a channel.
    pub enum Origin {
        /// The policy.
        Auto = "auto",
        /// Calls.
        Manual = "manual",
    }
}

words! {
    /// How a channel is watched.
    pub enum Protocol {
        /// HTTP Live Streaming.
        Hls = "hls",
        /// RTMP.
        Rtmp = "rtmp",
        /// HTTP-FLV.
        Flv = "flv",
    }
}

impl Protocol {
    /// The number of the classic interfaces.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Hls => 1,
            Self::Flv => 2,
            Self::Rtmp => 5,
        }
    }
}

words! {
    /// When a start may be asked for.
    pub enum StartWhen {
        /// Before the source publishes, too: the channel waits.
        OnPublish = "on_publish",
        /// Only while it publishes.
        Immediate = "immediate",
    }
}

words! {
    /// What a start does when there is a channel already.
    pub enum IfExists {
        /// Refuses.
        Error = "error",
        /// Answers with that channel.
        Return = "return",
    }
}

/// What a caller said about a channel.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelSpec {
    /// How it is to be watched.
    pub protocols: Vec<Protocol>,
    /// Sound only.
    #[serde(default)]
    pub audio_only: bool,
    /// The business type, as it was sent.
    #[serde(default)]
    pub sdk_type: Option<String>,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// What players have to say; never shown.
    #[serde(default)]
    pub password: Option<String>,
    /// The caller's own.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

impl std::fmt::Debug for ChannelSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "…");
        f.debug_struct("ChannelSpec")
            .field("protocols", &self.protocols)
            .field("name", &self.name)
            .field("password", &password)
            .finish_non_exhaustive()
    }
}

/// Why something ended or was interrupted: the public numbers of interruptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// 1 ended by the publisher, 3 connection closed, 8 silent, 18 refused, 21 ended by us…
    pub errcode: u32,
    /// For people.
    pub text: String,
}

impl Cause {
    /// Ended by a call or by the policy.
    #[must_use]
    pub fn ours(text: impl Into<String>) -> Self {
        Self {
            errcode: 21,
            text: text.into(),
        }
    }
}

/// A channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Its stream in the hub: `{rtmp app}/{stream code}`.
    pub stream: String,
    /// The app.
    pub app_id: String,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// Which of the user's.
    pub source: Source,
    /// Who manages it.
    pub origin: Origin,
    /// Where it is.
    pub state: ChannelState,
    /// What the caller said.
    pub spec: ChannelSpec,
    /// When it was first started.
    pub created_at: UnixMs,
    /// When it became live this time.
    pub started_at: Option<UnixMs>,
    /// When the next thing is due: the end of its wait, or the next try.
    pub due_at: Option<UnixMs>,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// Until when its id is kept for the next start.
    pub reserved_until: Option<UnixMs>,
    /// Why it ended, failed or waits.
    pub cause: Option<Cause>,
    /// The caller's own number of the last change; must grow.
    pub sequence: Option<u64>,
    /// Grows with each change.
    pub version: u64,
}

impl Channel {
    /// The stream code: the stream's name without the RTMP app.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        self.stream
            .rsplit_once('/')
            .map_or(&self.stream, |(_, code)| code)
    }

    /// Whether its id is still kept.
    #[must_use]
    pub fn is_reserved(&self, now: UnixMs) -> bool {
        self.reserved_until.is_some_and(|until| now < until)
    }
}
