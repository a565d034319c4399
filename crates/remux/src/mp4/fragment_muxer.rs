//! Init segment and fragments for live outputs and recordings.
//!
//! ```text
//! init_segment()  ─▶ ftyp | moov
//! fragment()      ─▶ moof | mdat     one allocation; a segment, or a part of one
//! slices()        ─▶ moof | mdat     as slices: the units' own payloads, not copied
//! ```
//!
//! A track's number in the file is its id + 1. Its media timescale is the track's own, except that
//! millisecond clocks are scaled to 90 kHz: exact, and the same ticks as in MPEG-TS. There are no
//! edit lists; decode times are the units' own, and composition offsets are signed.
//!
//! With [`FragmentMuxer::protected`] samples are encrypted (`cbcs`): the one copy of the payload that
//! a fragment takes is encrypted where it lies.
//!
//! Timed metadata is `emsg` boxes in front of the fragment: [`FragmentMuxer::message`].
//!
//! Deliberately absent: `sidx`, `styp` (a fragment may be part of a segment).

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use media::{AccessUnit, Dts, Timescale, TrackId, TrackList};

use super::Error;
use super::boxes::{put_box, put_full_box, put_u32};
use super::cbcs::{self, Cover, Piece, Protection};
use super::emsg::event_message;
use super::fragment::{Guess, Run, Sample};
use super::init;
use super::track::{OutTrack, carried};
use crate::{LeftOut, TimedMetadata};

/// Bytes of the `mdat` header.
const MDAT_HEADER_LEN: usize = 8;

/// Writes init segment and fragments of one set of tracks.
///
/// Contract: one muxer per set of codec configurations; [`FragmentMuxer::fragment`] with all units
/// since the last call, in arrival order. After an error the next fragment can follow.
///
/// Decode times in MP4 are unsigned: when the first fragment has a negative one, all times of all
/// tracks are moved by the same whole number of seconds, for the life of the muxer. A decode time
/// that is still negative later is written as 0, with the presentation time exact.
#[derive(Debug)]
pub struct FragmentMuxer {
    tracks: Vec<Carried>,
    init: Bytes,
    /// Of the next fragment.
    sequence_number: u32,
    /// Seconds added to all times; set by the first fragment.
    shift: Option<i64>,
    rebase: Rebase,
    damaged: u64,
    guard: Guard,
    /// What goes in front of the next fragment.
    messages: Vec<TimedMetadata>,
}

/// Whether samples are encrypted.
#[derive(Debug)]
enum Guard {
    /// They are not.
    Open,
    /// They are, and there is no key yet: nothing can be written.
    Locked,
    /// With this.
    Sealed {
        present: Arc<Protection>,
        /// The key in the init segment.
        of_init: [u8; 16],
    },
}

/// Which first times are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rebase {
    /// Negative ones, which the boxes cannot say.
    NegativeOnly,
    /// All, so that the file begins within its first second.
    ToZero,
}

/// A track with the clock of its fragments.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) track: OutTrack,
    /// Ticks of the last sample written; at first what the configuration says of a frame.
    last_duration: u32,
    /// See [`Run::counted`].
    counted: Option<i64>,
    /// What of it is encrypted, where samples are.
    cover: Option<Cover>,
}

/// A fragment ready to be written.
#[derive(Debug)]
pub(super) struct Fragment<'a> {
    /// `moof` and the header of `mdat`.
    pub(super) head: Bytes,
    /// The samples behind it, run by run.
    pub(super) runs: Vec<FragmentRun<'a>>,
    /// Bytes of the whole.
    len: usize,
    /// With what the samples are encrypted, when they are joined.
    protection: Option<Arc<Protection>>,
}

/// One track's samples in a [`Fragment`].
#[derive(Debug)]
pub(super) struct FragmentRun<'a> {
    /// Index of the track.
    pub(super) track: usize,
    pub(super) samples: Vec<Sample<'a>>,
    run: Run,
    /// Of each sample what is encrypted; none where it is all.
    pieces: Vec<Vec<Piece>>,
}

