//! What a recording holds and which containers it is written in.

use media::{Track, TrackKind, TrackList};

/// A container that a recording is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// FLV, with everything that enhanced RTMP carries.
    Flv,
    /// MP4; `.m4a` when it holds sound only.
    Mp4,
    /// MPEG-TS.
    Ts,
    /// A folder with a playlist and fMP4 segments.
    Hls,
    /// A folder with a playlist and MPEG-TS segments.
    HlsTs,
    /// AAC frames with ADTS headers; sound only.
    Aac,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Flv,
        Self::Mp4,
        Self::Ts,
        Self::Hls,
        Self::HlsTs,
        Self::Aac,
    ];

    /// The word of configuration, manifests and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Mp4 => "mp4",
            Self::Ts => "ts",
            Self::Hls => "hls",
            Self::HlsTs => "hls-ts",
            Self::Aac => "aac",
        }
    }

    /// What a file name of this format ends with, without the dot.
    #[must_use]
    pub fn extension(self, media: Media) -> &'static str {
        match (self, media) {
            (Self::Mp4, Media::Audio) => "m4a",
            _ => self.as_str(),
        }
    }

    /// The format of a file by the end of its name.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "m4a" | "m4v" => Some(Self::Mp4),
            "m2ts" | "mts" => Some(Self::Ts),
            other => other.parse().ok(),
        }
    }

    /// Whether a recording in it is a folder with a playlist.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Hls | Self::HlsTs)
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such format; there are flv, mp4, ts, hls, hls-ts, aac")]
pub struct UnknownFormat;

impl std::str::FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known.ok_or(UnknownFormat)
    }
}

/// Which tracks are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Media {
    /// Picture and sound.
    #[default]
    Av,
    /// Sound only.
    Audio,
    /// Picture only.
    Video,
}

impl Media {
    /// The word of configuration, manifests and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Av => "av",
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    pub(crate) fn takes(self, track: &Track) -> bool {
        match self {
            Self::Av => true,
            Self::Audio => track.kind() == TrackKind::Audio,
            Self::Video => track.kind() == TrackKind::Video,
        }
    }

    /// The tracks of a list that are recorded.
    pub(crate) fn of(self, tracks: &TrackList) -> TrackList {
        TrackList::new(tracks.iter().filter(|t| self.takes(t)).cloned().collect())
    }
}
