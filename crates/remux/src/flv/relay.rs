//! What RTMP and FLV clients of a live stream get: the tag bodies of its default tracks.
//!
//! One place for all outputs of this family (viewers, push targets), so that they send the same:
//! metadata, then codec configurations, then units; the publisher's own bytes where there are some.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use media::{AccessUnit, DataMessage, Extra, Headers, TrackKind, TrackList};

use super::{TagKind, header_body, metadata, unit_body};

/// A tag body and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagBody {
    /// Audio, video or script data.
    pub kind: TagKind,
    /// The body, shared with whoever else sends it.
    pub body: Bytes,
}

/// Follows a stream's headers and turns its units into tag bodies.
#[derive(Clone, Debug, Default)]
pub struct Relay {
    headers: Headers,
}

impl Relay {
    /// Takes these headers for the current ones; [`Relay::lead`] gives them to a client.
    pub fn join(&mut self, headers: &Headers) {
        self.headers = headers.clone();
    }

    /// The tracks changed: the configurations that are not those from before, to be sent at once.
    /// (A repeated one is an empty frame to FFmpeg 9 when it is of Opus.)
    pub fn tracks(&mut self, tracks: &Arc<TrackList>) -> impl Iterator<Item = TagBody> + use<> {
        let before = std::mem::replace(&mut self.headers.tracks, Arc::clone(tracks));
        self.headers.extras.retain(|extra| {
            let (was, is) = (before.get(extra.track), tracks.get(extra.track));
            was.zip(is)
                .is_some_and(|(was, is)| was.same_configuration(is))
        });
        let known: Vec<TagBody> = configurations(&before).collect();
        configurations(&self.headers.tracks).filter(move |body| !known.contains(body))
    }

    /// A data message, to be sent at once; metadata is kept for those who come later.
    pub fn data(&mut self, message: &Arc<DataMessage>) -> TagBody {
        if message.is_metadata() {
            self.headers.metadata = Some(Arc::clone(message));
        }
        TagBody {
            kind: TagKind::Script,
            body: message.amf0.clone(),
        }
    }

    /// What is said about a track besides its configuration, to be sent at once; kept for those who
    /// come later. `None` for tracks that these clients do not get.
    pub fn extra(&mut self, extra: &Arc<Extra>) -> Option<TagBody> {
        let extras = &mut self.headers.extras;
        extras.retain(|known| known.track != extra.track);
        extras.push(Arc::clone(extra));
        self.extra_body(extra)
    }

    fn extra_body(&self, extra: &Extra) -> Option<TagBody> {
        let tracks = &self.headers.tracks;
        let track = tracks.get(extra.track)?;
        tracks.is_default(extra.track).then(|| TagBody {
            kind: tag_kind(track.kind()),
            body: extra.flv_body.clone(),
        })
    }

    /// A unit of the default video or audio track; `None` for others, as clients of this family
    /// know one of each. Copies payload only of units that did not come as FLV.
    #[must_use]
    pub fn unit(&self, unit: &AccessUnit) -> Option<TagBody> {
        let tracks = &self.headers.tracks;
        if !tracks.is_default(unit.track) {
            return None;
        }
        let track = tracks.get(unit.track)?;
        let (head, body) = unit_body(track, unit);
        let body = if head.is_empty() {
            body
        } else {
            joined(&head, &body)
        };
        Some(TagBody {
            kind: tag_kind(track.kind()),
            body,
        })
    }

    /// What a client that starts now gets first: metadata (made when there is none), then codec
    /// configurations, then what else is said about the tracks.
    pub fn lead(&self) -> impl Iterator<Item = TagBody> {
        let body = match &self.headers.metadata {
            Some(data) => data.amf0.clone(),
            None => metadata(&self.headers.tracks),
        };
        let metadata = TagBody {
            kind: TagKind::Script,
            body,
        };
        let extras = self.headers.extras.iter();
        std::iter::once(metadata)
            .chain(configurations(&self.headers.tracks))
            .chain(extras.filter_map(|extra| self.extra_body(extra)))
    }
}

/// Sequence headers of the default tracks.
fn configurations(tracks: &TrackList) -> impl Iterator<Item = TagBody> + use<> {
    let of = |track: &Arc<media::Track>| {
        Some(TagBody {
            kind: tag_kind(track.kind()),
            body: header_body(track)?,
        })
    };
    [tracks.video().and_then(of), tracks.audio().and_then(of)]
        .into_iter()
        .flatten()
}

fn tag_kind(kind: TrackKind) -> TagKind {
    match kind {
        TrackKind::Video => TagKind::Video,
        TrackKind::Audio => TagKind::Audio,
    }
}

fn joined(head: &[u8], body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(head.len() + body.len());
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use media::TrackId;

    use super::*;
    use crate::test_media::{aac, h264};

    #[test]
    fn a_track_that_is_added_does_not_repeat_the_others() {
        let sound = TrackList::default().with(aac());
        let both = Arc::new(sound.with(h264()));
        let mut relay = Relay::default();
        relay.join(&Headers {
            tracks: Arc::new(sound),
            ..Headers::default()
        });
        let kinds = |bodies: Vec<TagBody>| -> Vec<TagKind> {
            bodies.iter().map(|body| body.kind).collect()
        };
        assert_eq!(kinds(relay.tracks(&both).collect()), [TagKind::Video]);
        assert_eq!(kinds(relay.tracks(&both).collect()), []);
        // Another configuration of the same track.
        let mut other = aac();
        other.flv_body = Some(Bytes::from_static(b"\xaf\x00\x11\x90"));
        assert_eq!(other.id, TrackId(1));
        let changed = Arc::new(both.with(other));
        assert_eq!(kinds(relay.tracks(&changed).collect()), [TagKind::Audio]);
    }
}
