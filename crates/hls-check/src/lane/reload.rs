//! Reloads: when, and what is looked at in what they give.

use std::sync::Arc;
use std::time::Duration;

use super::{Ask, Context, Fetch, Job, Lane, Loaded, Probe, Reload, reason};
use crate::exchange::{Answer, Method, Outcome, Seen};
use crate::playlist::{self, Media, Micros, Playlist};
use crate::rule;
use crate::rules::http::Served;
use crate::rules::low_latency::Until;
use crate::rules::{Scribe, change, delta, http, low_latency, text};

/// Between two reloads at least. Threat: a server that answers blocking requests at once is asked without end.
const LEAST_PAUSE: Duration = Duration::from_millis(50);
/// After an answer that did not wait as it should have.
const EARLY_PAUSE: Duration = Duration::from_millis(500);
/// After a reload that failed.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// From a playlist that ended to a last look at it.
const AFTER_END: Duration = Duration::from_secs(1);
/// Each so many blocking reloads, one that names no part.
const WHOLE_SEGMENT_EVERY: u64 = 5;

impl Lane {
    pub(super) fn ask_reload(&mut self, options: &crate::Options) -> (Job, Ask) {
        let until = self.until();
        self.reloads += 1;
        let mut url = self.url.clone();
        let mut timeout = options.limits.answer;
        if let Some(until) = until {
            with_query(&mut url, &until.query());
            timeout += 3 * self.target();
        }
        let ask = Ask {
            method: Method::Get,
            url,
            headers: Vec::new(),
            max_body: options.limits.playlist_bytes,
            timeout,
        };
        (Job::Reload(until), ask)
    }

    fn target(&self) -> Duration {
        let target = self.last.as_ref().and_then(|last| last.playlist.target);
        Duration::from_secs(target.unwrap_or(10).clamp(1, 60))
    }

    /// What the next reload waits for.
    fn until(&self) -> Option<Until> {
        let last = &self.last.as_ref()?.playlist;
        if !last.can_block() || last.ended || self.is_file() {
            return None;
        }
        let number = last.end();
        let part = last.part_target.map(|_| last.open.parts.len() as u64);
        let whole = self.reloads.is_multiple_of(WHOLE_SEGMENT_EVERY) && !self.answers_early;
        Some(Until {
            number,
            part: part.filter(|_| !whole),
        })
    }

    pub(super) fn reloaded(
        &mut self,
        until: Option<Until>,
        outcome: Outcome,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        context.totals.reloads += 1;
        let playlist = match &outcome {
            Outcome::Answer(answer) if answer.status == 200 => {
                context.totals.bytes += answer.body.len() as u64;
                self.read(answer, seen, context)
                    .map(|playlist| (playlist, answer))
            }
            _ => {
                self.not_reloaded(until, &outcome, seen, context);
                None
            }
        };
        let Some((playlist, answer)) = playlist else {
            // What failed to begin with is not asked for again and again.
            self.reload = match self.last {
                Some(_) => Reload::At(context.now + FAILED_PAUSE),
                None => Reload::Never,
            };
            return;
        };
        self.vanished = false;
        self.is_read &= !playlist.i_frames_only;
        let now = context.now;
        let is_early = self.look(&playlist, answer, until, seen, context);
        if self.last.is_none() {
            let breaks = playlist
                .numbered()
                .filter(|(_, segment)| segment.discontinuity);
            self.described.start = breaks.map(|(number, _)| number).last().unwrap_or(0);
        }
        self.media_found(&playlist, seen, context);
        self.probes_found(&playlist, seen, now);
        let grew = self
            .last
            .as_ref()
            .is_none_or(|last| last.playlist.end() < playlist.end());
        if grew {
            self.grown = now;
        }
        self.reload = match (playlist.ended, &self.last) {
            // The look after the end was the last.
            (_, Some(last)) if last.playlist.ended => Reload::Never,
            (true, Some(_)) if !self.is_file() => Reload::At(now + AFTER_END),
            (true, _) => Reload::Never,
            _ if self.is_file() => Reload::Never,
            (false, _) if is_early => Reload::At(now + EARLY_PAUSE),
            (false, _) if playlist.can_block() => Reload::At(now + LEAST_PAUSE),
            // RFC 8216 §6.3.4
            (false, _) => {
                let target = Duration::from_secs(playlist.target.unwrap_or(10).clamp(1, 60));
                Reload::At(now + if grew { target } else { target / 2 })
            }
        };
        let parts = playlist.open.parts.len();
        self.new_from = (playlist.end(), parts);
        self.last = Some(Loaded {
            playlist,
            asked: seen.at,
            seen: Arc::clone(seen),
        });
    }

