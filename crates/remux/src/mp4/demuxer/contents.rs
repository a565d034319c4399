//! What is in the boxes that are read whole: the movie, its fragments, event messages.

use std::sync::Arc;

use bytes::Bytes;
use media::TrackList;

use super::{Demuxer, MAX_WAITING_MESSAGES, State, Stop};
use crate::mp4::boxes::{Kind, children};
use crate::mp4::emsg::EventMessage;
use crate::mp4::lane::{Lane, Samples};
use crate::mp4::movie::Movie;
use crate::mp4::runs::{Defaults, TrackFragment};
use crate::{Damage, Event};

impl Demuxer {
    pub(super) fn body(&mut self, at: u64, body: u64, end: u64, kind: Kind) -> Result<(), Stop> {
        let bytes = match self.fetch(body, end - body, body) {
            Ok(bytes) => bytes,
            // A pipe that ended.
            Err(Stop::Eof) => return self.cut_off(at, kind, end - at),
            Err(stop) => return Err(stop),
        };
        self.state = State::Scan { at: end };
        match &kind {
            b"moov" => self.movie(at, end, &bytes),
            b"moof" => self.fragment(at, &bytes),
            _ => self.message(at, end, &bytes),
        }
        Ok(())
    }

    fn movie(&mut self, at: u64, end: u64, moov: &Bytes) {
        let movie = Movie::read(moov);
        // A second one starts new fragments (concatenated files with init segments), or is the
        // index of a recording that was about to be finished: then its fragments were given.
        if self.movie.is_some() && (movie.has_samples || !movie.is_fragmented) {
            return;
        }
        for (n, track) in movie.tracks.iter().enumerate() {
            if let Some(table) = &track.table {
                if !table.is_whole {
                    self.events.push_back(Event::Damage(Damage {
                        bytes: at..end,
                        track: Some(track.id),
                        what: "a sample table ends before its last entry".into(),
                    }));
                }
                let samples = Samples::Table(Box::new(table.clone()));
                self.lanes
                    .push(Lane::new(n, track.timescale, track.shift, samples));
            }
            if track.edits_not_followed > 0 {
                let count = track.edits_not_followed;
                self.events.push_back(Event::Damage(Damage {
                    bytes: at..end,
                    track: Some(track.id),
                    what: format!(
                        "{count} edits are not followed; all samples keep the first edit's time"
                    )
                    .into(),
                }));
            }
        }
        let resume = movie.is_fragmented.then_some(end);
        self.movie = Some(movie);
        self.tell_tracks();
        if !self.is_pipe {
            if self.lanes.is_empty() {
                return;
            }
            self.begin(resume);
        }
    }

    pub(super) fn tell_tracks(&mut self) {
        let Some(movie) = &self.movie else {
            return;
        };
        let tracks = movie.tracks.iter().map(|track| Arc::new(track.track()));
        let tracks = TrackList::new(tracks.collect());
        self.events.push_back(Event::Tracks(Arc::new(tracks)));
    }

    fn fragment(&mut self, at: u64, moof: &Bytes) {
        let Some(movie) = &mut self.movie else {
            return;
        };
        let mut previous = at;
        for (_, traf) in children(moof).filter(|(kind, _)| kind == b"traf") {
            let index = |number| movie.tracks.iter().position(|track| track.number == number);
            let defaults = |number| {
                index(number)
                    .and_then(|n| movie.tracks.get(n))
                    .map_or_else(Defaults::default, |t| t.defaults)
            };
            let Some(fragment) = TrackFragment::read(&traf, defaults) else {
                continue;
            };
            let track = index(fragment.number).and_then(|n| Some((n, movie.tracks.get(n)?)));
            let start = fragment
                .start
                .or(track.map(|(_, track)| track.end))
                .unwrap_or(0);
            let (samples, end) = fragment.samples(at, previous, start);
            previous = end;
            let Some((n, track)) = track else {
                continue;
            };
            let lane = self.lanes.iter_mut().find(|lane| lane.track == n);
            match lane.map(|lane| &mut lane.samples) {
                Some(Samples::Runs(runs)) => runs.append(samples),
                _ => {
                    let samples = Samples::Runs(samples);
                    self.lanes
                        .push(Lane::new(n, track.timescale, track.shift, samples));
                }
            }
        }
    }

    fn message(&mut self, at: u64, end: u64, body: &Bytes) {
        match EventMessage::read(body) {
            Some(message)
                if message.is_relative() && self.messages.len() < MAX_WAITING_MESSAGES =>
            {
                self.messages.push(message);
            }
            Some(message) if !message.is_relative() => {
                self.events
                    .push_back(Event::Timed(Arc::new(message.placed(0))));
            }
            _ => self.damage(at..end, "the event message is damaged, or one of too many"),
        }
    }
}
