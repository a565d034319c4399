#![allow(clippy::unwrap_used)]

mod reader;

use std::io::Cursor;

use bytes::Bytes;
use media::{AccessUnit, Codec, Dts, FrameRole, Timescale, Track, TrackId, Unconfigured};
use mp4_atom::{Any, Decode as _, DecodeMaybe as _};
use proptest::prelude::*;

use self::reader::{boxes, dump, only, samples};
use super::*;
use crate::test_media::{
    AC3_FRAME, ASC, AUDIO, AV1C, AVCC, HVCC, OPUS_HEAD, STREAMINFO, VIDEO, VPCC, aac, ac3, audio,
    h264, h265, hex, list, mp3, nal, small_stream, track, video,
};
use media::CodecConfig;

const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;
const DISPOSABLE: u32 = 0x0181_0000;

fn muxer(tracks: Vec<Track>) -> FragmentMuxer {
    let (muxer, left_out) = FragmentMuxer::new(&list(tracks));
    assert_eq!(left_out, []);
    muxer
}

/// (dts, offset, duration, flags) of the samples of one track.
fn times(fragment: &[u8], id: TrackId) -> Vec<(u64, i64, u32, u32)> {
    let number = u32::from(id.0) + 1;
    let samples = samples(fragment).into_iter().filter(|s| s.track == number);
    samples
        .map(|s| (s.dts, s.offset, s.duration, s.flags))
        .collect()
}

#[test]
fn small_stream_as_boxes() {
    let mut muxer = muxer(vec![h264(), aac()]);
    insta::assert_snapshot!("init", dump(&muxer.init_segment()));
    let ends = [(VIDEO, Dts(160)), (AUDIO, Dts(64))];
    let fragment = muxer.fragment(&small_stream(), &ends).unwrap();
    insta::assert_snapshot!("fragment", dump(&fragment));
    assert_eq!(muxer.codec_strings(), ["avc1.64001e", "mp4a.40.2"]);
}

#[test]
fn small_stream_comes_back_with_its_times() {
    let units = small_stream();
    let ends = [(VIDEO, Dts(160)), (AUDIO, Dts(64))];
    let fragment = muxer(vec![h264(), aac()]).fragment(&units, &ends).unwrap();
    assert_eq!(
        times(&fragment, VIDEO),
        [
            (0, 7200, 3600, SYNC),
            (3600, 10800, 3600, NON_SYNC),
            (7200, 0, 3600, NON_SYNC),
            (10800, -3600, 3600, DISPOSABLE),
        ]
    );
    assert_eq!(
        times(&fragment, AUDIO),
        [
            (0, 0, 1890, SYNC),
            (1890, 0, 1980, SYNC),
            (3870, 0, 1890, SYNC)
        ]
    );
    let data: Vec<_> = samples(&fragment).into_iter().map(|s| s.data).collect();
    let want = [VIDEO, AUDIO]
        .iter()
        .flat_map(|id| units.iter().filter(move |unit| unit.track == *id));
    assert_eq!(
        data,
        want.map(|unit| unit.payload.to_vec()).collect::<Vec<_>>()
    );
}

#[test]
fn fragments_number_on_and_each_starts_at_its_first_dts() {
    let mut muxer = muxer(vec![h264()]);
    let slice = |dts| video(dts, 0, &[&nal(0x41, 9)]);
    for (n, dts) in [(1u8, 0), (2, 40), (3, 1000), (4, 500)] {
        let fragment = muxer.fragment(&[slice(dts)], &[]).unwrap();
        let moof = only(&fragment, "moof");
        assert_eq!(only(moof, "mfhd"), [0, 0, 0, 0, 0, 0, 0, n]);
        assert_eq!(samples(&fragment)[0].dts, dts.cast_unsigned() * 90);
    }
}

mod durations {
    use super::*;

    fn slices(dts: &[i64]) -> Vec<AccessUnit> {
        dts.iter()
            .map(|&dts| video(dts, 0, &[&nal(0x41, 9)]))
            .collect()
    }

    fn of(muxer: &mut FragmentMuxer, dts: &[i64], end: Option<i64>) -> Vec<u32> {
        let ends: Vec<_> = end.into_iter().map(|end| (VIDEO, Dts(end))).collect();
        let fragment = muxer.fragment(&slices(dts), &ends).unwrap();
        times(&fragment, VIDEO)
            .iter()
            .map(|sample| sample.2 / 90)
            .collect()
    }

