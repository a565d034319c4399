#![allow(clippy::unwrap_used)]
use media::{Dts, FourCc, Ticks, TrackId, Unconfigured};
use proptest::prelude::*;

use super::*;
use crate::flv::{Event, Parser};

const VIDEO: [Codec; 9] = [
    Codec::H264,
    Codec::H265,
    Codec::H266,
    Codec::Av1,
    Codec::Vp8,
    Codec::Vp9,
    Codec::FlvVideo(2),
    Codec::FlvVideo(4),
    Codec::OtherVideo(FourCc(*b"abcd")),
];
const AUDIO: [Codec; 9] = [
    Codec::Aac,
    Codec::Mp3,
    Codec::Opus,
    Codec::Flac,
    Codec::Ac3,
    Codec::Eac3,
    Codec::FlvAudio(3),
    Codec::FlvAudio(11),
    Codec::OtherAudio(FourCc(*b"abcd")),
];

fn track(id: u16, codec: Codec) -> Track {
    Track {
        id: TrackId(id),
        codec,
        timescale: Timescale::MILLIS,
        config: Err(Unconfigured::Missing),
        flv_body: None,
    }
}

fn join(track: &Track, unit: &AccessUnit) -> Bytes {
    let (header, payload) = unit_body(track, unit);
    [&header[..], &payload[..]].concat().into()
}

/// The unit that a parser reads of a body.
fn parse(kind: TrackKind, body: &Bytes) -> (Codec, AccessUnit) {
    let mut parser = Parser::default();
    let events = match kind {
        TrackKind::Video => parser.video(body),
        TrackKind::Audio => parser.audio(body),
    };
    let mut codec = None;
    for event in events.unwrap() {
        match event {
            Event::Track(track) => codec = Some(track.codec),
            Event::Unit(unit) => return (codec.unwrap(), unit),
            _ => {}
        }
    }
    panic!("no unit in {body:02x?}");
}

fn built(id: u16, codec: Codec, offset: i64, role: FrameRole) -> Vec<u8> {
    let mut unit = AccessUnit::new(TrackId(id), Dts(0), Bytes::from_static(&[0xaa]));
    unit.composition_offset = Ticks(offset);
    unit.role = role;
    join(&track(id, codec), &unit).to_vec()
}

#[test]
fn bodies_are_exact() {
    use FrameRole::{Disposable, Inter, RandomAccess};
    assert_eq!(
        built(0, Codec::H264, -2, RandomAccess),
        b"\x17\x01\xff\xff\xfe\xaa"
    );
    assert_eq!(
        built(0, Codec::H264, 0, Disposable),
        b"\x37\x01\x00\x00\x00\xaa"
    );
    assert_eq!(
        built(0, Codec::H265, 5, RandomAccess),
        b"\x91hvc1\x00\x00\x05\xaa"
    );
    assert_eq!(built(0, Codec::H265, 0, Inter), b"\xa3hvc1\xaa");
    assert_eq!(built(0, Codec::Av1, 0, Inter), b"\xa1av01\xaa");
    assert_eq!(
        built(2, Codec::H264, 5, Inter),
        b"\xa6\x01avc1\x01\x00\x00\x05\xaa"
    );
    assert_eq!(built(2, Codec::H264, 0, Inter), b"\xa6\x03avc1\x01\xaa");
    assert_eq!(built(0, Codec::FlvVideo(4), 0, Inter), b"\x24\xaa");
    assert_eq!(built(1, Codec::Aac, 0, RandomAccess), b"\xaf\x01\xaa");
    assert_eq!(built(1, Codec::Mp3, 0, RandomAccess), b"\x2f\xaa");
    assert_eq!(built(1, Codec::Opus, 0, RandomAccess), b"\x91Opus\xaa");
    assert_eq!(
        built(3, Codec::Aac, 0, RandomAccess),
        b"\x95\x01mp4a\x01\xaa"
    );
    assert_eq!(built(1, Codec::FlvAudio(11), 0, RandomAccess), b"\xbe\xaa");
}

#[test]
fn arrived_bodies_are_sent_untouched() {
    let mut unit = AccessUnit::new(TrackId(0), Dts(0), Bytes::from_static(&[0xaa]));
    unit.flv_body = Some(Bytes::from_static(&[1, 2, 3]));
    let (header, body) = unit_body(&track(0, Codec::H264), &unit);
    assert!(header.is_empty());
    assert_eq!(&body[..], [1, 2, 3]);
}

#[test]
fn mp3_header_says_rate_and_channels_as_far_as_it_can() {
    for (frame, byte) in [
        ([0xff, 0xfb, 0x90, 0x64], 0x2f),
        ([0xff, 0xfb, 0x92, 0xc4], 0x2e),
        ([0xff, 0xf3, 0x80, 0xc4], 0x2a),
        ([0xff, 0xe3, 0x10, 0xc4], 0x26),
        ([0xff, 0xe3, 0x18, 0xc4], 0xe2),
    ] {
        let config = CodecConfig::from_frame(Codec::Mp3, &frame).unwrap();
        let track = Track::new(TrackId(1), Timescale::MILLIS, config);
        let unit = AccessUnit::new(TrackId(1), Dts(0), Bytes::copy_from_slice(&frame));
        assert_eq!(join(&track, &unit)[0], byte, "{:?}", track.config);
    }
}

