//! Streams of several sounds: which are offered, and that each playlist is what was said of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use amf0::Value;
use bytes::BytesMut;
use hls::{Container, Feed, Ladder, Method, Presentation, Rendition, Segmenter};
use insta::assert_snapshot;
use m3u8_rs::AlternativeMedia;
use media::{AccessUnit, DataMessage, Dts};
use support::checker::Checker;
use support::low_latency;
use support::transport::mp4_times;
use support::*;

/// An `onMetaData` that calls the publisher's tracks by these names, in these languages.
fn labels(tracks: &[(&str, &str, &str)]) -> DataMessage {
    let map = tracks.iter().map(|(id, name, language)| {
        let info = [("name", *name), ("language", *language)];
        let info = Value::object(info.map(|(key, value)| (key, Value::from(value))));
        (*id, info)
    });
    let object = Value::object([("audioTrackIdInfoMap", Value::object(map))]);
    let mut amf0 = BytesMut::new();
    amf0::encode_all(&[Value::from("onMetaData"), object], &mut amf0);
    DataMessage {
        name: "onMetaData".into(),
        dts: Dts(0),
        amf0: amf0.freeze(),
    }
}

fn sounds(presentation: &Presentation, container: Container) -> Vec<AlternativeMedia> {
    multivariant(presentation, container).alternatives
}

fn uris(presentation: &Presentation, container: Container) -> Vec<String> {
    let playlist = multivariant(presentation, container);
    let sounds = playlist.alternatives.into_iter().filter_map(|a| a.uri);
    let variants = playlist.variants.into_iter().map(|variant| variant.uri);
    sounds.chain(variants).collect()
}

fn of(container: Container) -> [Feed; 3] {
    [
        Feed::Video(container),
        Feed::Audio(container, 0),
        Feed::Audio(container, 1),
    ]
}

fn enable(segmenter: &mut Segmenter, container: Container) {
    for feed in of(container) {
        segmenter.enable(feed);
    }
}

#[test]
fn several_sounds_are_a_group_and_the_picture_stands_alone() {
    let (tracks, units) = two_sounds();
    let mut segmenter = segmenter_of(low_latency(), &tracks);
    feed(&mut segmenter, &units);
    let presentation = segmenter.changed().unwrap();
    assert_snapshot!("fmp4", multivariant_text(&presentation, Container::Fmp4));
    assert_snapshot!("ts", multivariant_text(&presentation, Container::Ts));
    // A bucket has the whole, as ever.
    for container in Container::ALL {
        let classic = presentation.classic(container).unwrap().multivariant;
        let classic = m3u8_rs::parse_master_playlist_res(&classic.body).unwrap();
        assert_eq!(classic.alternatives, []);
        let whole = format!("demo/{}", container.playlist_name());
        assert_eq!(classic.variants[0].uri, whole);
        assert_eq!(classic.variants[0].audio, None);
    }
    // What the publisher calls them, also when it says so later; no two have one name.
    let said = [("0", "A \"B\"", "en"), ("1", "A 'B'", "zh-Hans")];
    segmenter.data(&labels(&said));
    let presentation = segmenter.changed().unwrap();
    assert_snapshot!("named", multivariant_text(&presentation, Container::Fmp4));
}

#[test]
fn each_sound_is_served_alone_and_costs_what_was_said_of_it() {
    let (tracks, units) = two_sounds();
    for config in [config(), low_latency()] {
        let is_low_latency = config.part.is_some();
        let mut segmenter = segmenter_of(config, &tracks);
        let half = units.partition_point(|unit| unit.dts.0 < 4_000);
        feed(&mut segmenter, &units[..half]);
        let promised = segmenter.changed().unwrap();
        enable(&mut segmenter, Container::Fmp4);
        enable(&mut segmenter, Container::Ts);
        feed(&mut segmenter, &units[half..]);
        let presentation = segmenter.changed().unwrap();
        for container in Container::ALL {
            let before = multivariant(&promised, container);
            let after = multivariant(&presentation, container);
            assert_eq!(before.variants.len(), after.variants.len());
            for (before, after) in before.variants.iter().zip(&after.variants) {
                assert_eq!(before.uri, after.uri);
                // Nothing costs more than was said before it was made, nor much less.
                assert_eq!(before.bandwidth, after.bandwidth, "{}", after.uri);
            }
            for feed in of(container) {
                let mut checker = Checker::default();
                checker.check(&presentation, feed);
                let whole = media(&presentation, container);
                let alone = media(&presentation, feed);
                let newest = |list: &m3u8_rs::MediaPlaylist| {
                    list.media_sequence + list.segments.len() as u64
                };
                assert_eq!(newest(&whole), newest(&alone), "{feed:?}");
            }
        }
        for (feed, track) in of(Container::Fmp4).into_iter().zip([VIDEO, AUDIO, SECOND]) {
            if is_low_latency {
                low_latency::Checker::of_feed(feed).check(&presentation);
                let reports = text(&presentation, feed);
                let others = of(Container::Fmp4).into_iter().filter(|f| *f != feed);
                for other in others {
                    let uri = format!("REPORT:URI=\"{}\"", other.playlist_name());
                    assert_eq!(reports.matches(&uri).count(), 1, "{reports}");
                }
                assert_eq!(reports.matches("REPORT").count(), 2, "{reports}");
            }
            let playlist = media(&presentation, feed);
            let times = mp4_times(&body(&presentation, &playlist.segments[0].uri));
            let number = u32::from(track.0) + 1;
            assert_eq!(times.keys().collect::<Vec<_>>(), [&number], "{feed:?}");
        }
    }
}

