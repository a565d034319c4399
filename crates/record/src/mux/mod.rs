//! Containers behind one face: units in, steps of writing out. Pure: no file, no clock.

mod adts;
mod flv;
mod hls;
mod mp4;
mod ts;

use std::collections::VecDeque;

use bytes::Bytes;
use media::{AccessUnit, DataMessage, Extra, Headers};
use remux::LeftOut;
use remux::mp4::Write;

use crate::error::Error;
use crate::format::Format;

/// A step of writing, to be done in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// These bytes at the end of the file, one behind the other.
    Append(Bytes),
    /// Everything so far must be durable before what follows is written.
    Sync,
    /// These bytes in place of those that are there; the file does not grow.
    Overwrite { at: u64, bytes: Bytes },
    /// The file ends here.
    Truncate { len: u64 },
    /// Folders: the open file is complete; what is appended next goes into a new one of this name.
    /// The first step of a folder is one of these.
    Next { name: String },
    /// Folders: more text at the end of the playlist; the first such step creates it.
    List(Bytes),
    /// Folders: the whole playlist anew, in one go.
    Relist(Bytes),
}

/// Steps, in order.
#[derive(Debug, Default)]
pub(crate) struct Steps(VecDeque<Step>);

impl Steps {
    pub(crate) fn push(&mut self, step: Step) {
        self.0.push_back(step);
    }

    pub(crate) fn append(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.push(Step::Append(bytes));
        }
    }

    /// The steps of a muxer of files.
    pub(crate) fn write(&mut self, write: Write) {
        match write {
            Write::Append(pieces) => pieces.into_iter().for_each(|piece| self.append(piece)),
            Write::Sync => self.push(Step::Sync),
            Write::Overwrite { at, bytes } => self.push(Step::Overwrite { at, bytes }),
            Write::Truncate { len } => self.push(Step::Truncate { len }),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Step> {
        self.0.pop_front()
    }

    pub(crate) fn is_append(&self) -> bool {
        matches!(self.0.front(), Some(Step::Append(_)))
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Writes one file, or folder, of one set of codec configurations.
///
/// Contract: [`Mux::start`] once, then units in the stream's order, their times counted from the
/// beginning of the file (milliseconds and track ticks; slightly negative ones are possible);
/// [`Mux::finish`] at the end.
pub(crate) trait Mux: Send {
    /// The beginning of the file.
    fn start(&mut self, out: &mut Steps);

    /// One access unit. `join`: a reader could start here.
    fn unit(&mut self, unit: &AccessUnit, join: bool, out: &mut Steps);

    /// A data message of the publisher.
    fn data(&mut self, _message: &DataMessage, _out: &mut Steps) {}

    /// What the publisher says about a track besides its configuration, at `ms` of the file.
    fn extra(&mut self, _extra: &Extra, _ms: i64, _out: &mut Steps) {}

    /// The timeline broke, or units are missing.
    fn discontinuity(&mut self, _out: &mut Steps) {}

    /// Everything that was held back.
    fn flush(&mut self, _out: &mut Steps) {}

    /// The end of the file; `end_ms` is where the last unit ends.
    fn finish(&mut self, end_ms: i64, out: &mut Steps);

    /// Media time of the file from which on units wait here and are not in the steps, at `end_ms` of
    /// the file.
    fn held_from(&self, end_ms: i64) -> i64 {
        end_ms
    }

    /// Where the open segment of a folder began, in milliseconds of the file.
    fn segment_ms(&self) -> i64 {
        0
    }
}

/// A muxer for a stream with these headers, and the tracks that it leaves out.
///
/// # Errors
/// [`Error::Tracks`] when it can carry none.
pub(crate) fn muxer(
    format: Format,
    headers: &Headers,
) -> Result<(Box<dyn Mux>, Vec<LeftOut>), Error> {
    let none = |left_out: &[LeftOut]| Error::Tracks {
        format: format.as_str(),
        why: match left_out.first() {
            Some(one) => format!("{}: {}", one.codec, one.reason),
            None => "there is none".to_owned(),
        },
    };
    let (muxer, left_out, is_empty): (Box<dyn Mux>, _, _) = match format {
        Format::Flv => {
            let muxer = flv::Flv::new(headers);
            (Box::new(muxer), Vec::new(), headers.tracks.is_empty())
        }
        Format::Mp4 => {
            let (muxer, left_out) = mp4::Mp4::new(&headers.tracks);
            let is_empty = muxer.is_empty();
            (Box::new(muxer), left_out, is_empty)
        }
        Format::Ts => {
            let (muxer, left_out) = ts::Ts::new(&headers.tracks);
            let is_empty = muxer.is_empty();
            (Box::new(muxer), left_out, is_empty)
        }
        Format::Hls | Format::HlsTs => {
            let (muxer, left_out) = hls::Hls::new(format, &headers.tracks);
            let is_empty = muxer.is_empty();
            (Box::new(muxer), left_out, is_empty)
        }
        Format::Aac => {
            let (muxer, left_out) = adts::Adts::new(&headers.tracks);
            let is_empty = muxer.is_empty();
            (Box::new(muxer), left_out, is_empty)
        }
    };
    if is_empty {
        return Err(none(&left_out));
    }
    Ok((muxer, left_out))
}

pub(crate) use hls::{PLAYLIST, Segment, playlist};
pub(crate) use mp4::ORIGIN;
