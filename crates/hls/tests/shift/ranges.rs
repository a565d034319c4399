//! Date ranges of the past: kept with the segments, listed where they overlap.

use super::*;

/// A range of this number that came at a moment and goes on for so long.
pub(super) fn range(epoch: u64, number: usize, at_ms: i64, lasts_ms: Option<i64>) -> DateRange {
    DateRange {
        at_ms,
        until_ms: lasts_ms.map(|ms| at_ms + ms),
        text: format!("ID=\"{epoch:x}-{number}\",START-DATE=\"{at_ms}\",X-SAYS=\"a, b  c\"").into(),
    }
}

pub(super) fn listed(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix("#EXT-X-DATERANGE:"))
        .collect()
}

/// The first date of a playlist.
pub(super) fn begins_ms(text: &str) -> i64 {
    let list = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    list.segments[0]
        .program_date_time
        .unwrap()
        .timestamp_millis()
}

/// The end of the range of this number, as a line of its own.
fn end(epoch: u64, number: usize, at_ms: i64) -> DateRange {
    let mut end = range(epoch, number, at_ms, Some(0));
    end.text = format!("{},SCTE35-IN=0xFC", end.text).into();
    end
}

/// Six minutes in blocks of one: an open break from 1:01 to 4:31, a range from 0:59 to 2:09, and one
/// that is over at once.
fn six_minutes() -> Shelf {
    let mut shelf = Shelf::new(Container::Ts, 1_440);
    for number in 0..180_u64 {
        let at = WALL + i64::try_from(number).unwrap() * 2_000;
        match number {
            29 => shelf.ranges.push(range(0xa1, 0, at + 1_000, Some(70_000))),
            30 => shelf.ranges.push(range(0xa1, 1, at + 1_000, None)),
            31 => shelf.ranges.push(range(0xa1, 2, at + 500, Some(0))),
            135 => shelf.ranges.push(end(0xa1, 1, at + 1_000)),
            _ => {}
        }
        shelf.push(0xa1, 500 + number, at, 2_000, WHOLE);
    }
    shelf
}

fn ids(text: &str) -> Vec<&str> {
    listed(text)
        .iter()
        .map(|range| range.split('"').nth(1).unwrap())
        .collect()
}

