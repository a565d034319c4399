//! Sequence parameter sets, as encoders write them and as nobody should.
// Literals are grouped as the fields are.
#![allow(clippy::unwrap_used, clippy::unusual_byte_groupings)]
use proptest::prelude::*;

use super::super::VideoParams;
use super::super::bit_writer::BitWriter;
use super::super::bits::unescape;
use super::super::tests::{hex, parse, refusal};
use super::sps::video_params;
use crate::Codec;

type Row = (&'static str, (u32, u32), (u32, u32));

/// SPS, size and rate. The SPS are from hvcC of 12 pictures of testsrc2, by FFmpeg 9.0.2
/// (`-c:v libx265 -x265-params …`, or libkvazaar), size and rate from FFmpeg 8.1:
/// `ffprobe -f hevc -show_entries stream=width,height,r_frame_rate x.hevc`.
const ENCODED: [Row; 10] = [
    // -r 25 -s 320x180 bframes=0
    (
        "42010101600000030090000003000003003ca00a080b9f7964a924caf0168080000003008000000c84",
        (320, 180),
        (25, 1),
    ),
    // -r 30000/1001 -s 854x480 bframes=4
    (
        "42010101600000030090000003000003005aa006b201e1d796566924caf01680800001f480003a9804",
        (854, 480),
        (30000, 1001),
    ),
    // -r 50 -s 1280x720 scaling-list=FILE
    (
        "420101016000000300900000030000030078a00280802d1659592493e10314514a38a528e294514c450d18a28a51c5294714a28a622840c514528e294a12294a50b14a5294345294a52878a5294a52878a5294a50d14a52942c5294a12294a38a5145311434628a294714a50914a52858a5294a1a294a52943c5294a52943c5294a52868a5294a16294a50914a51c528a2988a126628a294714a50914a52858a5294a1a294a52943c5294a52943c5294a52868a5294a16294a50914a51c528a2988a1210628a294714a50914a52858a5294a1a294a52943c5294a52943c5294a52868a5294a16294a50914a51c528a2988a126628a294714a50914a52858a5294a1a294a52943c5294a52943c5294a52868a5294a16294a50914a51c528a29a1210628a294714a50914a52858a5294a1a294a52943c5294a52943c5294a52868a5294a16294a50914a51c528a2995e02d0100000030010000003032080",
        (1280, 720),
        (50, 1),
    ),
    // -r 24000/1001 -s 640x360 hrd=1:vbv-maxrate=1000:vbv-bufsize=1000
    (
        "42010101600000030090000003000003003fa0050201696595964932bc05a02000007d20000bb80c0292cbc001e848003d0910",
        (640, 360),
        (24000, 1001),
    ),
    // -r 60 -s 720x576 sar=16\\:11:overscan=crop:videoformat=pal:range=full:colorprim=bt470bg:chromaloc=2:display-window=8,2,8,2
    (
        "42010101600000030090000003000003005da005a20090596564924caf04e7050505b62244b70000030001000003003c08",
        (720, 576),
        (60, 1),
    ),
    // -r 60000/1001 -s 416x240 temporal-layers=3
    (
        "42010401600000030090000003000003003f0000a00d080f1659594aca565924caf01680800001f48000753004",
        (416, 240),
        (60000, 1001),
    ),
    // -r 50 -s 720x288 interlace=tff
    (
        "42010101600000030040000003000003005aa005a2012165959a4932bc05a1a0000003002000000641",
        (720, 288),
        (50, 1),
    ),
    // -r 24 -s 400x226 -pix_fmt yuv422p10le colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc
    (
        "4201010408000003009d0800000300003cb00c880e9f3b6595924932bc05a84880482000000300200000030301",
        (400, 226),
        (24, 1),
    ),
    // -r 15 -s 322x182 -pix_fmt gray
    (
        "4201010408000003009fc800000300003cc029202e73de592a4932bc05b020000003002000000301e1",
        (322, 182),
        (15, 1),
    ),
    // libkvazaar -r 30 -s 416x240 gop=8
    (
        "4201020160000003008000000300000300ba0000a00d080f16820464932ac04040000003004000000782",
        (416, 240),
        (30, 1),
    ),
];

/// What those encoders never write, made by hand and read by the same ffprobe as 320x180, 60000/1001:
/// scaling lists with and without prediction, PCM, five short-term sets of which three are predicted
/// from the one before, long-term pictures, a default display window.
const BY_HAND: &str = "42010101600000030090000003000003003ca00a080b9f79657924f96468b234591a2910828d2c8d16468b234591a2c8d16468b234591a2c8d16468b234591a2c8c884146882c8d16468b234591a2c8d16468b234591a2c8d16468b234591a2c8c8a74591a2c8d16468b234591a2c8d16468b234591a2c8d16468b23459051a20b234591a2c8d16468b234591a2c8d16468b234591a2c8d16468b232eef7335aa79d2f200a8000ffffb0584bffc0010000ed404040690a5c00000fa40003a98310";

/// A scaling list whose first step is a code of 63 zeros, as the fuzzer found it: it made the
/// parser that was here before overflow.
const STEP_OF_63_ZEROS: &str = "42010101600000030090000003000003003ca00a080b9f79657924f8000003000003000003000ffffffffffffffff0000003000003000003001fffffffffffffffe0000003000003000003003fffffffffffffffc0000003000003000003007fffffffffffffff8000000300000300000300ffffffffffffffff0000030000030000030001fffffffffffffffe0000030000030000030003fffffffffffffffc0000030000030000030007fffffffffffffff8000003000003000003000ffffffffffffffff0000003000003000003001fffffffffffffffe0000003000003000003003fffffffffffffffc0000003000003000003007fffffffffffffff8000000300000300000300ffffffffffffffff0000030000030000030001fffffffffffffffe0000030000030000030003fffffffffffffffc0000030000030000030007fffffffffffffffaaaaaaaaaa220100000030010000003019080";

/// Transform blocks of 2^34 pixels: the other overflow of that parser.
const HUGE_BLOCKS: &str = "42010101600000030090000003000003003ca00a080b96595e430000030000ffffffffc220100000030010000003019080";

fn read(set: &str) -> VideoParams {
    video_params(&hex(set)).unwrap()
}

fn params((width, height): (u32, u32), rate: Option<(u32, u32)>) -> VideoParams {
    VideoParams {
        width,
        height,
        frame_rate: rate,
    }
}

#[test]
fn size_and_rate_are_those_that_ffprobe_reads() {
    for (set, size, rate) in ENCODED {
        assert_eq!(read(set), params(size, Some(rate)), "{set}");
    }
    assert_eq!(read(BY_HAND), params((320, 180), Some((60_000, 1_001))));
}

#[test]
fn codes_that_overflowed_another_parser_cost_the_rate_only() {
    assert_eq!(read(STEP_OF_63_ZEROS), params((320, 180), None));
    assert_eq!(read(HUGE_BLOCKS), params((320, 184), None));
}

#[test]
fn sps_against_a_rule_of_the_standard_still_has_a_rate() {
    // sps_temporal_id_nesting_flag 0 with one sub-layer: against H.265 §7.4.3.2.1, and in the field.
    let (set, size, rate) = ENCODED[0];
    let odd = set.replacen("42010101", "42010100", 1);
    assert_ne!(odd, set);
    assert_eq!(read(&odd), params(size, Some(rate)));
}

#[test]
fn sps_that_is_cut_off_has_the_whole_size_or_none_and_the_rate_if_it_was_before() {
    for (set, size, rate) in ENCODED
        .into_iter()
        .chain([(BY_HAND, (320, 180), (60_000, 1_001))])
    {
        let set = hex(set);
        let mut last = 0;
        for len in 0..=set.len() {
            let reached = match video_params(&set[..len]) {
                Err(error) => {
                    assert_eq!(error.what, "SPS");
                    assert!(error.offset <= len, "{error} of {len} bytes");
                    0
                }
                Ok(read) if read == params(size, None) => 1,
                Ok(read) => {
                    assert_eq!(read, params(size, Some(rate)), "{len} bytes");
                    2
                }
            };
            assert!(reached >= last, "less of {len} bytes than of one less");
            last = reached;
        }
        assert_eq!(last, 2);
    }
}

#[test]
fn sps_without_a_readable_size_is_refused_with_the_offset() {
    let hvcc = |set: &[u8]| {
        let mut record = hex("0101600000009000000000003cf000fcfdf8f800000f01210001");
        record.extend_from_slice(&u16::try_from(set.len()).unwrap().to_be_bytes());
        record.extend_from_slice(set);
        record
    };
    let set = hex(ENCODED[0].0);
    assert!(parse(Codec::H265, &text(&hvcc(&set))).video().is_some());
    let wrong = refusal(Codec::H265, &hvcc(&hex("4401c172b46240")));
    assert_eq!(wrong, "SPS: not a sequence parameter set at byte 0");
    let short = refusal(Codec::H265, &hvcc(&set[..19]));
    assert_eq!(short, "SPS: cut off at byte 16");
    let cropped = Sps {
        window: [0, 200, 0, 0],
        ..Sps::default()
    };
    let cropped = refusal(Codec::H265, &hvcc(&cropped.write()));
    assert_eq!(
        cropped,
        "SPS: cropped to nothing, or larger than 65535 at byte 2"
    );
}

/// A parameter set to be written: sound by default, 320x180, 25 pictures per second.
struct Sps {
    chroma_format: u64,
    window: [u64; 4],
    bit_depth: u64,
    poc_bits: u64,
    buffering: u64,
    blocks: [u64; 6],
    sets: fn(&mut BitWriter),
    long_term: u64,
    units_in_tick: u64,
    time_scale: u64,
}

impl Default for Sps {
    fn default() -> Self {
        Self {
            chroma_format: 1,
            window: [0, 0, 0, 2],
            bit_depth: 0,
            poc_bits: 4,
            buffering: 4,
            blocks: [0, 3, 0, 3, 0, 0],
            sets: |bits| bits.ue(0),
            long_term: 0,
            units_in_tick: 1,
            time_scale: 25,
        }
    }
}

impl Sps {
    fn write(&self) -> Vec<u8> {
        let mut bits = BitWriter::default();
        bits.bits(0x4201, 16);
        // Parameter set ids, one sub-layer; profile, tier and level.
        bits.bits(0x01, 8);
        bits.bits(1, 8);
        bits.bits(0x6000_0000, 32);
        bits.bits(0x9000_0000_0000, 48);
        bits.bits(60, 8);
        bits.ue(0);
        bits.ue(self.chroma_format);
        if self.chroma_format == 3 {
            bits.bits(0, 1);
        }
        bits.ue(320);
        bits.ue(184);
        bits.bits(1, 1);
        for side in self.window {
            bits.ue(side);
        }
        bits.ue(self.bit_depth);
        bits.ue(self.bit_depth);
        bits.ue(self.poc_bits);
        bits.bits(1, 1);
        bits.ue(self.buffering);
        bits.ue(2);
        bits.ue(0);
        for size in self.blocks {
            bits.ue(size);
        }
        // No scaling lists, no tools, no PCM.
        bits.bits(0, 4);
        (self.sets)(&mut bits);
        bits.bits(u64::from(self.long_term > 0), 1);
        if self.long_term > 0 {
            bits.ue(self.long_term);
            for _ in 0..self.long_term {
                bits.bits(1, 5 + usize::try_from(self.poc_bits).unwrap());
            }
        }
        // No tools; VUI with the timing alone.
        bits.bits(0b001, 3);
        bits.bits(0b0000_0000_1, 9);
        bits.bits(self.units_in_tick, 32);
        bits.bits(self.time_scale, 32);
        bits.bits(1, 1);
        bits.escaped()
    }

    fn rate(&self) -> Option<(u32, u32)> {
        video_params(&self.write()).unwrap().frame_rate
    }
}

#[test]
fn values_at_the_end_of_their_range_are_read_and_beyond_it_cost_the_rate() {
    const RATE: Option<(u32, u32)> = Some((25, 1));
    let sound = Sps::default;
    assert_eq!(sound().rate(), RATE);
    let blocks = |at: usize, size| {
        let mut sps = sound();
        sps.blocks[at] = size;
        sps.rate()
    };
    for at in 0..4 {
        assert_eq!(
            (blocks(at, 3), blocks(at, 4)),
            (RATE, None),
            "block size {at}"
        );
    }
    for at in 4..6 {
        assert_eq!((blocks(at, 4), blocks(at, 5)), (RATE, None), "depth {at}");
    }
    let chroma = |chroma_format| {
        Sps {
            chroma_format,
            ..sound()
        }
        .rate()
    };
    assert_eq!((chroma(0), chroma(3), chroma(4)), (RATE, RATE, None));
    let depth = |bit_depth| {
        Sps {
            bit_depth,
            ..sound()
        }
        .rate()
    };
    assert_eq!((depth(8), depth(9)), (RATE, None));
    let buffering = |buffering| {
        Sps {
            buffering,
            ..sound()
        }
        .rate()
    };
    assert_eq!((buffering(15), buffering(16)), (RATE, None));
    let poc = |poc_bits| {
        Sps {
            poc_bits,
            long_term: 1,
            ..sound()
        }
        .rate()
    };
    assert_eq!((poc(12), poc(13)), (RATE, None));
    let long_term = |long_term| {
        Sps {
            long_term,
            ..sound()
        }
        .rate()
    };
    assert_eq!((long_term(32), long_term(33)), (RATE, None));
    let no_time = Sps {
        units_in_tick: 0,
        ..sound()
    };
    assert_eq!(no_time.rate(), None);
    let clock = Sps {
        time_scale: 90_000,
        ..sound()
    };
    assert_eq!(
        clock.rate(),
        None,
        "no camera has 90 000 pictures per second"
    );
}

/// A set that states its pictures: steps before the current one, then after it.
fn set(bits: &mut BitWriter, before: &[u64], after: &[u64]) {
    bits.ue(before.len() as u64);
    bits.ue(after.len() as u64);
    for step in before.iter().chain(after) {
        bits.ue(step - 1);
        bits.bits(1, 1);
    }
}

#[test]
fn reference_picture_sets_are_bounded() {
    let rate = |sets| {
        Sps {
            sets,
            ..Sps::default()
        }
        .rate()
    };
    fn many(bits: &mut BitWriter, count: u64) {
        bits.ue(count);
        for index in 0..count {
            bits.bits(0, usize::from(index > 0));
            set(bits, &[1], &[]);
        }
    }
    assert!(rate(|bits| many(bits, 64)).is_some());
    assert_eq!(rate(|bits| many(bits, 65)), None);
    fn one(bits: &mut BitWriter, before: &[u64], after: &[u64]) {
        bits.ue(1);
        set(bits, before, after);
    }
    assert!(rate(|bits| one(bits, &[1; 9], &[1; 7])).is_some());
    assert_eq!(rate(|bits| one(bits, &[1; 9], &[1; 8])), None);
    assert_eq!(
        rate(|bits| {
            bits.ue(1);
            bits.ue(0xffff_fffe);
            bits.ue(0xffff_fffe)
        }),
        None
    );
    assert!(rate(|bits| one(bits, &[1 << 15], &[])).is_some());
    assert_eq!(rate(|bits| one(bits, &[(1 << 15) + 1], &[])), None);
    assert_eq!(rate(|bits| one(bits, &[1 << 15, 1], &[])), None, "as a sum");
    assert_eq!(
        rate(|bits| one(bits, &[], &[1 << 15])),
        None,
        "32 767 is the last one after"
    );
}

#[test]
fn predicted_sets_grow_by_one_picture_up_to_sixteen() {
    // Each set keeps all of the one before, and that one's picture.
    fn chain(bits: &mut BitWriter, count: u64) {
        bits.ue(count);
        set(bits, &[1], &[]);
        for pictures in 1..count {
            bits.bits(0b11, 2);
            bits.ue(0);
            for _ in 0..=pictures {
                bits.bits(1, 1);
            }
        }
    }
    let rate = |sets| {
        Sps {
            sets,
            ..Sps::default()
        }
        .rate()
    };
    assert!(rate(|bits| chain(bits, 16)).is_some());
    assert_eq!(rate(|bits| chain(bits, 17)), None);
}

#[test]
fn escapes_within_the_set_are_taken_out_before_it_is_read() {
    // num_units_in_tick 1 alone has three zero bytes in a row.
    let written = Sps::default().write();
    assert!(unescape(&written).len() < written.len());
    assert_eq!(
        video_params(&written).unwrap(),
        params((320, 180), Some((25, 1)))
    );
}

proptest! {
    #[test]
    fn no_damage_makes_an_sps_panic(
        which in 0..=ENCODED.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..8),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut set = hex(ENCODED.get(which).map_or(BY_HAND, |row| row.0));
        for (index, bit) in flips {
            // Behind the NAL unit header, so that it is looked at.
            let at = 2 + index.index(set.len() - 2);
            set[at] ^= 1 << bit;
        }
        for (index, byte) in bytes {
            let at = 2 + index.index(set.len() - 2);
            set[at] = byte;
        }
        let _ = video_params(&set);
        set.truncate(2 + cut.index(set.len() - 2));
        let _ = video_params(&set);
    }

    #[test]
    fn no_bytes_behind_a_sound_beginning_make_an_sps_panic(
        keep in 0_usize..40,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut set = hex(BY_HAND);
        set.truncate(2 + keep);
        set.extend(bytes);
        let _ = video_params(&set);
    }
}

/// As hexadecimal digits.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
