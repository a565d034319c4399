//! Tracks of a stream and the list of them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Codec, CodecConfig, DataMessage, Timescale, TrackKind};

/// A track's number within its stream; small and stable for the life of the track.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u16);

impl fmt::Debug for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "track {}", self.0)
    }
}

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One video or audio within a stream.
#[derive(Clone, Debug)]
pub struct Track {
    /// Number within the stream.
    pub id: TrackId,
    /// Its codec.
    pub codec: Codec,
    /// Clock of its access units.
    pub timescale: Timescale,
    /// The parsed codec configuration, or why there is none: a track without it is relayed over
    /// RTMP and FLV and left out of every other container.
    pub config: Result<CodecConfig, Unconfigured>,
    /// The FLV tag body (sequence header) the configuration arrived in; sent untouched to RTMP
    /// and FLV viewers. `None`: they build one, or the codec has none.
    pub flv_body: Option<Bytes>,
}

/// Why a track has no parsed codec configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unconfigured {
    /// None has arrived yet.
    #[error("no codec configuration has arrived")]
    Missing,
    /// What arrived cannot be parsed.
    #[error("{0}")]
    Malformed(#[from] crate::config::Error),
    /// This codec is relayed only.
    #[error("{0} is relayed only")]
    RelayOnly(Codec),
}

impl Track {
    /// A track whose configuration was parsed.
    #[must_use]
    pub fn new(id: TrackId, timescale: Timescale, config: CodecConfig) -> Self {
        Self {
            id,
            codec: config.codec(),
            timescale,
            config: Ok(config),
            flv_body: None,
        }
    }

    /// Video or audio.
    #[must_use]
    pub fn kind(&self) -> TrackKind {
        self.codec.kind()
    }

    /// Whether both describe the same elementary stream configuration: a decoder of the one
    /// decodes the other without being told, and the picture's size is the same (that of VP9 is
    /// not in its record, but outputs state it).
    #[must_use]
    pub fn same_configuration(&self, other: &Self) -> bool {
        self.codec == other.codec
            && self.timescale == other.timescale
            && match (&self.config, &other.config) {
                (Ok(a), Ok(b)) => a.raw() == b.raw() && a.picture_size() == b.picture_size(),
                (Err(_), Err(_)) => self.flv_body == other.flv_body,
                _ => false,
            }
    }
}

impl Track {
    /// Whether this is `other` with the picture size that it does not know yet: VP9 has it in its
    /// first key frame.
    #[must_use]
    pub fn completes(&self, other: &Self) -> bool {
        let size = |track: &Self| track.config.as_ref().ok()?.picture_size();
        let raw = |track: &Self| {
            track
                .config
                .as_ref()
                .map(|config| config.raw().clone())
                .ok()
        };
        self.codec == other.codec
            && self.timescale == other.timescale
            && self.flv_body == other.flv_body
            && raw(self) == raw(other)
            && size(other) == Some((0, 0))
            && size(self) != size(other)
    }
}

/// The tracks of a stream at one moment; shared, never changed in place.
#[derive(Clone, Debug, Default)]
pub struct TrackList {
    tracks: Vec<Arc<Track>>,
}

impl TrackList {
    /// A list of these tracks, in order of their ids.
    #[must_use]
    pub fn new(mut tracks: Vec<Arc<Track>>) -> Self {
        tracks.sort_by_key(|track| track.id);
        Self { tracks }
    }

    /// All tracks, in order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Track>> {
        self.tracks.iter()
    }

    /// How many tracks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The track of this id.
    #[must_use]
    pub fn get(&self, id: TrackId) -> Option<&Arc<Track>> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// The first video track: the default one.
    #[must_use]
    pub fn video(&self) -> Option<&Arc<Track>> {
        self.tracks
            .iter()
            .find(|track| track.kind() == TrackKind::Video)
    }

    /// The first audio track: the default one.
    #[must_use]
    pub fn audio(&self) -> Option<&Arc<Track>> {
        self.tracks
            .iter()
            .find(|track| track.kind() == TrackKind::Audio)
    }

    /// Whether `id` is the default video or the default audio track.
    #[must_use]
    pub fn is_default(&self, id: TrackId) -> bool {
        self.video().is_some_and(|track| track.id == id)
            || self.audio().is_some_and(|track| track.id == id)
    }

    /// This list with `track` added, or put in place of the one with its id.
    #[must_use]
    pub fn with(&self, track: Track) -> Self {
        let id = track.id;
        let mut tracks: Vec<_> = self.tracks.iter().filter(|t| t.id != id).cloned().collect();
        tracks.push(Arc::new(track));
        Self::new(tracks)
    }
}

/// What a publisher says about a track besides its configuration: how the colours of its video are
/// meant (HDR), which channel of its audio goes to which speaker (Enhanced RTMP v2 `Metadata` and
/// `MultichannelConfig`). For outputs in FLV framing; others say such things in their own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// The track it describes.
    pub track: TrackId,
    /// The whole FLV tag body, as it came.
    pub flv_body: Bytes,
}

/// What a late joiner needs before its first access unit.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The tracks with their codec configurations.
    pub tracks: Arc<TrackList>,
    /// The latest `onMetaData`.
    pub metadata: Option<Arc<DataMessage>>,
    /// The latest extra of each track that has one; valid for the tracks' configurations here.
    pub extras: Vec<Arc<Extra>>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn another_picture_size_is_another_configuration() {
        let record = [1, 0, 0, 0, 0, 11, 0x82, 2, 2, 2, 0, 0];
        let config = CodecConfig::parse(Codec::Vp9, &record).unwrap();
        let track = |width| {
            let mut config = config.clone();
            if let CodecConfig::Vp9(vp9) = &mut config {
                (vp9.params.width, vp9.params.height) = (width, 180);
            }
            Track::new(TrackId(0), Timescale::MILLIS, config)
        };
        assert!(track(320).same_configuration(&track(320)));
        assert!(!track(320).same_configuration(&track(640)));
        assert!(track(320).completes(&{
            let mut unsized_one = track(0);
            if let Ok(CodecConfig::Vp9(vp9)) = &mut unsized_one.config {
                vp9.params.height = 0;
            }
            unsized_one
        }));
        assert!(!track(320).completes(&track(640)) && !track(320).completes(&track(320)));
    }
}
