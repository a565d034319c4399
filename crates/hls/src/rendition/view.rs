//! The playlists of a rendition, rendered once per change.

use std::sync::Arc;

use super::Rendition;
use crate::container::HasVideo;
use crate::encryption::Method;
use crate::feed::Feed;
use crate::playlist::{self, Report};
use crate::presentation::{self, LowLatency, OpenSegment, Playlists};
use crate::timed::Dates;

/// What all renditions of a stream have in common when they render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common<'a> {
    pub(crate) epoch: u64,
    pub(crate) target_ms: u64,
    /// The part target, where there are parts.
    pub(crate) part_ms: Option<u64>,
    /// Parts are byte ranges of their segments.
    pub(crate) part_ranges: bool,
    /// The next unit is expected to begin a segment.
    pub(crate) cut_due: bool,
    pub(crate) ended: bool,
    /// How far the feeds of the multivariant playlist are, with the feed they are about.
    pub(crate) reports: &'a [(Feed, Option<Report>)],
    /// How far the other rungs of the ladder are.
    pub(crate) rungs: &'a [Report],
    /// What is said of cues.
    pub(crate) dates: &'a Dates,
}

impl Rendition {
    /// What the shell serves; texts are rendered again only after a change.
    pub(crate) fn view(&mut self, common: Common<'_>) -> presentation::Rendition {
        if !self.enabled {
            return presentation::Rendition::Off;
        }
        if std::mem::take(&mut self.dirty) && !self.window.is_empty() {
            self.rendered = Some(Arc::new(self.render(common)));
            self.renders += 1;
        }
        match (&self.rendered, &self.refusal) {
            (Some(playlists), _) => presentation::Rendition::Ready(Arc::clone(playlists)),
            (None, Some(reason)) => presentation::Rendition::Refused(reason.clone()),
            (None, None) => presentation::Rendition::Pending,
        }
    }

    /// The newest segment and part that clients can know of; none before there is a part.
    pub(crate) fn position(&self) -> Option<(u64, u64)> {
        let newest = match self.shown() {
            Some(open) => (open.sequence, open.parts.len()),
            None => {
                let last = self.window.listed().next_back()?;
                (last.sequence, last.body.as_parts().len())
            }
        };
        let parts = u64::try_from(newest.1).ok()?;
        Some((newest.0, parts.checked_sub(1)?))
    }

    fn render(&self, common: Common<'_>) -> Playlists {
        let head = playlist::Head {
            feed: self.feed,
            epoch: common.epoch,
            target_seconds: common.target_ms / 1_000,
            independent: self.independent,
            ended: common.ended,
        };
        let low_latency = common
            .part_ms
            .filter(|_| self.makes_parts())
            .map(|part_ms| LowLatency {
                part_ms,
                hint: (!common.ended).then(|| self.next_part(common.cut_due)),
                ranges: common.part_ranges,
            });
        let open = self.shown();
        let texts = match low_latency {
            Some(low_latency) => {
                let mut reports = self.reports(common.reports);
                reports.extend_from_slice(common.rungs);
                let dates = common.dates;
                playlist::low_latency_media(head, low_latency, &self.window, open, &reports, dates)
            }
            None => playlist::Texts {
                whole: playlist::media(head, &self.window, common.dates),
                deltas: playlist::Deltas::default(),
            },
        };
        let last_parts = self
            .window
            .listed()
            .next_back()
            .map_or(0, |segment| segment.body.as_parts().len());
        // Of a chain of blocks no picture can be read alone.
        let has_pictures = self.is_main()
            && self.has_video() == HasVideo::Yes
            && self.method != Some(Method::Aes128);
        Playlists {
            multivariant: self.multivariant.as_ref().map(|(text, _)| text.clone()),
            says: self.multivariant.as_ref().map(|(_, says)| Arc::clone(says)),
            media: texts.whole,
            iframes: has_pictures.then(|| playlist::iframes(head, &self.window)),
            deltas: texts.deltas,
            last_sequence: self.window.last_sequence().unwrap_or(0),
            last_parts: u32::try_from(last_parts).unwrap_or(u32::MAX),
            open: open.map(|open| OpenSegment {
                sequence: open.sequence,
                parts: open.parts.as_slice().into(),
                key: open.seal.as_ref().map(|seal| Arc::clone(&seal.key)),
                has_video: open.has_video,
            }),
            low_latency,
            segments: self.window.stored().collect(),
        }
    }

    /// What this feed says of the others. One that nobody has asked for yet begins, when somebody
    /// does, with what this one has.
    fn reports(&self, all: &[(Feed, Option<Report>)]) -> Vec<Report> {
        let own = self.position();
        let others = all.iter().filter(|(feed, _)| *feed != self.feed);
        others
            .filter_map(|(feed, report)| match report {
                Some(report) => Some(report.clone()),
                None => own.map(|(sequence, part)| Report {
                    uri: feed.playlist_name().to_owned(),
                    sequence,
                    part,
                }),
            })
            .collect()
    }

    /// Sequence number and index of the part that comes next.
    fn next_part(&self, cut_due: bool) -> (u64, usize) {
        let sequence = self.next_complete();
        match self.open_parts() {
            parts if parts > 0 && cut_due => (sequence + 1, 0),
            parts => (sequence, parts),
        }
    }
}
