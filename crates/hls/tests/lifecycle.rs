//! Beginnings, ends and troubles of a stream.
#![allow(clippy::unwrap_used)]

mod support;

use hls::{Container, PlaylistName, Rendition, Segmenter, WallTime};
use media::{AccessUnit, Codec, CodecConfig, Dts, FourCc, Timescale, Track, TrackId, Unconfigured};
use support::checker::Checker;
use support::*;

fn sequence(segmenter: &mut Segmenter, container: Container) -> Vec<String> {
    let presentation = segmenter.changed().expect("a change");
    let playlist = media(&presentation, container);
    playlist.segments.into_iter().map(|s| s.uri).collect()
}

#[test]
fn a_ring_with_one_group_gives_a_segment_at_once() {
    // Groups of half a second: nothing is two seconds old yet.
    let units = movie(7_000, 20, 40, 12);
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &units);
    assert!(segmenter.changed().unwrap().media(Container::Ts).is_none());
    segmenter.caught_up();
    let presentation = segmenter.changed().unwrap();
    assert_eq!(durations_ms(&media(&presentation, Container::Ts)), [480]);
    // What came after the cut is in the next segment, in order.
    feed(&mut segmenter, &movie(7_800, 60, 40, 60));
    segmenter.finish();
    let presentation = segmenter.changed().unwrap();
    let playlist = media(&presentation, Container::Fmp4);
    let numbers: usize = playlist
        .segments
        .iter()
        .map(|s| transport::mp4_times(&body(&presentation, &s.uri))[&1].len())
        .sum();
    assert_eq!(numbers, 80);
}

#[test]
fn a_ring_with_part_of_a_group_gives_a_segment_at_the_next_key_frame() {
    let units = movie(0, 40, 40, 25);
    let mut segmenter = segmenter(&both());
    let (held, live) = units.split_at(20);
    feed(&mut segmenter, held);
    segmenter.caught_up();
    assert!(segmenter.changed().unwrap().media(Container::Ts).is_none());
    feed(&mut segmenter, live);
    let presentation = segmenter.changed().unwrap();
    assert_eq!(durations_ms(&media(&presentation, Container::Ts)), [1_000]);
}

#[test]
fn a_container_asked_for_later_has_the_newest_segment_at_once() {
    let mut segmenter = Segmenter::new(config());
    segmenter.enable(Container::Fmp4);
    segmenter.tracks(&both());
    feed(&mut segmenter, &movie(0, 126, 40, 50));
    assert_eq!(
        sequence(&mut segmenter, Container::Fmp4),
        ["6a1f-0.m4s", "6a1f-1.m4s"]
    );
    segmenter.enable(Container::Ts);
    assert_eq!(sequence(&mut segmenter, Container::Ts), ["6a1f-1.ts"]);
    segmenter.enable(Container::Ts);
    assert!(
        segmenter.changed().is_none(),
        "asking twice changes nothing"
    );
    feed(&mut segmenter, &movie(5_040, 60, 40, 50));
    let ts = sequence(&mut segmenter, Container::Ts);
    assert_eq!(ts, ["6a1f-1.ts", "6a1f-2.ts"]);
}

#[test]
fn numbers_go_on_where_an_earlier_segmenter_ended() {
    let mut first = segmenter(&both());
    feed(&mut first, &movie(0, 501, 40, 50));
    first.discontinuity();
    feed(&mut first, &movie(100_000, 60, 40, 50));
    assert_eq!(first.next_media_sequence(), 12);
    assert_eq!(first.next_discontinuity_sequence(), 2);

    let mut config = config();
    config.epoch = 0x6a20;
    config.first_media_sequence = first.next_media_sequence();
    config.first_discontinuity_sequence = first.next_discontinuity_sequence();
    let mut second = Segmenter::new(config);
    second.enable(Container::Ts);
    second.tracks(&both());
    feed(&mut second, &movie(0, 60, 40, 50));
    let playlist = media(&second.changed().unwrap(), Container::Ts);
    assert_eq!(playlist.media_sequence, 12);
    assert_eq!(playlist.discontinuity_sequence, 2);
    assert_eq!(playlist.segments[0].uri, "6a20-12.ts");
    assert!(!playlist.segments[0].discontinuity);
}

