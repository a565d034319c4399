//! A file that is open, and how far its tracks are.

use std::sync::Arc;

use hub::Frame;
use media::{TrackId, TrackList};

use super::held::HELD_BYTES;
use crate::config::Split;

/// Longest that the frames for the next file wait for a random access point, in milliseconds.
const HELD_MS: i64 = 10_000;

/// A file that is open.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// Stream time at which the file has time 0.
    pub(super) origin_ms: i64,
    /// Its tracks.
    pub(super) tracks: Arc<TrackList>,
    pub(super) next_clock_ms: Option<i64>,
    /// Frames of changed tracks that open the next file.
    pub(super) ahead: Vec<(Arc<Frame>, i64)>,
    pub(super) ahead_bytes: usize,
    /// Video is left out until it can be decoded again.
    pub(super) blind: bool,
    /// Where the last unit ends, in the file's time.
    pub(super) end_ms: i64,
}

/// The last unit of a track, in stream time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) track: TrackId,
    pub(super) last_ms: i64,
    pub(super) delta_ms: i64,
}

impl Running {
    /// Whether the next random access point begins the next file.
    pub(super) fn is_over(&self, split: Split, dts_ms: i64, wall_offset_ms: Option<i64>) -> bool {
        let every = i64::try_from(split.every.as_millis()).unwrap_or(i64::MAX);
        let is_long = every > 0 && dts_ms - self.origin_ms >= every;
        let wall = wall_offset_ms.map(|offset| dts_ms + offset);
        is_long
            || self
                .next_clock_ms
                .zip(wall)
                .is_some_and(|(next, wall)| wall >= next)
    }

    /// Whether a track is the same in these tracks as in the file.
    pub(super) fn has(&self, tracks: &TrackList, id: TrackId) -> bool {
        let (own, new) = (self.tracks.get(id), tracks.get(id));
        own.zip(new)
            .is_some_and(|(own, new)| own.same_configuration(new))
    }

    /// Whether what waits for the next file has waited for too long, or is too much.
    pub(super) fn has_waited(&self, dts_ms: i64) -> bool {
        let first = self.ahead.first();
        self.ahead_bytes > HELD_BYTES || first.is_some_and(|(_, ms)| dts_ms - ms > HELD_MS)
    }
}

/// Notes that a unit was written; how long it lasts, as far as can be told.
pub(super) fn note(heads: &mut Vec<Head>, track: TrackId, dts_ms: i64) -> i64 {
    if let Some(head) = heads.iter_mut().find(|head| head.track == track) {
        let delta = dts_ms - head.last_ms;
        // A hole is not the length of a unit.
        if (1..1_000).contains(&delta) {
            head.delta_ms = delta;
        }
        head.last_ms = dts_ms;
        return head.delta_ms;
    }
    heads.push(Head {
        track,
        last_ms: dts_ms,
        delta_ms: 0,
    });
    0
}

/// Whether two lists hold the same tracks in the same configurations.
pub(super) fn same(a: &TrackList, b: &TrackList) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b.iter())
            .all(|(a, b)| a.id == b.id && a.same_configuration(b))
}
