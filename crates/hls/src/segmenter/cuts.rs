//! The end of a segment: by a cut, by a break of the timeline, or by the end of the stream.

use media::{AccessUnit, Timescale, TrackKind};

use super::{Anchor, Segmenter, unsigned};
use crate::container::Each;
use crate::cutter::{self, Boundary};
use crate::encryption::Keyring;
use crate::playlist::FrameRate;
use crate::rendition::{Cut, Opening};

/// A first segment of sound alone is cut short only from this length on, in ticks of 90 kHz.
const SHORTEST_SOUND: i64 = 45_000;

impl Segmenter {
    /// Ends the open segment at a boundary and gives it to the renditions; `follows` is the unit
    /// after it, when the timeline goes on.
    pub(super) fn cut(&mut self, boundary: Boundary, follows: Option<&AccessUnit>) {
        let Some(start) = self.cutter.start() else {
            return;
        };
        let opening = self.opening(start);
        self.cutter.close(boundary);
        self.share_target();
        let mut open = std::mem::take(&mut self.open);
        if let Some(parts) = &mut self.parts {
            parts.close(boundary.end, &mut open.marks);
        }
        if open.units.is_empty() {
            return;
        }
        self.keep_asides(&mut open.units, &open.marks);
        let Some(opening) = opening else {
            self.leave_out(boundary);
            return;
        };
        self.broke = false;
        self.changed = Each::default();
        let (start_ms, end_ms) = (cutter::millis(start), cutter::millis(boundary.end));
        self.next_wall_ms = Some(self.wall_at(end_ms));
        let ends_at_video = follows.is_some_and(|unit| {
            let cutting = self.served.first();
            cutting.is_some_and(|s| s.track == unit.track && s.kind == TrackKind::Video)
        });
        let whole = open.whole == Some(true) && ends_at_video && !boundary.forced;
        let cut = Cut {
            opening,
            ends: follows
                .map(|unit| (unit.track, unit.dts))
                .into_iter()
                .collect(),
            duration_ms: unsigned(end_ms - start_ms).max(1),
            frame_rate: whole.then(|| FrameRate {
                frames: self.video_units(&open.units),
                per: unsigned(boundary.end - start),
                hz: u64::from(Timescale::NINETY_KHZ.hz()),
            }),
            units: open.units,
            marks: open.marks,
        };
        if let Some(keyring) = &mut self.keyring {
            keyring.used(cut.duration_ms);
        }
        self.stats.segments += 1;
        self.stats.forced_cuts += u64::from(boundary.forced);
        self.tracks_used = true;
        let (target_ms, rules) = (self.target_ms(), self.rules());
        self.singles.measure(&cut, target_ms);
        for rendition in self.renditions.iter_mut().filter(|r| r.is_enabled()) {
            rendition.push(&cut, target_ms, rules);
        }
        self.hold(cut);
        self.keep_within_bytes();
        self.dirty = true;
    }

    /// A segment whose key is missing is not listed: what follows begins anew.
    fn leave_out(&mut self, boundary: Boundary) {
        self.next_wall_ms = Some(self.wall_at(cutter::millis(boundary.end)));
        self.stats.locked_segments += 1;
        self.note_break();
        self.dirty = true;
    }

    /// Ends the open segment where its units end.
    pub(super) fn end_open(&mut self) {
        if let Some(boundary) = self.cutter.boundary_here() {
            let boundary = self.settle(boundary);
            self.cut(boundary, None);
        }
    }

    pub(super) fn break_timeline(&mut self) {
        self.end_open();
        self.cutter.forget();
        self.clock = None;
        self.note_break();
        self.rejoin_ladder();
    }

    /// The newest place inside the open segment where a decoder can start.
    pub(super) fn newest_cut(&self) -> Option<(usize, Boundary)> {
        let cutting = self.served.first()?;
        let start = self.cutter.start()?;
        let mut units = self.open.units.iter().enumerate().skip(1).rev();
        let (index, unit) = units.find(|(_, unit)| {
            unit.track == cutting.track
                && unit.is_random_access()
                && cutter::ticks(cutting.timescale, unit.dts) > start
        })?;
        let time = cutter::ticks(cutting.timescale, unit.dts);
        let boundary = self.cutter.boundary_at(time)?;
        let sound_only = cutting.kind == TrackKind::Audio;
        (!sound_only || boundary.end - start >= SHORTEST_SOUND).then_some((index, boundary))
    }

    /// What is known of the segment that begins at `start`; `None` while its key is missing.
    pub(super) fn opening(&mut self, start: i64) -> Option<Opening> {
        let key = match self.keyring.as_mut().map(Keyring::lock) {
            None => None,
            Some(Some(key)) => Some(key),
            Some(None) => return None,
        };
        Some(Opening {
            sequence: self.sequence(),
            discontinuities: self.discontinuities(),
            wall_ms: self.wall_at(cutter::millis(start)),
            broke: self.broke,
            changed: self.changed,
            key,
        })
    }

    /// Wall time of a media time in milliseconds.
    pub(super) fn wall_at(&self, media_ms: i64) -> i64 {
        let anchor = self.clock.unwrap_or(Anchor {
            wall_ms: 0,
            media_ms,
        });
        let since = media_ms.saturating_sub(anchor.media_ms);
        anchor.wall_ms.saturating_add(since)
    }

    pub(super) fn video_units(&self, units: &[AccessUnit]) -> u64 {
        let video = self.served.iter().find(|s| s.kind == TrackKind::Video);
        let count = units
            .iter()
            .filter(|unit| video.is_some_and(|v| v.track == unit.track));
        u64::try_from(count.count()).unwrap_or(u64::MAX)
    }
}
