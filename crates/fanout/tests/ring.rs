//! The contract of the ring, item by item.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fanout::{Config, Entry, JoinAt, Read, Reader, Ring};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    number: u64,
    size: usize,
    join: bool,
}

impl Entry for Item {
    fn size_bytes(&self) -> usize {
        self.size
    }
    fn time_ms(&self) -> i64 {
        i64::try_from(self.number).unwrap() * 40
    }
    fn is_join_point(&self) -> bool {
        self.join
    }
}

fn ring(config: Config) -> Ring<Item, u64> {
    Ring::new(config, 0)
}

const WIDE: Config = Config {
    max_bytes: 1_000_000,
    max_time_ms: 1_000_000,
    keep_joins: 2,
};

/// Pushes item `number`; a join point each ten, its header tells its number.
fn push(ring: &Ring<Item, u64>, number: u64) {
    let join = number.is_multiple_of(10);
    if join {
        ring.set_header(Arc::new(number));
    }
    ring.push(Item {
        number,
        size: 100,
        join,
    });
}

fn drain(reader: &mut Reader<Item, u64>) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut items, mut joins) = (Vec::new(), Vec::new());
    loop {
        match reader.try_read(&mut items, 7) {
            Some(Read::Join { header, missed }) => joins.push((*header, missed)),
            Some(Read::Items) => {}
            Some(Read::Closed) | None => break,
        }
    }
    (items.iter().map(|item| item.number).collect(), joins)
}

/// Whether a poll was ready, and how often its waker was woken since.
struct Polled {
    ready: bool,
    woken: Arc<AtomicUsize>,
}

fn polled(poll: impl FnOnce(&mut Context<'_>) -> Poll<()>) -> Polled {
    struct Count(Arc<AtomicUsize>);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(Arc::new(Count(Arc::clone(&woken))));
    let ready = poll(&mut Context::from_waker(&waker)).is_ready();
    Polled { ready, woken }
}

impl Polled {
    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }
}

#[test]
fn newest_join_starts_at_the_last_join_point_with_its_header() {
    let ring = ring(WIDE);
    (0..25).for_each(|n| push(&ring, n));
    let (items, joins) = drain(&mut ring.reader(JoinAt::Newest));
    assert_eq!(items, (20..25).collect::<Vec<_>>());
    assert_eq!(joins, [(20, 0)]);
}

#[test]
fn oldest_join_has_the_kept_groups_and_no_more() {
    let ring = ring(WIDE);
    (0..35).for_each(|n| push(&ring, n));
    let (items, joins) = drain(&mut ring.reader(JoinAt::Oldest));
    assert_eq!(items, (20..35).collect::<Vec<_>>());
    assert_eq!(
        joins,
        [(20, 0)],
        "the header is the one of its join point, not the newest"
    );
}

#[test]
fn unread_ring_keeps_two_groups_only() {
    let ring = ring(WIDE);
    (0..1_000).for_each(|n| push(&ring, n));
    assert_eq!(ring.size_bytes(), 2_000);
}

#[test]
fn reader_before_the_first_item_waits_for_a_join_point() {
    let ring = ring(WIDE);
    let mut reader = ring.reader(JoinAt::Newest);
    (5..12).for_each(|n| push(&ring, n));
    assert_eq!(drain(&mut reader), (vec![10, 11], vec![(10, 0)]));
}

#[test]
fn slow_reader_keeps_its_items_until_a_bound_is_reached() {
    let ring = ring(Config {
        max_bytes: 5_000,
        ..WIDE
    });
    let mut reader = ring.reader(JoinAt::Newest);
    push(&ring, 0);
    assert_eq!(drain(&mut reader).0, [0]);
    (1..51).for_each(|n| push(&ring, n));
    assert_eq!(reader.backlog(), 50);
    assert_eq!(drain(&mut reader), ((1..51).collect(), vec![]));
}

