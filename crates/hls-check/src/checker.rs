//! The checker: which request comes next, and what its answer means.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::config::Options;
use crate::exchange::{Method, Outcome, Request, RequestId, Seen};
use crate::finding::{Finding, Findings};
use crate::lane::{Ask, Context, Job, Lane};
use crate::playlist::{self, Multivariant, Playlist, Variant};
use crate::rules::http::Served;
use crate::rules::{Scribe, http, variant};

/// Between two requests for a stream that is not there yet.
const RETRY: Duration = Duration::from_millis(500);
/// How long answers are waited for when the time is up.
const GRACE: Duration = Duration::from_secs(5);

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// Make this request, and [`Checker::answer`] what came of it; meanwhile poll on.
    Ask(Request),
    /// Nothing to do before this time, counted from the start, unless something is answered.
    Wait(Duration),
    /// All is done; what is still asked for matters no more.
    End,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Media playlists.
    pub playlists: u64,
    /// Answers to requests for them.
    pub reloads: u64,
    /// Segments that were fetched.
    pub segments: u64,
    /// Parts that were fetched.
    pub parts: u64,
    /// Other requests.
    pub probes: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Requests without the answer that was wanted.
    pub failed: u64,
    /// Segments and parts that were listed and not fetched: for want of time, or too long.
    pub not_read: u64,
    /// Segments that were not read, because they are encrypted.
    pub encrypted: u64,
    /// Segments of a kind that is not read.
    pub other: u64,
}

/// What whoever reads the findings should know besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(pub String);

/// What was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done {
    /// Broken rules, the worst first.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub totals: Totals,
    /// What was not looked at, and why.
    pub notes: Vec<Note>,
}

/// Watches one HLS stream.
///
/// # Contract
/// [`poll`](Self::poll) until it says [`Step::Wait`] or [`Step::End`]; [`answer`](Self::answer) each request once,
/// in any order; then poll again. Times are counted from one start and never go back. After [`Step::End`],
/// [`finish`](Self::finish). Nothing is found of a request that is not answered.
#[derive(Debug)]
pub struct Checker {
    options: Options,
    url: Url,
    entry: Entry,
    lanes: Vec<Lane>,
    /// Variants whose sound is a group's, with the playlists of these.
    grouped: Vec<(Arc<Variant>, Vec<Arc<Url>>)>,
    asked: HashMap<RequestId, Asked>,
    next_id: u64,
    findings: Findings,
    totals: Totals,
    notes: Vec<Note>,
    failed: Option<String>,
}

/// The URL that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Due(Duration),
    Asked,
    Read,
}

#[derive(Debug)]
struct Asked {
    /// Which lane; `None`: the URL that was given.
    lane: Option<usize>,
    job: Job,
    request: Request,
    at: Duration,
}

impl Checker {
    /// A checker of the playlist, multivariant or not, at `url`: `http`, `https` or `file`.
    #[must_use]
    pub fn new(url: Url, options: Options) -> Self {
        Self {
            findings: Findings::new(&options.rules),
            options,
            url,
            entry: Entry::Due(Duration::ZERO),
            lanes: Vec::new(),
            grouped: Vec::new(),
            asked: HashMap::new(),
            next_id: 0,
            totals: Totals::default(),
            notes: Vec::new(),
            failed: None,
        }
    }

