//! Streams joined to a ladder: cut at the same pictures with the same numbers, or refused with the
//! reason.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hls::{Container, Ladder, Presentation, Rendition, Segmenter, Standing, WallTime};
use insta::assert_snapshot;
use media::AccessUnit;
use proptest::prelude::*;
use support::checker::Checker;
use support::low_latency;
use support::*;

/// A segmenter that is a rung, with what a viewer of it sees.
struct Rung {
    segmenter: Segmenter,
    checker: Checker,
    parts: low_latency::Checker,
    last: Option<Arc<Presentation>>,
}

fn ladder() -> Arc<Ladder> {
    let names = ["cam_hd", "cam_sd", "cam_ld"].map(Box::from).into();
    Ladder::new(names, Duration::from_secs(2))
}

impl Rung {
    fn new(ladder: &Arc<Ladder>, index: usize) -> Self {
        let mut config = low_latency();
        config.rung = ladder.rung(index);
        // Each had numbers of its own before.
        config.first_media_sequence = 100 * (index as u64 + 1);
        Self {
            segmenter: segmenter_of(config, &both()),
            checker: Checker::default(),
            parts: low_latency::Checker::default(),
            last: None,
        }
    }

    fn feed(&mut self, units: &[AccessUnit]) {
        for unit in units {
            self.segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
            self.look();
        }
    }

    fn look(&mut self) {
        if let Some(presentation) = self.segmenter.changed() {
            self.checker.check(&presentation, Container::Fmp4);
            self.last = Some(presentation);
        }
    }

    fn presentation(&self) -> &Arc<Presentation> {
        self.last.as_ref().expect("something to play")
    }

    /// Of each segment its number: duration, discontinuities before it, date, first picture.
    fn lines(&self) -> BTreeMap<u64, (u64, u64, i64)> {
        let playlist = media(self.presentation(), Container::Fmp4);
        let mut discontinuity = playlist.discontinuity_sequence;
        let segments = (playlist.media_sequence..).zip(&playlist.segments);
        let lines = segments.map(|(sequence, segment)| {
            discontinuity += u64::from(segment.discontinuity);
            let date = segment.program_date_time.unwrap().timestamp_millis();
            (sequence, (millis(segment.duration), discontinuity, date))
        });
        lines.collect()
    }
}

fn from(units: &[AccessUnit], ms: i64) -> Vec<AccessUnit> {
    let later = units.iter().filter(|unit| unit.dts.0 >= ms);
    later.cloned().collect()
}

#[test]
fn rungs_that_begin_at_other_times_have_the_same_segments() {
    let ladder = ladder();
    let mut rungs: Vec<Rung> = (0..3).map(|index| Rung::new(&ladder, index)).collect();
    let units = movie(0, 500, 40, 50);
    // In turns of a second, each from another moment on.
    for second in 0..20_i64 {
        for (rung, since) in rungs.iter_mut().zip([0, 3_100, 7_900]) {
            let now: Vec<AccessUnit> = from(&units, since.max(second * 1_000))
                .into_iter()
                .filter(|unit| unit.dts.0 < (second + 1) * 1_000)
                .collect();
            rung.feed(&now);
        }
    }
    let [hd, sd, ld] = [0, 1, 2].map(|index| rungs[index].lines());
    assert_eq!(hd.keys().next(), Some(&102), "the window has moved on");
    for other in [&sd, &ld] {
        assert!(other.len() >= 4, "{other:?}");
        for (sequence, line) in other {
            assert_eq!(hd.get(sequence), Some(line), "segment {sequence}");
        }
    }
    for (index, rung) in rungs.iter().enumerate() {
        assert_eq!(ladder.standing(index), Standing::Aligned);
        assert_eq!(rung.segmenter.standing(), Some(Standing::Aligned));
    }
    let playlists = rungs.iter().map(|rung| rung.presentation());
    let ready: Vec<_> = playlists
        .map(
            |presentation| match presentation.rendition(Container::Fmp4) {
                Rendition::Ready(ready) => Arc::clone(ready),
                other => panic!("{other:?}"),
            },
        )
        .collect();
    let ready: Vec<&hls::Playlists> = ready.iter().map(|ready| &**ready).collect();
    let text = hls::ladder_playlist(Container::Fmp4, "cam", &ready).unwrap();
    assert_snapshot!("ladder", std::str::from_utf8(&text.body).unwrap());
    assert_snapshot!("rung", text_of(&rungs[0]));
}

