//! Time shift: playlists over what is kept, and what a restart finds.
#![allow(clippy::unwrap_used)]

mod ranges;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hls::shift::{Ask, BlockId, Flags, Index, Line, Live, Replayed, Said, Segment, Tracks};
use hls::{About, Container, DateRange, Method, Sealed, WallTime};
use insta::assert_snapshot;
use proptest::prelude::*;

/// 2026-11-20T19:30:00Z.
const WALL: i64 = 1_795_203_000_000;

/// An index, the logs that were written beside it, and the length of each block's file.
struct Shelf {
    index: Index,
    container: Container,
    logs: Vec<(BlockId, String, u64)>,
    /// How what comes next is encrypted.
    sealed: Option<Sealed>,
    /// Date ranges that come with the next segment.
    ranges: Vec<DateRange>,
}

impl Shelf {
    fn new(container: Container, window_s: u64) -> Self {
        let window = Duration::from_secs(window_s);
        Self {
            index: Index::new(container, "cam 1", window),
            container,
            logs: Vec::new(),
            sealed: None,
            ranges: Vec::new(),
        }
    }

    /// A segment arrives, as the shell stores it.
    fn push(&mut self, epoch: u64, sequence: u64, wall_ms: i64, duration_ms: u32, flags: Flags) {
        let len = if flags.gap {
            0
        } else {
            1_000 + u32::try_from(sequence % 100).unwrap()
        };
        let begins_block = self.index.needs_block(epoch, len.into());
        let mut flags = flags;
        flags.discontinuity |= !self.index.follows(epoch, sequence);
        if begins_block {
            let head = self
                .index
                .next_head(epoch, sequence, Duration::from_secs(4));
            self.logs
                .push((head.id(), format!("{}\n", Line::Head(head)), 0));
            let lasting = self.index.lasting(epoch, WallTime(wall_ms));
            self.index.begin(head);
            lasting.into_iter().for_each(|said| self.say(said));
        }
        for range in std::mem::take(&mut self.ranges) {
            let carried = false;
            self.say(Said { range, carried });
        }
        let (_, log, file) = self.logs.last_mut().unwrap();
        if begins_block {
            let init = (self.container == Container::Fmp4).then_some((1, 0, 700));
            let tracks = Tracks {
                init,
                about: About {
                    codecs: "avc1.42c01e,mp4a.40.2".into(),
                    resolution: Some((640, 360)),
                    frame_rate_milli: Some(25_000),
                },
            };
            log.push_str(&format!("{}\n", Line::Tracks(tracks.clone())));
            *file = 700;
            self.index.tracks(tracks);
        }
        if self.index.last_sealed() != self.sealed {
            log.push_str(&format!("{}\n", Line::Key(self.sealed)));
            self.index.seal(self.sealed);
        }
        let segment = Segment {
            sequence,
            wall_ms,
            duration_ms,
            offset: u32::try_from(*file).unwrap(),
            len,
            flags,
        };
        log.push_str(&format!("{}\n", Line::Segment(segment)));
        *file += u64::from(len);
        assert!(self.index.push(segment));
    }

    /// A date range is told before the next segment.
    fn say(&mut self, said: Said) {
        if self.index.say(said.clone()) {
            let (_, log, _) = self.logs.last_mut().unwrap();
            log.push_str(&format!("{}\n", Line::Range(said)));
        }
    }

    /// `count` segments of 2 s.
    fn run(&mut self, epoch: u64, sequence: u64, wall_ms: i64, count: u64) {
        for number in 0..count {
            let at = wall_ms + i64::try_from(number).unwrap() * 2_000;
            self.push(epoch, sequence + number, at, 2_000, WHOLE);
        }
    }

    /// The same after a restart.
    fn restarted(&self, window_s: u64, now: i64) -> Self {
        let mut other = Self::new(self.container, window_s);
        let read = |(_, log, file): &(_, String, u64)| Replayed::read(log, *file).unwrap();
        other
            .index
            .adopt(self.logs.iter().map(read).collect(), WallTime(now));
        other.logs.clone_from(&self.logs);
        other
    }

    fn text(&mut self, query: &str, live: Live, now: i64) -> String {
        self.answer(query, false, live, now)
    }

