//! What is written beside a recording: the marker while it is written, the manifest when it is done.
//!
//! ```text
//! live/cam1/20261121-101502-0.mp4             the file
//! live/cam1/20261121-101502-0.mp4.recording   the marker: from before the file's creation until
//!                                             the manifest is there; locked by who writes
//! live/cam1/20261121-101502-0.mp4.json        the manifest
//! ```

use media::{Track, TrackKind};
use serde::{Deserialize, Serialize};

use crate::format::{Format, Media};

/// What the name of a marker ends with, behind its file's; it is there while a file is not finished.
pub const MARKER: &str = ".recording";
/// What the name of a manifest ends with, behind its file's.
pub const MANIFEST: &str = ".json";

/// A part of the stream that a file does not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Gap {
    /// Where in the file, in milliseconds from its beginning.
    pub at_ms: i64,
    /// How much is missing, in milliseconds.
    pub missing_ms: i64,
    /// Whether the file's time goes on behind the missing part (`false`: the two ends touch, as
    /// after a pause).
    pub in_time: bool,
    /// Why.
    pub cause: Cause,
}

/// Why part of a stream is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The publisher was away.
    Publisher,
    /// The publisher's clock broke, or it paused.
    Clock,
    /// The disk was too slow and the queue was full.
    Overflow,
    /// The recording was paused.
    Paused,
    /// Nothing could be written: no space, or an error.
    Disk,
}

impl Cause {
    /// The word of manifests and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Clock => "clock",
            Self::Overflow => "overflow",
            Self::Paused => "paused",
            Self::Disk => "disk",
        }
    }
}

/// A track as a manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrackInfo {
    /// `video` or `audio`.
    pub kind: String,
    /// The name people use: `H.264`.
    pub codec: String,
    /// RFC 6381 name: `avc1.640028`; absent without a parsed configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codec_string: Option<String>,
    /// Pixels of a picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub width: Option<u32>,
    /// Pixels of a picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub height: Option<u32>,
    /// Samples a second of sound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample_rate: Option<u32>,
    /// Channels of sound.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channels: Option<u32>,
}

impl TrackInfo {
    pub(crate) fn of(track: &Track) -> Self {
        let config = track.config.as_ref().ok();
        let video = config.and_then(media::CodecConfig::video);
        let audio = config.and_then(media::CodecConfig::audio);
        Self {
            kind: match track.kind() {
                TrackKind::Video => "video",
                TrackKind::Audio => "audio",
            }
            .to_owned(),
            codec: track.codec.to_string(),
            codec_string: config.map(media::CodecConfig::codec_string),
            width: video.as_ref().map(|video| video.width),
            height: video.as_ref().map(|video| video.height),
            sample_rate: audio.as_ref().map(|audio| audio.sample_rate),
            channels: audio.as_ref().map(|audio| audio.channels.into()),
        }
    }
}

/// A part of a recording that is a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Member {
    /// Its name in the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// A finished file, as the manifest beside it and the event say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Of this layout: 1.
    pub version: u32,
    /// The recording's id.
    pub recording: String,
    /// The stream's name.
    pub stream: String,
    /// Below the recording root. A folder for HLS.
    pub path: String,
    /// The container.
    pub format: String,
    /// `av`, `audio` or `video`.
    pub media: String,
    /// The number of the file within the recording, from 0.
    pub index: u32,
    /// Bytes; of all files of a folder.
    pub size: u64,
    /// When its first unit arrived, RFC 3339, UTC.
    pub start_time: String,
    /// When its last unit arrived.
    pub end_time: String,
    /// Media time from its first to its last unit, in milliseconds.
    pub duration_ms: i64,
    /// SHA-256 of its content, hexadecimal; of a folder: of the playlist.
    pub sha256: String,
    /// What it lacks.
    pub gaps: Vec<Gap>,
    /// Its tracks.
    pub tracks: Vec<TrackInfo>,
    /// Whether it was finished after a crash.
    pub recovered: bool,
    /// The files of a folder.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<Member>,
}