    /// What is to be done at `now`.
    pub fn poll(&mut self, now: Duration) -> Step {
        let over = now >= self.options.time;
        if self.failed.is_some() {
            return Step::End;
        }
        match self.entry {
            Entry::Due(at) if at <= now => {
                self.entry = Entry::Asked;
                let ask = Ask {
                    method: Method::Get,
                    url: self.url.clone(),
                    headers: Vec::new(),
                    max_body: self.options.limits.playlist_bytes,
                    timeout: self.options.limits.answer,
                };
                return Step::Ask(self.ask(None, Job::Entry, ask, now));
            }
            Entry::Due(at) => return Step::Wait(at),
            Entry::Asked => return Step::Wait(now + self.options.limits.answer * 2),
            Entry::Read => {}
        }
        let mut context = Context {
            findings: &mut self.findings,
            options: &self.options,
            totals: &mut self.totals,
            now,
        };
        let mut lanes = self.lanes.iter_mut().enumerate();
        let next = lanes.find_map(|(index, lane)| Some((index, lane.next(&mut context, over)?)));
        if let Some((lane, (job, ask))) = next {
            return Step::Ask(self.ask(Some(lane), job, ask, now));
        }
        // What a playlist would say after the end is not waited for, nor what is only hinted.
        let is_waited_for = |asked: &Asked| !over || asked.job.is_short();
        let is_busy = self.asked.values().any(is_waited_for);
        let is_late = now >= self.options.time + GRACE;
        if self.lanes.iter().all(Lane::is_done) || (over && (!is_busy || is_late)) {
            return Step::End;
        }
        let wakes = self.lanes.iter().filter_map(|lane| lane.wakes(over)).min();
        let until = if over {
            self.options.time + GRACE
        } else {
            self.options.time
        };
        Step::Wait(wakes.unwrap_or(until).min(until))
    }

    fn ask(&mut self, lane: Option<usize>, job: Job, ask: Ask, now: Duration) -> Request {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let request = Request {
            id,
            method: ask.method,
            url: ask.url,
            headers: ask.headers,
            max_body: ask.max_body,
            timeout: ask.timeout,
        };
        let asked = Asked {
            lane,
            job,
            request: request.clone(),
            at: now,
        };
        self.asked.insert(id, asked);
        request
    }

    /// Takes what came of a request.
    pub fn answer(&mut self, id: RequestId, now: Duration, outcome: Outcome) {
        let Some(Asked {
            lane,
            job,
            request,
            at,
        }) = self.asked.remove(&id)
        else {
            return;
        };
        let seen = Arc::new(Seen::new(&request, &outcome, at, now));
        let mut context = Context {
            findings: &mut self.findings,
            options: &self.options,
            totals: &mut self.totals,
            now,
        };
        match lane.map(|lane| self.lanes.get_mut(lane)) {
            Some(Some(lane)) => lane.answered(job, outcome, &seen, &mut context),
            Some(None) => {}
            None => self.entered(outcome, &seen, now),
        }
    }

    /// What the URL gave.
    fn entered(&mut self, outcome: Outcome, seen: &Arc<Seen>, now: Duration) {
        let why = match &outcome {
            Outcome::Answer(answer) if answer.status == 200 => {
                self.entry = Entry::Read;
                match playlist::parse(&answer.body, &answer.url) {
                    Ok(Playlist::Multivariant(found)) => {
                        let url = self.url.as_str().into();
                        let findings = &mut self.findings;
                        let mut scribe = Scribe {
                            findings,
                            playlist: &url,
                            seen,
                        };
                        http::playlist(&mut scribe, answer, Served::Fixed);
                        variant::text(&mut scribe, &found);
                        self.totals.bytes += answer.body.len() as u64;
                        self.follow(found);
                    }
                    Ok(Playlist::Media(_)) => {
                        let mut lane = Lane::new(self.url.clone(), None, true);
                        lane.asked();
                        self.lanes.push(lane);
                        self.totals.playlists = 1;
                        let (findings, totals) = (&mut self.findings, &mut self.totals);
                        let mut context = Context {
                            findings,
                            options: &self.options,
                            totals,
                            now,
                        };
                        if let Some(lane) = self.lanes.first_mut() {
                            lane.answered(Job::Entry, outcome, seen, &mut context);
                        }
                    }
                    Err(what) => self.failed = Some(what),
                }
                return;
            }
            Outcome::Answer(answer) => format!("the answer is {}", answer.status),
            Outcome::TimedOut => format!(
                "no answer within {} s",
                self.options.limits.answer.as_secs()
            ),
            Outcome::TooLong => format!("more than {} bytes", self.options.limits.playlist_bytes),
            Outcome::Failed(why) => why.clone(),
        };
        if now + RETRY <= self.options.wait {
            self.entry = Entry::Due(now + RETRY);
        } else {
            self.failed = Some(why);
        }
    }

