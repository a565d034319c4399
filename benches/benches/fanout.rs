//! What does a push into the ring and a read by each of 1, 10 and 100 readers cost?
//!
//! Readers of a ring are workers, segmenters and push targets, not viewers: 100 is already many.
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fanout::{Config, Entry, JoinAt, Ring};

/// Messages per group of pictures: 2 s of 25 fps and AAC.
const GOP: i64 = 136;
const BATCH: usize = 256;

#[derive(Clone)]
struct Item(Arc<(i64, [u8; 64])>);

impl Entry for Item {
    fn size_bytes(&self) -> usize {
        1_000
    }
    fn time_ms(&self) -> i64 {
        self.0.0 * 15
    }
    fn is_join_point(&self) -> bool {
        self.0.0 % GOP == 0
    }
}

fn bench(c: &mut Criterion) {
    let config = Config {
        max_bytes: 8 << 20,
        max_time_ms: 10_000,
        keep_joins: 2,
    };
    let mut group = c.benchmark_group("fanout");
    for (readers, burst) in [(0, 1), (1, 1), (10, 1), (100, 1), (1, 32), (100, 32)] {
        let ring = Ring::new(config, ());
        let mut all: Vec<_> = (0..readers).map(|_| ring.reader(JoinAt::Newest)).collect();
        let mut out = Vec::with_capacity(BATCH);
        let mut number = 0;
        group.throughput(Throughput::Elements(burst * readers.max(1)));
        let id = BenchmarkId::new(format!("burst{burst}"), readers);
        group.bench_function(id, |b| {
            b.iter(|| {
                for _ in 0..burst {
                    ring.push(Item(Arc::new((number, [0; 64]))));
                    number += 1;
                }
                for reader in &mut all {
                    while reader.try_read(&mut out, BATCH).is_some() {}
                    out.clear();
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
