//! Recordings that were cut off: finished after the fact, from their headers alone.
//!
//! ```text
//! found    ftyp | free 16 | moov, mvex | moof | mdat | … | moof | mdat, cut off
//! becomes  ftyp | mdat                                   | moov
//! ```
//!
//! The file is cut behind its last whole fragment; the index is made of the `moof` boxes. Nothing
//! of the media is read. A fragmented file that [`super::Recorder`] did not write has no room for
//! the header of one `mdat`: it is cut, and stays fragmented.

use std::ops::Range;

use bytes::Bytes;
use media::{Rounding, Timescale};

use super::DemuxError;
use super::Write;
use super::boxes::{Header, Parsed, children};
use super::cache::Cache;
use super::file_muxer::MDAT_HEADER_LEN;
use super::index::{Index, MAX_OFFSET, MAX_SAMPLE, NewSample};
use super::moov::{Indexed, Origin, TrackHead};
use super::movie::Movie;
use super::recorder::finishing_writes;
use super::runs::{Defaults, TrackFragment};

/// Bytes that are asked for at once: a few headers.
const READ_LEN: u64 = 16 << 10;
/// Longest `moov` or `moof`. Threat: it is held in memory; a fragment of a second has some KiB.
const MAX_INDEX: u64 = 64 << 20;

/// What a [`Repair`] wants or found.
#[derive(Clone, Debug)]
pub enum RepairStep {
    /// [`Repair::push`] bytes from `offset` on, at most `len` of them; fewer are enough.
    Read {
        /// Bytes from the start of the file.
        offset: u64,
        /// Between 1 and 64 MiB.
        len: usize,
    },
    /// All was read.
    Done(Repaired),
}

/// What is to be done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// To be done in order; empty: the file is sound as it is.
    pub writes: Vec<Write>,
    /// Bytes that are cut off.
    pub lost: Range<u64>,
    /// Whole fragments in the file; with none of them there is nothing worth keeping.
    pub fragments: u64,
    /// Samples in the file.
    pub samples: u64,
    /// Where the last sample of the longest track ends, in milliseconds of decode time; `None` for a
    /// file that was not looked through because it is finished.
    pub end_ms: Option<i64>,
    /// Whether it is an ordinary file then.
    pub is_finished: bool,
}

/// Finds out how a file is repaired.
///
/// Contract: [`poll`](Self::poll), and [`push`](Self::push) what it asks for, until it is done.
#[derive(Debug)]
pub struct Repair {
    len: u64,
    origin: Origin,
    cache: Cache,
    asked: Option<u64>,
    at: u64,
    /// Where the `free` box is, or the header that has replaced it.
    free: Option<u64>,
    movie: Option<(Movie, Vec<Index>)>,
    /// The fragment whose `mdat` comes next.
    moof: Option<Fragment>,
    /// Behind the last whole fragment.
    sound: u64,
    fragments: u64,
}

#[derive(Debug)]
struct Fragment {
    at: u64,
    body: Bytes,
}

/// Why a step ends.
enum Stop {
    /// Bytes from here.
    Want(u64, u64),
    /// What is sound ends.
    End,
    /// The file is finished.
    Finished,
    Error(DemuxError),
}

impl Repair {
    /// A repair of a file of `len` bytes. `origin`: as the recording had it; with [`Origin::Kept`]
    /// and negative times, which are moved by whole seconds in fragments, they stay moved.
    #[must_use]
    pub fn new(len: u64, origin: Origin) -> Self {
        Self {
            len,
            origin,
            cache: Cache::default(),
            asked: None,
            at: 0,
            free: None,
            movie: None,
            moof: None,
            sound: 0,
            fragments: 0,
        }
    }

    /// Takes what was read where [`RepairStep::Read`] asked; empty: the file ends there.
    pub fn push(&mut self, bytes: Bytes) {
        match self.asked.take() {
            Some(offset) if bytes.is_empty() => self.len = offset,
            Some(offset) => self.cache.insert(offset, bytes),
            None => {}
        }
    }

