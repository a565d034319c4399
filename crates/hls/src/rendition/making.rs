//! How segments and their parts are made.

use media::{AccessUnit, Dts, TrackId};

use super::{Cut, Opened, Opening, Rendition};
use crate::body::{Body, Part};
use crate::container::HasVideo;
use crate::encryption::{Method, Seal};
use crate::presentation::Init;
use crate::window::{ByteRange, Rules, Segment};

impl Rendition {
    /// Muxes the next part of the open segment; the first one opens it.
    pub(crate) fn part(
        &mut self,
        opening: &Opening,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
        duration_ms: u64,
    ) {
        if self.open.is_none() {
            let opened = self.open(opening.clone());
            self.open = Some(opened);
        }
        let muxed = self
            .mux
            .segment(units, ends, self.video_track(), self.messages());
        let picture = self.first_picture(units);
        let sound_only = self.has_video() == HasVideo::No;
        if let Some(open) = &mut self.open {
            // INDEPENDENT-SEGMENTS is no longer said as soon as a segment is known to be none.
            self.independent &= open.has_picture || picture != Some(false);
            if let Some(muxed) = &muxed {
                if !open.has_picture {
                    open.picture = muxed.picture.map(|len| ByteRange {
                        offset: open.bytes,
                        len,
                    });
                }
                open.bytes += muxed.bytes.len();
            }
            open.has_picture |= picture.is_some();
            open.parts.push(Part {
                duration_ms,
                independent: picture.unwrap_or(sound_only),
                body: muxed.map(|muxed| muxed.bytes),
            });
        }
        self.dirty |= self.shown().is_some();
    }

    /// Muxes what of the segment is not muxed yet, and lists it.
    pub(crate) fn push(&mut self, cut: &Cut, target_ms: u64, rules: Rules) {
        let segment = if self.makes_parts() && !cut.marks.is_empty() {
            self.complete(cut)
        } else {
            let mut opened = self.open(cut.opening.clone());
            let video = self.video_track();
            let muxed = self
                .mux
                .segment(&cut.units, &cut.ends, video, self.messages());
            let picture = muxed.as_ref().and_then(|muxed| muxed.picture);
            // Of a chain of blocks nothing can be read alone.
            opened.picture = picture
                .filter(|_| self.method != Some(Method::Aes128))
                .map(|len| ByteRange { offset: 0, len });
            match (muxed, &opened.seal) {
                (Some(muxed), Some(seal)) => {
                    let sealed = seal.seal(muxed.bytes);
                    Some((opened, sealed.into()))
                }
                (Some(muxed), None) => Some((opened, muxed.bytes.into())),
                // Beside the main feed it is a gap: their numbers stay the same.
                (None, _) if !self.is_main() && !self.window.is_empty() => {
                    Some((opened, Body::from(bytes::Bytes::new())))
                }
                (None, _) => None,
            }
        };
        self.frame_rate = self.frame_rate.or(cut.frame_rate);
        let Some((opened, body)) = segment else {
            // Nothing of it is carried: the next segment does not follow the last one in time.
            self.changed = true;
            return;
        };
        let segment = Segment {
            sequence: opened.sequence,
            duration_ms: cut.duration_ms,
            wall_ms: opened.wall_ms,
            discontinuity: opened.discontinuity,
            init: opened.init,
            seal: opened.seal,
            has_video: opened.has_video,
            body,
            independent: self.first_picture(&cut.units).unwrap_or(true),
            broke: opened.broke,
            about: self.about(),
            picture: opened.picture,
        };
        self.independent &= segment.independent;
        self.meter
            .add(segment.duration_ms, segment.body.len(), target_ms);
        if let Some(picture) = segment.picture {
            self.iframe_meter
                .add(segment.duration_ms, picture.len, target_ms);
        }
        self.begun = true;
        self.window.push(segment, rules);
        self.drop_inits();
        self.dirty = true;
    }

    /// Whether segments are made in parts.
    /// The parts of a segment that were not made while it was open, and all of them.
    fn complete(&mut self, cut: &Cut) -> Option<(Opened, Body)> {
        let made = self.open_parts();
        let mut from = match made {
            0 => 0,
            made => cut.marks.get(made - 1).map_or(0, |mark| mark.units),
        };
        for mark in cut.marks.iter().skip(made) {
            let units = cut.units.get(from..mark.units).unwrap_or_default();
            let is_last = mark.units == cut.units.len();
            let ends = if is_last { &cut.ends[..] } else { &[] };
            self.part(&cut.opening, units, ends, mark.duration_ms());
            from = mark.units;
        }
        let mut opened = self.open.take()?;
        let body = Body::parts(std::mem::take(&mut opened.parts).into());
        let is_kept = !body.is_empty() || (!self.is_main() && !self.window.is_empty());
        is_kept.then_some((opened, body))
    }

    /// Begins a segment: decides what precedes it in the playlist.
    fn open(&mut self, opening: Opening) -> Opened {
        self.changed |= opening.broke || opening.changed.of(self.feed.container());
        if opening.broke {
            self.mux.discontinuity();
        }
        let first = self.window.is_empty();
        if first {
            let container = self.feed.container();
            self.window.begin(opening.discontinuities.of(container));
        }
        let has_video = self.has_video();
        let sequence = if first {
            opening.sequence
        } else {
            self.next_complete()
        };
        let seal = self
            .method
            .zip(opening.key)
            .map(|(method, key)| Seal::new(method, self.feed, self.epoch, sequence, &key));
        if let Some(protection) = seal.as_ref().and_then(|s| s.protection(self.epoch)) {
            self.mux.protect(&protection);
        }
        let changed = std::mem::take(&mut self.changed);
        Opened {
            sequence,
            seal,
            wall_ms: opening.wall_ms,
            discontinuity: changed && !first,
            broke: changed && self.begun,
            init: self.init(has_video),
            has_video,
            has_picture: false,
            parts: Vec::new(),
            bytes: 0,
            picture: None,
        }
    }

    /// The init segment for the next segment; a new number for a new one.
    fn init(&mut self, has_video: HasVideo) -> Option<u32> {
        let body = self.mux.init_segment()?;
        if std::mem::take(&mut self.init_is_stale) {
            self.init_version += 1;
            self.inits.push_back(Init {
                feed: self.feed,
                version: self.init_version,
                body,
                has_video,
            });
        }
        Some(self.init_version)
    }
}
