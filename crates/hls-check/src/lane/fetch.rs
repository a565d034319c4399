//! Media: init segments, segments and parts, fetched and read in their order.

use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use super::{Ask, Context, Lane, MAX_GATHERED, MAX_INITS, MAX_UNSERVED, Probe, reason};
use crate::config::Options;
use crate::exchange::{Answer, Method, Outcome, Seen};
use crate::playlist::{Map, Part, Range, Segment};
use crate::rule;
use crate::rules::media::Read;
use crate::rules::{Scribe, http, media, variant};
use crate::segment;

/// Something to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) what: What,
    pub(crate) url: Arc<Url>,
    pub(crate) range: Option<Range>,
    /// The line that names it.
    pub(crate) line: usize,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Init(Arc<Map>),
    Segment(u64, Box<Segment>),
    /// Of which segment, and the how-manieth.
    Part(u64, usize, Box<Part>, Option<Arc<Map>>, bool),
}

impl Fetch {
    pub(super) fn segment(number: u64, segment: &Segment) -> Option<Self> {
        Some(Self {
            url: Arc::clone(segment.url.as_ref()?),
            range: segment.range,
            line: segment.line,
            what: What::Segment(number, Box::new(segment.clone())),
        })
    }

    /// The parts of a segment from the `first` on.
    pub(super) fn parts(
        number: u64,
        segment: &Segment,
        first: usize,
    ) -> impl Iterator<Item = Self> {
        let parts = segment.parts.iter().enumerate().skip(first);
        parts
            .filter(|(_, part)| !part.is_gap)
            .map(move |(index, part)| Self {
                url: Arc::clone(&part.url),
                range: part.range,
                line: part.line,
                what: What::Part(
                    number,
                    index,
                    Box::new(part.clone()),
                    segment.map.clone(),
                    segment.encryption.is_some(),
                ),
            })
    }

    fn map(&self) -> Option<&Arc<Map>> {
        match &self.what {
            What::Init(_) => None,
            What::Segment(_, segment) => segment.map.as_ref(),
            What::Part(_, _, _, map, _) => map.as_ref(),
        }
    }

    pub(super) fn ask(&self, options: &Options) -> Ask {
        let range = self.range.map(|Range { start, len }| {
            let last = start.saturating_add(len).saturating_sub(1);
            ("range", format!("bytes={start}-{last}"))
        });
        Ask {
            method: Method::Get,
            url: (*self.url).clone(),
            headers: range.into_iter().collect(),
            max_body: options.limits.segment_bytes,
            timeout: options.limits.answer * 2,
        }
    }
}

impl Lane {
    /// Queues the init segment of what is fetched, unless it is there.
    pub(super) fn need_init(&mut self, fetch: &Fetch, _seen: &Arc<Seen>) {
        let Some(map) = fetch.map() else {
            return;
        };
        let is_there = self.inits.iter().any(|(known, _)| known == map);
        let is_queued = self
            .queue
            .iter()
            .any(|queued| matches!(&queued.what, What::Init(known) if known == map));
        if !is_there && !is_queued {
            self.queue.push_back(Fetch {
                what: What::Init(Arc::clone(map)),
                url: Arc::clone(&map.url),
                range: map.range,
                line: fetch.line,
            });
        }
    }

    /// The next that is still listed.
    pub(super) fn next_fetch(&mut self, context: &mut Context<'_>) -> Option<Fetch> {
        let last = self.last.as_ref()?;
        let first = last.playlist.sequence;
        loop {
            let fetch = self.queue.pop_front()?;
            let number = match fetch.what {
                What::Init(_) => first,
                What::Segment(number, _) | What::Part(number, ..) => number,
            };
            if number >= first {
                return Some(fetch);
            }
            context.totals.not_read += 1;
        }
    }

