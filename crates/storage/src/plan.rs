//! What to do next at the storage so that it becomes what it should be. Pure: asks no clock, waits
//! for nothing.
//!
//! ```text
//! offer(goal) ─▶ newest ──▶ current ──▶ Put media … Put playlist ──▶ visible ──▶ Delete what left it (H3)
//!                (one)       kept until visible, or until a try fails
//! ```
//!
//! **A current goal is kept until it is visible**: with a storage that is just slow, jumping to each newer one would never
//! end. **After a failure the newest is taken**: what came while the storage was away is worth more than what was begun.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::goal::Goal;
use crate::{Found, Object};

/// How often a deletion is tried before it is left to the janitor.
const DELETE_TRIES: u8 = 5;
/// How long a failed deletion waits.
const DELETE_PAUSE: Duration = Duration::from_secs(30);
/// Deletions between two playlists when the storage is too slow to ever have nothing else to do.
const DELETES_BETWEEN: u8 = 3;
/// Names remembered of goals that were given up, so that they are deleted once. Bounds: an outage of days; the
/// janitor finds the rest.
const MAX_LEFT: usize = 1_000;

/// One request to the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write what a playlist names.
    Media(Arc<str>, Object),
    /// Write a playlist.
    Text(Box<str>, Object),
    /// Delete what no playlist has named for long enough.
    Delete(Arc<str>),
}

/// Where a mirror is, beside its failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Since when the storage has not shown what is newest.
    pub(crate) behind_since: Option<Instant>,
    /// Segments that no playlist in the storage ever named: they had left it when the storage took anything.
    pub(crate) skipped: u64,
    /// The storage shows a playlist that has ended.
    pub(crate) ended: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Plan {
    newest: Option<Arc<Goal>>,
    /// What is being made visible.
    current: Option<Arc<Goal>>,
    /// When the first goal came that says something else than `current`.
    successor_since: Option<Instant>,
    behind_since: Option<Instant>,
    visible: Option<Arc<Goal>>,
    /// Playlists as they are in the storage.
    texts: HashMap<Box<str>, Object>,
    /// What is in the storage, and how long it is.
    stored: BTreeMap<Arc<str>, Duration>,
    doomed: Vec<Doomed>,
    /// What may have been written, nobody knows, and how long it is.
    left: BTreeMap<Arc<str>, Duration>,
    deletes_left: u8,
    longest: Duration,
    skipped: u64,
}

#[derive(Debug)]
struct Doomed {
    name: Arc<str>,
    due: Instant,
    tries: u8,
}

impl Plan {
    /// What should be there from now on.
    pub(crate) fn offer(&mut self, goal: Arc<Goal>, now: Instant) {
        if self
            .newest
            .as_ref()
            .is_some_and(|newest| newest.is_same(&goal))
        {
            return;
        }
        self.behind_since.get_or_insert(now);
        if self.current.is_some() {
            self.successor_since.get_or_insert(now);
        }
        self.newest = Some(goal);
    }

    /// What the storage has of an earlier process, as listed: what the newest goal names is there already; the rest goes
    /// once a playlist of ours has taken the place of theirs.
    pub(crate) fn found(
        &mut self,
        found: &[Found],
        now: Instant,
        wall: SystemTime,
        orphan_age: Duration,
    ) {
        let named = self.newest.as_ref().map(|newest| &newest.media);
        let named: HashSet<_> = named.into_iter().flatten().map(|m| &*m.name).collect();
        for object in found {
            let name: Arc<str> = object.name.as_str().into();
            if named.contains(object.name.as_str()) {
                self.stored.insert(name, Duration::ZERO);
                continue;
            }
            let age = wall.duration_since(object.modified).unwrap_or_default();
            let due = now + orphan_age.saturating_sub(age);
            self.doomed.push(Doomed {
                name,
                due,
                tries: 0,
            });
        }
    }

