//! Sequence headers, as encoders write them and as nobody should.
// Literals are grouped as the fields are.
#![allow(clippy::unwrap_used, clippy::unusual_byte_groupings)]
use proptest::prelude::*;

use super::super::bit_writer::BitWriter;
use super::super::tests::hex;
use super::sequence_header::{ColorConfig, SequenceHeader};
use super::{Config, VideoParams};

/// av1C of 12 pictures of testsrc2 by FFmpeg 9.0.2 (`-c:v … x.mp4`), and what FFmpeg 8.1 reads in
/// them: `ffprobe -show_entries stream=profile,level,width,height,pix_fmt,color_range,color_space,color_primaries,color_transfer,r_frame_rate x.mp4`;
/// timing: `ffmpeg -loglevel verbose -i x.mp4 -c copy -bsf:v trace_headers -f null -`.
const ENCODED: [(&str, SequenceHeader); 10] = [
    // libsvtav1 -preset 10, 30000/1001, yuv420p: it states no timing
    (
        "81010c000a0c0200000d2627fb3805f00080",
        SequenceHeader {
            profile: 0,
            level: 1,
            high_tier: false,
            params: VideoParams {
                width: 640,
                height: 360,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b1100,
                description: None,
            },
        },
    ),
    // libsvtav1 -preset 10 -colorspace bt2020nc, yuv420p10le
    (
        "81084c000a0f020000429533fecf00be1408082410",
        SequenceHeader {
            profile: 0,
            level: 8,
            high_tier: false,
            params: VideoParams {
                width: 1280,
                height: 720,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 10,
                monochrome: false,
                chroma: 0b1100,
                description: Some((2, 2, 9, false)),
            },
        },
    ),
    // libaom-av1 -cpu-used 8, yuv420p
    (
        "81000c000a0b000000043d06d4daf98040",
        SequenceHeader {
            profile: 0,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 322,
                height: 182,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b1100,
                description: None,
            },
        },
    ),
    // libaom-av1 -aom-params timing-info=constant, 24000/1001
    (
        "81000c000a140400000fa400017703400000bc3cfeccdaf98040",
        SequenceHeader {
            profile: 0,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: Some((24_000, 1_001)),
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b1100,
                description: None,
            },
        },
    ),
    // libaom-av1 -aom-params timing-info=model, 60/1: a decoder model, and intervals that need not be equal
    (
        "81000c000a1e0400000004000000f1780000000a530000035f915f90bc3cfeccdaf98040",
        SequenceHeader {
            profile: 0,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b1100,
                description: None,
            },
        },
    ),
    // libaom-av1, yuv444p
    (
        "812000000a0a200000043cfeccdaf982",
        SequenceHeader {
            profile: 1,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b0000,
                description: None,
            },
        },
    ),
    // libaom-av1, yuv422p12le
    (
        "814068000a0b400000043cfeccdaf9e220",
        SequenceHeader {
            profile: 2,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 12,
                monochrome: false,
                chroma: 0b1000,
                description: None,
            },
        },
    ),
    // libaom-av1, gray in full range
    (
        "81001c000a0a000000043cfeccdaf9aa",
        SequenceHeader {
            profile: 0,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: true,
                chroma: 0b1100,
                description: Some((2, 2, 2, true)),
            },
        },
    ),
    // libaom-av1, gbrp
    (
        "812000000a0d200000043cfeccdaf9a021a004",
        SequenceHeader {
            profile: 1,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b0000,
                description: Some((1, 13, 0, true)),
            },
        },
    ),
    // libaom-av1 -still-picture 1: the reduced header
    (
        "81000c000a071821e7f66d8040",
        SequenceHeader {
            profile: 0,
            level: 0,
            high_tier: false,
            params: VideoParams {
                width: 320,
                height: 180,
                frame_rate: None,
            },
            color: ColorConfig {
                bit_depth: 8,
                monochrome: false,
                chroma: 0b1100,
                description: None,
            },
        },
    ),
];

fn read(record: &[u8]) -> Config {
    Config::parse(record).unwrap()
}

fn refusal(record: &[u8]) -> String {
    Config::parse(record).unwrap_err().to_string()
}

