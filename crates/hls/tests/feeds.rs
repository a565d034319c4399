//! What a stream offers beside its picture and sound together: sound alone, key frames alone.
#![allow(clippy::unwrap_used)]

mod support;

use hls::{Container, Feed, Presentation, Rendition, Segmenter};
use insta::assert_snapshot;
use media::AccessUnit;
use support::checker::Checker;
use support::low_latency;
use support::transport::mp4_times;
use support::*;

const FMP4: Feed = Feed::Main(Container::Fmp4);

fn iframes(presentation: &Presentation, container: Container) -> String {
    let Rendition::Ready(ready) = presentation.rendition(container) else {
        panic!("nothing to play");
    };
    let text = ready.iframes.as_ref().expect("an I-frame playlist");
    String::from_utf8(text.body.to_vec()).unwrap()
}

#[test]
fn a_stream_offers_its_sound_alone_and_its_key_frames() {
    let mut segmenter = support::segmenter(&both());
    feed(&mut segmenter, &movie(0, 200, 40, 50));
    let presentation = segmenter.changed().unwrap();
    assert_snapshot!("fmp4", multivariant_text(&presentation, Container::Fmp4));
    assert_snapshot!("ts", multivariant_text(&presentation, Container::Ts));
    assert_snapshot!("iframes", iframes(&presentation, Container::Fmp4));
    assert_snapshot!("ts_iframes", iframes(&presentation, Container::Ts));
}

#[test]
fn a_stream_that_has_ended_offers_the_sound_alone_only_where_it_was_made() {
    for asked in [false, true] {
        let mut segmenter = segmenter_of(low_latency(), &both());
        feed(&mut segmenter, &movie(0, 100, 40, 50));
        let live = segmenter.changed().unwrap();
        assert!(multivariant_text(&live, Container::Fmp4).contains("audio.m3u8"));
        if asked {
            segmenter.enable(Feed::Audio(Container::Fmp4, 0));
        }
        feed(&mut segmenter, &movie(4_000, 100, 40, 50));
        segmenter.finish();
        let ended = segmenter.changed().unwrap();
        let offered = multivariant_text(&ended, Container::Fmp4).contains("audio.m3u8");
        assert_eq!(offered, asked);
        assert_eq!(
            ended.media(Feed::Audio(Container::Fmp4, 0)).is_some(),
            asked
        );
    }
}

#[test]
fn sound_alone_costs_nothing_until_somebody_asks() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    feed(&mut segmenter, &movie(0, 200, 40, 50));
    let presentation = segmenter.changed().unwrap();
    assert!(matches!(
        presentation.rendition(Feed::Audio(Container::Fmp4, 0)),
        Rendition::Off
    ));
    let promised = sound_variant(&presentation);
    segmenter.enable(Feed::Audio(Container::Fmp4, 0));
    let presentation = segmenter.changed().unwrap();
    // It begins with the newest segment, and is as far as the whole.
    let [whole, sound] = [FMP4, Feed::Audio(Container::Fmp4, 0)]
        .map(|feed| low_latency::parse(&text(&presentation, feed)).position());
    assert_eq!(whole, sound);
    feed(&mut segmenter, &movie(8_000, 200, 40, 50));
    let presentation = segmenter.changed().unwrap();
    assert_snapshot!(
        "sound_alone",
        text(&presentation, Feed::Audio(Container::Fmp4, 0))
    );
    // What was said of it before it was made is what it is.
    assert_eq!(sound_variant(&presentation), promised);
    let mut checker = Checker::default();
    checker.check(&presentation, Feed::Audio(Container::Fmp4, 0));
    let segment = checker.segments()[0];
    let tracks: Vec<u32> = mp4_times(&segment.body).into_keys().collect();
    assert_eq!(tracks, [u32::from(AUDIO.0) + 1]);
}

/// Bandwidths and codecs of `audio.m3u8` in the multivariant playlist.
fn sound_variant(presentation: &Presentation) -> (u64, Option<u64>, Option<String>) {
    let playlist = multivariant(presentation, Container::Fmp4);
    let variant = playlist
        .variants
        .into_iter()
        .find(|v| v.uri == "demo/audio.m3u8");
    let variant = variant.expect("a variant of sound");
    (variant.bandwidth, variant.average_bandwidth, variant.codecs)
}