fn text_of(rung: &Rung) -> String {
    text(rung.presentation(), Container::Fmp4)
}

#[test]
fn whoever_comes_first_says_the_number() {
    let ladder = ladder();
    let (mut hd, mut sd) = (Rung::new(&ladder, 0), Rung::new(&ladder, 1));
    let units = movie(0, 500, 40, 50);
    // The second rung is ahead by a picture, from the start.
    for (index, unit) in units.iter().enumerate() {
        if index >= 3 {
            hd.feed(&units[index - 3..=index - 3]);
        }
        sd.feed(std::slice::from_ref(unit));
    }
    let (hd, sd) = (hd.lines(), sd.lines());
    let last = hd.keys().next_back().unwrap();
    assert!(hd.len() >= 5);
    for (sequence, line) in hd.range(..last) {
        assert_eq!(sd.get(sequence), Some(line), "segment {sequence}");
    }
}

#[test]
fn key_frames_at_other_times_are_refused_with_the_reason_and_play_alone() {
    let ladder = ladder();
    let (mut hd, mut sd) = (Rung::new(&ladder, 0), Rung::new(&ladder, 1));
    let (units, others) = (movie(0, 500, 40, 50), movie(480, 500, 40, 50));
    for second in 0..20_i64 {
        for (rung, units) in [(&mut hd, &units), (&mut sd, &others)] {
            let now = units.iter().filter(|unit| unit.dts.0 / 1_000 == second);
            rung.feed(&now.cloned().collect::<Vec<_>>());
        }
    }
    assert_eq!(ladder.standing(0), Standing::Aligned);
    let reason = "its key frames are 480 ms from those of the others";
    assert_eq!(ladder.standing(1), Standing::Refused(reason.into()));
    assert!(sd.lines().len() >= 5, "{:?}", sd.lines());
    assert!(!text_of(&hd).contains("RENDITION-REPORT:URI=\"../"));
}

#[test]
fn numbers_that_were_used_are_not_given_again() {
    let ladder = ladder();
    let mut hd = Rung::new(&ladder, 0);
    let mut config = low_latency();
    config.rung = ladder.rung(1);
    (config.first_media_sequence, config.least_media_sequence) = (200, 200);
    let mut sd = Rung {
        segmenter: segmenter_of(config, &both()),
        ..Rung::new(&ladder, 1)
    };
    for unit in &movie(0, 600, 40, 50) {
        hd.feed(std::slice::from_ref(unit));
        sd.feed(std::slice::from_ref(unit));
    }
    let reason = "its playlist has higher numbers than theirs";
    assert_eq!(ladder.standing(1), Standing::Refused(reason.into()));
    assert!(sd.lines().keys().all(|sequence| *sequence >= 200));
    // Both begin anew: the next numbers are higher than all before.
    for rung in [&mut sd, &mut hd] {
        rung.segmenter.discontinuity();
    }
    for unit in &movie(100_000, 300, 40, 50) {
        for rung in [&mut sd, &mut hd] {
            let arrived = WallTime(EPOCH_WALL + unit.dts.0);
            rung.segmenter.unit(unit, arrived);
            rung.last = rung.segmenter.changed().or(rung.last.take());
        }
    }
    assert_eq!(ladder.standing(1), Standing::Aligned);
    let (hd, sd) = (hd.lines(), sd.lines());
    let last = hd.keys().next_back().unwrap();
    assert!(*last > 200 && sd.contains_key(last), "{hd:?} {sd:?}");
}

