use super::*;

const RULES: Rules = Rules {
    segments: 3,
    least_ms: 6_000,
    max_listed: 10,
};

fn segment(sequence: u64, duration_ms: u64, discontinuity: bool) -> Segment {
    Segment {
        sequence,
        duration_ms,
        wall_ms: 0,
        discontinuity,
        seal: None,
        init: None,
        picture: None,
        body: bytes::Bytes::from_static(b"media").into(),
        has_video: HasVideo::Yes,
        independent: true,
        broke: false,
        about: Arc::default(),
    }
}

fn window(durations: &[u64], rules: Rules) -> Window {
    let mut window = Window::default();
    for (sequence, &ms) in (0..).zip(durations) {
        window.push(segment(sequence, ms, false), rules);
    }
    window
}

fn listed(window: &Window) -> Vec<u64> {
    window.listed().map(|segment| segment.sequence).collect()
}

fn stored(window: &Window) -> Vec<u64> {
    window.stored().map(|segment| segment.sequence).collect()
}

#[test]
fn as_many_segments_as_asked_are_listed() {
    assert_eq!(listed(&window(&[2_000; 10], RULES)), [7, 8, 9]);
}

#[test]
fn short_segments_stay_until_three_targets_are_listed() {
    assert_eq!(listed(&window(&[1_000; 10], RULES)), [4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_cap_bounds_the_list_of_very_short_segments() {
    assert_eq!(listed(&window(&[1; 100], RULES)).len(), 10);
}

#[test]
fn a_removed_segment_stays_for_its_duration_and_the_longest_list() {
    let mut window = window(&[2_000; 3], RULES);
    for sequence in 3..20 {
        window.push(segment(sequence, 2_000, false), RULES);
    }
    // Removed n segments ago: kept while n * 2 s < 2 s + 8 s (the list that the push made).
    assert_eq!(listed(&window), [17, 18, 19]);
    assert_eq!(stored(&window), [12, 13, 14, 15, 16, 17, 18, 19]);
}

#[test]
fn the_discontinuity_sequence_counts_removed_tags() {
    let mut window = Window::default();
    window.begin(5);
    for sequence in 0..8 {
        window.push(segment(sequence, 2_000, sequence % 2 == 1), RULES);
    }
    // Listed 5, 6, 7; tags of 1 and 3 are gone, those of 5 and 7 are listed.
    assert_eq!(window.discontinuity_sequence(), 7);
    assert_eq!(window.last_discontinuity_sequence(), 9);
}

#[test]
fn bytes_come_back_when_segments_go() {
    let mut window = window(&[2_000; 10], RULES);
    let each = 5 + SEGMENT_OVERHEAD;
    assert_eq!(window.bytes(), stored(&window).len() * each);
    while window.drop_removed() {}
    assert_eq!(window.bytes(), 3 * each);
    assert!(window.drop_listed() && window.drop_listed());
    assert!(!window.drop_listed(), "one segment always stays");
    assert_eq!((window.bytes(), listed(&window)), (each, vec![9]));
}
