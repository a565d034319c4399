//! Segments and parts, each by itself and with the one before (H1, H5 to H10, H13).

use std::collections::BTreeMap;

use media::TrackKind;

use super::{Scribe, in_ticks, ticks};
use crate::playlist::{Part, Segment};
use crate::rule;
use crate::segment::{Container, Facts, Init, Run, between};

/// Ticks of 90 kHz from which a difference is a jump and not an inexact duration: 1 s.
const JUMP: i64 = 90_000;
/// Ticks that a duration may be inexact at least: 50 ms.
const INEXACT: i64 = 4_500;

/// A segment that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) number: u64,
    pub(crate) segment: Segment,
    pub(crate) facts: Facts,
    /// Where it may begin, in ticks from its leader's first unit, by the durations before it.
    begins: (i64, i64),
}

impl Read {
    pub(crate) fn new(number: u64, segment: Segment, facts: Facts) -> Self {
        Self {
            number,
            segment,
            facts,
            // Of the first nothing is known of what was before it.
            begins: (-JUMP, 0),
        }
    }

    fn url(&self) -> &str {
        self.segment.url.as_ref().map_or("", |url| url.as_str())
    }
}

/// An init segment.
pub(crate) fn init(scribe: &mut Scribe<'_>, line: usize, url: &str, init: &Init) {
    let what = match (init.has_ftyp, init.has_moov, init.has_media) {
        (true, true, false) => "",
        (_, false, _) => "an init segment without moov",
        (false, ..) => "an init segment without ftyp",
        (.., true) => "an init segment with fragments in it",
    };
    if !what.is_empty() {
        scribe.of(&rule::INIT_WRONG, line, url, what);
    }
    if init.tracks.values().any(|track| &track.entry == b"hev1") {
        scribe.of(
            &rule::HEV1,
            line,
            url,
            "the sample entry is hev1; players of Apple want hvc1",
        );
    }
}

/// A part: whether its INDEPENDENT is true.
pub(crate) fn part(scribe: &mut Scribe<'_>, part: &Part, facts: &Facts) {
    let Some(video) = facts.video() else {
        return;
    };
    let url = part.url.as_str();
    match (part.independent, video.begins_with_key) {
        (true, false) => {
            let what = "INDEPENDENT=YES, and the first picture is no key frame";
            scribe.of(&rule::INDEPENDENT_UNTRUE, part.line, url, what);
        }
        (false, true) => {
            let what = "the first picture is a key frame, and there is no INDEPENDENT=YES";
            scribe.of(&rule::INDEPENDENT_MISSING, part.line, url, what);
        }
        _ => {}
    }
}

/// A segment by itself.
pub(crate) fn segment(scribe: &mut Scribe<'_>, read: &Read, says_independent: bool) {
    let (line, url) = (read.segment.line, read.url());
    if let Some(damage) = &read.facts.damage {
        scribe.of(&rule::SEGMENT_DAMAGED, line, url, damage.as_str());
    }
    if let Some(video) = read.facts.video().filter(|video| !video.begins_with_key) {
        let check = if says_independent {
            &rule::NOT_INDEPENDENT
        } else {
            &rule::NO_KEY_FRAME
        };
        let what = format!(
            "the first picture, at {}, is no key frame",
            ticks(video.first_dts)
        );
        scribe.of(check, line, url, what);
    }
    match &read.facts.container {
        Container::Ts(raw) => {
            if !raw.has_tables {
                scribe.of(
                    &rule::TABLES_MISSING,
                    line,
                    url,
                    "no PAT and PMT before the media",
                );
            }
            if let Some(broken) = &raw.broken {
                scribe.of(&rule::CONTINUITY, line, url, broken.as_str());
            }
            if let Some(torn) = &raw.torn {
                return scribe.of(&rule::WRAP_TORN, line, url, torn.as_str());
            }
        }
        Container::Mp4(runs) => {
            if runs.iter().any(|run| run.start.is_none()) {
                return scribe.of(&rule::TFDT_MISSING, line, url, "a fragment without tfdt");
            }
            if let Some(what) = overlap(runs) {
                return scribe.of(&rule::TFDT_JUMPED, line, url, what);
            }
            if runs.iter().any(|run| !run.base_is_moof) {
                scribe.of(
                    &rule::BASE_NOT_MOOF,
                    line,
                    url,
                    "a fragment without default-base-is-moof",
                );
            }
        }
    }
    if let Some((was, is)) = read.facts.lanes.iter().find_map(|lane| lane.backward) {
        backward(scribe, read, was, is);
    }
}

