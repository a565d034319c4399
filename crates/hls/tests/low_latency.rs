//! Playlists with parts: compared whole as text, and at the edges of a stream's life.
#![allow(clippy::unwrap_used)]

mod support;

use hls::{Blocking, Container, Rendition, Segmenter, Until, WallTime};
use insta::assert_snapshot;
use media::AccessUnit;
use support::low_latency::{Checker, parse};
use support::*;

/// One unit after the other, with a look at each change.
fn watch(segmenter: &mut Segmenter, units: &[AccessUnit], checker: &mut Checker) {
    for unit in units {
        segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
        if let Some(presentation) = segmenter.changed() {
            checker.check(&presentation);
        }
    }
}

fn playlist(segmenter: &mut Segmenter) -> String {
    text(&segmenter.changed().expect("a change"), Container::Fmp4)
}

/// The numbers that [`picture`] wrote, in a piece of MP4.
fn pictures(media: &[u8]) -> Vec<u32> {
    let starts = |bytes: &&[u8]| {
        bytes[..2] == [0, 0] && [0x65, 0x41].contains(&bytes[4]) && bytes[9] == 0xa5
    };
    let found = media.windows(10).filter(starts);
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[5..9].try_into().unwrap());
    found.map(|bytes| number(bytes) & 0x7fff_ffff).collect()
}

#[test]
fn parts_follow_the_segments() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    // Three segments, and 0.9 s of the next.
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    assert_snapshot!(playlist(&mut segmenter));
}

#[test]
fn transport_stream_of_the_same_cuts_stays_classic() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let ts = text(&presentation, Container::Ts);
    assert!(!ts.contains("PART") && !ts.contains("CONTROL") && ts.contains("VERSION:3"));
    assert!(!presentation.is_low_latency(Container::Ts));
    let until = Until {
        sequence: 1_000,
        part: None,
    };
    assert_eq!(presentation.blocking(Container::Ts, until), Blocking::Ready);
    let durations = |container| durations_ms(&media(&presentation, container));
    assert_eq!(durations(Container::Ts), durations(Container::Fmp4));
}

#[test]
fn a_part_is_there_with_its_last_frame() {
    let mut segmenter = segmenter_of(low_latency(), &list(vec![video_track()]));
    let units: Vec<_> = (0..66)
        .map(|n| picture(n, i64::from(n) * 40, n % 50 == 0))
        .collect();
    feed(&mut segmenter, &units[..51]);
    assert!(segmenter.changed().is_some());
    // Frame 50 began the second segment; 57 is the eighth of its first part.
    for (number, is_last) in (51..58).map(|n| (n, n == 57)) {
        feed(&mut segmenter, &units[number..=number]);
        assert_eq!(segmenter.changed().is_some(), is_last, "frame {number}");
    }
    feed(&mut segmenter, &units[58..]);
    let presentation = segmenter.changed().unwrap();
    let parsed = parse(&text(&presentation, Container::Fmp4));
    let numbers = |uri: &str| pictures(&body(&presentation, uri));
    let uris: Vec<&str> = parsed.open.iter().map(|part| part.uri.as_str()).collect();
    assert_eq!(uris, ["6a1f-1.0.m4s", "6a1f-1.1.m4s"]);
    assert_eq!(numbers(uris[0]), (50..58).collect::<Vec<_>>());
    assert_eq!(numbers(uris[1]), (58..66).collect::<Vec<_>>());
    let independent: Vec<bool> = parsed.open.iter().map(|part| part.independent).collect();
    assert_eq!(independent, [true, false]);
    assert_eq!(parsed.hint.as_deref(), Some("6a1f-1.2.m4s"));
}

#[test]
fn the_hint_names_the_next_segment_where_a_key_frame_is_due() {
    // 48 frames of 40 ms are six parts of eight: nothing is left for a seventh.
    let mut config = low_latency();
    config.segment = std::time::Duration::from_millis(1_900);
    let mut segmenter = segmenter_of(config, &both());
    feed(&mut segmenter, &movie(0, 96, 40, 48));
    let parsed = parse(&playlist(&mut segmenter));
    assert_eq!(parsed.open.len(), 6);
    assert_eq!(parsed.hint.as_deref(), Some("6a1f-2.0.m4s"));
    let presentation = {
        feed(&mut segmenter, &[picture(96, 3_840, true)]);
        segmenter.changed().unwrap()
    };
    let parsed = parse(&text(&presentation, Container::Fmp4));
    assert_eq!((parsed.segments.len(), parsed.open.len()), (2, 0));
    assert!(presentation.is_hinted("6a1f-2.0.m4s"));
}

