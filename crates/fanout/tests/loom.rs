//! Models of what threads hand over here, under every interleaving (`RUSTFLAGS="--cfg loom" cargo
//! test -p sidestream-fanout --test loom --release`).
//!
//! Each names bugs that were put in on purpose and made it fail: a model that cannot fail shows
//! nothing.
#![cfg(loom)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use fanout::{Config, Entry, JoinAt, Read, Reader, Ready, Ring};
use loom::future::block_on;
use loom::thread;

/// A number; the even ones are join points.
#[derive(Clone)]
struct Item(u64);

impl Entry for Item {
    fn size_bytes(&self) -> usize {
        1
    }
    fn time_ms(&self) -> i64 {
        0
    }
    fn is_join_point(&self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// Its header is the number of the join point for which it was set.
fn ring(max_bytes: usize) -> Ring<Item, u64> {
    let config = Config {
        max_bytes,
        max_time_ms: 100,
        keep_joins: 1,
    };
    Ring::new(config, 0)
}

/// Publishes `0..count` and the end, with a new header before each join point.
fn publish(ring: &Ring<Item, u64>, count: u64) {
    for number in 0..count {
        if number.is_multiple_of(2) {
            ring.set_header(Arc::new(number));
        }
        ring.push(Item(number));
    }
    ring.close();
}

/// Reads up to the end. Every start must be at a join point with the header of just that one, and
/// everything else without a gap; gives the items, and how many were said to be missed.
fn read_all(reader: &mut Reader<Item, u64>) -> (Vec<u64>, u64) {
    block_on(async {
        let (mut seen, mut lost, mut items) = (Vec::new(), 0, Vec::new());
        let mut start = None;
        loop {
            match reader.read(&mut items, 9).await {
                Read::Join { header, missed } => {
                    if let Some(last) = seen.last() {
                        assert_eq!(
                            last + missed + 1,
                            *header,
                            "what was missed is said exactly"
                        );
                    }
                    lost += missed;
                    start = Some(*header);
                }
                Read::Items => {
                    for Item(number) in items.drain(..) {
                        let next = start.take().or(seen.last().map(|last| last + 1));
                        assert_eq!(Some(number), next);
                        seen.push(number);
                    }
                }
                Read::Closed => return (seen, lost),
            }
        }
    })
}

/// No wake-up is lost, and what was pushed before the end comes before it.
///
/// Fails when: `poll_read` gives the lock back between finding nothing and keeping the waker;
/// `close` wakes nobody; the end is told while items are left.
#[test]
fn waiting_reader_sees_every_item_and_the_end() {
    loom::model(|| {
        let ring = ring(100);
        let mut reader = ring.reader(JoinAt::Newest);
        let writer = thread::spawn(move || publish(&ring, 2));
        assert_eq!(read_all(&mut reader), (vec![0, 1], 0));
        writer.join().unwrap();
    });
}

/// A push wakes all who wait, not only the first. Three threads: at most two preemptions, or it
/// would take minutes.
///
/// Fails when `push` wakes one reader, or none.
#[test]
fn push_wakes_every_waiting_reader() {
    let read_one = |mut reader: Reader<Item, u64>| {
        block_on(async {
            let mut items = Vec::new();
            while items.is_empty() {
                reader.read(&mut items, 9).await;
            }
            assert_eq!(items[0].0, 0);
        });
    };
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let ring = ring(100);
        let readers = [ring.reader(JoinAt::Newest), ring.reader(JoinAt::Newest)];
        let reading = readers.map(|reader| thread::spawn(move || read_one(reader)));
        ring.push(Item(0));
        for thread in reading {
            thread.join().unwrap();
        }
    });
}

/// A writer that waits for who wants every item goes on when that one has read, and nothing is lost
/// though the ring has room for two. At most two preemptions, or it would take a minute.
///
/// Fails when: `read` does not wake the writer; `poll_relieved` gives the lock back between looking
/// and keeping the waker.
#[test]
fn writer_that_waits_loses_nothing_and_goes_on() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let ring = ring(2);
        let mut reader = ring.whole_reader(JoinAt::Newest);
        let writer = thread::spawn(move || {
            for number in 0..3_u64 {
                if number.is_multiple_of(2) {
                    ring.set_header(Arc::new(number));
                }
                ring.push(Item(number));
                block_on(poll_fn(|cx| ring.poll_relieved(cx)));
            }
            ring.close();
        });
        assert_eq!(read_all(&mut reader), (vec![0, 1, 2], 0));
        writer.join().unwrap();
    });
}

