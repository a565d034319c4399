//! HLS folders, read: a playlist and what it names, as one stream of events. [`text`] writes playlists,
//! [`cues`] what they say of cues.
//!
//! ```text
//! multivariant ─▶ variant of most bits/s ─▶ segments: MPEG-TS, or fMP4 with init segments ─┐
//!              └▶ its audio playlists    ─▶ segments                                      ─┴▶ events
//! ```
//!
//! [`Demuxer`] asks for files and ranges of them. Segments of VOD and EVENT playlists, and those that
//! a live playlist lists at the moment, come in their order; several playlists are joined by decode
//! time. Times are those of the media: at `EXT-X-DISCONTINUITY` an [`Event::Discontinuity`] is told
//! and what follows may begin anywhere.
//!
//! What cannot be read of one segment is an [`Event::Damage`] whose bytes are those of the file that
//! it names; the others are read. Names with a query or escapes are tried as they are written, then
//! as URIs say. Nothing outside of the playlist's folder is asked for.
//!
//! Deliberately absent: encrypted segments, packed audio (§3.4), subtitles, partial segments, other
//! variants than the best.
//!
//! Spec: RFC 8216.

pub mod cues;
mod file;
mod lane;
mod playlist;
mod segment;
pub mod text;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::{AccessUnit, TrackId, TrackKind, TrackList};
use remux::{Damage, Event, LeftOut};

use self::file::{Gather, Gathered};
use self::lane::{Lane, Said};
use self::playlist::{Playlist, Resource};

/// Bytes of a playlist. Threat: it is held in memory. 8 MiB list some 100 000 segments.
const MAX_PLAYLIST: u64 = 8 << 20;

/// Why a folder cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A playlist cannot be had.
    #[error("playlist {path}: {why}")]
    NotRead {
        /// Its path in the folder.
        path: Arc<str>,
        /// What is in the way.
        why: Box<str>,
    },
    /// A playlist is not one, or not one that can be read.
    #[error("playlist {path}, line {line}: {what}")]
    Malformed {
        /// Its path in the folder.
        path: Arc<str>,
        /// Counted from 1.
        line: usize,
        /// What is there.
        what: Box<str>,
    },
    /// A playlist names no segment.
    #[error("playlist {path} lists no segments")]
    Empty {
        /// Its path in the folder.
        path: Arc<str>,
    },
}

/// What a [`Demuxer`] wants or tells.
#[derive(Clone, Debug)]
pub enum Step {
    /// Open the file at this path, relative to the folder of the playlist; answer with
    /// [`Demuxer::opened`] or [`Demuxer::refused`]. It is below that folder unless links lead out.
    Open(Arc<str>),
    /// [`Demuxer::push`] bytes of the file from `offset` on, at most `len` of them; fewer are enough.
    Read {
        /// Of a file that was opened.
        path: Arc<str>,
        /// Bytes from the start of the file.
        offset: u64,
        /// Between 1 and 1 MiB.
        len: usize,
    },
    /// Something was found.
    Event(Event),
    /// All has been told.
    End,
}

/// Reads an HLS folder.
///
/// # Contract
/// [`poll`](Self::poll) and do what it says, then poll again; without an answer it says the same
/// again. An empty push says that the file ends at or before that place. A playlist is open at one
/// file at a time, so as many files are open as playlists are read. Any lengths of pushes give the
/// same events. After an error every poll gives the same error.
#[derive(Debug)]
pub struct Demuxer {
    state: State,
    lanes: Vec<Slot>,
    /// Which lane asked last.
    asking: usize,
    /// A lane's track, and what it is here.
    ids: Vec<(usize, TrackId, TrackId)>,
    tracks: Arc<TrackList>,
    events: VecDeque<Event>,
}

#[derive(Debug)]
enum State {
    /// A playlist is gathered; behind it come those of audio.
    Playlist {
        gather: Box<Gather>,
        is_variant: bool,
        audio: VecDeque<Resource>,
    },
    Media,
    Failed(Error),
}

/// A playlist's media among others.
#[derive(Debug)]
struct Slot {
    lane: Lane,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reads,
    /// At a discontinuity that the others have not reached.
    Waits,
    Ended,
}

impl Demuxer {
    /// A demuxer of the playlist of this name in its folder.
    #[must_use]
    pub fn new(playlist: &str) -> Self {
        let mut demuxer = Self {
            state: State::Media,
            lanes: Vec::new(),
            asking: 0,
            ids: Vec::new(),
            tracks: Arc::default(),
            events: VecDeque::new(),
        };
        let resource = Resource {
            decoded: None,
            is_outside: false,
            ..Resource::new("", playlist, None)
        };
        demuxer.read_playlist(&resource, false, VecDeque::new());
        demuxer
    }

