//! A media playlist and the one before it: H1, H2, H4, H5, H8, H10, H18.

use super::{Scribe, seconds};
use crate::playlist::{Kind, Media, Segment};
use crate::rule;

/// Looks at what changed. Neither is a delta update.
pub(crate) fn check(scribe: &mut Scribe<'_>, old: &Media, new: &Media) {
    if new.sequence < old.sequence {
        let what = format!(
            "EXT-X-MEDIA-SEQUENCE goes back from {} to {}",
            old.sequence, new.sequence
        );
        return scribe.tell(&rule::SEQUENCE_BACK, what);
    }
    if new.target != old.target && new.target.is_some() {
        let (was, is) = (old.target.unwrap_or(0), new.target.unwrap_or(0));
        let what = format!("EXT-X-TARGETDURATION changes from {was} to {is}");
        scribe.line(&rule::TARGET_CHANGED, new.target_line, what);
    }
    tags(scribe, old, new);
    if new.end() < old.end() {
        let what = format!(
            "the last segment was {}, and is {} now",
            last(old),
            last(new)
        );
        return scribe.tell(&rule::END_REMOVED, what);
    }
    if old.ended && (new.end(), new.sequence, new.ended) != (old.end(), old.sequence, true) {
        let what = format!(
            "segments {} to {} with ENDLIST are {} to {} now{}",
            old.sequence,
            last(old),
            new.sequence,
            last(new),
            if new.ended { "" } else { ", without ENDLIST" },
        );
        scribe.tell(&rule::CHANGED_AFTER_END, what);
    }
    for (number, segment) in old.numbered() {
        if let Some(now) = new.get(number) {
            segments(scribe, number, segment, now);
        }
    }
    let open = match new.get(old.end()) {
        None if new.end() == old.end() => Some(&new.open),
        segment => segment,
    };
    if let Some(now) = open {
        parts(scribe, old.end(), &old.open, now);
    }
    removed(scribe, old, new);
}

fn last(playlist: &Media) -> String {
    match playlist.segments.len() {
        0 => format!("none before {}", playlist.end()),
        _ => (playlist.end() - 1).to_string(),
    }
}

fn tags(scribe: &mut Scribe<'_>, old: &Media, new: &Media) {
    let kind = |kind: Option<Kind>| format!("{kind:?}");
    if let (Some((was, _)), Some((is, line))) = (old.part_target, new.part_target)
        && was != is
    {
        let what = format!(
            "PART-TARGET changes from {} to {}",
            seconds(was),
            seconds(is)
        );
        scribe.line(&rule::TAG_CHANGED, line, what);
    }
    if old.kind.is_some() && old.kind != new.kind {
        let what = format!(
            "EXT-X-PLAYLIST-TYPE changes from {} to {}",
            kind(old.kind),
            kind(new.kind)
        );
        scribe.tell(&rule::TAG_CHANGED, what);
    }
    if let (Some(was), Some(is)) = (old.version, new.version)
        && was != is
    {
        scribe.tell(
            &rule::TAG_CHANGED,
            format!("EXT-X-VERSION changes from {was} to {is}"),
        );
    }
}

fn segments(scribe: &mut Scribe<'_>, number: u64, old: &Segment, new: &Segment) {
    let url = |segment: &Segment| {
        segment
            .url
            .as_ref()
            .map_or(String::new(), |url| url.to_string())
    };
    let what = if old.url != new.url {
        format!("segment {number} was {}", url(old))
    } else if old.range != new.range {
        format!(
            "segment {number} had bytes {:?}, and has {:?} now",
            old.range, new.range
        )
    } else if old.duration != new.duration {
        let (was, is) = (seconds(old.duration), seconds(new.duration));
        format!("segment {number} had EXTINF {was}, and has {is} now")
    } else if old.discontinuity != new.discontinuity {
        let (with, without) = ("with a DISCONTINUITY", "without");
        let (was, is) = if old.discontinuity {
            (with, without)
        } else {
            (without, with)
        };
        format!("segment {number} was {was}, and is {is} now")
    } else if old.map != new.map {
        format!("segment {number} has another EXT-X-MAP than before")
    } else if old.is_gap != new.is_gap || old.encryption != new.encryption {
        format!("segment {number} has another EXT-X-GAP or EXT-X-KEY than before")
    } else if let (Some((was, _)), Some((is, _))) = (old.date, new.date)
        && was != is
    {
        let moved = seconds((is - was) * 1_000);
        format!("EXT-X-PROGRAM-DATE-TIME of segment {number} moved by {moved}")
    } else {
        return parts(scribe, number, old, new);
    };
    scribe.of(&rule::SEGMENT_CHANGED, new.line, url(new), what);
}

/// Parts only follow; those of an old segment may all leave.
fn parts(scribe: &mut Scribe<'_>, number: u64, old: &Segment, new: &Segment) {
    if old.parts.is_empty() || (new.parts.is_empty() && new.url.is_some()) {
        return;
    }
    if new.parts.len() < old.parts.len() {
        let what = format!(
            "segment {number} had {} parts, and has {} now",
            old.parts.len(),
            new.parts.len()
        );
        return scribe.line(&rule::SEGMENT_CHANGED, new.line, what);
    }
    let mut pairs = old.parts.iter().zip(&new.parts).enumerate();
    if let Some((index, (_, is))) = pairs.find(|(_, (was, is))| !was.says_what(is)) {
        let what = format!("part {index} of segment {number} changed");
        scribe.of(&rule::SEGMENT_CHANGED, is.line, is.url.as_str(), what);
    }
}

fn removed(scribe: &mut Scribe<'_>, old: &Media, new: &Media) {
    if new.sequence > old.end() {
        return; // what left in between was never seen
    }
    let left = old
        .numbered()
        .take_while(|(number, _)| *number < new.sequence);
    let count = left.filter(|(_, segment)| segment.discontinuity).count() as u64;
    let expected = old.discontinuity_sequence + count;
    if new.discontinuity_sequence != expected {
        let what = format!(
            "EXT-X-DISCONTINUITY-SEQUENCE is {} after {}, though {count} DISCONTINUITY left",
            new.discontinuity_sequence, old.discontinuity_sequence
        );
        scribe.tell(&rule::DISCONTINUITY_SEQUENCE, what);
    }
    let shortest = 3 * new.target_us();
    let is_known = new.target.is_some() && new.skip.is_none();
    if is_known && new.sequence > old.sequence && !new.ended && new.duration() < shortest {
        let what = format!(
            "segment {} left, and {} stay listed; three target durations are {}",
            new.sequence - 1,
            seconds(new.duration()),
            seconds(shortest)
        );
        scribe.tell(&rule::TOO_SHORT, what);
    }
}
