//! One media playlist that is watched: its reloads, its media, and probes of how it is served.
//!
//! Each of the three asks one thing at a time:
//!
//! ```text
//! reload   GET, then GET ?_HLS_msn=… at once, or after a target duration      [reload]
//! media    init segments, segments, parts in the order in which they came     [fetch]
//! probes   HEAD, ranges, far ahead, delta updates, removed segments…          [probe]
//! ```

mod fetch;
mod probe;
mod ranges;
mod reload;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

pub(crate) use self::fetch::Fetch;
pub(crate) use self::probe::Probe;
use crate::checker::Totals;
use crate::config::Options;
use crate::exchange::{Method, Outcome, Seen};
use crate::finding::Findings;
use crate::playlist::{Map, Media, Variant};
use crate::rules::Scribe;
use crate::rules::low_latency::Until;
use crate::rules::media::Read;
use crate::rules::variant::Measured;
use crate::segment::Init;

/// Init segments that are kept.
const MAX_INITS: usize = 4;
/// Segments that were not served and are remembered.
const MAX_UNSERVED: usize = 64;
/// Segments whose parts are kept, to compare them.
const MAX_GATHERED: usize = 3;

/// What a request was for.
#[derive(Debug)]
pub(crate) enum Job {
    /// The URL that was given.
    Entry,
    /// A playlist; what it waits for.
    Reload(Option<Until>),
    Fetch(Fetch),
    Probe(Probe),
}

impl Job {
    /// Whether its answer comes soon, and is worth waiting for.
    pub(crate) fn is_short(&self) -> bool {
        matches!(self, Self::Fetch(_) | Self::Probe(Probe::Removed(..)))
    }
}

/// How a request is to be made.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) max_body: usize,
    pub(crate) timeout: Duration,
}

/// What a lane works with.
pub(crate) struct Context<'a> {
    pub(crate) findings: &'a mut Findings,
    pub(crate) options: &'a Options,
    pub(crate) totals: &'a mut Totals,
    pub(crate) now: Duration,
}

/// When a playlist is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reload {
    At(Duration),
    Asked,
    /// No more.
    Never,
}

/// A media playlist that is watched.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) url: Url,
    name: Arc<str>,
    /// Its own attributes, where it is a variant.
    variant: Option<Arc<Variant>>,
    /// Its segments are read.
    is_read: bool,
    /// Other playlists of the same multivariant playlist.
    others: Vec<Arc<Url>>,

    reload: Reload,
    last: Option<Loaded>,
    /// Where what was not looked at yet begins: segment and part.
    new_from: (u64, usize),
    reloads: u64,
    /// When a segment was last added.
    grown: Duration,
    /// A request for something was answered without it: no more waiting for segments is tried.
    answers_early: bool,
    vanished: bool,

    queue: VecDeque<Fetch>,
    is_fetching: bool,
    inits: Vec<(Arc<Map>, (Bytes, Init))>,
    parts: BTreeMap<u64, Vec<Option<Bytes>>>,
    before: Option<Read>,
    /// Segments that were not served while they were listed.
    unserved: BTreeSet<u64>,
    /// Segments that the variant's attributes are of: from the last break before they were read to the next.
    described: std::ops::Range<u64>,
    measured: Measured,
    /// What was last measured by.
    measured_by: Option<Arc<Seen>>,

    probes: VecDeque<(Duration, Probe)>,
    is_probing: bool,
    has_sample: bool,
    next_skip: Duration,
    /// What the next delta update leaves out.
    skips: ranges::Skip,
    ranges: ranges::Ranges,
    next_hint: Duration,
    /// What hinted URLs gave.
    hinted: BTreeMap<String, Result<Bytes, u16>>,
}

/// A playlist as it was loaded.
#[derive(Debug)]
struct Loaded {
    playlist: Media,
    /// When the request was made.
    asked: Duration,
    seen: Arc<Seen>,
}

impl Lane {
    pub(crate) fn new(url: Url, variant: Option<Arc<Variant>>, is_read: bool) -> Self {
        Self {
            name: url.as_str().into(),
            url,
            variant,
            is_read,
            others: Vec::new(),
            reload: Reload::At(Duration::ZERO),
            last: None,
            new_from: (0, 0),
            reloads: 0,
            grown: Duration::ZERO,
            answers_early: false,
            vanished: false,
            queue: VecDeque::new(),
            is_fetching: false,
            inits: Vec::new(),
            parts: BTreeMap::new(),
            before: None,
            unserved: BTreeSet::new(),
            described: 0..u64::MAX,
            measured: Measured::default(),
            measured_by: None,
            probes: VecDeque::new(),
            is_probing: false,
            has_sample: false,
            next_skip: Duration::ZERO,
            skips: ranges::Skip::Segments,
            ranges: ranges::Ranges::default(),
            next_hint: Duration::ZERO,
            hinted: BTreeMap::new(),
        }
    }

