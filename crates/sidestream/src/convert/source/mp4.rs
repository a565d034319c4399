//! MP4 files to events.

use remux::mp4::{Demuxer, Input, Step};
use remux::{Event, LeftOut};

use super::{Container, Reader};
use crate::convert::Error;

/// Reads where the demuxer asks.
pub(super) struct Mp4 {
    reader: Reader,
    demuxer: Demuxer,
}

impl Mp4 {
    pub(super) fn new(reader: Reader) -> Self {
        let input = match reader.len {
            Some(len) => Input::File { len },
            None => Input::Pipe,
        };
        Self {
            demuxer: Demuxer::new(input),
            reader,
        }
    }
}

impl Container for Mp4 {
    fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            let step = self.demuxer.poll();
            match step.map_err(|error| Error::input(&self.reader.name, error))? {
                Step::Event(event) => return Ok(Some(event)),
                Step::End => return Ok(None),
                Step::Read { offset, len } => {
                    let bytes = self.reader.at(offset, len)?;
                    self.demuxer.push(bytes);
                }
            }
        }
    }

    fn position(&self) -> u64 {
        self.reader.position
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.demuxer.left_out().to_vec()
    }
}
