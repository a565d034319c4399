//! Any stream at all: the playlists keep the rules, and no access unit is lost or comes twice.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use hls::{Config, Container, Feed, Method, Presentation, Rotation, Segmenter, WallTime};
use media::{AccessUnit, TrackId};
use proptest::prelude::*;
use support::checker::Checker;
use support::low_latency;
use support::transport::{Times, mp4_times, ts_times};
use support::*;

/// One stretch of a stream.
#[derive(Clone, Debug)]
struct Scene {
    /// Pictures between key frames, in turn.
    groups: Vec<u32>,
    /// Milliseconds between pictures.
    step: i64,
    /// Frames that composition reorders.
    reorder: i64,
    /// How far sound runs before (negative) or behind the picture, in ms.
    sound_offset: i64,
    /// How far decode times stray, in ms, in turn.
    jitter: Vec<i64>,
}

#[derive(Clone, Debug)]
enum Between {
    Nothing,
    Announced(i64),
    Unannounced(i64),
    Reconfigured,
}

fn scene() -> impl Strategy<Value = Scene> {
    (
        prop::collection::vec(prop_oneof![1_u32..5, 10_u32..80, 200_u32..400], 1..6),
        prop_oneof![Just(16_i64), Just(33), Just(40), Just(100), 10_i64..500],
        0_i64..4,
        -400_i64..400,
        prop::collection::vec(-15_i64..15, 1..5),
    )
        .prop_map(|(groups, step, reorder, sound_offset, jitter)| Scene {
            groups,
            step,
            reorder,
            sound_offset,
            jitter,
        })
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        Just(Between::Nothing),
        (-1_000_000_i64..1_000_000).prop_map(Between::Announced),
        (-100_000_i64..100_000).prop_map(Between::Unannounced),
        Just(Between::Reconfigured),
    ]
}

/// The units of a scene from `start`; the end of it.
fn play(scene: &Scene, start: i64, numbers: &mut (u32, u32)) -> (Vec<AccessUnit>, i64) {
    let mut units = Vec::new();
    let (mut dts, mut heard, mut last) = (start, start, i64::MIN);
    for (index, &group) in scene.groups.iter().enumerate() {
        for number in 0..group {
            let jitter = scene.jitter[(index + number as usize) % scene.jitter.len()];
            let stamp = (dts + jitter).max(last + 1);
            last = stamp;
            let reorder = scene.step * (i64::from(number) % (scene.reorder + 1));
            units.push(with_offset(picture(numbers.0, stamp, number == 0), reorder));
            numbers.0 += 1;
            dts += scene.step;
            while heard < dts {
                units.push(sound(numbers.1, heard + scene.sound_offset));
                numbers.1 += 1;
                heard += 23;
            }
        }
    }
    (units, dts)
}

/// Times of units as 90 kHz, by track.
fn fed(units: &[AccessUnit], track: TrackId) -> Vec<i64> {
    let of_track = units.iter().filter(|unit| unit.track == track);
    of_track.map(|unit| unit.dts.0 * 90).collect()
}

fn append(all: &mut Times, more: Times) {
    for (track, times) in more {
        all.entry(track).or_default().extend(times);
    }
}

/// Watches both containers after each unit, as the busiest viewer could.
struct Watch {
    checkers: [Checker; 2],
    sound: Checker,
    parts: Vec<low_latency::Checker>,
}

impl Watch {
    fn new(config: &Config) -> Self {
        Self {
            checkers: Default::default(),
            sound: Checker::default(),
            parts: match config.part {
                Some(_)
                    if config
                        .encryption
                        .as_ref()
                        .is_none_or(|e| e.method == Method::Cbcs) =>
                {
                    [Feed::Main(Container::Fmp4), Feed::Audio(Container::Fmp4, 0)]
                        .map(low_latency::Checker::of_feed)
                        .into()
                }
                _ => Vec::new(),
            },
        }
    }

    fn look(&mut self, segmenter: &mut Segmenter) {
        if let Some(presentation) = segmenter.changed() {
            for (checker, container) in self.checkers.iter_mut().zip(Container::ALL) {
                checker.check(&presentation, container);
            }
            self.sound
                .check(&presentation, Feed::Audio(Container::Fmp4, 0));
            for parts in &mut self.parts {
                parts.check(&presentation);
            }
            self.beside(&presentation);
        }
    }

