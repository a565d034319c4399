//! What the parser tells of a tag body.

use bytes::Bytes;
use media::{AccessUnit, Track, TrackId};

use super::Error;

/// What a tag body holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A track appeared, or its codec configuration changed; replaces the track of the same id.
    /// A repeated identical sequence header gives no event.
    ///
    /// [`Track::flv_body`] is the sequence header's body when it arrived by itself.
    Track(Box<Track>),
    /// One access unit. Its `dts` is zero: the caller places the message's timestamp. Its `flv_body`
    /// is the whole body, unless the body holds several tracks or wraps track 0 as multitrack; then
    /// [`super::unit_body`] builds one that every client reads.
    Unit(AccessUnit),
    /// The publisher says that this track's sequence ended.
    EndOfSequence(TrackId),
    /// An enhanced RTMP `Metadata` packet: colour information, HDR.
    Metadata(VideoMetadata),
    /// An enhanced RTMP `MultichannelConfig` packet.
    Channels(ChannelConfig),
    /// One track of a multitrack body was left out; the others are there. (In a body of one track
    /// this is the error of the call.)
    Refused(Error),
}

/// An enhanced RTMP `Metadata` packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoMetadata {
    /// The video it describes.
    pub track: TrackId,
    /// Pairs of a name (`colorInfo`) and a value, as AMF0; not validated.
    pub amf0: Bytes,
    /// The whole body, to be relayed untouched; `None` when it held several tracks.
    pub flv_body: Option<Bytes>,
}

/// An enhanced RTMP `MultichannelConfig` packet: which channel goes to which speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// The audio it describes.
    pub track: TrackId,
    /// `AudioChannelOrder`: 0 unspecified, 1 native, 2 custom.
    pub order: u8,
    /// Number of channels.
    pub channels: u8,
    /// Native order: the channel mask, 4 bytes; custom order: a speaker number per channel.
    pub layout: Bytes,
    /// The whole body, to be relayed untouched; `None` when it held several tracks.
    pub flv_body: Option<Bytes>,
}

/// The events of one tag body, in order. Holds none or one without allocating.
#[derive(Debug, Clone, Default)]
pub struct Events {
    first: Option<Event>,
    /// What comes after `first`, last event first.
    rest: Vec<Event>,
}

impl Events {
    /// Several events, in order.
    pub(super) fn from_vec(mut events: Vec<Event>) -> Self {
        events.reverse();
        let first = events.pop();
        Self {
            first,
            rest: events,
        }
    }
}

impl From<Event> for Events {
    #[inline]
    fn from(event: Event) -> Self {
        Self {
            first: Some(event),
            rest: Vec::new(),
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    #[inline]
    fn next(&mut self) -> Option<Event> {
        self.first.take().or_else(|| self.rest.pop())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = usize::from(self.first.is_some()) + self.rest.len();
        (len, Some(len))
    }
}

impl ExactSizeIterator for Events {}
