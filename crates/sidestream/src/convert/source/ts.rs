//! MPEG-TS to events.

use remux::Event;
use remux::ts::Demuxer;

use super::{Container, Reader};
use crate::convert::Error;

/// Reads the first program that has media.
pub(super) struct Ts {
    reader: Reader,
    demuxer: Demuxer,
    ended: bool,
}

impl Ts {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            demuxer: Demuxer::default(),
            ended: false,
        }
    }
}

impl Container for Ts {
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
}
