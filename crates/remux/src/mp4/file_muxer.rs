//! Ordinary MP4 in one go: media as it comes, the index at the end.
//!
//! ```text
//! Layout::IndexLast       ftyp | mdat, 64-bit size … | moov
//! Layout::Reserved(n)     ftyp | free, n bytes       | mdat …        moov replaces free when it fits
//! finish_in_front()       ftyp | moov | mdat …       for a second pass: the media is copied behind
//! ```
//!
//! The file is an MP4 only when it is finished: what must survive a crash is written by
//! [`super::Recorder`].

use std::ops::Range;

use bytes::Bytes;
use media::{AccessUnit, Dts, TrackId, TrackList};

use super::boxes::{put_u32, put_u64};
use super::index::{Index, MAX_OFFSET, MAX_SAMPLE, NewSample};
use super::init;
use super::moov::{Indexed, Origin, moov};
use super::track::{OutTrack, carried};
use super::{Error, Write};
use crate::LeftOut;

/// Bytes of an `mdat` header with a 64-bit size.
pub(super) const MDAT_HEADER_LEN: u64 = 16;
/// Brands of ordinary files besides those of fragmented ones.
pub(super) const BRANDS: [&[u8; 4]; 2] = [b"isom", b"mp42"];

/// Where the index of the file goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Behind the media.
    #[default]
    IndexLast,
    /// In front, in this many bytes that are kept free for it; behind the media if it does not
    /// fit. A sample takes 4 to 24 bytes.
    Reserved(u32),
}

/// A file whose index is in front, as a second pass writes it: these bytes, then the media of the
/// first file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// `ftyp`, `moov` and the header of `mdat`.
    pub head: Bytes,
    /// Which bytes of the first file follow.
    pub media: Range<u64>,
}

/// Writes an ordinary MP4.
///
/// Contract: [`push`](Self::push) units in the order that they shall have in the file, each track's
/// in decode order; [`poll`](Self::poll) as often as wanted gives what is to be written, payloads
/// shared; [`finish`](Self::finish) ends the file. Memory: payloads until they are polled, and at
/// most 24 bytes a sample.
#[derive(Debug)]
pub struct FileMuxer {
    tracks: Vec<FileTrack>,
    origin: Origin,
    layout: Layout,
    ftyp: Bytes,
    /// Where the media begins.
    media: u64,
    /// Bytes of the file so far, polled or not.
    position: u64,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    damaged: u64,
}

#[derive(Debug)]
struct FileTrack {
    track: OutTrack,
    index: Index,
    /// Which sample entry is in force; the first is 1.
    description: u16,
}

impl FileMuxer {
    /// A muxer of the tracks that MP4 can carry; the others come back with the reason.
    #[must_use]
    pub fn new(tracks: &TrackList, origin: Origin, layout: Layout) -> (Self, Vec<LeftOut>) {
        let (tracks, left_out) = carried(tracks);
        let ftyp = init::ftyp(&tracks, &BRANDS);
        let mut head = Vec::new();
        if let Layout::Reserved(len) = layout {
            put_free(&mut head, len);
        }
        let media = ftyp.len() as u64 + head.len() as u64 + MDAT_HEADER_LEN;
        put_mdat_header(&mut head, MDAT_HEADER_LEN);
        let head = Bytes::from(head);
        let tracks = tracks.into_iter().map(|track| FileTrack {
            track,
            index: Index::default(),
            description: 1,
        });
        let muxer = Self {
            tracks: tracks.collect(),
            origin,
            layout,
            media,
            position: media,
            pending_bytes: ftyp.len() + head.len(),
            pending: vec![ftyp.clone(), head],
            ftyp,
            damaged: 0,
        };
        (muxer, left_out)
    }

    /// Whether no track is carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Units left out so far because their NAL unit lengths do not add up.
    #[must_use]
    pub fn damaged_units(&self) -> u64 {
        self.damaged
    }

