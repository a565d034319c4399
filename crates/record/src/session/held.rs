//! Units that wait for a file to begin.

use std::sync::Arc;

use hub::{Frame, Item};
use media::{AccessUnit, TrackKind, TrackList};

use super::running::Running;

/// Longest wait for tracks that have not sent anything, in milliseconds.
const OPENING_MS: i64 = 700;
/// Most that is held back to begin a file, or for the next one. Threat: a publisher that changes
/// its configuration and never sends a random access point.
pub(super) const HELD_BYTES: usize = 16 << 20;

/// Units that wait for a file.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) items: Vec<(Arc<Frame>, i64)>,
    pub(super) bytes: usize,
    /// The file goes on, with this much of it written.
    pub(super) resumes: Option<Running>,
}

impl Held {
    /// Whether all is known that a file needs to begin.
    pub(super) fn is_enough(&self, tracks: &TrackList) -> bool {
        let times = units(&self.items).map(|(_, ms)| ms);
        let span = times
            .clone()
            .max()
            .zip(times.min())
            .map_or(0, |(max, min)| max - min);
        let seen = |kind| {
            units(&self.items).any(|(unit, _)| {
                tracks
                    .get(unit.track)
                    .is_some_and(|track| track.kind() == kind)
            })
        };
        span >= OPENING_MS
            || self.bytes >= HELD_BYTES
            || seen(TrackKind::Video) && seen(TrackKind::Audio) && self.is_crossed(tracks)
    }

    /// Whether every track has sent something, and nothing older than the first unit can come.
    fn is_crossed(&self, tracks: &TrackList) -> bool {
        let Some((_, first_ms)) = units(&self.items).next() else {
            return false;
        };
        tracks.iter().all(|track| {
            let mut own = units(&self.items).filter(|(unit, _)| unit.track == track.id);
            own.any(|(_, ms)| ms >= first_ms)
        })
    }
}

/// The units among frames, and their times.
pub(super) fn units(
    items: &[(Arc<Frame>, i64)],
) -> impl Iterator<Item = (&AccessUnit, i64)> + Clone {
    items.iter().filter_map(|(frame, ms)| match &frame.item {
        Item::Unit(unit) => Some((unit, *ms)),
        _ => None,
    })
}
