//! Encrypted media: playlists compared whole, segments with those of a stream in clear.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hls::{Config, Container, Encryption, Feed, Method, Rotation, Segmenter};
use insta::assert_snapshot;
use media::AccessUnit;
use support::checker::Checker;
use support::transport::boxes;
use support::*;

fn encrypted(mut config: Config, method: Method, rotation: Rotation) -> Config {
    config.encryption = Some(encryption(method, rotation));
    config
}

/// Feeds units, watched after each; both containers' segments.
fn play(config: Config, units: &[AccessUnit]) -> [Checker; 2] {
    let mut segmenter = segmenter_of(config, &both());
    let mut checkers = <[Checker; 2]>::default();
    for unit in units {
        feed(&mut segmenter, std::slice::from_ref(unit));
        if let Some(presentation) = segmenter.changed() {
            for (checker, container) in checkers.iter_mut().zip(Container::ALL) {
                checker.check(&presentation, container);
            }
        }
    }
    checkers
}

fn rendered(segmenter: &mut Segmenter, container: Container) -> String {
    let presentation = segmenter.changed().expect("something changed");
    media(&presentation, container);
    text(&presentation, container)
}

/// What is in the `mdat` boxes.
fn media_of(segment: &Bytes) -> Vec<Vec<u8>> {
    let mdats = boxes(segment)
        .into_iter()
        .filter(|(kind, _)| kind == b"mdat");
    mdats.map(|(_, body)| body.to_vec()).collect()
}