#[test]
fn a_key_frame_that_is_missing_refuses_its_rung() {
    let ladder = ladder();
    let (mut hd, mut sd) = (Rung::new(&ladder, 0), Rung::new(&ladder, 1));
    for unit in &movie(0, 500, 40, 50) {
        hd.feed(std::slice::from_ref(unit));
        let mut twin = unit.clone();
        if unit.track == VIDEO && unit.dts.0 == 12_000 {
            twin = picture(300, 12_000, false);
        }
        sd.feed(&[twin]);
    }
    assert_eq!(ladder.standing(0), Standing::Aligned);
    let reason = "it has no key frame at 12.000 s";
    assert_eq!(ladder.standing(1), Standing::Refused(reason.into()));
}

#[test]
fn an_encoder_that_restarts_brings_all_rungs_back_in_step() {
    let ladder = ladder();
    let mut rungs: Vec<Rung> = (0..2).map(|index| Rung::new(&ladder, index)).collect();
    for unit in &movie(0, 220, 40, 50) {
        rungs
            .iter_mut()
            .for_each(|rung| rung.feed(std::slice::from_ref(unit)));
    }
    // Their streams' clocks go on a little apart; the publishers' begin at 0 again.
    let again = movie(0, 300, 40, 50);
    for (rung, offset) in rungs.iter_mut().zip([12_000, 12_345]) {
        rung.segmenter.discontinuity();
        rung.segmenter.publisher_offset(offset);
    }
    for unit in &again {
        for (rung, offset) in rungs.iter_mut().zip([12_000, 12_345]) {
            let mut unit = unit.clone();
            unit.dts.0 += offset;
            rung.feed(&[unit]);
        }
    }
    for index in 0..2 {
        assert_eq!(ladder.standing(index), Standing::Aligned, "{index}");
    }
    let [hd, sd] = [0, 1].map(|index| rungs[index].lines());
    let without_dates = |lines: &BTreeMap<u64, (u64, u64, i64)>| -> Vec<(u64, u64, u64)> {
        let lines = lines.iter();
        lines.map(|(n, line)| (*n, line.0, line.1)).collect()
    };
    assert_eq!(without_dates(&hd), without_dates(&sd));
    assert!(hd.values().any(|line| line.1 == 1), "{hd:?}");
}

#[test]
fn a_rung_that_was_away_comes_back_with_the_numbers_of_the_others() {
    let ladder = ladder();
    let (mut hd, mut sd) = (Rung::new(&ladder, 0), Rung::new(&ladder, 1));
    for unit in &movie(0, 750, 40, 50) {
        hd.feed(std::slice::from_ref(unit));
        match unit.dts.0 {
            0..8_500 | 15_000.. => sd.segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0)),
            _ => sd.segmenter.discontinuity(),
        }
        sd.last = sd.segmenter.changed().or(sd.last.take());
    }
    assert_eq!(ladder.standing(1), Standing::Aligned);
    // Its list begins there: what keeps all segments learns that this one does not follow.
    let kept: Vec<_> = sd
        .presentation()
        .complete_after(Container::Fmp4, None)
        .collect();
    let first = *sd.lines().keys().next().unwrap();
    let back = kept.iter().position(|complete| complete.sequence == first);
    assert!(kept[back.unwrap()].discontinuity && !kept[back.unwrap() + 1].discontinuity);
    let (hd, sd) = (hd.lines(), sd.lines());
    assert!((4..=7).contains(&sd.len()), "{sd:?}");
    for (sequence, line) in &sd {
        assert_eq!(hd.get(sequence), Some(line), "segment {sequence}");
    }
}

/// A stream that is played by itself, and may become a rung.
struct Played {
    segmenter: Segmenter,
    /// Times of the pictures of each segment that was ever listed, by its number.
    pictures: BTreeMap<u64, Vec<i64>>,
    rung: Rung,
}