#[test]
fn a_clock_of_milliseconds_moves_no_cut() {
    // 30 frames a second, key frames two seconds apart: 33, 33 and 34 ms in turn.
    let mut segmenter = segmenter_of(low_latency(), &both());
    let mut checker = Checker::default();
    let mut heard = 0;
    for n in 0..900_u32 {
        let at = i64::from(n) * 1_000 / 30;
        let mut units = vec![picture(n, at, n.is_multiple_of(60))];
        while i64::from(heard) * 1_024_000 / 44_100 < at + 33 {
            units.push(sound(heard, i64::from(heard) * 1_024_000 / 44_100));
            heard += 1;
        }
        watch(&mut segmenter, &units, &mut checker);
    }
    feed(&mut segmenter, &[picture(900, 30_000, true)]);
    let presentation = segmenter.changed().unwrap();
    checker.check(&presentation);
    let durations = durations_ms(&media(&presentation, Container::Fmp4));
    assert!(
        durations.iter().all(|ms| ms.abs_diff(2_000) <= 2),
        "{durations:?}"
    );
    // Six parts of ten frames each, and no crumbs.
    assert_eq!(checker.parts().count(), 15 * 6);
    assert!(
        checker
            .parts()
            .all(|part| part.duration_ms.abs_diff(333) <= 2)
    );
}

#[test]
fn a_delta_update_leaves_out_what_is_beyond_the_skip_boundary() {
    let mut config = low_latency();
    config.segments = 20;
    let mut segmenter = segmenter_of(config, &both());
    feed(&mut segmenter, &movie(0, 810, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let Rendition::Ready(ready) = presentation.rendition(Container::Fmp4) else {
        panic!("nothing to play");
    };
    let delta = ready.delta(hls::Skip::Segments).unwrap();
    assert_ne!(delta.etag, ready.media.etag);
    // Sixteen segments and a part: what ends 24 s before the end is skipped.
    assert_snapshot!(std::str::from_utf8(&delta.body).unwrap());
}

#[test]
fn requests_wait_for_what_comes_next_and_no_further() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    feed(&mut segmenter, &movie(0, 120, 40, 50));
    // Segments 0 and 1 of seven parts, and two parts of segment 2.
    let presentation = segmenter.changed().unwrap();
    let ask = |sequence, part| {
        let until = Until { sequence, part };
        presentation.blocking(Container::Fmp4, until)
    };
    for (sequence, part, want) in [
        (0, None, Blocking::Ready),
        (1, None, Blocking::Ready),
        (2, None, Blocking::Wait),
        (3, None, Blocking::Wait),
        (4, None, Blocking::FarAhead),
        (1, Some(6), Blocking::Ready),
        // Beyond the last part of a complete segment: the first one of the next.
        (1, Some(7), Blocking::Ready),
        (2, Some(1), Blocking::Ready),
        (2, Some(2), Blocking::Wait),
        (2, Some(11), Blocking::Wait),
        (2, Some(12), Blocking::FarAhead),
        (3, Some(0), Blocking::Wait),
        (3, Some(10), Blocking::FarAhead),
        (4, Some(0), Blocking::FarAhead),
    ] {
        assert_eq!(ask(sequence, part), want, "{sequence} {part:?}");
    }
}

#[test]
fn a_lost_publisher_and_its_return_keep_the_rules() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    let mut checker = Checker::default();
    watch(&mut segmenter, &movie(0, 113, 40, 50), &mut checker);
    segmenter.discontinuity();
    let presentation = segmenter.changed().unwrap();
    checker.check(&presentation);
    let parsed = parse(&text(&presentation, Container::Fmp4));
    // The open segment is complete: 13 frames, a part of eight and one of five.
    let last = parsed.segments.last().unwrap();
    assert_eq!((last.duration_ms, last.parts.len()), (520, 2));
    assert_eq!(parsed.hint.as_deref(), Some("6a1f-3.0.m4s"));
    // Back with another clock, in the middle of a group.
    watch(
        &mut segmenter,
        &movie(900_010, 130, 40, 50)[20..],
        &mut checker,
    );
    segmenter.finish();
    let ended = playlist(&mut segmenter);
    let tagged = ended
        .lines()
        .skip_while(|line| *line != "#EXT-X-DISCONTINUITY");
    let tagged: Vec<&str> = tagged.skip(1).take(2).collect();
    assert!(tagged[0].starts_with("#EXT-X-PROGRAM-DATE-TIME"));
    assert!(tagged[1].starts_with("#EXT-X-PART"));
}

#[test]
fn a_discontinuity_and_a_new_map_come_before_the_first_part() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    let mut checker = Checker::default();
    watch(&mut segmenter, &movie(0, 113, 40, 50), &mut checker);
    segmenter.tracks(&list(vec![other_video_track(), audio_track()]));
    watch(&mut segmenter, &movie(4_520, 10, 40, 50), &mut checker);
    let presentation = {
        feed(&mut segmenter, &movie(4_920, 10, 40, 50)[1..]);
        segmenter.changed().unwrap()
    };
    let text = text(&presentation, Container::Fmp4);
    let tail = text.split("6a1f-2.m4s\n").nth(1).unwrap();
    assert_snapshot!(tail);
}

#[test]
fn the_end_releases_those_who_wait() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    let mut checker = Checker::default();
    watch(&mut segmenter, &movie(0, 113, 40, 50), &mut checker);
    segmenter.finish();
    let presentation = segmenter.changed().unwrap();
    checker.check(&presentation);
    let until = Until {
        sequence: 3,
        part: Some(0),
    };
    assert_eq!(
        presentation.blocking(Container::Fmp4, until),
        Blocking::Ready
    );
    assert!(!presentation.is_hinted("6a1f-2.2.m4s"));
    let text = text(&presentation, Container::Fmp4);
    assert!(text.ends_with("6a1f-2.m4s\n#EXT-X-ENDLIST\n"), "{text}");
}

