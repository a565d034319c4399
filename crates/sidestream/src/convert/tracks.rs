//! Which tracks are copied, and what is known of them before the output begins.

use std::collections::VecDeque;
use std::sync::Arc;

use media::{DataMessage, Track, TrackId, TrackList, Unconfigured};
use remux::Event;

use super::sink::ninety_khz;
use super::{Error, TrackChoice};

/// Media that is held, at most, until all tracks have come, in ticks of 90 kHz: for a kind of which
/// nothing has come, and when video and audio are there.
const WAIT_FOR_KIND: i64 = 270_000;
const WAIT_FOR_MORE: i64 = 45_000;
/// For a configuration that its container has announced.
const WAIT_FOR_CONFIGURATION: i64 = 900_000;
/// Bytes that are held at most.
const MAX_HELD: usize = 16 << 20;

/// What `--tracks` keeps.
pub(super) struct Choice<'a>(pub(super) &'a [TrackChoice]);

impl Choice<'_> {
    fn keeps(&self, track: &Track) -> bool {
        self.0.is_empty() || self.0.iter().any(|choice| choice.is(track))
    }

    /// What no track answers to.
    fn missing(&self, tracks: &TrackList) -> Option<TrackChoice> {
        let answers = |choice: &&TrackChoice| tracks.iter().any(|track| choice.is(track));
        self.0.iter().find(|choice| !answers(choice)).copied()
    }
}

/// Holds the beginning until the tracks are known.
pub(super) struct Prelude<'a> {
    choice: Choice<'a>,
    /// Tracks that are chosen, with the configurations of their first units.
    tracks: TrackList,
    announced: Arc<TrackList>,
    /// Tracks that have units.
    begun: Vec<TrackId>,
    pub(super) events: VecDeque<Event>,
    held: usize,
    first: Option<i64>,
    newest: i64,
}

impl<'a> Prelude<'a> {
    pub(super) fn new(choice: &'a [TrackChoice]) -> Self {
        Self {
            choice: Choice(choice),
            tracks: TrackList::default(),
            announced: Arc::default(),
            begun: Vec::new(),
            events: VecDeque::new(),
            held: 0,
            first: None,
            newest: 0,
        }
    }

    /// Holds an event; whether that is enough. `all`: the list of tracks is whole.
    pub(super) fn hold(&mut self, event: Event, all: bool) -> bool {
        match &event {
            Event::Tracks(tracks) => {
                self.announced = Arc::clone(tracks);
                for track in tracks.iter().filter(|track| self.choice.keeps(track)) {
                    let known = self.tracks.get(track.id);
                    let is_awaited = known.is_none_or(|known| !is_ready(known));
                    if is_awaited || !self.begun.contains(&track.id) {
                        self.tracks = self.tracks.with(Track::clone(track));
                    }
                }
            }
            Event::Unit(unit) => {
                self.held += unit.payload.len() + 64;
                if !self.begun.contains(&unit.track) {
                    self.begun.push(unit.track);
                }
                if let Some(track) = self.announced.get(unit.track) {
                    let dts = ninety_khz(track, unit.dts.0);
                    self.first = Some(self.first.map_or(dts, |first| first.min(dts)));
                    self.newest = dts;
                }
            }
            _ => {}
        }
        self.events.push_back(event);
        let Some(first) = self.first else {
            return false;
        };
        let is_ready = self.announced.iter().all(|track| is_ready(track));
        let both = self.announced.video().is_some() && self.announced.audio().is_some();
        let wait = match (is_ready, all, both) {
            (false, ..) => WAIT_FOR_CONFIGURATION,
            (true, true, _) => 0,
            (true, false, true) => WAIT_FOR_MORE,
            (true, false, false) => WAIT_FOR_KIND,
        };
        // A clock that is no clock ends the wait too.
        self.held >= MAX_HELD || !(0..wait).contains(&(self.newest - first))
    }

    /// The tracks to begin with.
    pub(super) fn tracks(&self, name: &str) -> Result<Arc<TrackList>, Error> {
        let missing = self.choice.missing(&self.announced);
        if let Some(missing) = missing.filter(|_| !self.announced.is_empty()) {
            let ids: Vec<String> = self
                .announced
                .iter()
                .map(|track| format!("{} {}", track.kind().as_str(), track.id))
                .collect();
            return Err(Error::Usage(format!(
                "--tracks: {name} has no {missing}; it has {}",
                ids.join(", ")
            )));
        }
        // Some turned out to be none that is read.
        let tracks = self.tracks.iter();
        let tracks = tracks.filter(|track| self.announced.get(track.id).is_some());
        let tracks = TrackList::new(tracks.cloned().collect());
        match tracks.is_empty() || self.first.is_none() {
            true => Err(Error::Nothing {
                input: name.to_owned(),
                what: super::copy::NO_MEDIA,
            }),
            false => Ok(Arc::new(tracks)),
        }
    }

    /// What the source says of itself.
    pub(super) fn metadata(&self) -> Option<Arc<DataMessage>> {
        self.events.iter().find_map(|event| match event {
            Event::Data(message) if message.is_metadata() => Some(Arc::clone(message)),
            _ => None,
        })
    }

    /// Of the first unit, in ticks of 90 kHz.
    pub(super) fn first(&self) -> i64 {
        self.first.unwrap_or(0)
    }
}

/// Whether nothing more is to be expected of its configuration.
fn is_ready(track: &Track) -> bool {
    !matches!(track.config, Err(Unconfigured::Missing))
}

/// The tracks of the output; none ever goes away.
pub(super) struct Known<'a> {
    choice: Choice<'a>,
    pub(super) tracks: Arc<TrackList>,
    /// Tracks that are new or changed and that the sink was not told of.
    new: Vec<TrackId>,
}

impl<'a> Known<'a> {
    pub(super) fn new(choice: &'a [TrackChoice], tracks: Arc<TrackList>) -> Self {
        Self {
            choice: Choice(choice),
            tracks,
            new: Vec::new(),
        }
    }

    /// Takes a list of the source.
    pub(super) fn update(&mut self, tracks: &TrackList) {
        for track in tracks.iter().filter(|track| is_ready(track)) {
            let known = self.tracks.get(track.id);
            let is_new = known.is_none_or(|known| !known.same_configuration(track));
            if is_new && self.choice.keeps(track) {
                self.tracks = Arc::new(self.tracks.with(Track::clone(track)));
                self.new.push(track.id);
            }
        }
    }

    /// Whether the sink must be told of the tracks before a unit of this one.
    pub(super) fn is_new(&self, id: TrackId) -> bool {
        self.new.contains(&id)
    }

    /// The tracks, which the sink is told of now.
    pub(super) fn all_told(&mut self) -> &Arc<TrackList> {
        self.new.clear();
        &self.tracks
    }

    pub(super) fn get(&self, id: TrackId) -> Option<&Arc<Track>> {
        self.tracks.get(id)
    }
}