    fn delta(&mut self, query: &str, now: i64) -> String {
        self.answer(query, true, Live::Running, now)
    }

    fn answer(&mut self, query: &str, skip: bool, live: Live, now: i64) -> String {
        let ask = Ask::parse(query).unwrap().unwrap();
        let answer = self.index.playlist(ask, live, skip, WallTime(now)).unwrap();
        let text = String::from_utf8(answer.body().joined().to_vec()).unwrap();
        assert_eq!(text.ends_with("#EXT-X-ENDLIST\n"), answer.ended);
        if !skip {
            m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
        }
        text
    }
}

const WHOLE: Flags = Flags {
    discontinuity: false,
    independent: true,
    gap: false,
};

fn names(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// Two runs with a restart between, a gap, and a change of length.
fn two_runs(container: Container) -> Shelf {
    let mut shelf = Shelf::new(container, 7_200);
    shelf.run(0xa1, 500, WALL, 3);
    let gap = Flags { gap: true, ..WHOLE };
    shelf.push(0xa1, 503, WALL + 6_000, 2_000, gap);
    shelf.push(0xa1, 504, WALL + 8_000, 2_040, WHOLE);
    shelf.run(0xb2, 507, WALL + 30_000, 3);
    shelf
}

#[test]
fn the_live_edge_is_listed_over_a_restart() {
    let mut shelf = two_runs(Container::Fmp4);
    assert_snapshot!(shelf.text("start=-600", Live::Running, WALL + 36_000));
}

#[test]
fn an_ended_stream_ends_its_playlist() {
    let mut shelf = two_runs(Container::Ts);
    assert_snapshot!(shelf.text("start=-30", Live::Ended, WALL + 36_000));
}

#[test]
fn a_range_is_vod_once_it_is_settled() {
    let mut shelf = two_runs(Container::Fmp4);
    let query = "from=2026-11-20T19:30:03.5Z&to=2026-11-20T19:30:31Z";
    assert_snapshot!(shelf.text(query, Live::Running, WALL + 200_000));
    let fresh = shelf.text(query, Live::Running, WALL + 36_000);
    assert!(!fresh.contains("VOD") && fresh.ends_with("#EXT-X-ENDLIST\n"));
}

#[test]
fn a_range_that_reaches_into_the_future_grows_to_its_end() {
    let mut shelf = Shelf::new(Container::Fmp4, 7_200);
    shelf.run(0xa1, 500, WALL, 10);
    let query = "from=2026-11-20T19:30:04Z&to=2026-11-20T19:30:24Z";
    let before = shelf.text(query, Live::Running, WALL + 20_000);
    assert!(!before.contains("ENDLIST"));
    shelf.run(0xa1, 510, WALL + 20_000, 2);
    let after = shelf.text(query, Live::Running, WALL + 24_000);
    // Appended to, and ended: nothing else (H2).
    let added = after.strip_prefix(&*before).unwrap();
    assert_eq!(
        added,
        "#EXTINF:2,\na1-510.m4s\n#EXTINF:2,\na1-511.m4s\n#EXT-X-ENDLIST\n"
    );
    shelf.run(0xa1, 512, WALL + 24_000, 2);
    let later = shelf.text(query, Live::Running, WALL + 28_000);
    assert_eq!(later, after);
    // Without an end it goes on.
    let open = shelf.text("from=2026-11-20T19:30:04Z", Live::Running, WALL + 28_000);
    assert_eq!(names(&open).last(), Some(&"a1-513.m4s"));
}

#[test]
fn multivariant_playlists_have_the_rates_of_what_they_lead_to() {
    let shelf = two_runs(Container::Fmp4);
    let ask = Ask::parse("start=-600").unwrap().unwrap();
    let text = shelf.index.multivariant(ask).unwrap();
    let text = std::str::from_utf8(&text.body).unwrap();
    m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
    assert_snapshot!(text);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let mut shelf = two_runs(Container::Fmp4);
    let now = WallTime(WALL + 36_000);
    for query in [
        "from=2026-11-20T18:30:00Z&to=2026-11-20T19:29:59Z",
        "from=2026-11-20T19:30:36Z",
        "from=2026-11-20T19:30:12Z&to=2026-11-20T19:30:20Z",
    ] {
        let ask = Ask::parse(query).unwrap().unwrap();
        let missing = shelf.index.playlist(ask, Live::Running, false, now);
        let kept = missing.unwrap_err().kept.unwrap();
        assert_eq!(kept, (WallTime(WALL), WallTime(WALL + 36_000)), "{query}");
    }
    let mut none = Shelf::new(Container::Ts, 60);
    let ask = Ask::Start { back_ms: 0 };
    let missing = none.index.playlist(ask, Live::Running, false, now);
    assert_eq!(missing.unwrap_err().kept, None);
}

#[test]
fn delta_updates_leave_out_what_is_beyond_the_skip_boundary() {
    let mut shelf = Shelf::new(Container::Fmp4, 7_200);
    shelf.run(0xa1, 500, WALL, 100);
    let now = WALL + 200_000;
    let whole = shelf.text("start=-3600", Live::Running, now);
    let delta = shelf.delta("start=-3600", now);
    assert_eq!(
        tag(&whole, "#EXT-X-SERVER-CONTROL"),
        Some("CAN-SKIP-UNTIL=24")
    );
    // Twelve segments of 2 s are six target durations.
    assert_eq!(tag(&delta, "#EXT-X-SKIP"), Some("SKIPPED-SEGMENTS=88"));
    assert_eq!(names(&delta), names(&whole)[88..]);
    assert_eq!(tag(&delta, "#EXT-X-MEDIA-SEQUENCE"), Some("500"));
    assert!(delta.len() < 1_000, "{}", delta.len());
    assert_snapshot!(delta);
    // A range that is settled has no end to wait for.
    let range = "from=2026-11-20T19:30:00Z&to=2026-11-20T19:31:00Z";
    assert!(!shelf.delta(range, now).contains("EXT-X-SKIP"));
}

#[test]
fn a_restart_goes_on_with_the_numbers() {
    let mut before = Shelf::new(Container::Fmp4, 600);
    before.run(0xa1, 500, WALL, 100);
    let now = WALL + 200_000;
    let text = before.text("start=-600", Live::Running, now);
    let mut after = before.restarted(600, now);
    assert_eq!(after.text("start=-600", Live::Running, now), text);
    let progress = after.index.progress().unwrap();
    assert_eq!((progress.epoch, progress.sequence), (0xa1, 599));
    assert_eq!(progress.ends, WallTime(now));
    after.run(0xb2, 603, now + 5_000, 2);
    let text = after.text("start=-600", Live::Running, now + 9_000);
    let (old, new) = text.split_at(text.find("#EXT-X-DISCONTINUITY\n").unwrap());
    assert_eq!(names(old).len(), 100);
    assert_eq!(names(new), ["b2-603.m4s", "b2-604.m4s"]);
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    let progress = after.index.progress().unwrap();
    assert_eq!(
        (progress.sequence, progress.discontinuity_sequence),
        (604, 1)
    );
    // When the first run has left, its discontinuity has not yet.
    let later = now + 9_000 + 600_000;
    after.run(0xb2, 605, now + 9_000, 300);
    after.index.expire(WallTime(later));
    let text = after.text("start=-600", Live::Running, later);
    assert_eq!(names(&text).first(), Some(&"b2-603.m4s"));
    assert_eq!(tag(&text, "#EXT-X-MEDIA-SEQUENCE"), Some("600"));
    assert_eq!(tag(&text, "#EXT-X-DISCONTINUITY-SEQUENCE"), None);
    after.run(0xb2, 905, later, 60);
    after.index.expire(WallTime(later + 120_000));
    let text = after.text("start=-600", Live::Running, later + 120_000);
    assert_eq!(tag(&text, "#EXT-X-DISCONTINUITY-SEQUENCE"), Some("1"));
}

#[test]
fn a_torn_log_is_good_up_to_its_last_whole_line() {
    let mut shelf = Shelf::new(Container::Fmp4, 600);
    shelf.run(0xa1, 500, WALL, 5);
    let (_, log, file) = shelf.logs.first().unwrap();
    let whole = Replayed::read(log, *file).unwrap();
    assert!(!whole.torn);
    let segments = |log: &str, file: u64| {
        let read = Replayed::read(log, file)?;
        let mut index = Index::new(Container::Fmp4, "cam", Duration::from_secs(600));
        let torn = read.torn;
        index.adopt(vec![read], WallTime(WALL + 10_000));
        Some((index.kept().segments, torn))
    };
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    for cut in 0..log.len() {
        let whole_lines = log[..cut].matches('\n').count();
        let at_line = lines[..whole_lines].concat().len() == cut;
        // The first two lines are head and tracks.
        let expected = (whole_lines > 2).then(|| (whole_lines as u64 - 2, !at_line));
        assert_eq!(segments(&log[..cut], *file), expected, "{cut}");
    }
    // The media may end before the log does.
    assert_eq!(segments(log, *file - 1), Some((4, true)));
    assert_eq!(segments(log, 699), None);
    // Damage in the middle costs what follows.
    let damaged = log.replacen("502", "5x2", 1);
    assert_eq!(segments(&damaged, *file), Some((2, true)));
    let doubled = format!("{log}{}", lines[4]);
    assert_eq!(segments(&doubled, *file), Some((5, true)));
}

#[test]
fn a_block_that_is_lost_costs_its_segments_only() {
    let mut shelf = Shelf::new(Container::Fmp4, 600);
    shelf.run(0xa1, 500, WALL, 100);
    let now = WALL + 200_000;
    let whole = shelf.text("start=-600", Live::Running, now);
    shelf.logs.remove(1);
    let mut after = shelf.restarted(600, now);
    let text = after.text("start=-600", Live::Running, now);
    // The newest keep their numbers: players at the live edge go on.
    let number = |text: &str, name: &str| -> u64 {
        let first: u64 = tag(text, "#EXT-X-MEDIA-SEQUENCE").unwrap().parse().unwrap();
        first + names(text).iter().position(|n| *n == name).unwrap() as u64
    };
    assert_eq!(number(&text, "a1-599.m4s"), number(&whole, "a1-599.m4s"));
    assert_eq!(names(&text).len(), 70);
}

#[test]
fn names_are_found_where_they_are_stored() {
    let mut shelf = two_runs(Container::Fmp4);
    let found = |name: &str| {
        shelf
            .index
            .find(name)
            .map(|f| (f.block.sequence, f.offset, f.len))
    };
    assert_eq!(found("a1-500.m4s"), Some((500, 700, 1_000)));
    assert_eq!(found("a1-501.m4s"), Some((500, 1_700, 1_001)));
    assert_eq!(found("b2-509.m4s"), Some((507, 2_715, 1_009)));
    assert_eq!(found("b2-init-1.mp4"), Some((507, 0, 700)));
    let find = |name: &str| shelf.index.find(name).unwrap().content_type;
    assert_eq!(find("a1-500.m4s"), "video/mp4");
    for none in [
        "a1-499.m4s",
        "a1-503.m4s",
        "a1-505.m4s",
        "a1-507.m4s",
        "b2-500.m4s",
        "c3-500.m4s",
        "a1-500.ts",
        "a1-500.0.m4s",
        "b2-init-2.mp4",
        "",
        "-",
        "a1-",
        "../a1-500.m4s",
    ] {
        assert_eq!(found(none), None, "{none}");
    }
    let block = BlockId {
        epoch: 0xa1,
        sequence: 500,
    };
    assert!(shelf.logs.iter().any(|(id, _, _)| *id == block));
    shelf.index.expire(WallTime(WALL + 7_300_000));
    assert_eq!(shelf.index.find("a1-500.m4s"), None);
}

/// Whole segments with two keys, samples with one after a restart, and nothing after another.
fn three_runs(container: Container) -> Shelf {
    let mut shelf = Shelf::new(container, 7_200);
    let with = |method, key, iv| {
        Some(Sealed {
            method,
            key,
            iv: [iv; 16],
        })
    };
    for (number, key) in [(0, 0), (1, 0), (2, 1)] {
        shelf.sealed = with(Method::Aes128, key, u8::try_from(number).unwrap() + 1);
        shelf.run(
            0xa1,
            500 + number,
            WALL + i64::try_from(number).unwrap() * 2_000,
            1,
        );
    }
    shelf.sealed = with(Method::Cbcs, 0, 0xab);
    shelf.run(0xb2, 505, WALL + 10_000, 2);
    shelf.sealed = None;
    shelf.run(0xc3, 510, WALL + 20_000, 2);
    shelf
}

/// Lines of keys and maps, and names.
fn keys(text: &str) -> Vec<&str> {
    let shown = |line: &&str| {
        let tags = ["#EXT-X-KEY:", "#EXT-X-MAP:"];
        !line.starts_with('#') || tags.iter().any(|tag| line.starts_with(tag))
    };
    text.lines().filter(shown).collect()
}

#[test]
fn keys_stand_where_they_change_also_after_a_restart() {
    let mut shelf = three_runs(Container::Fmp4);
    let now = WALL + 24_000;
    let text = shelf.text("start=-600", Live::Running, now);
    assert_eq!(
        keys(&text),
        [
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"a1-init-1.mp4\"",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key-a1-0.bin\",IV=0x01010101010101010101010101010101",
            "a1-500.m4s",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key-a1-0.bin\",IV=0x02020202020202020202020202020202",
            "a1-501.m4s",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key-a1-1.bin\",IV=0x03030303030303030303030303030303",
            "a1-502.m4s",
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"b2-init-1.mp4\"",
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key-b2-0.bin\",IV=0xabababababababababababababababab",
            "b2-505.m4s",
            "b2-506.m4s",
            "#EXT-X-MAP:URI=\"c3-init-1.mp4\"",
            "#EXT-X-KEY:METHOD=NONE",
            "c3-510.m4s",
            "c3-511.m4s",
        ]
    );
    let mut restarted = shelf.restarted(7_200, now);
    assert_eq!(restarted.text("start=-600", Live::Running, now), text);
    // Entered in its middle, it says what holds there.
    let from = "from=2026-11-20T19:30:02Z";
    let text = shelf.text(from, Live::Running, now);
    assert_eq!(
        keys(&text)[..4],
        [
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-MAP:URI=\"a1-init-1.mp4\"",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"key-a1-0.bin\",IV=0x02020202020202020202020202020202",
            "a1-501.m4s",
        ]
    );
    let ts = three_runs(Container::Ts).text("start=-600", Live::Running, now);
    assert_eq!(ts.matches("METHOD=NONE").count(), 1, "{ts}");
}

#[test]
fn a_key_is_known_as_long_as_a_segment_needs_it() {
    let mut shelf = three_runs(Container::Fmp4).restarted(60, WALL + 24_000);
    let index = &mut shelf.index;
    let known = |name: &str| index.key(name).map(|key| (key.epoch, key.number));
    assert_eq!(known("key-a1-0.bin"), Some((0xa1, 0)));
    assert_eq!(known("key-a1-1.bin"), Some((0xa1, 1)));
    assert_eq!(known("key-b2-0.bin"), Some((0xb2, 0)));
    for none in [
        "key-a1-2.bin",
        "key-a1-00.bin",
        "key-c3-0.bin",
        "key-+a1-0.bin",
        "key-.bin",
        "a1-500.m4s",
        "",
    ] {
        assert_eq!(known(none), None, "{none}");
    }
    let gone = index.expire(WallTime(WALL + 200_000));
    assert_eq!(gone.len(), 3);
    assert_eq!(index.key("key-a1-0.bin"), None);
}

#[test]
fn a_delta_update_says_that_what_follows_what_is_encrypted_is_clear() {
    let mut shelf = Shelf::new(Container::Ts, 7_200);
    shelf.sealed = Some(Sealed {
        method: Method::Aes128,
        key: 0,
        iv: [1; 16],
    });
    shelf.run(0xa1, 500, WALL, 10);
    shelf.sealed = None;
    shelf.run(0xb2, 515, WALL + 30_000, 40);
    let delta = shelf.delta("start=-600", WALL + 110_000);
    assert!(tag(&delta, "#EXT-X-SKIP").is_some(), "{delta}");
    assert_eq!(keys(&delta)[0], "#EXT-X-KEY:METHOD=NONE");
}

#[test]
fn lines_of_keys_are_read_as_they_are_written() {
    for text in [
        "key -",
        "key aes-128 3 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "key cbcs 18446744073709551615 00000000000000000000000000000001",
    ] {
        let line: Line = text.parse().unwrap();
        assert_eq!(line.to_string(), text);
    }
    for text in [
        "key",
        "key none",
        "key des 3 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "key aes-128 -1 0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "key aes-128 3 +f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "key aes-128 3 0f1e",
        "key aes-128 3 0f1e2d3c4b5a69788796a5b4c3d2e1f0 x",
    ] {
        assert!(text.parse::<Line>().is_err(), "{text}");
    }
}

#[test]
fn blocks_stay_on_the_disk_for_as_long_as_somebody_may_play_them() {
    let mut shelf = Shelf::new(Container::Ts, 600);
    shelf.run(0xa1, 500, WALL, 300);
    let end = WALL + 600_000;
    // Nobody asked: what leaves the list is removed.
    assert_eq!(shelf.index.expire(WallTime(end)), []);
    let gone = shelf.index.expire(WallTime(end + 61_000));
    assert_eq!(gone.len(), 1);
    // Somebody listed all that was left: 540 s, and plays it to the end.
    shelf.text("start=-600", Live::Running, end + 61_000);
    let listed = 540_000 + 4_000;
    assert_eq!(shelf.index.expire(WallTime(end + 61_000 + listed - 1)), []);
    assert!(shelf.index.find("a1-530.ts").is_some());
    assert_eq!(shelf.index.kept().segments, 0, "it is listed no more");
    let gone = shelf.index.expire(WallTime(end + 61_000 + listed));
    assert_eq!(gone.len(), 9);
    assert_eq!(shelf.index.find("a1-530.ts"), None);
}

#[test]
fn nothing_is_rendered_twice() {
    let mut shelf = Shelf::new(Container::Fmp4, 7_200);
    shelf.run(0xa1, 500, WALL, 100);
    let now = WALL + 200_000;
    let ask = Ask::Start { back_ms: 600_000 };
    let get = |shelf: &mut Shelf| {
        shelf
            .index
            .playlist(ask, Live::Running, false, WallTime(now))
            .unwrap()
    };
    let first = get(&mut shelf);
    for _ in 0..10_000 {
        assert!(Arc::ptr_eq(&get(&mut shelf), &first));
    }
    assert_eq!(shelf.index.kept().renders, 1);
    // Other moments share its text; what is kept of them is bounded.
    for back_ms in 0..1_000 {
        let ask = Ask::Start {
            back_ms: 60_000 + back_ms,
        };
        let answer = shelf
            .index
            .playlist(ask, Live::Running, false, WallTime(now))
            .unwrap();
        let last = |answer: &hls::shift::Answer| answer.pieces.last().unwrap().text.as_ptr();
        assert_eq!(last(&answer), last(&first));
    }
    shelf.run(0xa1, 600, now, 1);
    assert!(!Arc::ptr_eq(&get(&mut shelf), &first));
}

#[test]
fn a_day_takes_a_few_megabytes() {
    let mut index = Index::new(Container::Fmp4, "cam", Duration::from_secs(86_400));
    let mut shelf = Shelf::new(Container::Fmp4, 86_400);
    std::mem::swap(&mut index, &mut shelf.index);
    let epoch = 0x19a_3f2c_4d5e;
    shelf.run(epoch, 45_500_000, WALL, 43_200);
    let now = WALL + 86_400_000;
    let text = shelf.text("start=-86400", Live::Running, now);
    assert_eq!(names(&text).len(), 43_200);
    let memory = shelf.index.memory();
    assert!(memory < 5 << 20, "{memory}");
    assert!(shelf.delta("start=-86400", now).len() < 1_200);
}

/// A playlist's segments by number: name and the discontinuities before it.
fn numbered(text: &str) -> HashMap<u64, (String, u64)> {
    let mut number: u64 = tag(text, "#EXT-X-MEDIA-SEQUENCE").unwrap().parse().unwrap();
    let before = tag(text, "#EXT-X-DISCONTINUITY-SEQUENCE").unwrap_or("0");
    let mut discontinuities: u64 = before.parse().unwrap();
    let mut all = HashMap::new();
    for line in text.lines() {
        discontinuities += u64::from(line == "#EXT-X-DISCONTINUITY");
        if !line.starts_with('#') {
            all.insert(number, (line.to_owned(), discontinuities));
            number += 1;
        }
    }
    all
}

#[derive(Clone, Debug)]
enum Step {
    Segments { count: u64, gap: bool },
    Cue { lasts_ms: i64 },
    Hole,
    Restart { away_ms: i64 },
    Wait { ms: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..60, any::<bool>()).prop_map(|(count, gap)| Step::Segments { count, gap }),
        4 => (0_i64..400_000).prop_map(|lasts_ms| Step::Cue { lasts_ms }),
        1 => Just(Step::Hole),
        2 => (0_i64..90_000).prop_map(|away_ms| Step::Restart { away_ms }),
        1 => (0_i64..400_000).prop_map(|ms| Step::Wait { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever happens, a number means the same segment in every playlist, restarts or not, delta updates
    /// are ends of the whole, and both have the date ranges that overlap what is listed, each once.
    #[test]
    fn a_number_is_one_segment(steps in prop::collection::vec(step(), 1..20)) {
        let mut shelf = Shelf::new(Container::Fmp4, 300);
        let (mut epoch, mut sequence, mut wall) = (1, 100, WALL);
        let mut seen: HashMap<u64, (String, u64)> = HashMap::new();
        let mut first = 0;
        let mut said: Vec<DateRange> = Vec::new();
        for step in steps {
            match step {
                Step::Segments { count, gap } => {
                    for _ in 0..count {
                        shelf.push(epoch, sequence, wall, 2_000, Flags { gap, ..WHOLE });
                        (sequence, wall) = (sequence + 1, wall + 2_000);
                    }
                }
                Step::Cue { lasts_ms } => {
                    let range = ranges::range(epoch, said.len(), wall + 500, Some(lasts_ms));
                    said.push(range.clone());
                    shelf.ranges.push(range);
                    shelf.push(epoch, sequence, wall, 2_000, WHOLE);
                    (sequence, wall) = (sequence + 1, wall + 2_000);
                }
                Step::Hole => sequence += 3,
                Step::Restart { away_ms } => {
                    wall += away_ms;
                    (epoch, sequence) = (epoch + 1, sequence + 2);
                    shelf = shelf.restarted(300, wall);
                }
                Step::Wait { ms } => {
                    wall += ms;
                    sequence += 1;
                }
            }
            let gone = shelf.index.expire(WallTime(wall));
            shelf.logs.retain(|(id, _, _)| !gone.contains(id));
            if shelf.logs.is_empty() {
                said.clear();
            }
            let ask = Ask::Start { back_ms: 300_000 };
            if shelf.index.playlist(ask, Live::Running, false, WallTime(wall)).is_err() {
                continue;
            }
            let text = shelf.text("start=-300", Live::Running, wall);
            let begins: u64 = tag(&text, "#EXT-X-MEDIA-SEQUENCE").unwrap().parse().unwrap();
            prop_assert!(begins >= first, "the media sequence went back");
            first = begins;
            for (number, segment) in numbered(&text) {
                let known = seen.entry(number).or_insert_with(|| segment.clone());
                prop_assert_eq!(&*known, &segment);
            }
            let begins = ranges::begins_ms(&text);
            let overlaps = |range: &&DateRange| {
                range.at_ms >= begins || range.until_ms.unwrap() > begins
            };
            let want: Vec<&str> = said.iter().filter(overlaps).map(|range| &*range.text).collect();
            prop_assert_eq!(&ranges::listed(&text), &want);
            let delta = shelf.delta("start=-300", wall);
            prop_assert_eq!(&ranges::listed(&delta), &want);
            let skipped = tag(&delta, "#EXT-X-SKIP").map_or(0, |skip| {
                skip.strip_prefix("SKIPPED-SEGMENTS=").unwrap().parse().unwrap()
            });
            prop_assert_eq!(&names(&text)[skipped..], &names(&delta)[..]);
        }
    }

    /// No log is too strange.
    #[test]
    fn any_log_is_read(log in "(sidestream-dvr 1 fmp4 a 1 1 0 4\n)?(tracks - - - - - -\n)?((date|still) [0-9-]{0,3} [0-9-]{0,3} (ID=\"[a\", ]{0,4})?\n?|[segmnt0-9 di-]{0,40}\n?){0,6}") {
        let _ = Replayed::read(&log, 1 << 20);
    }
}