    /// Bytes that the next [`poll`](Self::poll) gives.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Bytes of memory that the index takes.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.tracks.iter().map(|track| track.index.memory()).sum()
    }

    /// From here on the tracks are these. A new configuration of the same codec becomes one more
    /// sample entry (§8.5.2); a track that is gone may come back.
    ///
    /// # Errors
    /// [`Error::Changed`]: a track is new, has another codec, or cannot be carried any more. Nothing
    /// has changed then.
    pub fn set_tracks(&mut self, tracks: &TrackList) -> Result<(), Error> {
        let (new, left_out) = carried(tracks);
        let changed = |track, reason| Error::Changed { track, reason };
        for lost in &left_out {
            if self.tracks.iter().any(|known| known.track.id == lost.track) {
                return Err(changed(lost.track, "it cannot be carried any more"));
            }
        }
        for track in &new {
            let known = self.tracks.iter().find(|known| known.track.id == track.id);
            let known = known.ok_or_else(|| changed(track.id, "it is new"))?;
            if known.track.codec != track.codec {
                return Err(changed(track.id, "its codec"));
            }
            if known.track.head.entries.len() >= usize::from(u16::MAX) {
                return Err(changed(track.id, "its configuration, too often"));
            }
        }
        for track in new {
            let known = self.tracks.iter_mut();
            if let Some(known) = known.into_iter().find(|known| known.track.id == track.id) {
                known.describe(track);
            }
        }
        Ok(())
    }

    /// Adds a unit. Empty ones, damaged ones and those of tracks not carried are left out.
    ///
    /// # Errors
    /// [`Error::UnitTooLarge`] and [`Error::FileTooLarge`]; the unit is left out.
    pub fn push(&mut self, unit: &AccessUnit) -> Result<(), Error> {
        let track = self
            .tracks
            .iter_mut()
            .find(|known| known.track.id == unit.track);
        let Some(FileTrack {
            track,
            index,
            description,
        }) = track
        else {
            return Ok(());
        };
        let bytes = unit.payload.len() as u64;
        if bytes == 0 {
            return Ok(());
        }
        if !track.is_sound(unit) {
            self.damaged += 1;
            return Ok(());
        }
        let size = u32::try_from(bytes)
            .ok()
            .filter(|&size| size as usize <= MAX_SAMPLE);
        let size = size.ok_or(Error::UnitTooLarge { bytes })?;
        if self.position + bytes > MAX_OFFSET {
            return Err(Error::FileTooLarge {
                bytes: self.position,
            });
        }
        index.push(NewSample {
            offset: self.position,
            size,
            dts: track.ticks(unit.dts.0, 0),
            pts: track.ticks(unit.pts().0, 0),
            role: unit.role,
            description: *description,
        });
        self.position += bytes;
        self.pending_bytes += unit.payload.len();
        self.pending.push(unit.payload.clone());
        Ok(())
    }

    /// What is to be written now; `None`: nothing.
    pub fn poll(&mut self) -> Option<Write> {
        self.pending_bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        (!pending.is_empty()).then_some(Write::Append(pending))
    }

    /// Ends the file. `ends`: decode time behind the last unit of a track, where it is known;
    /// without it the last lasts as long as the one before.
    #[must_use]
    pub fn finish(mut self, ends: &[(TrackId, Dts)]) -> Vec<Write> {
        self.end(ends);
        let mut writes: Vec<Write> = self.poll().into_iter().collect();
        let moov = moov(&self.indexed(), 0, self.origin, 0);
        let mut header = Vec::new();
        put_mdat_header(&mut header, self.position - self.media + MDAT_HEADER_LEN);
        let header_at = self.media - MDAT_HEADER_LEN;
        writes.push(Write::Overwrite {
            at: header_at,
            bytes: header.into(),
        });
        match self.layout {
            Layout::Reserved(len) if fits(moov.len(), len) => {
                let mut front = moov.to_vec();
                put_free(&mut front, len - moov.len() as u32);
                writes.push(Write::Overwrite {
                    at: self.ftyp.len() as u64,
                    bytes: front.into(),
                });
            }
            _ => writes.push(Write::Append(vec![moov])),
        }
        writes
    }

    /// Ends the file for a second pass that puts the index in front: what is still to be written to
    /// the first file, and how the second begins.
    #[must_use]
    pub fn finish_in_front(mut self, ends: &[(TrackId, Dts)]) -> (Option<Write>, Front) {
        self.end(ends);
        let last = self.poll();
        let indexed = self.indexed();
        // The moov's own length moves the media, and offsets beyond 32 bits lengthen the moov: it
        // grows once at most.
        let mut len = moov(&indexed, 0, self.origin, 0).len();
        let rendered = loop {
            let media = self.ftyp.len() as u64 + len as u64 + MDAT_HEADER_LEN;
            let move_media = media.cast_signed() - self.media.cast_signed();
            let rendered = moov(&indexed, move_media, self.origin, 0);
            if rendered.len() == len {
                break rendered;
            }
            len = rendered.len();
        };
        let mut head = self.ftyp.to_vec();
        head.extend_from_slice(&rendered);
        put_mdat_header(&mut head, self.position - self.media + MDAT_HEADER_LEN);
        let front = Front {
            head: head.into(),
            media: self.media..self.position,
        };
        (last, front)
    }

    fn end(&mut self, ends: &[(TrackId, Dts)]) {
        for FileTrack { track, index, .. } in &mut self.tracks {
            let end = ends.iter().find(|(id, _)| *id == track.id);
            let end = end.map(|(_, dts)| track.ticks(dts.0, 0));
            index.finish(end, track.frame_duration);
        }
    }

    fn indexed(&self) -> Vec<Indexed<'_>> {
        let tracks = self.tracks.iter();
        tracks
            .map(|track| (&track.track.head, &track.index))
            .collect()
    }
}

impl FileTrack {
    /// Takes over what a later track list says.
    fn describe(&mut self, new: OutTrack) {
        let Some(entry) = new.head.entries.first() else {
            return;
        };
        let entries = &mut self.track.head.entries;
        let at = entries.iter().position(|known| known == entry);
        let at = at.unwrap_or_else(|| {
            entries.push(entry.clone());
            entries.len() - 1
        });
        // Their number is checked before.
        self.description = u16::try_from(at + 1).unwrap_or(u16::MAX);
        self.track.source = new.source;
        self.track.nal_length_size = new.nal_length_size;
        self.track.frame_duration = new.frame_duration;
    }
}

/// Whether a box of `len` bytes fits into `free` of them, exactly or with a box behind it.
fn fits(len: usize, free: u32) -> bool {
    let free = free as usize;
    len == free
        || len
            .checked_add(8)
            .is_some_and(|with_header| with_header <= free)
}

/// A `free` box of this length; nothing where that is less than a header.
pub(super) fn put_free(out: &mut Vec<u8>, len: u32) {
    if len >= 8 {
        put_u32(out, len);
        out.extend_from_slice(b"free");
        out.resize(out.len() + len as usize - 8, 0);
    }
}

/// The header of an `mdat` with a 64-bit size, which counts the header.
pub(super) fn put_mdat_header(out: &mut Vec<u8>, len: u64) {
    put_u32(out, 1);
    out.extend_from_slice(b"mdat");
    put_u64(out, len);
}
