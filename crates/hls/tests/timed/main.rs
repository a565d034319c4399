//! Data messages in segments: in both containers, each once, with its time.
#![allow(clippy::unwrap_used)]

mod skip;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use amf0::Value;
use bytes::{Bytes, BytesMut};
use hls::{Container, Presentation, Segmenter, WallTime};
use media::{AccessUnit, DataMessage, Dts};
use proptest::prelude::*;
use remux::{Event, TimedMetadata, mp4, ts};
use support::*;

/// A message of the handler `name` that says a number.
fn message(name: &str, ms: i64, number: u32) -> DataMessage {
    let mut amf0 = BytesMut::new();
    amf0::encode_all(&[Value::from(name), Value::from(number)], &mut amf0);
    DataMessage {
        name: name.into(),
        dts: Dts(ms),
        amf0: amf0.freeze(),
    }
}

/// Every segment that was ever complete, by its name, and the init segment.
#[derive(Default)]
struct Kept {
    segments: [BTreeMap<u64, (String, Bytes)>; 2],
    init: Bytes,
}

impl Kept {
    fn look(&mut self, segmenter: &mut Segmenter) {
        let Some(presentation) = segmenter.changed() else {
            return;
        };
        for (container, kept) in Container::ALL.into_iter().zip(&mut self.segments) {
            if presentation.media(container).is_none() {
                continue;
            }
            for (number, name) in names(&presentation, container) {
                let bytes = body(&presentation, &name);
                kept.insert(number, (name, bytes));
            }
        }
        if let Some(init) = presentation.resource("6a1f-init-1.mp4") {
            self.init = init.body.joined();
        }
    }

    /// What a reader finds in the segments of this number.
    fn timed(&self, number: u64) -> [Vec<TimedMetadata>; 2] {
        let [fmp4, ts] = &self.segments;
        [
            read_fmp4(&[&self.init[..], &fmp4[&number].1].concat().into()).0,
            read_ts(ts[&number].1.clone()).0,
        ]
    }

    /// What a reader finds in all of them, one behind the other.
    fn all(&self) -> [Vec<TimedMetadata>; 2] {
        self.found().map(|(timed, _)| timed)
    }

    fn found(&self) -> [Found; 2] {
        let [fmp4, ts] = &self.segments;
        let joined = |segments: &BTreeMap<u64, (String, Bytes)>| {
            let bytes: Vec<_> = segments.values().map(|(_, bytes)| &bytes[..]).collect();
            Bytes::from(bytes.concat())
        };
        [
            read_fmp4(&[&self.init[..], &joined(fmp4)].concat().into()),
            read_ts(joined(ts)),
        ]
    }
}

fn names(presentation: &Presentation, container: Container) -> Vec<(u64, String)> {
    let text = text(presentation, container);
    let sequence = text
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
    let names = text.lines().filter(|line| !line.starts_with('#'));
    (sequence.map_or(0, |number| number.parse().unwrap())..)
        .zip(names.map(str::to_owned))
        .collect()
}

/// What is found in media: metadata, and of every unit its track, time and size.
type Found = (Vec<TimedMetadata>, Vec<(u16, i64, usize)>);

fn take(found: &mut Found, event: Event) {
    match event {
        Event::Timed(timed) => found.0.push(timed.as_ref().clone()),
        Event::Unit(unit) => found.1.push((unit.track.0, unit.dts.0, unit.payload.len())),
        Event::Damage(damage) => panic!("{damage:?}"),
        _ => {}
    }
}

fn read_ts(bytes: Bytes) -> Found {
    let mut demuxer = ts::Demuxer::default();
    demuxer.push(bytes);
    demuxer.finish();
    let mut found = Found::default();
    while let Some(event) = demuxer.poll().unwrap() {
        take(&mut found, event);
    }
    found
}

fn read_fmp4(file: &Bytes) -> Found {
    let mut demuxer = mp4::Demuxer::new(mp4::Input::File {
        len: file.len() as u64,
    });
    let mut found = Found::default();
    loop {
        match demuxer.poll().unwrap() {
            mp4::Step::Read { offset, len } => {
                let from = usize::try_from(offset).unwrap();
                demuxer.push(file.slice(from..(from + len).min(file.len())));
            }
            mp4::Step::Event(event) => take(&mut found, event),
            mp4::Step::End => return found,
        }
    }
}

