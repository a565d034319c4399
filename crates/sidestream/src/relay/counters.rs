//! What the shells count, for one page of metrics.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of the shells that do not know each other.
pub(super) struct Counters {
    ingest: Arc<ingest::Counters>,
    deliver: deliver::Deliver,
    server: Arc<server::Counters>,
    /// What the workers had counted when it was last brought over.
    told: HashMap<(Family, &'static str), u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    Skips,
    Cut,
}

impl Counters {
    pub(super) fn new(
        ingest: Arc<ingest::Counters>,
        deliver: deliver::Deliver,
        server: Arc<server::Counters>,
    ) -> Self {
        Self {
            ingest,
            deliver,
            server,
            told: HashMap::new(),
        }
    }

    /// Shows what the ingest and the workers counted beside what the server counts itself.
    pub(super) fn bring_over(&mut self) {
        let copy = |from: &AtomicU64, to: Arc<AtomicU64>| to.store(from.load(Relaxed), Relaxed);
        let (from, to) = (&self.ingest, &self.server);
        copy(&from.connections, to.connections("rtmp"));
        copy(&from.refused_connections, to.rejected("rtmp-connections"));
        copy(&from.violations, to.rejected("rtmp-violation"));
        copy(&from.refused_publishes, to.rejected("publish"));
        copy(&from.refused_plays, to.rejected("play"));
        copy(&from.bad_messages, to.rejected("media-message"));
        // The server raises these, too: only what is new is added.
        let workers = self.deliver.counters();
        for (family, counts) in [
            (Family::Skips, workers.skips()),
            (Family::Cut, workers.cut()),
        ] {
            for (label, now) in counts {
                let before = self.told.insert((family, label), now).unwrap_or_default();
                let counter = match family {
                    Family::Skips => to.viewer_skips(label),
                    Family::Cut => to.cut(label),
                };
                counter.fetch_add(now - before, Relaxed);
            }
        }
    }
}
