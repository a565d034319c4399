#![allow(clippy::unwrap_used)]
use super::*;

const MS: i64 = 90;

/// Ends of the parts of one segment, in ms, and how many units each has.
fn parts(clock: &mut PartClock, start: i64, times: &[i64], end: i64) -> Vec<(i64, usize)> {
    let mut marks = Vec::new();
    clock.open(start * MS, i64::MAX / 4);
    for &time in times {
        clock.before(Lane::Leading, time * MS, &mut marks);
        clock.after(Lane::Leading, time * MS, &mut marks);
    }
    let end = clock.settle(end * MS);
    clock.close(end, &mut marks);
    let mut before = 0;
    marks
        .iter()
        .map(|mark| {
            let units = mark.units - std::mem::replace(&mut before, mark.units);
            ((mark.end - mark.begin) / MS, units)
        })
        .collect()
}

fn clock(wanted_ms: i64, step_ms: i64) -> PartClock {
    PartClock::new(
        wanted_ms * MS,
        (0..50).map(|n| n * step_ms * MS),
        false,
        4 * SECOND,
    )
}

#[test]
fn the_target_is_a_whole_number_of_frames() {
    for (wanted, step, target) in [
        (333, 40, 324),
        (333, 20, 344),
        (333, 100, 303),
        (200, 40, 202),
        (1_000, 40, 1_010),
        (333, 500, 505),
        (333, 9_000, 4_000),
    ] {
        assert_eq!(clock(wanted, step).target() / MS, target, "{wanted} {step}");
    }
    // 30 frames a second on a clock of milliseconds.
    let thirds = (0..60).map(|n| n * 1_000 / 30 * MS);
    let clock = PartClock::new(333 * MS, thirds, false, 4 * SECOND);
    assert_eq!(clock.target() / MS, 337);
    // Pictures every two seconds, with sound between.
    let slides = PartClock::new(333 * MS, [0, 2 * SECOND, 4 * SECOND], true, 4 * SECOND);
    assert_eq!(slides.target() / MS, 333);
}

#[test]
fn a_part_ends_with_its_last_frame_and_not_with_the_next_one() {
    let mut clock = clock(333, 40);
    let mut marks = Vec::new();
    clock.open(0, i64::MAX / 4);
    for n in 0..8 {
        assert!(marks.is_empty(), "before frame {n}");
        clock.before(Lane::Leading, n * 40 * MS, &mut marks);
        clock.after(Lane::Leading, n * 40 * MS, &mut marks);
    }
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].end, 320 * MS);
    assert_eq!(clock.between_parts(), Some(320 * MS));
}

#[test]
fn regular_frames_make_regular_parts_and_a_shorter_last_one() {
    let frames: Vec<i64> = (0..50).map(|n| n * 40).collect();
    let parts = parts(&mut clock(333, 40), 0, &frames, 2_000);
    let full = [(320, 8); 6];
    assert_eq!(parts[..6], full[..]);
    assert_eq!(parts[6..], [(80, 2)]);
}

#[test]
fn a_frame_that_comes_a_little_early_or_late_moves_the_end_of_its_segment() {
    let frames: Vec<i64> = (0..8).map(|n| n * 40).collect();
    for end in [310, 320, 330] {
        assert_eq!(parts(&mut clock(333, 40), 0, &frames, end), [(320, 8)]);
    }
}

#[test]
fn time_without_frames_is_parts_without_units() {
    let mut frames: Vec<i64> = (0..8).map(|n| n * 40).collect();
    frames.push(1_400);
    let parts = parts(&mut clock(333, 40), 0, &frames, 1_440);
    assert_eq!(parts, [(320, 8), (324, 0), (324, 0), (324, 0), (148, 1)]);
}

#[test]
fn sound_goes_on_where_the_picture_stands_still() {
    let mut clock = clock(333, 40);
    let mut marks = Vec::new();
    clock.open(0, i64::MAX / 4);
    clock.after(Lane::Leading, 0, &mut marks);
    for n in 0..100 {
        clock.before(Lane::Other, n * 23 * MS, &mut marks);
        clock.after(Lane::Other, n * 23 * MS, &mut marks);
    }
    // 2277 ms of sound, less the slack, hold six parts; no lag gathers.
    assert_eq!(marks.len(), 6);
    assert!(
        marks
            .iter()
            .all(|mark| mark.end - mark.begin == clock.target())
    );
    assert!(marks.windows(2).all(|pair| pair[1].units > pair[0].units));
}
