#![allow(clippy::unwrap_used)]

mod reader;

use bytes::{Bytes, BytesMut};
use media::{AccessUnit, Codec, Dts, Ticks, Timescale, Track, TrackId, Unconfigured};
use mpeg2ts::pes::{PesPacketReader, ReadPesPacket};
use mpeg2ts::ts::TsPacketReader;
use proptest::prelude::*;

use self::reader::{Pes, dump, packets, pes, section};
use super::*;
use crate::test_media::{
    ASC, AUDIO, AV1C, OPUS_HEAD, STREAMINFO, VIDEO, VPCC, aac, ac3, audio, h264, h265, hex, list,
    mp3, nal, small_stream, track, video,
};

const TURN: i64 = 1 << 33;

/// The packets of these units, after the tables.
fn mux(tracks: Vec<Track>, units: &[AccessUnit]) -> BytesMut {
    let (mut muxer, left_out) = Muxer::new(&list(tracks));
    assert_eq!(left_out, []);
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    for unit in units {
        muxer.unit(unit, &mut out).unwrap();
    }
    out
}

/// What `mpeg2ts` reads, in the order of our own reader: PES packets by their first bytes' place.
fn oracle(bytes: &[u8]) -> Vec<Pes> {
    let mut reader = PesPacketReader::new(TsPacketReader::new(bytes));
    let mut found = Vec::new();
    while let Some(packet) = reader.read_pes_packet().unwrap() {
        let stream_id = packet.header.stream_id.as_u8();
        let pts = packet.header.pts.unwrap().as_u64();
        found.push(Pes {
            pid: 0,
            stream_id,
            pts,
            dts: packet.header.dts.map_or(pts, |dts| dts.as_u64()),
            data: packet.data,
        });
    }
    found
}

/// Our reader and `mpeg2ts` agree, stream by stream; returns what they read.
fn read_both(bytes: &[u8]) -> Vec<Pes> {
    let ours = pes(&packets(bytes));
    let theirs = oracle(bytes);
    assert_eq!(ours.len(), theirs.len());
    for id in [0xe0, 0xc0, 0xbd] {
        let ours = ours.iter().filter(|pes| pes.stream_id == id);
        let theirs = theirs.iter().filter(|pes| pes.stream_id == id);
        for (ours, theirs) in ours.zip(theirs) {
            assert_eq!((ours.pts, ours.dts), (theirs.pts, theirs.dts));
            assert_eq!(ours.data, theirs.data);
        }
    }
    ours
}

