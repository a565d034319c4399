//! Timed metadata on its way into the open segment.

use media::{AccessUnit, DataMessage};

use super::{Segmenter, UNIT_OVERHEAD};
use crate::parts::Mark;
use crate::playlist;
use crate::rendition::Rendition;
use crate::timed::{self, ASIDE};

impl Segmenter {
    /// Whether messages are passed on. A track that has their id leaves no room for them.
    pub(crate) fn takes_messages(&self) -> bool {
        self.config.timed_metadata && !self.ended && self.tracks.get(ASIDE).is_none()
    }

    /// A message was left out.
    pub(crate) fn message_left_out(&mut self) {
        self.stats.messages_left_out += 1;
    }

    /// What playlists say of a message.
    pub(crate) fn cue(&mut self, message: &DataMessage) {
        let wall_ms = self.clock.map(|_| self.wall_at(message.dts.0));
        self.dates.message(message, wall_ms);
    }

    /// Brings the date ranges up to the clock and to the windows, before playlists are made.
    pub(super) fn settle_dates(&mut self) {
        if self.dates.waits() && self.clock.is_some() {
            let mut dates = std::mem::take(&mut self.dates);
            dates.place(|media_ms| self.wall_at(media_ms));
            self.dates = dates;
        }
        let listed = || self.renditions.iter().filter_map(Rendition::listed_ms);
        let first = listed().map(|(first, _)| first).min();
        let end = listed().map(|(_, end)| end).max();
        let skip_ms = playlist::skip_boundary_ms(self.target_ms());
        let skip_ms = i64::try_from(skip_ms).unwrap_or(i64::MAX);
        if let Some((first, end)) = first.zip(end) {
            self.dates.settle(first, end, skip_ms);
        }
    }

    /// A unit of metadata joins the open segment, or waits for one.
    pub(crate) fn aside(&mut self, unit: AccessUnit) {
        self.open.bytes += unit.size_bytes() + UNIT_OVERHEAD;
        self.open.units.push(unit);
        if let Some(parts) = &mut self.parts {
            parts.aside();
        }
    }

    /// The segment is over that had these units: metadata behind its last part goes to the next.
    pub(super) fn keep_asides(&mut self, units: &mut Vec<AccessUnit>, marks: &[Mark]) {
        let end = marks.last().map_or(units.len(), |mark| mark.units);
        let media = units.iter().rposition(|unit| !timed::is_aside(unit));
        let media_end = media.map_or(0, |last| last + 1);
        let kept = units.split_off(end.max(media_end).min(units.len()));
        self.messages.begin(&kept);
        kept.into_iter().for_each(|unit| self.aside(unit));
    }
}