#[test]
fn a_repeated_configuration_changes_nothing() {
    let mut segmenter = segmenter(&both());
    let units = movie(0, 150, 40, 50);
    for unit in &units {
        if unit.is_random_access() {
            segmenter.tracks(&both());
        }
        segmenter.unit(unit, WallTime(EPOCH_WALL));
    }
    let playlist = media(&segmenter.changed().unwrap(), Container::Fmp4);
    assert_eq!(durations_ms(&playlist), [2_000, 2_000]);
    assert!(playlist.segments.iter().all(|s| !s.discontinuity));
}

#[test]
fn a_track_that_appears_in_the_first_segment_joins_it() {
    let mut segmenter = segmenter(&list(vec![video_track()]));
    let units = movie(0, 60, 40, 50);
    let (alone, rest) = units.split_at(1);
    feed(&mut segmenter, alone);
    segmenter.tracks(&both());
    feed(&mut segmenter, rest);
    let presentation = segmenter.changed().unwrap();
    let playlist = media(&presentation, Container::Fmp4);
    assert_eq!(durations_ms(&playlist), [2_000]);
    let times = transport::mp4_times(&body(&presentation, &playlist.segments[0].uri));
    assert_eq!(times.len(), 2);
}

#[test]
fn video_that_appears_late_begins_a_new_configuration_at_a_key_frame() {
    let mut segmenter = segmenter(&list(vec![audio_track()]));
    let mut checker = Checker::default();
    let units = movie(0, 400, 40, 50);
    for unit in &units {
        if unit.track == VIDEO && unit.dts.0 == 5_000 {
            segmenter.tracks(&both());
        }
        segmenter.unit(unit, WallTime(EPOCH_WALL));
        if let Some(presentation) = segmenter.changed() {
            checker.check(&presentation, Container::Fmp4);
        }
    }
    let segments = checker.segments();
    let tagged: Vec<bool> = segments.iter().map(|s| s.tagged).collect();
    assert_eq!(tagged[..4], [false, false, false, true]);
    assert!(tagged[4..].iter().all(|tagged| !tagged));
    // 25 pictures between 5 s and the key frame at 6 s have nothing to refer to.
    assert_eq!(segmenter.stats().waiting_units, 25);
    let presentation = {
        segmenter.finish();
        segmenter.changed().unwrap()
    };
    let variant = &multivariant(&presentation, Container::Fmp4).variants[0];
    assert_eq!(variant.codecs.as_deref(), Some("avc1.42c01e,mp4a.40.2"));
    assert_eq!(variant.resolution.unwrap().to_string(), "640x360");
}

