//! Playlist text (RFC 8216 §4), written by `m3u8-rs`; media playlists with parts by [`low_latency`].
//!
//! The crate's own fields for `EXT-X-MAP` and `EXT-X-PROGRAM-DATE-TIME` stay unused: it would
//! write a segment's map before its discontinuity, which belong the other way round, and dates
//! need its clock type. Both go as plain tags before the segment's `EXTINF`, in our order:
//!
//! ```text
//! #EXT-X-DISCONTINUITY
//! #EXT-X-MAP:URI="..."                 first segment of the list, and where the init changes
//! #EXT-X-KEY:...                       where media is encrypted, and another key or vector holds
//! #EXT-X-PROGRAM-DATE-TIME:...
//! #EXT-X-DATERANGE:...                 cues that came with the segment
//! #EXTINF:2.04,
//! 6a1f-17.m4s
//! ```
//!
//! Durations are whole milliseconds: exact in the `f32` that the crate prints in its shortest form.

mod classic;
mod iframes;
mod low_latency;
mod multivariant;

pub use classic::{Classic, Named};
pub(crate) use iframes::iframes;
pub(crate) use low_latency::{
    Deltas, Report, Seconds, Texts, media as low_latency_media, skip_boundary_ms,
};
pub(crate) use multivariant::{
    Choice, Label, Multivariant, Sound, Variant, ladder, multivariant, uri,
};

use bytes::Bytes;
use m3u8_rs::{ExtTag, MediaPlaylist, MediaSegment};

use crate::container::{Container, init_name, segment_name};
use crate::date::rfc3339;
use crate::encryption::KeyTags;
use crate::feed::Feed;
use crate::presentation::Text;
use crate::timed::Dates;
use crate::window::Window;

/// What a media playlist says besides its segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) feed: Feed,
    pub(crate) epoch: u64,
    pub(crate) target_seconds: u64,
    pub(crate) independent: bool,
    pub(crate) ended: bool,
}

/// Frames per second as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameRate {
    pub(crate) frames: u64,
    pub(crate) per: u64,
    /// `per` is in units of a second divided by this.
    pub(crate) hz: u64,
}

impl FrameRate {
    /// Frames in a thousand seconds, rounded to the nearest.
    pub(crate) fn milli(self) -> u64 {
        let per = self.per.max(1);
        (self.frames * self.hz * 1_000 + per / 2) / per
    }
}

/// The media playlist of a window.
pub(crate) fn media(head: Head, window: &Window, dates: &Dates) -> Text {
    let mut lines = dates.lines_from(window.first_wall_ms());
    let (mut map, mut keys) = (None, KeyTags::default());
    let segments = window.listed().map(|segment| {
        let mut tags = Vec::new();
        if segment.discontinuity {
            tags.push(tag("X-DISCONTINUITY", None));
        }
        if segment.init.is_some() && segment.init != map {
            map = segment.init;
            let none = keys.before_map().map(str::to_owned);
            tags.extend(none.map(|none| tag("X-KEY", Some(none))));
            let uri = segment
                .init
                .map(|version| init_name(head.epoch, head.feed, version));
            tags.push(tag("X-MAP", uri.map(|uri| format!("URI=\"{uri}\""))));
        }
        let key = keys.before(segment.seal.as_ref(), head.epoch);
        tags.extend(key.map(|key| tag("X-KEY", Some(key))));
        tags.push(tag("X-PROGRAM-DATE-TIME", Some(rfc3339(segment.wall_ms))));
        let ranges = lines.before(segment.end_wall_ms());
        tags.extend(ranges.map(|range| tag("X-DATERANGE", Some(range.to_owned()))));
        if segment.body.is_empty() {
            tags.push(tag("X-GAP", None));
        }
        MediaSegment {
            uri: segment_name(head.epoch, head.feed, segment.sequence),
            duration: seconds(segment.duration_ms),
            unknown_tags: tags,
            ..MediaSegment::default()
        }
    });
    let playlist = MediaPlaylist {
        version: Some(version(head.feed.container())),
        target_duration: head.target_seconds,
        media_sequence: window.listed().next().map_or(0, |s| s.sequence),
        segments: segments.collect(),
        discontinuity_sequence: window.discontinuity_sequence(),
        end_list: head.ended,
        independent_segments: head.independent,
        ..MediaPlaylist::default()
    };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = playlist.write_to(&mut text);
    rendered(text)
}

/// The version that the tags used need (RFC 8216 §7): 3 for decimal durations, 6 for EXT-X-MAP.
fn version(container: Container) -> usize {
    match container {
        Container::Fmp4 => 6,
        Container::Ts => 3,
    }
}

fn tag(name: &str, rest: Option<String>) -> ExtTag {
    ExtTag {
        tag: name.to_owned(),
        rest,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "below 2^24 ms, which is 4.6 hours, every value is exact"
)]
fn seconds(ms: u64) -> f32 {
    ms as f32 / 1_000.0
}

/// Text with its tag: a 64-bit FNV-1a hash, the same after a restart.
fn rendered(text: Vec<u8>) -> Text {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Text {
        etag: format!("\"{hash:016x}\"").into(),
        body: Bytes::from(text),
    }
}

#[cfg(test)]
mod tests;