    #[test]
    fn last_one_comes_from_the_end_then_from_the_one_before() {
        let mut muxer = muxer(vec![h264()]);
        assert_eq!(of(&mut muxer, &[0, 40, 80], Some(200)), [40, 40, 120]);
        assert_eq!(of(&mut muxer, &[200, 233], None), [33, 33]);
        assert_eq!(of(&mut muxer, &[266], None), [33]);
    }

    #[test]
    fn first_one_alone_lasts_as_the_configuration_says() {
        // 25 fps in the SPS; 1024 samples at 48 kHz; 40 ms where nothing is said.
        assert_eq!(of(&mut muxer(vec![h264()]), &[0], None), [40]);
        let fragment = muxer(vec![aac()]).fragment(&[audio(0, 9)], &[]).unwrap();
        assert_eq!(times(&fragment, AUDIO), [(0, 0, 1920, SYNC)]);
    }

    #[test]
    fn fragments_of_rounded_times_add_up() {
        // 1024 samples at 48 kHz are 21.3 ms; each fragment ends before the next frame is known.
        let mut muxer = muxer(vec![aac()]);
        let dts: Vec<i64> = (0..900).map(|n| n * 1024 * 1000 / 48_000).collect();
        let mut sum = 0;
        for part in dts.chunks(15) {
            let units: Vec<_> = part.iter().map(|dts| audio(*dts, 9)).collect();
            let fragment = muxer.fragment(&units, &[]).unwrap();
            let read = times(&fragment, AUDIO);
            let apart = read[0].0.cast_signed() - sum;
            assert!(apart.abs() < 90, "{apart} ticks apart at {} ms", part[0]);
            sum += read.iter().map(|sample| i64::from(sample.2)).sum::<i64>();
        }
    }

    #[test]
    fn sound_before_a_pause_is_as_long_as_it_plays() {
        // A clip that begins again: two frames at the end of a part, 147 ms apart.
        let units = [audio(0, 9), audio(21, 9), audio(168, 9)];
        let fragment = muxer(vec![aac()]).fragment(&units, &[]).unwrap();
        let durations: Vec<u32> = times(&fragment, AUDIO).iter().map(|s| s.2).collect();
        assert_eq!(durations, [1890, 13_230, 1920]);
        // Opus says in each packet how long it is: 20 ms of one frame, 40 ms of two.
        let mut muxer = super::muxer(vec![track(AUDIO, Codec::Opus, OPUS_HEAD)]);
        let packet = |dts, toc: u8| AccessUnit {
            payload: Bytes::from(vec![toc, 1, 2, 3]),
            ..audio(dts, 4)
        };
        let units = [packet(0, 0xfc), packet(20, 0xfc), packet(167, 0xfd)];
        let fragment = muxer.fragment(&units, &[]).unwrap();
        let durations: Vec<u32> = times(&fragment, AUDIO).iter().map(|s| s.2).collect();
        assert_eq!(durations, [1800, 13_230, 3600]);
    }

    #[test]
    fn never_zero_or_negative_and_presentation_stays_exact() {
        let units = slices(&[1000, 1040, 1010, 1020, 1200, 1200, 1240]);
        let fragment = muxer(vec![h264()])
            .fragment(&units, &[(VIDEO, Dts(900))])
            .unwrap();
        let read = times(&fragment, VIDEO);
        for (unit, (dts, offset, duration, _)) in units.iter().zip(&read) {
            assert!(*duration > 0);
            assert_eq!(dts.cast_signed() + offset, unit.pts().0 * 90);
        }
        let decode: Vec<u64> = read.iter().map(|sample| sample.0).collect();
        let base = 90_000;
        let (at_1040, at_1200) = (base + 3600, base + 18_000);
        // The two that go back take a tick each; from 1200 on the clock is right again.
        let want = [
            base,
            at_1040,
            at_1040 + 1,
            at_1040 + 2,
            at_1200,
            at_1200 + 1,
            base + 21_600,
        ];
        assert_eq!(decode, want);
        assert_eq!(read[6].2, 1);
    }