    fn read(&self, answer: &Answer, seen: &Arc<Seen>, context: &mut Context<'_>) -> Option<Media> {
        let what = match playlist::parse(&answer.body, &answer.url) {
            Ok(Playlist::Media(media)) => return Some(*media),
            Ok(Playlist::Multivariant(_)) => {
                "a multivariant playlist where a media playlist belongs".to_owned()
            }
            Err(what) => what,
        };
        self.scribe(context.findings, seen)
            .line(&rule::LINE_MALFORMED, 1, what);
        None
    }

    /// Looks at a playlist by all rules; whether it came before it had what was asked for.
    fn look(
        &mut self,
        playlist: &Media,
        answer: &Answer,
        until: Option<Until>,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) -> bool {
        let now = context.now;
        let mut scribe = Scribe {
            findings: context.findings,
            playlist: &self.name,
            seen,
        };
        self.ranges.whole(&mut scribe, playlist, seen.at);
        let mut scribe = self.scribe(context.findings, seen);
        let served = match playlist.ended {
            true => Served::Fixed,
            false => Served::Live {
                target: playlist.target.unwrap_or(10),
                waited: until.is_some(),
            },
        };
        http::playlist(&mut scribe, answer, served);
        if playlist.part_target.is_some() && answer.url.scheme() == "https" && !answer.is_http2 {
            scribe.tell(
                &rule::HTTP2,
                "low latency over TLS, and HTTP/1.1 was agreed on",
            );
        }
        delta::full(&mut scribe, playlist);
        text::check(&mut scribe, playlist, self.new_from.0);
        low_latency::parts(&mut scribe, playlist, self.new_from);
        let is_early = until.is_some_and(|until| !low_latency::held(&mut scribe, playlist, until));
        match &self.last {
            None => {
                low_latency::head(&mut scribe, playlist);
                low_latency::reports(&mut scribe, playlist, &self.others);
            }
            Some(last) => {
                change::check(&mut scribe, &last.playlist, playlist);
                let target = self.target();
                // A playlist that is asked for now and then is seen later than it grows.
                let late = if playlist.can_block() {
                    Duration::ZERO
                } else {
                    target / 2
                };
                let still = now.saturating_sub(self.grown);
                let grew = playlist.end() > last.playlist.end();
                if !grew
                    && !playlist.ended
                    && still > target * 3 / 2 + late + Duration::from_secs(1)
                {
                    let what = format!(
                        "no new segment for {:.1} s; the target duration is {} s",
                        still.as_secs_f64(),
                        target.as_secs()
                    );
                    scribe.tell(&rule::STALLED, what);
                    self.grown = now;
                }
            }
        }
        self.answers_early |= is_early;
        is_early
    }

