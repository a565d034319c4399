//! Models of the ring under every interleaving (`RUSTFLAGS="--cfg loom" cargo test -p
//! sidestream-fanout --test loom --release`).
#![cfg(loom)]
#![allow(clippy::unwrap_used)]

use fanout::{Config, Entry, JoinAt, Read, Ring};
use loom::future::block_on;
use loom::thread;

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
        self.0 % 2 == 0
    }
}

fn ring(max_bytes: usize) -> Ring<Item, ()> {
    Ring::new(
        Config {
            max_bytes,
            max_time_ms: 100,
            keep_joins: 1,
        },
        (),
    )
}

/// A reader that sleeps while the writer pushes is woken: no lost wake-up.
#[test]
fn waiting_reader_sees_every_item_and_the_end() {
    loom::model(|| {
        let ring = ring(100);
        let mut reader = ring.reader(JoinAt::Newest);
        let writer = thread::spawn(move || {
            ring.push(Item(0));
            ring.push(Item(1));
            ring.close();
        });
        let seen = block_on(async {
            let mut seen = Vec::new();
            while !matches!(reader.read(&mut seen, 9).await, Read::Closed) {}
            seen
        });
        assert_eq!(seen.iter().map(|item| item.0).collect::<Vec<_>>(), [0, 1]);
        writer.join().unwrap();
    });
}

/// An overrun is reported exactly, however push and read interleave.
#[test]
fn overrun_counts_what_was_lost() {
    loom::model(|| {
        let ring = ring(1);
        let mut reader = ring.reader(JoinAt::Newest);
        let writer = thread::spawn(move || {
            (0..3).for_each(|number| ring.push(Item(number)));
            ring.close();
        });
        let accounted = block_on(async {
            let (mut seen, mut lost) = (Vec::new(), 0);
            loop {
                match reader.read(&mut seen, 9).await {
                    Read::Join { missed, .. } => lost += missed,
                    Read::Items => {}
                    Read::Closed => break,
                }
            }
            (seen.len() as u64 + lost, seen.last().map(|item| item.0))
        });
        assert!(accounted.0 <= 3);
        if let Some(last) = accounted.1 {
            assert!(last <= 2);
        }
        writer.join().unwrap();
    });
}

/// Dropping a reader while the writer pushes leaves nothing behind.
#[test]
fn reader_may_be_dropped_at_any_moment() {
    loom::model(|| {
        let ring = ring(100);
        let reader = ring.reader(JoinAt::Newest);
        let other = ring.clone();
        let writer = thread::spawn(move || other.push(Item(0)));
        drop(reader);
        writer.join().unwrap();
        assert_eq!(ring.reader_count(), 0);
    });
}
