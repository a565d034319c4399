#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
use super::*;

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);

/// Feeds raw times 40 ms apart on the wall; gives the placed times and jumps.
fn run(raws: &[(TrackId, u32)]) -> Vec<(i64, Option<Jump>)> {
    let mut timeline = Timeline::new();
    let start = Instant::now();
    raws.iter()
        .enumerate()
        .map(|(index, &(track, raw))| {
            let now = start + Duration::from_millis(40 * u64::try_from(index).unwrap());
            let placed = timeline.place(track, raw, Some(now));
            (placed.dts.0, placed.jump)
        })
        .collect()
}

#[test]
fn first_time_is_kept_as_it_is() {
    assert_eq!(
        run(&[(VIDEO, 16_777_000), (AUDIO, 16_777_010)]),
        [(16_777_000, None), (16_777_010, None)]
    );
}

#[test]
fn wrap_at_32_bits_goes_on() {
    assert_eq!(
        run(&[
            (VIDEO, u32::MAX - 10),
            (AUDIO, u32::MAX),
            (VIDEO, 29),
            (AUDIO, 22)
        ]),
        [
            (4_294_967_285, None),
            (4_294_967_295, None),
            (4_294_967_325, None),
            (4_294_967_318, None)
        ]
    );
}

#[test]
fn first_audio_after_the_video_wrapped_is_in_the_same_period() {
    assert_eq!(
        run(&[(VIDEO, 5), (AUDIO, u32::MAX - 4)]),
        [(5, None), (-5, None)]
    );
}

#[test]
fn restart_at_zero_continues_the_clock_and_is_told_once() {
    let placed = run(&[
        (VIDEO, 60_000),
        (AUDIO, 60_010),
        (VIDEO, 0),
        (AUDIO, 10),
        (VIDEO, 40),
    ]);
    assert_eq!(
        placed[2],
        (60_050, Some(Jump::Restart { by: Ticks(-60_000) }))
    );
    assert_eq!(
        placed[3],
        (60_060, None),
        "audio keeps its distance to video"
    );
    assert_eq!(placed[4], (60_090, None));
}

#[test]
fn straggler_of_the_old_clock_makes_no_second_jump() {
    let placed = run(&[
        (VIDEO, 60_000),
        (AUDIO, 59_980),
        (VIDEO, 0),
        (AUDIO, 60_003),
        (AUDIO, 5),
    ]);
    assert!(placed[2].1.is_some());
    assert_eq!(placed[3], (60_003, None));
    assert_eq!(placed[4], (60_045, None));
}

#[test]
fn jump_forward_that_the_wall_denies_is_a_restart() {
    let placed = run(&[
        (VIDEO, 0),
        (AUDIO, 0),
        (VIDEO, 3_600_000),
        (AUDIO, 3_600_000),
    ]);
    assert_eq!(
        placed[2],
        (
            40,
            Some(Jump::Restart {
                by: Ticks(3_600_000)
            })
        )
    );
    assert_eq!(placed[3], (40, None));
}

#[test]
fn gap_that_the_wall_confirms_is_kept() {
    let mut timeline = Timeline::new();
    let start = Instant::now();
    timeline.place(VIDEO, 1_000, Some(start));
    let placed = timeline.place(VIDEO, 31_000, Some(start + Duration::from_secs(30)));
    assert_eq!(
        placed,
        Placed {
            dts: Dts(31_000),
            jump: Some(Jump::Gap {
                length: Ticks(30_000)
            })
        }
    );
}

#[test]
fn small_steps_back_and_gaps_up_to_ten_seconds_are_kept() {
    assert_eq!(
        run(&[(VIDEO, 5_000), (VIDEO, 4_900), (VIDEO, 14_900)]),
        [(5_000, None), (4_900, None), (14_900, None)]
    );
}

#[test]
fn new_session_from_zero_continues_after_the_time_away() {
    let mut timeline = Timeline::new();
    let start = Instant::now();
    timeline.place(VIDEO, 100_000, Some(start));
    timeline.begin_session();
    let back = start + Duration::from_millis(4_200);
    let placed = timeline.place(AUDIO, 0, Some(back));
    assert_eq!(placed.dts, Dts(104_200));
    assert!(matches!(placed.jump, Some(Jump::Restart { .. })));
    assert_eq!(
        timeline.place(VIDEO, 20, Some(back)),
        Placed {
            dts: Dts(104_220),
            jump: None
        }
    );
}

#[test]
fn new_session_that_kept_its_clock_keeps_its_times() {
    let mut timeline = Timeline::new();
    let start = Instant::now();
    timeline.place(VIDEO, 100_000, Some(start));
    timeline.begin_session();
    let placed = timeline.place(VIDEO, 105_000, Some(start + Duration::from_secs(5)));
    assert_eq!(
        placed,
        Placed {
            dts: Dts(105_000),
            jump: Some(Jump::Gap {
                length: Ticks(5_000)
            })
        }
    );
}

#[test]
fn files_have_no_wall_and_every_forward_step_is_believed() {
    let mut timeline = Timeline::new();
    timeline.place(VIDEO, 0, None);
    let placed = timeline.place(VIDEO, 3_600_000, None);
    assert_eq!(placed.dts, Dts(3_600_000));
}

#[test]
fn pause_of_one_track_is_no_gap_of_the_stream() {
    let mut timeline = Timeline::new();
    let start = Instant::now();
    timeline.place(AUDIO, 0, Some(start));
    for step in 0..500u32 {
        let now = start + Duration::from_millis(40 * u64::from(step));
        assert_eq!(timeline.place(VIDEO, 40 * step, Some(now)).jump, None);
    }
    let back = timeline.place(AUDIO, 19_980, Some(start + Duration::from_millis(19_990)));
    assert_eq!(
        back,
        Placed {
            dts: Dts(19_980),
            jump: None
        }
    );
}