fn one(tracks: Vec<Track>, unit: &AccessUnit) -> Pes {
    let mut all = read_both(&mux(tracks, std::slice::from_ref(unit)));
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn small_stream_as_packets() {
    let out = mux(vec![h264(), aac()], &small_stream());
    insta::assert_snapshot!(dump(&out));
}

#[test]
fn every_unit_comes_back_with_its_times() {
    let units = small_stream();
    let read = read_both(&mux(vec![h264(), aac()], &units));
    assert_eq!(read.len(), units.len());
    for (unit, pes) in units.iter().zip(read) {
        assert_eq!(pes.pid, 0x100 + unit.track.0);
        assert_eq!(pes.dts, (unit.dts.0 * 90).rem_euclid(TURN).cast_unsigned());
        assert_eq!(
            pes.pts,
            (unit.pts().0 * 90).rem_euclid(TURN).cast_unsigned()
        );
        if unit.track == AUDIO {
            assert_eq!(pes.data[7..], unit.payload);
        } else {
            assert!(pes.data.ends_with(&unit.payload[unit.payload.len() - 50..]));
        }
    }
}

#[test]
fn tables_of_every_codec() {
    let second = |mut track: Track, id| {
        track.id = TrackId(id);
        track
    };
    let tracks = vec![
        h264(),
        aac(),
        second(h265(), 2),
        second(mp3(44_100), 3),
        second(mp3(22_050), 5),
        second(ac3(), 7),
        second(track(AUDIO, Codec::Opus, OPUS_HEAD), 9),
    ];
    insta::assert_snapshot!(dump(&mux(tracks, &[])));
    insta::assert_snapshot!("audio_only_tables", dump(&mux(vec![aac()], &[])));
}

#[test]
fn what_cannot_be_carried_comes_back_with_the_reason() {
    let speex = Track {
        codec: Codec::FlvAudio(11),
        config: Err(Unconfigured::RelayOnly(Codec::FlvAudio(11))),
        ..aac()
    };
    let missing = Track {
        id: TrackId(3),
        config: Err(Unconfigured::Missing),
        ..aac()
    };
    // xHE-AAC: object type 42.
    let usac = Track {
        id: TrackId(7),
        ..track(AUDIO, Codec::Aac, "f94640")
    };
    let tracks = vec![
        track(VIDEO, Codec::Av1, AV1C),
        speex,
        track(TrackId(2), Codec::Vp9, VPCC),
        missing,
        track(TrackId(5), Codec::Flac, STREAMINFO),
        usac,
    ];
    let (mut muxer, left_out) = Muxer::new(&list(tracks));
    let reasons: Vec<_> = left_out
        .iter()
        .map(|l| format!("{} ({}): {}", l.track, l.codec, l.reason))
        .collect();
    insta::assert_snapshot!(reasons.join("\n"));
    assert!(muxer.is_empty() && !muxer.carries(VIDEO));
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    muxer.unit(&audio(0, 10), &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn program_map_that_is_full_leaves_out_the_last_tracks() {
    let tracks = (0..40)
        .map(|id| Track {
            id: TrackId(id),
            ..track(AUDIO, Codec::Opus, OPUS_HEAD)
        })
        .collect();
    let (mut muxer, left_out) = Muxer::new(&list(tracks));
    assert!(!left_out.is_empty() && left_out.iter().all(|l| l.reason.contains("full")));
    assert!(muxer.carries(TrackId(0)) && !muxer.carries(TrackId(39)));
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    packets(&out)
        .iter()
        .for_each(|packet| drop(section(packet)));
}

mod framing {
    use super::*;

    const AUD: &[u8] = &[0, 0, 0, 1, 9, 0xf0];

    fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect()
    }

    fn sets() -> (Vec<u8>, Vec<u8>) {
        let sps = hex("6764001eacd940a02ff97011000003000100000300320f162d96");
        (sps, hex("68ebecb22c"))
    }

    #[test]
    fn delimiter_and_sets_come_before_a_random_access_unit() {
        let (sps, pps) = sets();
        let idr = nal(0x65, 30);
        let unit = video(0, 0, &[&idr]).random_access();
        let want = [AUD, &annex_b(&[&sps, &pps, &idr])].concat();
        assert_eq!(one(vec![h264()], &unit).data, want);
    }

    #[test]
    fn other_units_get_the_delimiter_alone() {
        let slice = nal(0x41, 30);
        let unit = video(0, 0, &[&slice]);
        assert_eq!(
            one(vec![h264()], &unit).data,
            [AUD, &annex_b(&[&slice])].concat()
        );
    }

    /// NAL units, each with a zero byte behind it when it is of a kind that the muxer adds.
    fn marked(nals: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for nal in nals {
            out.extend(annex_b(&[nal]));
            out.extend((7..=9).contains(&(nal[0] & 0x1f)).then_some(0));
        }
        out
    }

    #[test]
    fn what_is_in_band_is_not_repeated_and_marked_as_own() {
        let (sps, pps) = sets();
        let idr = nal(0x65, 30);
        let nals: &[&[u8]] = &[&[9, 0x10], &sps, &pps, &idr];
        let unit = video(0, 0, nals).random_access();
        assert_eq!(one(vec![h264()], &unit).data, marked(nals));
    }

    #[test]
    fn own_delimiter_stays_before_inserted_sets() {
        let (sps, pps) = sets();
        let idr = nal(0x65, 30);
        let unit = video(0, 0, &[&[9, 0x10], &idr]).random_access();
        let want = [marked(&[&[9, 0x10]]), annex_b(&[&sps, &pps, &idr])].concat();
        assert_eq!(one(vec![h264()], &unit).data, want);
        // One set of two: all are added, before it.
        let unit = video(0, 0, &[&sps, &idr]).random_access();
        let want = [AUD, &annex_b(&[&sps, &pps]), &marked(&[&sps, &idr])].concat();
        assert_eq!(one(vec![h264()], &unit).data, want);
    }

    #[test]
    fn empty_nal_units_are_dropped() {
        let slice = nal(0x41, 30);
        let unit = video(0, 0, &[&[], &slice, &[]]);
        assert_eq!(
            one(vec![h264()], &unit).data,
            [AUD, &annex_b(&[&slice])].concat()
        );
        let empty = mux(vec![h264()], &[video(0, 0, &[&[], &[]]), video(0, 0, &[])]);
        assert_eq!(empty.len(), 2 * 188);
    }

    #[test]
    fn hevc_has_its_own_delimiter_and_vps() {
        let idr = nal(0x26, 30);
        let unit = video(0, 0, &[&idr]).random_access();
        let data = one(vec![h265()], &unit).data;
        assert_eq!(data[..7], [0, 0, 0, 1, 0x46, 1, 0x50]);
        let kinds: Vec<u8> = media::nal::AnnexB::new(&data)
            .map(|nal| nal[0] >> 1)
            .collect();
        assert_eq!(kinds, [35, 32, 33, 34, 19]);
        let unit = video(0, 0, &[&nal(0x02, 30)]);
        assert_eq!(one(vec![h265()], &unit).data.len(), 7 + 4 + 30);
    }

    #[test]
    fn shorter_length_prefixes_are_understood() {
        let mut record = hex(crate::test_media::AVCC);
        record[4] = 0xfd;
        let config = media::CodecConfig::parse(Codec::H264, &record).unwrap();
        let two = Track::new(VIDEO, Timescale::MILLIS, config);
        let payload = Bytes::from_static(&[0, 2, 0x41, 7, 0, 1, 0x41]);
        let unit = AccessUnit::new(VIDEO, Dts(0), payload);
        assert_eq!(
            one(vec![two], &unit).data,
            [AUD, &annex_b(&[&[0x41, 7], &[0x41]])].concat()
        );
    }

    #[test]
    fn adts_header_says_profile_rate_channels_and_length() {
        let data = one(vec![aac()], &audio(0, 1000)).data;
        // LC 1, 48 kHz index 3, 2 channels, 1007 bytes.
        assert_eq!(data[..7], [0xff, 0xf1, 0x4c, 0x80, 0x7d, 0xff, 0xfc]);
        assert_eq!(data.len(), 1007);
        // HE-AAC is announced by its core.
        let he = one(vec![track(AUDIO, Codec::Aac, "2b920800")], &audio(0, 1)).data;
        assert_eq!(he[2] >> 6, 1);
        assert_eq!(ASC.len(), 10);
    }

    #[test]
    fn adts_frames_that_are_too_long_are_refused() {
        let (mut muxer, _) = Muxer::new(&list(vec![aac()]));
        let mut out = BytesMut::new();
        muxer.unit(&audio(0, 8184), &mut out).unwrap();
        let len = out.len();
        let error = muxer.unit(&audio(23, 8185), &mut out).unwrap_err();
        let want = Error::FrameTooLong {
            track: AUDIO,
            len: 8185,
            max: 8184,
        };
        assert_eq!((error, out.len()), (want, len));
    }

    #[test]
    fn opus_control_header_counts_in_255() {
        let opus = || track(AUDIO, Codec::Opus, OPUS_HEAD);
        let head = |len| one(vec![opus()], &audio(0, len)).data[..len.div_euclid(255) + 4].to_vec();
        assert_eq!(head(3), [0x7f, 0xe0, 3, 0]);
        assert_eq!(head(254), [0x7f, 0xe0, 254, 0]);
        assert_eq!(head(255), [0x7f, 0xe0, 255, 0, 0]);
        assert_eq!(head(600), [0x7f, 0xe0, 255, 255, 90, 0]);
    }
}

#[test]
fn damaged_unit_appends_nothing_and_the_stream_goes_on() {
    let (mut muxer, _) = Muxer::new(&list(vec![h264(), aac()]));
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    let idr = nal(0x65, 300);
    muxer
        .unit(&video(0, 0, &[&idr]).random_access(), &mut out)
        .unwrap();
    let len = out.len();
    let bad = AccessUnit::new(
        VIDEO,
        Dts(40),
        Bytes::from_static(&[0, 0, 0, 1, 0x41, 0, 0, 9, 1]),
    );
    let error = muxer.unit(&bad, &mut out).unwrap_err();
    let want = Error::NalLength {
        track: VIDEO,
        offset: 5,
    };
    assert_eq!((error, out.len()), (want, len));
    assert_eq!(
        want_text(&bad, &mut muxer, &mut out),
        "track 0: NAL unit length runs past the access unit at byte 5"
    );
    muxer
        .unit(&video(80, 0, &[&nal(0x41, 9)]), &mut out)
        .unwrap();
    assert_eq!(read_both(&out).len(), 2);
}

fn want_text(unit: &AccessUnit, muxer: &mut Muxer, out: &mut BytesMut) -> String {
    muxer.unit(unit, out).unwrap_err().to_string()
}

mod clock {
    use super::*;

    fn slice(dts: i64) -> AccessUnit {
        video(dts, 0, &[&nal(0x41, 50)])
    }

    #[test]
    fn times_wrap_at_33_bits() {
        // 2^33 / 90 ms is not whole: the last millisecond before, and the first after.
        let last = TURN / 90;
        let units: Vec<_> = (-2..3)
            .map(|step| video(last + step, 1, &[&nal(0x41, 9)]))
            .collect();
        let out = mux(vec![h264()], &units);
        for (unit, pes) in units.iter().zip(read_both(&out)) {
            let want = |ms: i64| (ms * 90 % TURN).cast_unsigned();
            assert_eq!((pes.dts, pes.pts), (want(unit.dts.0), want(unit.pts().0)));
        }
        let pcrs: Vec<_> = packets(&out).iter().filter_map(|p| p.pcr).collect();
        let want: Vec<_> = units
            .iter()
            .map(|unit| ((unit.dts.0 * 90 - PCR_LEAD) % TURN).cast_unsigned())
            .collect();
        assert_eq!(pcrs, want);
    }

    #[test]
    fn negative_times_are_exact_modulo_33_bits() {
        let unit = video(-40, -20, &[&nal(0x41, 9)]);
        let out = mux(vec![h264()], std::slice::from_ref(&unit));
        let pes = read_both(&out).remove(0);
        assert_eq!(pes.dts, (TURN - 40 * 90).cast_unsigned());
        assert_eq!(pes.pts, (TURN - 60 * 90).cast_unsigned());
        let pcr = packets(&out)[2].pcr.unwrap();
        assert_eq!(pcr, (TURN - 40 * 90 - PCR_LEAD).cast_unsigned());
    }

    #[test]
    fn other_timescales_are_converted_from_absolute_times() {
        let mut track = aac();
        track.timescale = Timescale::new(48_000).unwrap();
        let units: Vec<_> = (0..100).map(|n| audio(n * 1024, 9)).collect();
        for (n, pes) in (0..).zip(read_both(&mux(vec![track], &units))) {
            assert_eq!(pes.pts, n * 1024 * 90_000 / 48_000);
        }
    }

    #[test]
    fn pcr_is_on_every_video_unit_and_on_audio_only_when_there_is_no_video() {
        let out = mux(vec![h264(), aac()], &small_stream());
        for packet in packets(&out) {
            assert_eq!(packet.pcr.is_some(), packet.pid == 0x100 && packet.start);
        }
        let out = mux(vec![aac()], &[audio(0, 300), audio(21, 300)]);
        let packets = packets(&out);
        assert_eq!(packets.iter().filter(|p| p.pcr.is_some()).count(), 2);
        assert!(packets.iter().all(|p| p.pcr.is_none() || p.start));
    }

    #[test]
    fn audio_brings_the_pcr_while_video_pauses() {
        let mut units = vec![slice(0)];
        units.extend((0..100).map(|n| audio(n * 1024 / 48, 100)));
        units.push(slice(2120));
        let out = mux(vec![h264(), aac()], &units);
        let packets = packets(&out);
        let pcrs: Vec<u64> = packets.iter().filter_map(|p| p.pcr).collect();
        let steps = pcrs
            .windows(2)
            .map(|w| (w[1].wrapping_sub(w[0])) & ((1 << 33) - 1));
        for step in steps {
            assert!((1..=9_000).contains(&step), "step {step}");
        }
        assert!(packets.iter().all(|p| p.pcr.is_none() || p.pid == 0x100));
        read_both(&out);
    }

    #[test]
    fn pcr_never_goes_back_unless_the_clock_starts_anew() {
        let units = [
            slice(1000),
            audio(1090, 9),
            slice(1040),
            slice(1080),
            slice(1120),
            slice(0),
        ];
        let out = mux(vec![h264(), aac()], &units);
        let pcrs: Vec<_> = packets(&out).iter().filter_map(|p| p.pcr).collect();
        let at = |ms: i64| ((ms * 90 - PCR_LEAD).rem_euclid(TURN)).cast_unsigned();
        assert_eq!(pcrs, [at(1000), at(1090), at(1120), at(0)]);
    }

    #[test]
    fn discontinuity_marks_the_next_packet_of_each_stream_once() {
        let (mut muxer, _) = Muxer::new(&list(vec![h264(), aac()]));
        let mut out = BytesMut::new();
        muxer.unit(&slice(5000), &mut out).unwrap();
        muxer.unit(&audio(5000, 9), &mut out).unwrap();
        muxer.discontinuity();
        // Half a second back: without the mark this would be interleaving, and no PCR.
        for unit in [audio(4500, 9), slice(4500), slice(4540), audio(4521, 9)] {
            muxer.unit(&unit, &mut out).unwrap();
        }
        let packets = packets(&out);
        reader::check_continuity(&packets);
        let marks: Vec<_> = packets
            .iter()
            .map(|p| (p.pid, p.discontinuity, p.pcr.is_some()))
            .collect();
        let (v, a) = (0x100, 0x101);
        let want = [
            (v, false, true),
            (a, false, false),
            (a, true, false),
            (v, true, true),
            (v, false, true),
            (a, false, false),
        ];
        assert_eq!(marks, want);
    }
}

#[test]
fn changed_tracks_keep_pids_and_counters_and_raise_the_version() {
    let (mut muxer, _) = Muxer::new(&list(vec![aac()]));
    let mut out = BytesMut::new();
    muxer.tables(&mut out);
    muxer.unit(&audio(0, 300), &mut out).unwrap();
    assert_eq!(muxer.set_tracks(&list(vec![aac()])), []);
    muxer.tables(&mut out);
    assert_eq!(muxer.set_tracks(&list(vec![h264(), aac()])), []);
    muxer.tables(&mut out);
    muxer.unit(&audio(21, 300), &mut out).unwrap();
    muxer
        .unit(&video(21, 0, &[&nal(0x65, 9)]).random_access(), &mut out)
        .unwrap();
    muxer.set_tracks(&list(vec![h264()]));
    muxer.tables(&mut out);
    let packets = packets(&out);
    reader::check_continuity(&packets);
    let versions: Vec<_> = packets
        .iter()
        .filter(|p| p.pid == 0x1000)
        .map(|p| section(p)[5] >> 1 & 0x1f)
        .collect();
    assert_eq!(versions, [0, 0, 1, 2]);
    assert_eq!(read_both(&out).len(), 3);
}

/// The timed metadata in these packets, all of which are sound.
fn read_timed(out: BytesMut) -> Vec<TimedMetadata> {
    let mut demuxer = Demuxer::default();
    demuxer.push(out.freeze());
    demuxer.finish();
    let mut read = Vec::new();
    while let Some(event) = demuxer.poll().unwrap() {
        match event {
            crate::Event::Timed(timed) => read.push(timed.as_ref().clone()),
            crate::Event::Damage(damage) => panic!("{damage:?}"),
            _ => {}
        }
    }
    read
}

#[test]
fn id3_tags_come_back_with_their_times() {
    let timed = |pts, len: usize| TimedMetadata {
        pts,
        duration: None,
        scheme: Scheme::Id3,
        bytes: [&b"ID3\x04\0\0"[..], &vec![7; len]].concat().into(),
    };
    let (mut muxer, _) = Muxer::new(&list(vec![h264()]));
    let mut out = BytesMut::new();
    // Not announced: nothing is written.
    muxer.timed(&timed(0, 9), &mut out).unwrap();
    assert!(out.is_empty() && muxer.carry_metadata() && muxer.carry_metadata());
    muxer.tables(&mut out);
    let tags = [
        timed(900, 10),
        timed(93_600, 70),
        timed(93_600, 400),
        timed(200_000, 65_000),
    ];
    for (n, tag) in (0..).zip(&tags) {
        muxer
            .unit(
                &video(n * 1_000, 0, &[&nal(0x65, 300)]).random_access(),
                &mut out,
            )
            .unwrap();
        muxer.timed(tag, &mut out).unwrap();
    }
    let error = muxer.timed(&timed(0, 65_530), &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "timed metadata has 65536 bytes, more than 65522"
    );
    let packets = packets(&out);
    reader::check_continuity(&packets);
    let map = packets.iter().find(|packet| packet.pid == 0x1000).unwrap();
    let map = section(map);
    // Pointer in the program's descriptors, and the stream with its own.
    assert_eq!(
        map[10..29],
        hex("f01125 0f ffff49443320 ff49443320 00 1f 0001"
            .replace(' ', "")
            .as_str())
    );
    let entry = hex("15e0fff00f260dffff49443320ff49443320000f");
    assert!(
        map.windows(entry.len()).any(|window| window == entry),
        "{map:x?}"
    );

    assert_eq!(read_timed(out), tags);
}

#[test]
fn splice_sections_come_back_as_they_were() {
    let cue = |len: usize| -> Bytes {
        let [high, low] = u16::try_from(len - 3).unwrap().to_be_bytes();
        let mut section = vec![0x5a; len - 4];
        section[..3].copy_from_slice(&[0xfc, 0x30 | high, low]);
        let crc = crc32(&section);
        section.extend_from_slice(&crc.to_be_bytes());
        section.into()
    };
    let splice = |bytes: Bytes| TimedMetadata {
        pts: 93_600,
        duration: None,
        scheme: Scheme::Scte35,
        bytes,
    };
    let (mut muxer, _) = Muxer::new(&list(vec![h264()]));
    let mut out = BytesMut::new();
    // Not announced: nothing is written.
    muxer.timed(&splice(cue(20)), &mut out).unwrap();
    assert!(out.is_empty() && muxer.carry_splices() && muxer.carry_splices());
    muxer.tables(&mut out);
    let unit = video(1_040, 0, &[&nal(0x65, 300)]).random_access();
    muxer.unit(&unit, &mut out).unwrap();
    // About the ends of one and two packets, and the longest that there is.
    let all = [20, 182, 183, 184, 366, 367, 368, 4_096].map(|len| splice(cue(len)));
    for one in &all {
        muxer.timed(one, &mut out).unwrap();
    }
    let packets = packets(&out);
    reader::check_continuity(&packets);
    let map = packets.iter().find(|packet| packet.pid == 0x1000).unwrap();
    let map = section(map);
    let entry = hex("86e0fef000");
    assert_eq!(map[10..18], hex("f006050443554549"));
    assert!(
        map.windows(entry.len()).any(|window| window == entry),
        "{map:x?}"
    );
    assert_eq!(read_timed(out), all);
}

/// Every payload length around one and two packets, with and without adaptation field.
#[test]
fn every_length_fills_its_packets_exactly() {
    for len in 1..=420 {
        for random_access in [false, true] {
            let mut unit = AccessUnit::new(AUDIO, Dts(0), vec![0x5a; len].into());
            if random_access {
                unit = unit.random_access();
            }
            // Audio behind video has no PCR; alone it has one.
            let behind = mux(vec![h264(), mp3(48_000)], std::slice::from_ref(&unit));
            let alone = mux(vec![mp3(48_000)], std::slice::from_ref(&unit));
            for (out, field) in [(&behind, 2 * usize::from(random_access)), (&alone, 8)] {
                assert_eq!(
                    out.len(),
                    188 * (2 + (14 + len + field).div_ceil(184)),
                    "{len}"
                );
                assert_eq!(read_both(out)[0].data, unit.payload);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_units_come_back(
        shapes in prop::collection::vec((0usize..70_000, -200i64..200, any::<bool>(), any::<bool>()), 1..6),
        start in prop_oneof![Just(0), Just(TURN / 90 - 60), -1_000i64..1_000_000_000],
    ) {
        let (mut muxer, _) = Muxer::new(&list(vec![h264(), mp3(48_000)]));
        let mut out = BytesMut::new();
        muxer.tables(&mut out);
        let mut written = Vec::new();
        for (n, (len, offset, is_video, random_access)) in (0..).zip(shapes) {
            let dts = start + n * 40;
            let mut unit = if is_video {
                video(dts, offset, &[&nal(0x41, len)])
            } else {
                audio(dts, len)
            };
            if random_access {
                unit = unit.random_access();
            }
            let before = out.len();
            match muxer.unit(&unit, &mut out) {
                Ok(()) if len > 0 => written.push(unit),
                Ok(()) => prop_assert_eq!(out.len(), before),
                Err(error) => {
                    let is_long = matches!(error, Error::FrameTooLong { .. });
                    prop_assert!(is_long && !is_video && len > 65_522);
                    prop_assert_eq!(out.len(), before);
                }
            }
        }
        let read = read_both(&out);
        prop_assert_eq!(read.len(), written.len());
        for (unit, pes) in written.iter().zip(read) {
            let want = |ms: i64| (ms * 90).rem_euclid(TURN).cast_unsigned();
            prop_assert_eq!((pes.dts, pes.pts), (want(unit.dts.0), want(unit.pts().0)));
            let own = if unit.track == VIDEO { &unit.payload[4..] } else { &unit.payload[..] };
            prop_assert!(pes.data.ends_with(own));
        }
    }

    /// Bytes that are no NAL units cost an error and never a panic, and nothing is appended.
    #[test]
    fn garbage_is_an_error_or_whole_packets(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let (mut muxer, _) = Muxer::new(&list(vec![h264()]));
        let mut out = BytesMut::new();
        let unit = AccessUnit::new(VIDEO, Dts(0), payload.into()).composition_offset(Ticks(i64::MAX));
        match muxer.unit(&unit, &mut out) {
            Ok(()) => { packets(&out); }
            Err(_) => prop_assert!(out.is_empty()),
        }
    }
}
