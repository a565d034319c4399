//! The read model: what the HTTP shell serves, as one immutable snapshot.
//!
//! A snapshot is made once per change and shared by `Arc`; every text in it was rendered once and
//! every segment is a reference count. Lookups allocate nothing but the segment's `ETag`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::container::{self, Container, HasVideo, ResourceName};

/// Everything that HLS viewers of one stream can fetch at one moment.
///
/// Publish it (`ArcSwap`) after each [`crate::Segmenter::changed`]; any number of readers use it.
#[derive(Clone, Debug)]
pub struct Presentation {
    pub(crate) epoch: u64,
    pub(crate) renditions: [Rendition; 2],
    pub(crate) inits: Arc<[Init]>,
    pub(crate) target_duration: Option<Duration>,
    pub(crate) ended: bool,
}

/// What a container has to offer at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rendition {
    /// Nobody asked for it: [`crate::Segmenter::enable`] starts it.
    Off,
    /// Started; no segment is complete yet.
    Pending,
    /// The container can carry none of the stream's tracks. The text says why, lower case, for
    /// the body of an error response. Not for ever: the stream's codecs may change.
    Refused(Arc<str>),
    /// There is something to play.
    Ready(Playlists),
}

/// Playlists and segments of a container.
#[derive(Clone, Debug)]
pub struct Playlists {
    /// The multivariant playlist, `/{app}/{stream}.m3u8` or `.ts.m3u8`.
    pub multivariant: Text,
    /// The media playlist, `/{app}/{stream}/fmp4.m3u8` or `ts.m3u8`.
    pub media: Text,
    /// Media sequence number of the newest segment.
    pub last_sequence: u64,
    /// All segments that can be fetched, listed or not, in order without gap.
    pub(crate) segments: Arc<[Stored]>,
}

/// A rendered playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// UTF-8, shared.
    pub body: Bytes,
    /// `ETag` value with its quotation marks; equal exactly for equal bodies (64-bit hash).
    pub etag: Arc<str>,
}

/// A segment or init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The whole content, shared.
    pub body: Bytes,
    /// MIME type.
    pub content_type: &'static str,
    /// `ETag` value with its quotation marks. The content of a name never changes: any cache may
    /// keep it for ever.
    pub etag: Box<str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) body: Bytes,
    pub(crate) has_video: HasVideo,
}

#[derive(Clone, Debug)]
pub(crate) struct Init {
    pub(crate) version: u32,
    pub(crate) body: Bytes,
    pub(crate) has_video: HasVideo,
}

impl Presentation {
    /// What this container offers.
    #[must_use]
    pub fn rendition(&self, container: Container) -> &Rendition {
        let [fmp4, ts] = &self.renditions;
        match container {
            Container::Fmp4 => fmp4,
            Container::Ts => ts,
        }
    }

    /// The multivariant playlist of this container, once there is something to play.
    #[must_use]
    pub fn multivariant(&self, container: Container) -> Option<&Text> {
        self.ready(container).map(|ready| &ready.multivariant)
    }

    /// The media playlist of this container, once there is something to play.
    #[must_use]
    pub fn media(&self, container: Container) -> Option<&Text> {
        self.ready(container).map(|ready| &ready.media)
    }

    /// The segment or init segment of this name (the last path part below `/{app}/{stream}/`).
    /// Removed segments are still found for their own duration and that of the longest playlist
    /// that listed them (H3).
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<Resource> {
        let (body, content_type) = match container::parse_name(self.epoch, name)? {
            ResourceName::Init { version } => {
                let init = self.inits.iter().find(|init| init.version == version)?;
                (&init.body, Container::Fmp4.media_type(init.has_video))
            }
            ResourceName::Segment {
                container,
                sequence,
            } => {
                let segments = &self.ready(container)?.segments;
                let first = segments.first()?.sequence;
                let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
                let stored = segments.get(index)?;
                (&stored.body, container.media_type(stored.has_video))
            }
        };
        Some(Resource {
            body: body.clone(),
            content_type,
            etag: format!("\"{name}\"").into(),
        })
    }

    /// `EXT-X-TARGETDURATION`, once it is fixed; for cache headers (H17).
    #[must_use]
    pub fn target_duration(&self) -> Option<Duration> {
        self.target_duration
    }

    /// Whether the playlists say `EXT-X-ENDLIST`: nothing changes any more.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn ready(&self, container: Container) -> Option<&Playlists> {
        match self.rendition(container) {
            Rendition::Ready(ready) => Some(ready),
            _ => None,
        }
    }
}
