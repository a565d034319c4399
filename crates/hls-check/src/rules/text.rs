//! One media playlist by itself: H1, H10, H11, and lines that are wrong.

use super::{Scribe, seconds};
use crate::playlist::Media;
use crate::rule;

/// How far a date may lie from what the durations say, in milliseconds.
const DATE_TOLERANCE_MS: i64 = 500;

/// Looks at everything that is written once, and at segments from the number `from` on.
pub(crate) fn check(scribe: &mut Scribe<'_>, playlist: &Media, from: u64) {
    for problem in playlist.problems.iter() {
        scribe.line(problem.check, problem.line, problem.what.as_str());
    }
    let mut before: Option<(i64, i64)> = None;
    for (number, segment) in playlist.numbered() {
        let url = segment.url.as_ref().map_or("", |url| url.as_str());
        let dated = before.take();
        before = segment.date.map(|(date, _)| (date, segment.duration));
        if before.is_none() {
            before = dated.map(|(date, duration)| (date + duration / 1_000, segment.duration));
        }
        if number < from {
            continue;
        }
        let rounded = (segment.duration + 500_000) / 1_000_000;
        if let Some(target) = playlist
            .target
            .filter(|&target| rounded.unsigned_abs() > target)
        {
            let duration = seconds(segment.duration);
            let what = format!(
                "EXTINF {duration} rounds to {rounded} s, EXT-X-TARGETDURATION is {target} s"
            );
            scribe.of(&rule::EXTINF_OVER_TARGET, segment.duration_line, url, what);
        }
        if segment.map.is_none() && names_fmp4(url) {
            let what = "an fMP4 segment, and no EXT-X-MAP before it";
            scribe.of(&rule::MAP_MISSING, segment.line, url, what);
        }
        let (Some((was, duration)), Some((date, line))) = (dated, segment.date) else {
            continue;
        };
        let off = date - (was + duration / 1_000);
        if date < was {
            let what = format!(
                "EXT-X-PROGRAM-DATE-TIME goes back by {}",
                seconds((was - date) * 1_000)
            );
            scribe.of(&rule::DATE_BACK, line, url, what);
        } else if off.abs() > DATE_TOLERANCE_MS && !segment.discontinuity {
            let what = format!(
                "EXT-X-PROGRAM-DATE-TIME is {} {} than the date and duration of the segment before say",
                seconds(off.abs() * 1_000),
                if off > 0 { "later" } else { "earlier" },
            );
            scribe.of(&rule::DATE_UNTRUE, line, url, what);
        }
    }
}

/// By its name; what it holds may be known later or never.
fn names_fmp4(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    [".m4s", ".mp4", ".cmfv", ".cmfa", ".m4v", ".m4a"]
        .iter()
        .any(|end| path.ends_with(end))
}