#[test]
fn a_change_that_a_container_does_not_carry_is_no_discontinuity_there() {
    let opus = |channels: u8| {
        let head = [
            b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', 1, channels, 0, 0, 0x80, 0xbb, 0, 0, 0,
            0, 0,
        ];
        let config = CodecConfig::parse(Codec::Flac, &[]).err();
        assert!(config.is_some());
        let config = CodecConfig::parse(Codec::Opus, &head).unwrap();
        Track::new(AUDIO, Timescale::MILLIS, config)
    };
    let mut segmenter = segmenter(&list(vec![video_track(), opus(1)]));
    let carried = segmenter.left_out(Container::Ts).is_empty();
    feed(&mut segmenter, &movie(0, 100, 40, 50));
    segmenter.tracks(&list(vec![video_track(), opus(2)]));
    feed(&mut segmenter, &movie(4_000, 60, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let tags = |container| {
        let playlist = media(&presentation, container);
        playlist.segments.iter().filter(|s| s.discontinuity).count()
    };
    assert_eq!(tags(Container::Fmp4), 1);
    assert_eq!(tags(Container::Ts), usize::from(carried));
}

#[test]
fn what_no_container_carries_is_refused_with_the_reason() {
    let mut broken = video_track();
    broken.config = Err(Unconfigured::Malformed(media::config::Error::new(
        "avcC", 5, "no SPS",
    )));
    let mut segmenter = segmenter(&list(vec![broken.clone()]));
    let presentation = segmenter.changed().unwrap();
    let Rendition::Refused(reason) = presentation.rendition(Container::Ts) else {
        panic!("{presentation:?}")
    };
    assert!(
        reason.starts_with("video track 0 (H.264): ") && reason.contains("avcC: no SPS at byte 5"),
        "{reason}"
    );
    // Sound beside it is served alone.
    segmenter.tracks(&list(vec![broken, audio_track()]));
    feed(&mut segmenter, &movie(0, 150, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let variant = &multivariant(&presentation, Container::Ts).variants[0];
    assert_eq!(variant.codecs.as_deref(), Some("mp4a.40.2"));
    assert_eq!(segmenter.left_out(Container::Ts).len(), 1);
}

#[test]
fn a_configuration_that_may_still_come_is_waited_for() {
    let mut missing = video_track();
    missing.config = Err(Unconfigured::Missing);
    let mut segmenter = segmenter(&list(vec![missing]));
    assert!(matches!(
        segmenter.changed().unwrap().rendition(Container::Fmp4),
        Rendition::Pending
    ));
}

#[test]
fn tracks_that_no_playlist_carries_are_left_out_with_a_reason() {
    let other = Track {
        id: TrackId(5),
        codec: Codec::OtherAudio(FourCc(*b"abcd")),
        timescale: Timescale::MILLIS,
        config: Err(Unconfigured::Missing),
        flv_body: None,
    };
    let mut segmenter = segmenter(&list(vec![
        video_track(),
        audio_track(),
        second_sound(),
        other,
    ]));
    let left_out: Vec<TrackId> = segmenter
        .left_out(Container::Fmp4)
        .iter()
        .map(|l| l.track)
        .collect();
    // A second sound has a playlist of its own.
    assert_eq!(left_out, [TrackId(5)]);
    feed(&mut segmenter, &movie(0, 60, 40, 50));
    assert!(segmenter.changed().unwrap().media(Container::Ts).is_some());
}

#[test]
fn ninety_seconds_without_a_key_frame_stay_bounded_and_within_the_rules() {
    let mut segmenter = segmenter(&both());
    let mut checkers = [Checker::default(), Checker::default()];
    let mut most = 0;
    for unit in &movie(0, 90 * 25, 40, 100_000) {
        segmenter.unit(unit, WallTime(EPOCH_WALL));
        most = most.max(segmenter.stats().bytes);
        if let Some(presentation) = segmenter.changed() {
            for (checker, container) in checkers.iter_mut().zip(Container::ALL) {
                checker.check(&presentation, container);
            }
        }
    }
    assert_eq!(checkers[0].target(), Some(12));
    assert_eq!(segmenter.stats().forced_cuts, 7);
    assert!(most < 3 << 20, "{most}");
    let playlist = media(&presentation_of(&mut segmenter), Container::Ts);
    assert!(!playlist.independent_segments);
}

fn presentation_of(segmenter: &mut Segmenter) -> std::sync::Arc<hls::Presentation> {
    segmenter.finish();
    segmenter.changed().unwrap()
}

#[test]
fn the_byte_limit_shortens_windows_and_never_empties_them() {
    let mut config = config();
    config.limits.max_bytes = 200_000;
    let mut segmenter = Segmenter::new(config);
    segmenter.enable(Container::Fmp4);
    segmenter.enable(Container::Ts);
    segmenter.tracks(&both());
    for unit in &movie(0, 3_000, 40, 50) {
        segmenter.unit(unit, WallTime(EPOCH_WALL));
        assert!(segmenter.stats().bytes <= 200_000 + 1_100);
        if let Some(presentation) = segmenter.changed() {
            for container in Container::ALL {
                if presentation.media(container).is_none() {
                    continue;
                }
                let listed = media(&presentation, container).segments;
                assert!(!listed.is_empty());
                for segment in listed {
                    assert!(presentation.resource(&segment.uri).is_some());
                }
            }
        }
    }
    assert!(segmenter.stats().evicted_segments > 10);
}

#[test]
fn a_clock_that_stands_still_is_cut_by_bytes() {
    let mut config = config();
    config.limits.max_bytes = 400_000;
    let mut segmenter = Segmenter::new(config);
    segmenter.enable(Container::Ts);
    segmenter.tracks(&list(vec![video_track()]));
    for number in 0..2_000 {
        segmenter.unit(&picture(number, 0, number == 0), WallTime(EPOCH_WALL));
    }
    let playlist = media(&segmenter.changed().unwrap(), Container::Ts);
    assert!(playlist.segments.iter().all(|s| s.duration > 0.0));
    assert!(segmenter.stats().forced_cuts > 3);
    assert!(segmenter.stats().bytes <= 401_000);
}

#[test]
fn a_configuration_change_at_every_picture_stays_bounded() {
    let mut segmenter = segmenter(&both());
    let lists = [both(), list(vec![other_video_track(), audio_track()])];
    for number in 0..1_000 {
        segmenter.tracks(&lists[number as usize % 2]);
        segmenter.unit(&picture(number, i64::from(number), true), WallTime(0));
    }
    let presentation = segmenter.changed().unwrap();
    let playlist = media(&presentation, Container::Fmp4);
    assert!(playlist.segments.len() <= 128);
    assert!(
        segmenter.stats().bytes < 2 << 20,
        "{}",
        segmenter.stats().bytes
    );
}

#[test]
fn after_the_end_nothing_changes() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 60, 40, 50));
    segmenter.finish();
    let presentation = segmenter.changed().unwrap();
    assert!(presentation.ended());
    segmenter.finish();
    segmenter.discontinuity();
    segmenter.tracks(&list(vec![audio_track()]));
    feed(&mut segmenter, &movie(3_000, 60, 40, 50));
    assert!(segmenter.changed().is_none());
}

#[test]
fn the_first_pictures_without_a_key_frame_are_left_out() {
    let mut segmenter = segmenter(&list(vec![video_track()]));
    let units: Vec<AccessUnit> = (0..120)
        .map(|n| picture(n, i64::from(n) * 40, n % 50 == 30))
        .collect();
    feed(&mut segmenter, &units);
    assert_eq!(segmenter.stats().waiting_units, 30);
    let playlist = media(&segmenter.changed().unwrap(), Container::Ts);
    assert!(playlist.independent_segments);
    assert_eq!(durations_ms(&playlist), [2_000]);
}

#[test]
fn a_stream_that_never_has_a_key_frame_is_served_after_the_longest_target() {
    let mut segmenter = segmenter(&list(vec![video_track()]));
    for number in 0..40 * 25 {
        let unit = picture(number, i64::from(number) * 40, false);
        segmenter.unit(&unit, WallTime(EPOCH_WALL));
    }
    assert_eq!(segmenter.stats().waiting_units, 300);
    assert!(segmenter.changed().unwrap().media(Container::Ts).is_some());
}

#[test]
fn resources_have_types_and_tags() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 60, 40, 50));
    let presentation = segmenter.changed().unwrap();
    for (name, kind) in [
        ("6a1f-0.ts", "video/mp2t"),
        ("6a1f-0.m4s", "video/mp4"),
        ("6a1f-init-1.mp4", "video/mp4"),
    ] {
        let resource = presentation.resource(name).expect(name);
        assert_eq!(resource.content_type, kind);
        assert_eq!(*resource.etag, *format!("\"{name}\""));
        assert!(!resource.body.is_empty());
    }
    for name in [
        "6a1f-1.ts",
        "6a1e-0.ts",
        "6a1f-init-0.mp4",
        "fmp4.m3u8",
        "../x",
    ] {
        assert!(presentation.resource(name).is_none(), "{name}");
    }
    assert_eq!(
        PlaylistName::parse("ts.m3u8").map(PlaylistName::feed),
        Some(Container::Ts.into())
    );
}

#[test]
fn a_timescale_of_90_khz_keeps_its_rate() {
    // 29.97 frames a second, exact at 90 kHz: 3003 ticks.
    let mut track = video_track();
    track.timescale = Timescale::NINETY_KHZ;
    let mut segmenter = segmenter(&list(vec![track]));
    for number in 0..130_u32 {
        let mut unit = picture(number, 0, number % 60 == 0);
        unit.dts = Dts(i64::from(number) * 3_003);
        segmenter.unit(&unit, WallTime(EPOCH_WALL));
    }
    let presentation = segmenter.changed().unwrap();
    assert_eq!(
        durations_ms(&media(&presentation, Container::Ts)),
        [2_002, 2_002]
    );
    let stated = video_track().config.unwrap().video().unwrap().frame_rate;
    if stated.is_none() {
        let variant = &multivariant(&presentation, Container::Ts).variants[0];
        assert_eq!(variant.frame_rate, Some(29.97));
    }
}
