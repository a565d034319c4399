//! Codec configuration: what a decoder must know before the first access unit.
//!
//! Parsed once per change, on copies, so that no read buffer stays pinned. Parsing never fails a
//! stream: a configuration that cannot be read makes the track relay-only (see
//! [`crate::Track::config`]).
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt;

use bytes::Bytes;

use crate::Codec;

pub mod aac;
pub mod ac3;
pub mod av1;
mod bits;
pub mod flac;
mod from_sets;
pub mod h264;
pub mod h265;
pub mod mp3;
pub mod opus;
mod parameter_sets;
pub mod vp9;

/// A parsed codec configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CodecConfig {
    /// avcC (ISO/IEC 14496-15 §5.3.3.1).
    H264(h264::Config),
    /// hvcC (ISO/IEC 14496-15 §8.3.3.1).
    H265(h265::Config),
    /// av1C (AV1-ISOBMFF §2.3.3).
    Av1(av1::Config),
    /// vpcC (VP9-ISOBMFF §2.2).
    Vp9(vp9::Config),
    /// AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
    Aac(aac::Config),
    /// MPEG audio layer III: from the first frame's header.
    Mp3(mp3::Config),
    /// OpusHead without its magic is accepted too (RFC 7845 §5.1).
    Opus(opus::Config),
    /// STREAMINFO (RFC 9639 §8.2).
    Flac(flac::Config),
    /// AC-3: from the first frame's header (ETSI TS 102 366 §4.4).
    Ac3(ac3::Config),
    /// E-AC-3: from the first frame's header (ETSI TS 102 366 §E.1.3).
    Eac3(ac3::Config),
}

/// Picture size and rate, as the bitstream states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VideoParams {
    /// Width in pixels after cropping; 0 when the configuration does not say.
    pub width: u32,
    /// Height in pixels after cropping; 0 when the configuration does not say.
    pub height: u32,
    /// Frames per second as a fraction, when the bitstream states it.
    pub frame_rate: Option<(u32, u32)>,
}

/// Sound parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioParams {
    /// Output samples per second (HE-AAC: after SBR).
    pub sample_rate: u32,
    /// Output channels (HE-AAC v2: after PS).
    pub channels: u8,
    /// Samples per frame at `sample_rate`, when every frame has the same number.
    pub frame_samples: Option<u32>,
}

/// Why a codec configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why} at byte {offset}")]
pub struct Error {
    /// The structure being read: `avcC`, `SPS`, `AudioSpecificConfig`.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: Box<str>,
    /// Byte offset from the start of the configuration record.
    pub offset: usize,
}

impl Error {
    /// An error in `what`, at byte `offset` of the record.
    pub fn new(what: &'static str, offset: usize, why: impl Into<Box<str>>) -> Self {
        Self {
            what,
            why: why.into(),
            offset,
        }
    }
}

/// Longest record that is looked at. Threat: parsing is linear, but records come with every key
/// frame; real ones have less than 1 KiB (FLAC with a picture: some 10 KiB).
const MAX_RECORD_BYTES: usize = 64 << 10;

impl CodecConfig {
    /// Parses the configuration record that FLV and MP4 carry for `codec`: avcC, hvcC, av1C, vpcC,
    /// AudioSpecificConfig, OpusHead / dOps payload, fLaC metadata.
    ///
    /// # Errors
    /// [`Error`] names the structure, the offset and the reason; `Codec`s without a record (MP3,
    /// AC-3, E-AC-3) and relay-only codecs are errors too: use [`CodecConfig::from_frame`].
    pub fn parse(codec: Codec, record: &[u8]) -> Result<Self, Error> {
        if record.len() > MAX_RECORD_BYTES {
            let why = format!("{} bytes, more than {MAX_RECORD_BYTES}", record.len());
            return Err(Error::new("codec configuration", MAX_RECORD_BYTES, why));
        }
        match codec {
            Codec::H264 => h264::Config::parse(record).map(Self::H264),
            Codec::H265 => h265::Config::parse(record).map(Self::H265),
            Codec::Av1 => av1::Config::parse(record).map(Self::Av1),
            Codec::Vp9 => vp9::Config::parse(record).map(Self::Vp9),
            Codec::Aac => aac::Config::parse(record).map(Self::Aac),
            Codec::Opus => opus::Config::parse(record).map(Self::Opus),
            Codec::Flac => flac::Config::parse(record).map(Self::Flac),
            _ => Err(Error::new(
                "codec configuration",
                0,
                "this codec has no configuration record",
            )),
        }
    }

    /// Reads the configuration of a codec whose every frame carries it: MP3, AC-3, E-AC-3.
    ///
    /// # Errors
    /// [`Error`] when the frame header cannot be parsed, or the codec is another one.
    pub fn from_frame(codec: Codec, frame: &[u8]) -> Result<Self, Error> {
        match codec {
            Codec::Mp3 => mp3::Config::from_frame(frame).map(Self::Mp3),
            Codec::Ac3 => ac3::Config::from_ac3_frame(frame).map(Self::Ac3),
            Codec::Eac3 => ac3::Config::from_eac3_frame(frame).map(Self::Eac3),
            _ => Err(Error::new(
                "frame header",
                0,
                "this codec is not configured by its frames",
            )),
        }
    }

