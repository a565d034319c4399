//! Media playlists with parts (RFC 8216bis): text of our own, since `m3u8-rs` writes neither
//! header tags that it does not know nor what follows the last segment.
//!
//! ```text
//! #EXT-X-SERVER-CONTROL:…  #EXT-X-PART-INF:…
//! #EXT-X-SKIP:…                             in a delta update
//! #EXT-X-PART:… …  #EXTINF:…  segment.m4s   parts of the newest segments only
//! #EXT-X-PART:… …                           those of the segment that is being made
//! #EXT-X-PRELOAD-HINT:…                     the next one
//! #EXT-X-RENDITION-REPORT:…                 how far the stream's other playlists are
//! ```

use std::fmt::Write as _;

use crate::body::Part;
use crate::container::{init_name, part_name, segment_name};
use crate::date::rfc3339;
use crate::encryption::{KeyTags, Seal};
use crate::presentation::{LowLatency, Text};
use crate::rendition::Opened;
use crate::timed::Dates;
use crate::window::{Segment, Window};

use super::{Head, rendered};

/// Target durations from the end within which segments list their parts (§6.2.2 asks to leave
/// them out beyond three).
const TARGETS_WITH_PARTS: u64 = 3;
/// Target durations from the end within which a delta update leaves nothing out
/// (`CAN-SKIP-UNTIL`, at least six: §4.4.3.8).
const TARGETS_NOT_SKIPPED: u64 = 6;
/// Part targets that players stay behind the end (`PART-HOLD-BACK`, §4.4.3.8 recommends three).
const HOLD_BACK_PARTS: u64 = 3;

/// How far another playlist of the same multivariant playlist is (§4.4.5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Relative to the media playlist.
    pub(crate) uri: String,
    /// Sequence number of its newest segment, complete or not.
    pub(crate) sequence: u64,
    /// Index of that one's newest part.
    pub(crate) part: u64,
}

/// A media playlist and its delta updates.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) whole: Text,
    pub(crate) deltas: Deltas,
}

/// Delta updates, where they leave something out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deltas {
    /// Without segments.
    pub(crate) segments: Option<Text>,
    /// Without date ranges, either.
    pub(crate) ranges: Option<Text>,
}

/// What a text leaves out.
#[derive(Clone, Debug)]
struct Left {
    /// Segments at the front.
    segments: usize,
    /// Date ranges that were added before this wall time; and the ids of those that were removed.
    ranges: Option<(i64, String)>,
}

/// How far from its end a playlist with this target duration is skipped, in milliseconds.
pub(crate) fn skip_boundary_ms(target_ms: u64) -> u64 {
    TARGETS_NOT_SKIPPED * target_ms
}

/// A whole playlist, and its delta updates.
pub(crate) fn media(
    head: Head,
    low_latency: LowLatency,
    window: &Window,
    open: Option<&Opened>,
    reports: &[Report],
    dates: &Dates,
) -> Texts {
    let open_ms = open.map_or(0, Opened::duration_ms);
    let total_ms = window.listed_ms() + open_ms;
    let skipped = skippable(head, window, total_ms);
    let text = |left: &Left| {
        let writer = Writer::new(head, low_latency, dates.has_begun());
        writer.write(window, open, dates, total_ms, left, reports)
    };
    let mut left = Left {
        segments: 0,
        ranges: None,
    };
    let whole = text(&left);
    let mut deltas = Deltas::default();
    // Who asks for one of a playlist that has ended gets the whole (§6.2.5.1).
    if skipped > 0 && !head.ended {
        left.segments = skipped;
        let segments = text(&left);
        deltas.ranges = if dates.has_begun() {
            let last = window.listed().next_back().map(Segment::end_wall_ms);
            let end_ms = open.map(Opened::end_wall_ms).or(last).unwrap_or(0);
            let skip_ms = skip_boundary_ms(head.target_seconds * 1_000);
            let since_ms = end_ms.saturating_sub_unsigned(skip_ms);
            let removed = dates.removed(window.first_wall_ms());
            left.ranges = removed.map(|removed| (since_ms, removed));
            left.ranges.is_some().then(|| text(&left))
        } else {
            Some(segments.clone())
        };
        deltas.segments = Some(segments);
    }
    Texts { whole, deltas }
}

