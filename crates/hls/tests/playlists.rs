//! Playlists compared whole, as text.
#![allow(clippy::unwrap_used)]

mod support;

use hls::{Container, Rendition, Segmenter, WallTime};
use insta::assert_snapshot;
use support::*;

fn rendered(segmenter: &mut Segmenter, container: Container) -> String {
    let presentation = segmenter.changed().expect("something changed");
    media(&presentation, container);
    multivariant(&presentation, container);
    let multivariant = presentation.multivariant(container).unwrap();
    let multivariant = String::from_utf8(multivariant.body.to_vec()).unwrap();
    format!("{multivariant}--\n{}", text(&presentation, container))
}

#[test]
fn the_first_segment_fixes_the_target_duration() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 51, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn transport_stream_playlist() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 51, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Ts));
}

#[test]
fn a_full_window_moves_on() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 501, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn a_changed_configuration_has_a_new_map_after_a_discontinuity() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 101, 40, 50));
    segmenter.tracks(&list(vec![other_video_track(), audio_track()]));
    feed(&mut segmenter, &movie(4_040, 51, 40, 50));
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn a_broken_timeline_keeps_the_map_and_re_anchors_dates() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 101, 40, 50));
    segmenter.discontinuity();
    for unit in movie(1_000_000, 51, 40, 50) {
        segmenter.unit(
            &unit,
            WallTime(EPOCH_WALL + unit.dts.0 - 1_000_000 + 60_000),
        );
    }
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn the_end_lists_the_open_segment() {
    let mut segmenter = segmenter(&both());
    feed(&mut segmenter, &movie(0, 76, 40, 50));
    segmenter.finish();
    assert_snapshot!(rendered(&mut segmenter, Container::Ts));
}

#[test]
fn sound_alone() {
    let mut segmenter = segmenter(&list(vec![audio_track()]));
    let units: Vec<_> = (0..200)
        .map(|n| sound(n, i64::from(n) * 1_024_000 / 44_100))
        .collect();
    feed(&mut segmenter, &units);
    let presentation = segmenter.changed().unwrap();
    let init = presentation.resource("6a1f-init-1.mp4").unwrap();
    assert_eq!(init.content_type, "audio/mp4");
    feed(&mut segmenter, &[sound(200, 4_644)]);
    segmenter.finish();
    assert_snapshot!(rendered(&mut segmenter, Container::Fmp4));
}

#[test]
fn a_stream_name_is_encoded_in_uris() {
    let name = media::StreamName::parse("live", "caf\u{e9}_1").unwrap();
    let mut segmenter = Segmenter::new(hls::Config::new(&name, 1));
    segmenter.enable(Container::Ts);
    segmenter.tracks(&both());
    feed(&mut segmenter, &movie(0, 51, 40, 50));
    let presentation = segmenter.changed().unwrap();
    let variant = &multivariant(&presentation, Container::Ts).variants[0];
    assert_eq!(variant.uri, "caf%C3%A9_1/ts.m3u8");
}

#[test]
fn a_container_that_is_off_has_nothing_and_one_without_segments_waits() {
    let mut segmenter = Segmenter::new(config());
    segmenter.tracks(&both());
    segmenter.enable(Container::Ts);
    let presentation = segmenter.changed().unwrap();
    assert!(matches!(
        presentation.rendition(Container::Fmp4),
        Rendition::Off
    ));
    assert!(matches!(
        presentation.rendition(Container::Ts),
        Rendition::Pending
    ));
    assert!(segmenter.changed().is_none());
}
