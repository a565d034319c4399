//! Probes: what a player does not ask, or seldom, and a server has to answer all the same.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::ranges::Skip;
use super::reload::with_query;
use super::{Ask, Context, Fetch, Lane, reason};
use crate::config::Options;
use crate::exchange::{Answer, Method, Outcome, Seen};
use crate::playlist::{self, Media, Playlist};
use crate::rule;
use crate::rules::low_latency::Until;
use crate::rules::{Scribe, delta, http};

/// Segments that left and are looked at later.
const MAX_REMOVED: usize = 8;
/// How long before the end of its time a removed segment is asked for.
const BEFORE_END: Duration = Duration::from_secs(1);
/// Between two delta updates, and two hints.
const SKIP_EVERY: Duration = Duration::from_secs(5);
const HINT_EVERY: Duration = Duration::from_secs(2);
/// Hints whose part has not come yet.
const MAX_HINTED: usize = 8;
/// How far beyond the last segment a request is that must be refused.
const FAR: u64 = 100;
/// How long a request that must be refused at once may take.
const AT_ONCE: Duration = Duration::from_secs(3);
/// Bytes of a range that is asked for.
const RANGE_LEN: usize = 100;
/// Bytes from which a playlist should be compressed.
const WORTH_GZIP: usize = 1_000;

/// A question beside those of a player.
#[derive(Debug)]
pub(crate) enum Probe {
    HeadPlaylist,
    Gzip,
    FarAhead,
    PartAlone,
    /// The part behind the last of a complete segment, which is this one.
    PartBeyond(Until, Until),
    /// A delta update.
    Skip(Skip),
    Hint(Url, usize),
    /// Until when it must be there.
    Removed(Fetch, Duration),
    HeadSegment(Arc<Sample>),
    Range(Arc<Sample>),
    RangeBeyond(Arc<Sample>),
    NotModified(Arc<Sample>),
    Again(Arc<Sample>),
    Missing(Arc<Sample>),
}

/// A segment that was fetched.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(super) url: Url,
    pub(super) line: usize,
    pub(super) etag: Option<String>,
    pub(super) media_type: String,
    pub(super) body: Bytes,
    pub(super) has_cors: bool,
}

impl Lane {
    /// What is asked once, as soon as there is a playlist.
    pub(super) fn first_probes(&mut self, playlist: &Media, now: Duration) {
        self.probes.push_back((now, Probe::HeadPlaylist));
        self.probes.push_back((now, Probe::Gzip));
        self.next_skip = now;
        self.next_hint = now;
        if !playlist.can_block() || playlist.ended {
            return;
        }
        self.probes.push_back((now, Probe::FarAhead));
        if playlist.part_target.is_some() {
            self.probes.push_back((now, Probe::PartAlone));
        }
        if let Some(last) = playlist
            .segments
            .last()
            .filter(|last| !last.parts.is_empty())
        {
            let number = playlist.end() - 1;
            let asked = Until {
                number,
                part: Some(last.parts.len() as u64),
            };
            let means = Until {
                number: number + 1,
                part: Some(0),
            };
            self.probes
                .push_back((now, Probe::PartBeyond(asked, means)));
        }
    }

    pub(super) fn add_removed(&mut self, until: Duration, probe: Probe) {
        let known = self
            .probes
            .iter()
            .filter(|(_, probe)| matches!(probe, Probe::Removed(..)));
        if known.count() < MAX_REMOVED {
            self.probes
                .push_back((until.saturating_sub(BEFORE_END), probe));
        }
    }

    /// The next that is due; when the time is up, a last look at what was removed.
    pub(super) fn next_probe(&mut self, now: Duration, over: bool) -> Option<Probe> {
        if over {
            self.probes
                .retain(|(_, probe)| matches!(probe, Probe::Removed(_, until) if *until > now));
        }
        let due = self.probes.iter().position(|(at, _)| over || *at <= now);
        if let Some((_, probe)) = due.and_then(|index| self.probes.remove(index)) {
            return match &probe {
                Probe::Removed(_, until) if *until <= now => self.next_probe(now, over),
                _ => Some(probe),
            };
        }
        if over {
            return None;
        }
        let last = self.last.as_ref()?;
        if self.may_skip() && self.next_skip <= now {
            let control = last.playlist.control.as_ref();
            let can_skip = control.is_some_and(|control| control.can_skip_until.is_some());
            let asked = std::mem::replace(&mut self.skips, Skip::Segments);
            // The other way the next time, where that is offered.
            if asked == Skip::Segments && control.is_some_and(|control| control.can_skip_ranges) {
                self.skips = Skip::Ranges;
            }
            // Who does not offer it is asked once.
            self.next_skip = if can_skip {
                now + SKIP_EVERY
            } else {
                Duration::MAX
            };
            return Some(Probe::Skip(asked));
        }
        if self.next_hint <= now
            && let Some((url, line)) = self.hint()
        {
            self.next_hint = now + HINT_EVERY;
            return Some(Probe::Hint(url, line));
        }
        None
    }