    pub(super) fn fetched(
        &mut self,
        fetch: Fetch,
        outcome: Outcome,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let (line, url) = (fetch.line, fetch.url.as_str());
        let answer = match &outcome {
            Outcome::Answer(answer) if matches!(answer.status, 200 | 206) => answer,
            Outcome::TooLong => {
                context.totals.not_read += 1;
                return;
            }
            _ => {
                context.totals.failed += 1;
                if let What::Segment(number, _) = fetch.what {
                    self.unserved.insert(number);
                    while self.unserved.len() > MAX_UNSERVED {
                        self.unserved.pop_first();
                    }
                }
                let why = reason(&outcome, context.options.limits.answer * 2);
                let mut scribe = self.scribe(context.findings, seen);
                return scribe.of(&rule::LISTED_NOT_SERVED, line, url, why);
            }
        };
        context.totals.bytes += answer.body.len() as u64;
        let Some(body) = self.bytes(&fetch, answer, seen, context) else {
            return;
        };
        match fetch.what.clone() {
            What::Init(map) => self.init(&fetch, map, answer, body, seen, context),
            What::Segment(number, segment) => {
                self.segment(&fetch, number, *segment, answer, body, seen, context)
            }
            What::Part(number, index, part, map, is_encrypted) => {
                context.totals.parts += 1;
                self.part(
                    number,
                    index,
                    &part,
                    map.as_ref().filter(|_| !is_encrypted),
                    answer,
                    &body,
                    seen,
                    context,
                );
            }
        }
    }