/// The first fragment that begins before the one before it ends, by more than two of its samples.
fn overlap(runs: &[Run]) -> Option<String> {
    let mut ends: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    runs.iter().find_map(|run| {
        let start = run.start?;
        let sample = run.duration / u64::from(run.samples.max(1));
        let end = (start.saturating_add(run.duration), 2 * sample);
        let (before, inexact) = ends.insert(run.track, end)?;
        (start.saturating_add(inexact) < before).then(|| {
            format!(
                "a fragment of track {} has tfdt {start}, and the one before it ends at {before}",
                run.track
            )
        })
    })
}

fn backward(scribe: &mut Scribe<'_>, read: &Read, was: i64, is: i64) {
    let check = if read.facts.is_ts() {
        &rule::TIMES_DECREASE
    } else {
        &rule::TFDT_JUMPED
    };
    let what = format!("a unit at {} follows one at {}", ticks(is), ticks(was));
    scribe.of(check, read.segment.line, read.url(), what);
}

/// A segment after the one before it.
pub(crate) fn follows(scribe: &mut Scribe<'_>, before: &Read, read: &mut Read) {
    let (line, url) = (read.segment.line, read.url().to_owned());
    let url = url.as_str();
    let is_break = read.segment.discontinuity;
    let change = changed(before, read);
    let off = off(before, read);
    if is_break {
        if change.is_none()
            && off.is_some_and(|off| off.abs() <= tolerance(before))
            && runs_on(before, read)
        {
            let (check, what) = match wraps(before, read) {
                true => (
                    &rule::WRAP_DISCONTINUITY,
                    "DISCONTINUITY, though times only wrap",
                ),
                false => (
                    &rule::NEEDLESS_DISCONTINUITY,
                    "DISCONTINUITY, though tracks, times and counters go on",
                ),
            };
            scribe.of(check, line, url, what);
        }
        return;
    }
    if before.segment.map != read.segment.map && before.segment.map.is_some() {
        return scribe.of(
            &rule::MAP_CHANGED,
            line,
            url,
            "another EXT-X-MAP without DISCONTINUITY",
        );
    }
    if let Some(what) = change {
        return scribe.of(
            &rule::CODEC_CHANGED,
            line,
            url,
            format!("{what}, without DISCONTINUITY"),
        );
    }
    counters(scribe, before, read);
    let Some(off) = off else {
        return;
    };
    let is_ts = read.facts.is_ts();
    if !has_times(before) || !has_times(read) {
        return; // that was told
    }
    let off_all = earliest(&before.facts)
        .zip(earliest(&read.facts))
        .map_or(off, |(was, is)| {
            between(was, is, is_ts) - in_ticks(before.segment.duration)
        });
    if off.abs() > JUMP && off_all.abs() > JUMP {
        let check = if is_ts {
            &rule::TIME_JUMPED
        } else {
            &rule::TFDT_JUMPED
        };
        let what = format!(
            "it begins {} {} than the one before ends, without DISCONTINUITY",
            ticks(off.abs()),
            later(off)
        );
        return scribe.of(check, line, url, what);
    }
    for lane in &read.facts.lanes {
        let known = before.facts.lane(lane.track.id);
        if let Some(known) =
            known.filter(|known| between(known.last_dts, lane.first_dts, is_ts) <= 0)
        {
            return backward(scribe, read, known.last_dts, lane.first_dts);
        }
    }
    duration(scribe, before, read, off);
}

/// Compares EXTINF with the media. Where nothing comes for a while, a segment may end anywhere in the hole, so
/// what is known is between which times a segment begins; each EXTINF moves both on, and what is there narrows them.
fn duration(scribe: &mut Scribe<'_>, before: &Read, read: &mut Read, off: i64) {
    let is_ts = read.facts.is_ts();
    let (Some(was), Some(is), Some(first)) = (
        before.facts.leader(),
        read.facts.leader(),
        earliest(&read.facts),
    ) else {
        return;
    };
    let tolerance = tolerance(before);
    let ended = between(is.first_dts, was.last_dts, is_ts) + was.step().unwrap_or(0);
    let lowest = ended.min(between(is.first_dts, first, is_ts)).min(0);
    let may = (lowest - tolerance, tolerance);
    let (low, high) = (before.begins.0 - off, before.begins.1 - off);
    read.begins = (low.max(may.0), high.min(may.1));
    if read.begins.0 <= read.begins.1 {
        return;
    }
    read.begins = may;
    let (wrong, how) = match high < may.0 {
        true => (lowest - high, "shorter"),
        false => (low, "longer"),
    };
    let what = format!("EXTINF is {} {how} than the media", ticks(wrong));
    scribe.of(
        &rule::EXTINF_UNTRUE,
        before.segment.duration_line,
        before.url(),
        what,
    );
}

