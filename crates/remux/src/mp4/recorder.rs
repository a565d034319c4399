//! Recordings: a fragmented file at every moment, an ordinary one at the end, without rewriting
//! the media.
//!
//! ```text
//! recording   ftyp | free 16 | moov, mvex | moof | mdat | moof | mdat | …
//! then        ftyp | free 16 | moov, mvex | moof | mdat | moof | mdat | … | moov     appended
//! finished    ftyp | mdat                                                 | moov     16 bytes replaced
//! ```
//!
//! The `free` box becomes the header of one `mdat` with a 64-bit size that reaches to the final
//! `moov`; the first `moov` and all `moof` lie inside it, where no reader looks. A crash before the
//! sixteen bytes are written leaves a fragmented file, after it an ordinary one: they lie in one
//! sector, and there is no moment between.
//!
//! A change of codec configuration needs a new file: the sample entries of a fragmented file are
//! written before its first fragment.

use bytes::Bytes;
use media::{AccessUnit, Dts, TrackId, TrackList};

use super::file_muxer::{BRANDS, MDAT_HEADER_LEN, put_free, put_mdat_header};
use super::fragment_muxer::{FragmentMuxer, Rebase};
use super::index::{Index, MAX_OFFSET, MAX_SAMPLE, NewSample};
use super::init;
use super::moov::{Indexed, Origin, TrackHead, moov};
use super::track::carried;
use super::{Error, Write};
use crate::LeftOut;

/// Writes a recording.
///
/// Contract: [`start`](Self::start) once, then [`fragment`](Self::fragment) with all units since
/// the last call, at most a second of them when at most a second may be lost, then
/// [`finish`](Self::finish). Everything that is given must be written, in order; when a write
/// fails the file is sound up to its last whole fragment, and [`super::Repair`] finishes it.
///
/// Memory: at most 24 bytes a sample.
#[derive(Debug)]
pub struct Recorder {
    muxer: FragmentMuxer,
    origin: Origin,
    tracks: TrackList,
    /// One for each track of the muxer.
    indexes: Vec<Index>,
    start: Vec<Bytes>,
    /// Where the `free` box is.
    free: u64,
    /// Bytes of the file so far.
    position: u64,
}

impl Recorder {
    /// A recorder of the tracks that MP4 can carry; the others come back with the reason.
    #[must_use]
    pub fn new(tracks: &TrackList, origin: Origin) -> (Self, Vec<LeftOut>) {
        let (out, left_out) = carried(tracks);
        let ftyp = init::ftyp(&out, &BRANDS);
        let mut free = Vec::new();
        put_free(&mut free, MDAT_HEADER_LEN as u32);
        let start = vec![ftyp.clone(), Bytes::from(free), init::moov(&out)];
        let rebase = match origin {
            Origin::First => Rebase::ToZero,
            Origin::Kept => Rebase::NegativeOnly,
        };
        let recorder = Self {
            indexes: vec![Index::default(); out.len()],
            muxer: FragmentMuxer::of(out, rebase),
            origin,
            tracks: tracks.clone(),
            free: ftyp.len() as u64,
            position: start.iter().map(|part| part.len() as u64).sum(),
            start,
        };
        (recorder, left_out)
    }