#[test]
fn sequence_headers_say_what_ffprobe_reads() {
    for (record, header) in &ENCODED {
        let record = hex(record);
        assert_eq!(
            SequenceHeader::read(&record[6..]).as_ref(),
            Ok(header),
            "{record:02x?}"
        );
    }
}

#[test]
fn record_without_its_fields_has_them_from_the_sequence_header() {
    for (record, header) in &ENCODED {
        let mut record = hex(record);
        let sound = read(&record);
        // What the muxer made of the same header.
        assert_eq!(
            (record[1] >> 5, record[1] & 0x1f),
            (header.profile, header.level)
        );
        assert_eq!(record[2] >> 4 & 1 == 1, header.color.monochrome);
        assert_eq!(record[2] & 0x0f, header.color.chroma);
        (record[1], record[2]) = (0, 0);
        let bare = read(&record);
        assert_eq!(bare.params, header.params);
        assert_eq!(bare.bit_depth, header.color.bit_depth);
        assert_eq!(bare.codec_string(), sound.codec_string());
    }
}

#[test]
fn codec_strings_of_encoders() {
    let strings = ENCODED
        .each_ref()
        .map(|(record, _)| read(&hex(record)).codec_string());
    assert_eq!(
        strings,
        [
            "av01.0.01M.08",
            "av01.0.08M.10.0.110.02.02.09.0",
            "av01.0.00M.08",
            "av01.0.00M.08",
            "av01.0.00M.08",
            "av01.1.00M.08.0.000.01.01.01.0",
            "av01.2.00M.12.0.100.01.01.01.0",
            "av01.0.00M.08.1.110.02.02.02.1",
            "av01.1.00M.08.0.000.01.13.00.1",
            "av01.0.00M.08"
        ]
    );
}

#[test]
fn header_that_is_cut_off_is_refused_until_its_colours() {
    for (record, header) in &ENCODED {
        let payload = &hex(record)[6..];
        let mut whole = 0;
        for len in 0..=payload.len() {
            match SequenceHeader::read(&payload[..len]) {
                Ok(read) => {
                    assert_eq!(&read, header, "{len} bytes");
                    whole += 1;
                }
                Err(why) => {
                    assert_eq!(why, "cut off");
                    assert_eq!(whole, 0, "less of {len} bytes than of one less");
                }
            }
        }
        // Behind the colours there is only one bit, and the trailing ones.
        assert!((1..=3).contains(&whole), "{whole}");
    }
}

#[test]
fn reserved_profiles_and_headers_are_refused() {
    assert_eq!(
        SequenceHeader::read(&[0b011_00000, 0, 0]),
        Err("reserved profile")
    );
    assert_eq!(
        SequenceHeader::read(&[0b000_01000, 0, 0]),
        Err("reduced header of a picture that is not still")
    );
    let record = [&[0x81, 0, 0, 0, 0x0a, 1][..], &[0xe0]].concat();
    assert_eq!(
        refusal(&record),
        "sequence header OBU: reserved profile at byte 4"
    );
}

/// A header of 64x48 pixels, with timing, decoder model, display delays and two operating points.
fn full_header(time_scale: u64, units_in_tick: u64, ticks_minus_1: u64) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.bits(0b000_0_0, 5);
    bits.bits(1, 1);
    bits.bits(units_in_tick, 32);
    bits.bits(time_scale, 32);
    bits.bits(1, 1);
    bits.ue(ticks_minus_1);
    // Decoder model with delays of 32 bits.
    bits.bits(1, 1);
    bits.bits(31, 5);
    bits.bits(7, 32);
    bits.bits(9 << 5 | 9, 10);
    // Display delays, two points: level 5.1 in the high tier with both, 2.0 with neither.
    bits.bits(1, 1);
    bits.bits(1, 5);
    bits.bits(0x103, 12);
    bits.bits(13, 5);
    bits.bits(0b1_1, 2);
    bits.bits(u64::MAX, 32 + 32);
    bits.bits(0b1_1_0101, 6);
    bits.bits(0x101, 12);
    bits.bits(0, 5);
    bits.bits(0b0_0, 2);
    bits.bits(6, 4);
    bits.bits(5, 4);
    bits.bits(63, 7);
    bits.bits(47, 6);
    // Frame ids, no tools of still pictures, order hint with its bits; screen content never.
    bits.bits(1, 1);
    bits.bits(0b1111_111, 7);
    bits.bits(0, 3);
    bits.bits(0b0000_1_11_00, 9);
    bits.bits(6, 3);
    bits.bits(0, 3);
    // Colours: 8 bits, BT.709 with samples between the lines.
    bits.bits(0b0_0_1, 3);
    bits.bits(0x01_01_01, 24);
    bits.bits(0b0_10_0, 4);
    bits.bits(0b0_1, 2);
    bits.bytes()
}