impl Fragment<'_> {
    /// Puts boxes in front; offsets in a `moof` count from its own beginning.
    fn begin_with(&mut self, boxes: impl Iterator<Item = Bytes>) {
        let mut head = BytesMut::new();
        boxes.for_each(|bytes| head.put_slice(&bytes));
        self.len += head.len();
        head.put_slice(&self.head);
        self.head = head.freeze();
    }

    fn payloads(&self) -> impl Iterator<Item = &Bytes> {
        let samples = self.runs.iter().flat_map(|run| &run.samples);
        samples.map(|sample| sample.payload)
    }

    /// Head and payloads, which are shared.
    pub(super) fn slices(&self) -> Vec<Bytes> {
        if self.protection.is_some() {
            return vec![self.joined()];
        }
        let count = self.runs.iter().map(|run| run.samples.len()).sum::<usize>();
        let mut slices = Vec::with_capacity(1 + count);
        slices.push(self.head.clone());
        slices.extend(self.payloads().cloned());
        slices
    }

    /// Where the first sample of the track of this index ends, when a decoder can start at it.
    fn first_picture_end(&self, track: usize) -> Option<usize> {
        let index = self.runs.iter().position(|run| run.track == track)?;
        let (before, run) = (self.runs.get(..index)?, self.runs.get(index)?);
        let first = run.samples.first()?;
        let bytes: u64 = before.iter().map(|run| run.run.bytes).sum();
        let offset = self.head.len() + usize::try_from(bytes).ok()?;
        (first.role == media::FrameRole::RandomAccess).then_some(offset + first.payload.len())
    }

    fn joined(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.len);
        out.put_slice(&self.head);
        for run in &self.runs {
            let mut pieces = run.pieces.iter();
            for sample in &run.samples {
                let at = out.len();
                out.put_slice(sample.payload);
                let pieces = pieces.next().map_or(&[][..], |pieces| pieces);
                if let (Some(protection), Some(written)) = (&self.protection, out.get_mut(at..)) {
                    protection.encrypt(written, pieces);
                }
            }
        }
        debug_assert_eq!(out.len(), self.len, "reserved exactly");
        out.freeze()
    }
}

impl FragmentMuxer {
    /// A muxer of the tracks that MP4 can carry; the others come back with the reason.
    #[must_use]
    pub fn new(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let (tracks, left_out) = carried(tracks);
        (Self::of(tracks, Rebase::NegativeOnly), left_out)
    }

    /// A muxer that encrypts samples, of the tracks for which that is defined. Until
    /// [`FragmentMuxer::protect`] gives it a key it writes nothing.
    #[must_use]
    pub fn protected(tracks: &TrackList) -> (Self, Vec<LeftOut>) {
        let (mut muxer, mut left_out) = Self::new(tracks);
        muxer.guard = Guard::Locked;
        muxer.tracks.retain_mut(|carried| {
            let track = tracks.get(carried.track.id);
            let config = track.and_then(|track| track.config.as_ref().ok());
            match config.map(|config| Cover::of(carried.track.codec, config)) {
                Some(Ok(cover)) => {
                    carried.cover = Some(cover);
                    true
                }
                Some(Err(reason)) => {
                    left_out.push(LeftOut {
                        track: carried.track.id,
                        codec: carried.track.codec,
                        reason,
                    });
                    false
                }
                None => false,
            }
        });
        (muxer, left_out)
    }

    /// From the next fragment on samples are encrypted with this. The first key goes into the init
    /// segment; fragments with another one say so themselves. Of a muxer that is not
    /// [`FragmentMuxer::protected`] nothing changes.
    pub fn protect(&mut self, protection: &Protection) {
        let of_init = match &self.guard {
            Guard::Open => return,
            Guard::Sealed { of_init, .. } => *of_init,
            Guard::Locked => {
                let tracks: Vec<OutTrack> = self
                    .tracks
                    .iter()
                    .map(|carried| {
                        let mut track = carried.track.clone();
                        if let Some(cover) = &carried.cover {
                            let entries = track.head.entries.iter();
                            let sealed = entries.map(|entry| protection.entry(entry, cover));
                            track.head.entries = sealed.collect();
                        }
                        track
                    })
                    .collect();
                self.init = init::init_segment(&tracks);
                protection.key_id
            }
        };
        self.guard = Guard::Sealed {
            present: Arc::new(protection.clone()),
            of_init,
        };
    }

    /// A muxer of tracks that are carried.
    pub(super) fn of(tracks: Vec<OutTrack>, rebase: Rebase) -> Self {
        Self {
            init: init::init_segment(&tracks),
            tracks: tracks
                .into_iter()
                .map(|track| Carried {
                    last_duration: track.frame_duration,
                    counted: None,
                    track,
                    cover: None,
                })
                .collect(),
            sequence_number: 1,
            shift: None,
            rebase,
            damaged: 0,
            guard: Guard::Open,
            messages: Vec::new(),
        }
    }