#[test]
fn overrun_reader_is_told_what_it_missed_and_resumes_at_the_newest_join() {
    let ring = ring(Config {
        max_bytes: 2_000,
        ..WIDE
    });
    let mut reader = ring.reader(JoinAt::Newest);
    push(&ring, 0);
    assert_eq!(drain(&mut reader).0, [0]);
    (1..38).for_each(|n| push(&ring, n));
    let (items, joins) = drain(&mut reader);
    assert_eq!(joins, [(30, 29)], "items 1 to 29 were missed");
    assert_eq!(items, (30..38).collect::<Vec<_>>());
}

#[test]
fn overrun_without_a_join_point_waits_for_the_next_and_counts_on() {
    let ring = ring(Config {
        max_bytes: 500,
        ..WIDE
    });
    let mut reader = ring.reader(JoinAt::Newest);
    push(&ring, 0);
    drain(&mut reader);
    (1..9).for_each(|n| push(&ring, n));
    assert_eq!(drain(&mut reader), (vec![], vec![]));
    (9..12).for_each(|n| push(&ring, n));
    assert_eq!(drain(&mut reader), (vec![10, 11], vec![(10, 9)]));
}

#[test]
fn media_time_is_bounded_too() {
    let ring = ring(Config {
        max_time_ms: 400,
        ..WIDE
    });
    let _reader = ring.reader(JoinAt::Newest);
    (1..10).for_each(|n| push(&ring, n));
    (11..20).for_each(|n| push(&ring, n));
    assert_eq!(
        ring.size_bytes(),
        1_000,
        "10 steps of 40 ms: eleven items, one missing at 10"
    );
}

#[test]
fn closed_ring_gives_the_rest_and_then_the_end() {
    let ring = ring(WIDE);
    let mut reader = ring.reader(JoinAt::Newest);
    (0..3).for_each(|n| push(&ring, n));
    ring.close();
    push(&ring, 3);
    assert_eq!(drain(&mut reader).0, [0, 1, 2]);
    assert!(matches!(
        reader.try_read(&mut Vec::new(), 1),
        Some(Read::Closed)
    ));
}

#[test]
fn reader_is_woken_once_per_wait() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let ring = ring(WIDE);
    let mut reader = ring.reader(JoinAt::Newest);
    let count = Arc::new(Count(0.into()));
    let waker = Arc::clone(&count).into();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(reader.poll_read(&mut cx, &mut Vec::new(), 9).is_pending());
    (0..5).for_each(|n| push(&ring, n));
    assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn dropped_readers_leave_their_place_to_others() {
    let ring = ring(WIDE);
    for _ in 0..100 {
        drop(ring.reader(JoinAt::Newest));
    }
    let _one = ring.reader(JoinAt::Newest);
    assert_eq!(ring.reader_count(), 1);
}

proptest! {
    /// Whatever the bounds and the pace: items come in order, none twice, and what is missing is
    /// exactly what was reported.
    #[test]
    fn every_item_is_read_once_or_reported_missed(
        steps in prop::collection::vec((1u64..40, any::<bool>()), 1..60),
        max_bytes in 300usize..8_000,
        keep_joins in 1usize..4,
    ) {
        let ring = ring(Config { max_bytes, max_time_ms: 1_000_000, keep_joins });
        push(&ring, 0);
        let mut reader = ring.reader(JoinAt::Newest);
        let (mut next_push, mut expected, mut joining) = (1, 0, true);
        for (count, read) in steps {
            for _ in 0..count {
                push(&ring, next_push);
                next_push += 1;
            }
            prop_assert!(ring.size_bytes() <= max_bytes.max(100) || ring.size_bytes() <= 100);
            if !read {
                continue;
            }
            let mut out = Vec::new();
            loop {
                match reader.try_read(&mut out, 5) {
                    Some(Read::Join { header, missed }) => {
                        if std::mem::take(&mut joining) {
                            prop_assert_eq!(missed, 0, "who has read nothing has missed nothing");
                            expected = *header;
                        } else {
                            prop_assert_eq!(*header, expected + missed);
                            expected += missed;
                        }
                    }
                    Some(Read::Items) => {
                        for item in out.drain(..) {
                            prop_assert_eq!(item.number, expected);
                            expected += 1;
                        }
                    }
                    _ => break,
                }
            }
        }
    }
}