#[test]
fn all_optional_parts_are_passed_over() {
    let header = SequenceHeader::read(&full_header(60_000, 1_001, 1)).unwrap();
    let expected = SequenceHeader {
        profile: 0,
        level: 13,
        high_tier: true,
        params: VideoParams {
            width: 64,
            height: 48,
            frame_rate: Some((30_000, 1_001)),
        },
        color: ColorConfig {
            bit_depth: 8,
            monochrome: false,
            chroma: 0b1110,
            description: Some((1, 1, 1, false)),
        },
    };
    assert_eq!(header, expected);
}

#[test]
fn timing_of_no_camera_is_no_rate() {
    let rate = |scale, units, ticks| {
        let header = SequenceHeader::read(&full_header(scale, units, ticks)).unwrap();
        header.params.frame_rate
    };
    assert_eq!(rate(25, 1, 0), Some((25, 1)));
    assert_eq!(rate(0, 1, 0), None);
    assert_eq!(rate(25, 0, 0), None);
    assert_eq!(rate(90_000, 1, 0), None);
    // The largest of all: units and ticks multiply to more than 32 bits.
    assert_eq!(
        rate(0xffff_ffff, 0xffff_ffff, 0xffff_fffe),
        Some((1, 0xffff_ffff))
    );
    assert_eq!(rate(1, 0xffff_ffff, 0xffff_fffe), None);
    assert_eq!(
        SequenceHeader::read(&full_header(25, 1, 0xffff_ffff)),
        Err("cut off"),
        "a code of 32 zeros is not allowed there"
    );
}

#[test]
fn sequence_header_is_found_behind_other_obus() {
    let record = hex(ENCODED[0].0);
    // A temporal delimiter, metadata with extension byte and a size in two bytes, then the header.
    let metadata = [&[0x2e, 0x08, 0x83, 0x00][..], &[4, 1, 2]].concat();
    let found = [&record[..4], &[0x12, 0], &metadata, &record[4..]].concat();
    assert_eq!(read(&found).params, ENCODED[0].1.params);
    // Without a size: all that is left.
    let bare = [&record[..4], &[0x08], &record[6..]].concat();
    assert_eq!(read(&bare).params, ENCODED[0].1.params);
}

#[test]
fn obus_that_do_not_fit_are_refused_with_the_offset() {
    let refused = |obus: &[u8]| refusal(&[&[0x81, 0, 0x0c, 0][..], obus].concat());
    let cut = |at| format!("sequence header OBU: cut off at byte {at}");
    assert_eq!(refused(&[0x0a]), cut(4), "no size");
    assert_eq!(refused(&[0x0e, 0]), cut(4), "no size behind the extension");
    assert_eq!(refused(&[0x12, 0, 0x0a, 2, 0]), cut(6), "one byte too few");
    assert_eq!(
        refused(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x1f, 0]),
        cut(4),
        "size of 33 bits"
    );
    assert_eq!(
        refused(&[&[0x0a][..], &[0x80; 9]].concat()),
        cut(4),
        "size of nine bytes"
    );
}

proptest! {
    #[test]
    fn no_damage_makes_a_sequence_header_panic(
        which in 0..ENCODED.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut record = hex(ENCODED[which].0);
        for (index, bit) in flips {
            let at = index.index(record.len());
            record[at] ^= 1 << bit;
        }
        let _ = Config::parse(&record).map(|config| config.codec_string());
        record.truncate(cut.index(record.len()));
        let _ = Config::parse(&record).map(|config| config.codec_string());
    }

    #[test]
    fn no_bytes_make_a_sequence_header_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = SequenceHeader::read(&bytes);
        let _ = Config::parse(&[&[0x81, 0, 0, 0][..], &bytes].concat());
    }
}
