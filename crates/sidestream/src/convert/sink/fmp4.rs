//! Fragmented MP4 files.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, Dts, Track, TrackId, TrackList};
use remux::mp4::FragmentMuxer;
use remux::{LeftOut, TimedMetadata, mp4};

use super::{Finished, Sink, advise, cutting, ninety_khz};
use crate::convert::Error;
use crate::convert::output::Output;

/// Length that fragments have at least, in ticks of 90 kHz: 1 s.
const SHORTEST: i64 = 90_000;
/// Bytes of a fragment that are held at most.
const MAX_HELD: usize = 8 << 20;

/// Units of the open fragment.
pub(super) struct Fragments {
    muxer: FragmentMuxer,
    carried: Arc<TrackList>,
    cutting: Option<Arc<Track>>,
    units: Vec<AccessUnit>,
    held: usize,
    /// Of the cutting track's first unit in the fragment.
    started: Option<i64>,
    messages: Vec<Bytes>,
    /// Tracks that are carried no more.
    ended: Vec<TrackId>,
    damaged: u64,
}

impl Fragments {
    pub(super) fn new() -> Self {
        Self {
            muxer: FragmentMuxer::new(&TrackList::default()).0,
            carried: Arc::default(),
            cutting: None,
            units: Vec::new(),
            held: 0,
            started: None,
            messages: Vec::new(),
            ended: Vec::new(),
            damaged: 0,
        }
    }

    /// Takes the tracks; the init segment when it is another. The open fragment must be over.
    pub(super) fn set_tracks(&mut self, tracks: &Arc<TrackList>) -> (Option<Bytes>, Vec<LeftOut>) {
        let (muxer, left_out) = FragmentMuxer::new(tracks);
        let carried = tracks.iter().filter(|track| muxer.carries(track.id));
        let carried = TrackList::new(carried.cloned().collect());
        let same = carried.len() == self.carried.len()
            && carried
                .iter()
                .zip(self.carried.iter())
                .all(|(a, b)| a.id == b.id && a.same_configuration(b));
        if same {
            return (None, left_out);
        }
        self.damaged += self.muxer.damaged_units();
        self.muxer = muxer;
        self.cutting = cutting(&carried, |_| true);
        self.carried = Arc::new(carried);
        (Some(self.muxer.init_segment()), left_out)
    }

    /// Whether there was an init segment.
    fn has_begun(&self) -> bool {
        !self.carried.is_empty()
    }

    /// Tracks that are new, or changed, and do not fit the init segment: they are carried no more.
    fn leave_out(&mut self, tracks: &TrackList) -> Vec<LeftOut> {
        let fits = |track: &Track| {
            let known = self.carried.get(track.id);
            known.is_some_and(|known| known.same_configuration(track))
        };
        let left_out: Vec<LeftOut> = tracks
            .iter()
            .filter(|track| !fits(track))
            .map(|track| LeftOut {
                track: track.id,
                codec: track.codec,
                reason: "it begins or changes in the middle of the file; write .mp4, .ts or .flv"
                    .to_owned(),
            })
            .collect();
        self.ended.extend(left_out.iter().map(|left| left.track));
        left_out
    }

    pub(super) fn cutting(&self) -> Option<&Arc<Track>> {
        self.cutting.as_ref()
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged + self.muxer.damaged_units()
    }

    /// The time of `unit` in ticks of 90 kHz, when the open fragment may end before it.
    pub(super) fn is_cut(&self, unit: &AccessUnit) -> Option<i64> {
        let cutting = self.cutting.as_ref()?;
        (cutting.id == unit.track && unit.is_random_access())
            .then(|| ninety_khz(cutting, unit.dts.0))
    }

    /// How long the open fragment is before a unit at `time`.
    pub(super) fn len_before(&self, time: i64) -> i64 {
        self.started.map_or(0, |started| time - started)
    }

    pub(super) fn is_full(&self) -> bool {
        self.held >= MAX_HELD
    }

    /// A message in front of the next fragment.
    pub(super) fn message(&mut self, message: Bytes) {
        self.messages.push(message);
    }

    pub(super) fn push(&mut self, unit: AccessUnit) {
        if !self.muxer.carries(unit.track) || self.ended.contains(&unit.track) {
            return;
        }
        if self.started.is_none()
            && let Some(cutting) = self.cutting.as_ref().filter(|track| track.id == unit.track)
        {
            self.started = Some(ninety_khz(cutting, unit.dts.0));
        }
        self.held += unit.payload.len();
        self.units.push(unit);
    }

    /// The open fragment as slices; `next` is the cutting track's unit behind it.
    pub(super) fn cut(&mut self, next: Option<Dts>) -> Result<Vec<Bytes>, mp4::Error> {
        let ends: Vec<(TrackId, Dts)> = self
            .cutting
            .as_ref()
            .zip(next)
            .map(|(track, dts)| (track.id, dts))
            .into_iter()
            .collect();
        let slices = match self.muxer.slices(&self.units, &ends) {
            Ok(slices) => slices,
            Err(mp4::Error::Empty) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.units.clear();
        self.held = 0;
        self.started = None;
        let mut all = std::mem::take(&mut self.messages);
        all.extend(slices);
        Ok(all)
    }
}

/// Writes an init segment and fragments of about a second.
pub(super) struct Fmp4 {
    output: Output,
    fragments: Fragments,
}

impl Fmp4 {
    pub(super) fn new(output: Output) -> Self {
        Self {
            output,
            fragments: Fragments::new(),
        }
    }

    fn cut(&mut self, next: Option<Dts>) -> Result<(), Error> {
        let cut = self.fragments.cut(next);
        let slices = cut.map_err(|error| Error::output(self.output.path(), error))?;
        slices
            .into_iter()
            .try_for_each(|slice| self.output.append(slice))
    }
}

impl Sink for Fmp4 {
    fn tracks(&mut self, tracks: &Arc<TrackList>) -> Result<Vec<LeftOut>, Error> {
        if self.fragments.has_begun() {
            return Ok(self.fragments.leave_out(tracks));
        }
        let (init, left_out) = self.fragments.set_tracks(tracks);
        if let Some(init) = init {
            self.output.append(init)?;
        }
        Ok(advise(left_out, "write .flv"))
    }

    fn unit(&mut self, unit: AccessUnit) -> Result<(), Error> {
        match self.fragments.is_cut(&unit) {
            Some(time) if self.fragments.len_before(time) >= SHORTEST => {
                self.cut(Some(unit.dts))?
            }
            _ if self.fragments.is_full() => self.cut(None)?,
            _ => {}
        }
        self.fragments.push(unit);
        Ok(())
    }

    fn timed(&mut self, metadata: &Arc<TimedMetadata>) -> Result<(), Error> {
        self.fragments.message(mp4::event_message(metadata, 0));
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, Error> {
        self.cut(None)?;
        Ok(Finished {
            bytes: self.output.finish()?,
            damaged_units: self.fragments.damaged(),
            ..Finished::default()
        })
    }
}