#[test]
fn a_frozen_picture_has_parts_of_sound_and_silence_has_gaps() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    let mut checker = Checker::default();
    let mut units = movie(0, 500, 40, 50);
    // No pictures from 4.2 to 6 s, and nothing at all from 8.2 to 9.4 s.
    units.retain(|unit| {
        let at = unit.dts.0;
        let frozen = unit.track == VIDEO && (4_200..6_000).contains(&at);
        let silent = (8_200..9_400).contains(&at);
        !frozen && !silent
    });
    watch(&mut segmenter, &units, &mut checker);
    let of = |sequence| checker.of(sequence);
    let frozen = of(2);
    assert!(frozen.iter().all(|part| !part.gap), "{frozen:?}");
    assert!(frozen.len() >= 6, "{frozen:?}");
    assert_eq!(frozen.iter().filter(|part| part.independent).count(), 1);
    let gaps = of(4).iter().filter(|part| part.gap).count();
    assert_eq!(gaps, 3, "{:?}", of(4));
    assert_eq!(checker.parts().filter(|part| part.gap).count(), 3);
}

#[test]
fn a_container_asked_for_later_has_the_parts_of_the_open_segment() {
    let mut segmenter = Segmenter::new(low_latency());
    segmenter.enable(Container::Ts);
    segmenter.tracks(&both());
    feed(&mut segmenter, &movie(0, 120, 40, 50));
    segmenter.enable(Container::Fmp4);
    let presentation = segmenter.changed().unwrap();
    let mut checker = Checker::default();
    checker.check(&presentation);
    let parsed = parse(&text(&presentation, Container::Fmp4));
    assert_eq!((parsed.segments.len(), parsed.open.len()), (1, 2));
    watch(&mut segmenter, &movie(4_800, 120, 40, 30), &mut checker);
}

#[test]
fn sound_alone_has_independent_parts() {
    let mut segmenter = segmenter_of(low_latency(), &list(vec![audio_track()]));
    let mut checker = Checker::default();
    let units: Vec<_> = (0..300)
        .map(|n| sound(n, i64::from(n) * 1_024_000 / 44_100))
        .collect();
    watch(&mut segmenter, &units, &mut checker);
    assert!(checker.parts().count() > 15);
    assert!(checker.parts().all(|part| part.independent && !part.gap));
}

#[test]
fn memory_is_bounded_while_a_segment_is_open() {
    let mut config = low_latency();
    config.limits.max_bytes = 1 << 20;
    let mut segmenter = segmenter_of(config, &list(vec![video_track()]));
    for n in 0..5_000_u32 {
        let mut unit = picture(n, i64::from(n) * 40, n % 250 == 0);
        unit.payload = [unit.payload.as_ref(), &[0; 20_000]].concat().into();
        segmenter.unit(&unit, WallTime(EPOCH_WALL));
        let held = segmenter.stats().bytes;
        assert!(
            held <= (1 << 20) + 64 * 1_024,
            "{held} bytes at picture {n}"
        );
    }
}

#[test]
fn for_who_cannot_wait_there_is_a_playlist_without_parts() {
    let mut config = low_latency();
    config.first_media_sequence = 7;
    let mut segmenter = segmenter_of(config.clone(), &both());
    // Three segments, and 0.9 s of the next.
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let classic = presentation.classic(Container::Fmp4).unwrap();
    assert_snapshot!(std::str::from_utf8(&classic.text.body).unwrap());
    let names: Vec<_> = classic
        .names
        .iter()
        .map(|n| (n.name.as_str(), n.duration.as_millis()))
        .collect();
    let (init, segments) = names.split_first().unwrap();
    assert_eq!(init.1, 0);
    assert_eq!(
        segments.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(),
        [2_000, 2_000, 2_000]
    );
    assert_eq!(classic.duration.as_secs(), 6);
    assert!(
        names
            .iter()
            .all(|(name, _)| presentation.resource(name).is_some())
    );
    // The same cuts, and so the same text, as without low latency.
    let mut plain = config.clone();
    plain.part = None;
    let mut segmenter = segmenter_of(plain, &both());
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    let plain = segmenter.changed().unwrap();
    assert_eq!(
        plain.classic(Container::Fmp4).unwrap().text,
        *plain.media(Container::Fmp4).unwrap()
    );
    assert_eq!(classic.text, *plain.media(Container::Fmp4).unwrap());
    // The end stays the end.
    let mut segmenter = segmenter_of(config, &both());
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    segmenter.finish();
    let ended = segmenter
        .changed()
        .unwrap()
        .classic(Container::Fmp4)
        .unwrap();
    assert!(ended.text.body.ends_with(b".m4s\n#EXT-X-ENDLIST\n"));
    assert_eq!(ended.names.len(), 5);
}
