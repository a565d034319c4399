//! The muxer of a container behind one face: a segment's units in, its bytes out.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::{AccessUnit, Dts, Track, TrackId, TrackList};
use remux::{LeftOut, mp4, ts};

use crate::container::Container;
use crate::encryption::Method;
use crate::timed;

/// Writes segments of one container.
#[derive(Debug)]
pub(crate) enum Mux {
    Fmp4(mp4::FragmentMuxer),
    Ts {
        muxer: Box<ts::Muxer>,
        codecs: Vec<String>,
        damaged: u64,
    },
}

/// Whether a muxer encrypts samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    Clear,
    Encrypted,
}

impl Samples {
    /// Those of fMP4 in a stream that is encrypted in this way.
    pub(crate) fn of(method: Option<Method>) -> Self {
        match method {
            Some(Method::Cbcs) => Self::Encrypted,
            Some(Method::Aes128) | None => Self::Clear,
        }
    }
}

/// A muxed segment, or part of one.
#[derive(Debug)]
pub(crate) struct Muxed {
    pub(crate) bytes: Bytes,
    /// How many of its first bytes hold the first picture, when a decoder can start there.
    pub(crate) picture: Option<usize>,
}

/// Whether timed metadata goes into fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Messages {
    Carried,
    /// A player has it from another feed.
    LeftOut,
}

/// Whether a muxer goes on as if nothing had happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The carried tracks are the same.
    None,
    /// The carried tracks, or a configuration among them, changed.
    Configuration,
}

impl Mux {
    /// `samples`: those of fMP4 are encrypted, as soon as there is a key.
    pub(crate) fn new(
        container: Container,
        samples: Samples,
        tracks: &TrackList,
    ) -> (Self, Vec<LeftOut>) {
        match container {
            Container::Fmp4 => {
                let (muxer, left_out) = match samples {
                    Samples::Clear => mp4::FragmentMuxer::new(tracks),
                    Samples::Encrypted => mp4::FragmentMuxer::protected(tracks),
                };
                (Self::Fmp4(muxer), left_out)
            }
            Container::Ts => {
                let (muxer, left_out) = ts::Muxer::new(tracks);
                let codecs = codec_strings(tracks, |id| muxer.carries(id));
                let mux = Self::Ts {
                    muxer: Box::new(muxer),
                    codecs,
                    damaged: 0,
                };
                (mux, left_out)
            }
        }
    }

    /// Announces timed metadata, in containers that announce it.
    pub(crate) fn carry_metadata(&mut self) {
        if let Self::Ts { muxer, .. } = self {
            muxer.carry_metadata();
        }
    }

    /// Takes a changed list. `before` are the tracks carried until now; both the muxer and its
    /// counters stay as they are when what it carries stays the same.
    pub(crate) fn set_tracks(
        &mut self,
        before: &[Arc<Track>],
        samples: Samples,
        tracks: &TrackList,
    ) -> (Change, Vec<LeftOut>) {
        let (new, left_out) = Self::new(self.container(), samples, tracks);
        let carried = new.carried(tracks);
        let same = before.len() == carried.len()
            && before
                .iter()
                .zip(&carried)
                .all(|(a, b)| a.id == b.id && a.same_configuration(b));
        if same {
            return (Change::None, left_out);
        }
        match (&mut *self, new) {
            // Continuity counters go on (H9).
            (
                Self::Ts { muxer, codecs, .. },
                Self::Ts {
                    codecs: new_codecs, ..
                },
            ) => {
                muxer.set_tracks(tracks);
                *codecs = new_codecs;
            }
            (this, new) => *this = new,
        }
        (Change::Configuration, left_out)
    }

    /// The tracks of this list that are carried.
    pub(crate) fn carried(&self, tracks: &TrackList) -> Vec<Arc<Track>> {
        let carried = tracks.iter().filter(|track| self.carries(track.id));
        carried.cloned().collect()
    }

