//! The numbers of FLV and enhanced RTMP.

use media::{Codec, FourCc, TrackId};

/// Set in a video body's first byte: an enhanced header follows (E-RTMP v2 §"Enhanced Video").
pub(super) const EX_VIDEO: u8 = 0x80;
/// Sound format 9: an enhanced header follows (E-RTMP v2 §"Enhanced Audio").
pub(super) const EX_AUDIO: u8 = 9;

/// `VideoFrameType` (FLV 10.1 §E.4.3.1).
pub(super) mod frame_type {
    pub(in super::super) const KEY: u8 = 1;
    pub(in super::super) const INTER: u8 = 2;
    pub(in super::super) const DISPOSABLE: u8 = 3;
    pub(in super::super) const GENERATED_KEY: u8 = 4;
    pub(in super::super) const COMMAND: u8 = 5;
}

/// Legacy `CodecID` of video.
pub(super) const AVC: u8 = 7;
/// Not in any specification; what Chinese CDNs and their encoders used before enhanced RTMP.
pub(super) const LEGACY_HEVC: u8 = 12;

/// Legacy `SoundFormat`.
pub(super) const MP3: u8 = 2;
/// Legacy `SoundFormat`.
pub(super) const AAC: u8 = 10;
/// Legacy `SoundFormat`: MP3 at 8 kHz, a rate that the two rate bits cannot say.
pub(super) const MP3_8_KHZ: u8 = 14;

/// `AVCPacketType`, `AACPacketType` and the first three of enhanced RTMP's packet types.
pub(super) mod packet {
    pub(in super::super) const SEQUENCE_START: u8 = 0;
    pub(in super::super) const CODED_FRAMES: u8 = 1;
    pub(in super::super) const SEQUENCE_END: u8 = 2;
    /// Video: without composition offset.
    pub(in super::super) const CODED_FRAMES_X: u8 = 3;
    /// Video.
    pub(in super::super) const METADATA: u8 = 4;
    /// Audio.
    pub(in super::super) const MULTICHANNEL_CONFIG: u8 = 4;
    /// Video.
    pub(in super::super) const MPEG2_TS_SEQUENCE_START: u8 = 5;
    /// Audio.
    pub(in super::super) const AUDIO_MULTITRACK: u8 = 5;
    /// Video.
    pub(in super::super) const VIDEO_MULTITRACK: u8 = 6;
    /// Both.
    pub(in super::super) const MOD_EX: u8 = 7;
}

/// `AvMultitrackType`.
pub(super) mod multitrack {
    pub(in super::super) const ONE_TRACK: u8 = 0;
    pub(in super::super) const MANY_TRACKS: u8 = 1;
    pub(in super::super) const MANY_TRACKS_MANY_CODECS: u8 = 2;
}

/// The FourCC of a video codec in enhanced RTMP; `None` for those that have only a legacy id.
pub(super) fn video_four_cc(codec: Codec) -> Option<FourCc> {
    Some(match codec {
        Codec::H264 => FourCc(*b"avc1"),
        Codec::H265 => FourCc(*b"hvc1"),
        Codec::H266 => FourCc(*b"vvc1"),
        Codec::Av1 => FourCc(*b"av01"),
        Codec::Vp8 => FourCc(*b"vp08"),
        Codec::Vp9 => FourCc(*b"vp09"),
        Codec::OtherVideo(cc) => cc,
        _ => return None,
    })
}

/// The video codec of a FourCC.
pub(super) fn video_codec(cc: FourCc) -> Codec {
    match &cc.0 {
        b"avc1" => Codec::H264,
        b"hvc1" => Codec::H265,
        b"vvc1" => Codec::H266,
        b"av01" => Codec::Av1,
        b"vp08" => Codec::Vp8,
        b"vp09" => Codec::Vp9,
        _ => Codec::OtherVideo(cc),
    }
}

/// The FourCC of an audio codec in enhanced RTMP; `None` for those that have only a legacy id.
pub(super) fn audio_four_cc(codec: Codec) -> Option<FourCc> {
    Some(match codec {
        Codec::Aac => FourCc(*b"mp4a"),
        Codec::Mp3 => FourCc(*b".mp3"),
        Codec::Opus => FourCc(*b"Opus"),
        Codec::Flac => FourCc(*b"fLaC"),
        Codec::Ac3 => FourCc(*b"ac-3"),
        Codec::Eac3 => FourCc(*b"ec-3"),
        Codec::OtherAudio(cc) => cc,
        _ => return None,
    })
}

/// The audio codec of a FourCC.
pub(super) fn audio_codec(cc: FourCc) -> Codec {
    match &cc.0 {
        b"mp4a" => Codec::Aac,
        b".mp3" => Codec::Mp3,
        b"Opus" => Codec::Opus,
        b"fLaC" => Codec::Flac,
        b"ac-3" => Codec::Ac3,
        b"ec-3" => Codec::Eac3,
        _ => Codec::OtherAudio(cc),
    }
}

/// Whether `CodedFrames` of this codec begin with a composition offset.
pub(super) fn has_composition_offset(codec: Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::H265 | Codec::H266)
}

/// Our number for a publisher's video track.
pub(super) fn video_track(track_id: u8) -> TrackId {
    TrackId(u16::from(track_id) * 2)
}

/// Our number for a publisher's audio track.
pub(super) fn audio_track(track_id: u8) -> TrackId {
    TrackId(u16::from(track_id) * 2 + 1)
}

/// The publisher's `trackId` behind our number; numbers beyond 511 are not from FLV.
pub(super) fn wire_track_id(track: TrackId) -> u8 {
    u8::try_from(track.0 / 2).unwrap_or(u8::MAX)
}
