//! Delta updates (H16).

use super::{Scribe, seconds};
use crate::playlist::Media;
use crate::rule;

/// A playlist that was not asked to skip anything.
pub(crate) fn full(scribe: &mut Scribe<'_>, playlist: &Media) {
    if let Some(skip) = &playlist.skip {
        scribe.line(
            &rule::SKIP_UNASKED,
            skip.line,
            "EXT-X-SKIP in the answer to a request without _HLS_skip",
        );
    }
}

/// What `_HLS_skip=YES` gave, beside the newest whole playlist before it.
pub(crate) fn check(scribe: &mut Scribe<'_>, delta: &Media, full: &Media) {
    let until = full
        .control
        .as_ref()
        .and_then(|control| control.can_skip_until);
    let Some(skip) = &delta.skip else {
        let first = delta.segments.first().map_or(0, |segment| segment.duration);
        if let Some(until) =
            until.filter(|&until| delta.duration() - first >= until && !delta.ended)
        {
            let what = format!(
                "_HLS_skip=YES gave {} and no EXT-X-SKIP, with CAN-SKIP-UNTIL={}",
                seconds(delta.duration()),
                seconds(until)
            );
            scribe.tell(&rule::SKIP_IGNORED, what);
        }
        return;
    };
    let Some(until) = until else {
        return scribe.line(
            &rule::SKIP_UNASKED,
            skip.line,
            "EXT-X-SKIP, and no CAN-SKIP-UNTIL",
        );
    };
    if delta.version.unwrap_or(1) < 9 {
        let what = format!(
            "EXT-X-SKIP with EXT-X-VERSION {}",
            delta.version.unwrap_or(1)
        );
        scribe.line(&rule::SKIP_VERSION, skip.line, what);
    }
    if delta.duration() < until {
        let what = format!(
            "{} are left, and CAN-SKIP-UNTIL={}",
            seconds(delta.duration()),
            seconds(until)
        );
        scribe.line(&rule::SKIP_TOO_MUCH, skip.line, what);
    }
    differs(scribe, delta, full);
}

fn differs(scribe: &mut Scribe<'_>, delta: &Media, full: &Media) {
    if delta.sequence < full.sequence || (delta.end() < full.end() && !full.ended) {
        let what = format!(
            "the delta update is of segments {} to {}, the playlist before it had {} to {}",
            delta.sequence,
            delta.end(),
            full.sequence,
            full.end()
        );
        return scribe.tell(&rule::SKIP_DIFFERS, what);
    }
    for (number, segment) in delta.numbered() {
        let Some(known) = full.get(number) else {
            continue;
        };
        let same = (
            &segment.url,
            segment.duration,
            segment.range,
            segment.discontinuity,
        ) == (&known.url, known.duration, known.range, known.discontinuity);
        // The map that holds was perhaps written before the boundary.
        let same_map = segment.map.is_none() || segment.map == known.map;
        if !same || !same_map {
            let url = segment.url.as_ref().map_or("", |url| url.as_str());
            let what =
                format!("segment {number} of the delta update is not that of the whole playlist");
            return scribe.of(&rule::SKIP_DIFFERS, segment.line, url, what);
        }
    }
}
