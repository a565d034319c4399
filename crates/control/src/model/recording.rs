//! Recording tasks.

use serde::{Deserialize, Serialize};

use super::{Cause, Source};
use crate::clock::UnixMs;
use crate::id::{ChannelId, RecordingId};
use crate::words::words;

words! {
    /// A container that recordings are written in.
    pub enum Format {
        /// FLV.
        Flv = "flv",
        /// A folder with a playlist.
        Hls = "hls",
        /// MP4.
        Mp4 = "mp4",
        /// AAC frames; sound only.
        Aac = "aac",
        /// MPEG-TS.
        Ts = "ts",
        /// A folder with a playlist and MPEG-TS segments.
        HlsTs = "hls-ts",
    }
}

words! {
    /// Which tracks are recorded.
    pub enum Media {
        /// Picture and sound.
        Av = "av",
        /// Sound only.
        Audio = "audio",
        /// Picture only.
        Video = "video",
    }
}

words! {
    /// Who wanted a recording.
    pub enum RecordOrigin {
        /// The policy.
        Auto = "auto",
        /// A start with formats.
        Start = "start",
        /// `record=` in the publish URL.
        Url = "url",
        /// A call.
        Manual = "manual",
        /// A call, for a given time.
        Scheduled = "scheduled",
    }
}

words! {
    /// Where a recording is.
    pub enum RecordState {
        /// Waits for its time or for media.
        Pending = "pending",
        /// Writes.
        Recording = "recording",
        /// Leaves units out until it goes on.
        Paused = "paused",
        /// Told to end; its last files are being finished.
        Finalizing = "finalizing",
        /// Over.
        Completed = "completed",
        /// Over: something could not be written.
        Failed = "failed",
        /// Over before it wrote anything.
        Aborted = "aborted",
    }
}

impl RecordState {
    /// Whether nothing will be written any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Aborted)
    }
}

/// What a recording is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSpec {
    /// Containers, written at once.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// When the next file begins, in seconds.
    pub segment_s: u32,
    /// The first part of its files' names; the stream code when absent.
    #[serde(default)]
    pub file_name: Option<String>,
    /// The caller's own.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The caller's own.
    #[serde(default)]
    pub class_id: u32,
    /// The caller's own number of the recording.
    #[serde(default)]
    pub record_id: Option<u32>,
    /// Whether finished files are told to callbacks.
    pub callback: bool,
}

/// A recording task.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its id.
    pub id: RecordingId,
    /// Its number on the compatible surface.
    pub task_id: u32,
    /// The channel it belongs to, if to one.
    pub channel_id: Option<ChannelId>,
    /// Its stream in the hub.
    pub stream: String,
    /// The app.
    pub app_id: String,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// Which of the user's.
    pub source: Source,
    /// Who wanted it.
    pub origin: RecordOrigin,
    /// Where it is.
    pub state: RecordState,
    /// What it is to be.
    pub spec: RecordSpec,
    /// When it was asked for.
    pub created_at: UnixMs,
    /// When it is to begin.
    pub start_at: Option<UnixMs>,
    /// When it is to end.
    pub end_at: Option<UnixMs>,
    /// When it wrote first.
    pub started_at: Option<UnixMs>,
    /// When it was over.
    pub ended_at: Option<UnixMs>,
    /// Why it ended.
    pub cause: Option<Cause>,
}
