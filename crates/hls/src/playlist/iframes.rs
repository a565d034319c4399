//! I-frame playlists (RFC 8216 §4.3.3.6): of each segment the bytes of its first picture.
//!
//! ```text
//! #EXTINF:2,
//! #EXT-X-BYTERANGE:48213@0
//! 6a1f-17.m4s
//! ```
//!
//! A range begins with what a decoder needs before the picture (`moof`, or PAT and PMT) and ends
//! with its last byte. There is an entry for each segment, so that sequence numbers are those of
//! the media playlist; one that no decoder can start in is a gap.
//!
//! Encrypted samples can be decrypted one by one, so their keys stand here too. Of segments that are
//! encrypted as a whole there is no such playlist: a range of a chain of blocks is no use alone.

use std::fmt::Write as _;

use crate::container::{Container, init_name, segment_name};
use crate::date::rfc3339;
use crate::encryption::KeyTags;
use crate::presentation::Text;
use crate::window::Window;

use super::{Head, low_latency::Seconds, rendered};

pub(crate) fn iframes(head: Head, window: &Window) -> Text {
    // 4 for byte ranges and EXT-X-I-FRAMES-ONLY, 6 for the map (§7).
    let version = match head.feed.container() {
        Container::Fmp4 => 6,
        Container::Ts => 4,
    };
    let first = window.listed().next().map_or(0, |s| s.sequence);
    let mut out = String::with_capacity(2 << 10);
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to memory does not fail.
        let _ = writeln!(out, "{line}");
    };
    line(format_args!("#EXTM3U\n#EXT-X-VERSION:{version}"));
    line(format_args!(
        "#EXT-X-TARGETDURATION:{}",
        head.target_seconds
    ));
    line(format_args!("#EXT-X-MEDIA-SEQUENCE:{first}"));
    if window.discontinuity_sequence() > 0 {
        let count = window.discontinuity_sequence();
        line(format_args!("#EXT-X-DISCONTINUITY-SEQUENCE:{count}"));
    }
    line(format_args!("#EXT-X-I-FRAMES-ONLY"));
    let (mut map, mut keys) = (None, KeyTags::default());
    for segment in window.listed() {
        if segment.discontinuity {
            line(format_args!("#EXT-X-DISCONTINUITY"));
        }
        if let Some(version) = segment.init.filter(|_| segment.init != map) {
            map = segment.init;
            let name = init_name(head.epoch, head.feed, version);
            line(format_args!("#EXT-X-MAP:URI=\"{name}\""));
        }
        if let Some(key) = keys.before(segment.seal.as_ref(), head.epoch) {
            line(format_args!("#EXT-X-KEY:{key}"));
        }
        let date = rfc3339(segment.wall_ms);
        line(format_args!("#EXT-X-PROGRAM-DATE-TIME:{date}"));
        let duration = Seconds(segment.duration_ms);
        match segment.picture {
            Some(range) => line(format_args!(
                "#EXTINF:{duration},\n#EXT-X-BYTERANGE:{}@{}",
                range.len, range.offset
            )),
            None => line(format_args!("#EXT-X-GAP\n#EXTINF:{duration},")),
        }
        let name = segment_name(head.epoch, head.feed, segment.sequence);
        line(format_args!("{name}"));
    }
    if head.ended {
        line(format_args!("#EXT-X-ENDLIST"));
    }
    rendered(out.into_bytes())
}