/// A reader that only looks when it is pressed is woken.
///
/// Fails when: `push` wakes before the item counts; `poll_pressed` gives the lock back between
/// looking and keeping the waker.
#[test]
fn reader_that_gathers_is_woken_when_it_is_behind() {
    loom::model(|| {
        let ring = ring(2);
        ring.push(Item(0));
        let mut reader = ring.whole_reader(JoinAt::Newest);
        let mut items = Vec::new();
        while reader.try_read(&mut items, 9).is_some() {}
        let writer = thread::spawn(move || {
            ring.push(Item(1));
            ring.push(Item(2));
            ring
        });
        block_on(poll_fn(|cx| reader.poll_pressed(cx)));
        while reader.try_read(&mut items, 9).is_some() {}
        assert_eq!(items.len(), 3);
        writer.join().unwrap();
    });
}

/// An overrun is said exactly, and what follows it starts at a join point with its header.
///
/// Fails when: a reader that was overrun goes on with the oldest item left; what it missed is
/// counted up to the newest item; it is not looked for at all.
#[test]
fn overrun_reader_goes_on_at_a_join_point_and_knows_what_it_lost() {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let all = Arc::clone(&outcomes);
    loom::model(move || {
        // Room for one item.
        let ring = ring(1);
        let mut reader = ring.reader(JoinAt::Newest);
        let writer = thread::spawn(move || publish(&ring, 3));
        all.lock().unwrap().insert(read_all(&mut reader));
        writer.join().unwrap();
    });
    let expected = [
        (vec![0, 1, 2], 0),
        (vec![0, 2], 1),
        // It joined at the first item and got none.
        (vec![2], 2),
        // It came to its first read too late.
        (vec![2], 0),
    ];
    assert_eq!(*outcomes.lock().unwrap(), BTreeSet::from(expected));
}

/// A reader that comes while the writer pushes starts at a join point, with the header of that one,
/// and misses nothing behind it.
///
/// Fails when a joining reader is given the header of the moment instead of that of its item.
#[test]
fn reader_may_come_at_any_moment() {
    loom::model(|| {
        let ring = ring(100);
        let other = ring.clone();
        let writer = thread::spawn(move || publish(&other, 3));
        let (seen, lost) = read_all(&mut ring.reader(JoinAt::Newest));
        assert!(seen == [0, 1, 2] || seen == [2], "{seen:?}");
        assert_eq!(lost, 0);
        writer.join().unwrap();
    });
}

/// A reader that goes while the writer pushes leaves nothing behind, also for the one that gets its
/// slot.
///
/// Fails when dropping a reader does not free its cursor, or frees it only at the next push.
#[test]
fn reader_may_go_at_any_moment() {
    loom::model(|| {
        let ring = ring(100);
        let first = ring.reader(JoinAt::Newest);
        let other = ring.clone();
        let writer = thread::spawn(move || publish(&other, 1));
        drop(first);
        let mut second = ring.reader(JoinAt::Newest);
        assert_eq!(ring.reader_count(), 1);
        assert_eq!(read_all(&mut second), (vec![0], 0));
        drop(second);
        writer.join().unwrap();
        assert_eq!(ring.reader_count(), 0);
    });
}

/// Sockets that get room at once, seen from other threads: the task that serves them hears of each.
///
/// Fails when: the task's waker is taken before the number is in the list, or kept after the list
/// was emptied, each under a lock of its own; a second wake-up before the task runs is dropped.
#[test]
fn task_hears_of_every_number_that_was_woken() {
    loom::model(|| {
        let ready = Arc::new(Ready::default());
        let threads = [0, 1].map(|number| {
            let waker = ready.waker(number);
            thread::spawn(move || waker.wake())
        });
        let mut woken = Vec::new();
        block_on(poll_fn(|cx| {
            ready.take(&mut woken, cx.waker());
            if woken.len() == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        woken.sort_unstable();
        assert_eq!(woken, [0, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
