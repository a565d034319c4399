//! Low latency: what parts, hints and SERVER-CONTROL say (H13, H15, H16), and how requests are held (H14, H15).

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Scribe, seconds};
use crate::playlist::{Media, Micros, Segment};
use crate::rule;

/// What EXTINF may differ from the sum of the parts.
const SUM_TOLERANCE: Micros = 20_000;
/// What a part may be longer than its target: the last digit of what was written.
const PART_TOLERANCE: Micros = 1_000;
/// How much later than three target durations a held request may be answered.
const HELD_TOLERANCE: Duration = Duration::from_millis(1_500);

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Until {
    pub(crate) number: u64,
    pub(crate) part: Option<u64>,
}

impl Until {
    /// Whether a playlist has it.
    pub(crate) fn is_in(self, playlist: &Media) -> bool {
        let parts = playlist.open.parts.len() as u64;
        let has_part = || self.part.is_some_and(|part| part < parts);
        playlist.ended
            || playlist.end() > self.number
            || (playlist.end() == self.number && has_part())
    }

    pub(crate) fn query(self) -> String {
        match self.part {
            Some(part) => format!("_HLS_msn={}&_HLS_part={part}", self.number),
            None => format!("_HLS_msn={}", self.number),
        }
    }
}

/// Looks at what a playlist says once.
pub(crate) fn head(scribe: &mut Scribe<'_>, playlist: &Media) {
    let control = playlist.control.clone().unwrap_or_default();
    if let Some(until) = control.can_skip_until
        && until < 6 * playlist.target_us()
    {
        let (until, least) = (seconds(until), seconds(6 * playlist.target_us()));
        let what = format!("CAN-SKIP-UNTIL={until}, and six target durations are {least}");
        scribe.line(&rule::SKIP_UNTIL_SHORT, control.line, what);
    }
    let target = match (playlist.part_target, playlist.has_parts()) {
        (Some((target, _)), _) => target,
        (None, false) => return,
        (None, true) => {
            return scribe.tell(&rule::PART_INF_MISSING, "EXT-X-PART, and no EXT-X-PART-INF");
        }
    };
    if !control.can_block && !playlist.ended {
        scribe.line(
            &rule::NO_BLOCKING,
            control.line.max(1),
            "parts, and no CAN-BLOCK-RELOAD=YES",
        );
    }
    let Some(back) = control.part_hold_back else {
        return scribe.line(
            &rule::HOLD_BACK_MISSING,
            control.line.max(1),
            "parts, and no PART-HOLD-BACK",
        );
    };
    let check = if back < 2 * target - PART_TOLERANCE {
        &rule::HOLD_BACK_SHORT
    } else if back < 3 * target - PART_TOLERANCE {
        &rule::HOLD_BACK_LOW
    } else {
        return;
    };
    let what = format!(
        "PART-HOLD-BACK={}, and PART-TARGET={}",
        seconds(back),
        seconds(target)
    );
    scribe.line(check, control.line, what);
}

/// Looks at the parts from part `from.1` of segment `from.0` on.
pub(crate) fn parts(scribe: &mut Scribe<'_>, playlist: &Media, from: (u64, usize)) {
    let Some((target, _)) = playlist.part_target else {
        return;
    };
    for (number, segment) in playlist.numbered() {
        if number >= from.0 {
            let first = if number == from.0 { from.1 } else { 0 };
            segment_parts(scribe, segment, target, first);
            let sum = segment.parts_duration();
            if !segment.parts.is_empty() && (sum - segment.duration).abs() > SUM_TOLERANCE {
                let what = format!(
                    "EXTINF {}, and its parts last {}",
                    seconds(segment.duration),
                    seconds(sum)
                );
                scribe.line(&rule::PARTS_SUM, segment.duration_line, what);
            }
        }
    }
    let first = if playlist.end() == from.0 { from.1 } else { 0 };
    segment_parts(scribe, &playlist.open, target, first);
    if playlist.hint.is_none() && !playlist.ended {
        scribe.tell(&rule::HINT_MISSING, "parts, and no EXT-X-PRELOAD-HINT");
    }
}

fn segment_parts(scribe: &mut Scribe<'_>, segment: &Segment, target: Micros, first: usize) {
    for (index, part) in segment.parts.iter().enumerate() {
        if index >= first && part.duration > target + PART_TOLERANCE {
            let what = format!(
                "a part of {}, and PART-TARGET={}",
                seconds(part.duration),
                seconds(target)
            );
            scribe.of(&rule::PART_TOO_LONG, part.line, part.url.as_str(), what);
        }
        // Known when another part follows.
        let is_followed = index + 1 < segment.parts.len();
        if is_followed && index + 1 >= first && part.duration + PART_TOLERANCE < target * 85 / 100 {
            let what = format!(
                "a part of {} that is not its segment's last, less than 85 % of PART-TARGET={}",
                seconds(part.duration),
                seconds(target)
            );
            scribe.of(&rule::PART_TOO_SHORT, part.line, part.url.as_str(), what);
        }
    }
}

/// Looks for reports on the other playlists of the same multivariant playlist.
pub(crate) fn reports(scribe: &mut Scribe<'_>, playlist: &Media, others: &[Arc<Url>]) {
    if playlist.part_target.is_none() || playlist.ended {
        return;
    }
    for other in others {
        if !playlist
            .reports
            .iter()
            .any(|report| report.path() == other.path())
        {
            let what = format!("no EXT-X-RENDITION-REPORT on {other}");
            scribe.tell(&rule::REPORT_MISSING, what);
        }
    }
}

/// A playlist that a request for `until` gave; whether it was waited for.
pub(crate) fn held(scribe: &mut Scribe<'_>, playlist: &Media, until: Until) -> bool {
    if until.is_in(playlist) {
        took(scribe, scribe.seen.took, playlist);
        return true;
    }
    let has = format!(
        "it ends before part {} of segment {}",
        playlist.open.parts.len(),
        playlist.end()
    );
    let what = format!(
        "answered after {:.3} s without what {} names: {has}",
        scribe.seen.took.as_secs_f64(),
        until.query()
    );
    let check = match (until.part, playlist.part_target) {
        (None, Some(_)) => &rule::SEGMENT_NOT_HELD,
        _ => &rule::ANSWERED_EARLY,
    };
    scribe.tell(check, what);
    false
}

/// How long a request was held, answered or not, by the playlist before.
pub(crate) fn took(scribe: &mut Scribe<'_>, took: Duration, playlist: &Media) {
    let target = Duration::from_secs(playlist.target.unwrap_or(10));
    if took > 3 * target + HELD_TOLERANCE {
        let what = format!(
            "held for {:.1} s; three target durations are {} s",
            took.as_secs_f64(),
            3 * target.as_secs()
        );
        scribe.tell(&rule::HELD_TOO_LONG, what);
    }
}
