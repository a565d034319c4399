//! Which codec a track has.

use std::fmt;

/// Video, audio or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl TrackKind {
    /// `"video"` or `"audio"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }
}

/// A four-character code as enhanced RTMP and MP4 use it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// A codec; what sidestream does not know it keeps by its wire number and relays untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 / AVC (ITU-T H.264).
    H264,
    /// H.265 / HEVC (ITU-T H.265).
    H265,
    /// H.266 / VVC (ITU-T H.266): relayed, not segmented.
    H266,
    /// AV1.
    Av1,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// AAC in any object type (ISO/IEC 14496-3).
    Aac,
    /// MPEG-1/2 audio layer III.
    Mp3,
    /// Opus (RFC 6716).
    Opus,
    /// FLAC (RFC 9639).
    Flac,
    /// AC-3 (ETSI TS 102 366).
    Ac3,
    /// E-AC-3 (ETSI TS 102 366 annex E).
    Eac3,
    /// A legacy FLV video codec id other than 7 and 12 (FLV 10.1 §E.4.3.1).
    FlvVideo(u8),
    /// A legacy FLV sound format other than 2, 10 and 14 (FLV 10.1 §E.4.2.1).
    FlvAudio(u8),
    /// An enhanced video codec we have no parser for.
    OtherVideo(FourCc),
    /// An enhanced audio codec we have no parser for.
    OtherAudio(FourCc),
}

impl Codec {
    /// Video or audio.
    #[must_use]
    pub fn kind(self) -> TrackKind {
        match self {
            Self::H264
            | Self::H265
            | Self::H266
            | Self::Av1
            | Self::Vp8
            | Self::Vp9
            | Self::FlvVideo(_)
            | Self::OtherVideo(_) => TrackKind::Video,
            Self::Aac
            | Self::Mp3
            | Self::Opus
            | Self::Flac
            | Self::Ac3
            | Self::Eac3
            | Self::FlvAudio(_)
            | Self::OtherAudio(_) => TrackKind::Audio,
        }
    }

    /// The name people use: `H.264`, `AAC`, `Speex`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "HEVC",
            Self::H266 => "VVC",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Aac => "AAC",
            Self::Mp3 => "MP3",
            Self::Opus => "Opus",
            Self::Flac => "FLAC",
            Self::Ac3 => "AC-3",
            Self::Eac3 => "E-AC-3",
            Self::FlvVideo(2) => "Sorenson H.263",
            Self::FlvVideo(3 | 6) => "Screen video",
            Self::FlvVideo(4) => "VP6",
            Self::FlvVideo(5) => "VP6 alpha",
            Self::FlvAudio(0 | 3) => "PCM",
            Self::FlvAudio(1) => "ADPCM",
            Self::FlvAudio(4..=6) => "Nellymoser",
            Self::FlvAudio(7) => "G.711 A-law",
            Self::FlvAudio(8) => "G.711 mu-law",
            Self::FlvAudio(11) => "Speex",
            Self::FlvVideo(_) | Self::OtherVideo(_) => "unknown video",
            Self::FlvAudio(_) | Self::OtherAudio(_) => "unknown audio",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVideo(cc) | Self::OtherAudio(cc) => write!(f, "{} ({cc})", self.name()),
            Self::FlvVideo(id @ (0 | 1 | 8..)) | Self::FlvAudio(id @ (9 | 10 | 12..)) => {
                write!(f, "{} (id {id})", self.name())
            }
            _ => f.write_str(self.name()),
        }
    }
}