    /// Which codec it configures.
    #[must_use]
    pub fn codec(&self) -> Codec {
        match self {
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
            Self::Av1(_) => Codec::Av1,
            Self::Vp9(_) => Codec::Vp9,
            Self::Aac(_) => Codec::Aac,
            Self::Mp3(_) => Codec::Mp3,
            Self::Opus(_) => Codec::Opus,
            Self::Flac(_) => Codec::Flac,
            Self::Ac3(_) => Codec::Ac3,
            Self::Eac3(_) => Codec::Eac3,
        }
    }

    /// The record as it is stored in FLV and MP4; for MP3, AC-3 and E-AC-3 a few bytes that differ
    /// when the parameters do.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        match self {
            Self::H264(c) => &c.raw,
            Self::H265(c) => &c.raw,
            Self::Av1(c) => &c.raw,
            Self::Vp9(c) => &c.raw,
            Self::Aac(c) => &c.raw,
            Self::Mp3(c) => &c.raw,
            Self::Opus(c) => &c.raw,
            Self::Flac(c) => &c.raw,
            Self::Ac3(c) | Self::Eac3(c) => &c.raw,
        }
    }

    /// Picture parameters of a video codec.
    #[must_use]
    pub fn video(&self) -> Option<VideoParams> {
        match self {
            Self::H264(c) => Some(c.params),
            Self::H265(c) => Some(c.params),
            Self::Av1(c) => Some(c.params),
            Self::Vp9(c) => Some(c.params),
            _ => None,
        }
    }

    /// Width and height of a video codec's pictures; zeros: not known yet.
    #[must_use]
    pub fn picture_size(&self) -> Option<(u32, u32)> {
        self.video().map(|video| (video.width, video.height))
    }

    /// Sound parameters of an audio codec.
    #[must_use]
    pub fn audio(&self) -> Option<AudioParams> {
        match self {
            Self::Aac(c) => Some(c.params),
            Self::Mp3(c) => Some(c.params),
            Self::Opus(c) => Some(c.params),
            Self::Flac(c) => Some(c.params),
            Self::Ac3(c) | Self::Eac3(c) => Some(c.params),
            _ => None,
        }
    }

    /// The codec as RFC 6381 writes it, for HLS `CODECS` and MSE: `avc1.64001f`, `mp4a.40.2`.
    #[must_use]
    pub fn codec_string(&self) -> String {
        match self {
            Self::H264(c) => c.codec_string(),
            Self::H265(c) => c.codec_string(),
            Self::Av1(c) => c.codec_string(),
            Self::Vp9(c) => c.codec_string(),
            Self::Aac(c) => c.codec_string(),
            Self::Mp3(_) => "mp4a.40.34".to_owned(),
            Self::Opus(_) => "opus".to_owned(),
            Self::Flac(_) => "fLaC".to_owned(),
            Self::Ac3(_) => "ac-3".to_owned(),
            Self::Eac3(_) => "ec-3".to_owned(),
        }
    }
}

/// A frame rate in lowest terms, when it is one that a camera or screen can have: up to 1000 per
/// second. Broken encoders write clocks and zeros there.
fn plausible_rate(num: u64, den: u64) -> Option<(u32, u32)> {
    let (mut a, mut b) = (num, den);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let num = u32::try_from(num.checked_div(a)?).ok()?;
    let den = u32::try_from(den.checked_div(a)?).ok()?;
    (num > 0 && den > 0 && num / den < 1_000).then_some((num, den))
}

impl fmt::Display for CodecConfig {
    /// What a person reads in a log line: `H.264 High@4.0 1920x1080 30 fps`, `AAC-LC 48 kHz 2ch`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H264(c) => write!(f, "H.264 {}", c.profile_level())?,
            Self::H265(c) => write!(f, "HEVC {}", c.profile_level())?,
            Self::Aac(c) => write!(f, "{}", c.profile_name())?,
            other => write!(f, "{}", other.codec())?,
        }
        if let Some(video) = self.video() {
            if video.width > 0 {
                write!(f, " {}x{}", video.width, video.height)?;
            }
            if let Some((num, den)) = video.frame_rate {
                let milli = u64::from(num) * 1_000 / u64::from(den.max(1));
                let fps = format!("{}.{:03}", milli / 1_000, milli % 1_000);
                write!(
                    f,
                    " {} fps",
                    fps.trim_end_matches('0').trim_end_matches('.')
                )?;
            }
        }
        if let Some(audio) = self.audio() {
            let khz = format!(
                "{}.{:03}",
                audio.sample_rate / 1_000,
                audio.sample_rate % 1_000
            );
            write!(
                f,
                " {} kHz {}ch",
                khz.trim_end_matches('0').trim_end_matches('.'),
                audio.channels
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod bit_writer;
#[cfg(test)]
mod tests;