    /// The tracks that were found so far.
    #[must_use]
    pub fn tracks(&self) -> &Arc<TrackList> {
        &self.tracks
    }

    /// Tracks of the newest segments that are not given, and why. Their ids are those of no other
    /// track's units.
    #[must_use]
    pub fn left_out(&self) -> Vec<LeftOut> {
        let mut all = Vec::new();
        for (index, slot) in self.lanes.iter().enumerate() {
            let left_out = slot.lane.left_out().iter();
            all.extend(left_out.filter_map(|left_out| {
                Some(LeftOut {
                    track: self.id(index, left_out.track)?,
                    ..left_out.clone()
                })
            }));
        }
        all
    }

    /// How long the segments of the first playlist are that were read, and all of them, as it says.
    #[must_use]
    pub fn played(&self) -> (Duration, Duration) {
        self.lanes
            .first()
            .map_or_else(Default::default, |slot| slot.lane.played())
    }

    /// The file that [`Step::Open`] named is open and has `len` bytes.
    pub fn opened(&mut self, len: u64) {
        if let State::Playlist { gather, .. } = &mut self.state {
            let gathered = gather.opened(len);
            self.gathered(gathered);
        } else if let Some(slot) = self.lanes.get_mut(self.asking) {
            slot.lane.opened(len);
        }
    }

    /// The file that [`Step::Open`] named cannot be opened, and why: one line.
    pub fn refused(&mut self, why: &str) {
        if let State::Playlist { gather, .. } = &mut self.state {
            let gathered = gather.refused(why);
            self.gathered(gathered);
        } else if let Some(slot) = self.lanes.get_mut(self.asking) {
            slot.lane.refused(why);
        }
    }