    /// The sound alone is cut, numbered and dated as the whole is.
    fn beside(&self, presentation: &Presentation) {
        let feeds = [Feed::Main(Container::Fmp4), Feed::Audio(Container::Fmp4, 0)];
        if feeds.iter().any(|feed| presentation.media(*feed).is_none()) {
            return;
        }
        let [whole, sound] = feeds.map(|feed| {
            let playlist = media(presentation, feed);
            let mut discontinuity = playlist.discontinuity_sequence;
            let lines = (playlist.media_sequence..).zip(playlist.segments.clone());
            let lines = lines.map(|(sequence, segment)| {
                discontinuity += u64::from(segment.discontinuity);
                let date = segment.program_date_time;
                (sequence, (millis(segment.duration), discontinuity, date))
            });
            lines.collect::<BTreeMap<_, _>>()
        });
        let first = whole.keys().next().max(sound.keys().next()).unwrap();
        assert_eq!(
            whole.range(first..).collect::<Vec<_>>(),
            sound.range(first..).collect::<Vec<_>>()
        );
    }

    fn feed(&mut self, segmenter: &mut Segmenter, units: &[AccessUnit], wall: i64) {
        for unit in units {
            segmenter.unit(unit, WallTime(wall));
            self.look(segmenter);
        }
    }

    /// Decode times of all segments, by container.
    fn times(&self) -> [Times; 2] {
        let [fmp4, ts] = &self.checkers;
        let (mut from_mp4, mut from_ts, mut counters) =
            (Times::new(), Times::new(), BTreeMap::new());
        for segment in fmp4.segments() {
            append(&mut from_mp4, mp4_times(&segment.clear));
        }
        for segment in ts.segments() {
            append(&mut from_ts, ts_times(&segment.clear, &mut counters));
        }
        [from_mp4, from_ts]
    }
}