    /// Puts an event message in front of the next fragment, with its time moved as all others are;
    /// in one that is encrypted it is in clear.
    pub fn message(&mut self, metadata: TimedMetadata) {
        self.messages.push(metadata);
    }

    /// The carried tracks.
    pub(super) fn tracks(&self) -> impl Iterator<Item = &OutTrack> {
        self.tracks.iter().map(|carried| &carried.track)
    }

    /// Seconds added to all times; 0 before the first fragment.
    pub(super) fn shift(&self) -> i64 {
        self.shift.unwrap_or(0)
    }

    /// Whether no track is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Whether units of this track are written.
    #[must_use]
    pub fn carries(&self, id: TrackId) -> bool {
        self.tracks().any(|track| track.id == id)
    }

    /// `ftyp` and `moov`; built once, shared. Of a muxer that encrypts it is true once there is a
    /// key.
    #[must_use]
    pub fn init_segment(&self) -> Bytes {
        self.init.clone()
    }

    /// RFC 6381 names of the carried tracks, in the order of the init segment.
    #[must_use]
    pub fn codec_strings(&self) -> Vec<String> {
        let names = self.tracks().map(|track| track.codec_string.clone());
        names.collect()
    }

    /// Units left out of fragments so far because their NAL unit lengths do not add up.
    #[must_use]
    pub fn damaged_units(&self) -> u64 {
        self.damaged
    }

    /// One `moof` and `mdat` of `units` in arrival order; `ends` gives, per track, the decode time
    /// of the unit that follows, when known: without it the last sample is as long as the one
    /// before, or as the configuration says where these are less than a millisecond apart. Empty units, damaged ones and units of tracks not carried are left out.
    ///
    /// Media bytes are copied once, into one allocation of exactly the fragment's size.
    ///
    /// # Errors
    /// [`Error::Empty`] without a unit to write; [`Error::TooLarge`]; [`Error::NoKey`] where samples
    /// are to be encrypted and there is no key.
    pub fn fragment(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
    ) -> Result<Bytes, Error> {
        self.prepare(units, ends).map(|fragment| fragment.joined())
    }

    /// As [`FragmentMuxer::fragment`], and how many of its first bytes hold the first sample of
    /// `video`, when that is a random access unit: who reads only so far can show that picture.
    ///
    /// # Errors
    /// As [`FragmentMuxer::fragment`].
    pub fn fragment_with_picture(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
        video: TrackId,
    ) -> Result<(Bytes, Option<usize>), Error> {
        let track = self.tracks().position(|track| track.id == video);
        let fragment = self.prepare(units, ends)?;
        let picture = track.and_then(|track| fragment.first_picture_end(track));
        Ok((fragment.joined(), picture))
    }

    /// The same fragment as slices to be written one behind the other: `moof` with the header of
    /// `mdat`, then the units' payloads, which are shared and not copied.
    ///
    /// # Errors
    /// As [`FragmentMuxer::fragment`].
    pub fn slices(
        &mut self,
        units: &[AccessUnit],
        ends: &[(TrackId, Dts)],
    ) -> Result<Vec<Bytes>, Error> {
        self.prepare(units, ends).map(|fragment| fragment.slices())
    }