    /// Takes what was read where [`Step::Read`] asked; empty: the file ends there.
    pub fn push(&mut self, bytes: Bytes) {
        if let State::Playlist { gather, .. } = &mut self.state {
            let gathered = gather.push(&bytes);
            self.gathered(gathered);
        } else if let Some(slot) = self.lanes.get_mut(self.asking) {
            slot.lane.push(bytes);
        }
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`Error`]: nothing can be read.
    pub fn poll(&mut self) -> Result<Step, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Step::Event(event));
            }
            match &self.state {
                State::Failed(error) => return Err(error.clone()),
                State::Playlist { gather, .. } => return Ok(gather.ask()),
                State::Media => {}
            }
            let reads = self.lanes.iter_mut().enumerate();
            // The first of those that are as far back.
            let next = reads
                .filter(|(_, slot)| slot.phase == Phase::Reads)
                .min_by_key(|(_, slot)| slot.lane.time());
            let Some((index, slot)) = next else {
                if !self.pass_break() {
                    return Ok(Step::End);
                }
                continue;
            };
            match slot.lane.poll() {
                Said::Ask(step) => {
                    self.asking = index;
                    return Ok(step);
                }
                Said::Event(event) => {
                    if let Some(event) = self.renamed(index, event) {
                        return Ok(Step::Event(event));
                    }
                }
                Said::Break => slot.phase = Phase::Waits,
                Said::End => slot.phase = Phase::Ended,
            }
        }
    }

    /// All lanes are at a discontinuity: they go on behind it. False when all have ended.
    fn pass_break(&mut self) -> bool {
        let waiting = self.lanes.iter_mut().filter(|s| s.phase == Phase::Waits);
        let mut count = 0;
        for slot in waiting {
            slot.phase = Phase::Reads;
            slot.lane.pass_break();
            count += 1;
        }
        if count > 0 {
            self.events.push_back(Event::Discontinuity);
        }
        count > 0
    }

    /// Reads a playlist, and those of audio behind it.
    fn read_playlist(&mut self, resource: &Resource, is_variant: bool, audio: VecDeque<Resource>) {
        match Gather::new(resource, MAX_PLAYLIST) {
            Ok(gather) => {
                self.state = State::Playlist {
                    gather: Box::new(gather),
                    is_variant,
                    audio,
                };
            }
            Err(why) => {
                let error = Error::NotRead {
                    path: Arc::clone(&resource.path),
                    why: why.into(),
                };
                self.no_playlist(error, audio);
            }
        }
    }

    fn gathered(&mut self, gathered: Gathered) {
        if matches!(gathered, Gathered::More) {
            return;
        }
        let State::Playlist {
            gather,
            is_variant,
            audio,
        } = std::mem::replace(&mut self.state, State::Media)
        else {
            return;
        };
        let path = Arc::clone(gather.file.path());
        let text = match gathered {
            Gathered::All(text) => text,
            Gathered::Refused(why) => {
                let why = why.into();
                self.no_playlist(Error::NotRead { path, why }, audio);
                return;
            }
            Gathered::More => return,
        };
        let error = match playlist::parse(&text, &path) {
            Ok(Playlist::Multivariant { variant, audio }) if !is_variant => {
                self.read_playlist(&variant, true, audio.into());
                return;
            }
            Ok(Playlist::Multivariant { .. }) => Error::Malformed {
                path,
                line: 1,
                what: "a multivariant playlist within another".into(),
            },
            Ok(Playlist::Media(segments)) if segments.is_empty() => Error::Empty { path },
            Ok(Playlist::Media(segments)) => {
                self.lanes.push(Slot {
                    lane: Lane::new(segments),
                    phase: Phase::Reads,
                });
                self.next_playlist(audio);
                return;
            }
            Err(error) => Error::Malformed {
                path,
                line: error.line,
                what: error.what,
            },
        };
        self.no_playlist(error, audio);
    }

    /// Without the first playlist there is nothing; without another one, its audio is lost.
    fn no_playlist(&mut self, error: Error, audio: VecDeque<Resource>) {
        if self.lanes.is_empty() {
            self.state = State::Failed(error);
            return;
        }
        self.events.push_back(Event::Damage(Damage {
            bytes: 0..0,
            track: None,
            what: format!("audio is left out ({error})").into(),
        }));
        self.next_playlist(audio);
    }

    fn next_playlist(&mut self, mut audio: VecDeque<Resource>) {
        match audio.pop_front() {
            Some(next) => self.read_playlist(&next, true, audio),
            None => self.state = State::Media,
        }
    }

    /// A lane's event with the ids that its tracks have here.
    fn renamed(&mut self, lane: usize, event: Event) -> Option<Event> {
        Some(match event {
            Event::Tracks(tracks) => {
                for track in tracks.iter() {
                    self.name(lane, track.id, track.kind());
                }
                let left_out = self.lanes.get(lane).map(|slot| slot.lane.left_out());
                for left_out in left_out.unwrap_or_default().to_vec() {
                    self.name(lane, left_out.track, left_out.codec.kind());
                }
                self.tracks = Arc::new(self.join());
                Event::Tracks(Arc::clone(&self.tracks))
            }
            Event::Unit(unit) => Event::Unit(AccessUnit {
                track: self.id(lane, unit.track)?,
                ..unit
            }),
            Event::Damage(damage) => Event::Damage(Damage {
                track: damage.track.and_then(|track| self.id(lane, track)),
                ..damage
            }),
            event => event,
        })
    }

    fn id(&self, lane: usize, local: TrackId) -> Option<TrackId> {
        let found = self.ids.iter().find(|id| (id.0, id.1) == (lane, local));
        found.map(|&(.., id)| id)
    }

    /// Gives a lane's track an id: its own, or the next free one of its kind; video has even ones.
    fn name(&mut self, lane: usize, local: TrackId, kind: TrackKind) {
        if self.id(lane, local).is_some() {
            return;
        }
        let odd = u16::from(kind == TrackKind::Audio);
        let others = (odd..u16::MAX).step_by(2).map(TrackId);
        let free = std::iter::once(local)
            .chain(others)
            .find(|id| self.ids.iter().all(|&(.., taken)| taken != *id));
        self.ids.extend(free.map(|id| (lane, local, id)));
    }

    /// The tracks of all lanes.
    fn join(&self) -> TrackList {
        let mut tracks = Vec::new();
        for (index, slot) in self.lanes.iter().enumerate() {
            for track in slot.lane.tracks().iter() {
                tracks.extend(self.id(index, track.id).map(|id| {
                    if id == track.id {
                        return Arc::clone(track);
                    }
                    let mut track = track.as_ref().clone();
                    track.id = id;
                    Arc::new(track)
                }));
            }
        }
        TrackList::new(tracks)
    }
}

/// Damage in a file of the folder.
fn damage(bytes: Range<u64>, what: &str, path: &str) -> Event {
    Event::Damage(Damage {
        bytes,
        track: None,
        what: format!("{what}, in {path}").into(),
    })
}
