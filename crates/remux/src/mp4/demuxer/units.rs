//! Samples to units, in the order in which the file has them.

use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, CodecConfig, Dts, FrameRole, Rounding, Ticks, Timescale};
use media::{TrackKind, Unconfigured};

use super::{Demuxer, MAX_GIVEN, MAX_SAMPLE, PIPE_WINDOW, State, Stop};
use crate::mp4::description::Source;
use crate::mp4::in_band;
use crate::mp4::lane::choose;
use crate::mp4::movie::{MovieTrack, wants_samples};
use crate::mp4::sample::Sample;
use crate::{Damage, Event};

impl Demuxer {
    /// Gives the samples of `lanes` next.
    pub(super) fn begin(&mut self, resume: Option<u64>) {
        let end = self.end();
        for lane in &mut self.lanes {
            lane.advance(end, MAX_SAMPLE);
        }
        if !self.messages.is_empty() {
            let starts = self.lanes.iter().filter_map(|lane| {
                let track = self.movie.as_ref()?.tracks.get(lane.track)?;
                let sample = lane.next?;
                let pts = sample.dts.saturating_add(sample.composition_offset);
                let pts = pts.saturating_add(track.shift);
                Some(
                    track
                        .timescale
                        .convert(pts, Timescale::NINETY_KHZ, Rounding::Nearest),
                )
            });
            let start = starts.min().unwrap_or(0);
            for message in self.messages.drain(..) {
                self.events
                    .push_back(Event::Timed(Arc::new(message.placed(start))));
            }
        }
        self.state = State::Samples { resume };
    }

    pub(super) fn sample(&mut self, resume: Option<u64>) -> Result<(), Stop> {
        let window = if self.is_pipe { PIPE_WINDOW } else { u64::MAX };
        let next = choose(&self.lanes, window);
        let next = next.and_then(|n| Some((n, self.lanes.get(n)?.next?)));
        let Some((n, sample)) = next else {
            return self.end_samples(resume);
        };
        let pending = self.lanes.iter().filter_map(|lane| lane.next);
        let first = pending.map(|sample| sample.offset).min();
        let low = first
            .unwrap_or(sample.offset)
            .min(resume.unwrap_or(u64::MAX));
        // A pipe is not held back for boxes that lie before its media.
        let low = low.max(sample.offset.saturating_sub(PIPE_WINDOW));
        let payload = match self.fetch(sample.offset, sample.size.into(), low) {
            Ok(payload) => payload,
            Err(Stop::Eof) => {
                let end = self.end();
                if let Some(lane) = self.lanes.get_mut(n) {
                    lane.miss();
                    lane.advance(end, MAX_SAMPLE);
                }
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        self.given = self.given.saturating_add(sample.size.into());
        let read = self.len.unwrap_or(self.position);
        if self.given > read.saturating_mul(MAX_GIVEN) {
            self.lanes.clear();
            self.damage(
                sample.offset..read,
                "the tables name more media than the file has",
            );
            self.state = State::End;
            return Ok(());
        }
        let end = self.end();
        let Some(lane) = self.lanes.get_mut(n) else {
            return Ok(());
        };
        let track = lane.track;
        lane.advance(end, MAX_SAMPLE);
        self.unit(track, &sample, payload);
        Ok(())
    }

    /// Tells what was missing and goes on.
    fn end_samples(&mut self, resume: Option<u64>) -> Result<(), Stop> {
        for lane in std::mem::take(&mut self.lanes) {
            let movie = self.movie.as_mut();
            let Some(track) = movie.and_then(|movie| movie.tracks.get_mut(lane.track)) else {
                continue;
            };
            track.end = lane.end();
            if let Some(missing) = lane.missing {
                let plural = if missing.count == 1 { "" } else { "s" };
                self.events.push_back(Event::Damage(Damage {
                    bytes: missing.start..missing.end,
                    track: Some(track.id),
                    what: format!("{} sample{plural} not all there", missing.count).into(),
                }));
            }
        }
        match resume {
            Some(at) => self.state = State::Scan { at },
            None => self.state = State::End,
        }
        Ok(())
    }

    fn unit(&mut self, track: usize, sample: &Sample, payload: Bytes) {
        let movie = self.movie.as_mut();
        let Some(track) = movie.and_then(|movie| movie.tracks.get_mut(track)) else {
            return;
        };
        let mut is_new = false;
        if sample.description != track.description {
            if track.described(sample.description).is_none() {
                let id = track.id;
                let number = sample.description;
                self.events.push_back(Event::Damage(Damage {
                    bytes: sample.offset..sample.end(),
                    track: Some(id),
                    what: format!("a sample of description {number}, which cannot be carried")
                        .into(),
                }));
                return;
            }
            track.description = sample.description;
            is_new = true;
        }
        is_new |= configure(track, &payload);
        let unit = AccessUnit {
            track: track.id,
            dts: Dts(sample.dts.saturating_add(track.shift)),
            composition_offset: Ticks(sample.composition_offset),
            role: match track.kind {
                TrackKind::Audio => FrameRole::RandomAccess,
                TrackKind::Video => sample.role,
            },
            payload,
            flv_body: None,
        };
        if is_new {
            self.tell_tracks();
        }
        self.events.push_back(Event::Unit(unit));
    }
}

/// Completes the track's configuration from a sample; whether it changed.
fn configure(track: &mut MovieTrack, payload: &[u8]) -> bool {
    let Some(description) = track.current() else {
        return false;
    };
    if !wants_samples(description) {
        return false;
    }
    let found = match description.source {
        Source::Frame => CodecConfig::from_frame(description.codec, payload),
        _ => match in_band::configuration(description.codec, payload) {
            Some(config) => Ok(config),
            // Perhaps in a later one.
            None => return false,
        },
    };
    description.source = Source::Entry;
    match (found, &description.config) {
        (Ok(found), known) => {
            let is_same =
                |known: &CodecConfig| found.raw() == known.raw() && found.audio() == known.audio();
            let changed = !known.as_ref().is_ok_and(is_same);
            // The frame knows more in any case: its own length.
            description.config = Ok(found);
            changed
        }
        (Err(_), Ok(_)) => false,
        (Err(error), Err(_)) => {
            description.config = Err(Unconfigured::Malformed(error));
            true
        }
    }
}
