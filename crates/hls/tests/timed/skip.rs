//! Delta updates without date ranges (`_HLS_skip=v2`).

use std::collections::{BTreeMap, BTreeSet};

use hls::{Rendition, Skip};

use super::*;

/// `CAN-SKIP-UNTIL` of these streams, in milliseconds.
const SKIP_MS: i64 = 24_000;

/// What is listed, and its delta updates.
struct Seen {
    whole: String,
    segments: Option<String>,
    ranges: Option<String>,
}

fn seen(presentation: &Presentation) -> Option<Seen> {
    let Rendition::Ready(ready) = presentation.rendition(Container::Fmp4) else {
        return None;
    };
    let text = |text: &hls::Text| String::from_utf8(text.body.to_vec()).unwrap();
    Some(Seen {
        whole: text(&ready.media),
        segments: ready.delta(Skip::Segments).map(text),
        ranges: ready.delta(Skip::Ranges).map(text),
    })
}

fn attribute<'a>(text: &'a str, tag: &str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(tag))?;
    let (_, value) = line.split_once(&format!("{name}="))?;
    Some(match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => value.split(',').next().unwrap(),
    })
}

fn removed(delta: &str) -> Vec<&str> {
    let list = attribute(delta, "#EXT-X-SKIP:", "RECENTLY-REMOVED-DATERANGES").unwrap();
    list.split('\t').filter(|id| !id.is_empty()).collect()
}

/// The end of a playlist on the wall, in milliseconds from the begin of the stream.
fn ends_ms(whole: &str) -> i64 {
    let list = support::low_latency::parse(whole);
    let lengths = list.segments.iter().map(|segment| segment.duration_ms);
    let open = list.open.iter().map(|part| part.duration_ms);
    let length: u64 = lengths.chain(open).sum();
    let date = whole
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"));
    let list = format!(
        "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:{}\n#EXTINF:1,\na\n",
        date.unwrap()
    );
    let list = m3u8_rs::parse_media_playlist_res(list.as_bytes()).unwrap();
    let begins = list.segments[0].program_date_time.unwrap();
    begins.timestamp_millis() - EPOCH_WALL + i64::try_from(length).unwrap()
}

fn watch(segments: usize, until_ms: i64, said: &[DataMessage], mut look: impl FnMut(Seen)) {
    let mut config = low_latency();
    config.segments = segments;
    let mut segmenter = segmenter_of(config, &both());
    let mut waiting = said.iter().peekable();
    for unit in movie(0, u32::try_from(until_ms / 40).unwrap(), 40, 50) {
        while let Some(message) = waiting.next_if(|message| message.dts <= unit.dts) {
            segmenter.data(message);
        }
        segmenter.unit(&unit, WallTime(EPOCH_WALL + unit.dts.0));
        let changed = segmenter.changed();
        if let Some(seen) = changed.and_then(|presentation| seen(&presentation)) {
            look(seen);
        }
    }
}

fn last(segments: usize, until_ms: i64, said: &[DataMessage]) -> Seen {
    let mut last = None;
    watch(segments, until_ms, said, |seen| last = Some(seen));
    last.unwrap()
}

#[test]
fn old_date_ranges_are_left_out_and_removed_ones_listed() {
    let seen = last(14, 46_000, &break_of_ads());
    insta::assert_snapshot!(seen.ranges.unwrap());
    let yes = seen.segments.unwrap();
    assert_eq!(ranges(&yes), ranges(&seen.whole));
    assert_eq!(
        attribute(&yes, "#EXT-X-SKIP:", "RECENTLY-REMOVED-DATERANGES"),
        None
    );
}

#[test]
fn it_is_offered_by_streams_that_had_a_range() {
    let of = |said: &[DataMessage]| last(14, 34_000, said);
    let offer = |text: &str| {
        attribute(text, "#EXT-X-SERVER-CONTROL:", "CAN-SKIP-DATERANGES").map(str::to_owned)
    };
    let none = of(&[]);
    assert_eq!(offer(&none.whole), None);
    assert!(none.segments.is_some() && none.segments == none.ranges);
    let had = of(&[cue("onCuePoint", 100, vec![])]);
    assert_eq!(ranges(&had.whole), [""; 0]);
    assert_eq!(offer(&had.whole).as_deref(), Some("YES"));
    assert_eq!(offer(&had.ranges.unwrap()).as_deref(), Some("YES"));
}

#[test]
fn after_a_flood_the_whole_playlist_is_the_answer() {
    let flood = (0..30).flat_map(|second| {
        let cues =
            (0..20).map(move |n| cue("onCuePoint", second * 1_000, vec![("n", Value::from(n))]));
        cues.collect::<Vec<_>>()
    });
    let flood: Vec<_> = flood.collect();
    let mut answered = Vec::new();
    watch(14, 100_000, &flood, |seen| {
        if seen.segments.is_some() {
            answered.push(seen.ranges.is_some());
        }
    });
    // Too many were removed in the beginning; nobody has to know of them in the end.
    assert_eq!(
        (answered.first(), answered.last()),
        (Some(&false), Some(&true))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A delta update and any playlist that is not older than half of the skip boundary give the
    /// whole one, and nothing is told again that was added before the boundary.
    #[test]
    fn a_former_playlist_and_a_delta_update_give_the_whole_one(
        times in prop::collection::vec((0_i64..90_000, 0_u8..4), 0..40),
        segments in 13_usize..20,
    ) {
        let mut times = times;
        times.sort_unstable();
        let said: Vec<_> = times.iter().zip(0_u32..).map(|((ms, kind), n)| match kind {
            0 => splice(*ms, OUT),
            1 => splice(*ms, IN),
            2 => cue("onCuePoint", *ms, vec![("n", Value::from(n))]),
            _ => cue("onCuePoint", *ms, vec![("n", Value::from(n)), ("duration", Value::from(20.0))]),
        }).collect();
        let mut formers: Vec<(i64, BTreeSet<String>)> = Vec::new();
        let mut added: BTreeMap<String, i64> = BTreeMap::new();
        let mut checked = 0;
        watch(segments, 100_000, &said, |seen| {
            let end = ends_ms(&seen.whole);
            let lines = |text: &str| -> BTreeSet<String> {
                ranges(text).into_iter().map(str::to_owned).collect()
            };
            let whole = lines(&seen.whole);
            assert_eq!(whole.len(), ranges(&seen.whole).len(), "a line is there twice");
            for line in &whole {
                added.entry(line.clone()).or_insert(end);
            }
            if let Some(delta) = &seen.segments {
                assert_eq!(ranges(delta), ranges(&seen.whole));
            }
            if let Some(delta) = seen.ranges.as_deref().filter(|_| !added.is_empty()) {
                let told = lines(delta);
                for line in &told {
                    assert!(added[line] >= end - SKIP_MS, "{line} is old: {delta}");
                }
                let gone = removed(delta);
                for (_, former) in formers.iter().filter(|(then, _)| *then >= end - SKIP_MS / 2) {
                    let id = |line: &str| line.split('"').nth(1).unwrap().to_owned();
                    let kept = former.iter().filter(|line| !gone.contains(&id(line).as_str()));
                    let rebuilt: BTreeSet<String> = kept.chain(&told).cloned().collect();
                    assert_eq!(rebuilt, whole, "{delta}");
                    checked += 1;
                }
            }
            formers.push((end, whole));
        });
        prop_assert!(said.is_empty() || checked > 1_000);
    }
}