    /// When a probe that is repeated is due.
    pub(super) fn next_optional(&self) -> Option<Duration> {
        let skip = self.may_skip().then_some(self.next_skip);
        let hint = self.hint().map(|_| self.next_hint);
        [skip, hint]
            .into_iter()
            .flatten()
            .filter(|&at| at != Duration::MAX)
            .min()
    }

    fn may_skip(&self) -> bool {
        !self.is_file() && self.last.as_ref().is_some_and(|last| !last.playlist.ended)
    }

    /// What may be asked for before it is there, as a whole.
    fn hint(&self) -> Option<(Url, usize)> {
        let playlist = &self.last.as_ref()?.playlist;
        let (url, start, line) = playlist.hint.as_ref()?;
        let may = start.is_none() && !self.is_file() && self.is_read;
        (may && !self.hinted.contains_key(url.as_str())).then(|| ((**url).clone(), *line))
    }

    pub(super) fn ask_probe(&self, probe: &Probe, options: &Options) -> Ask {
        let mut ask = Ask {
            method: Method::Get,
            url: self.url.clone(),
            headers: Vec::new(),
            max_body: options.limits.playlist_bytes,
            timeout: options.limits.answer,
        };
        let end = self.last.as_ref().map_or(0, |last| last.playlist.end());
        let held = options.limits.answer + 3 * Duration::from_secs(self.target_s());
        match probe {
            Probe::HeadPlaylist => ask.method = Method::Head,
            Probe::Gzip => ask.headers.push(("accept-encoding", "gzip".to_owned())),
            Probe::FarAhead => {
                with_query(&mut ask.url, &format!("_HLS_msn={}", end + FAR));
                ask.timeout = AT_ONCE;
            }
            Probe::PartAlone => {
                with_query(&mut ask.url, "_HLS_part=0");
                ask.timeout = AT_ONCE;
            }
            Probe::PartBeyond(asked, _) => {
                with_query(&mut ask.url, &asked.query());
                ask.timeout = held;
            }
            Probe::Skip(Skip::Segments) => with_query(&mut ask.url, "_HLS_skip=YES"),
            Probe::Skip(Skip::Ranges) => with_query(&mut ask.url, "_HLS_skip=v2"),
            Probe::Hint(url, _) => {
                ask.url = url.clone();
                ask.max_body = options.limits.segment_bytes;
                ask.timeout = held;
            }
            Probe::Removed(fetch, _) => ask = fetch.ask(options),
            Probe::HeadSegment(sample)
            | Probe::Range(sample)
            | Probe::RangeBeyond(sample)
            | Probe::NotModified(sample)
            | Probe::Again(sample)
            | Probe::Missing(sample) => {
                ask.url = sample.url.clone();
                ask.max_body = options.limits.segment_bytes;
                sample.ask(probe, &mut ask);
            }
        }
        ask
    }

    fn target_s(&self) -> u64 {
        let target = self.last.as_ref().and_then(|last| last.playlist.target);
        target.unwrap_or(10).clamp(1, 60)
    }