    /// Watches all that a multivariant playlist names.
    fn follow(&mut self, found: Multivariant) {
        let mut named: Vec<(Arc<Url>, _, bool, bool)> = Vec::new();
        for variant in &found.variants {
            let is_read = !variant.is_i_frames;
            named.push((
                Arc::clone(&variant.url),
                Some(Arc::clone(variant)),
                is_read,
                is_read,
            ));
        }
        for rendition in &found.renditions {
            if let Some(url) = &rendition.url {
                let said = found.said_of(rendition, url);
                named.push((Arc::clone(url), said, rendition.is_media(), true));
            }
        }
        let mut known: Vec<Arc<Url>> = Vec::new();
        named.retain(|(url, ..)| {
            let is_new = !known.contains(url);
            known.push(Arc::clone(url));
            is_new
        });
        let most = self.options.limits.playlists;
        if named.len() > most {
            let what = format!(
                "{} playlists are named; the first {most} are watched",
                named.len()
            );
            self.notes.push(Note(what));
            named.truncate(most);
        }
        let reported: Vec<Arc<Url>> = named
            .iter()
            .filter(|(.., reports)| *reports)
            .map(|(url, ..)| Arc::clone(url))
            .collect();
        self.totals.playlists = named.len() as u64;
        for (url, variant, is_read, _) in named {
            let mut lane = Lane::new((*url).clone(), variant, is_read);
            lane.set_others(
                reported
                    .iter()
                    .filter(|other| **other != url)
                    .cloned()
                    .collect(),
            );
            self.lanes.push(lane);
        }
        let variants = found.variants.iter().filter(|v| !v.is_i_frames);
        let grouped = variants.filter_map(|variant| {
            let sounds = found.sounds(variant.audio.as_deref()?);
            let urls = sounds.filter_map(|sound| sound.url.clone());
            // A variant that is one of the sounds costs what it costs alone.
            let urls: Vec<Arc<Url>> = urls.collect();
            (!urls.contains(&variant.url)).then(|| (Arc::clone(variant), urls))
        });
        self.grouped = grouped.collect();
    }

    /// Compares what variants with groups of sounds declare with what both cost together.
    fn finish_groups(&mut self) {
        for (variant, urls) in &self.grouped {
            let lane = |url: &Arc<Url>| self.lanes.iter().find(|lane| lane.url == **url);
            let Some(own) = lane(&variant.url) else {
                continue;
            };
            let sounds = urls.iter().filter_map(|url| Some(lane(url)?.measured()));
            own.finish_group(&mut self.findings, variant, sounds);
        }
    }

    /// What was looked at so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How many findings there are so far.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.findings.len()
    }

    /// What was found.
    ///
    /// # Errors
    /// A sentence: nothing could be looked at.
    pub fn finish(mut self) -> Result<Done, String> {
        if let Some(why) = self.failed {
            return Err(why);
        }
        if self.entry != Entry::Read {
            return Err("no answer in the time that was given".to_owned());
        }
        for lane in &self.lanes {
            lane.finish(&mut self.findings);
            self.totals.not_read += lane.waiting();
        }
        self.finish_groups();
        let mut notes = self.notes;
        let totals = &self.totals;
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                notes.push(Note(format!("{count} {what}")));
            }
        };
        note(
            totals.not_read,
            "segments and parts were listed and not read",
        );
        note(totals.encrypted, "segments are encrypted and were not read");
        note(
            totals.other,
            "segments are neither MPEG-TS nor fMP4 and were not read",
        );
        Ok(Done {
            findings: self.findings.take(),
            totals: self.totals,
            notes,
        })
    }
}
