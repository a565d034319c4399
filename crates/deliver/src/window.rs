//! What a group keeps for its viewers: the newest GOP for those who come, and what those who lag
//! have not had yet.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::entry::Entry;

/// Encoded entries, numbered in order.
#[derive(Debug)]
pub(crate) struct Window {
    slots: VecDeque<Slot>,
    first: u64,
    /// Number of the first entry that is still being gathered: viewers do not see it yet.
    released: u64,
    bytes: usize,
    /// Numbers of the join points, oldest first.
    joins: VecDeque<u64>,
    max_bytes: usize,
    max_time_ms: i64,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    size: usize,
    /// See [`hub::Frame::clock_ms`].
    clock_ms: i64,
    /// At join points: what a viewer that starts here gets first.
    lead: Option<Rc<Lead>>,
}

/// What a viewer that starts at a join point gets first.
#[derive(Debug, Default)]
pub(crate) struct Lead {
    pub(crate) entries: Vec<Entry>,
    /// Whether there is audio, for file headers.
    pub(crate) audio: bool,
    /// Whether there is video, for file headers.
    pub(crate) video: bool,
}

impl Window {
    pub(crate) fn new(max_bytes: usize, max_time_ms: i64) -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            released: 0,
            bytes: 0,
            joins: VecDeque::new(),
            max_bytes,
            max_time_ms,
        }
    }

    /// Sets other bounds; the next trim obeys them.
    pub(crate) fn set_bounds(&mut self, max_bytes: usize, max_time: Duration) {
        self.max_bytes = max_bytes;
        self.max_time_ms = i64::try_from(max_time.as_millis()).unwrap_or(i64::MAX);
    }

    pub(crate) fn push(&mut self, entry: Entry, clock_ms: i64, lead: Option<Lead>) {
        if lead.is_some() {
            self.joins.push_back(self.next());
        }
        let size = entry.size_bytes();
        self.bytes += size;
        self.slots.push_back(Slot {
            entry,
            size,
            clock_ms,
            lead: lead.map(Rc::new),
        });
    }

    /// Number of the entry to come.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Number of the first entry that viewers do not see yet.
    pub(crate) fn released(&self) -> u64 {
        self.released
    }

    /// Shows viewers what was gathered.
    pub(crate) fn release(&mut self) {
        self.released = self.next();
    }

    /// Where a viewer that comes now starts: the newest join point, or else the first to come.
    pub(crate) fn start(&self) -> u64 {
        self.newest_join().unwrap_or_else(|| self.next())
    }

    /// The first join point from `start` on, and what goes before it.
    pub(crate) fn join(&self, start: u64) -> Option<(u64, Rc<Lead>)> {
        let number = self.joins.iter().copied().find(|&join| join >= start)?;
        Some((number, self.slot(number)?.lead.clone()?))
    }

    fn newest_join(&self) -> Option<u64> {
        self.joins.back().copied()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Entry> {
        self.slot(number).map(|slot| &slot.entry)
    }

    /// The entries from `number` on that viewers may see.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let index =
            |number: u64| usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let (skip, end) = (index(number), index(self.released));
        let entries = self.slots.iter().take(end).skip(skip);
        entries.map(|slot| &slot.entry)
    }

    /// The oldest entry to keep: from `wanted` (the oldest that a viewer wants) and the newest join
    /// point on, within the bounds. Beyond `wanted` when the bounds are reached: viewers before it
    /// must be cut off before [`Window::drop_before`].
    pub(crate) fn first_after_trim(&self, wanted: u64) -> u64 {
        let needed = wanted
            .min(self.newest_join().unwrap_or(u64::MAX))
            .min(self.next());
        let Some(last_ms) = self.slots.back().map(|slot| slot.clock_ms) else {
            return self.first;
        };
        let mut first = self.first;
        let mut bytes = self.bytes;
        // The newest entry always stays.
        for slot in self.slots.iter().take(self.slots.len() - 1) {
            let over_bounds =
                bytes > self.max_bytes || last_ms.saturating_sub(slot.clock_ms) > self.max_time_ms;
            if first >= needed && !over_bounds {
                break;
            }
            first += 1;
            bytes -= slot.size;
        }
        if needed == self.next() { needed } else { first }
    }

    /// Drops the entries before `first`.
    pub(crate) fn drop_before(&mut self, first: u64) {
        while self.first < first && !self.slots.is_empty() {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some(slot) = self.slots.pop_front() else {
            return;
        };
        self.bytes -= slot.size;
        if self.joins.front() == Some(&self.first) {
            self.joins.pop_front();
        }
        self.first += 1;
        self.released = self.released.max(self.first);
    }

    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots
            .get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn entry() -> Entry {
        Entry::Raw(Bytes::from_static(&[0; 100]))
    }

    fn push(window: &mut Window, join: bool) {
        let lead = join.then(Lead::default);
        let time = i64::try_from(window.next()).expect("small") * 40;
        window.push(entry(), time, lead);
    }

    #[test]
    fn newest_gop_stays_for_those_who_come() {
        let mut window = Window::new(100_000, 100_000);
        (0..25).for_each(|n| push(&mut window, n % 10 == 0));
        let first = window.first_after_trim(window.next());
        window.drop_before(first);
        assert_eq!(window.first, 20);
        assert_eq!(window.newest_join(), Some(20));
    }

    #[test]
    fn lagging_viewer_holds_entries_until_the_bounds() {
        let mut window = Window::new(10 * entry().size_bytes(), 100_000);
        (0..10).for_each(|n| push(&mut window, n == 0));
        assert_eq!(
            window.first_after_trim(3),
            0,
            "it fits, and newcomers want the join point"
        );
        (10..20).for_each(|_| push(&mut window, false));
        assert_eq!(window.first_after_trim(3), 10);
        window.drop_before(10);
        assert!(
            window.newest_join().is_none(),
            "the join point went with its GOP"
        );
    }

    #[test]
    fn time_is_bounded_too() {
        let mut window = Window::new(100_000, 400);
        (0..30).for_each(|_| push(&mut window, false));
        assert_eq!(window.next() - window.first_after_trim(0), 11);
    }
}
