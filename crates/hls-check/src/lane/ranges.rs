//! Date ranges of a playlist over its life, and what delta updates make of them.
//!
//! ```text
//! whole  whole  whole  delta update  whole
//!   └ former ─────────▶ rebuilt ───────┴─▶ the same?
//! ```
//!
//! A player may ask for a delta update as long as its playlist is not older than half of the skip boundary: the
//! oldest such playlist and the update must give what the next whole one has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Seen;
use crate::playlist::Media;
use crate::rule;
use crate::rules::Scribe;

/// Playlists that are remembered. Threat: one that is reloaded without a pause.
const MAX_FORMERS: usize = 256;

/// What a delta update is asked to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    Segments,
    Ranges,
}

type Lines = BTreeSet<Arc<str>>;

/// What was seen of a playlist's date ranges.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// When each was first seen.
    added: BTreeMap<Arc<str>, Duration>,
    /// Whole playlists of the time of half the skip boundary, the oldest first.
    formers: VecDeque<(Duration, Lines)>,
    rebuilt: Option<Rebuilt>,
}

/// What a former playlist and a delta update give.
#[derive(Debug)]
struct Rebuilt {
    lines: Lines,
    /// Those of the last whole playlist before it.
    known: Lines,
    sequence: u64,
    end: u64,
    /// When the answer was there.
    at: Duration,
    seen: Arc<Seen>,
}

impl Ranges {
    /// A whole playlist was loaded; `at`: when it was asked for.
    pub(super) fn whole(&mut self, scribe: &mut Scribe<'_>, playlist: &Media, at: Duration) {
        let lines: Lines = texts(playlist).cloned().collect();
        if let Some(rebuilt) = self.rebuilt.take_if(|rebuilt| rebuilt.at <= at) {
            let mut scribe = Scribe {
                findings: &mut *scribe.findings,
                playlist: scribe.playlist,
                seen: &rebuilt.seen,
            };
            rebuilt.compare(&mut scribe, playlist, &lines);
        }
        self.added.retain(|line, _| lines.contains(line));
        for line in &lines {
            self.added.entry(Arc::clone(line)).or_insert(at);
        }
        let until = boundary(playlist).unwrap_or_default();
        let young = |then: Duration| then + until / 2 >= at;
        while let Some((then, _)) = self.formers.front()
            && (!young(*then) || self.formers.len() >= MAX_FORMERS)
        {
            self.formers.pop_front();
        }
        self.formers.push_back((at, lines));
    }

    /// An answer to `_HLS_skip`.
    pub(super) fn delta(
        &mut self,
        scribe: &mut Scribe<'_>,
        delta: &Media,
        asked: Skip,
        seen: &Arc<Seen>,
    ) {
        let (Some(skip), Some(until)) = (&delta.skip, boundary(delta)) else {
            return;
        };
        let told: Lines = texts(delta).cloned().collect();
        let mut lines = told.clone();
        if asked == Skip::Ranges {
            let Some(removed) = &skip.removed_ranges else {
                let what = "_HLS_skip=v2 gave EXT-X-SKIP without RECENTLY-REMOVED-DATERANGES";
                return scribe.line(&rule::RANGES_UNSAID, skip.line, what);
            };
            // It may have been added somewhat after it was first seen by nobody.
            let slack = Duration::from_secs(delta.target.unwrap_or(10).clamp(1, 60));
            let is_old = |line: &&Arc<str>| {
                let added = self.added.get(*line);
                added.is_some_and(|added| *added + until + slack < seen.at)
            };
            if let Some(old) = told.iter().find(is_old) {
                let what = format!("{} is told again", id(old));
                scribe.tell(&rule::RANGES_OLD, what);
            }
            let mut formers = self.formers.iter();
            let Some((_, former)) = formers.find(|(then, _)| *then + until / 2 >= seen.at) else {
                return;
            };
            let removed: BTreeSet<&str> = removed.split('\t').collect();
            let kept = former.iter().filter(|line| !removed.contains(id(line)));
            lines.extend(kept.cloned());
        }
        let Some((_, known)) = self.formers.back() else {
            return;
        };
        self.rebuilt = Some(Rebuilt {
            lines,
            known: known.clone(),
            sequence: delta.sequence,
            end: delta.end(),
            at: seen.at + seen.took,
            seen: Arc::clone(seen),
        });
    }
}

impl Rebuilt {
    /// Beside the next whole playlist.
    fn compare(&self, scribe: &mut Scribe<'_>, whole: &Media, lines: &Lines) {
        // With a segment that was removed meanwhile its ranges went, too; not those that were gone before.
        let stays = |line: &Arc<str>| whole.sequence == self.sequence || !self.known.contains(line);
        let mut gone = self.lines.iter().filter(|line| !lines.contains(*line));
        if let Some(gone) = gone.find(|line| stays(line)) {
            let what = format!("{} is gone, and the delta update does not say so", id(gone));
            return scribe.tell(&rule::RANGES_DIFFER, what);
        }
        // One at the end of the list may have been added meanwhile.
        let was_there = |line: &Arc<str>, before: usize| {
            self.known.contains(line) || whole.sequence + (before as u64) < self.end
        };
        let mut listed = whole.ranges.iter();
        let missing =
            listed.find(|(line, before)| !self.lines.contains(line) && was_there(line, *before));
        if let Some((missing, _)) = missing {
            let what = format!("{} is not in what the delta update gives", id(missing));
            scribe.tell(&rule::RANGES_DIFFER, what);
        }
    }
}

fn texts(playlist: &Media) -> impl Iterator<Item = &Arc<str>> {
    playlist.ranges.iter().map(|(text, _)| text)
}

fn boundary(playlist: &Media) -> Option<Duration> {
    let until = playlist.control.as_ref()?.can_skip_until?;
    Some(Duration::from_micros(until.unsigned_abs()))
}

/// The value of `ID`; all of the list when it has none.
fn id(line: &str) -> &str {
    crate::playlist::Attributes(line).get("ID").unwrap_or(line)
}
