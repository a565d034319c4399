//! Date ranges of a playlist that is written once: what the cues of a file become.
//!
//! Data messages are those of live streams; splice information (SCTE 35) of a transport stream says its times on the
//! clock of the media, so a range begins where the splice is, not where the section came before it.

use std::collections::VecDeque;

use media::DataMessage;
use remux::timed::scte35::Splice;

use crate::timed::{DateRange, Dates};

/// Ranges and bytes of their texts at most. Threat: they are in a playlist that is written, and read, as a whole.
const MAX_RANGES: usize = 16_384;
const MAX_BYTES: usize = 4 << 20;
/// A section that says the same as one of so many before it is sent again (SCTE 35 §9.3).
const REPEATS: usize = 32;
/// A splice is announced at most so long before, in ticks of 90 kHz: what lies further is on another clock.
const AHEAD: i64 = 600 * 90_000;
/// Modulus of times in sections.
const TURN: i64 = 1 << 33;

/// Gathers the cues of a file.
#[derive(Debug)]
pub struct Cues {
    dates: Dates,
    /// Number of the next line.
    next: u64,
    ranges: Vec<DateRange>,
    bytes: usize,
    sections: VecDeque<Vec<u8>>,
}

impl Cues {
    /// None yet; ids of ranges begin with `epoch`, in hexadecimal.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            dates: Dates::new(epoch),
            next: 0,
            ranges: Vec::new(),
            bytes: 0,
            sections: VecDeque::new(),
        }
    }

    /// A data message that came at this moment, in milliseconds since 1970; others than cues are skipped.
    pub fn message(&mut self, message: &DataMessage, at_ms: i64) {
        self.dates.message(message, Some(at_ms));
        self.take(at_ms);
    }

    /// A splice information section that came at `ticks` of 90 kHz, which is `at_ms` since 1970. What is not sound
    /// is skipped.
    pub fn section(&mut self, section: &[u8], ticks: i64, at_ms: i64) {
        let Some(splice) = Splice::parse(section) else {
            return;
        };
        if self.sections.iter().any(|known| known == section) {
            return;
        }
        self.sections.push_back(section.to_vec());
        if self.sections.len() > REPEATS {
            self.sections.pop_front();
        }
        let pts = splice.pts.and_then(|pts| i64::try_from(pts).ok());
        let ahead = pts.map(|pts| (pts - ticks).rem_euclid(TURN));
        let ahead = ahead.filter(|ahead| *ahead <= AHEAD).unwrap_or(0);
        let at_ms = at_ms.saturating_add(ahead / 90);
        self.dates.splice(splice, section, at_ms);
        self.take(at_ms);
    }

    /// How many ranges there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges by their times: each stands before the first segment that ends later.
    #[must_use]
    pub fn finish(mut self) -> Vec<DateRange> {
        self.ranges.sort_by_key(|range| range.at_ms);
        self.ranges
    }

    /// Takes what is new; keeps what something later may end.
    fn take(&mut self, at_ms: i64) {
        let told = self.dates.told();
        let from = self.next;
        for (number, range) in told.iter().filter(|(number, _)| *number >= from) {
            self.next = number + 1;
            let bytes = self.bytes + range.text.len();
            if self.ranges.len() < MAX_RANGES && bytes <= MAX_BYTES {
                self.bytes = bytes;
                self.ranges.push(range.clone());
            }
        }
        self.dates.settle(at_ms, i64::MIN, 0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use remux::timed::scte35::moved;

    /// SCTE 35 §14.2: event 0x4800008f, out at 0x72bd0050 of 60.293 s; and the same event, in, at once.
    const OUT: &str = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=";
    const IN: &str = "/DAlAAAAAAAA///wCgVIAACPf18AAAAAAAoACENVRUkAAAE1RoLqWg==";

    fn section(text: &str) -> Vec<u8> {
        STANDARD.decode(text).unwrap()
    }

    #[test]
    fn a_range_begins_where_the_splice_is_and_repeats_are_one() {
        let mut cues = Cues::new(0xa);
        let out = section(OUT);
        let pts = i64::try_from(Splice::parse(&out).unwrap().pts.unwrap()).unwrap();
        // Told 4 s before, twice, and over the turn of the clock.
        for ms in [0, 1_000] {
            cues.section(&out, pts - 360_000 + ms * 90, 10_000 + ms);
        }
        cues.section(&section(IN), pts + 90 * 30_000, 44_000);
        cues.section(&section(IN), pts + 90 * 30_500, 44_500);
        let turned = moved(&out, TURN - pts).unwrap();
        cues.section(&turned, TURN - 90_000, 80_000);
        let ranges = cues.finish();
        let at: Vec<i64> = ranges.iter().map(|range| range.at_ms).collect();
        assert_eq!(at, [14_000, 44_000, 81_000]);
        assert_eq!(ranges[0].id(), ranges[1].id());
        assert!(
            ranges[1]
                .text
                .contains("START-DATE=\"1970-01-01T00:00:14.000Z\"")
        );
        assert!(
            ranges[1].text.contains(",DURATION=30,SCTE35-IN=0x"),
            "{}",
            ranges[1].text
        );
    }

    #[test]
    fn a_splice_on_another_clock_is_where_it_came() {
        let mut cues = Cues::new(0xa);
        cues.section(&section(OUT), 90_000, 5_000);
        cues.section(b"no section", 90_000, 5_000);
        assert_eq!(cues.finish()[0].at_ms, 5_000);
    }
}
