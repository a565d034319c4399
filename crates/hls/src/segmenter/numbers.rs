//! Media sequence and discontinuity sequence numbers.

use super::Segmenter;
use crate::container::{Container, Each};
use crate::rendition::Rendition;

impl Segmenter {
    /// The media sequence number that the next segment will have at least: where a later segmenter
    /// of the same stream must begin.
    #[must_use]
    pub fn next_media_sequence(&self) -> u64 {
        let used = self.renditions.iter().map(Rendition::next_sequence).max();
        self.sequence().max(used.unwrap_or(0))
    }

    /// The discontinuity sequence number that a later segmenter of the same stream must begin
    /// with: its own beginning is one more discontinuity.
    #[must_use]
    pub fn next_discontinuity_sequence(&self) -> u64 {
        let used = self
            .renditions
            .iter()
            .map(Rendition::last_discontinuity_sequence);
        let counted = Container::ALL.map(|container| self.discontinuities().of(container));
        counted.into_iter().chain(used).max().unwrap_or(0) + 1
    }

    /// The number of the next segment cut.
    pub(super) fn sequence(&self) -> u64 {
        let first = self.config.first_media_sequence;
        first.saturating_add(self.stats.segments)
    }

    /// The discontinuities up to the open segment, for a feed in each container.
    pub(super) fn discontinuities(&self) -> Each<u64> {
        let first = self.config.first_discontinuity_sequence;
        let mut all = self.discontinuities;
        for container in Container::ALL {
            let count = all.of_mut(container);
            *count = first.saturating_add(*count);
        }
        all
    }

    /// The timeline broke before the next segment.
    pub(super) fn note_break(&mut self) {
        if self.stats.segments > 0 && !self.broke {
            for container in Container::ALL {
                let is_new = !self.changed.of(container);
                *self.discontinuities.of_mut(container) += u64::from(is_new);
            }
            self.broke = true;
            self.stats.discontinuities += 1;
        }
    }

    /// What a feed in this container carries changes with the next segment.
    pub(super) fn note_change(&mut self, container: Container) {
        if self.stats.segments > 0 {
            let is_new = !self.broke && !self.changed.of(container);
            *self.discontinuities.of_mut(container) += u64::from(is_new);
            *self.changed.of_mut(container) = true;
        }
    }
}
