//! The segments of one container: those listed, and those removed that can still be fetched.
//!
//! ```text
//!   removed (fetchable: H3)        listed
//! [ 12 13 14 15 16 17 18 ]  [ 19 20 21 22 23 24 25 ]  ◀── push
//! ```
//!
//! Sequence numbers run over both without gap, but where [`Window::clear`] was called. Time here is
//! what the playlist has gained since it began, in milliseconds: it needs no clock, and in a live
//! stream it passes as fast as the wall's.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::body::Body;
use crate::container::HasVideo;
use crate::encryption::Seal;
use crate::presentation::{About, Stored};

/// What a segment costs besides its bytes: its records and its lines in playlists.
const SEGMENT_OVERHEAD: usize = 1_024;
/// What a part costs besides its bytes.
pub(crate) const PART_OVERHEAD: usize = 256;

/// A complete segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    pub(crate) duration_ms: u64,
    /// Wall time of its first unit.
    pub(crate) wall_ms: i64,
    /// Whether something changed before it.
    pub(crate) discontinuity: bool,
    /// Which init segment it needs.
    pub(crate) init: Option<u32>,
    /// How it is encrypted.
    pub(crate) seal: Option<Seal>,
    /// Empty where nothing of the feed came in its time (`GAP`).
    pub(crate) body: Body,
    pub(crate) has_video: HasVideo,
    /// A decoder can start at its first picture.
    pub(crate) independent: bool,
    /// It does not follow the segment before, also where the list begins with it.
    pub(crate) broke: bool,
    pub(crate) about: Arc<About>,
    /// Where in it the first picture is, when a decoder can start there.
    pub(crate) picture: Option<ByteRange>,
}

/// Bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

impl Segment {
    /// Wall time of its end.
    pub(crate) fn end_wall_ms(&self) -> i64 {
        let length = i64::try_from(self.duration_ms).unwrap_or(i64::MAX);
        self.wall_ms.saturating_add(length)
    }
}

/// How much is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Segments listed, at least one.
    pub(crate) segments: usize,
    /// Listed at least as long as this (H4).
    pub(crate) least_ms: u64,
    /// Segments listed at most.
    pub(crate) max_listed: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Window {
    listed: VecDeque<Segment>,
    removed: VecDeque<Removed>,
    /// Number of discontinuities removed from the list, plus where counting began.
    discontinuity_sequence: u64,
    listed_ms: u64,
    longest_ms: u64,
    gained_ms: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Removed {
    segment: Segment,
    /// Fetchable until the playlist has gained this.
    until_ms: u64,
}

impl Window {
    pub(crate) fn begin(&mut self, discontinuity_sequence: u64) {
        self.discontinuity_sequence = discontinuity_sequence;
    }

    /// Lists a segment, and removes what the rules no longer list or keep.
    pub(crate) fn push(&mut self, segment: Segment, rules: Rules) {
        self.gained_ms += segment.duration_ms;
        self.listed_ms += segment.duration_ms;
        self.bytes += cost(&segment);
        self.listed.push_back(segment);
        // The longest playlist that listed a segment includes the one that pushed it out.
        self.longest_ms = self.longest_ms.max(self.listed_ms);
        while self.front_must_go(rules) {
            self.remove_front();
        }
        while self
            .removed
            .front()
            .is_some_and(|removed| removed.until_ms <= self.gained_ms)
        {
            self.drop_removed();
        }
    }

    /// Lists nothing any more; what was listed stays fetchable for its time. Numbers may go on
    /// anywhere.
    pub(crate) fn clear(&mut self) {
        while !self.listed.is_empty() {
            self.remove_front();
        }
    }

    fn front_must_go(&self, rules: Rules) -> bool {
        let Some(front) = self.listed.front() else {
            return false;
        };
        let rest_ms = self.listed_ms - front.duration_ms;
        let enough = self.listed.len() > rules.segments.max(1) && rest_ms >= rules.least_ms;
        enough || self.listed.len() > rules.max_listed.max(1)
    }

    fn remove_front(&mut self) {
        let Some(segment) = self.listed.pop_front() else {
            return;
        };
        self.listed_ms -= segment.duration_ms;
        self.discontinuity_sequence += u64::from(segment.discontinuity);
        let until_ms = self.gained_ms + segment.duration_ms + self.longest_ms;
        self.removed.push_back(Removed { segment, until_ms });
    }

    /// Frees the oldest removed segment before its time; false when there is none.
    pub(crate) fn drop_removed(&mut self) -> bool {
        let Some(removed) = self.removed.pop_front() else {
            return false;
        };
        self.bytes -= cost(&removed.segment);
        true
    }

    /// Removes and frees the oldest listed segment; false when only one is left.
    pub(crate) fn drop_listed(&mut self) -> bool {
        if self.listed.len() <= 1 {
            return false;
        }
        self.remove_front();
        while self.drop_removed() {}
        true
    }

    pub(crate) fn listed(&self) -> impl DoubleEndedIterator<Item = &Segment> + ExactSizeIterator {
        self.listed.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Wall time of the first listed segment; 0 without one.
    pub(crate) fn first_wall_ms(&self) -> i64 {
        self.listed.front().map_or(0, |segment| segment.wall_ms)
    }

    /// Duration of all that is listed.
    pub(crate) fn listed_ms(&self) -> u64 {
        self.listed_ms
    }

    pub(crate) fn last_sequence(&self) -> Option<u64> {
        self.listed.back().map(|segment| segment.sequence)
    }

    pub(crate) fn discontinuity_sequence(&self) -> u64 {
        self.discontinuity_sequence
    }

    /// The discontinuity sequence number of the newest segment.
    pub(crate) fn last_discontinuity_sequence(&self) -> u64 {
        let tags = self.listed.iter().filter(|s| s.discontinuity).count();
        self.discontinuity_sequence + u64::try_from(tags).unwrap_or(0)
    }

    /// The oldest init segment that a fetchable segment needs.
    pub(crate) fn oldest_init(&self) -> Option<u32> {
        self.fetchable().next().and_then(|segment| segment.init)
    }

    pub(crate) fn stored(&self) -> impl Iterator<Item = Stored> {
        self.fetchable().map(|segment| Stored {
            sequence: segment.sequence,
            duration_ms: segment.duration_ms,
            wall_ms: segment.wall_ms,
            broke: segment.broke,
            independent: segment.independent,
            init: segment.init,
            body: segment.body.clone(),
            seal: segment.seal.clone(),
            has_video: segment.has_video,
            about: Arc::clone(&segment.about),
        })
    }

    /// Bytes held, with a charge for each segment.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn fetchable(&self) -> impl Iterator<Item = &Segment> {
        let removed = self.removed.iter().map(|removed| &removed.segment);
        removed.chain(self.listed.iter())
    }
}

fn cost(segment: &Segment) -> usize {
    segment.body.len() + SEGMENT_OVERHEAD + PART_OVERHEAD * segment.body.as_parts().len()
}

#[cfg(test)]
mod tests;
