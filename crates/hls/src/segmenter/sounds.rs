//! The audio tracks that listeners may have alone, and what each would cost them.

use media::{AccessUnit, TrackId, TrackList};
use remux::LeftOut;

use super::tracks::left_out;
use crate::bandwidth::{Declared, Meter};
use crate::container::Container;
use crate::feed::{Feed, audio_tracks};
use crate::mux::{Mux, Samples};
use crate::rendition::Cut;

/// Bytes of a fragment besides its samples: `moof` of one track and the head of `mdat`.
const FRAGMENT_BYTES: usize = 104;
/// Bytes that a fragment says of a sample, in most cases.
const SAMPLE_BYTES: usize = 8;
/// Bytes that a fragment of encrypted samples says of its key, where that is not the init segment's:
/// `sgpd` and `sbgp`.
const KEY_BYTES: usize = 89;

/// The audio tracks that fMP4 carries.
#[derive(Debug)]
pub(super) struct Sounds {
    samples: Samples,
    tracks: Vec<Sound>,
    /// Alternatives to the default one.
    alternatives: Vec<LeftOut>,
}

#[derive(Debug)]
pub(super) struct Sound {
    pub(super) feed: Feed,
    track: TrackId,
    pub(super) codecs: Vec<String>,
    /// Measured without muxing it: nobody may have asked for it.
    meter: Meter,
}

impl Sounds {
    pub(super) fn new(samples: Samples) -> Self {
        Self {
            samples,
            tracks: Vec::new(),
            alternatives: Vec::new(),
        }
    }

    pub(super) fn set_tracks(&mut self, tracks: &TrackList) {
        let mut before = std::mem::take(&mut self.tracks);
        self.alternatives.clear();
        for (n, track) in (0..).zip(audio_tracks(tracks)) {
            let alone = TrackList::new(vec![track.clone()]);
            let (muxer, _) = Mux::new(Container::Fmp4, self.samples, &alone);
            if !tracks.is_default(track.id) {
                self.alternatives.push(left_out(track));
            }
            if muxer.is_empty() {
                continue;
            }
            let known = before.iter().position(|sound| sound.track == track.id);
            self.tracks.push(Sound {
                feed: Feed::Audio(n),
                track: track.id,
                codecs: muxer.codec_strings(),
                meter: known.map_or_else(Meter::default, |at| before.swap_remove(at).meter),
            });
        }
    }

    /// What a feed leaves out besides what its container cannot carry.
    pub(super) fn left_out_of(&self, feed: Feed, others: &[LeftOut]) -> Vec<LeftOut> {
        match feed {
            Feed::Main(_) => others.iter().chain(&self.alternatives).cloned().collect(),
            Feed::Video | Feed::Audio(_) => Vec::new(),
        }
    }

    pub(super) fn carries(&self, track: TrackId) -> bool {
        self.tracks.iter().any(|sound| sound.track == track)
    }

    /// Counts what each would have been in this segment.
    pub(super) fn measure(&mut self, cut: &Cut, target_ms: u64) {
        for sound in &mut self.tracks {
            let units = cut.units.iter().filter(|unit| unit.track == sound.track);
            let bytes: usize = units
                .map(|unit: &AccessUnit| unit.payload.len() + SAMPLE_BYTES)
                .sum();
            let fragments = cut.marks.len().max(1);
            let head = match self.samples {
                Samples::Clear => FRAGMENT_BYTES,
                Samples::Encrypted => FRAGMENT_BYTES + KEY_BYTES,
            };
            let bytes = bytes + fragments * head;
            sound.meter.add(cut.duration_ms, bytes, target_ms);
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Sound> {
        self.tracks.iter()
    }
}

impl Sound {
    pub(super) fn declared(&self) -> Declared {
        self.meter.declared()
    }
}
