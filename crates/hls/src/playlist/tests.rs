use super::multivariant::{frames_per_second, percent_encoded};
use super::*;

#[test]
fn everything_but_unreserved_characters_is_encoded() {
    assert_eq!(percent_encoded("cam_1-a.b~"), "cam_1-a.b~");
    assert_eq!(percent_encoded("a:b/c d\u{e9}%"), "a%3Ab%2Fc%20d%C3%A9%25");
}

#[test]
fn frame_rates_have_three_decimals_at_most() {
    for (frames, per, hz, text) in [
        (60, 180_000, 90_000, "30"),
        (60, 180_180, 90_000, "29.97"),
        (48, 180_180, 90_000, "23.976"),
        (30_000, 1_001, 1, "29.97"),
        (1, 3, 1, "0.333"),
        (7, 0, 90_000, "630000"),
    ] {
        let rate = FrameRate { frames, per, hz };
        let shown = frames_per_second(rate.milli()).to_string();
        assert_eq!(shown, text);
    }
}

#[test]
fn equal_texts_have_equal_tags() {
    let text = |s: &str| rendered(s.as_bytes().to_vec()).etag;
    assert_eq!(text("a"), text("a"));
    assert_ne!(text("a"), text("b"));
    assert_eq!(&*text(""), "\"cbf29ce484222325\"");
}

#[test]
fn every_millisecond_is_printed_as_it_is() {
    for ms in (1..13_000).chain([3_599_999]) {
        let text = format!("{}", seconds(ms));
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        let back: u64 = whole.parse::<u64>().unwrap_or(0) * 1_000
            + format!("{part:0<3}").parse::<u64>().unwrap_or(0);
        assert_eq!(back, ms, "{text}");
    }
}