    /// The bytes that were asked for.
    fn bytes(
        &self,
        fetch: &Fetch,
        answer: &Answer,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) -> Option<Bytes> {
        let Some(Range { start, len }) = fetch.range else {
            return Some(answer.body.clone());
        };
        let mut scribe = self.scribe(context.findings, seen);
        let url = fetch.url.as_str();
        if answer.status == 200 {
            scribe.of(
                &rule::RANGE,
                fetch.line,
                url,
                "a range of it is listed, and was answered with 200",
            );
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(len).ok()?)?;
            return (end <= answer.body.len()).then(|| answer.body.slice(start..end));
        }
        if answer.body.len() as u64 != len {
            let what = format!(
                "206 with {} bytes, and {len} were asked for",
                answer.body.len()
            );
            scribe.of(&rule::RANGE_WRONG, fetch.line, url, what);
            return None;
        }
        Some(answer.body.clone())
    }

    fn init(
        &mut self,
        fetch: &Fetch,
        map: Arc<Map>,
        answer: &Answer,
        body: Bytes,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let url = fetch.url.as_str();
        let mut scribe = self.scribe(context.findings, seen);
        http::segment(&mut scribe, answer, fetch.line, Some(segment::is_ts(&body)));
        let init = segment::read_init(&body);
        if !segment::is_ts(&body) {
            media::init(&mut scribe, fetch.line, url, &init);
        }
        if self.inits.len() >= MAX_INITS {
            self.inits.remove(0);
        }
        self.inits.push((map, (body, init)));
    }

    fn init_of(&self, map: Option<&Arc<Map>>) -> Option<&(Bytes, segment::Init)> {
        let mut inits = self.inits.iter();
        inits
            .find(|(known, _)| Some(known) == map)
            .map(|(_, init)| init)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was fetched, and what came of it"
    )]
    fn segment(
        &mut self,
        fetch: &Fetch,
        number: u64,
        listed: Segment,
        answer: &Answer,
        body: Bytes,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        context.totals.segments += 1;
        let (line, url) = (fetch.line, fetch.url.as_str());
        let playlist = self.last.as_ref().map(|last| &last.playlist);
        let (target, ended) = playlist.map_or((0, false), |playlist| {
            (playlist.target_us(), playlist.ended)
        });
        let says_independent = playlist.is_some_and(|playlist| playlist.independent);
        if fetch.range.is_none() && !self.has_sample && !self.is_file() {
            self.has_sample = true;
            self.sample_probes(fetch, answer, &body, context.now);
        }
        self.compare_parts(number, fetch, &body, seen, context);
        let mut scribe = Scribe {
            findings: context.findings,
            playlist: &self.name,
            seen,
        };
        if listed.encryption.is_some() {
            context.totals.encrypted += 1;
            self.before = None;
            return http::segment(&mut scribe, answer, line, None);
        }
        let init = self
            .inits
            .iter()
            .find(|(known, _)| Some(known) == listed.map.as_ref());
        let read = segment::read(init.map(|(_, init)| init), &body);
        let is_ts = match &read {
            Some(Ok(facts)) => Some(facts.is_ts()),
            _ => None,
        };
        http::segment(&mut scribe, answer, line, is_ts);
        let facts = match read {
            Some(Ok(facts)) => facts,
            Some(Err(what)) => {
                self.before = None;
                return scribe.of(&rule::SEGMENT_DAMAGED, line, url, what);
            }
            None => {
                context.totals.other += 1;
                self.before = None;
                return;
            }
        };
        let mut read = Read::new(number, listed, facts);
        media::segment(&mut scribe, &read, says_independent);
        if let Some(before) = self
            .before
            .as_ref()
            .filter(|before| before.number + 1 == number)
        {
            media::follows(&mut scribe, before, &mut read);
            let is_new = read.segment.discontinuity || media::changed(before, &read).is_some();
            if number > self.described.start && is_new {
                self.described.end = self.described.end.min(number);
            }
        }
        let described = self.described.contains(&number);
        if let Some(variant) = self.variant.as_ref().filter(|_| described) {
            let size = (body.len() as u64, read.segment.duration);
            self.measured
                .add(&mut scribe, variant, (line, url), size, (target, ended));
            self.measured_by = Some(Arc::clone(seen));
            if read.facts.damage.is_none() {
                variant::segment(&mut scribe, variant, line, url, &read.facts);
            }
        }
        self.before = Some(read);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what was fetched, and what came of it"
    )]
    fn part(
        &mut self,
        number: u64,
        index: usize,
        listed: &Part,
        map: Option<&Arc<Map>>,
        answer: &Answer,
        body: &Bytes,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let gathered = self.parts.entry(number).or_default();
        if gathered.len() <= index {
            gathered.resize(index + 1, None);
        }
        if let Some(place) = gathered.get_mut(index) {
            *place = Some(body.clone());
        }
        while self.parts.len() > MAX_GATHERED {
            self.parts.pop_first();
        }
        let hinted = self.hinted.remove(listed.url.as_str());
        let mut scribe = self.scribe(context.findings, seen);
        http::segment(&mut scribe, answer, listed.line, None);
        match hinted {
            Some(Ok(hinted)) if hinted != *body => {
                let what = "the part that was hinted had other bytes";
                scribe.of(&rule::HINT_UNTRUE, listed.line, listed.url.as_str(), what);
            }
            Some(Err(status)) => {
                let what = format!("asked for as a hint it was {status}, and came all the same");
                scribe.of(&rule::HINT_UNTRUE, listed.line, listed.url.as_str(), what);
            }
            _ => {}
        }
        // Parts of MPEG-TS have no tables of their own.
        let Some(init) = self.init_of(map) else {
            return;
        };
        if let Some(Ok(facts)) = segment::read(Some(init), body) {
            let mut scribe = self.scribe(context.findings, seen);
            media::part(&mut scribe, listed, &facts);
        }
    }

    /// A segment beside its parts, when all of them were read.
    fn compare_parts(
        &mut self,
        number: u64,
        fetch: &Fetch,
        body: &Bytes,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let What::Segment(_, listed) = &fetch.what else {
            return;
        };
        let Some(parts) = self.parts.remove(&number) else {
            return;
        };
        let has_gap = listed.parts.iter().any(|part| part.is_gap);
        let whole: Option<Vec<Bytes>> = parts.into_iter().collect();
        let Some(whole) = whole.filter(|whole| whole.len() == listed.parts.len() && !has_gap)
        else {
            return;
        };
        let len: usize = whole.iter().map(Bytes::len).sum();
        let is_same = len == body.len() && {
            let mut rest = &body[..];
            whole
                .iter()
                .all(|part| match rest.split_at_checked(part.len()) {
                    Some((begin, behind)) => {
                        rest = behind;
                        begin == part
                    }
                    None => false,
                })
        };
        if !is_same {
            let what = format!(
                "{} bytes, and its {} parts have {len} or others",
                body.len(),
                whole.len()
            );
            let mut scribe = self.scribe(context.findings, seen);
            scribe.of(&rule::PARTS_DIFFER, fetch.line, fetch.url.as_str(), what);
        }
    }

    /// What is asked of one segment besides its content.
    fn sample_probes(
        &mut self,
        fetch: &Fetch,
        answer: &Answer,
        body: &Bytes,
        now: std::time::Duration,
    ) {
        let etag = answer.header("etag").map(str::to_owned);
        let sample = Arc::new(super::probe::Sample {
            url: (*fetch.url).clone(),
            line: fetch.line,
            etag,
            media_type: http::media_type(answer),
            body: body.clone(),
            has_cors: http::has_cors(answer),
        });
        for probe in [
            Probe::HeadSegment,
            Probe::Range,
            Probe::RangeBeyond,
            Probe::NotModified,
            Probe::Again,
            Probe::Missing,
        ] {
            self.probes.push_back((now, probe(Arc::clone(&sample))));
        }
    }
}