/// A second of time, and ten items of bytes.
const SHORT: Config = Config {
    max_bytes: 1_000,
    max_time_ms: 200,
    keep_joins: 1,
};

#[test]
fn who_wants_every_item_is_bounded_by_bytes_and_not_by_time() {
    let (ring, other) = (ring(SHORT), ring(SHORT));
    let mut whole = ring.whole_reader(JoinAt::Oldest);
    let mut plain = other.reader(JoinAt::Oldest);
    // 10 items: all the bytes there are, and twice the time.
    (0..10).for_each(|n| push(&ring, n));
    (0..10).for_each(|n| push(&other, n));
    assert_eq!(drain(&mut whole), ((0..10).collect(), vec![(0, 0)]));
    assert_eq!(drain(&mut plain), (vec![], vec![]), "its start is gone");
    push(&ring, 10);
    // Nobody wants what is old any more.
    push(&ring, 11);
    assert!(ring.size_bytes() <= 600, "{}", ring.size_bytes());
    // One item too much.
    (12..=22).for_each(|n| push(&ring, n));
    assert_eq!(drain(&mut whole), (vec![20, 21, 22], vec![(20, 10)]));
}

#[test]
fn a_reader_half_the_ring_behind_is_woken_and_waited_for() {
    let ring = ring(SHORT);
    push(&ring, 0);
    let mut whole = ring.whole_reader(JoinAt::Oldest);
    let mut plain = ring.reader(JoinAt::Oldest);
    drain(&mut whole);
    drain(&mut plain);
    (1..=5).for_each(|n| push(&ring, n));
    let pressed = polled(|cx| whole.poll_pressed(cx));
    assert!(!pressed.ready && polled(|cx| ring.poll_relieved(cx)).ready);
    push(&ring, 6);
    assert_eq!(pressed.woken(), 1);
    assert!(polled(|cx| whole.poll_pressed(cx)).ready);
    let relieved = polled(|cx| ring.poll_relieved(cx));
    assert!(!relieved.ready);
    // One of six is enough.
    let mut items = Vec::new();
    whole.try_read(&mut items, 1);
    assert_eq!(relieved.woken(), 1);
    assert!(polled(|cx| ring.poll_relieved(cx)).ready);
    assert!(
        !polled(|cx| plain.poll_pressed(cx)).ready,
        "it is behind and does not mind"
    );
}

#[test]
fn a_reader_that_stands_still_is_given_up_until_it_reads() {
    let ring = ring(SHORT);
    push(&ring, 0);
    let mut whole = ring.whole_reader(JoinAt::Oldest);
    drain(&mut whole);
    (1..=6).for_each(|n| push(&ring, n));
    ring.give_up_on_readers();
    push(&ring, 7);
    assert!(polled(|cx| ring.poll_relieved(cx)).ready);
    drain(&mut whole);
    (8..=13).for_each(|n| push(&ring, n));
    let relieved = polled(|cx| ring.poll_relieved(cx));
    assert!(!relieved.ready, "it counts again");
    drop(whole);
    assert_eq!(relieved.woken(), 1);
    let mut last = ring.whole_reader(JoinAt::Newest);
    drain(&mut last);
    (14..=19).for_each(|n| push(&ring, n));
    let relieved = polled(|cx| ring.poll_relieved(cx));
    assert!(!relieved.ready);
    ring.close();
    assert_eq!(relieved.woken(), 1, "after the end nobody waits");
}

#[test]
fn while_it_is_held_a_ring_keeps_what_it_has_room_for() {
    let ring = ring(SHORT);
    let holder = ring.holder();
    (0..10).for_each(|n| push(&ring, n));
    assert!(polled(|cx| ring.poll_relieved(cx)).ready);
    let (items, _) = drain(&mut ring.whole_reader(JoinAt::Oldest));
    assert_eq!(items, (0..10).collect::<Vec<_>>());
    drop(holder);
    push(&ring, 10);
    assert_eq!(ring.size_bytes(), 100, "nobody wants the others");
}