#[test]
fn byte_ranges_hold_one_key_frame_each() {
    for container in Container::ALL {
        for config in [config(), low_latency()] {
            let mut segmenter = segmenter_of(config, &both());
            feed(&mut segmenter, &movie(0, 200, 40, 50));
            let presentation = segmenter.changed().unwrap();
            let text = iframes(&presentation, container);
            let (_, parsed) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
            assert!(parsed.i_frames_only);
            let media = media(&presentation, container);
            assert_eq!(parsed.segments.len(), media.segments.len());
            assert_eq!(parsed.media_sequence, media.media_sequence);
            for (index, segment) in parsed.segments.iter().enumerate() {
                let range = segment.byte_range.as_ref().unwrap();
                let body = body(&presentation, &segment.uri);
                let begin = usize::try_from(range.offset.unwrap()).unwrap();
                let end = begin + usize::try_from(range.length).unwrap();
                // Every picture's bytes say its number.
                let number = u32::try_from(index * 50).unwrap() | 0x8000_0000;
                let key = [&[0x65], &number.to_be_bytes()[..]].concat();
                let next = [&[0x41], &(number + 1).to_be_bytes()[..]].concat();
                let part = &body[begin..end];
                assert!(holds(part, &key), "{container:?} {index}");
                assert!(!holds(part, &next), "{container:?} {index}");
                assert!(holds(&body, &next));
                if container == Container::Fmp4 {
                    assert_eq!(part[4..8], *b"moof");
                    assert_eq!(part.last(), Some(&0xa5), "the last byte of the picture");
                } else {
                    assert_eq!((begin, part.len() % 188), (0, 0));
                }
            }
        }
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[test]
fn a_segment_that_no_decoder_can_start_in_is_a_gap_among_key_frames() {
    let mut segmenter = support::segmenter(&both());
    // One key frame in 60 s: segments are cut in its group's middle.
    feed(&mut segmenter, &movie(0, 1_500, 40, 10_000));
    let presentation = segmenter.changed().unwrap();
    let text = iframes(&presentation, Container::Fmp4);
    assert_eq!(text.matches("#EXT-X-BYTERANGE").count(), 1, "{text}");
    assert!(text.matches("#EXT-X-GAP").count() >= 2, "{text}");
}

#[test]
fn sound_that_stops_leaves_gaps_and_keeps_the_numbers() {
    let mut segmenter = segmenter_of(low_latency(), &both());
    segmenter.enable(Feed::Audio(Container::Fmp4, 0));
    let mut units = movie(0, 600, 40, 50);
    units.retain(|unit| unit.track == VIDEO || !(6_000..14_000).contains(&unit.dts.0));
    let mut checkers = [FMP4, Feed::Audio(Container::Fmp4, 0)].map(low_latency::Checker::of_feed);
    let mut sound = Checker::default();
    for unit in &units {
        feed(&mut segmenter, std::slice::from_ref(unit));
        if let Some(presentation) = segmenter.changed() {
            checkers.iter_mut().for_each(|c| c.check(&presentation));
            sound.check(&presentation, Feed::Audio(Container::Fmp4, 0));
        }
    }
    let empty = sound
        .segments()
        .iter()
        .filter(|s| s.body.is_empty())
        .count();
    assert!((2..=4).contains(&empty), "{empty} gaps");
    assert!(sound.segments().iter().all(|s| !s.tagged));
}

#[test]
fn a_feed_of_a_track_that_is_not_there_is_refused_with_the_reason() {
    let mut segmenter = Segmenter::new(config());
    segmenter.enable(Feed::Audio(Container::Fmp4, 0));
    segmenter.enable(Feed::Audio(Container::Fmp4, 1));
    segmenter.tracks(&list(vec![video_track()]));
    let units = movie(0, 200, 40, 50);
    let pictures: Vec<AccessUnit> = units.into_iter().filter(|u| u.track == VIDEO).collect();
    feed(&mut segmenter, &pictures);
    let presentation = segmenter.changed().unwrap();
    for (feed, reason) in [
        (Feed::Audio(Container::Fmp4, 0), "the stream has no audio"),
        (
            Feed::Audio(Container::Fmp4, 1),
            "the stream has no audio track 1 beside the default one",
        ),
    ] {
        match presentation.rendition(feed) {
            Rendition::Refused(why) => assert_eq!(**why, *reason),
            other => panic!("{other:?}"),
        }
    }
}
