//! FLV and MPEG-TS to events: containers that are read from front to back.

use bytes::Bytes;
use remux::{Event, LeftOut, flv, ts};

use super::{Container, Reader};
use crate::convert::Error;

/// A demuxer that takes bytes as they come.
pub(super) trait Demuxer {
    type Error: std::error::Error + Send + Sync + 'static;

    fn poll(&mut self) -> Result<Option<Event>, Self::Error>;
    fn push(&mut self, bytes: Bytes);
    fn finish(&mut self);

    fn left_out(&self) -> &[LeftOut] {
        &[]
    }

    fn programs(&self) -> (Vec<ts::Program>, Option<u16>) {
        (Vec::new(), None)
    }
}

impl Demuxer for flv::FileDemuxer {
    type Error = flv::Error;

    fn poll(&mut self) -> Result<Option<Event>, Self::Error> {
        self.poll()
    }

    fn push(&mut self, bytes: Bytes) {
        self.push(bytes);
    }

    fn finish(&mut self) {
        self.finish();
    }
}

/// Reads the first program that has media.
impl Demuxer for ts::Demuxer {
    type Error = ts::NotTs;

    fn poll(&mut self) -> Result<Option<Event>, Self::Error> {
        self.poll()
    }

    fn push(&mut self, bytes: Bytes) {
        self.push(bytes);
    }

    fn finish(&mut self) {
        self.finish();
    }

    fn left_out(&self) -> &[LeftOut] {
        self.left_out()
    }

    fn programs(&self) -> (Vec<ts::Program>, Option<u16>) {
        (self.programs().to_vec(), self.program())
    }
}

/// Reads from front to back.
pub(super) struct Streamed<D> {
    reader: Reader,
    demuxer: D,
    ended: bool,
}

impl<D: Demuxer + Default> Streamed<D> {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            demuxer: D::default(),
            ended: false,
        }
    }
}

impl<D: Demuxer> Container for Streamed<D> {
    fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let event = self.demuxer.poll();
            let event = event.map_err(|error| Error::input(&self.reader.name, error))?;
            if event.is_some() || self.ended {
                return Ok(event);
            }
            let bytes = self.reader.next()?;
            if bytes.is_empty() {
                self.ended = true;
                self.demuxer.finish();
            } else {
                self.demuxer.push(bytes);
            }
        }
    }

    fn position(&self) -> u64 {
        self.reader.position
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.demuxer.left_out().to_vec()
    }

    fn programs(&self) -> (Vec<ts::Program>, Option<u16>) {
        self.demuxer.programs()
    }
}