    /// The other playlists that it should report on.
    pub(crate) fn set_others(&mut self, others: Vec<Arc<Url>>) {
        self.others = others;
    }

    /// It is asked for by somebody else.
    pub(crate) fn asked(&mut self) {
        self.reload = Reload::Asked;
    }

    fn is_file(&self) -> bool {
        self.url.scheme() == "file"
    }

    fn is_ended(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.playlist.ended)
    }

    /// The next request, if one is due; `over`: the time is up.
    pub(crate) fn next(&mut self, context: &mut Context<'_>, over: bool) -> Option<(Job, Ask)> {
        if let Reload::At(at) = self.reload
            && at <= context.now
            && !over
        {
            self.reload = Reload::Asked;
            return Some(self.ask_reload(context.options));
        }
        if !self.is_fetching
            && (!over || self.is_file())
            && let Some(fetch) = self.next_fetch(context)
        {
            self.is_fetching = true;
            let ask = fetch.ask(context.options);
            return Some((Job::Fetch(fetch), ask));
        }
        if !self.is_probing
            && let Some(probe) = self.next_probe(context.now, over)
        {
            self.is_probing = true;
            let ask = self.ask_probe(&probe, context.options);
            return Some((Job::Probe(probe), ask));
        }
        None
    }

    /// When something is due that is not yet; `None`: nothing will be, by itself.
    pub(crate) fn wakes(&self, over: bool) -> Option<Duration> {
        let reload = match self.reload {
            Reload::At(at) if !over => Some(at),
            _ => None,
        };
        let probe = match self.is_probing || over {
            true => None,
            false => self.probes.iter().map(|(at, _)| *at).min(),
        };
        let skips = (!over && !self.is_probing)
            .then(|| self.next_optional())
            .flatten();
        [reload, probe, skips].into_iter().flatten().min()
    }

    /// Whether all is read that there will ever be.
    pub(crate) fn is_done(&self) -> bool {
        let is_still =
            matches!(self.reload, Reload::Never) && !self.is_fetching && !self.is_probing;
        is_still && self.queue.is_empty() && self.probes.is_empty()
    }

    /// Something was answered.
    pub(crate) fn answered(
        &mut self,
        job: Job,
        outcome: Outcome,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        match job {
            Job::Entry | Job::Reload(_) => {
                let until = match job {
                    Job::Reload(until) => until,
                    _ => None,
                };
                self.reloaded(until, outcome, seen, context);
            }
            Job::Fetch(fetch) => {
                self.is_fetching = false;
                self.fetched(fetch, outcome, seen, context);
            }
            Job::Probe(probe) => {
                self.is_probing = false;
                self.probed(probe, outcome, seen, context);
            }
        }
    }

    /// Compares what was measured of all segments.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        if let (Some(seen), Some(variant)) = (&self.measured_by, &self.variant) {
            let mut scribe = Scribe {
                findings,
                playlist: &self.name,
                seen,
            };
            self.measured.finish(&mut scribe, variant, self.is_ended());
        }
    }

    /// What was measured of its segments so far.
    pub(crate) fn measured(&self) -> Measured {
        self.measured
    }

    /// Compares what the variant declares with what it costs with these sounds.
    pub(crate) fn finish_group(
        &self,
        findings: &mut Findings,
        variant: &Variant,
        sounds: impl Iterator<Item = Measured>,
    ) {
        if let Some(seen) = &self.measured_by {
            let mut scribe = Scribe {
                findings,
                playlist: &self.name,
                seen,
            };
            crate::rules::variant::together(
                &mut scribe,
                variant,
                self.measured,
                sounds,
                self.is_ended(),
            );
        }
    }

    fn scribe<'a>(&'a self, findings: &'a mut Findings, seen: &'a Arc<Seen>) -> Scribe<'a> {
        Scribe {
            findings,
            playlist: &self.name,
            seen,
        }
    }

    /// Segments that wait to be read.
    pub(crate) fn waiting(&self) -> u64 {
        self.queue.len() as u64
    }
}

/// Why there is no answer, or not the one that was wanted.
fn reason(outcome: &Outcome, timeout: Duration) -> String {
    match outcome {
        Outcome::Answer(answer) => format!("the answer is {}", answer.status),
        Outcome::TimedOut => format!("no answer within {:.0} s", timeout.as_secs_f64()),
        Outcome::TooLong => "the answer is too long to be read".to_owned(),
        Outcome::Failed(why) => why.clone(),
    }
}