    pub(super) fn probed(
        &mut self,
        probe: Probe,
        outcome: Outcome,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        context.totals.probes += 1;
        let timeout = context.options.limits.answer;
        let mut scribe = Scribe {
            findings: context.findings,
            playlist: &self.name,
            seen,
        };
        let scribe = &mut scribe;
        match probe {
            Probe::FarAhead => match &outcome {
                Outcome::Answer(answer) if answer.status == 400 => {}
                outcome => {
                    let what = format!("{}, where 400 at once was due", reason(outcome, AT_ONCE));
                    scribe.tell(&rule::FAR_AHEAD, what);
                }
            },
            Probe::PartAlone => match &outcome {
                Outcome::Answer(answer) if answer.status == 400 => {}
                outcome => {
                    let what = format!("{}, where 400 was due", reason(outcome, AT_ONCE));
                    scribe.tell(&rule::PART_ALONE, what);
                }
            },
            Probe::Removed(fetch, until) => {
                if !matches!(&outcome, Outcome::Answer(answer) if matches!(answer.status, 200 | 206))
                {
                    let left = until.saturating_sub(seen.at).as_secs_f64();
                    let what = format!(
                        "{} {left:.1} s before its time was over",
                        reason(&outcome, timeout)
                    );
                    scribe.of(
                        &rule::REMOVED_NOT_SERVED,
                        fetch.line,
                        fetch.url.as_str(),
                        what,
                    );
                }
            }
            Probe::Hint(url, line) => {
                let kept = match outcome {
                    Outcome::Answer(answer) if answer.status == 200 => Ok(answer.body),
                    Outcome::Answer(answer) => Err(answer.status),
                    outcome => {
                        let what = reason(&outcome, timeout);
                        return scribe.of(&rule::HINT_UNTRUE, line, url.as_str(), what);
                    }
                };
                while self.hinted.len() >= MAX_HINTED {
                    self.hinted.pop_first();
                }
                self.hinted.insert(url.into(), kept);
            }
            probe => {
                let Outcome::Answer(answer) = &outcome else {
                    // That something cannot be reached is told by those who ask in earnest.
                    context.totals.failed += 1;
                    return;
                };
                self.judge(probe, answer, seen, context);
            }
        }
    }

    fn judge(
        &mut self,
        probe: Probe,
        answer: &Answer,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let mut scribe = self.scribe(context.findings, seen);
        let scribe = &mut scribe;
        match probe {
            Probe::HeadPlaylist if answer.status != 200 => {
                scribe.tell(
                    &rule::HEAD,
                    format!("HEAD of the playlist is {}, and GET is 200", answer.status),
                );
            }
            Probe::Gzip => gzip(scribe, answer, context.options.limits.playlist_bytes),
            Probe::PartBeyond(asked, means) => {
                let has = self
                    .parsed(answer)
                    .is_some_and(|playlist| means.is_in(&playlist));
                if !has && answer.status == 200 {
                    let what = format!("answered without what {} names", asked.query());
                    scribe.tell(&rule::ANSWERED_EARLY, what);
                } else if !has {
                    let what = format!(
                        "{} means part 0 of segment {}; the answer is {}",
                        asked.query(),
                        means.number,
                        answer.status
                    );
                    scribe.tell(&rule::PART_BEYOND, what);
                }
            }
            Probe::Skip(asked) => {
                let full = self.last.as_ref();
                // What was loaded meanwhile may be newer.
                let full = full.filter(|full| full.seen.at + full.seen.took <= seen.at);
                if let (Some(delta), Some(full)) = (self.parsed(answer), full) {
                    delta::check(scribe, &delta, &full.playlist);
                    let mut scribe = Scribe {
                        findings: context.findings,
                        playlist: &self.name,
                        seen,
                    };
                    self.ranges.delta(&mut scribe, &delta, asked, seen);
                }
            }
            Probe::HeadSegment(sample) => sample.head(scribe, answer),
            Probe::Range(sample) => sample.range(scribe, answer),
            Probe::RangeBeyond(sample) => sample.range_beyond(scribe, answer),
            Probe::NotModified(sample) => sample.not_modified(scribe, answer),
            Probe::Again(sample) => sample.again(scribe, answer),
            Probe::Missing(sample) => sample.missing(scribe, answer),
            _ => {}
        }
    }

    fn parsed(&self, answer: &Answer) -> Option<Media> {
        match playlist::parse(&answer.body, &answer.url) {
            Ok(Playlist::Media(media)) if answer.status == 200 => Some(*media),
            _ => None,
        }
    }
}

fn gzip(scribe: &mut Scribe<'_>, answer: &Answer, max: usize) {
    if answer.status != 200 {
        return;
    }
    let coding = answer.header("content-encoding").unwrap_or("identity");
    if !coding.eq_ignore_ascii_case("gzip") {
        if answer.body.len() >= WORTH_GZIP {
            let what = format!(
                "a playlist of {} bytes is not compressed",
                answer.body.len()
            );
            scribe.tell(&rule::GZIP, what);
        }
        return;
    }
    let mut begin = [0; 7];
    let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]).take(max as u64);
    let read = decoder.read_exact(&mut begin);
    let rest = read.and_then(|()| std::io::copy(&mut decoder, &mut std::io::sink()));
    match rest {
        Ok(_) if &begin == b"#EXTM3U" => {}
        Ok(_) => scribe.tell(&rule::GZIP_WRONG, "what was compressed is no playlist"),
        Err(error) => scribe.tell(
            &rule::GZIP_WRONG,
            format!("not to be decompressed: {error}"),
        ),
    }
}

