//! FLV files.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Dts, Headers, TrackList};
use remux::{LeftOut, flv};

use super::{Begin, Finished, Sink, ninety_khz};
use crate::convert::Error;
use crate::convert::output::Output;

/// A place in the index for this many bytes of the input: key frames seldom come more often.
const INDEXED_BYTES: u64 = 32 << 10;
/// Places in the index, at least and at most: 2 h with a key frame every 2 s.
const MIN_INDEX: usize = 32;
const MAX_INDEX: usize = 3_600;

/// Writes tags; the source's own bodies where it is FLV.
pub(super) struct Flv {
    output: Output,
    muxer: Muxer,
    headers: Headers,
    /// Milliseconds of the last unit.
    last: Dts,
    pieces: Vec<Bytes>,
}

enum Muxer {
    /// With an index, which is filled in at the end.
    File(Box<flv::FileMuxer>),
    /// What was written cannot be changed.
    Pipe(flv::Muxer),
}

impl Flv {
    pub(super) fn new(output: Output, begin: &Begin<'_>) -> Result<Self, Error> {
        let headers = Headers {
            tracks: Arc::clone(begin.tracks),
            metadata: begin.metadata.clone(),
            ..Headers::default()
        };
        let places = begin.bytes_total.map_or(MAX_INDEX, |bytes| {
            usize::try_from(bytes / INDEXED_BYTES).unwrap_or(MAX_INDEX)
        });
        let muxer = match output.is_file() {
            true => {
                let places = places.clamp(MIN_INDEX, MAX_INDEX);
                Muxer::File(Box::new(flv::FileMuxer::new(places)))
            }
            false => Muxer::Pipe(flv::Muxer::new()),
        };
        let mut flv = Self {
            output,
            muxer,
            last: Dts(begin.first.max(0).div_euclid(90)),
            headers,
            pieces: Vec::new(),
        };
        match &mut flv.muxer {
            Muxer::File(muxer) => {
                let write = muxer.start(&flv.headers, flv.last);
                flv.output.apply(write)?;
            }
            Muxer::Pipe(muxer) => muxer.start(&flv.headers, flv.last, &mut flv.pieces),
        }
        flv.append()?;
        Ok(flv)
    }

    fn append(&mut self) -> Result<(), Error> {
        self.pieces
            .drain(..)
            .try_for_each(|piece| self.output.append(piece))
    }
}

impl Sink for Flv {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        self.headers.tracks = Arc::clone(tracks);
        match &mut self.muxer {
            Muxer::File(muxer) => {
                let write = muxer.headers(&self.headers, self.last);
                self.output.apply(write)?;
            }
            Muxer::Pipe(muxer) => muxer.headers(&self.headers, self.last, &mut self.pieces),
        }
        self.append()?;
        Ok(Vec::new())
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        if let Some(track) = self.headers.tracks.get(unit.track) {
            self.last = Dts(ninety_khz(track, unit.dts.0).div_euclid(90));
        }
        match &mut self.muxer {
            Muxer::File(muxer) => self.output.apply(muxer.unit(&unit)),
            Muxer::Pipe(muxer) => {
                muxer.unit(&unit, &mut self.pieces);
                self.append()
            }
        }
    }

    fn data(&mut self, message: &Arc<DataMessage>) -> Result<(), Error> {
        // The file has a description of its own.
        if message.is_metadata() {
            return Ok(());
        }
        match &mut self.muxer {
            Muxer::File(muxer) => self.output.apply(muxer.data(message)),
            Muxer::Pipe(muxer) => {
                muxer.data(message, &mut self.pieces);
                self.append()
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, Error> {
        if let Muxer::File(muxer) =
            std::mem::replace(&mut self.muxer, Muxer::Pipe(flv::Muxer::new()))
        {
            for write in muxer.finish() {
                self.output.apply(write)?;
            }
        }
        Ok(Finished {
            bytes: self.output.finish()?,
            ..Finished::default()
        })
    }
}
