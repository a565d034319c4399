#![allow(clippy::unwrap_used)]

use super::*;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const MS: i64 = 90;

fn cutter() -> Cutter {
    let mut cutter = Cutter::new(
        Duration::from_secs(2),
        Duration::from_secs(12),
        Duration::ZERO,
    );
    cutter.set_tracks(&[VIDEO, AUDIO]);
    cutter
}

/// Pushes pictures every 40 ms from `from` up to, not including, `to`, in ms; a random access unit
/// at each multiple of `group`. Returns the boundaries in ms.
fn run(cutter: &mut Cutter, from: i64, to: i64, group: i64) -> Vec<(i64, i64, bool, bool)> {
    let mut cuts = Vec::new();
    for ms in (from..to).step_by(40) {
        cuts.extend(step(cutter, VIDEO, ms, ms % group == 0));
    }
    cuts
}

fn step(cutter: &mut Cutter, track: TrackId, ms: i64, key: bool) -> Option<(i64, i64, bool, bool)> {
    let decision = cutter.decide(track, ms * MS, key, false);
    let mut cut = None;
    match decision {
        Decision::Stay => {}
        Decision::Cut(boundary) => {
            let start = cutter.start().unwrap();
            cutter.close(boundary);
            cutter.open_at(boundary.next_start);
            cut = Some((start / MS, boundary.end / MS, boundary.forced, boundary.gap));
        }
        Decision::Break => cutter.forget(),
    }
    cutter.push(track, ms * MS, key);
    cut
}

#[test]
fn two_second_groups_make_two_second_segments_in_a_target_of_four() {
    let mut cutter = cutter();
    let cuts = run(&mut cutter, 0, 6_040, 2_000);
    assert_eq!(
        cuts,
        [
            (0, 2_000, false, false),
            (2_000, 4_000, false, false),
            (4_000, 6_000, false, false)
        ]
    );
    assert_eq!(cutter.target_ms(), Some(4_000));
}

#[test]
fn ten_second_groups_are_not_cut_in_their_middle() {
    let mut cutter = cutter();
    let cuts = run(&mut cutter, 0, 30_040, 10_000);
    assert_eq!(cuts.len(), 3);
    assert!(cuts.iter().all(|cut| !cut.2), "{cuts:?}");
    assert_eq!(cutter.target_ms(), Some(12_000));
}

#[test]
fn segments_end_at_the_first_random_access_unit_after_the_segment_length() {
    let mut cutter = cutter();
    let cuts = run(&mut cutter, 0, 10_000, 1_200);
    let ends: Vec<i64> = cuts.iter().map(|cut| cut.1).collect();
    assert_eq!(ends, [2_400, 4_800, 7_200, 9_600]);
}

#[test]
fn a_group_that_outgrows_the_target_is_cut_at_the_target() {
    let mut cutter = cutter();
    run(&mut cutter, 0, 2_040, 2_000);
    assert_eq!(cutter.target_ms(), Some(4_000));
    let cuts = run(&mut cutter, 2_040, 20_000, 1_000_000);
    assert!(cuts.len() >= 4);
    for (start, end, forced, gap) in cuts {
        assert_eq!(end - start, 4_000);
        assert!(forced && !gap);
    }
}

#[test]
fn no_second_random_access_unit_gives_segments_of_the_longest_target() {
    let mut cutter = cutter();
    let cuts = run(&mut cutter, 0, 90_000, 1_000_000);
    assert_eq!(cuts.first(), Some(&(0, 12_000, true, false)));
    assert_eq!(cutter.target_ms(), Some(12_000));
    assert_eq!(cuts.len(), 7);
}

#[test]
fn a_step_that_no_segment_can_hold_is_a_gap() {
    let mut cutter = cutter();
    run(&mut cutter, 0, 3_040, 2_000);
    let cut = step(&mut cutter, VIDEO, 33_000, false).unwrap();
    // Open from 2 s; the last picture at 3 s lasts 40 ms.
    assert_eq!(cut, (2_000, 3_040, true, true));
}

#[test]
fn a_step_back_beyond_jitter_breaks_and_one_within_does_not() {
    let mut cutter = cutter();
    run(&mut cutter, 0, 1_520, 2_000);
    let at = |ms: i64| cutter.decide(VIDEO, ms * MS, false, false);
    assert_eq!(at(700), Decision::Stay);
    assert_eq!(at(400), Decision::Break);
}

#[test]
fn sound_far_from_the_picture_changes_no_boundary() {
    for offset in [-60_000, 5_000, 60_000] {
        let mut cutter = cutter();
        let mut cuts = Vec::new();
        for ms in (0..8_040).step_by(40) {
            cuts.extend(step(&mut cutter, VIDEO, ms, ms % 2_000 == 0));
            cuts.extend(step(&mut cutter, AUDIO, ms + offset, true));
        }
        let ends: Vec<i64> = cuts.iter().map(|cut| cut.1).collect();
        assert_eq!(ends, [2_000, 4_000, 6_000, 8_000], "{offset}");
    }
}

#[test]
fn sound_carries_the_time_on_while_the_picture_stands_still() {
    let mut cutter = cutter();
    step(&mut cutter, VIDEO, 0, true);
    let mut cuts = Vec::new();
    for ms in (20..60_000).step_by(20) {
        cuts.extend(step(&mut cutter, AUDIO, ms, true));
    }
    // One segment with the picture, as long as a group may be; then segments of sound alone.
    assert_eq!(cuts.first().map(|cut| cut.2), Some(true));
    assert!(cuts.len() > 20, "{}", cuts.len());
    for (start, end, _, gap) in cuts {
        assert!(end > start && end - start < 12_500 && !gap);
    }
}

#[test]
fn a_clock_that_stands_still_gives_positive_durations_when_bytes_force_a_cut() {
    let mut cutter = cutter();
    step(&mut cutter, VIDEO, 0, true);
    let Decision::Cut(boundary) = cutter.decide(VIDEO, 0, false, true) else {
        panic!("full")
    };
    assert_eq!(boundary.end, SHORTEST);
    cutter.close(boundary);
    assert!(cutter.target_ms().is_some());
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    for dts in [i64::MIN, -1, 0, i64::MAX] {
        for other in [i64::MAX, 0, i64::MIN] {
            let mut cutter = cutter();
            let (a, b) = (
                ticks(Timescale::MILLIS, Dts(dts)),
                ticks(Timescale::MILLIS, Dts(other)),
            );
            cutter.push(VIDEO, a, true);
            let _ = cutter.decide(VIDEO, b, true, true);
            cutter.push(VIDEO, b, true);
            for again in [a, b] {
                let _ = cutter.decide(VIDEO, again, false, false);
                let _ = cutter.decide(AUDIO, again, false, true);
                cutter.push(AUDIO, again, true);
            }
            let boundary = cutter.boundary_here().unwrap();
            assert!(boundary.end > a.min(b));
            cutter.close(boundary);
            assert!(cutter.target_ms().is_some());
            let _ = millis(b) - millis(a);
        }
    }
}