#[test]
fn only_sounds_that_are_heard_are_offered() {
    let (tracks, units) = two_sounds();
    let mut segmenter = support::segmenter(&tracks);
    // Announced, and silent so far.
    let is_second = |unit: &AccessUnit| unit.track == SECOND;
    let silent: Vec<_> = units
        .iter()
        .filter(|unit| !is_second(unit))
        .cloned()
        .collect();
    feed(&mut segmenter, &silent);
    let presentation = segmenter.changed().unwrap();
    let plain = ["demo/fmp4.m3u8", "demo/audio.m3u8", "demo/iframes.m3u8"];
    assert_eq!(uris(&presentation, Container::Fmp4), plain);
    // It comes late.
    let (_, later) = two_sounds();
    let later = later.into_iter().map(|mut unit| {
        unit.dts = Dts(unit.dts.0 + 8_000);
        unit
    });
    feed(&mut segmenter, &later.collect::<Vec<_>>());
    enable(&mut segmenter, Container::Fmp4);
    enable(&mut segmenter, Container::Ts);
    let presentation = segmenter.changed().unwrap();
    for container in Container::ALL {
        assert_eq!(sounds(&presentation, container).len(), 2);
    }
    // The publisher goes on without it: who listens to it finds gaps, a newcomer no choice.
    segmenter.tracks(&both());
    let rest = movie(16_000, 200, 40, 50);
    feed(&mut segmenter, &rest);
    let presentation = segmenter.changed().unwrap();
    assert_eq!(uris(&presentation, Container::Fmp4), plain);
    for container in Container::ALL {
        let gone = media(&presentation, Feed::Audio(container, 1));
        let whole = media(&presentation, container);
        assert_eq!(
            gone.media_sequence + gone.segments.len() as u64,
            whole.media_sequence + whole.segments.len() as u64
        );
        let last = text(&presentation, Feed::Audio(container, 1));
        assert!(
            last.trim_end()
                .lines()
                .rev()
                .nth(2)
                .unwrap()
                .contains("GAP"),
            "{last}"
        );
    }
}

#[test]
fn every_feed_of_a_container_has_the_discontinuities_of_the_others() {
    for container in Container::ALL {
        let (tracks, units) = two_sounds();
        let mut segmenter = support::segmenter(&tracks);
        enable(&mut segmenter, container);
        feed(&mut segmenter, &units);
        // The second sound alone becomes another one.
        let other = {
            let mut track = second_sound();
            let config = media::CodecConfig::parse(media::Codec::Aac, &hex("1190")).unwrap();
            track.config = Ok(config);
            list(vec![video_track(), audio_track(), track])
        };
        segmenter.tracks(&other);
        let later = units.into_iter().map(|mut unit| {
            unit.dts = Dts(unit.dts.0 + 8_000);
            unit
        });
        feed(&mut segmenter, &later.collect::<Vec<_>>());
        let presentation = segmenter.changed().unwrap();
        let tagged = |feed: Feed| -> Vec<u64> {
            let list = media(&presentation, feed);
            let numbered = (list.media_sequence..).zip(&list.segments);
            numbered
                .filter(|(_, s)| s.discontinuity)
                .map(|(n, _)| n)
                .collect()
        };
        let whole = tagged(Feed::Main(container));
        assert_eq!(whole.len(), 1, "{container:?}");
        assert!(of(container).iter().all(|feed| tagged(*feed) == whole));
    }
}

#[test]
fn a_stream_of_sounds_without_a_picture_offers_them_too() {
    let (_, mut units) = two_sounds();
    units.retain(|unit| unit.track != VIDEO);
    let mut segmenter = segmenter_of(low_latency(), &list(vec![audio_track(), second_sound()]));
    feed(&mut segmenter, &units);
    let presentation = segmenter.changed().unwrap();
    let all = ["demo/audio.m3u8", "demo/audio-1.m3u8", "demo/audio.m3u8"];
    assert_eq!(uris(&presentation, Container::Fmp4), all);
    let all = [
        "demo/ts-audio.m3u8",
        "demo/ts-audio-1.m3u8",
        "demo/ts-audio.m3u8",
    ];
    assert_eq!(uris(&presentation, Container::Ts), all);
}