/// Feeds units, and each message in front of the first unit that is not before it.
fn play(config: hls::Config, units: &[AccessUnit], messages: &[DataMessage]) -> (Segmenter, Kept) {
    let mut segmenter = segmenter_of(config, &both());
    let mut kept = Kept::default();
    let mut waiting = messages.iter().peekable();
    for unit in units {
        while let Some(message) = waiting.next_if(|message| message.dts <= unit.dts) {
            segmenter.data(message);
        }
        segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
        kept.look(&mut segmenter);
    }
    waiting.for_each(|message| segmenter.data(message));
    segmenter.finish();
    kept.look(&mut segmenter);
    (segmenter, kept)
}

/// PIDs and stream types that the program map of a segment announces.
fn announced(segment: &[u8]) -> Vec<(u16, u8)> {
    let map = &segment[188..376];
    let len = usize::from(u16::from_be_bytes([map[6], map[7]]) & 0xfff);
    let skip = usize::from(u16::from_be_bytes([map[15], map[16]]) & 0xfff);
    let mut entries = &map[17 + skip..8 + len - 4];
    let mut found = Vec::new();
    while let [kind, high, low, info_high, info_low, rest @ ..] = entries {
        found.push((u16::from_be_bytes([*high, *low]) & 0x1fff, *kind));
        let info = u16::from_be_bytes([*info_high, *info_low]) & 0xfff;
        entries = &rest[usize::from(info)..];
    }
    found
}

#[test]
fn a_cue_is_in_the_segment_and_the_part_where_it_came() {
    for config in [config(), low_latency()] {
        let has_parts = config.part.is_some();
        let cue = message("onCuePoint", 4_700, 7);
        let (segmenter, kept) = play(config, &movie(0, 251, 40, 50), std::slice::from_ref(&cue));
        let want = TimedMetadata::of_message(&cue).unwrap();
        assert_eq!(want.pts, 423_000);
        for number in kept.segments[0].keys() {
            let found = match number {
                2 => vec![want.clone()],
                _ => Vec::new(),
            };
            assert_eq!(kept.timed(*number), [found.clone(), found], "{number}");
        }
        // In front of the fragment, and of the one that holds 4.7 s: 2 × 333 ms come before it.
        let (_, segment) = &kept.segments[0][&2];
        let at = segment.windows(4).position(|four| four == b"emsg").unwrap();
        let fragments = segment[..at].windows(4).filter(|four| *four == b"moof");
        assert_eq!(fragments.count(), if has_parts { 2 } else { 0 });
        assert_eq!(segmenter.stats().messages_left_out, 0);
        assert_eq!(segmenter.stats().damaged_units, 0);
    }
}

#[test]
fn the_program_map_stays_the_same_from_the_first_segment_on() {
    let cue = message("onCuePoint", 4_700, 7);
    let (_, kept) = play(config(), &movie(0, 251, 40, 50), &[cue]);
    for (_, segment) in kept.segments[1].values() {
        assert_eq!(
            announced(segment),
            [(0x100, 0x1b), (0x101, 0x0f), (0xff, 0x15)]
        );
        assert_eq!(segment[193], kept.segments[1][&0].1[193], "version");
    }
}

#[test]
fn nothing_is_announced_or_carried_when_it_is_off() {
    let mut off = config();
    off.timed_metadata = false;
    let cue = message("onCuePoint", 4_700, 7);
    let (_, kept) = play(off, &movie(0, 251, 40, 50), &[cue]);
    assert_eq!(kept.all(), [Vec::new(), Vec::new()]);
    assert_eq!(
        announced(&kept.segments[1][&0].1),
        [(0x100, 0x1b), (0x101, 0x0f)]
    );
}

#[test]
fn a_description_is_news_only_when_it_changes() {
    let say = |ms, number| message("onMetaData", ms, number);
    let said = [
        say(0, 1),
        say(1_000, 1),
        say(3_000, 2),
        say(5_000, 2),
        say(7_000, 1),
    ];
    let (_, kept) = play(config(), &movie(0, 251, 40, 50), &said);
    let want = [&said[2], &said[4]].map(|message| TimedMetadata::of_message(message).unwrap());
    assert_eq!(kept.all(), [want.to_vec(), want.to_vec()]);
}

