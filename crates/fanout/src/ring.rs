//! The ring and its writer side.

use std::collections::VecDeque;
use std::task::Waker;

use crate::pressure::Whole;
use crate::reader::Reader;
use crate::sync::{Arc, Mutex, lock};

/// What the ring must know of an item. Cloning must be cheap: a reference count.
pub trait Entry: Clone {
    /// Bytes the item keeps in memory.
    fn size_bytes(&self) -> usize;
    /// Media time in milliseconds, for the bound in time; need not be in order.
    fn time_ms(&self) -> i64;
    /// Whether a reader may start here, given the header.
    fn is_join_point(&self) -> bool;
}

/// Bounds of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most bytes kept. Bounds: a publisher with endless groups of pictures, a stalled reader.
    pub max_bytes: usize,
    /// Most media time kept, in milliseconds. Bounds the same for streams of low bitrate.
    pub max_time_ms: i64,
    /// Join points kept for readers to come, the newest included (at least 1).
    pub keep_joins: usize,
}

/// Where a new reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinAt {
    /// The newest join point: least delay.
    Newest,
    /// The oldest join point kept: most media at once.
    Oldest,
    /// The next join point to come.
    Next,
}

/// A bounded ring of items `T` with a header `H` for those who join. Clones share the ring.
///
/// One writer at a time is the caller's business: pushes from several threads are safe, their
/// order is then theirs to agree on.
pub struct Ring<T, H> {
    pub(crate) shared: Arc<Mutex<State<T, H>>>,
}

impl<T, H> Clone for Ring<T, H> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

pub(crate) struct State<T, H> {
    pub(crate) config: Config,
    slots: VecDeque<Slot<T, H>>,
    /// Sequence number of `slots[0]`.
    first: u64,
    /// Sequence numbers of the join points in `slots`, oldest first.
    joins: VecDeque<u64>,
    bytes: usize,
    /// Time of `slots[0]`: a push must not touch an item of seconds ago, whose memory is cold.
    first_time_ms: i64,
    header: std::sync::Arc<H>,
    pub(crate) cursors: Vec<Option<Cursor>>,
    pub(crate) closed: bool,
    /// Bytes pushed since the ring began.
    pub(crate) pushed: u64,
    /// The writer's side, where it waits for those who want every item.
    pub(crate) relief: Option<Waker>,
}

struct Slot<T, H> {
    item: T,
    size: usize,
    time_ms: i64,
    /// The header valid here, at join points.
    join: Option<std::sync::Arc<H>>,
}

/// A reader's place; lives in the ring so that the writer knows what is still wanted.
pub(crate) struct Cursor {
    place: Place,
    waker: Option<Waker>,
    /// What it must be known by when it wants every item.
    pub(crate) whole: Option<Whole>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The reader's next item.
    At(u64),
    /// Waits for the first join point at or after this item; `missed` items are to be reported.
    Joining { from: u64, missed: u64 },
}

/// What a reader finds.
pub(crate) enum Found<H> {
    Items,
    Join {
        header: std::sync::Arc<H>,
        missed: u64,
    },
    Nothing,
    Closed,
}

impl<T: Entry, H> Ring<T, H> {
    /// An empty ring.
    #[must_use]
    pub fn new(config: Config, header: H) -> Self {
        Self {
            shared: Arc::new(Mutex::new(State {
                config,
                slots: VecDeque::new(),
                first: 0,
                joins: VecDeque::new(),
                bytes: 0,
                first_time_ms: 0,
                header: std::sync::Arc::new(header),
                cursors: Vec::new(),
                closed: false,
                pushed: 0,
                relief: None,
            })),
        }
    }

    /// Appends an item and wakes the readers that wait. Nothing is kept after [`Ring::close`].
    pub fn push(&self, item: T) {
        let mut state = lock(&self.shared);
        if state.closed {
            return;
        }
        state.append(item);
        state.trim();
        state.wake();
    }

    /// Sets the header for join points from the next item on.
    pub fn set_header(&self, header: std::sync::Arc<H>) {
        lock(&self.shared).header = header;
    }