    /// The next request; `None`: there is nothing to do before [`Plan::due`] or the next goal.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Step> {
        loop {
            let Some(goal) = self.current.clone() else {
                let is_in_sync = self.is_in_sync();
                if let Some(name) = self
                    .overdue(now)
                    .filter(|_| is_in_sync || self.deletes_left > 0)
                {
                    self.deletes_left = self.deletes_left.saturating_sub(1);
                    return Some(Step::Delete(name));
                }
                if is_in_sync {
                    return None;
                }
                self.current.clone_from(&self.newest);
                self.successor_since = None;
                continue;
            };
            let missing = goal
                .media
                .iter()
                .find(|media| !self.stored.contains_key(&media.name));
            if let Some(media) = missing {
                return Some(Step::Media(Arc::clone(&media.name), media.object.clone()));
            }
            let text = |(name, object): &&(Box<str>, Object)| self.texts.get(name) != Some(object);
            if let Some((name, object)) = goal.texts.iter().find(text) {
                return Some(Step::Text(name.clone(), object.clone()));
            }
            self.show(&goal, now);
        }
    }

    /// What is to be deleted now. Nothing is before a playlist of ours is visible: what is there belongs to the one before.
    fn overdue(&self, now: Instant) -> Option<Arc<str>> {
        self.visible.as_ref()?;
        let doomed = self.doomed.iter().find(|doomed| doomed.due <= now)?;
        Some(Arc::clone(&doomed.name))
    }

    /// The request was carried out.
    pub(crate) fn done(&mut self, step: Step) {
        match step {
            Step::Media(name, _) => {
                self.left.remove(&name);
                let duration = self.duration_of(&name);
                self.stored.insert(name, duration);
            }
            Step::Text(name, object) => {
                self.texts.insert(name, object);
            }
            Step::Delete(name) => {
                self.stored.remove(&name);
                self.doomed.retain(|doomed| doomed.name != name);
            }
        }
    }

    /// The request failed, or nobody knows.
    pub(crate) fn failed(&mut self, step: &Step, now: Instant) {
        match step {
            Step::Media(name, _) => {
                if self.left.len() < MAX_LEFT {
                    let duration = self.duration_of(name);
                    self.left.insert(Arc::clone(name), duration);
                }
                self.abandon();
            }
            Step::Text(name, _) => {
                // It may have been written, or not: written again in any case.
                self.texts.remove(name);
                self.abandon();
            }
            Step::Delete(name) => {
                self.deletes_left = 0;
                let Some(index) = self.doomed.iter().position(|doomed| doomed.name == *name) else {
                    return;
                };
                if let Some(doomed) = self.doomed.get_mut(index) {
                    doomed.due = now + DELETE_PAUSE;
                    doomed.tries += 1;
                    if doomed.tries >= DELETE_TRIES {
                        self.stored.remove(name);
                        self.doomed.swap_remove(index);
                    }
                }
            }
        }
    }

    /// Takes the newest goal instead of the one begun.
    fn abandon(&mut self) {
        let Some(begun) = self.current.take() else {
            return;
        };
        self.successor_since = None;
        self.longest = self.longest.max(begun.duration);
    }

    fn duration_of(&self, name: &Arc<str>) -> Duration {
        let current = self.current.iter().flat_map(|current| &current.media);
        let media = current.into_iter().find(|media| media.name == *name);
        media.map_or(Duration::ZERO, |media| media.duration)
    }

    /// A goal is visible: dooms what it does not name.
    fn show(&mut self, goal: &Arc<Goal>, now: Instant) {
        self.current = None;
        self.behind_since = self.successor_since.take();
        self.deletes_left = DELETES_BETWEEN;
        self.longest = self.longest.max(goal.duration);
        if let Some(before) = self.visible.replace(Arc::clone(goal))
            && before.run == goal.run
        {
            self.skipped += goal.sequence.start.saturating_sub(before.sequence.end);
        }
        let mut there = std::mem::take(&mut self.left);
        there.extend(
            self.stored
                .iter()
                .map(|(name, duration)| (Arc::clone(name), *duration)),
        );
        let named: HashSet<_> = goal.media.iter().map(|media| &media.name).collect();
        self.doomed.retain(|doomed| !named.contains(&doomed.name));
        for (name, duration) in there {
            let is_known = self.doomed.iter().any(|doomed| doomed.name == name);
            if named.contains(&name) || is_known {
                continue;
            }
            // H3: its duration and that of the longest playlist that listed it. A playlist comes to its readers by way of a
            // cache, up to a target duration late.
            let due = now + duration + self.longest + goal.target;
            self.doomed.push(Doomed {
                name,
                due,
                tries: 0,
            });
        }
    }

    fn is_in_sync(&self) -> bool {
        match (&self.newest, &self.visible) {
            (Some(newest), Some(visible)) => newest.is_same(visible),
            (newest, _) => newest.is_none(),
        }
    }

    /// When the next deletion is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.doomed.iter().map(|doomed| doomed.due).min()
    }

    /// Whether all is as it should be and nothing is left to be deleted.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_in_sync() && self.doomed.is_empty()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            behind_since: self.behind_since,
            skipped: self.skipped,
            ended: self.is_in_sync() && self.visible.as_ref().is_some_and(|goal| goal.ended),
        }
    }

    pub(crate) fn has_goal(&self) -> bool {
        self.newest.is_some()
    }

    /// The target duration of the newest goal.
    pub(crate) fn target(&self) -> Duration {
        self.newest
            .as_ref()
            .map_or(Duration::ZERO, |goal| goal.target)
    }
}

#[cfg(test)]
mod tests;