    #[test]
    fn other_timescales_are_kept() {
        let mut track = aac();
        track.timescale = Timescale::new(48_000).unwrap();
        let units: Vec<_> = (0..3).map(|n| audio(n * 1024, 9)).collect();
        let fragment = muxer(vec![track]).fragment(&units, &[]).unwrap();
        let want = [
            (0, 0, 1024, SYNC),
            (1024, 0, 1024, SYNC),
            (2048, 0, 1024, SYNC),
        ];
        assert_eq!(times(&fragment, AUDIO), want);
    }
}

#[test]
fn negative_times_are_moved_by_whole_seconds_for_good() {
    let mut muxer = muxer(vec![h264(), aac()]);
    let slice = |dts| video(dts, 20, &[&nal(0x41, 9)]);
    let fragment = muxer
        .fragment(&[slice(-1040), audio(-3, 9), slice(-1000)], &[])
        .unwrap();
    assert_eq!(times(&fragment, VIDEO)[0], (960 * 90, 1800, 3600, NON_SYNC));
    assert_eq!(times(&fragment, AUDIO)[0].0, 1997 * 90);
    let fragment = muxer.fragment(&[slice(0), audio(10_000, 9)], &[]).unwrap();
    assert_eq!(times(&fragment, VIDEO)[0].0, 2000 * 90);
    assert_eq!(times(&fragment, AUDIO)[0].0, 12_000 * 90);
    // Too early for the shift: at zero, shown at its time.
    let fragment = muxer.fragment(&[slice(-2010)], &[]).unwrap();
    assert_eq!(times(&fragment, VIDEO)[0].0, 0);
    assert_eq!(times(&fragment, VIDEO)[0].1, 10 * 90);
}

#[test]
fn times_beyond_32_and_33_bits_are_kept() {
    let day = 86_400_000;
    let unit = video(60 * day, 0, &[&nal(0x41, 9)]);
    let fragment = muxer(vec![h264()]).fragment(&[unit], &[]).unwrap();
    assert_eq!(samples(&fragment)[0].dts, 60 * day.cast_unsigned() * 90);
}

#[test]
fn damaged_and_empty_units_are_left_out_and_counted() {
    let mut muxer = muxer(vec![h264(), aac()]);
    let damaged = AccessUnit::new(VIDEO, Dts(40), Bytes::from_static(&[0, 0, 0, 9, 1]));
    let empty = AccessUnit::new(VIDEO, Dts(60), Bytes::new());
    let other = AccessUnit::new(TrackId(9), Dts(0), Bytes::from_static(b"x"));
    let only_bad = [damaged.clone(), empty.clone(), other.clone()];
    assert_eq!(muxer.fragment(&only_bad, &[]), Err(Error::Empty));
    let first = video(0, 0, &[&nal(0x65, 9)]).random_access();
    let last = video(80, 0, &[&nal(0x41, 9)]);
    let fragment = muxer
        .fragment(&[first, damaged, empty, other, last], &[])
        .unwrap();
    assert_eq!(
        times(&fragment, VIDEO),
        [(0, 0, 7200, SYNC), (7200, 0, 7200, NON_SYNC)]
    );
    assert_eq!(muxer.damaged_units(), 2);
}

#[test]
fn fragment_is_one_allocation_of_its_size() {
    let fragment = muxer(vec![h264(), aac()])
        .fragment(&small_stream(), &[])
        .unwrap();
    let len = fragment.len();
    let unique = fragment.try_into_mut().unwrap();
    assert_eq!((unique.len(), unique.capacity()), (len, len));
}

mod init {
    use super::*;

    /// The configuration box in the sample entry of the only track.
    fn configuration(tracks: Vec<Track>, entry: &str, own: usize, config: &str) -> Vec<u8> {
        let init = muxer(tracks).init_segment();
        let mut body = only(&init, "moov");
        for kind in ["trak", "mdia", "minf", "stbl"] {
            body = only(body, kind);
        }
        let entry = only(&only(body, "stsd")[8..], entry);
        only(&entry[own..], config).to_vec()
    }