    /// The current header.
    #[must_use]
    pub fn header(&self) -> std::sync::Arc<H> {
        std::sync::Arc::clone(&lock(&self.shared).header)
    }

    /// Ends the ring: readers get what is left, then the end.
    pub fn close(&self) {
        let mut state = lock(&self.shared);
        state.closed = true;
        state.wake();
        state.relieve();
    }

    /// Whether [`Ring::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.shared).closed
    }

    /// Bytes kept now.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        lock(&self.shared).bytes
    }

    /// Readers attached now.
    #[must_use]
    pub fn reader_count(&self) -> usize {
        lock(&self.shared).cursors.iter().flatten().count()
    }

    /// A new reader. It and the items after its start are taken under one lock: there is neither
    /// gap nor repetition.
    #[must_use]
    pub fn reader(&self, at: JoinAt) -> Reader<T, H> {
        self.attach(at, None)
    }

    /// A new reader that wants every item. What it has not read is kept as long as the bound in
    /// bytes allows, whatever its time, and the writer can wait for it
    /// ([`Ring::poll_relieved`]).
    #[must_use]
    pub fn whole_reader(&self, at: JoinAt) -> Reader<T, H> {
        self.attach(at, Some(Whole::default()))
    }

    /// A reader that is not read: while it lives, the ring keeps all that comes, as far as its bytes
    /// allow, for [`JoinAt::Oldest`]. The writer does not wait for it.
    #[must_use]
    pub fn holder(&self) -> Reader<T, H> {
        self.attach(JoinAt::Oldest, Some(Whole::given_up()))
    }

    fn attach(&self, at: JoinAt, whole: Option<Whole>) -> Reader<T, H> {
        let mut state = lock(&self.shared);
        let next = state.next();
        let from = match at {
            JoinAt::Newest => state.joins.back().copied().unwrap_or(next),
            JoinAt::Oldest => state.joins.front().copied().unwrap_or(next),
            JoinAt::Next => next,
        };
        let whole = whole.map(|mut whole| {
            whole.taken = state.pushed_before(from);
            whole
        });
        let cursor = Some(Cursor {
            place: Place::Joining { from, missed: 0 },
            waker: None,
            whole,
        });
        let free = state.cursors.iter().position(Option::is_none);
        let id = match free.and_then(|id| Some((id, state.cursors.get_mut(id)?))) {
            Some((id, slot)) => {
                *slot = cursor;
                id
            }
            None => {
                state.cursors.push(cursor);
                state.cursors.len() - 1
            }
        };
        Reader::new(Arc::clone(&self.shared), id)
    }
}

impl<T: Entry, H> State<T, H> {
    /// Sequence number of the next item to be pushed.
    fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Bytes that were pushed before this item.
    pub(crate) fn pushed_before(&self, number: u64) -> u64 {
        let index = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let ahead: usize = self.slots.iter().skip(index).map(|slot| slot.size).sum();
        self.pushed - ahead as u64
    }

    fn append(&mut self, item: T) {
        let size = item.size_bytes();
        let join = item
            .is_join_point()
            .then(|| std::sync::Arc::clone(&self.header));
        if join.is_some() {
            self.joins.push_back(self.next());
        }
        self.bytes += size;
        self.pushed += size as u64;
        let time_ms = item.time_ms();
        if self.slots.is_empty() {
            self.first_time_ms = time_ms;
        }
        self.slots.push_back(Slot {
            item,
            size,
            time_ms,
            join,
        });
    }

    /// Drops what is beyond the bounds, and what nobody wants.
    fn trim(&mut self) {
        let joins_to_drop = self
            .joins
            .len()
            .saturating_sub(self.config.keep_joins.max(1));
        let kept_join = self.joins.get(joins_to_drop).copied();
        let (mut wanted, mut whole) = (kept_join.unwrap_or(u64::MAX), u64::MAX);
        for cursor in self.cursors.iter().flatten() {
            let place = match cursor.place {
                Place::At(next) => next,
                Place::Joining { from, .. } => from,
            };
            wanted = wanted.min(place);
            if cursor.whole.is_some() {
                whole = whole.min(place);
            }
        }
        while self.first < wanted && kept_join.is_some() && !self.slots.is_empty() {
            self.drop_first();
        }
        // The newest item always stays, whatever its size.
        while self.slots.len() > 1
            && (self.bytes > self.config.max_bytes || (self.first < whole && self.is_too_long()))
        {
            self.drop_first();
        }
    }

