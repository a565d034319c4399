//! The first bytes of an FLV video tag body, which is an RTMP video message's payload: legacy FLV
//! (Adobe FLV 10.1 §E.4.3) and enhanced RTMP (Veovera v2, "Enhanced Video").

/// A codec that can carry a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// H.264 (AVC).
    H264,
    /// H.265 (HEVC).
    Hevc,
}

impl Codec {
    /// How people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
        }
    }
}

/// What a video tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoTag {
    /// Codec configuration.
    Header(Codec),
    /// One frame.
    Frame {
        codec: Codec,
        /// It is a key frame.
        is_key: bool,
        /// Where the NAL units begin.
        unit_at: usize,
    },
    /// An end of sequence, metadata, or a command to the player: no picture.
    Other,
    /// A picture in a codec that cannot be stamped; its name.
    Foreign(&'static str),
}

impl VideoTag {
    /// Reads the first bytes of a body; `None` when they are too few.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let first = *body.first()?;
        if first & 0x80 != 0 {
            return Self::enhanced(first, body);
        }
        let codec = match first & 0x0f {
            7 => Codec::H264,
            12 => Codec::Hevc,
            2 => return Some(Self::Foreign("Sorenson H.263")),
            4 | 5 => return Some(Self::Foreign("VP6")),
            13 => return Some(Self::Foreign("AV1")),
            _ => return Some(Self::Foreign("an unknown codec")),
        };
        // Frame type 5 is a command to the player.
        let frame_type = first >> 4;
        Some(match *body.get(1)? {
            0 => Self::Header(codec),
            1 if frame_type != 5 => Self::Frame {
                codec,
                is_key: frame_type == 1,
                unit_at: 5,
            },
            _ => Self::Other,
        })
    }

    fn enhanced(first: u8, body: &[u8]) -> Option<Self> {
        let frame_type = (first >> 4) & 7;
        let codec = match body.get(1..5)? {
            b"avc1" => Codec::H264,
            b"hvc1" => Codec::Hevc,
            b"av01" => return Some(Self::Foreign("AV1")),
            b"vp09" => return Some(Self::Foreign("VP9")),
            b"vp08" => return Some(Self::Foreign("VP8")),
            _ if matches!(first & 0x0f, 6 | 7) => {
                return Some(Self::Foreign("multitrack or extended video"));
            }
            _ => return Some(Self::Foreign("an unknown codec")),
        };
        let frame = |unit_at| Self::Frame {
            codec,
            is_key: frame_type == 1,
            unit_at,
        };
        Some(match first & 0x0f {
            0 => Self::Header(codec),
            // With and without a composition offset of three bytes.
            1 => frame(8),
            3 => frame(5),
            _ => Self::Other,
        })
    }
}

/// Whether an audio tag body is codec configuration: AAC's sequence header, or an enhanced one.
pub(crate) fn is_audio_header(body: &[u8]) -> bool {
    match (body.first().map(|first| first >> 4), body.get(1)) {
        (Some(10), Some(packet)) => *packet == 0,
        // Enhanced audio: the packet type is in the low bits (0 sequence start, 2 end, 4 and 5 configuration).
        (Some(9), _) => !matches!(body.first().map(|first| first & 0x0f), Some(1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_and_enhanced_bodies_are_told_apart() {
        let frame = |codec, is_key, unit_at| {
            Some(VideoTag::Frame {
                codec,
                is_key,
                unit_at,
            })
        };
        let parse = VideoTag::parse;
        assert_eq!(
            parse(&[0x17, 0, 0, 0, 0]),
            Some(VideoTag::Header(Codec::H264))
        );
        assert_eq!(parse(&[0x17, 1, 0, 0, 0]), frame(Codec::H264, true, 5));
        assert_eq!(parse(&[0x27, 1, 0, 0, 40]), frame(Codec::H264, false, 5));
        assert_eq!(parse(&[0x1c, 1, 0, 0, 0]), frame(Codec::Hevc, true, 5));
        assert_eq!(parse(&[0x17, 2, 0, 0, 0]), Some(VideoTag::Other));
        assert_eq!(parse(b"\x90hvc1"), Some(VideoTag::Header(Codec::Hevc)));
        assert_eq!(parse(b"\x91hvc1\0\0\0"), frame(Codec::Hevc, true, 8));
        assert_eq!(parse(b"\xa3hvc1"), frame(Codec::Hevc, false, 5));
        assert_eq!(parse(b"\x91av01"), Some(VideoTag::Foreign("AV1")));
        assert_eq!(parse(&[0x24, 0]), Some(VideoTag::Foreign("VP6")));
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(b"\x90hv"), None);
    }

    #[test]
    fn audio_headers_are_no_media() {
        assert!(is_audio_header(&[0xaf, 0, 0x12, 0x10]));
        assert!(!is_audio_header(&[0xaf, 1, 0x21]));
        assert!(is_audio_header(b"\x90Opus"));
        assert!(!is_audio_header(b"\x91Opus"));
        assert!(!is_audio_header(&[0x2f, 0xff]));
    }
}
