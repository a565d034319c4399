//! Containers that are read and written.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use media::{Track, TrackId, TrackKind};

/// A container that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// FLV.
    Flv,
    /// MPEG-TS.
    Ts,
    /// MP4, ordinary or fragmented.
    Mp4,
    /// An HLS playlist with its segments beside it or below.
    Hls,
}

impl InputFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Flv, Self::Ts, Self::Mp4, Self::Hls];

    /// Its name on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Ts => "ts",
            Self::Mp4 => "mp4",
            Self::Hls => "hls",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Flv => "FLV",
            Self::Ts => "MPEG-TS",
            Self::Mp4 => "MP4",
            Self::Hls => "HLS",
        }
    }

    /// What begins like this; 4 KiB suffice.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"FLV") {
            return Some(Self::Flv);
        }
        if head.trim_ascii_start().starts_with(b"#EXTM3U")
            || head.starts_with(b"\xef\xbb\xbf#EXTM3U")
        {
            return Some(Self::Hls);
        }
        let boxes = [
            b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx",
            b"emsg",
        ];
        let kind = head.get(4..8);
        if kind.is_some_and(|kind| boxes.iter().any(|known| kind == *known)) {
            return Some(Self::Mp4);
        }
        // Sync bytes at the distance of packets, wherever the first one is; the last packet may be cut.
        let is_ts = [188, 192, 204].iter().any(|&distance| {
            let few = head.len() < SYNCS * distance;
            let starts = if few { distance } else { head.len() };
            (0..starts).any(|at| {
                let mut places = head.iter().skip(at).step_by(distance).take(SYNCS);
                let wanted = if few { 2 } else { SYNCS };
                places.len() >= wanted && places.all(|&byte| byte == 0x47)
            })
        });
        is_ts.then_some(Self::Ts)
    }
}

/// Packets of MPEG-TS one behind the other that are believed.
const SYNCS: usize = 5;

/// A container that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputFormat {
    /// FLV.
    Flv,
    /// MPEG-TS.
    Ts,
    /// MP4 with one index.
    Mp4,
    /// Fragmented MP4 (CMAF).
    Fmp4,
    /// HLS folder with fragmented MP4 segments.
    Hls,
    /// HLS folder with MPEG-TS segments.
    HlsTs,
    /// AAC frames with ADTS headers.
    Aac,
    /// MP3 frames.
    Mp3,
    /// AC-3 or E-AC-3 frames.
    Ac3,
}

impl OutputFormat {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Flv,
        Self::Ts,
        Self::Mp4,
        Self::Fmp4,
        Self::Hls,
        Self::HlsTs,
        Self::Aac,
        Self::Mp3,
        Self::Ac3,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flv => "flv",
            Self::Ts => "ts",
            Self::Mp4 => "mp4",
            Self::Fmp4 => "fmp4",
            Self::Hls => "hls",
            Self::HlsTs => "hls-ts",
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
        }
    }

    /// What a file of this name is.
    #[must_use]
    pub fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "flv" => Self::Flv,
            "ts" | "m2t" | "m2ts" | "mts" => Self::Ts,
            "mp4" | "m4v" | "mov" | "m4a" => Self::Mp4,
            "m4s" | "cmfv" | "cmfa" => Self::Fmp4,
            "m3u8" => Self::Hls,
            "aac" | "adts" => Self::Aac,
            "mp3" => Self::Mp3,
            "ac3" | "eac3" | "ec3" => Self::Ac3,
            _ => return None,
        })
    }

    /// Whether a file of this name has audio only.
    #[must_use]
    pub(super) fn is_audio(self, path: &Path) -> bool {
        let is_m4a = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("m4a"));
        is_m4a || matches!(self, Self::Aac | Self::Mp3 | Self::Ac3)
    }

    /// Whether it is a playlist with files beside it.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Hls | Self::HlsTs)
    }
}

/// Which tracks are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrackChoice {
    /// All of this kind.
    Kind(TrackKind),
    /// The one with this id.
    Id(TrackId),
}

impl TrackChoice {
    /// Whether this track is meant.
    #[must_use]
    pub fn is(self, track: &Track) -> bool {
        match self {
            Self::Kind(kind) => kind == track.kind(),
            Self::Id(id) => id == track.id,
        }
    }
}

/// The text names no track.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no track; write video, audio, or an id as `sidestream probe` shows it")]
pub struct NoTrackChoice(String);

impl FromStr for TrackChoice {
    type Err = NoTrackChoice;

    fn from_str(text: &str) -> Result<Self, NoTrackChoice> {
        match text {
            "video" => Ok(Self::Kind(TrackKind::Video)),
            "audio" => Ok(Self::Kind(TrackKind::Audio)),
            id => match id.parse() {
                Ok(id) => Ok(Self::Id(TrackId(id))),
                Err(_) => Err(NoTrackChoice(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for TrackChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "{} track", kind.as_str()),
            Self::Id(id) => write!(f, "track {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_by_their_first_bytes() {
        let sniff = InputFormat::sniff;
        assert_eq!(sniff(b"FLV\x01\x05\0\0\0\x09"), Some(InputFormat::Flv));
        assert_eq!(sniff(b"\0\0\0\x18ftypisom"), Some(InputFormat::Mp4));
        assert_eq!(sniff(b"#EXTM3U\n"), Some(InputFormat::Hls));
        assert_eq!(sniff(b"hello, world"), None);
        for (before, distance) in [(0, 188), (4, 192), (17, 188), (0, 204)] {
            let mut bytes = vec![0; before + 3 * distance + 1];
            for n in 0..4 {
                bytes[before + n * distance] = 0x47;
            }
            assert_eq!(sniff(&bytes), Some(InputFormat::Ts), "{before} {distance}");
        }
        // Damage in front.
        let mut bytes = vec![0; 4_096];
        for n in 7..12 {
            bytes[n * 188] = 0x47;
        }
        assert_eq!(sniff(&bytes), Some(InputFormat::Ts));
        bytes[9 * 188] = 0;
        assert_eq!(sniff(&bytes), None);
    }

    #[test]
    fn tracks_are_kinds_or_ids() {
        assert_eq!("audio".parse(), Ok(TrackChoice::Kind(TrackKind::Audio)));
        assert_eq!("3".parse(), Ok(TrackChoice::Id(TrackId(3))));
        assert!("v:0".parse::<TrackChoice>().is_err());
    }
}
