//! From what happens on a stream to entries of the window: once per group, for all its viewers.

use std::sync::Arc;

use bytes::BytesMut;
use hub::{Frame, Item};
use media::{AccessUnit, Headers, TrackList};
use remux::flv::wire_time;

use crate::entry::{Entry, Message};
use crate::window::{Lead, Window};

/// How often an endless transport stream repeats its tables, in milliseconds: a receiver may tune
/// in anywhere (ISO/IEC 13818-1 asks for nothing; 100 ms is the field's habit).
const TABLES_MS: i64 = 100;

/// Turns frames into entries, for one family of framings.
pub(crate) enum Encoder {
    /// FLV tag bodies: RTMP, HTTP-FLV, WebSocket-FLV.
    Flv(FlvEncoder),
    /// MPEG-TS packets.
    Ts(Box<TsEncoder>),
}

impl Encoder {
    /// Starts anew from these headers.
    pub(crate) fn join(&mut self, headers: &Arc<Headers>) {
        match self {
            Self::Flv(flv) => flv.join(headers),
            Self::Ts(ts) => ts.tracks(&headers.tracks),
        }
    }

    /// Goes on after frames were lost, at this one: viewers that are there get the headers anew.
    pub(crate) fn rejoin(&mut self, headers: &Arc<Headers>, at: &Frame, window: &mut Window) {
        match self {
            Self::Flv(flv) => {
                flv.join(headers);
                for body in flv.relay.lead() {
                    let message = Message::new(body, wire_time(at.time_ms));
                    window.push(Entry::Message(message), at.clock_ms, None);
                }
            }
            Self::Ts(ts) => ts.rejoin(&headers.tracks),
        }
    }

    /// Appends what one frame gives.
    pub(crate) fn frame(&mut self, frame: &Frame, window: &mut Window) {
        match self {
            Self::Flv(flv) => flv.frame(frame, window),
            Self::Ts(ts) => ts.frame(frame, window),
        }
    }
}

/// Encodes the messages of RTMP and FLV viewers.
#[derive(Default)]
pub(crate) struct FlvEncoder {
    relay: remux::flv::Relay,
    tracks: Arc<TrackList>,
}

impl FlvEncoder {
    fn join(&mut self, headers: &Headers) {
        self.relay.join(headers);
        self.tracks = Arc::clone(&headers.tracks);
    }

    fn frame(&mut self, frame: &Frame, window: &mut Window) {
        let clock_ms = frame.clock_ms;
        let entry = |body| Entry::Message(Message::new(body, wire_time(frame.time_ms)));
        match &frame.item {
            Item::Tracks(tracks) => {
                self.tracks = Arc::clone(tracks);
                for body in self.relay.tracks(tracks) {
                    window.push(entry(body), clock_ms, None);
                }
            }
            Item::Data(data) => {
                let body = self.relay.data(data);
                window.push(entry(body), clock_ms, None);
            }
            Item::Extra(extra) => {
                if let Some(body) = self.relay.extra(extra) {
                    window.push(entry(body), clock_ms, None);
                }
            }
            Item::Unit(unit) => {
                if let Some(body) = self.relay.unit(unit) {
                    let lead = frame.join.then(|| Lead {
                        entries: self.relay.lead().map(entry).collect(),
                        audio: self.tracks.audio().is_some(),
                        video: self.tracks.video().is_some(),
                    });
                    window.push(entry(body), clock_ms, lead);
                }
            }
            _ => {}
        }
    }
}

/// Encodes MPEG-TS packets.
pub(crate) struct TsEncoder {
    stream: media::StreamName,
    muxer: Option<remux::ts::Muxer>,
    last_tables_ms: Option<i64>,
    /// Written into, then split off: one allocation for many entries.
    buffer: BytesMut,
}

impl TsEncoder {
    pub(crate) fn new(stream: media::StreamName) -> Self {
        Self {
            stream,
            muxer: None,
            last_tables_ms: None,
            buffer: BytesMut::new(),
        }
    }

    fn tracks(&mut self, tracks: &TrackList) {
        // Receivers that are there follow the tables' version; counters must go on for them.
        let left_out = match &mut self.muxer {
            Some(muxer) => muxer.set_tracks(tracks),
            None => {
                let (muxer, left_out) = remux::ts::Muxer::new(tracks);
                self.muxer = Some(muxer);
                left_out
            }
        };
        for left_out in left_out {
            let (track, reason) = (left_out.track, &left_out.reason);
            tracing::warn!(stream = %self.stream, %track, "MPEG-TS leaves out {}: {reason}", left_out.codec);
        }
        self.last_tables_ms = None;
    }

    /// Goes on after frames were lost.
    fn rejoin(&mut self, tracks: &TrackList) {
        self.tracks(tracks);
        if let Some(muxer) = &mut self.muxer {
            muxer.discontinuity();
        }
    }

    fn frame(&mut self, frame: &Frame, window: &mut Window) {
        match &frame.item {
            Item::Tracks(tracks) => self.tracks(tracks),
            Item::Discontinuity(_) => {
                if let Some(muxer) = &mut self.muxer {
                    muxer.discontinuity();
                }
            }
            Item::Unit(unit) => self.unit(unit, frame, window),
            _ => {}
        }
    }

    fn unit(&mut self, unit: &AccessUnit, frame: &Frame, window: &mut Window) {
        let Some(muxer) = &mut self.muxer else { return };
        let due = self
            .last_tables_ms
            .is_none_or(|last| (frame.time_ms - last).abs() >= TABLES_MS);
        if frame.join || due {
            muxer.tables(&mut self.buffer);
            self.last_tables_ms = Some(frame.time_ms);
        }
        if let Err(error) = muxer.unit(unit, &mut self.buffer) {
            tracing::debug!(stream = %self.stream, %error, "MPEG-TS skips a unit");
        }
        let packets = self.buffer.split().freeze();
        if !packets.is_empty() {
            let lead = frame.join.then(Lead::default);
            window.push(Entry::body(packets), frame.clock_ms, lead);
        }
    }
}