impl Played {
    fn new(ladder: &Arc<Ladder>, first_media_sequence: u64) -> Self {
        let mut config = low_latency();
        config.first_media_sequence = first_media_sequence;
        Self {
            segmenter: segmenter_of(config, &both()),
            pictures: BTreeMap::new(),
            rung: Rung::new(ladder, 0),
        }
    }

    fn unit(&mut self, unit: &AccessUnit) {
        self.segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
        let Some(presentation) = self.segmenter.changed() else {
            return;
        };
        if presentation.media(Container::Fmp4).is_some() {
            let playlist = media(&presentation, Container::Fmp4);
            for (number, segment) in (playlist.media_sequence..).zip(&playlist.segments) {
                let times = || transport::mp4_times(&body(&presentation, &segment.uri));
                let pictures = || times().remove(&1).unwrap_or_default();
                self.pictures.entry(number).or_insert_with(pictures);
            }
            self.rung.last = Some(presentation);
        }
    }

    /// Fails unless every picture from the first on came, once and in order.
    fn assert_whole(&self) {
        let times: Vec<i64> = self.pictures.values().flatten().copied().collect();
        assert!(times.len() > 100, "{}", times.len());
        let lost = times.windows(2).find(|pair| pair[1] - pair[0] != 3_600);
        assert_eq!(lost, None, "{:?}", self.pictures.keys());
    }
}

#[test]
fn streams_that_are_played_join_and_leave_without_losing_a_picture() {
    let ladder = ladder();
    // Their numbers are apart, as they began at different times.
    let mut rungs = [Played::new(&ladder, 100), Played::new(&ladder, 140)];
    let mut numbers = Vec::new();
    for (index, unit) in movie(0, 1_000, 40, 50).iter().enumerate() {
        if index == 1_100 {
            let next = rungs
                .iter()
                .map(|rung| rung.segmenter.next_media_sequence());
            ladder.number_from(next.max().unwrap() + 6, 3);
            for (index, rung) in rungs.iter_mut().enumerate() {
                rung.segmenter.set_rung(ladder.rung(index));
                assert_eq!(rung.segmenter.standing(), Some(Standing::Out));
            }
        }
        if index == 2_000 {
            numbers = rungs.iter().map(|rung| rung.rung.lines()).collect();
            for rung in &mut rungs {
                assert_eq!(rung.segmenter.standing(), Some(Standing::Aligned));
                rung.segmenter.set_rung(None);
                assert_eq!(rung.segmenter.standing(), None);
            }
        }
        rungs.iter_mut().for_each(|rung| rung.unit(unit));
    }
    rungs.iter().for_each(Played::assert_whole);
    assert_eq!(numbers[0], numbers[1]);
    let first = *numbers[0].keys().next().unwrap();
    // The segment that was open then is the first that is listed with the numbers of the ladder.
    let before = rungs[1].pictures.range(..first).next_back().unwrap();
    assert!(
        first > *before.0 + 1 && first < *before.0 + 10,
        "{first} {before:?}"
    );
    assert!(
        numbers[0]
            .values()
            .all(|(_, discontinuity, _)| *discontinuity == 3)
    );
    // Who leaves goes on counting where it is, and its list goes on.
    for rung in &rungs {
        let all: Vec<u64> = rung
            .pictures
            .keys()
            .copied()
            .filter(|n| *n >= first)
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{all:?}");
        assert!(all.len() >= 11, "{all:?}");
    }
    assert_eq!(ladder.standing(0), Standing::Out);
}

#[test]
fn a_played_stream_with_other_key_frames_is_refused_and_loses_nothing() {
    let ladder = ladder();
    let mut rungs = [Played::new(&ladder, 100), Played::new(&ladder, 100)];
    let units = [movie(0, 900, 40, 50), movie(480, 900, 40, 50)];
    for (index, (a, b)) in units[0].iter().zip(&units[1]).enumerate() {
        if index == 1_000 {
            ladder.number_from(120, 0);
            for (index, rung) in rungs.iter_mut().enumerate() {
                rung.segmenter.set_rung(ladder.rung(index));
            }
        }
        rungs[0].unit(a);
        rungs[1].unit(b);
    }
    assert_eq!(ladder.standing(0), Standing::Aligned);
    let reason = "its key frames are 480 ms from those of the others";
    assert_eq!(ladder.standing(1), Standing::Refused(reason.into()));
    rungs.iter().for_each(Played::assert_whole);
    let numbers: Vec<u64> = rungs[1].pictures.keys().copied().collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
}

