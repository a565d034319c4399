//! What the streams of a program share.

use std::collections::VecDeque;
use std::sync::Arc;

use media::{Codec, CodecConfig, Timescale, Track, TrackId, TrackList, Unconfigured, config};

use super::clock::Clock;
use crate::{Damage, Event, LeftOut};

/// What streams share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) events: VecDeque<Event>,
    pub(super) tracks: Arc<TrackList>,
    /// Tracks of the newest map that are not read.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) clock: Clock,
    /// See [`super::Limits::unit_bytes`].
    pub(super) unit_bytes: usize,
}

impl Shared {
    pub(super) fn damage(
        &mut self,
        bytes: std::ops::Range<u64>,
        track: Option<TrackId>,
        what: impl Into<Box<str>>,
    ) {
        self.events.push_back(Event::Damage(Damage {
            bytes,
            track,
            what: what.into(),
        }));
    }

    /// What was announced as a track turns out to be none that is read.
    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        let others = self.tracks.iter().filter(|t| t.id != left_out.track);
        self.tracks = Arc::new(TrackList::new(others.cloned().collect()));
        self.left_out.push(left_out);
        self.events
            .push_back(Event::Tracks(Arc::clone(&self.tracks)));
    }

    pub(super) fn configure(
        &mut self,
        id: TrackId,
        codec: Codec,
        config: Result<CodecConfig, config::Error>,
    ) {
        let track = Track {
            id,
            codec,
            timescale: Timescale::NINETY_KHZ,
            config: config.map_err(Unconfigured::from),
            flv_body: None,
        };
        if self
            .tracks
            .get(id)
            .is_some_and(|known| known.same_configuration(&track))
        {
            return;
        }
        self.tracks = Arc::new(self.tracks.with(track));
        self.events
            .push_back(Event::Tracks(Arc::clone(&self.tracks)));
    }
}
