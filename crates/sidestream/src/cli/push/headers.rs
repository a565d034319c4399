//! Metadata and sequence headers: sent once, and again on each new connection.

use bytes::Bytes;
use publish::Publication;
use remux::flv::{Tag, TagKind};

/// What a new connection needs before media.
#[derive(Default)]
pub(in crate::cli) struct Headers {
    tags: Vec<(TagKind, Bytes)>,
}

impl Headers {
    /// Whether this is a header that was sent before; a new one is kept.
    pub(in crate::cli) fn is_known(&mut self, tag: &Tag) -> bool {
        if !is_header(tag) {
            return false;
        }
        if self.holds(tag) {
            return true;
        }
        self.tags.retain(|(kind, _)| *kind != tag.kind);
        self.tags.push((tag.kind, tag.body.clone()));
        false
    }

    /// Whether this very tag is kept.
    pub(in crate::cli) fn holds(&self, tag: &Tag) -> bool {
        let mut tags = self.tags.iter();
        tags.any(|(kind, body)| *kind == tag.kind && *body == tag.body)
    }

    /// Whether there is video.
    pub(super) fn has_video(&self) -> bool {
        self.tags.iter().any(|(kind, _)| *kind == TagKind::Video)
    }

    /// Sends what a new connection needs.
    pub(super) fn send(&self, publication: &mut Publication, timestamp: u32) {
        for (kind, body) in &self.tags {
            publication.push(*kind, timestamp, body.clone());
        }
    }
}

/// Whether a tag says that its track's sequence ends; players that see one in the middle stop.
pub(in crate::cli) fn is_end(tag: &Tag) -> bool {
    let byte = |index: usize| tag.body.get(index).copied().unwrap_or_default();
    match (tag.kind, byte(0) & 0x80) {
        (TagKind::Video, 0) => matches!(byte(0) & 0x0f, 7 | 12) && byte(1) == 2,
        (TagKind::Video, _) => byte(0) & 0x0f == 2,
        (TagKind::Audio, _) => byte(0) >> 4 == 9 && byte(0) & 0x0f == 2,
        (TagKind::Script, _) => false,
    }
}

/// Whether a tag is a video frame that decoding can start at.
pub(in crate::cli) fn is_key_frame(tag: &Tag) -> bool {
    let first = tag.body.first().copied().unwrap_or_default();
    tag.kind == TagKind::Video && (first >> 4) & 7 == 1
}

/// Whether a tag is metadata or a sequence header (FLV 10.1 §E.4.2.1, §E.4.3.1; enhanced RTMP).
pub(in crate::cli) fn is_header(tag: &Tag) -> bool {
    let byte = |index: usize| tag.body.get(index).copied().unwrap_or_default();
    match tag.kind {
        TagKind::Script => true,
        // AAC, and enhanced audio's packet type 0.
        TagKind::Audio => match byte(0) >> 4 {
            10 => byte(1) == 0,
            9 => byte(0) & 0x0f == 0,
            _ => false,
        },
        TagKind::Video => match byte(0) & 0x80 {
            0 => matches!(byte(0) & 0x0f, 7 | 12) && byte(1) == 0,
            _ => byte(0) & 0x0f == 0,
        },
    }
}