#[test]
fn a_flood_of_messages_is_left_out_and_counted() {
    let mut amf0 = BytesMut::new();
    amf0::encode_all(
        &[Value::from("onX"), Value::from("x".repeat(30_000))],
        &mut amf0,
    );
    let long = DataMessage {
        name: "onX".into(),
        dts: Dts(1_000),
        amf0: amf0.freeze(),
    };
    let broken = DataMessage {
        amf0: long.amf0.slice(..9),
        ..long.clone()
    };
    let next = DataMessage {
        dts: Dts(3_000),
        ..long.clone()
    };
    let mut said = vec![long; 100];
    said.extend([broken, next]);
    let (segmenter, kept) = play(low_latency(), &movie(0, 251, 40, 50), &said);
    // A mebibyte of them in a segment; the next one has room again.
    let fits = (1 << 20) / (30_000 + 26 + 256);
    let [fmp4, ts] = kept.timed(0);
    assert_eq!((fmp4.len(), ts.len()), (fits, fits));
    assert_eq!(kept.timed(1).map(|found| found.len()), [1, 1]);
    assert_eq!(segmenter.stats().messages_left_out, 100 - fits as u64 + 1);
}

#[test]
fn a_message_before_the_stream_and_one_in_a_break_are_in_the_segment_behind() {
    for config in [config(), low_latency()] {
        let mut segmenter = Segmenter::new(config);
        Container::ALL.into_iter().for_each(|c| segmenter.enable(c));
        let mut kept = Kept::default();
        segmenter.data(&message("onCuePoint", 0, 1));
        segmenter.tracks(&both());
        feed(&mut segmenter, &movie(0, 101, 40, 50));
        kept.look(&mut segmenter);
        segmenter.discontinuity();
        segmenter.data(&message("onCuePoint", 9_000, 2));
        feed(&mut segmenter, &movie(9_000, 101, 40, 50));
        segmenter.finish();
        kept.look(&mut segmenter);
        assert_eq!(kept.timed(0).map(|found| found.len()), [1, 1]);
        let behind = *kept.segments[0]
            .keys()
            .find(|number| {
                kept.timed(**number)
                    .iter()
                    .all(|found| found.iter().any(|one| one.pts == 810_000))
            })
            .unwrap();
        assert_eq!(
            behind, 3,
            "two segments and what was left of the third come before"
        );
        assert_eq!(kept.all().map(|found| found.len()), [2, 2]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_is_in_both_containers_once_and_no_unit_is_lost(
        times in prop::collection::vec(0_i64..9_900, 0..40),
        parts in any::<bool>(),
        group in 10_u32..80,
    ) {
        let mut times = times;
        times.sort_unstable();
        let said: Vec<_> = (0..).zip(&times).map(|(n, ms)| message("onX", *ms, n)).collect();
        let config = if parts { low_latency() } else { config() };
        let units = movie(0, 250, 40, group);
        let (segmenter, kept) = play(config.clone(), &units, &said);
        let want: Vec<_> = said.iter().map(|one| TimedMetadata::of_message(one).unwrap()).collect();
        let [fmp4, ts] = kept.all();
        prop_assert_eq!(&ts, &want);
        prop_assert_eq!(&fmp4, &want);
        prop_assert_eq!(segmenter.stats().messages_left_out, 0);
        // The segments are cut where they are without messages.
        let (quiet, silent) = play(config, &units, &[]);
        prop_assert_eq!(quiet.stats().segments, segmenter.stats().segments);
        let counted = |kept: &Kept| -> Vec<usize> {
            let of = |(_, bytes): &(String, Bytes)| bytes.windows(4).filter(|w| *w == b"moof").count();
            kept.segments[0].values().map(of).collect()
        };
        prop_assert_eq!(counted(&silent), counted(&kept));
        let units = |kept: &Kept| kept.found().map(|(_, units)| units);
        prop_assert_eq!(units(&silent), units(&kept));
    }
}

/// SCTE 35 §14.2: event 0x4800008f, out, break of 60.293 s; and the same event, in, at once.
const IN: &str = "/DAlAAAAAAAA///wCgVIAACPf18AAAAAAAoACENVRUkAAAE1RoLqWg==";
const OUT: &str = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=";

fn cue(name: &str, ms: i64, properties: Vec<(&str, Value)>) -> DataMessage {
    let mut amf0 = BytesMut::new();
    amf0::encode_all(&[Value::from(name), Value::object(properties)], &mut amf0);
    DataMessage {
        name: name.into(),
        dts: Dts(ms),
        amf0: amf0.freeze(),
    }
}

fn splice(ms: i64, section: &str) -> DataMessage {
    let cue_of = vec![
        ("type", Value::from("scte35")),
        ("cue", Value::from(section)),
    ];
    cue("onAdCue", ms, cue_of)
}

/// A break with two cues of the publisher in it, and one told twice.
fn break_of_ads() -> Vec<DataMessage> {
    let goal = vec![
        ("name", Value::from("goal \"1:0\"")),
        ("time", Value::from(3.5)),
        (
            "parameters",
            Value::object([
                ("team", Value::from("home")),
                ("duration", Value::from("1.5")),
            ]),
        ),
    ];
    let simple = || {
        vec![
            ("cue", Value::from("SpliceOut")),
            ("id", Value::from("7")),
            ("duration", Value::from(30.0)),
        ]
    };
    vec![
        splice(1_000, OUT),
        splice(1_200, OUT),
        cue("onCuePoint", 3_500, goal),
        cue("onAdCue", 4_100, simple()),
        cue("onAdCue", 4_900, simple()),
        message("onTextData", 5_000, 1),
        splice(8_250, IN),
        splice(8_260, "not a section"),
    ]
}

fn playlists(config: hls::Config, until_ms: i64) -> [String; 2] {
    let mut segmenter = segmenter_of(config, &both());
    let said = break_of_ads();
    let mut waiting = said.iter().peekable();
    for unit in movie(0, 2_000, 40, 50)
        .iter()
        .filter(|unit| unit.dts.0 <= until_ms)
    {
        while let Some(message) = waiting.next_if(|message| message.dts <= unit.dts) {
            segmenter.data(message);
        }
        segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
    }
    let presentation = segmenter.changed().unwrap();
    Container::ALL.map(|container| {
        media(&presentation, container);
        text(&presentation, container)
    })
}

fn ranges(playlist: &str) -> Vec<&str> {
    playlist
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-DATERANGE:"))
        .collect()
}

#[test]
fn playlists_say_the_cues() {
    let [fmp4, ts] = playlists(config(), 10_000);
    insta::assert_snapshot!(fmp4);
    assert_eq!(ranges(&fmp4), ranges(&ts));
}

#[test]
fn a_low_latency_playlist_says_a_cue_with_its_part() {
    let [fmp4, _] = playlists(low_latency(), 9_200);
    insta::assert_snapshot!(fmp4);
}

#[test]
fn a_cue_leaves_with_its_segment_unless_it_goes_on() {
    // Listed is the window of seven segments from 4 s on.
    let [fmp4, ts] = playlists(config(), 18_040);
    assert_eq!(ranges(&fmp4), ranges(&ts));
    let names = |playlist: &str| -> Vec<String> {
        let of = |range: &&str| range.split(['"']).nth(1).unwrap().to_owned();
        ranges(playlist).iter().map(of).collect()
    };
    // The goal at 3.5 s for 1.5 s is not over; neither is the break, whose end is listed.
    assert_eq!(names(&fmp4), ["6a1f-0", "6a1f-1", "6a1f-2", "6a1f-0"]);
    let [fmp4, _] = playlists(config(), 20_040);
    assert_eq!(names(&fmp4), ["6a1f-0", "6a1f-2", "6a1f-0"]);
    let [fmp4, _] = playlists(config(), 24_040);
    assert_eq!(names(&fmp4), ["6a1f-2"]);
    let [fmp4, _] = playlists(config(), 60_040);
    assert_eq!(names(&fmp4), Vec::<String>::new());
}

#[test]
fn a_flood_of_cues_is_bounded() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 101, 40, 50));
    for n in 0..1_000 {
        segmenter.data(&cue("onCuePoint", 4_000, vec![("n", Value::from(n))]));
    }
    feed(&mut segmenter, &movie(4_040, 101, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let text = text(&presentation, Container::Fmp4);
    let found = ranges(&text);
    assert_eq!(found.len(), 64);
    assert!(found[63].starts_with("ID=\"6a1f-999\"") && found[63].ends_with(",X-N=999"));
}
