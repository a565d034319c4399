//! What went wrong with viewers, counted for all workers together.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counters of a [`Deliver`](crate::Deliver), from its start on.
#[derive(Debug, Default)]
pub struct Counters {
    skips: Labelled,
    cut: Labelled,
}

/// Guarded by a lock: what is counted is rare.
type Labelled = Mutex<BTreeMap<&'static str, u64>>;

impl Counters {
    /// Times that viewers lagged and were moved on to a later random access point, by the protocol
    /// that their [`hub::ViewerInfo`] names.
    #[must_use]
    pub fn skips(&self) -> Vec<(&'static str, u64)> {
        values(&self.skips)
    }

    /// Viewers that were closed by us, by reason: `stalled` (took nothing for too long), `flood`
    /// (asked without reading the answers), `violation` (broke the protocol), `dropped` (by an operator).
    #[must_use]
    pub fn cut(&self) -> Vec<(&'static str, u64)> {
        values(&self.cut)
    }

    pub(crate) fn count_skip(&self, protocol: &'static str) {
        count(&self.skips, protocol);
    }

    pub(crate) fn count_cut(&self, reason: &'static str) {
        count(&self.cut, reason);
    }
}

fn count(labelled: &Labelled, label: &'static str) {
    let mut map = labelled.lock().unwrap_or_else(PoisonError::into_inner);
    *map.entry(label).or_default() += 1;
}

fn values(labelled: &Labelled) -> Vec<(&'static str, u64)> {
    let map = labelled.lock().unwrap_or_else(PoisonError::into_inner);
    map.iter().map(|(label, value)| (*label, *value)).collect()
}