/// Segments that end before the skip boundary.
fn skippable(head: Head, window: &Window, total_ms: u64) -> usize {
    let until_ms = skip_boundary_ms(head.target_seconds * 1_000);
    let mut rest_ms = total_ms;
    window
        .listed()
        .take_while(|segment| {
            rest_ms -= segment.duration_ms;
            rest_ms >= until_ms
        })
        .count()
}

/// What holds for the next segment.
#[derive(Default)]
struct Before<'a> {
    map: Option<u32>,
    keys: KeyTags<'a>,
}

struct Writer {
    head: Head,
    low_latency: LowLatency,
    /// Date ranges can be left out.
    has_ranges: bool,
    out: String,
}

impl Writer {
    fn new(head: Head, low_latency: LowLatency, has_ranges: bool) -> Self {
        Self {
            head,
            low_latency,
            has_ranges,
            out: String::with_capacity(4 << 10),
        }
    }

    fn write(
        mut self,
        window: &Window,
        open: Option<&Opened>,
        dates: &Dates,
        total_ms: u64,
        left: &Left,
        reports: &[Report],
    ) -> Text {
        self.header(window);
        let mut lines = dates.lines_from(window.first_wall_ms());
        let skipped = left.segments;
        if let Some((since_ms, removed)) = &left.ranges {
            lines = lines.since(*since_ms);
            self.line(format_args!(
                "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped},RECENTLY-REMOVED-DATERANGES=\"{removed}\""
            ));
        } else if skipped > 0 {
            self.line(format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"));
        }
        let with_parts_ms = TARGETS_WITH_PARTS * self.head.target_seconds * 1_000;
        let mut before = Before::default();
        let mut rest_ms = total_ms;
        for (index, segment) in window.listed().enumerate() {
            let begins_ms = rest_ms;
            rest_ms -= segment.duration_ms;
            if index < skipped {
                continue;
            }
            let seal = segment.seal.as_ref();
            self.before(segment.discontinuity, segment.init, seal, &mut before);
            self.date(segment.wall_ms);
            self.ranges(lines.before(segment.end_wall_ms()));
            if begins_ms <= with_parts_ms {
                self.parts(segment.sequence, segment.body.as_parts());
            }
            let name = segment_name(self.head.epoch, self.head.feed, segment.sequence);
            let duration = Seconds(segment.duration_ms);
            if segment.body.is_empty() {
                self.line(format_args!("#EXT-X-GAP"));
            }
            self.line(format_args!("#EXTINF:{duration},\n{name}"));
        }
        if let Some(open) = open {
            let seal = open.seal.as_ref();
            self.before(open.discontinuity, open.init, seal, &mut before);
            self.date(open.wall_ms);
            self.ranges(lines.before(open.end_wall_ms()));
            self.parts(open.sequence, &open.parts);
        }
        if self.head.ended {
            self.line(format_args!("#EXT-X-ENDLIST"));
        } else if let Some((sequence, part)) = self.low_latency.hint {
            let what = match self.low_latency.ranges {
                false => Address(
                    part_name(self.head.epoch, self.head.feed, sequence, part),
                    None,
                ),
                true => {
                    let open = open.filter(|open| open.sequence == sequence);
                    let begins = open.map_or(0, |open| open.bytes);
                    let name = segment_name(self.head.epoch, self.head.feed, sequence);
                    Address(name, Some(Range::From(begins)))
                }
            };
            self.line(format_args!("#EXT-X-PRELOAD-HINT:TYPE=PART,{what}"));
        }
        let reports = if self.head.ended { &[] } else { reports };
        for report in reports {
            let Report {
                uri,
                sequence,
                part,
            } = report;
            self.line(format_args!(
                "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN={sequence},LAST-PART={part}"
            ));
        }
        rendered(self.out.into_bytes())
    }

    fn header(&mut self, window: &Window) {
        let target = self.head.target_seconds;
        let part = Seconds(self.low_latency.part_ms);
        let hold_back = Seconds(HOLD_BACK_PARTS * self.low_latency.part_ms);
        let skip_until = Seconds(skip_boundary_ms(target * 1_000));
        // Streams that never had one need not hear of it (§4.4.3.8).
        let ranges = if self.has_ranges {
            ",CAN-SKIP-DATERANGES=YES"
        } else {
            ""
        };
        // EXT-X-SKIP needs version 9 (§8); both forms say the same.
        self.line(format_args!("#EXTM3U\n#EXT-X-VERSION:9"));
        if self.head.independent {
            self.line(format_args!("#EXT-X-INDEPENDENT-SEGMENTS"));
        }
        self.line(format_args!("#EXT-X-TARGETDURATION:{target}"));
        self.line(format_args!(
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until}{ranges},PART-HOLD-BACK={hold_back}"
        ));
        self.line(format_args!("#EXT-X-PART-INF:PART-TARGET={part}"));
        let sequence = window.listed().next().map_or(0, |s| s.sequence);
        self.line(format_args!("#EXT-X-MEDIA-SEQUENCE:{sequence}"));
        if window.discontinuity_sequence() > 0 {
            let count = window.discontinuity_sequence();
            self.line(format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{count}"));
        }
    }

    /// What precedes a segment or its first part; map and key where they are others than before.
    fn before<'a>(
        &mut self,
        discontinuity: bool,
        init: Option<u32>,
        seal: Option<&'a Seal>,
        before: &mut Before<'a>,
    ) {
        if discontinuity {
            self.line(format_args!("#EXT-X-DISCONTINUITY"));
        }
        if let Some(version) = init.filter(|_| init != before.map) {
            before.map = init;
            if let Some(none) = before.keys.before_map() {
                self.line(format_args!("#EXT-X-KEY:{none}"));
            }
            let name = init_name(self.head.epoch, self.head.feed, version);
            self.line(format_args!("#EXT-X-MAP:URI=\"{name}\""));
        }
        if let Some(key) = before.keys.before(seal, self.head.epoch) {
            self.line(format_args!("#EXT-X-KEY:{key}"));
        }
    }