#[test]
fn a_played_stream_keeps_its_target_duration_and_one_without_video_its_sound() {
    let ladder = ladder();
    let mut long = Played::new(&ladder, 100);
    // Key frames every 4 s: its playlist says so from the start on.
    let mut short = Rung::new(&ladder, 1);
    for (a, b) in movie(0, 800, 40, 100).iter().zip(&movie(0, 800, 40, 50)) {
        short.feed(std::slice::from_ref(b));
        if a.dts.0 == 10_000 {
            long.segmenter.set_rung(ladder.rung(0));
        }
        long.unit(a);
    }
    let reason = "its playlist has a target duration of 6 s and theirs of 4 s";
    assert_eq!(ladder.standing(0), Standing::Refused(reason.into()));
    long.assert_whole();
    let mut sound = segmenter_of(low_latency(), &list(vec![audio_track()]));
    for unit in movie(0, 300, 40, 50).iter().filter(|u| u.track == AUDIO) {
        sound.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
    }
    sound.set_rung(ladder.rung(2));
    let reason = "it has no video";
    assert_eq!(sound.standing(), Some(Standing::Refused(reason.into())));
    let waiting = sound.stats().waiting_units;
    sound.unit(&support::sound(600, 12_000), WallTime(EPOCH_WALL));
    assert_eq!(sound.stats().waiting_units, waiting);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Rungs fed in any order, from any moment, with any group length: what is aligned agrees.
    #[test]
    fn aligned_rungs_agree_on_every_segment(
        group in 10_u32..120,
        starts in prop::array::uniform3(0_i64..9_000),
        turns in prop::collection::vec((0_usize..3, 1_usize..200), 10..60),
        shift in prop_oneof![3 => Just(0_i64), 1 => 40_i64..900],
    ) {
        let ladder = ladder();
        let mut rungs: Vec<Rung> = (0..3).map(|index| Rung::new(&ladder, index)).collect();
        let units = movie(0, 600, 40, group);
        let odd = movie(shift, 600, 40, group);
        let mut left: Vec<_> = starts
            .iter()
            .enumerate()
            .map(|(index, start)| from(if index == 2 { &odd } else { &units }, *start))
            .collect();
        for (index, count) in turns.iter().chain(&[(0, 9_999), (1, 9_999), (2, 9_999)]) {
            let count = (*count).min(left[*index].len());
            let now: Vec<AccessUnit> = left[*index].drain(..count).collect();
            rungs[*index].feed(&now);
            if let Some(presentation) = rungs[*index].last.clone() {
                rungs[*index].parts.check(&presentation);
            }
        }
        let aligned: Vec<_> = (0..3)
            .filter(|index| ladder.standing(*index) == Standing::Aligned)
            .filter(|index| rungs[*index].last.as_ref().is_some_and(|p| p.media(Container::Fmp4).is_some()))
            .map(|index| rungs[index].lines())
            .collect();
        for lines in &aligned {
            for (sequence, line) in lines {
                for other in &aligned {
                    if let Some(same) = other.get(sequence) {
                        prop_assert_eq!(line, same, "segment {}", sequence);
                    }
                }
            }
        }
        // One that is refused has a target duration of its own.
        let aligned = rungs.iter().enumerate();
        let aligned = aligned.filter(|(index, _)| ladder.standing(*index) == Standing::Aligned);
        let targets = aligned.filter_map(|(_, rung)| rung.last.as_ref()?.target_duration());
        let targets: Vec<Duration> = targets.collect();
        prop_assert!(targets.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", targets);
    }
}
