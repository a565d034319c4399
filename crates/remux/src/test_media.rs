//! Hand-made tracks and units for the tests of this crate.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use media::config::{ac3, mp3};
use media::{AccessUnit, Codec, CodecConfig, Dts, Ticks, Timescale, Track, TrackId, TrackList};
use std::sync::Arc;

pub(crate) const VIDEO: TrackId = TrackId(0);
pub(crate) const AUDIO: TrackId = TrackId(1);

/// avcC: High 640x360, lengths of 4 bytes (x264).
pub(crate) const AVCC: &str =
    "0164001effe1001a6764001eacd940a02ff97011000003000100000300320f162d9601000568ebecb22cfdf8f800";
/// hvcC: Main 640x360 (x265); its fourth array is an SEI message.
pub(crate) const HVCC: &str = "0101600000009000000000003ff000fcfdf8f800000f03200001001840010c01ffff01600000030090000003000003003fba0240210001002b42010101600000030090000003000003003fa005020171f2e5ba4a4c2f016808000003000800000300c84022000100064401c073c189";
/// av1C: Main 320x180.
pub(crate) const AV1C: &str = "81000c000a0b0200000521e7f66017c002";
/// vpcC with version and flags, as FLV has it.
pub(crate) const VPCC: &str = "01000000000b820202020000";
/// AudioSpecificConfig: LC, 48 kHz, stereo.
pub(crate) const ASC: &str = "119056e500";
/// OpusHead: stereo, pre-skip 312.
pub(crate) const OPUS_HEAD: &str = "4f707573486561640102380180bb0000000000";
/// STREAMINFO: 48 kHz mono.
pub(crate) const STREAMINFO: &str =
    "040004000000000008150bb800f00000000000000000000000000000000000000000";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// The track of a configuration record, with the millisecond clock of FLV.
pub(crate) fn track(id: TrackId, codec: Codec, record: &str) -> Track {
    let config = CodecConfig::parse(codec, &hex(record)).unwrap();
    Track::new(id, Timescale::MILLIS, config)
}

pub(crate) fn h264() -> Track {
    track(VIDEO, Codec::H264, AVCC)
}

pub(crate) fn h265() -> Track {
    track(VIDEO, Codec::H265, HVCC)
}

pub(crate) fn aac() -> Track {
    track(AUDIO, Codec::Aac, ASC)
}

pub(crate) fn mp3(sample_rate: u32) -> Track {
    // Layer III, 128 kbit/s (MPEG-1) or 80 kbit/s (MPEG-2).
    let header = match sample_rate {
        48_000 => "fffb9400",
        44_100 => "fffb9000",
        22_050 => "fff39000",
        other => panic!("no header for {other} Hz"),
    };
    let config = mp3::Config::from_frame(&hex(header)).unwrap();
    Track::new(AUDIO, Timescale::MILLIS, CodecConfig::Mp3(config))
}

/// AC-3 48 kHz, 3/2 + LFE, 384 kbit/s: the first bytes of a frame.
pub(crate) const AC3_FRAME: &str = "0b77f3761c40e1de4f00000000000000";

pub(crate) fn ac3() -> Track {
    let config = ac3::Config::from_ac3_frame(&hex(AC3_FRAME)).unwrap();
    Track::new(AUDIO, Timescale::MILLIS, CodecConfig::Ac3(config))
}

pub(crate) fn list(tracks: Vec<Track>) -> TrackList {
    TrackList::new(tracks.into_iter().map(Arc::new).collect())
}

/// NAL units behind lengths of 4 bytes.
pub(crate) fn length_prefixed(nals: &[&[u8]]) -> Bytes {
    let mut out = Vec::new();
    for nal in nals {
        out.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
        out.extend_from_slice(nal);
    }
    out.into()
}

/// A video unit of these NAL units.
pub(crate) fn video(dts: i64, offset: i64, nals: &[&[u8]]) -> AccessUnit {
    AccessUnit::new(VIDEO, Dts(dts), length_prefixed(nals)).composition_offset(Ticks(offset))
}

/// An audio unit of `len` bytes.
pub(crate) fn audio(dts: i64, len: usize) -> AccessUnit {
    let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    AccessUnit::new(AUDIO, Dts(dts), payload.into()).random_access()
}

/// `len` bytes of a NAL unit of this first byte, without anything like a start code.
pub(crate) fn nal(first: u8, len: usize) -> Vec<u8> {
    let mut nal: Vec<u8> = (0..len).map(|at| (at % 250) as u8 + 5).collect();
    if let Some(byte) = nal.first_mut() {
        *byte = first;
    }
    nal
}

/// An H.264 group of pictures with B-frames and two audio frames, in arrival order.
pub(crate) fn small_stream() -> Vec<AccessUnit> {
    vec![
        video(0, 80, &[&nal(0x65, 400)]).random_access(),
        audio(0, 200),
        video(40, 120, &[&nal(0x41, 100)]),
        audio(21, 176),
        video(80, 0, &[&nal(0x06, 20), &nal(0x01, 130)]),
        {
            let mut unit = video(120, -40, &[&nal(0x01, 159)]);
            unit.role = media::FrameRole::Disposable;
            unit
        },
        audio(43, 177),
    ]
}