/// Settings with and without parts, and windows with and without delta updates.
fn settings() -> impl Strategy<Value = Config> {
    let part = prop_oneof![
        1 => Just(None),
        3 => (200_u64..=1_000).prop_map(Some),
        2 => Just(Some(333)),
    ];
    let rotation = prop_oneof![
        Just(Rotation::Never),
        (1_u64..5).prop_map(every),
        (0_u64..20_000).prop_map(|ms| Rotation::Media(std::time::Duration::from_millis(ms))),
    ];
    let method = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Method::Aes128)),
        1 => Just(Some(Method::Cbcs)),
    ];
    (part, 3_usize..30, method, rotation).prop_map(|(part, segments, method, rotation)| {
        let mut config = config();
        config.part = part.map(std::time::Duration::from_millis);
        config.segments = segments;
        config.encryption = method.map(|method| encryption(method, rotation));
        config
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_continuous_stream_is_cut_without_loss(
        scene in scene(),
        start in prop_oneof![Just(0_i64), 1_000_i64..10_000_000],
        only in 0_u8..3,
        config in settings(),
    ) {
        let (mut units, _) = play(&scene, start + 500, &mut (0, 0));
        let tracks = match only {
            0 => both(),
            1 => list(vec![video_track()]),
            _ => list(vec![audio_track()]),
        };
        units.retain(|unit| tracks.get(unit.track).is_some());
        let mut watch = Watch::new(&config);
        let mut segmenter = segmenter_of(config, &tracks);
        watch.feed(&mut segmenter, &units, EPOCH_WALL);
        segmenter.finish();
        watch.look(&mut segmenter);

        let [from_mp4, from_ts] = watch.times();
        for track in tracks.iter() {
            let expected = fed(&units, track.id);
            let number = u32::from(track.id.0);
            prop_assert_eq!(&from_mp4[&(number + 1)].len(), &expected.len());
            let wrapped: Vec<i64> = expected.iter().map(|t| t.rem_euclid(1 << 33)).collect();
            prop_assert_eq!(&from_ts[&(number + 0x100)], &wrapped);
        }
        // Durations add up to the time from the first unit to the end of the last.
        let cutting = tracks.iter().next().unwrap().id;
        let times = fed(&units, cutting);
        let first = units.first().unwrap().dts.0;
        let last_start = times.last().unwrap() / 90;
        let total = i64::try_from(watch.checkers[0].segments_ms()).unwrap();
        // Low frame rates may leave gaps, which are no part of any segment.
        let gaps = watch.checkers[0].segments().iter().any(|s| s.tagged);
        prop_assert!(gaps || total > last_start - first, "{total}");
        prop_assert!(!gaps || scene.step > 300, "a gap in a stream without one");
        // The other track may end later than the cutting one.
        prop_assert!(total <= last_start - first + 3 * scene.step.max(40) + 500, "{total}");
        prop_assert_eq!(watch.checkers[0].segments_ms(), watch.checkers[1].segments_ms());
    }

    #[test]
    fn both_containers_are_cut_at_the_same_units(scene in scene(), config in settings()) {
        let (units, _) = play(&scene, 5_000, &mut (0, 0));
        let mut watch = Watch::new(&config);
        let mut segmenter = segmenter_of(config, &both());
        watch.feed(&mut segmenter, &units, EPOCH_WALL);
        segmenter.finish();
        watch.look(&mut segmenter);
        let [fmp4, ts] = &watch.checkers;
        let (fmp4, ts) = (fmp4.segments(), ts.segments());
        prop_assert_eq!(fmp4.len(), ts.len());
        let mut counters = BTreeMap::new();
        for (a, b) in fmp4.iter().zip(&ts) {
            let (a_times, b_times) = (mp4_times(&a.clear), ts_times(&b.clear, &mut counters));
            prop_assert_eq!(a.duration_ms, b.duration_ms);
            for (mp4_track, pid) in [(1, 0x100), (2, 0x101)] {
                let (a, b) = (a_times.get(&mp4_track), b_times.get(&pid));
                prop_assert_eq!(a.map(Vec::len), b.map(Vec::len));
                prop_assert_eq!(a.and_then(|t| t.first()), b.and_then(|t| t.first()));
            }
        }
    }

    #[test]
    fn any_times_at_all_keep_the_rules(
        units in prop::collection::vec(
            (
                0_u16..2,
                prop_oneof![
                    8 => 0_i64..60,
                    2 => -2_000_i64..20_000,
                    1 => any::<i64>().prop_map(|wild| wild / 2),
                ],
                prop_oneof![9 => -100_i64..100, 1 => any::<i32>().prop_map(i64::from)],
                prop::bool::weighted(0.1),
                any::<i64>(),
            ),
            1..600,
        ),
        config in settings(),
    ) {
        let mut watch = Watch::new(&config);
        let mut segmenter = segmenter_of(config, &both());
        let (mut dts, mut number) = (0_i64, 0);
        for (track, step, offset, key, wall) in units {
            dts = dts.saturating_add(step);
            number += 1;
            let unit = if track == 0 {
                with_offset(picture(number, dts, key), offset)
            } else {
                sound(number, dts)
            };
            segmenter.unit(&unit, WallTime(wall.rem_euclid(1 << 42)));
            watch.look(&mut segmenter);
        }
        segmenter.finish();
        watch.look(&mut segmenter);
    }

    #[test]
    fn whatever_happens_the_playlists_keep_the_rules(
        scenes in prop::collection::vec((scene(), between()), 1..5),
        wall in prop::collection::vec(-100_000_i64..100_000, 5),
        catch_up in 0_usize..3_000,
        late in any::<bool>(),
        config in settings(),
    ) {
        let mut watch = Watch::new(&config);
        let mut segmenter = Segmenter::new(config);
        segmenter.enable(Container::Fmp4);
        if !late {
            segmenter.enable(Container::Ts);
        }
        segmenter.tracks(&both());
        let (mut start, mut numbers, mut total) = (0_i64, (0, 0), 0_u64);
        let mut other = false;
        for ((scene, between), wall) in scenes.iter().zip(wall) {
            let (units, end) = play(scene, start, &mut numbers);
            total += units.len() as u64;
            for (index, unit) in units.iter().enumerate() {
                if index == catch_up {
                    segmenter.caught_up();
                    watch.look(&mut segmenter);
                }
                if index == catch_up / 2 {
                    segmenter.enable(Feed::Audio(Container::Fmp4, 0));
                }
                if index == 2 * catch_up {
                    segmenter.enable(Container::Ts);
                }
                watch.feed(&mut segmenter, std::slice::from_ref(unit), EPOCH_WALL + wall);
            }
            start = end;
            match between {
                Between::Nothing => {}
                Between::Announced(by) => {
                    start += by;
                    segmenter.discontinuity();
                }
                Between::Unannounced(by) => start += by,
                Between::Reconfigured => {
                    other = !other;
                    let video = if other { other_video_track() } else { video_track() };
                    segmenter.tracks(&list(vec![video, audio_track()]));
                }
            }
            watch.look(&mut segmenter);
        }
        segmenter.finish();
        watch.look(&mut segmenter);
        let [from_mp4, _] = watch.times();
        let written: u64 = from_mp4.values().map(|times| times.len() as u64).sum();
        prop_assert_eq!(written + segmenter.stats().waiting_units, total);
        let tagged = watch.checkers[0].segments().iter().filter(|s| s.tagged).count();
        // Two tracks may each find a break that nobody announced.
        prop_assert!(tagged <= 2 * scenes.len() + 2, "{tagged}");
    }
}
