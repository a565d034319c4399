//! What the streams of a ladder agree on: at which pictures their segments begin, and how those are
//! numbered and dated, so that a player can change from one to another at any segment.
//!
//! ```text
//! rung 1  key frames   |0     |2     |4     |6        their publisher's own times
//! rung 2               |0     |2     |4     |6
//! cuts                 17     18     19     20        kept here: time, number, date
//! ```
//!
//! Time is cut into cells of the segment's length; a segment begins with the first key frame in a
//! new cell. So rungs whose publishers sent key frames at the same times cut alike, whenever each
//! began, and whichever comes first says the number. Who has a key frame where the others have
//! none, or none where they have one, is *refused* with the reason: it is then cut on its own, and
//! tries again when its timeline breaks. Who joins proves first that one of its key frames is a cut
//! of the others; who joins while it is played goes on as it was until then.
//!
//! An *epoch* is as long as one of the rungs goes on. When all have broken off, the first to come
//! back opens the next one, which begins with a discontinuity.

mod position;
mod rule;

pub(crate) use position::Position;
pub use rule::{LadderError, LadderField, LadderRule, MAX_RUNGS};

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media::Timescale;

use crate::config::WallTime;
use crate::cutter::SECOND;

/// How far apart two publishers may print the same moment: clocks of milliseconds, rounded.
const TOLERANCE: i64 = SECOND / 100;
/// A cut this much later than the last one is on another clock.
const FAR: i64 = 60 * SECOND;
/// Cuts remembered: more than any playlist lists. Bounds memory and the search.
const MAX_CUTS: usize = 256;
/// Key frames of a newcomer that may miss before it is refused.
const MAX_MISSES: usize = 5;
/// A rung that was not heard of for this long does not go on, in milliseconds.
const SILENCE_MS: i64 = 30_000;

/// One ladder. Shared by the segmenters of its rungs.
#[derive(Debug)]
pub struct Ladder {
    /// Stream parts of the rungs' names.
    names: Vec<Box<str>>,
    /// Ticks of a cell.
    segment: i64,
    // Guards what the rungs agree on. Taken for a moment per segment and per change.
    state: Mutex<State>,
}

/// A stream's place in a ladder; two are equal when they are the same place in the same ladder.
#[derive(Clone, Debug)]
pub struct Rung {
    ladder: Arc<Ladder>,
    index: usize,
}

impl PartialEq for Rung {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ladder, &other.ladder) && self.index == other.index
    }
}

impl Eq for Rung {}

/// How a rung stands to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It has not begun, or waits for a key frame that is a cut of the others.
    Out,
    /// Its segments are those of the others.
    Aligned,
    /// It is cut on its own, and why.
    Refused(Arc<str>),
}

#[derive(Debug, Default)]
struct State {
    /// Of the present epoch, in order.
    cuts: VecDeque<Cut>,
    /// Where the cells of the present epoch begin.
    origin: i64,
    /// Target duration of all rungs, in ticks.
    target: Option<i64>,
    /// The first cut of all has these numbers at least: media sequence, discontinuities.
    least: (u64, u64),
    rungs: Vec<Member>,
}

/// The begin of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// When its first picture is shown, on the publishers' clock, in ticks of 90 kHz.
    time: i64,
    pub(crate) sequence: u64,
    pub(crate) discontinuities: u64,
    /// It opens an epoch, and is not the first of all.
    pub(crate) breaks: bool,
    pub(crate) wall_ms: i64,
}

impl Cut {
    /// What a segment is numbered by that ends where this one begins.
    pub(crate) fn before(self) -> Self {
        Self {
            sequence: self.sequence.saturating_sub(1),
            ..self
        }
    }
}

#[derive(Debug)]
struct Member {
    standing: Standing,
    /// The latest cut it had, since its timeline last broke.
    last: Option<u64>,
    /// The highest number it ever had: it never goes back, and a clock that begins anew passes the
    /// same times again.
    highest: Option<u64>,
    /// Key frames that were no cut when they came.
    missed: Vec<i64>,
    heard: WallTime,
    /// Newest segment and part in its playlists.
    position: Option<Position>,
}

/// What becomes of a key frame that could begin a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    At(Cut),
    /// Not known to be a cut: the rung waits.
    Later,
    /// The rung goes on alone.
    Refused,
}