#[test]
fn after_the_end_only_what_was_made_is_offered() {
    let cases: [(&[Feed], &[&str]); 3] = [
        (&[], &["demo/fmp4.m3u8", "demo/iframes.m3u8"]),
        (
            &[
                Feed::Video(Container::Fmp4),
                Feed::Audio(Container::Fmp4, 1),
            ],
            &["demo/audio-1.m3u8", "demo/video.m3u8", "demo/iframes.m3u8"],
        ),
        (
            &[
                Feed::Audio(Container::Fmp4, 0),
                Feed::Audio(Container::Fmp4, 1),
            ],
            &["demo/fmp4.m3u8", "demo/audio.m3u8", "demo/iframes.m3u8"],
        ),
    ];
    for (asked, expected) in cases {
        let (tracks, units) = two_sounds();
        let mut segmenter = support::segmenter(&tracks);
        asked.iter().for_each(|feed| segmenter.enable(*feed));
        feed(&mut segmenter, &units);
        segmenter.finish();
        let ended = segmenter.changed().unwrap();
        assert_eq!(uris(&ended, Container::Fmp4), expected);
    }
}

#[test]
fn encrypted_sounds_are_offered_and_sealed_each_by_itself() {
    for method in [Method::Aes128, Method::Cbcs] {
        let (tracks, units) = two_sounds();
        let mut config = low_latency();
        config.encryption = Some(encryption(method, every(2)));
        let mut segmenter: Segmenter = segmenter_of(config, &tracks);
        let feeds = of(Container::Fmp4);
        enable(&mut segmenter, Container::Fmp4);
        feed(&mut segmenter, &units);
        let presentation = segmenter.changed().unwrap();
        assert_eq!(sounds(&presentation, Container::Fmp4).len(), 2);
        let keys = feeds.map(|feed| {
            let text = text(&presentation, feed);
            let keys = text.lines().filter(|line| line.starts_with("#EXT-X-KEY"));
            keys.map(str::to_owned).collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|keys| keys.len() >= 2), "{keys:?}");
        // Whole segments have vectors of their own, samples the key's.
        assert_eq!(keys[1] == keys[2], method == Method::Cbcs, "{keys:?}");
    }
}

#[test]
fn rungs_of_a_ladder_share_their_sounds_where_these_agree() {
    for (other, agree) in [("en", true), ("fr", false)] {
        let names = ["cam_hd", "cam_sd"].map(Box::from).into();
        let ladder = Ladder::new(names, Duration::from_secs(2));
        let (tracks, units) = two_sounds();
        let mut rungs = [0, 1].map(|index| {
            let mut config = low_latency();
            config.rung = ladder.rung(index);
            config.stream = ["cam_hd", "cam_sd"][index].into();
            let mut segmenter = segmenter_of(config, &tracks);
            enable(&mut segmenter, Container::Fmp4);
            let language = ["en", other][index];
            segmenter.data(&labels(&[("1", "Commentary", language)]));
            segmenter
        });
        let mut last = [None, None];
        for unit in &units {
            for (rung, last) in rungs.iter_mut().zip(&mut last) {
                feed(rung, std::slice::from_ref(unit));
                *last = rung.changed().or(last.take());
            }
        }
        let last = last.map(Option::unwrap);
        let ready = [0, 1].map(|n| match last[n].rendition(Container::Fmp4) {
            Rendition::Ready(ready) => Arc::clone(ready),
            other => panic!("{other:?}"),
        });
        let ready = [&*ready[0], &*ready[1]];
        let playlist = hls::ladder_playlist(Container::Fmp4, "cam", &ready).unwrap();
        let playlist = String::from_utf8(playlist.body.to_vec()).unwrap();
        let reported = text(&last[0], Feed::Video(Container::Fmp4));
        let reported: Vec<&str> = reported
            .lines()
            .filter_map(|line| line.strip_prefix("#EXT-X-RENDITION-REPORT:URI=\"../"))
            .map(|line| line.split('"').next().unwrap())
            .collect();
        if agree {
            assert_snapshot!("ladder", playlist);
            let all = ["video.m3u8", "audio.m3u8", "audio-1.m3u8"];
            assert_eq!(reported, all.map(|name| format!("cam_sd/{name}")));
        } else {
            assert_snapshot!("ladder_of_other_sounds", playlist);
            assert_eq!(reported, ["cam_sd/fmp4.m3u8", "cam_sd/audio.m3u8"]);
        }
        // What is the other rung's sound is nobody's beside the ladder's last.
        let reported = text(&last[1], Feed::Video(Container::Fmp4));
        let named = if agree { "video" } else { "fmp4" };
        let other = format!("URI=\"../cam_hd/{named}.m3u8\"");
        assert_eq!(reported.matches("URI=\"../").count(), 1, "{reported}");
        assert!(reported.contains(&other), "{reported}");
    }
}