    /// Lays a fragment out and numbers it.
    pub(super) fn prepare<'a>(
        &mut self,
        units: &'a [AccessUnit],
        ends: &[(TrackId, Dts)],
    ) -> Result<Fragment<'a>, Error> {
        if matches!(self.guard, Guard::Locked) {
            return Err(Error::NoKey);
        }
        let shift = self.shift.unwrap_or_else(|| self.shift_of(units));
        let mut runs = Vec::with_capacity(self.tracks.len());
        for (
            n,
            Carried {
                track,
                last_duration,
                counted,
                cover,
            },
        ) in self.tracks.iter().enumerate()
        {
            let mut damaged = 0;
            let samples: Vec<Sample<'_>> = units
                .iter()
                .filter(|unit| unit.track == track.id && !unit.payload.is_empty())
                .filter(|unit| {
                    let sound = track.is_sound(unit);
                    damaged += u64::from(!sound);
                    sound
                })
                .map(|unit| track.sample(unit, shift))
                .collect();
            self.damaged += damaged;
            if samples.is_empty() {
                continue;
            }
            let end = ends.iter().find(|(id, _)| *id == track.id);
            let end = end.map(|(_, dts)| track.ticks(dts.0, shift));
            let last = samples.last().map(|sample| sample.payload);
            let guess = Guess {
                lasts: last.and_then(|payload| track.plays(payload)),
                before: *last_duration,
                counted: *counted,
                nominal: (track.source == Timescale::MILLIS).then_some(track.frame_duration),
            };
            let run = Run::new(&samples, end, guess);
            let pieces = match cover {
                None | Some(Cover::Whole) => Vec::new(),
                Some(cover) => samples.iter().map(|s| cover.pieces(s.payload)).collect(),
            };
            runs.push(FragmentRun {
                track: n,
                run,
                samples,
                pieces,
            });
        }
        if runs.is_empty() {
            return Err(Error::Empty);
        }
        let mut fragment = self.lay_out(runs)?;
        self.shift = Some(shift);
        if !self.messages.is_empty() {
            let shift = shift.saturating_mul(Timescale::NINETY_KHZ.hz().into());
            let messages = self.messages.drain(..);
            fragment.begin_with(messages.map(|metadata| event_message(&metadata, shift)));
        }
        self.sequence_number = self.sequence_number.wrapping_add(1);
        for run in &fragment.runs {
            if let Some(track) = self.tracks.get_mut(run.track) {
                track.last_duration = run.run.last_duration;
                track.counted = Some(run.run.counted);
            }
        }
        Ok(fragment)
    }

    /// Whole seconds that make every decode time of `units` positive, and with [`Rebase::ToZero`]
    /// the first less than one.
    fn shift_of(&self, units: &[AccessUnit]) -> i64 {
        let seconds = units.iter().filter_map(|unit| {
            let track = self.tracks().find(|track| track.id == unit.track)?;
            Some(unit.dts.0.div_euclid(track.source.hz().into()))
        });
        let first = seconds.min().unwrap_or(0);
        match self.rebase {
            Rebase::NegativeOnly => first.min(0).saturating_neg(),
            Rebase::ToZero => first.saturating_neg(),
        }
    }

    /// Writes `moof` and the header of `mdat`.
    fn lay_out<'a>(&self, runs: Vec<FragmentRun<'a>>) -> Result<Fragment<'a>, Error> {
        let bytes = runs.iter().map(|run| run.run.bytes).sum();
        let too_large = || Error::TooLarge { bytes };
        let mut head =
            Vec::with_capacity(64 + runs.iter().map(|run| run.run.max_len()).sum::<usize>());
        // Where the data offset of each run stands: it counts from the start of the moof, whose
        // length is known when all is written.
        let mut offsets_at = Vec::with_capacity(runs.len());
        put_box(&mut head, b"moof", |out| {
            put_full_box(out, b"mfhd", 0, 0, |out| put_u32(out, self.sequence_number));
            for run in &runs {
                let carried = self.tracks.get(run.track);
                let number = carried.map_or(0, |t| t.track.head.number);
                let cover = carried.and_then(|t| t.cover.as_ref());
                let sealed = |out: &mut Vec<u8>| self.put_sealed(out, run, cover);
                offsets_at.push(run.run.put_traf(out, number, sealed));
            }
        });
        let mut offset = head.len() + MDAT_HEADER_LEN;
        for (at, run) in offsets_at.into_iter().zip(&runs) {
            let data_offset = i32::try_from(offset).map_err(|_| too_large())?;
            if let Some(place) = head.get_mut(at..at + 4) {
                place.copy_from_slice(&data_offset.to_be_bytes());
            }
            offset += usize::try_from(run.run.bytes).map_err(|_| too_large())?;
        }
        let mdat_len = u32::try_from(offset - head.len()).map_err(|_| too_large())?;
        put_u32(&mut head, mdat_len);
        head.extend_from_slice(b"mdat");
        Ok(Fragment {
            head: head.into(),
            runs,
            len: offset,
            protection: match &self.guard {
                Guard::Sealed { present, .. } => Some(Arc::clone(present)),
                Guard::Open | Guard::Locked => None,
            },
        })
    }

    /// What a track fragment says of its encryption.
    fn put_sealed(&self, out: &mut Vec<u8>, run: &FragmentRun<'_>, cover: Option<&Cover>) {
        let (Guard::Sealed { present, of_init }, Some(cover)) = (&self.guard, cover) else {
            return;
        };
        if present.key_id != *of_init {
            let count = u32::try_from(run.samples.len()).unwrap_or(u32::MAX);
            present.put_group(out, cover, count);
        }
        if !run.pieces.is_empty() {
            cbcs::put_pieces(out, &run.pieces);
        }
    }
}
