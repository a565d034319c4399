//! Real files through the FLV demuxer: both containers hold the same access units, and the
//! playlists keep the rules. Needs the project's shared test media; skipped without.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hls::{Config, Container, Segmenter, WallTime};
use media::timeline::{Jump, Timeline};
use media::{StreamName, TrackList};
use remux::flv::{Event, Parser};
use support::checker::Checker;
use support::transport::{mp4_times, ts_times};
use support::*;

fn shared(path: &str) -> Option<Vec<u8>> {
    let mut places: Vec<PathBuf> = std::env::var_os("SIDESTREAM_SHARED")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let mut dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while dir.pop() {
        places.push(dir.join("shared"));
    }
    let file = places
        .iter()
        .map(|place| place.join("testmedia").join(path))
        .find(|file| file.is_file());
    if file.is_none() {
        eprintln!("skipped: shared test media {path} is not here");
    }
    file.map(|file| std::fs::read(file).unwrap())
}

/// What one file became.
struct Played {
    segmenter: Segmenter,
    checkers: [Checker; 2],
    /// Units given to the segmenter.
    units: u64,
}

/// Feeds a file's tags as a publisher would send them, on the stream's clock.
fn play(flv: &[u8]) -> Played {
    let name = StreamName::parse("live", "file").unwrap();
    let mut segmenter = Segmenter::new(Config::new(&name, 1));
    let mut checkers = [Checker::default(), Checker::default()];
    Container::ALL.into_iter().for_each(|c| segmenter.enable(c));
    let (mut parser, mut timeline) = (Parser::new(Default::default()), Timeline::new());
    let (mut tracks, mut units) = (Arc::new(TrackList::default()), 0);
    for (kind, raw, body) in tags(flv) {
        let events = match kind {
            8 => parser.audio(&body),
            9 => parser.video(&body),
            _ => continue,
        };
        for event in events.into_iter().flatten() {
            match event {
                Event::Track(track) => {
                    tracks = Arc::new(tracks.with(*track));
                    segmenter.tracks(&tracks);
                }
                Event::Unit(mut unit) => {
                    let placed = timeline.place(unit.track, raw, None);
                    if matches!(placed.jump, Some(Jump::Restart { .. })) {
                        segmenter.discontinuity();
                    }
                    unit.dts = placed.dts;
                    units += 1;
                    segmenter.unit(&unit, WallTime(EPOCH_WALL));
                }
                _ => {}
            }
        }
        look(&mut segmenter, &mut checkers);
    }
    segmenter.finish();
    look(&mut segmenter, &mut checkers);
    Played {
        segmenter,
        checkers,
        units,
    }
}

fn look(segmenter: &mut Segmenter, checkers: &mut [Checker; 2]) {
    if let Some(presentation) = segmenter.changed() {
        for (checker, container) in checkers.iter_mut().zip(Container::ALL) {
            checker.check(&presentation, container);
        }
    }
}

fn tags(flv: &[u8]) -> Vec<(u8, u32, Bytes)> {
    let mut found = Vec::new();
    let mut rest = &flv[13..];
    while rest.len() >= 11 {
        let len = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let time = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let Some(body) = rest.get(11..11 + len) else {
            break;
        };
        found.push((rest[0] & 0x1f, time, Bytes::copy_from_slice(body)));
        rest = rest.get(15 + len..).unwrap_or_default();
    }
    found
}

/// One line a segment: duration, then per track the number of units and their first time.
fn cuts(played: &Played) -> String {
    let [fmp4, ts] = &played.checkers;
    let mut counters = BTreeMap::new();
    let mut text = String::new();
    for (a, b) in fmp4.segments().iter().zip(ts.segments()) {
        let (mp4, ts) = (mp4_times(&a.body), ts_times(&b.body, &mut counters));
        text.push_str(&format!("{:>6} ms", a.duration_ms));
        for ((_, mp4), (_, ts)) in mp4.iter().zip(&ts) {
            assert_eq!(mp4.len(), ts.len());
            assert_eq!(
                mp4[0].rem_euclid(1 << 33),
                ts[0],
                "both cut at the same unit"
            );
            text.push_str(&format!("  {:>4} from {:>9}", mp4.len(), mp4[0]));
        }
        text.push_str(if a.tagged { "  discontinuity\n" } else { "\n" });
    }
    text
}

fn written(played: &Played) -> u64 {
    let segments = played.checkers[0].segments();
    let times = segments
        .iter()
        .flat_map(|s| mp4_times(&s.body).into_values());
    times.map(|times| times.len() as u64).sum()
}

#[test]
fn baseline_file_is_cut_at_its_key_frames() {
    let Some(flv) = shared("flv/bbb.flv") else {
        return;
    };
    let played = play(&flv);
    insta::assert_snapshot!(cuts(&played));
    assert_eq!(written(&played), played.units);
}

#[test]
fn file_with_b_frames_is_cut_at_its_key_frames() {
    let Some(flv) = shared("flv/test.flv") else {
        return;
    };
    let played = play(&flv);
    insta::assert_snapshot!(cuts(&played));
    assert_eq!(written(&played), played.units);
}

#[test]
fn rearranged_files_keep_the_rules_and_lose_nothing_but_what_waits() {
    for name in [
        "audio-only-start-3s",
        "metadata-none",
        "res-change-with-metadata",
        "sh-missing-audio",
        "sh-repeat-every-keyframe",
        "short-tags",
        "start-without-keyframe",
        "ts-cross-24bit",
        "ts-cross-33bit-90k",
        "ts-jump-back-to-0",
        "ts-wrap-32bit",
    ] {
        let Some(flv) = shared(&format!("flv-edge/{name}.flv")) else {
            return;
        };
        let played = play(&flv);
        let stats = played.segmenter.stats();
        let tagged = played.checkers[0]
            .segments()
            .iter()
            .filter(|s| s.tagged)
            .count();
        let expected = match name {
            "audio-only-start-3s" | "res-change-with-metadata" | "ts-jump-back-to-0" => 1,
            _ => 0,
        };
        assert_eq!(tagged, expected, "{name}: {}", cuts(&played));
        if name != "sh-missing-audio" {
            assert_eq!(
                written(&played) + stats.waiting_units,
                played.units,
                "{name}"
            );
        }
        assert_eq!(stats.damaged_units, 0, "{name}");
    }
}

#[test]
fn every_shared_file_keeps_the_rules() {
    for folder in ["flv", "flv-ffmpeg", "flv-remux"] {
        let Some(list) = shared("MANIFEST.md") else {
            return;
        };
        let list = String::from_utf8(list).unwrap();
        let prefix = format!("| {folder}/");
        for line in list.lines().filter(|line| line.starts_with(&prefix)) {
            let path = line.split('|').nth(1).unwrap().trim();
            if !path.ends_with(".flv") {
                continue;
            }
            let Some(flv) = shared(path) else { continue };
            let mut played = play(&flv);
            assert!(played.units > 0, "{path}");
            played.segmenter.finish();
            let left_out = played.segmenter.left_out(Container::Fmp4);
            if left_out.is_empty() {
                assert!(!played.checkers[0].segments().is_empty(), "{path}");
                let waiting = played.segmenter.stats().waiting_units;
                assert_eq!(written(&played) + waiting, played.units, "{path}");
            }
        }
    }
}