    pub(crate) fn carries(&self, id: TrackId) -> bool {
        match self {
            Self::Fmp4(muxer) => muxer.carries(id),
            Self::Ts { muxer, .. } => muxer.carries(id),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Fmp4(muxer) => muxer.is_empty(),
            Self::Ts { muxer, .. } => muxer.is_empty(),
        }
    }

    /// RFC 6381 names of the carried tracks.
    pub(crate) fn codec_strings(&self) -> Vec<String> {
        match self {
            Self::Fmp4(muxer) => muxer.codec_strings(),
            Self::Ts { codecs, .. } => codecs.clone(),
        }
    }

    /// The init segment, in containers that have one.
    pub(crate) fn init_segment(&self) -> Option<Bytes> {
        match self {
            Self::Fmp4(muxer) => Some(muxer.init_segment()),
            Self::Ts { .. } => None,
        }
    }

    /// What is muxed from here on is encrypted with this.
    pub(crate) fn protect(&mut self, protection: &mp4::Protection) {
        if let Self::Fmp4(muxer) = self {
            muxer.protect(protection);
        }
    }

    /// The next segment's timeline has nothing to do with the last one's.
    pub(crate) fn discontinuity(&mut self) {
        if let Self::Ts { muxer, .. } = self {
            muxer.discontinuity();
        }
    }

    /// Muxes one segment; `None` when nothing of it is carried. `video`: the track whose first
    /// picture is to be found.
    pub(crate) fn segment(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
        video: Option<TrackId>,
        messages: Messages,
    ) -> Option<Muxed> {
        match self {
            Self::Fmp4(muxer) => {
                let asides = units.iter().filter(|unit| timed::is_aside(unit));
                if messages == Messages::Carried {
                    asides.for_each(|unit| muxer.message(timed::of_unit(unit)));
                }
                let (bytes, picture) = match video {
                    Some(video) => muxer.fragment_with_picture(units, ends, video).ok()?,
                    None => (muxer.fragment(units, ends).ok()?, None),
                };
                Some(Muxed { bytes, picture })
            }
            Self::Ts { muxer, damaged, .. } => {
                let mut out = BytesMut::with_capacity(transport_bytes(units));
                muxer.tables(&mut out);
                let tables_len = out.len();
                let (mut picture, mut has_picture) = (None, false);
                for unit in units {
                    let is_aside = timed::is_aside(unit);
                    if !is_aside && !muxer.carries(unit.track) {
                        continue;
                    }
                    let written = match is_aside {
                        true => muxer.timed(&timed::of_unit(unit), &mut out),
                        false => muxer.unit(unit, &mut out),
                    };
                    if written.is_err() {
                        *damaged += 1;
                    } else if Some(unit.track) == video && !has_picture {
                        has_picture = true;
                        picture = unit.is_random_access().then_some(out.len());
                    }
                }
                (out.len() > tables_len).then(|| Muxed {
                    bytes: out.freeze(),
                    picture,
                })
            }
        }
    }

    /// Units left out of segments so far because they are damaged.
    pub(crate) fn damaged_units(&self) -> u64 {
        match self {
            Self::Fmp4(muxer) => muxer.damaged_units(),
            Self::Ts { damaged, .. } => *damaged,
        }
    }

    fn container(&self) -> Container {
        match self {
            Self::Fmp4(_) => Container::Fmp4,
            Self::Ts { .. } => Container::Ts,
        }
    }
}

fn codec_strings(tracks: &TrackList, carries: impl Fn(TrackId) -> bool) -> Vec<String> {
    let carried = tracks.iter().filter(|track| carries(track.id));
    carried
        .filter_map(|track| track.config.as_ref().ok())
        .map(media::CodecConfig::codec_string)
        .collect()
}

/// What these units take in transport packets, parameter sets and tables included: enough in
/// nearly all cases, so that the buffer neither grows nor stays much too large.
fn transport_bytes(units: &[AccessUnit]) -> usize {
    const PACKET: usize = 188;
    const BODY: usize = 184;
    let packets: usize = units.iter().map(|unit| unit.payload.len() / BODY + 2).sum();
    (packets + 4) * PACKET
}