/// The first decode time of all tracks.
fn earliest(facts: &Facts) -> Option<i64> {
    let leader = facts.leader()?.first_dts;
    let is_ts = facts.is_ts();
    let from_leader = facts
        .lanes
        .iter()
        .map(|lane| between(leader, lane.first_dts, is_ts));
    from_leader.min().map(|first| leader + first)
}

/// Whether its times can be relied on.
fn has_times(read: &Read) -> bool {
    match &read.facts.container {
        Container::Ts(raw) => raw.torn.is_none(),
        Container::Mp4(runs) => runs.iter().all(|run| run.start.is_some()),
    }
}

fn later(off: i64) -> &'static str {
    if off > 0 { "later" } else { "earlier" }
}

/// How much later a segment begins than the one before it and its EXTINF say.
fn off(before: &Read, read: &Read) -> Option<i64> {
    let was = before.facts.leader()?;
    let is = read.facts.leader()?;
    if was.kind() != is.kind() {
        return None;
    }
    let lasts = between(was.first_dts, is.first_dts, read.facts.is_ts());
    Some(lasts - in_ticks(before.segment.duration))
}

fn tolerance(before: &Read) -> i64 {
    let step = before.facts.leader().and_then(|lane| lane.step());
    // Of frames up to half a second apart; beyond, a step says little.
    (step.unwrap_or(0).min(45_000) * 3 / 2).max(INEXACT)
}

fn wraps(before: &Read, read: &Read) -> bool {
    let (Some(was), Some(is)) = (before.facts.leader(), read.facts.leader()) else {
        return false;
    };
    read.facts.is_ts() && is.first_dts < was.first_dts
}

/// What is another track, codec or configuration than before.
pub(crate) fn changed(before: &Read, read: &Read) -> Option<String> {
    if before.facts.is_ts() != read.facts.is_ts() {
        return Some("another container".to_owned());
    }
    let kinds = |facts: &Facts| -> Vec<_> {
        facts
            .announced
            .iter()
            .map(|track| (track.id, track.codec))
            .collect()
    };
    let (was, is) = (kinds(&before.facts), kinds(&read.facts));
    if was != is {
        let names = |kinds: &[(media::TrackId, media::Codec)]| -> String {
            let names: Vec<_> = kinds.iter().map(|(_, codec)| codec.name()).collect();
            names.join(" and ")
        };
        return Some(format!("{} after {}", names(&is), names(&was)));
    }
    read.facts.lanes.iter().find_map(|lane| {
        let known = before.facts.lane(lane.track.id)?;
        let both = known.track.config.is_ok() && lane.track.config.is_ok();
        let differs = both && !known.track.same_configuration(&lane.track);
        let kind = match lane.kind() {
            TrackKind::Video => "video",
            _ => "audio",
        };
        differs.then(|| {
            let (was, is) = (
                known.codec_string().unwrap_or_default(),
                lane.codec_string().unwrap_or_default(),
            );
            format!("another {kind} configuration ({is} after {was})")
        })
    })
}

/// Whether continuity counters go on, and fMP4 keeps its init segment.
fn runs_on(before: &Read, read: &Read) -> bool {
    before.segment.map == read.segment.map && broken_counter(before, read).is_none()
}

fn broken_counter(before: &Read, read: &Read) -> Option<String> {
    let (Container::Ts(was), Container::Ts(is)) = (&before.facts.container, &read.facts.container)
    else {
        return None;
    };
    is.counters.iter().find_map(|(pid, (first, _))| {
        let (_, last) = was.counters.get(pid)?;
        let follows = *first == (last + 1) & 0x0f || is.restarted.contains(pid);
        (!follows).then(|| {
            format!(
                "PID {pid:#x} begins with counter {first}, the segment before ended with {last}"
            )
        })
    })
}

fn counters(scribe: &mut Scribe<'_>, before: &Read, read: &Read) {
    if let Some(what) = broken_counter(before, read) {
        scribe.of(&rule::CONTINUITY, read.segment.line, read.url(), what);
    }
}
