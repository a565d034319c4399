//! Counts what a viewer worker allocates for an access unit: the entry, once for all viewers, and
//! nothing for each of them. In a process of its own, where the worker is all that runs beside the
//! test.
#![allow(clippy::unwrap_used)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use deliver::{Batch, Config, Deliver};
use hub::Hub;
use room::{Source, Watcher};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What a unit cost the worker.
#[derive(Clone, Copy)]
struct Cost {
    allocations: f64,
    bytes: f64,
}

/// Plays a turn of the clip to so many viewers, each unit when everybody has had the one before.
fn play(clip: &str, viewers: usize) -> Cost {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_io().build().unwrap();
    let _guard = runtime.enter();
    let hub = Hub::new(hub::Config::default());
    let mut config = Config::default();
    config.workers = 1;
    config.batch = Batch::For(Duration::ZERO);
    let deliver = Deliver::start(&config).unwrap();
    let mut source = Source::new(&hub, clip);
    let first = source.publish_key();
    let watchers = (0..viewers).map(|_| Watcher::join(&deliver, source.stream()));
    let mut watchers: Vec<_> = watchers.collect();
    for watcher in &mut watchers {
        watcher.start(&first);
    }
    let units = source.units_per_turn();
    let mut turn = || {
        let mut payload = 0;
        for _ in 0..units {
            let sent = source.publish();
            payload += sent.body.len();
            for watcher in &mut watchers {
                assert_eq!(watcher.next(), sent);
            }
        }
        payload
    };
    turn();
    let before = counting::of_other_threads();
    let payload = turn();
    let after = counting::of_other_threads();
    let a_unit = |count: u64| count as f64 / units as f64;
    let cost = Cost {
        allocations: a_unit(after.allocations - before.allocations),
        bytes: a_unit(after.bytes - before.bytes),
    };
    eprintln!(
        "{clip}, {viewers} viewers: a unit of {:.0} bytes costs {:.2} allocations of {:.0} bytes",
        a_unit(payload as u64),
        cost.allocations,
        cost.bytes
    );
    cost
}

/// Measured 2.14 and 2.30: the lists of a pass, and what a start needs at each join point.
const ALLOCATIONS: f64 = 2.5;
/// Measured 245 and 268. Payload is 3 124 and 666 bytes a unit: none is copied into new memory, and
/// the copy for all viewers goes to memory that is used again.
const BYTES: f64 = 320.0;

#[test]
fn a_unit_costs_a_worker_the_same_for_few_viewers_and_for_many() {
    for clip in ["demo.flv", "bframes.flv"] {
        let few = play(clip, 4);
        let many = play(clip, 40);
        for cost in [few, many] {
            assert!(cost.allocations <= ALLOCATIONS, "{clip}");
            assert!(cost.bytes <= BYTES, "{clip}");
        }
        // Viewers come and timers ring at other moments.
        assert!((few.allocations - many.allocations).abs() < 0.05, "{clip}");
        assert!((few.bytes - many.bytes).abs() < 5.0, "{clip}");
    }
}