    /// What comes next.
    ///
    /// # Errors
    /// The file has no `moov` that could be used, so nothing of it can be played.
    pub fn poll(&mut self) -> Result<RepairStep, DemuxError> {
        loop {
            match self.step() {
                Ok(()) => {}
                Err(Stop::Want(offset, len)) => {
                    self.asked = Some(offset);
                    let len = len.min(self.len - offset);
                    // At most MAX_INDEX.
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    return Ok(RepairStep::Read { offset, len });
                }
                Err(Stop::End) => return self.done().map(RepairStep::Done),
                Err(Stop::Finished) => {
                    return Ok(RepairStep::Done(Repaired {
                        writes: Vec::new(),
                        lost: self.len..self.len,
                        fragments: self.fragments,
                        samples: self.samples(),
                        end_ms: None,
                        is_finished: true,
                    }));
                }
                Err(Stop::Error(error)) => return Err(error),
            }
        }
    }

    fn fetch(&mut self, offset: u64, len: u64) -> Result<Bytes, Stop> {
        if offset.saturating_add(len) > self.len {
            return Err(Stop::End);
        }
        let whole = usize::try_from(len).map_err(|_| Stop::End)?;
        self.cache.get(offset, whole).map_err(|missing| {
            self.cache.trim(&(offset..offset + len));
            Stop::Want(missing, READ_LEN.max(offset + len - missing))
        })
    }

    fn header(&mut self, at: u64) -> Result<Header, Stop> {
        let parsed = match Header::parse(&self.fetch(at, 8)?) {
            Parsed::Short(len) => Header::parse(&self.fetch(at, len as u64)?),
            parsed => parsed,
        };
        match parsed {
            Parsed::Header(header) => Ok(header),
            _ => Err(Stop::End),
        }
    }

    fn step(&mut self) -> Result<(), Stop> {
        let at = self.at;
        let header = self.header(at)?;
        // The demuxer finds nothing behind it, either.
        if !header.is_named() {
            return Err(Stop::End);
        }
        let end = at.saturating_add(header.len.unwrap_or(u64::MAX));
        let body = at + header.header_len;
        match &header.kind {
            b"moov" if self.movie.is_none() => {
                let bytes = self.index_box(header, at, body, end)?;
                let movie = Movie::read(&bytes);
                if !movie.is_fragmented || movie.has_samples {
                    // An ordinary file.
                    return Err(Stop::Finished);
                }
                let indexes = vec![Index::default(); movie.tracks.len()];
                self.movie = Some((movie, indexes));
                self.sound = end;
            }
            // The index that was about to finish the file.
            b"moov" => return Err(Stop::End),
            b"moof" if self.movie.is_some() => {
                let body = self.index_box(header, at, body, end)?;
                self.moof = Some(Fragment { at, body });
            }
            b"mdat" if self.moof.is_some() => {
                if end > self.len {
                    return Err(Stop::End);
                }
                if let Some(fragment) = self.moof.take() {
                    self.add(&fragment, end)?;
                }
                self.sound = end;
                self.fragments += 1;
            }
            b"mdat" if self.movie.is_none() && header.header_len == MDAT_HEADER_LEN => {
                let inner = self.header(body)?;
                if inner.kind == *b"moov" {
                    // A finished recording, when its index is whole.
                    match self.header(end) {
                        Ok(last) if last.kind == *b"moov" => {
                            let last_end = end.saturating_add(last.len.unwrap_or(u64::MAX));
                            if last_end <= self.len {
                                return Err(Stop::Finished);
                            }
                        }
                        Ok(_) | Err(Stop::End) => {}
                        Err(stop) => return Err(stop),
                    }
                    self.free = Some(at);
                    self.at = body;
                    return Ok(());
                }
            }
            b"free" if self.movie.is_none() && end - at == MDAT_HEADER_LEN => self.free = Some(at),
            _ => {}
        }
        if end > self.len {
            return Err(Stop::End);
        }
        self.at = end;
        Ok(())
    }