    /// Whether no track is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.muxer.is_empty()
    }

    /// Whether units of this track are written.
    #[must_use]
    pub fn carries(&self, id: TrackId) -> bool {
        self.muxer.carries(id)
    }

    /// Units left out so far because their NAL unit lengths do not add up.
    #[must_use]
    pub fn damaged_units(&self) -> u64 {
        self.muxer.damaged_units()
    }

    /// Bytes of the file so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of memory that the index takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.indexes.iter().map(Index::memory).sum()
    }

    /// Whether the recording can go on with these tracks.
    ///
    /// # Errors
    /// [`Error::Changed`]: the file must be finished and another begun.
    pub fn check_tracks(&self, tracks: &TrackList) -> Result<(), Error> {
        for track in tracks.iter() {
            let (track_id, changed) = match self.tracks.get(track.id) {
                Some(known) if !self.carries(track.id) => {
                    // Left out so far: it may be carried now.
                    let is_carried = !carried(&TrackList::new(vec![track.clone()])).0.is_empty();
                    (known.id, is_carried.then_some("it can be carried now"))
                }
                Some(known) if known.codec != track.codec => (known.id, Some("its codec")),
                Some(known) if !known.same_configuration(track) => {
                    (known.id, Some("its configuration"))
                }
                Some(known) => (known.id, None),
                None => (track.id, Some("it is new")),
            };
            if let Some(reason) = changed {
                return Err(Error::Changed {
                    track: track_id,
                    reason,
                });
            }
        }
        Ok(())
    }

    /// The beginning of the file.
    #[must_use]
    pub fn start(&self) -> Write {
        Write::Append(self.start.clone())
    }

    /// The next fragment: `units` in arrival order; `ends` gives, per track, the decode time of the
    /// unit that follows, when known. Payloads are shared, not copied. Empty units, damaged ones
    /// and those of tracks not carried are left out.
    ///
    /// # Errors
    /// [`Error::Empty`] without a unit to write, [`Error::TooLarge`], [`Error::UnitTooLarge`],
    /// [`Error::FileTooLarge`]; the fragment is left out.
    pub fn fragment(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
    ) -> Result<Write, Error> {
        let longest = units.iter().map(|unit| unit.payload.len()).max();
        if longest.is_some_and(|len| len > MAX_SAMPLE) {
            let bytes = longest.unwrap_or_default() as u64;
            return Err(Error::UnitTooLarge { bytes });
        }
        // A fragment has less than 4 GiB.
        if self.position + (1 << 32) > MAX_OFFSET {
            return Err(Error::FileTooLarge {
                bytes: self.position,
            });
        }
        let fragment = self.muxer.prepare(units, ends)?;
        let mut offset = self.position + fragment.head.len() as u64;
        for run in &fragment.runs {
            let Some(index) = self.indexes.get_mut(run.track) else {
                continue;
            };
            for sample in &run.samples {
                let size = sample.payload.len() as u32;
                index.push(NewSample {
                    offset,
                    size,
                    dts: sample.dts,
                    pts: sample.pts,
                    role: sample.role,
                    description: 1,
                });
                offset += u64::from(size);
            }
        }
        self.position = offset;
        Ok(Write::Append(fragment.slices()))
    }

    /// Turns the file into an ordinary one. `ends` as in [`fragment`](Self::fragment).
    #[must_use]
    pub fn finish(mut self, ends: &[(TrackId, Dts)]) -> Vec<Write> {
        let shift = self.muxer.shift();
        for (track, index) in self.muxer.tracks().zip(&mut self.indexes) {
            let end = ends.iter().find(|(id, _)| *id == track.id);
            let end = end.map(|(_, dts)| track.ticks(dts.0, shift));
            index.finish(end, track.frame_duration);
        }
        let heads: Vec<&TrackHead> = self.muxer.tracks().map(|track| &track.head).collect();
        let indexed: Vec<Indexed<'_>> = heads.into_iter().zip(&self.indexes).collect();
        finishing_writes(&indexed, self.origin, shift, self.free, self.position)
    }
}

/// The index behind the media, then the sixteen bytes at `free` that make an `mdat` of everything
/// between. `base`: seconds that were added to all times.
pub(super) fn finishing_writes(
    tracks: &[Indexed<'_>],
    origin: Origin,
    base: i64,
    free: u64,
    position: u64,
) -> Vec<Write> {
    let mut header = Vec::new();
    put_mdat_header(&mut header, position - free);
    vec![
        Write::Append(vec![moov(tracks, 0, origin, base)]),
        // The index must be there when the fragments are gone.
        Write::Sync,
        Write::Overwrite {
            at: free,
            bytes: header.into(),
        },
        Write::Sync,
    ]
}
