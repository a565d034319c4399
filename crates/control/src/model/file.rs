//! Recorded files.

use serde::{Deserialize, Serialize};

use super::{Format, Media, RecordOrigin};
use crate::clock::UnixMs;
use crate::id::{FileId, RecordingId};

/// A finished file, or a folder with a playlist.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Its number on the compatible surface, where file ids are decimal.
    pub number: u64,
    /// The recording that wrote it.
    pub recording_id: RecordingId,
    /// Its stream in the hub.
    pub stream: String,
    /// The app.
    pub app_id: String,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// Where it lies below the recording root.
    pub path: String,
    /// The last part of its path.
    pub name: String,
    /// The caller's own number of the recording.
    pub record_id: Option<u32>,
    /// When its first unit came.
    pub start_at: UnixMs,
    /// When its last unit came.
    pub end_at: UnixMs,
    /// Bytes, all parts of a folder together.
    pub size: u64,
    /// The rest.
    pub body: FileBody,
    /// When its content was removed.
    pub deleted_at: Option<UnixMs>,
}

/// What nobody searches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileBody {
    /// The container.
    pub format: Format,
    /// Which tracks.
    pub media: Media,
    /// Who wanted the recording.
    pub origin: RecordOrigin,
    /// Media time, in milliseconds.
    pub duration_ms: i64,
    /// Names of codecs (RFC 6381 where known), picture first.
    pub codecs: Vec<String>,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// What the stream had and the file has not.
    pub gaps: Vec<FileGap>,
    /// Its place among the recording's files of this format, from 0.
    pub segment_index: u32,
    /// Whether it was repaired after a crash.
    pub recovered: bool,
    /// Where it is stored: `local`.
    pub storage: String,
    /// When it will be removed, milliseconds of the Unix epoch.
    pub expires_at_ms: Option<i64>,
}

/// Part of a stream that a file has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileGap {
    /// Where in the file, in milliseconds.
    pub at_ms: i64,
    /// How much is missing, in milliseconds.
    pub missing_ms: i64,
    /// Why: `publisher`, `clock`, `overflow`, `paused`, `disk`.
    pub cause: String,
}