#[test]
fn a_playlist_has_the_ranges_that_overlap_it() {
    let mut shelf = six_minutes();
    assert!(shelf.logs.len() >= 6, "blocks");
    let now = WALL + 360_000;
    let mut between = |from: &str, to: &str| -> Vec<String> {
        let query = format!("from=2026-11-20T19:3{from}Z&to=2026-11-20T19:3{to}Z");
        let text = shelf.text(&query, Live::Running, now);
        assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:3"));
        ids(&text).into_iter().map(str::to_owned).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(between("0:00", "0:58"), none);
    assert_eq!(between("0:00", "1:00"), ["a1-0"]);
    assert_eq!(between("0:00", "1:10"), ["a1-0", "a1-1", "a1-2"]);
    // The segment of 1:02 has the one that is over at once; the next one does not.
    assert_eq!(between("1:02", "1:10"), ["a1-0", "a1-1", "a1-2"]);
    assert_eq!(between("1:04", "1:10"), ["a1-0", "a1-1"]);
    assert_eq!(between("2:06", "2:10"), ["a1-0", "a1-1"]);
    assert_eq!(between("2:10", "2:20"), ["a1-1"]);
    assert_eq!(between("4:20", "4:30"), ["a1-1"]);
    // The segment in which it ends has both lines.
    assert_eq!(between("4:20", "4:40"), ["a1-1", "a1-1"]);
    assert_eq!(between("4:32", "5:00"), none);
    assert_eq!(between("0:00", "6:00"), ["a1-0", "a1-1", "a1-2", "a1-1"]);
}

#[test]
fn a_range_that_goes_on_stands_before_the_first_segment() {
    let mut shelf = six_minutes();
    let query = "from=2026-11-20T19:31:58Z&to=2026-11-20T19:32:03Z";
    assert_snapshot!(shelf.text(query, Live::Running, WALL + 360_000));
}

#[test]
fn a_delta_update_has_the_ranges_of_what_it_skips() {
    let mut shelf = six_minutes();
    let now = WALL + 360_000;
    let whole = shelf.text("start=-600", Live::Running, now);
    let delta = shelf.delta("start=-600", now);
    assert_eq!(listed(&delta), listed(&whole));
    assert_eq!(listed(&delta).len(), 4);
    assert!(delta.contains("SKIPPED-SEGMENTS=168\n"));
}

#[test]
fn ranges_are_there_after_a_restart_and_when_their_block_is_gone() {
    let before = six_minutes();
    let now = WALL + 360_000;
    let mut after = before.restarted(1_440, now);
    let mut first = six_minutes();
    let whole = first.text("start=-600", Live::Running, now);
    assert_eq!(after.text("start=-600", Live::Running, now), whole);
    // The first minutes are gone; the break goes on in what is left.
    after = before.restarted(120, now);
    let text = after.text("start=-600", Live::Running, now);
    assert!(begins_ms(&text) > WALL + 129_000, "{text}");
    assert_eq!(listed(&text), [listed(&whole)[1], listed(&whole)[3]]);
    // A log of another version of this program, which knew no ranges.
    let without: Vec<Replayed> = (before.logs.iter())
        .map(|(_, log, file)| {
            let lines = log.split_inclusive('\n');
            let old = lines.filter(|line| !line.starts_with("date") && !line.starts_with("still"));
            Replayed::read(&old.collect::<String>(), *file).unwrap()
        })
        .collect();
    assert!(without.iter().all(|one| !one.torn));
    let mut old = Shelf::new(Container::Ts, 1_440);
    old.index.adopt(without, WallTime(now));
    let text = old.text("start=-600", Live::Running, now);
    assert_eq!(names(&text), names(&whole));
    assert_eq!(ids(&text), [""; 0]);
}

#[test]
fn a_break_that_is_open_is_over_with_its_run() {
    let mut shelf = Shelf::new(Container::Fmp4, 7_200);
    shelf.ranges.push(range(0xa1, 0, WALL + 500, None));
    shelf.ranges.push(range(0xa1, 1, WALL + 600, Some(60_000)));
    shelf.run(0xa1, 500, WALL, 2);
    shelf.run(0xb2, 503, WALL + 30_000, 2);
    let now = WALL + 34_000;
    let late = shelf.text("from=2026-11-20T19:30:30Z", Live::Running, now);
    assert_eq!(ids(&late), ["a1-1"]);
    let all = shelf.text("from=2026-11-20T19:30:00Z", Live::Running, now);
    assert_eq!(ids(&all), ["a1-0", "a1-1"]);
}

#[test]
fn a_flood_of_ranges_is_bounded_and_none_is_there_twice() {
    let mut shelf = Shelf::new(Container::Fmp4, 86_400);
    shelf.ranges.push(range(0xa1, 0, WALL, None));
    let flood = (1..5_000).map(|number| range(0xa1, number, WALL + 100, Some(0)));
    shelf.ranges.extend(flood);
    shelf.ranges.push(range(0xa1, 1, WALL + 100, Some(0)));
    shelf.ranges.push(end(0xa1, 0, WALL + 200));
    shelf.run(0xa1, 500, WALL, 2);
    let text = shelf.text("start=-600", Live::Running, WALL + 4_000);
    let mut found = listed(&text);
    assert_eq!(found.len(), 513);
    assert!(found[512].starts_with("ID=\"a1-0\"") && found[512].ends_with("SCTE35-IN=0xFC"));
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 513);
    assert!(shelf.index.memory() < 200_000, "{}", shelf.index.memory());
}

#[test]
fn lines_of_ranges_are_read_as_they_are_written() {
    for (text, carried) in [
        (
            "date 1795203001250 1795203031250 ID=\"a-0\",X-A=\"b  c\"",
            false,
        ),
        ("still -5 - ID=\"a-0\",START-DATE=\"1969\"", true),
    ] {
        let line: Line = text.parse().unwrap();
        let Line::Range(said) = &line else {
            panic!("{line:?}");
        };
        assert_eq!((said.carried, said.range.id()), (carried, "a-0"));
        assert_eq!(line.to_string(), text);
    }
    for text in [
        "date",
        "date 1 2",
        "date 1 2 X=\"1\"",
        "still a - ID=\"b\"",
        "date  - ID=\"\"",
    ] {
        text.parse::<Line>().unwrap_err();
    }
}