impl Sample {
    fn ask(&self, probe: &Probe, ask: &mut Ask) {
        match probe {
            Probe::HeadSegment(_) => ask.method = Method::Head,
            Probe::Range(_) => {
                let last = RANGE_LEN.min(self.body.len()).saturating_sub(1);
                ask.headers.push(("range", format!("bytes=0-{last}")));
            }
            Probe::RangeBeyond(_) => ask
                .headers
                .push(("range", format!("bytes={}-", self.body.len() + 1_000))),
            Probe::NotModified(_) => {
                let tag = self.etag.clone();
                ask.headers.extend(tag.map(|tag| ("if-none-match", tag)));
            }
            Probe::Missing(_) => {
                let path = self.url.path();
                let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
                let extension = path
                    .rsplit_once('.')
                    .map_or("ts", |(_, extension)| extension);
                ask.url
                    .set_path(&format!("{folder}no-such-segment.{extension}"));
            }
            _ => {}
        }
    }

    fn head(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        let len = self.body.len().to_string();
        let what = if answer.status != 200 {
            format!("HEAD is {}, and GET is 200", answer.status)
        } else if answer
            .header("content-length")
            .is_some_and(|says| says != len)
        {
            format!(
                "HEAD says {:?} bytes, and GET gave {len}",
                answer.header("content-length").unwrap_or_default()
            )
        } else if http::media_type(answer) != self.media_type {
            format!(
                "HEAD says type {}, and GET {}",
                http::media_type(answer),
                self.media_type
            )
        } else {
            return;
        };
        scribe.of(&rule::HEAD, self.line, self.url.as_str(), what);
    }

    fn range(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        let url = self.url.as_str();
        if answer.status != 206 {
            let what = format!(
                "a request for the first {RANGE_LEN} bytes is answered with {}",
                answer.status
            );
            return scribe.of(&rule::RANGE, self.line, url, what);
        }
        let wanted = self.body.slice(..RANGE_LEN.min(self.body.len()));
        let range = answer.header("content-range").unwrap_or_default();
        let expected = format!(
            "bytes 0-{}/{}",
            wanted.len().saturating_sub(1),
            self.body.len()
        );
        if answer.body != wanted {
            let what = format!(
                "206 with {} bytes that are not the first {}",
                answer.body.len(),
                wanted.len()
            );
            scribe.of(&rule::RANGE_WRONG, self.line, url, what);
        } else if range != expected {
            let what = format!("206 with Content-Range {range:?}, and it is {expected:?}");
            scribe.of(&rule::RANGE_WRONG, self.line, url, what);
        }
    }

    fn range_beyond(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        // A server without ranges was told of already.
        if answer.status != 416 && answer.status != 200 {
            let what = format!("a range behind the end is answered with {}", answer.status);
            scribe.of(&rule::RANGE_BEYOND, self.line, self.url.as_str(), what);
        }
    }

    fn not_modified(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        if let Some(etag) = self.etag.as_ref().filter(|_| answer.status != 304) {
            let what = format!("If-None-Match: {etag} is answered with {}", answer.status);
            scribe.of(&rule::NOT_MODIFIED, self.line, self.url.as_str(), what);
        }
    }

    fn again(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        if answer.status != 200 {
            return;
        }
        let url = self.url.as_str();
        if answer.body != self.body {
            let what = format!(
                "{} bytes, and other ones ({}) a moment before",
                answer.body.len(),
                self.body.len()
            );
            scribe.of(&rule::BODY_CHANGED, self.line, url, what);
        } else if self.etag.as_deref() != answer.header("etag") {
            let (was, is) = (
                self.etag.as_deref().unwrap_or("none"),
                answer.header("etag").unwrap_or("none"),
            );
            scribe.of(
                &rule::ETAG_CHANGED,
                self.line,
                url,
                format!("ETag {is}, and {was} a moment before"),
            );
        }
    }

    fn missing(&self, scribe: &mut Scribe<'_>, answer: &Answer) {
        if matches!(answer.status, 200..=399) {
            let what = format!("{} is answered with {}", answer.url, answer.status);
            scribe.tell(&rule::MISSING_STATUS, what);
        } else if self.has_cors && !http::has_cors(answer) {
            let what = format!(
                "{} without Access-Control-Allow-Origin; a segment has it",
                answer.status
            );
            scribe.tell(&rule::CORS_ERROR, what);
        }
    }
}
