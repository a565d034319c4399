//! A thousand viewers stop reading: how much memory do they hold, and do the others lose anything?
//!
//! Every allocation of the process is counted, so the figure is exact. Sockets are real; what the
//! kernel buffers for them is not ours and not counted.
#![allow(clippy::unwrap_used)]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/room.rs"]
mod room;

use std::time::Duration;

use deliver::{Config, Deliver};
use hub::Hub;
use room::{Kind, Source, Watcher, join};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const STALLED: usize = 1_000;
const WATCHERS: usize = 3;
/// The bound of the window.
const WINDOW: usize = 1 << 20;
/// The bound of the ring.
const RING: usize = 2 << 20;
/// What a viewer may cost: its cursor, its session, what the runtime keeps for its socket, and its
/// share of the pictures that viewers are in the middle of (six key frames of 160 KB here).
const VIEWER: usize = 3 << 10;

/// Both ends of a connection are ours.
fn has_files(count: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    maximum.is_none_or(|maximum| maximum >= count) && setrlimit(Resource::Nofile, all).is_ok()
}

#[test]
fn a_thousand_stalled_viewers_hold_a_window_and_a_fixed_size_each() {
    if !has_files(2 * STALLED as u64 + 100) {
        eprintln!("skipped: too few open files are allowed");
        return;
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_io().build().unwrap();
    let _guard = runtime.enter();
    let mut of_hub = hub::Config::default();
    of_hub.gop_cache_bytes = RING;
    let hub = Hub::new(of_hub);
    let mut config = Config::default();
    config.workers = 1;
    config.max_lag_bytes = WINDOW;
    config.max_lag = Duration::from_secs(3_600);
    config.stall_timeout = Duration::from_secs(3_600);
    let deliver = Deliver::start(&config).unwrap();
    let mut room = Room::new(&hub, &deliver);
    let turn = room.source.units_per_turn();
    room.play(turn);
    let base = room.play(turn);
    let kinds = [Kind::Rtmp, Kind::Flv, Kind::Chunked, Kind::WebSocket];
    let mut stalled = Vec::with_capacity(STALLED);
    let mut peak = 0;
    for kind in kinds.into_iter().cycle().take(STALLED) {
        stalled.push(join(&deliver, room.source.stream(), kind, true));
        peak = peak.max(room.play(1));
    }
    peak = peak.max(room.play(turn));
    let later = room.play(2 * turn);
    let of_viewers = (later - base) as f64 / STALLED as f64;
    eprintln!("base {base}, peak {peak}, later {later}: {of_viewers:.0} bytes a viewer");
    let bound = base + i64::try_from(WINDOW + STALLED * VIEWER).unwrap();
    assert!(peak <= bound, "{peak} of {bound}");
    assert!(later <= peak, "it grows: {later} after {peak}");
    let viewers = deliver.viewers();
    assert_eq!(viewers, STALLED + WATCHERS);
}

/// The source and those who read.
struct Room {
    source: Source,
    watchers: Vec<Watcher>,
}

impl Room {
    fn new(hub: &Hub, deliver: &Deliver) -> Self {
        let mut source = Source::new(hub, "demo.flv");
        let first = source.publish_key();
        let watchers = (0..WATCHERS).map(|_| Watcher::join(deliver, source.stream()));
        let mut watchers: Vec<_> = watchers.collect();
        for watcher in &mut watchers {
            watcher.start(&first);
        }
        Self { source, watchers }
    }

    /// Publishes so many units, each of which everybody who reads must get; gives the most memory
    /// that was in use in between.
    fn play(&mut self, units: usize) -> i64 {
        let one = |_| {
            let tag = self.source.publish();
            for watcher in &mut self.watchers {
                assert_eq!(watcher.next(), tag);
            }
            counting::live_bytes()
        };
        (0..units).map(one).max().unwrap()
    }
}