    fn date(&mut self, wall_ms: i64) {
        self.line(format_args!(
            "#EXT-X-PROGRAM-DATE-TIME:{}",
            rfc3339(wall_ms)
        ));
    }

    /// Those of skipped segments too: they are left out by themselves or not at all (§6.2.5.1).
    fn ranges<'a>(&mut self, ranges: impl Iterator<Item = &'a str>) {
        ranges.for_each(|range| self.line(format_args!("#EXT-X-DATERANGE:{range}")));
    }

    fn parts(&mut self, sequence: u64, parts: &[Part]) {
        let mut begins = 0;
        for (index, part) in parts.iter().enumerate() {
            let what = match &part.body {
                Some(body) if self.low_latency.ranges => {
                    let name = segment_name(self.head.epoch, self.head.feed, sequence);
                    let range = Range::Of(body.len(), begins);
                    begins += body.len();
                    Address(name, Some(range))
                }
                _ => Address(
                    part_name(self.head.epoch, self.head.feed, sequence, index),
                    None,
                ),
            };
            let duration = Seconds(part.duration_ms);
            let flag = match (&part.body, part.independent) {
                (None, _) => ",GAP=YES",
                (Some(_), true) => ",INDEPENDENT=YES",
                (Some(_), false) => "",
            };
            self.line(format_args!("#EXT-X-PART:DURATION={duration},{what}{flag}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = writeln!(self.out, "{line}");
    }
}

/// Where a part is: a resource, or some bytes of one.
struct Address(String, Option<Range>);

enum Range {
    /// So many bytes from this one on.
    Of(usize, usize),
    /// All from this one on that will be a part.
    From(usize),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(name, range) = self;
        write!(f, "URI=\"{name}\"")?;
        match range {
            None => Ok(()),
            Some(Range::Of(len, begins)) => write!(f, ",BYTERANGE=\"{len}@{begins}\""),
            Some(Range::From(begins)) => write!(f, ",BYTERANGE-START={begins}"),
        }
    }
}

/// Milliseconds as seconds in their shortest decimal form.
pub(crate) struct Seconds(pub(crate) u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, ms) = (self.0 / 1_000, self.0 % 1_000);
        write!(f, "{whole}")?;
        match ms {
            0 => Ok(()),
            ms if ms % 100 == 0 => write!(f, ".{}", ms / 100),
            ms if ms % 10 == 0 => write!(f, ".{:02}", ms / 10),
            ms => write!(f, ".{ms:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_written_in_their_shortest_form() {
        let text = [0, 5, 40, 333, 900, 1_000, 2_040].map(|ms| Seconds(ms).to_string());
        assert_eq!(text, ["0", "0.005", "0.04", "0.333", "0.9", "1", "2.04"]);
    }
}