/// What a rung would number the first cut of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct First {
    pub(crate) sequence: u64,
    /// All numbers below this are used.
    pub(crate) least: u64,
    pub(crate) discontinuities: u64,
    /// Wall time that it would give it.
    pub(crate) wall_ms: i64,
}

impl Ladder {
    /// A ladder of these streams, by the stream parts of their names.
    #[must_use]
    pub fn new(names: Vec<Box<str>>, segment: Duration) -> Arc<Self> {
        let member = || Member {
            standing: Standing::Out,
            last: None,
            highest: None,
            missed: Vec::new(),
            heard: WallTime(i64::MIN),
            position: None,
        };
        let state = State {
            rungs: names.iter().map(|_| member()).collect(),
            ..State::default()
        };
        let segment = Timescale::NINETY_KHZ.ticks(segment).0;
        Arc::new(Self {
            names,
            segment: segment.clamp(SECOND / 10, 3_600 * SECOND),
            state: Mutex::new(state),
        })
    }

    /// The rung of this number, from 0; `None` beyond the last.
    #[must_use]
    pub fn rung(self: &Arc<Self>, index: usize) -> Option<Rung> {
        (index < self.names.len()).then(|| Rung {
            ladder: Arc::clone(self),
            index,
        })
    }

    /// The first number that is given to a segment is at least this, where none was given yet:
    /// streams that join while they are played ([`crate::Segmenter::set_rung`]) have used all
    /// below, and `discontinuities` is the greatest discontinuity sequence number among them.
    pub fn number_from(&self, media_sequence: u64, discontinuities: u64) {
        let least = &mut self.state().least;
        *least = (least.0.max(media_sequence), least.1.max(discontinuities));
    }