    #[test]
    fn records_are_written_as_they_came() {
        let video = |codec, record| vec![track(VIDEO, codec, record)];
        assert_eq!(
            configuration(video(Codec::H264, AVCC), "avc1", 78, "avcC"),
            hex(AVCC)
        );
        assert_eq!(
            configuration(video(Codec::Av1, AV1C), "av01", 78, "av1C"),
            hex(AV1C)
        );
        // hvc1 promises complete arrays: a bit in the header of each of VPS, SPS and PPS.
        let mut hvcc = hex(HVCC);
        let written = configuration(video(Codec::H265, HVCC), "hvc1", 78, "hvcC");
        for kind in [0x20, 0x21, 0x22] {
            let at = hvcc.windows(3).position(|w| w == [kind, 0, 1]).unwrap();
            hvcc[at] |= 0x80;
        }
        assert_eq!(written, hvcc);
        let esds = configuration(vec![aac()], "mp4a", 28, "esds");
        assert!(esds.windows(hex(ASC).len()).any(|w| w == hex(ASC)));
        let dops = configuration(
            vec![track(AUDIO, Codec::Opus, OPUS_HEAD)],
            "Opus",
            28,
            "dOps",
        );
        assert_eq!(
            dops,
            hex("0002013800 00bb80000000".replace(' ', "").as_str())
        );
        let dfla = configuration(
            vec![track(AUDIO, Codec::Flac, STREAMINFO)],
            "fLaC",
            28,
            "dfLa",
        );
        assert_eq!(dfla, hex(&format!("0000000080000022{STREAMINFO}")));
        let dac3 = configuration(vec![ac3()], "ac-3", 28, "dac3");
        assert_eq!(dac3.len(), 3);
        assert_eq!(AC3_FRAME.len(), 32);
    }

    #[test]
    fn vp9_needs_a_size_from_its_publisher() {
        let mut vp9 = track(VIDEO, Codec::Vp9, VPCC);
        let (none, left_out) = FragmentMuxer::new(&list(vec![vp9.clone()]));
        assert!(none.is_empty() && left_out[0].reason.contains("picture size"));
        if let Ok(CodecConfig::Vp9(config)) = &mut vp9.config {
            (config.params.width, config.params.height) = (320, 180);
        }
        assert_eq!(configuration(vec![vp9], "vp09", 78, "vpcC"), hex(VPCC));
    }

    #[test]
    fn vp9_with_impossible_colours_has_unknown_ones() {
        let rgb = VPCC.replace("020202", "000000");
        assert_ne!(rgb, VPCC);
        let mut vp9 = track(VIDEO, Codec::Vp9, &rgb);
        if let Ok(CodecConfig::Vp9(config)) = &mut vp9.config {
            (config.params.width, config.params.height) = (320, 180);
        }
        let want = VPCC.replace("020202", "000002");
        assert_eq!(configuration(vec![vp9], "vp09", 78, "vpcC"), hex(&want));
    }

    #[test]
    fn mp3_is_named_by_its_object_type() {
        for (rate, object_type) in [(44_100, 0x6b), (22_050, 0x69)] {
            let esds = configuration(vec![mp3(rate)], "mp4a", 28, "esds");
            // Decoder configuration descriptor: tag 4, length, object type, audio stream.
            let at = esds.windows(2).position(|w| w == [object_type, 0x15]);
            assert!(at.is_some(), "{esds:02x?}");
        }
    }

    #[test]
    fn avcc_with_a_damaged_tail_keeps_its_sets() {
        let record = &AVCC[..AVCC.len() - 4];
        let written = configuration(vec![track(VIDEO, Codec::H264, record)], "avc1", 78, "avcC");
        assert_eq!(written, hex(&AVCC[..AVCC.len() - 8]));
    }

