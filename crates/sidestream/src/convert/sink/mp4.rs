//! Ordinary MP4 files.

use std::sync::Arc;

use media::{AccessUnit, Track, TrackId, TrackList};
use remux::mp4::{self, FileMuxer, Origin};
use remux::{LeftOut, mp4::Layout};

use super::{Begin, Finished, Sink, advise};
use crate::convert::Error;
use crate::convert::output::{Output, WRITE_LEN};

/// Files that begin up to here keep their times, in ticks of 90 kHz: 1 s. Others, recorded from a
/// stream that had run for long, would begin with as much of nothing.
const KEPT_UP_TO: i64 = 90_000;

/// Writes media as it comes and the index at the end.
pub(super) struct Mp4 {
    output: Output,
    muxer: FileMuxer,
    in_front: bool,
    known: Vec<TrackId>,
}

impl Mp4 {
    pub(super) fn new(output: Output, begin: &Begin<'_>, in_front: bool) -> (Self, Vec<LeftOut>) {
        let origin = match (0..=KEPT_UP_TO).contains(&begin.first) {
            true => Origin::Kept,
            false => Origin::First,
        };
        let (muxer, left_out) = FileMuxer::new(begin.tracks, origin, Layout::IndexLast);
        let is_carried = |id| left_out.iter().all(|left: &LeftOut| left.track != id);
        let known = begin
            .tracks
            .iter()
            .map(|track| track.id)
            .filter(|&id| is_carried(id));
        let mp4 = Self {
            output,
            muxer,
            in_front,
            known: known.collect(),
        };
        (mp4, advise(left_out, "write .flv"))
    }
}

impl Sink for Mp4 {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        let left_out = |track: &Track, reason: String| LeftOut {
            track: track.id,
            codec: track.codec,
            reason,
        };
        let (mut known, new): (Vec<_>, Vec<_>) = tracks
            .iter()
            .cloned()
            .partition(|track| self.known.contains(&track.id));
        let late = "it begins in the middle of the file; write .ts or .flv";
        let mut all: Vec<LeftOut> = new
            .iter()
            .map(|track| left_out(track, late.to_owned()))
            .collect();
        while let Err(error) = self.muxer.set_tracks(&TrackList::new(known.clone())) {
            let mp4::Error::Changed { track, reason } = error else {
                return Err(Error::output(self.output.path(), error));
            };
            let Some(at) = known.iter().position(|known| known.id == track) else {
                return Err(Error::output(self.output.path(), error));
            };
            let reason = format!("{reason} in the middle of the file; write .ts or .flv");
            all.push(left_out(&known.remove(at), reason));
            self.known.retain(|&id| id != track);
        }
        Ok(all)
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        if !self.known.contains(&unit.track) {
            return Ok(());
        }
        let done = self.muxer.push(&unit);
        done.map_err(|error| Error::output(self.output.path(), error))?;
        if self.muxer.pending_bytes() >= WRITE_LEN
            && let Some(write) = self.muxer.poll()
        {
            self.output.apply(write)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, Error> {
        let damaged_units = self.muxer.damaged_units();
        let empty = FileMuxer::new(&TrackList::default(), Origin::First, Layout::IndexLast).0;
        let muxer = std::mem::replace(&mut self.muxer, empty);
        if !self.in_front {
            for write in muxer.finish(&[]) {
                self.output.apply(write)?;
            }
            return Ok(Finished {
                bytes: self.output.finish()?,
                damaged_units,
                ..Finished::default()
            });
        }
        let (last, front) = muxer.finish_in_front(&[]);
        if let Some(write) = last {
            self.output.apply(write)?;
        }
        let output = self.output.with_front(&front.head, front.media)?;
        Ok(Finished {
            bytes: output.finish()?,
            damaged_units,
            ..Finished::default()
        })
    }
}