#[test]
fn offset_of_another_clock_is_rounded_from_absolute_times() {
    let mut track = track(0, Codec::H264);
    track.timescale = Timescale::NINETY_KHZ;
    let offset = |dts: i64, offset: i64| {
        let unit = AccessUnit::new(TrackId(0), Dts(dts), Bytes::from_static(&[1]));
        composition_offset_ms(track.timescale, &unit.composition_offset(Ticks(offset)))
    };
    assert_eq!(offset(0, 3_003), 33);
    assert_eq!(offset(80, 20), 1, "0.89 ms and 1.11 ms");
    assert_eq!(offset(100, -90), -1);
    assert_eq!(offset(0, i64::MAX), (1 << 23) - 1);
    assert_eq!(offset(0, i64::MIN), -(1 << 23));
}

#[test]
fn headers_are_built_of_configurations_and_parse_back() {
    let avcc = b"\x01\x42\xc0\x1e\xff\xe1\x00\x19\x67\x42\xc0\x1e\xd8\x90\x28\x0b\xfe\x5c\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0c\x83\xc5\x8b\x89\x80\x01\x00\x05\x68\xc8\x88\xcb\x20";
    let opus = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
    for (id, codec, record, start) in [
        (0, Codec::H264, &avcc[..], &b"\x17\x00\x00\x00\x00"[..]),
        (2, Codec::H264, avcc, b"\x96\x00avc1\x01"),
        (1, Codec::Aac, b"\x12\x10", b"\xaf\x00"),
        (5, Codec::Aac, b"\x12\x10", b"\x95\x00mp4a\x02"),
        (1, Codec::Opus, opus, b"\x90Opus"),
        (
            0,
            Codec::Vp9,
            b"\x01\0\0\0\0\x0b\x82\x02\x02\x02\0\0",
            b"\x90vp09",
        ),
    ] {
        let config = CodecConfig::parse(codec, record).unwrap();
        let track = Track::new(TrackId(id), Timescale::MILLIS, config);
        let body = header_body(&track).unwrap();
        assert_eq!(body, [start, record].concat());
        let mut parser = Parser::default();
        let events = match track.kind() {
            TrackKind::Video => parser.video(&body),
            TrackKind::Audio => parser.audio(&body),
        };
        let Some(Event::Track(read)) = events.unwrap().next() else {
            panic!("no track");
        };
        assert!(read.same_configuration(&track), "{codec}");
        assert_eq!(read.id, track.id);
        assert_eq!(header_body(&read), Some(body), "the body that arrived");
    }
    let mp3 = CodecConfig::from_frame(Codec::Mp3, &[0xff, 0xfb, 0x90, 0x64]).unwrap();
    assert_eq!(
        header_body(&Track::new(TrackId(1), Timescale::MILLIS, mp3)),
        None
    );
    assert_eq!(header_body(&track(0, Codec::H264)), None);
}

proptest! {
    #[test]
    fn parser_reads_what_was_built(
        kind in prop_oneof![Just(TrackKind::Video), Just(TrackKind::Audio)],
        which in 0_usize..9,
        number in 0_u16..256,
        offset in -(1_i64 << 23)..1 << 23,
        role in prop_oneof![
            Just(FrameRole::RandomAccess), Just(FrameRole::Inter), Just(FrameRole::Disposable),
        ],
        payload in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let (codec, id) = match kind {
            TrackKind::Video => (VIDEO[which], number * 2),
            TrackKind::Audio => (AUDIO[which], number * 2 + 1),
        };
        // Legacy numbers exist for the default tracks only.
        let is_legacy = matches!(codec, Codec::FlvVideo(_) | Codec::FlvAudio(_));
        let id = if is_legacy { id % 2 } else { id };
        let with_offset = matches!(codec, Codec::H264 | Codec::H265 | Codec::H266);
        let mut unit = AccessUnit::new(TrackId(id), Dts(0), payload.into());
        if kind == TrackKind::Video {
            unit.role = role;
            unit.composition_offset = Ticks(if with_offset { offset } else { 0 });
        } else {
            unit.role = FrameRole::RandomAccess;
        }
        let body = join(&track(id, codec), &unit);
        let (read_codec, read) = parse(kind, &body);
        prop_assert_eq!(read_codec, codec);
        prop_assert_eq!(read.track, unit.track);
        prop_assert_eq!(read.role, unit.role);
        prop_assert_eq!(read.composition_offset, unit.composition_offset);
        prop_assert_eq!(&read.payload, &unit.payload);
        prop_assert_eq!(read.flv_body, Some(body));
    }

    #[test]
    fn no_body_makes_the_parser_panic(
        bodies in prop::collection::vec(
            (any::<bool>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 1..8,
        ),
    ) {
        let mut parser = Parser::default();
        for (is_video, first, mut body) in bodies {
            // Enhanced packet types more often than chance would.
            body.insert(0, if is_video { first } else { 0x90 | first & 0x0f });
            let body = Bytes::from(body);
            let events = if is_video { parser.video(&body) } else { parser.audio(&body) };
            for event in events.into_iter().flatten() {
                if let Event::Unit(unit) = event {
                    prop_assert!(!unit.payload.is_empty() && unit.payload.len() < body.len());
                }
            }
        }
    }
}

#[test]
fn opus_of_mp4_gets_its_header_in_the_form_of_ogg() {
    // ISO/IEC 14496-12 has it big endian and without the magic: stereo, pre-skip 312, 48 kHz.
    let mp4 = [0, 2, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0];
    let config = CodecConfig::parse(Codec::Opus, &mp4).unwrap();
    let track = Track {
        config: Ok(config),
        ..track(1, Codec::Opus)
    };
    let ogg = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00";
    let body = header_body(&track).unwrap();
    assert_eq!(&body[..], &[&b"\x90Opus"[..], ogg].concat()[..]);
}