    #[test]
    fn what_cannot_be_carried_comes_back_with_the_reason() {
        let speex = Track {
            codec: Codec::FlvAudio(11),
            config: Err(Unconfigured::RelayOnly(Codec::FlvAudio(11))),
            ..aac()
        };
        let missing = Track {
            config: Err(Unconfigured::Missing),
            ..h264()
        };
        let (muxer, left_out) = FragmentMuxer::new(&list(vec![missing, speex]));
        assert!(muxer.is_empty() && !muxer.carries(VIDEO));
        let reasons: Vec<_> = left_out.iter().map(|l| l.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "no codec configuration has arrived; RTMP and FLV still have it",
                "no HLS container carries it; send AAC, MP3 or Opus; RTMP and FLV still have it",
            ]
        );
    }

    #[test]
    fn boxes_come_in_the_usual_order_and_mvex_last() {
        let init = muxer(vec![h264(), aac()]).init_segment();
        let top: Vec<_> = boxes(&init).iter().map(|b| b.kind).collect();
        assert_eq!(top, ["ftyp", "moov"]);
        let moov: Vec<_> = boxes(only(&init, "moov")).iter().map(|b| b.kind).collect();
        assert_eq!(moov, ["mvhd", "trak", "trak", "mvex"]);
    }

    #[test]
    fn mp4_crate_reads_it() {
        let mut muxer = muxer(vec![h264(), aac()]);
        let fragment = muxer.fragment(&small_stream(), &[]).unwrap();
        let file = [muxer.init_segment(), fragment].concat();
        let header = mp4::Mp4Reader::read_header(Cursor::new(&file), file.len() as u64).unwrap();
        let video = &header.tracks()[&1];
        assert_eq!(
            (video.width(), video.height(), video.timescale()),
            (640, 360, 90_000)
        );
        assert_eq!(
            video.sequence_parameter_set().unwrap()[..4],
            [0x67, 0x64, 0, 0x1e]
        );
        let audio = &header.tracks()[&2];
        assert_eq!(
            audio.sample_freq_index().unwrap(),
            mp4::SampleFreqIndex::Freq48000
        );
        assert_eq!(audio.channel_config().unwrap(), mp4::ChannelConfig::Stereo);
        let counts: Vec<_> = header.moofs[0]
            .trafs
            .iter()
            .map(|traf| {
                let start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                let count = traf.trun.as_ref().unwrap().sample_count;
                (traf.tfhd.track_id, count, start)
            })
            .collect();
        assert_eq!(counts, [(1, 4, 0), (2, 3, 0)]);
    }

    #[test]
    fn mp4_atom_reads_every_entry_back() {
        let tracks = [
            h264(),
            h265(),
            track(VIDEO, Codec::Av1, AV1C),
            aac(),
            mp3(44_100),
            track(AUDIO, Codec::Opus, OPUS_HEAD),
            track(AUDIO, Codec::Flac, STREAMINFO),
            ac3(),
        ];
        for track in tracks {
            let init = muxer(vec![track]).init_segment();
            let mut rest = &init[..];
            while let Some(atom) = Any::decode_maybe(&mut rest).unwrap() {
                assert!(!matches!(atom, Any::Unknown(..)));
            }
            assert!(rest.is_empty());
            assert!(mp4_atom::Ftyp::decode(&mut &init[..]).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_units_come_back(
        shapes in prop::collection::vec(
            (1usize..3000, 0i64..90, -500i64..500, any::<bool>(), 0usize..3),
            1..20,
        ),
        start in -2_000i64..5_000_000_000,
    ) {
        let mut at = [start, start];
        let mut units = Vec::new();
        for (len, step, offset, is_video, role) in shapes {
            let dts = &mut at[usize::from(is_video)];
            // Zero steps are doubled times, which encoders send.
            *dts += step;
            let mut unit = if is_video {
                video(*dts, offset, &[&nal(0x41, len)])
            } else {
                audio(*dts, len)
            };
            unit.role = [FrameRole::RandomAccess, FrameRole::Inter, FrameRole::Disposable][role];
            units.push(unit);
        }
        let mut muxer = muxer(vec![h264(), aac()]);
        let fragment = muxer.fragment(&units, &[]).unwrap();
        let read = samples(&fragment);
        prop_assert_eq!(read.len(), units.len());
        let lowest = units.iter().map(|unit| unit.dts.0).min().unwrap_or(0);
        let shift = if lowest < 0 { -lowest.div_euclid(1000) * 1000 } else { 0 };
        for id in [VIDEO, AUDIO] {
            let number = u32::from(id.0) + 1;
            let own = units.iter().filter(|unit| unit.track == id);
            let read = read.iter().filter(|sample| sample.track == number);
            for (unit, sample) in own.zip(read) {
                prop_assert_eq!(&sample.data[..], &unit.payload[..]);
                prop_assert!(sample.duration > 0);
                // A doubled time moves the next decode time by ticks, never the presentation.
                let dts = (unit.dts.0 + shift) * 90;
                prop_assert!((0..20).contains(&(sample.dts.cast_signed() - dts)));
                let pts = (unit.pts().0 + shift) * 90;
                prop_assert_eq!(sample.dts.cast_signed() + sample.offset, pts);
                let flags = match unit.role {
                    FrameRole::RandomAccess => SYNC,
                    FrameRole::Inter => NON_SYNC,
                    FrameRole::Disposable => DISPOSABLE,
                };
                prop_assert_eq!(sample.flags, flags);
            }
        }
    }
}
