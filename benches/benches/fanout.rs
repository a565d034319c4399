//! What does it cost to hand messages to 1 ... 10 000 readers of the ring, against
//! `tokio::sync::broadcast`?
//!
//! Bytes a second are payload handed over, which is shared and not copied: message size times
//! readers. One message at a time, as it comes, and bursts of 32, as a reader finds them that is
//! served every 300 ms. One thread does everything: neither figure has wake-ups or contention.
//!
//! Readers of a ring are workers, segmenters and push targets, not viewers: 100 is already many.
//! Ten thousand viewers of a worker are cursors behind one reader.
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fanout::{Config, Entry, JoinAt, Ring};
use tokio::sync::broadcast;

/// Messages per group of pictures: 2 s of 25 fps and AAC.
const GOP: i64 = 136;
/// Bytes of a message: the mean of video and audio at 2 Mbit/s.
const PAYLOAD: usize = 3_124;
const BATCH: usize = 256;
/// Messages that `broadcast` keeps: about as many as two groups of pictures.
const KEPT: usize = 256;

/// A frame; its payload is the publisher's and only referred to.
#[derive(Clone)]
struct Item(Arc<(i64, [u8; 64])>);

impl Item {
    fn new(number: i64) -> Self {
        Self(Arc::new((number, [0; 64])))
    }
}

impl Entry for Item {
    fn size_bytes(&self) -> usize {
        PAYLOAD
    }
    fn time_ms(&self) -> i64 {
        self.0.0 * 15
    }
    fn is_join_point(&self) -> bool {
        self.0.0 % GOP == 0
    }
}

fn ring(readers: usize, burst: i64) -> impl FnMut() -> usize {
    let config = Config {
        max_bytes: 8 << 20,
        max_time_ms: 10_000,
        keep_joins: 2,
    };
    let ring = Ring::new(config, ());
    let mut all: Vec<_> = (0..readers).map(|_| ring.reader(JoinAt::Newest)).collect();
    let mut out = Vec::with_capacity(BATCH);
    let mut number = 0;
    move || {
        for _ in 0..burst {
            ring.push(Item::new(number));
            number += 1;
        }
        let mut read = 0;
        for reader in &mut all {
            while reader.try_read(&mut out, BATCH).is_some() {}
            read += out.len();
            out.clear();
        }
        read
    }
}

fn broadcast(readers: usize, burst: i64) -> impl FnMut() -> usize {
    let (sender, first) = broadcast::channel(KEPT);
    let mut all: Vec<_> = (0..readers).map(|_| sender.subscribe()).collect();
    drop(first);
    let mut number = 0;
    move || {
        for _ in 0..burst {
            // Fails where nobody listens.
            let _ = sender.send(Item::new(number));
            number += 1;
        }
        let mut read = 0;
        for reader in &mut all {
            while reader.try_recv().is_ok() {
                read += 1;
            }
        }
        read
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("fanout");
    for burst in [1, 32] {
        for readers in [1, 10, 100, 1_000, 10_000] {
            let handed_over = burst as usize * readers;
            group.throughput(Throughput::Bytes((handed_over * PAYLOAD) as u64));
            let id = |who| BenchmarkId::new(format!("{who}/burst{burst}"), readers);
            let mut ours = ring(readers, burst);
            assert_eq!(ours(), handed_over);
            group.bench_function(id("sidestream"), |b| b.iter(&mut ours));
            let mut theirs = broadcast(readers, burst);
            assert_eq!(theirs(), handed_over);
            group.bench_function(id("broadcast"), |b| b.iter(&mut theirs));
        }
    }
    // What a stream costs that nobody reads.
    group.throughput(Throughput::Bytes(PAYLOAD as u64));
    let mut push = ring(0, 1);
    group.bench_function("sidestream/push_alone", |b| b.iter(&mut push));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