#[test]
fn whole_segments_of_fmp4_with_a_key_for_two() {
    let mut segmenter = segmenter_of(encrypted(low_latency(), Method::Aes128, every(2)), &both());
    feed(&mut segmenter, &movie(0, 201, 40, 50));
    segmenter.tracks(&list(vec![other_video_track(), audio_track()]));
    feed(&mut segmenter, &movie(8_040, 51, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn whole_segments_of_ts_with_a_key_for_five_seconds() {
    let rotation = Rotation::Media(seconds(5));
    let mut segmenter = segmenter_of(encrypted(config(), Method::Aes128, rotation), &both());
    feed(&mut segmenter, &movie(0, 251, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Ts));
}

#[test]
fn samples_in_parts_with_a_key_for_two_segments() {
    let mut segmenter = segmenter_of(encrypted(low_latency(), Method::Cbcs, every(2)), &both());
    feed(&mut segmenter, &movie(0, 230, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn a_delta_update_names_the_key_again() {
    let mut config = encrypted(low_latency(), Method::Cbcs, Rotation::Never);
    config.segments = 30;
    let mut segmenter = segmenter_of(config, &both());
    feed(&mut segmenter, &movie(0, 1_001, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let hls::Rendition::Ready(playlists) = presentation.rendition(Container::Fmp4) else {
        panic!("no playlists");
    };
    let delta = playlists
        .delta(hls::Skip::Segments)
        .expect("a delta update");
    let delta = String::from_utf8(delta.body.to_vec()).unwrap();
    let after = delta.split_once("#EXT-X-SKIP").unwrap().1;
    assert!(
        after
            .lines()
            .nth(2)
            .unwrap()
            .starts_with("#EXT-X-KEY:METHOD=SAMPLE-AES")
    );
}

#[test]
fn decrypted_segments_are_those_of_a_stream_in_clear() {
    let units = movie(0, 501, 40, 50);
    let clear = play(config(), &units);
    for (method, rotation) in [
        (Method::Aes128, Rotation::Never),
        (Method::Aes128, every(1)),
        (Method::Aes128, Rotation::Media(seconds(3))),
        (Method::Cbcs, Rotation::Never),
        (Method::Cbcs, every(3)),
    ] {
        let sealed = play(encrypted(config(), method, rotation), &units);
        for (container, (clear, sealed)) in Container::ALL.iter().zip(clear.iter().zip(&sealed)) {
            let (clear, sealed) = (clear.segments(), sealed.segments());
            assert_eq!(clear.len(), sealed.len());
            assert!(clear.len() >= 9);
            for (clear, sealed) in clear.iter().zip(sealed) {
                assert_ne!(clear.body, sealed.body, "in clear");
                assert_eq!(clear.duration_ms, sealed.duration_ms);
                assert!(!sealed.tagged, "a key is no discontinuity");
                if (method, *container) == (Method::Cbcs, Container::Fmp4) {
                    assert_eq!(media_of(&clear.body), media_of(&sealed.clear));
                } else {
                    assert_eq!(clear.body, sealed.clear);
                }
            }
        }
    }
}

#[test]
fn no_byte_of_a_picture_or_sound_is_in_clear_where_segments_are_encrypted() {
    let [fmp4, ts] = play(
        encrypted(config(), Method::Aes128, every(2)),
        &movie(0, 151, 40, 50),
    );
    for segment in fmp4.segments().into_iter().chain(ts.segments()) {
        for run in [[0xa5; 16], [0x5a; 16]] {
            assert!(!segment.body.windows(16).any(|bytes| bytes == run));
        }
    }
}

#[test]
fn parts_of_samples_are_the_segment() {
    let mut segmenter = segmenter_of(encrypted(low_latency(), Method::Cbcs, every(1)), &both());
    let mut checker = support::low_latency::Checker::default();
    for unit in movie(0, 400, 40, 50) {
        feed(&mut segmenter, &[unit]);
        if let Some(presentation) = segmenter.changed() {
            checker.check(&presentation);
        }
    }
    assert!(checker.parts().count() > 40);
}

#[test]
fn a_segment_whose_key_is_missing_is_not_listed() {
    for (mut config, method) in [(config(), Method::Aes128), (low_latency(), Method::Cbcs)] {
        let keys = Arc::new(Keys {
            count: AtomicU64::new(0),
        });
        config.encryption = Some(Encryption {
            method,
            rotation: every(2),
            keys: Arc::clone(&keys) as _,
        });
        let mut segmenter = segmenter_of(config, &both());
        let mut checkers = <[Checker; 2]>::default();
        let units = movie(0, 1_001, 40, 50);
        for unit in &units {
            // The first key after 3 s, the second in time, the third after 21 s.
            let have = match unit.dts.0 {
                ..3_000 => 0,
                3_000..21_000 => 2,
                _ => u64::MAX,
            };
            keys.count.store(have, Ordering::Relaxed);
            feed(&mut segmenter, std::slice::from_ref(unit));
            if let Some(presentation) = segmenter.changed() {
                for (checker, container) in checkers.iter_mut().zip(Container::ALL) {
                    checker.check(&presentation, container);
                }
            }
        }
        let locked = segmenter.stats().locked_segments;
        assert!(locked >= 4, "{locked}");
        for checker in &checkers {
            let segments = checker.segments();
            assert!(segments.iter().all(|segment| segment.key.is_some()));
            let keys: Vec<_> = segments.iter().map(|s| s.key.as_deref().unwrap()).collect();
            assert_eq!(
                keys[..5],
                ["0", "0", "1", "1", "2"].map(|n| format!("key-6a1f-{n}.bin"))
            );
            let tagged: Vec<_> = segments.iter().map(|segment| segment.tagged).collect();
            assert_eq!(tagged[..6], [false, false, false, false, true, false]);
            let total = segments.len() as u64 + locked;
            assert_eq!(total, segmenter.stats().segments + locked);
        }
        assert_eq!(checkers[0].segments().len(), checkers[1].segments().len());
    }
}

#[test]
fn keys_are_named_exactly_and_only_those_of_what_can_be_fetched() {
    let mut segmenter = segmenter_of(encrypted(config(), Method::Aes128, every(1)), &both());
    feed(&mut segmenter, &movie(0, 151, 40, 50));
    let presentation = segmenter.changed().unwrap();
    assert!(presentation.key("key-6a1f-2.bin").is_some());
    // Of the open segment, and what is no key at all.
    for name in [
        "key-6a1f-3.bin",
        "key-6a20-0.bin",
        "key-6a1f-00.bin",
        "key-6a1f-0",
        "6a1f-0.ts",
    ] {
        assert!(presentation.key(name).is_none(), "{name}");
    }
    assert!(presentation.resource("key-6a1f-0.bin").is_none());
    feed(&mut segmenter, &movie(6_040, 2_000, 40, 50));
    let presentation = segmenter.changed().unwrap();
    assert!(
        presentation.key("key-6a1f-0.bin").is_none(),
        "its segment is gone"
    );
}

#[test]
fn tracks_whose_samples_cannot_be_encrypted_are_left_out_with_the_reason() {
    let config = media::CodecConfig::parse(media::Codec::Vp9, &hex("001f820202020000")).unwrap();
    let media::CodecConfig::Vp9(mut config) = config else {
        panic!("{config:?}");
    };
    (config.params.width, config.params.height) = (320, 180);
    let config = media::CodecConfig::Vp9(config);
    let vp9 = media::Track::new(VIDEO, media::Timescale::MILLIS, config);
    for (method, refused) in [(Method::Aes128, false), (Method::Cbcs, true)] {
        let config = encrypted(support::config(), method, Rotation::Never);
        let segmenter = segmenter_of(config, &list(vec![vp9.clone(), audio_track()]));
        let left_out = segmenter.left_out(Container::Fmp4);
        let reasons: Vec<_> = left_out.iter().map(|out| out.reason.as_str()).collect();
        assert_eq!(reasons.len(), usize::from(refused), "{reasons:?}");
        if refused {
            assert!(reasons[0].contains("aes-128 covers all"), "{reasons:?}");
        }
    }
}

/// The sound alone of these settings, watched from its first segment on.
fn sound_alone(config: Config) -> Checker {
    let mut segmenter = segmenter_of(config, &both());
    segmenter.enable(Feed::Audio(Container::Fmp4, 0));
    let mut checker = Checker::default();
    for unit in movie(0, 230, 40, 50) {
        feed(&mut segmenter, &[unit]);
        if let Some(presentation) = segmenter.changed() {
            checker.check(&presentation, Feed::Audio(Container::Fmp4, 0));
        }
    }
    checker
}

#[test]
fn sound_alone_is_encrypted_like_the_whole() {
    let open = sound_alone(low_latency());
    for method in [Method::Aes128, Method::Cbcs] {
        let sealed = sound_alone(encrypted(low_latency(), method, every(2)));
        let (open, sealed) = (open.segments(), sealed.segments());
        assert_eq!((open.len(), sealed.len()), (4, 4));
        for (open, sealed) in open.iter().zip(sealed) {
            assert!(sealed.key.is_some(), "{method:?}");
            let [want, got] = [&open.body, &sealed.clear].map(|s| media_of(s).concat());
            assert_eq!(got, want, "{method:?} {}", sealed.uri);
            assert_ne!(sealed.body, sealed.clear, "{method:?}");
        }
    }
}

#[test]
fn what_sound_alone_costs_is_said_before_it_is_made() {
    for method in [Method::Aes128, Method::Cbcs] {
        let config = encrypted(low_latency(), method, every(1));
        let mut segmenter = segmenter_of(config, &both());
        feed(&mut segmenter, &movie(0, 200, 40, 50));
        let mut sound = || {
            let presentation = segmenter.changed().unwrap();
            let playlist = multivariant(&presentation, Container::Fmp4);
            let mut variants = playlist.variants.iter();
            let sound = variants.find(|v| v.uri == "demo/audio.m3u8").unwrap();
            let bandwidth = sound.average_bandwidth.unwrap();
            segmenter.enable(Feed::Audio(Container::Fmp4, 0));
            feed(&mut segmenter, &movie(8_000, 400, 40, 50));
            bandwidth
        };
        let (promised, sent) = (sound(), sound());
        assert!(promised.abs_diff(sent) * 100 < sent, "{promised} {sent}");
    }
}

#[test]
fn key_frames_alone_need_samples_that_are_encrypted_one_by_one() {
    for (method, container, is_offered) in [
        (Method::Aes128, Container::Fmp4, false),
        (Method::Aes128, Container::Ts, false),
        (Method::Cbcs, Container::Fmp4, true),
        (Method::Cbcs, Container::Ts, false),
    ] {
        let mut segmenter = segmenter_of(encrypted(low_latency(), method, every(2)), &both());
        feed(&mut segmenter, &movie(0, 230, 40, 50));
        let presentation = segmenter.changed().unwrap();
        let playlist = multivariant(&presentation, container);
        let offered = playlist.variants.iter().any(|variant| variant.is_i_frame);
        let hls::Rendition::Ready(ready) = presentation.rendition(container) else {
            panic!("nothing to play");
        };
        let what = format!("{method:?} {container:?}");
        assert_eq!(
            (offered, ready.iframes.is_some()),
            (is_offered, is_offered),
            "{what}"
        );
        let Some(text) = &ready.iframes else { continue };
        let text = std::str::from_utf8(&text.body).unwrap();
        let keys = |text: &str| -> Vec<String> {
            let keys = text.lines().filter(|line| line.starts_with("#EXT-X-KEY:"));
            keys.map(str::to_owned).collect()
        };
        let whole = support::text(&presentation, container);
        assert_eq!(keys(text), keys(&whole)[..2], "of complete segments");
        assert!(keys(text)[0].contains("SAMPLE-AES"));
    }
}
