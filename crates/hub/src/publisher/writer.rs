//! What the publisher side of a stream changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanout::{Reader, Ring};
use media::timeline::Timeline;
use media::{AccessUnit, DataMessage, Extra, Headers, Timescale, TrackId, TrackKind, TrackList};

use crate::config::Config;
use crate::frame::Shared;
use crate::session::Owner;
use crate::stats::Counters;
use crate::stream::Phase;

/// Audio-only streams get a join point this often, in milliseconds: a late joiner then gets at
/// most this much at once.
const AUDIO_JOIN_MS: i64 = 1_000;
/// A video track that was announced and has sent nothing for this long does not keep listeners
/// waiting, in milliseconds.
const SILENT_VIDEO_MS: i64 = 3_000;

/// What the publisher side of a stream changes; behind the stream's writer lock.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) phase: Phase,
    pub(crate) owner: Option<Owner>,
    pub(crate) started: Option<Instant>,
    pub(crate) counters: Counters,
    /// Holds the ring while a stream begins ([`Config::beginning`]).
    held: Option<Reader<Shared, Headers>>,
    beginning: Duration,
    pub(super) timeline: Timeline,
    pub(super) max_tracks: usize,
    /// Tracks of this session; announced with the next unit when `tracks_changed`.
    pub(super) tracks: TrackList,
    pub(super) tracks_changed: bool,
    pub(super) announced: Arc<TrackList>,
    pub(super) metadata: Option<Arc<DataMessage>>,
    /// The latest of each track, for late joiners.
    pub(super) extras: Vec<Arc<Extra>>,
    /// Those that wait for their track to be announced.
    pub(super) extras_due: Vec<Arc<Extra>>,
    pub(super) session: Session,
    /// How far the leading track is, see [`Frame::clock_ms`].
    pub(super) clock_ms: Option<i64>,
    pub(super) last_join_ms: Option<i64>,
    /// Audio time at the first audio unit after the last video unit.
    pub(super) video_silent_since_ms: Option<i64>,
}

/// How far the current publisher session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// No unit of it yet.
    Starting,
    /// Units flow.
    Running,
}

impl Writer {
    pub(crate) fn new(config: &Config, ring: &Ring<Shared, Headers>) -> Self {
        Self {
            phase: Phase::Awaited,
            owner: None,
            started: None,
            counters: Counters::default(),
            held: (!config.beginning.is_zero()).then(|| ring.holder()),
            beginning: config.beginning,
            timeline: Timeline::new(),
            max_tracks: config.max_tracks,
            tracks: TrackList::default(),
            tracks_changed: false,
            announced: Arc::default(),
            metadata: None,
            extras: Vec::new(),
            extras_due: Vec::new(),
            session: Session::Starting,
            clock_ms: None,
            last_join_ms: None,
            video_silent_since_ms: None,
        }
    }

    /// The ring is held no more when the stream has gone on for a while.
    pub(super) fn has_begun(&mut self, now: Instant) {
        if let (Some(_), Some(started)) = (&self.held, self.started)
            && now.saturating_duration_since(started) >= self.beginning
        {
            self.held = None;
        }
    }

    /// A new owner begins; its tracks and its clock are its own.
    pub(crate) fn begin_session(&mut self, owner: Owner) {
        self.started.get_or_insert(owner.since);
        self.phase = Phase::Live;
        self.owner = Some(owner);
        self.timeline.begin_session();
        self.tracks = TrackList::default();
        self.tracks_changed = true;
        self.extras.clear();
        self.extras_due.clear();
        self.session = Session::Starting;
        // The predecessor's description says nothing of this session.
        self.metadata = None;
        self.counters.stats.sessions += 1;
    }

    pub(crate) fn clock_ms(&self) -> Option<i64> {
        self.clock_ms
    }

    pub(super) fn owned_by(&mut self, id: u64) -> Option<&mut Owner> {
        self.owner.as_mut().filter(|owner| owner.id == id)
    }

    pub(super) fn timescale(&self, track: TrackId) -> Timescale {
        self.tracks
            .get(track)
            .map_or(Timescale::MILLIS, |track| track.timescale)
    }

    /// Whether the unit is of the track that leads the stream: the default video, or the audio
    /// where there is none, or none that sends.
    pub(super) fn leads(&mut self, unit: &AccessUnit, time_ms: i64) -> bool {
        let video = self.announced.video().map(|track| track.id);
        match self.announced.get(unit.track).map(|track| track.kind()) {
            Some(TrackKind::Video) => {
                self.video_silent_since_ms = None;
                video == Some(unit.track)
            }
            Some(TrackKind::Audio) => {
                // In the audio's own time: it may be far from the video's.
                let since = *self.video_silent_since_ms.get_or_insert(time_ms);
                video.is_none() || time_ms - since > SILENT_VIDEO_MS
            }
            None => false,
        }
    }

    /// Whether a late joiner may start at this unit of the leading track.
    pub(super) fn is_join(&self, unit: &AccessUnit, time_ms: i64) -> bool {
        let is_video =
            self.announced.get(unit.track).map(|track| track.kind()) == Some(TrackKind::Video);
        if is_video {
            return unit.is_random_access();
        }
        self.last_join_ms
            .is_none_or(|last| (time_ms - last).abs() >= AUDIO_JOIN_MS)
    }
}
