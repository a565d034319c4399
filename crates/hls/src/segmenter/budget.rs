//! What is held, and what goes when it is too much.

use media::AccessUnit;

use super::Segmenter;
use crate::rendition::{Cut, Rendition};

impl Segmenter {
    /// Keeps the units of the newest segment for a feed that is off: further sounds may be asked for
    /// at any time. They are the ring's own bytes.
    pub(super) fn hold(&mut self, cut: Cut) {
        self.newest = Some(cut);
    }

    /// Frees what [`crate::Limits::max_bytes`] does not allow beside the next open segment: first
    /// segments that are not listed any more, then listed ones, from the larger rendition, then
    /// the units held for a container that is off.
    pub(super) fn keep_within_bytes(&mut self) {
        // The open segment is held twice where it is made in parts: as units, and muxed.
        let open = match self.config.part {
            Some(_) => 2 * self.max_open_bytes(),
            None => self.max_open_bytes(),
        };
        let allowed = self.config.limits.max_bytes - open;
        while self.bytes() > allowed {
            let mut largest_first: Vec<&mut Rendition> = self.renditions.iter_mut().collect();
            largest_first.sort_by_key(|rendition| std::cmp::Reverse(rendition.bytes()));
            let dropped = largest_first.iter_mut().any(|r| r.drop_removed())
                || largest_first.iter_mut().any(|r| r.drop_listed());
            if dropped {
                self.stats.evicted_segments += 1;
            } else if self.newest.take().is_none() {
                break;
            }
        }
    }

    /// A quarter for the open segment leaves room for the same segment in both containers.
    pub(super) fn max_open_bytes(&self) -> usize {
        self.config.limits.max_bytes / 4
    }

    pub(super) fn bytes(&self) -> usize {
        let listed: usize = self.renditions.iter().map(Rendition::bytes).sum();
        let newest = self.newest.iter().flat_map(|cut| &cut.units);
        let held: usize = newest.map(AccessUnit::size_bytes).sum();
        listed + held + self.open.bytes
    }
}
