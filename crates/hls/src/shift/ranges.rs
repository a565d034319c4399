//! The date ranges of a block: what its log tells of cues.
//!
//! ```text
//! block 1                          block 2
//! date OUT ───────────────────┐    still OUT (the same, for playlists that begin here)
//!   segment segment segment   └──────▶ segment  date IN  segment segment
//!                                                └ ends OUT: one with the same id
//! ```
//!
//! A range stands before the segment in which its cue came. A playlist that begins later has it before its
//! first segment, as long as the range is not over. So that a block says all that is needed of it, those
//! that go on when it begins are repeated at its beginning, as *carried* ones, which only a playlist that
//! begins in it lists.

use crate::timed::DateRange;

/// Ranges of a block at most, and bytes of their texts; ends of those that are taken are taken, too.
/// Threat: a publisher that sends nothing but cues, in each playlist over hours.
const MAX_RANGES: usize = 512;
const MAX_BYTES: usize = 64 << 10;

/// A date range as a log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The range.
    pub range: DateRange,
    /// It stands in a block before this one.
    pub carried: bool,
}

/// The date ranges of one block, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// Each with the index of the segment that it stands before.
    said: Vec<(usize, Said)>,
    bytes: usize,
}

impl Ranges {
    /// Takes a range that stands before the segment of this index; false where it is known, or where
    /// there are enough.
    pub(super) fn push(&mut self, before: usize, said: Said) -> bool {
        let mut known = self.said.iter();
        if known.any(|(_, known)| known.range.text == said.range.text) {
            return false;
        }
        let len = said.range.text.len();
        let is_full = self.said.len() >= MAX_RANGES || self.bytes + len > MAX_BYTES;
        let mut earlier = self.said.iter_mut().map(|(_, said)| &mut said.range);
        match earlier.find(|earlier| earlier.id() == said.range.id()) {
            // It stands for as long as the line of its end.
            Some(ended) => ended.until_ms = Some(said.range.at_ms.saturating_add(1)),
            None if is_full => return false,
            None => {}
        }
        self.bytes += len;
        self.said.push((before, said));
        true
    }

    /// Those that came with these segments.
    pub(super) fn of(&self, entries: std::ops::Range<usize>) -> impl Iterator<Item = &DateRange> {
        let place = |index| self.said.partition_point(|(before, _)| *before < index);
        let said = self.said.get(place(entries.start)..place(entries.end));
        let own = said.unwrap_or_default().iter();
        own.filter(|(_, said)| !said.carried)
            .map(|(_, said)| &said.range)
    }

    /// Those from before the segment of this index that are not over when it begins.
    pub(super) fn lasting(&self, entry: usize, begins_ms: i64) -> impl Iterator<Item = &DateRange> {
        let before = self.said.iter();
        let before = before.filter(move |(before, said)| said.carried || *before < entry);
        let ranges = before.map(|(_, said)| &said.range);
        ranges.filter(move |range| range.lasts_beyond(begins_ms))
    }

    /// Bytes held, about.
    pub(super) fn memory(&self) -> usize {
        self.said.capacity() * size_of::<(usize, Said)>() + self.bytes
    }

    pub(super) fn shrink_to_fit(&mut self) {
        self.said.shrink_to_fit();
    }
}