    /// The body of a box that is read whole.
    fn index_box(&mut self, header: Header, at: u64, body: u64, end: u64) -> Result<Bytes, Stop> {
        let len = end.saturating_sub(at);
        if end <= self.len && len > MAX_INDEX {
            return Err(Stop::Error(DemuxError::TooLarge {
                kind: header.kind,
                offset: at,
                len,
                max: MAX_INDEX,
            }));
        }
        self.fetch(body, end - body)
    }

    /// Adds a fragment's samples, all of which must lie in it.
    fn add(&mut self, fragment: &Fragment, end: u64) -> Result<(), Stop> {
        let Some((movie, indexes)) = &mut self.movie else {
            return Ok(());
        };
        let mut previous = fragment.at;
        let mut found = Vec::new();
        for (_, traf) in children(&fragment.body).filter(|(kind, _)| kind == b"traf") {
            let index = |number| movie.tracks.iter().position(|track| track.number == number);
            let defaults = |number| {
                let track = index(number).and_then(|n| movie.tracks.get(n));
                track.map_or_else(Defaults::default, |track| track.defaults)
            };
            let Some(traf) = TrackFragment::read(&traf, defaults) else {
                return Err(Stop::End);
            };
            let track = index(traf.number).and_then(|n| Some((n, movie.tracks.get(n)?.end)));
            let start = traf.start.or(track.map(|(_, end)| end)).unwrap_or(0);
            let (samples, data_end) = traf.samples(fragment.at, previous, start);
            previous = data_end;
            if let Some((n, _)) = track {
                // Before any of them is added: their number is bounded by the bytes they lie in.
                if samples
                    .clone()
                    .any(|sample| sample.end() > end || sample.size == 0)
                {
                    return Err(Stop::End);
                }
                found.push((n, samples));
            }
        }
        for (n, mut samples) in found {
            let (Some(index), Some(track)) = (indexes.get_mut(n), movie.tracks.get_mut(n)) else {
                continue;
            };
            for sample in samples.by_ref() {
                if sample.size as usize > MAX_SAMPLE || sample.end() > MAX_OFFSET {
                    return Err(Stop::End);
                }
                index.push(NewSample {
                    offset: sample.offset,
                    size: sample.size,
                    dts: sample.dts,
                    pts: sample.dts.saturating_add(sample.composition_offset),
                    role: sample.role,
                    description: u16::try_from(sample.description).unwrap_or(1),
                });
            }
            track.end = samples.end();
        }
        Ok(())
    }

    fn samples(&self) -> u64 {
        let indexes = self.movie.iter().flat_map(|(_, indexes)| indexes);
        indexes.map(|index| index.len() as u64).sum()
    }

    fn done(&mut self) -> Result<Repaired, DemuxError> {
        let samples = self.samples();
        let Some((movie, mut indexes)) = self.movie.take() else {
            return Err(DemuxError::NoMovie { len: self.len });
        };
        let mut writes = Vec::new();
        if self.sound < self.len {
            writes.push(Write::Truncate { len: self.sound });
        }
        let ends = movie.tracks.iter().map(|track| {
            let (end, timescale) = (track.end, track.timescale);
            timescale.convert(end, Timescale::MILLIS, Rounding::Nearest)
        });
        let end_ms = ends.max();
        // A track that cannot be described again would be lost by a new index.
        let is_ours = self.free.is_some() && movie.left_out.is_empty();
        let is_finished = is_ours && self.fragments > 0;
        if let (true, Some(free)) = (is_finished, self.free) {
            for (track, index) in movie.tracks.iter().zip(&mut indexes) {
                index.finish(Some(track.end), 1);
            }
            let heads: Vec<TrackHead> = movie.tracks.iter().map(|track| track.head()).collect();
            let indexed: Vec<Indexed<'_>> = heads.iter().zip(&indexes).collect();
            writes.extend(finishing_writes(&indexed, self.origin, 0, free, self.sound));
        }
        Ok(Repaired {
            writes,
            lost: self.sound..self.len,
            fragments: self.fragments,
            samples,
            end_ms,
            is_finished,
        })
    }
}