/// A marker: everything that a repair cannot read from the file itself.
///
/// One JSON object a line: this, and then one [`Progress`] at a fixed place that is overwritten as
/// the file grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) version: u32,
    pub(crate) recording: String,
    pub(crate) stream: String,
    pub(crate) format: String,
    pub(crate) media: String,
    pub(crate) index: u32,
    pub(crate) start_ms: i64,
    pub(crate) tracks: Vec<TrackInfo>,
}

/// How far a file is; overwritten in place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Wall time of the last unit, in milliseconds of the Unix epoch.
    pub(crate) end_ms: i64,
    pub(crate) duration_ms: i64,
    /// Folders: when the open segment began, in milliseconds of the file.
    pub(crate) segment_ms: i64,
    pub(crate) gaps: Vec<Gap>,
}

/// Room for [`Marker`] at the start of a marker file; [`Progress`] follows.
const MARKER_LINE: usize = 2_048;
/// Least room for a progress line: it is padded, so that a shorter one covers a longer one.
const PROGRESS_LINE: usize = 256;

impl Marker {
    pub(crate) fn new(
        recording: &str,
        stream: &str,
        (format, media): (Format, Media),
        index: u32,
        start_ms: i64,
        tracks: Vec<TrackInfo>,
    ) -> Self {
        Self {
            version: 1,
            recording: recording.to_owned(),
            stream: stream.to_owned(),
            format: format.as_str().to_owned(),
            media: media.as_str().to_owned(),
            index,
            start_ms,
            tracks,
        }
    }

    /// The first line, padded.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = padded(self, MARKER_LINE);
        if line.len() > MARKER_LINE {
            // Names and many tracks: the tracks are the least that can be told again.
            let short = Self {
                tracks: Vec::new(),
                ..self.clone()
            };
            line = padded(&short, MARKER_LINE);
        }
        line
    }

    /// Where the progress line stands.
    pub(crate) fn progress_at() -> u64 {
        MARKER_LINE as u64
    }

    /// Whether a marker file was cut off before its first line was there.
    pub(crate) fn is_begun(content: &[u8]) -> bool {
        const START: &[u8] = b"{\"version\":1,";
        START.starts_with(content.get(..START.len()).unwrap_or(content))
    }

    /// Reads a marker file; a damaged progress line is none.
    pub(crate) fn read(content: &[u8]) -> Option<(Self, Progress)> {
        let mut lines = content.split(|byte| *byte == b'\n');
        let marker = serde_json::from_slice(lines.next()?).ok()?;
        let progress = lines
            .next()
            .and_then(|line| serde_json::from_slice(line).ok());
        Some((marker, progress.unwrap_or_default()))
    }
}

impl Progress {
    /// The media tells where it ends, in milliseconds of the file: what was told last is up to a
    /// second older.
    pub(crate) fn ends_at(&mut self, ms: i64) {
        self.end_ms += ms - self.duration_ms;
        self.duration_ms = ms;
    }

    /// The line, padded to a length that it never falls below.
    pub(crate) fn line(&self) -> Vec<u8> {
        padded(self, PROGRESS_LINE)
    }
}

fn padded<T: Serialize>(value: &T, len: usize) -> Vec<u8> {
    // Plain structs of numbers and texts: this cannot fail.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    if line.len() < len - 1 {
        line.resize(len - 1, b' ');
    }
    line.push(b'\n');
    line
}

/// Milliseconds of the Unix epoch as RFC 3339 in UTC.
pub(crate) fn rfc3339(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shorter_progress_line_covers_a_longer_one() {
        let marker = Marker::new("rec_1", "live/a", (Format::Flv, Media::Av), 0, 5, vec![]);
        let gap = Gap {
            at_ms: 1,
            missing_ms: 2,
            in_time: true,
            cause: Cause::Publisher,
        };
        let long = Progress {
            end_ms: i64::MAX,
            gaps: vec![gap.clone(), gap],
            ..Progress::default()
        };
        let short = Progress {
            duration_ms: 7,
            ..Progress::default()
        };
        let mut content = marker.line();
        assert_eq!(content.len() as u64, Marker::progress_at());
        content.extend(long.line());
        let line = short.line();
        let at = content.len() - long.line().len();
        content[at..at + line.len()].copy_from_slice(&line);
        assert_eq!(Marker::read(&content), Some((marker, short)));
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_763_716_502_120), "2025-11-21T09:15:02.120Z");
    }
}