    fn not_reloaded(
        &mut self,
        until: Option<Until>,
        outcome: &Outcome,
        seen: &Arc<Seen>,
        context: &mut Context<'_>,
    ) {
        let timeout = context.options.limits.answer + 3 * self.target();
        let why = reason(outcome, timeout);
        context.totals.failed += 1;
        let status = match outcome {
            Outcome::Answer(answer) => Some(answer.status),
            _ => None,
        };
        let mut scribe = self.scribe(context.findings, seen);
        let Some(last) = &self.last else {
            return scribe.tell(
                &rule::LISTED_NOT_SERVED,
                format!("the playlist cannot be had: {why}"),
            );
        };
        match (status, until) {
            (Some(404 | 410), _) => {
                if !std::mem::replace(&mut self.vanished, true) && !last.playlist.ended {
                    let what = format!("{why}; the playlist before had no ENDLIST");
                    self.scribe(context.findings, seen)
                        .tell(&rule::VANISHED, what);
                }
            }
            // After three target durations nothing more can be said.
            (Some(503), Some(_)) if seen.took + Duration::from_secs(1) >= 3 * self.target() => {
                low_latency::took(&mut scribe, seen.took, &last.playlist);
            }
            (Some(_), Some(until)) => {
                let what = format!(
                    "{why}, after {:.3} s, to {}",
                    seen.took.as_secs_f64(),
                    until.query()
                );
                scribe.tell(&rule::NEXT_REFUSED, what);
            }
            (None, Some(_)) if matches!(outcome, Outcome::TimedOut) => {
                low_latency::took(&mut scribe, seen.took, &last.playlist);
            }
            _ => scribe.tell(
                &rule::LISTED_NOT_SERVED,
                format!("the playlist cannot be had: {why}"),
            ),
        }
    }

    /// Queues what is new to read.
    fn media_found(&mut self, playlist: &Media, seen: &Arc<Seen>, context: &mut Context<'_>) {
        if !self.is_read || !context.options.media {
            return;
        }
        let is_live = !playlist.ended;
        let from = match &self.last {
            None if is_live => first_wanted(playlist),
            _ => self.new_from.0,
        };
        let had_parts_from = match &self.last {
            // Parts of complete segments are old by now.
            None => (playlist.end(), 0),
            Some(_) => self.new_from,
        };
        let mut found = Vec::new();
        for (number, segment) in playlist.numbered() {
            if number >= had_parts_from.0 && is_live {
                let first = if number == had_parts_from.0 {
                    had_parts_from.1
                } else {
                    0
                };
                found.extend(Fetch::parts(number, segment, first));
            }
            if number >= from && !segment.is_gap {
                found.extend(Fetch::segment(number, segment));
            }
        }
        if is_live {
            let first = if playlist.end() == had_parts_from.0 {
                had_parts_from.1
            } else {
                0
            };
            found.extend(Fetch::parts(playlist.end(), &playlist.open, first));
        }
        for fetch in found {
            if is_live && self.queue.len() >= context.options.limits.queue {
                context.totals.not_read += 1;
                continue;
            }
            self.need_init(&fetch, seen);
            self.queue.push_back(fetch);
        }
    }

    /// Notes what has to be asked of what is new, and of what left.
    fn probes_found(&mut self, playlist: &Media, seen: &Arc<Seen>, now: Duration) {
        if self.is_file() {
            return;
        }
        if self.last.is_none() {
            self.first_probes(playlist, now);
        }
        let Some(last) = &self.last else {
            return;
        };
        let longest = last.playlist.duration();
        let until = |duration: Micros| {
            last.asked + Duration::from_micros((longest + duration).unsigned_abs())
        };
        let left = last
            .playlist
            .numbered()
            .take_while(|(number, _)| *number < playlist.sequence);
        let left: Vec<_> = left
            .filter(|(number, segment)| !segment.is_gap && !self.unserved.contains(number))
            .filter_map(|(number, segment)| {
                let fetch = Fetch::segment(number, segment)?;
                Some((
                    until(segment.duration),
                    Probe::Removed(fetch, until(segment.duration)),
                ))
            })
            .collect();
        let _ = seen;
        for (until, probe) in left {
            self.add_removed(until, probe);
        }
    }
}

/// Of a live playlist that is new, what a player would begin with: the last three target durations.
fn first_wanted(playlist: &Media) -> u64 {
    let mut rest = 3 * playlist.target_us();
    let mut from = playlist.end();
    for (number, segment) in playlist.numbered().collect::<Vec<_>>().into_iter().rev() {
        if rest <= 0 {
            break;
        }
        rest -= segment.duration;
        from = number;
    }
    from
}

/// Adds a query to what the URL may have already.
pub(super) fn with_query(url: &mut url::Url, query: &str) {
    let joined = match url.query() {
        Some(known) if !known.is_empty() => format!("{known}&{query}"),
        _ => query.to_owned(),
    };
    url.set_query(Some(&joined));
}
