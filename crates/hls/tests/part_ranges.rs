//! Parts as byte ranges of their segments: the same bytes as parts that are files, at every moment.
#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use hls::{Container, Presentation, Segmenter, WallTime};
use insta::assert_snapshot;
use support::*;

fn with_ranges() -> Segmenter {
    let mut config = low_latency();
    config.part_ranges = true;
    segmenter_of(config, &both())
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, list) = line.split_once(':')?;
    let mut pairs = list.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then(|| value.trim_matches('"')))
}

/// What there is of a segment, complete or not.
fn so_far(presentation: &Presentation, name: &str) -> Bytes {
    let found = presentation.resource(name);
    let found = found.or_else(|| presentation.growing(name));
    found.map_or_else(Bytes::new, |found| found.body.joined())
}

/// The same playlists but for where parts are; gives the number of parts.
fn compare(ranges: &Presentation, files: &Presentation) -> usize {
    let (text, plain) = (text(ranges, Container::Fmp4), text(files, Container::Fmp4));
    assert_eq!(text.lines().count(), plain.lines().count());
    let mut parts = 0;
    for (line, plain) in text.lines().zip(plain.lines()) {
        let tag = line.split_once(':').map_or(line, |(tag, _)| tag);
        match tag {
            "#EXT-X-PART" => {
                let (len, begins) = attribute(line, "BYTERANGE")
                    .unwrap()
                    .split_once('@')
                    .unwrap();
                let begins: usize = begins.parse().unwrap();
                let end = begins + len.parse::<usize>().unwrap();
                let part = so_far(ranges, attribute(line, "URI").unwrap()).slice(begins..end);
                assert_eq!(
                    part,
                    body(files, attribute(plain, "URI").unwrap()),
                    "{line}"
                );
                for same in ["DURATION", "INDEPENDENT"] {
                    assert_eq!(attribute(line, same), attribute(plain, same), "{line}");
                }
                parts += 1;
            }
            "#EXT-X-PRELOAD-HINT" => {
                let name = attribute(line, "URI").unwrap();
                let begins: usize = attribute(line, "BYTERANGE-START").unwrap().parse().unwrap();
                assert!(ranges.is_hinted(name) && ranges.resource(name).is_none());
                assert_eq!(begins, so_far(ranges, name).len(), "{line}");
                let hinted = attribute(plain, "URI").unwrap();
                assert!(files.is_hinted(hinted) && !ranges.is_hinted(hinted));
                assert!(!files.is_hinted(name) && files.growing(name).is_none());
            }
            _ => assert_eq!(line, plain),
        }
    }
    parts
}

#[test]
fn ranges_are_the_parts_while_a_segment_grows_and_afterwards() {
    let (mut ranges, mut files) = (with_ranges(), segmenter_of(low_latency(), &both()));
    let mut most = 0;
    for unit in movie(0, 173, 40, 50) {
        let wall = WallTime(EPOCH_WALL + unit.dts.0);
        ranges.unit(&unit, wall);
        files.unit(&unit, wall);
        match (ranges.changed(), files.changed()) {
            (Some(ranges), Some(files)) if files.media(Container::Fmp4).is_some() => {
                most = most.max(compare(&ranges, &files));
            }
            (ranges, files) => assert_eq!(ranges.is_some(), files.is_some()),
        }
    }
    assert!(most > 12, "{most}");
    ranges.finish();
    let ended = ranges.changed().unwrap();
    assert!(ended.growing("6a1f-3.m4s").is_none() && ended.resource("6a1f-3.m4s").is_some());
    assert!(!ended.is_hinted("6a1f-3.m4s") && !ended.is_hinted("6a1f-4.m4s"));
}

#[test]
fn a_playlist_says_where_its_parts_begin() {
    let mut segmenter = with_ranges();
    feed(&mut segmenter, &movie(0, 173, 40, 50));
    assert_snapshot!(text(&segmenter.changed().unwrap(), Container::Fmp4));
}