    /// How this rung stands to the others.
    #[must_use]
    pub fn standing(&self, index: usize) -> Standing {
        let state = self.state();
        let rung = state.rungs.get(index);
        rung.map_or(Standing::Out, |rung| rung.standing.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rung {
    /// How this rung stands to the others.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.ladder.standing(self.index)
    }

    /// The rung's timeline broke, or its segmenter began or ended: nothing is known of its times.
    pub(crate) fn leave(&self) {
        let mut state = self.ladder.state();
        if let Some(me) = state.rungs.get_mut(self.index) {
            me.leave();
        }
    }

    /// The rung cannot go on with the others.
    pub(crate) fn refuse(&self, reason: &str) {
        let mut state = self.ladder.state();
        if let Some(me) = state.rungs.get_mut(self.index) {
            me.refuse(reason.into());
        }
    }

    /// Whether a key frame shown at `time` begins a segment, after one that began at `last`.
    pub(crate) fn is_due(&self, last: i64, time: i64) -> bool {
        let origin = self.ladder.state().origin;
        let cell = |time: i64| {
            // Key frames are meant to be in the middles of cells.
            (time - origin + self.ladder.segment / 2).div_euclid(self.ladder.segment)
        };
        cell(time) > cell(last)
    }

    /// Asks to begin a segment with a key frame that is shown at `time`.
    pub(crate) fn begin(&self, time: i64, now: WallTime, first: First) -> Begin {
        let mut state = self.ladder.state();
        let alone = state.nobody_but(self.index, now);
        let State {
            cuts,
            origin,
            least,
            rungs,
            ..
        } = &mut *state;
        let Some(me) = rungs.get_mut(self.index) else {
            return Begin::Refused;
        };
        me.heard = now;
        if me.standing == Standing::Out {
            // What it numbered alone, or in an earlier run, counts too: its numbers never go back.
            me.highest = me.highest.max(first.least.checked_sub(1));
        }
        let is_in = match &me.standing {
            Standing::Refused(_) => return Begin::Refused,
            Standing::Aligned => true,
            Standing::Out => me
                .missed
                .iter()
                .any(|&missed| find(cuts, missed, me.highest).is_some()),
        };
        let Some(&newest) = cuts.back() else {
            *origin = time;
            let cut = Cut {
                time,
                sequence: first.sequence.max(least.0),
                discontinuities: first.discontinuities.max(least.1),
                breaks: false,
                wall_ms: first.wall_ms,
            };
            cuts.push_back(cut);
            return me.at(cut);
        };
        let next = me.last.map(|last| last + 1);
        let was_in = me.standing == Standing::Aligned;
        if let Some(cut) = find(cuts, time, me.highest) {
            if was_in && next.is_some_and(|next| next < cut.sequence) {
                let here = cuts.iter().find(|cut| Some(cut.sequence) == next);
                let here = here.unwrap_or(&newest);
                me.refuse(format!("it has no key frame at {}", Moment(here.time)));
                return Begin::Refused;
            }
            return me.at(cut);
        }
        let goes_on = (0..FAR).contains(&(time - newest.time));
        if is_in && goes_on {
            if was_in && me.last.is_some_and(|last| last < newest.sequence) {
                me.refuse(format!("it has no key frame at {}", Moment(newest.time)));
                return Begin::Refused;
            }
            let since = (time - newest.time) / (SECOND / 1_000);
            let cut = Cut {
                time,
                sequence: newest.sequence + 1,
                breaks: false,
                wall_ms: newest.wall_ms + since,
                ..newest
            };
            cuts.push_back(cut);
            if cuts.len() > MAX_CUTS {
                cuts.pop_front();
            }
            return me.at(cut);
        }
        if alone {
            let cut = Cut {
                time,
                sequence: first.least.max(newest.sequence + 1),
                discontinuities: first.discontinuities.max(newest.discontinuities + 1),
                breaks: true,
                wall_ms: now.0.max(newest.wall_ms),
            };
            *origin = time;
            cuts.clear();
            cuts.push_back(cut);
            return me.at(cut);
        }
        if was_in {
            me.refuse(format!("no other has its key frame at {}", Moment(time)));
            return Begin::Refused;
        }
        // Before the first cut there is nothing to agree with; after the last one, not yet.
        let is_early =
            cuts.front().is_some_and(|front| time < front.time) && time > newest.time - FAR;
        if !is_early {
            me.missed.push(time);
        }
        if me.missed.len() < MAX_MISSES {
            return Begin::Later;
        }
        let nearest = cuts.iter().map(|cut| (cut.time - time).abs()).min();
        let apart = nearest.unwrap_or(0) / (SECOND / 1_000);
        me.refuse(if find(cuts, time, None).is_some() {
            "its playlist has higher numbers than theirs".to_owned()
        } else if apart < 10_000 {
            format!("its key frames are {apart} ms from those of the others")
        } else {
            "its clock is not that of the others".to_owned()
        });
        Begin::Refused
    }

    /// The target duration that all rungs have; `own` where it is the first to know.
    pub(crate) fn target(&self, own: i64) -> i64 {
        *self.ladder.state().target.get_or_insert(own)
    }

    /// The target duration that the rungs have agreed on.
    pub(crate) fn agreed_target(&self) -> Option<i64> {
        self.ladder.state().target
    }
}

impl State {
    /// Whether no other rung goes on.
    fn nobody_but(&self, index: usize, now: WallTime) -> bool {
        let mut others = self.rungs.iter().enumerate().filter(|(n, _)| *n != index);
        !others.any(|(_, rung)| {
            rung.standing == Standing::Aligned && now.0.saturating_sub(rung.heard.0) < SILENCE_MS
        })
    }
}

impl Member {
    fn at(&mut self, cut: Cut) -> Begin {
        self.standing = Standing::Aligned;
        self.missed.clear();
        self.last = Some(cut.sequence);
        self.highest = self.highest.max(self.last);
        Begin::At(cut)
    }

    fn leave(&mut self) {
        self.standing = Standing::Out;
        self.last = None;
        self.missed.clear();
        self.position = None;
    }

    fn refuse(&mut self, reason: String) {
        self.standing = Standing::Refused(reason.into());
        self.position = None;
    }
}

/// The cut at `time`, if it comes after the one of number `highest`.
fn find(cuts: &VecDeque<Cut>, time: i64, highest: Option<u64>) -> Option<Cut> {
    let newest_first = cuts.iter().rev();
    let mut newest_first = newest_first.take_while(|cut| Some(cut.sequence) > highest);
    newest_first
        .find(|cut| (cut.time - time).abs() <= TOLERANCE)
        .copied()
}

/// A time in seconds, for people.
struct Moment(i64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = self.0 / (SECOND / 1_000);
        write!(f, "{}.{:03} s", ms / 1_000, ms.rem_euclid(1_000))
    }
}