    fn is_too_long(&self) -> bool {
        let newest = self.slots.back().map_or(0, |last| last.time_ms);
        newest.saturating_sub(self.first_time_ms) > self.config.max_time_ms
    }

    fn drop_first(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.bytes -= slot.size;
            if let Some(next) = self.slots.front() {
                self.first_time_ms = next.time_ms;
            }
            if self.joins.front() == Some(&self.first) {
                self.joins.pop_front();
            }
            self.first += 1;
        }
    }

    fn wake(&mut self) {
        for cursor in self.cursors.iter_mut().flatten() {
            if let Some(waker) = cursor.waker.take() {
                waker.wake();
            }
        }
        self.press();
    }

    pub(crate) fn remove(&mut self, id: usize) {
        if let Some(cursor) = self.cursors.get_mut(id) {
            *cursor = None;
        }
        self.relieve();
    }

    /// Moves reader `id` on; items go to `out`, at most `max` of them.
    pub(crate) fn read(&mut self, id: usize, out: &mut Vec<T>, max: usize) -> Found<H> {
        let (first, next) = (self.first, self.next());
        let Some(Some(cursor)) = self.cursors.get_mut(id) else {
            return Found::Closed;
        };
        if let Place::At(at) = cursor.place
            && at < first
        {
            // Overrun. The newest join point is where a player is best off; items from `at` to
            // it were missed.
            let from = self.joins.back().copied().unwrap_or(next);
            cursor.place = Place::Joining {
                from,
                missed: from - at,
            };
        }
        match cursor.place {
            Place::Joining { from, missed } => {
                let found = self.joins.iter().copied().find(|&join| join >= from);
                let Some(join) = found else {
                    // Nothing to start with yet: what passes meanwhile counts as missed only for
                    // a reader that was cut off.
                    let missed = if missed > 0 {
                        missed + (next - from)
                    } else {
                        0
                    };
                    cursor.place = Place::Joining { from: next, missed };
                    self.moved(id, next);
                    return if self.closed {
                        Found::Closed
                    } else {
                        Found::Nothing
                    };
                };
                let missed = if missed > 0 {
                    missed + (join - from)
                } else {
                    0
                };
                cursor.place = Place::At(join);
                let index = usize::try_from(join - first).unwrap_or(usize::MAX);
                let header = self.slots.get(index).and_then(|slot| slot.join.clone());
                self.moved(id, join);
                let header = header.unwrap_or_else(|| std::sync::Arc::clone(&self.header));
                Found::Join { header, missed }
            }
            Place::At(at) if at < next => {
                let start = usize::try_from(at - first).unwrap_or(usize::MAX);
                let before = out.len();
                let mut taken = 0;
                out.extend(self.slots.iter().skip(start).take(max).map(|slot| {
                    taken += slot.size as u64;
                    slot.item.clone()
                }));
                cursor.place = Place::At(at + (out.len() - before) as u64);
                self.took(id, taken);
                Found::Items
            }
            Place::At(_) if self.closed => Found::Closed,
            Place::At(_) => Found::Nothing,
        }
    }

    pub(crate) fn wait(&mut self, id: usize, waker: &Waker) {
        if let Some(Some(cursor)) = self.cursors.get_mut(id) {
            match &mut cursor.waker {
                Some(known) => known.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
        }
    }

    /// Items between the reader and the writer.
    pub(crate) fn backlog(&self, id: usize) -> u64 {
        match self.cursors.get(id) {
            Some(Some(Cursor {
                place: Place::At(at),
                ..
            })) => self.next().saturating_sub(*at),
            _ => 0,
        }
    }
}
