//! Requests that wait: for a part of a playlist, or for the part that a playlist has announced
//! (RFC 8216bis §6.2.5.2, rule H14).
//!
//! A request waits by a place, of which a stream has a bounded number, and so has the server; it
//! is woken by each new snapshot, and looks. It gives up after three target durations. What it
//! asks for is checked before it waits: no request waits for what no client can know of.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hls::{Blocking, Directives, Feed, Until};
use tokio::time::Instant;

use super::entry::{Entry, Snapshot};
use super::handlers;
use super::registry::Hls;
use crate::content;
use crate::error::{Problem, Reason};

/// Target durations that a request waits at most.
const PATIENCE: u32 = 3;

/// What one look at a snapshot found.
enum Look<T> {
    There(T),
    Wait,
    Refused(Problem),
}

/// The directives of a request for a media playlist; none where the playlist is a classic one,
/// which does not offer them.
pub(super) fn directives(
    snapshot: &Snapshot,
    feed: Feed,
    query: Option<&str>,
) -> Result<Directives, Problem> {
    let offers = |current: &Arc<hls::Presentation>| current.is_low_latency(feed);
    match query {
        Some(query) if snapshot.current.as_ref().is_some_and(offers) => Directives::parse(query)
            .map_err(|error| Problem::new(Reason::REQUEST_UNPARSABLE, error.to_string())),
        _ => Ok(Directives::default()),
    }
}

/// The first snapshot whose media playlist has what is asked for.
pub(super) async fn playlist(
    hls: &Hls,
    entry: &Entry,
    feed: Feed,
    until: Until,
) -> Result<Arc<Snapshot>, Problem> {
    let name = &entry.name;
    let look = |snapshot: &Arc<Snapshot>| {
        let Some(current) = &snapshot.current else {
            return Look::Wait;
        };
        match current.blocking(feed, until) {
            Blocking::Ready => Look::There(Arc::clone(snapshot)),
            Blocking::Wait => Look::Wait,
            Blocking::FarAhead => {
                let part = until.part.map(|part| format!(" part {part}"));
                let detail = format!(
                    "segment {}{} of {name} is too far ahead of the playlist's end to wait for",
                    until.sequence,
                    part.unwrap_or_default()
                );
                Look::Refused(Problem::new(Reason::REQUEST_UNPARSABLE, detail))
            }
        }
    };
    wait(hls, entry, look, "part").await
}

/// The first snapshot that has the part of this name, where one was announced; `None` as soon as
/// it is known that it will not come.
pub(super) async fn part(
    hls: &Hls,
    entry: &Entry,
    file: &str,
) -> Result<Option<hls::Resource>, Problem> {
    let look = |snapshot: &Arc<Snapshot>| match snapshot.resource(file) {
        Some(found) => Look::There(Some(found)),
        None if snapshot.is_hinted(file) => Look::Wait,
        None => Look::There(None),
    };
    wait(hls, entry, look, "media").await
}

/// What is there of a segment that grows, as soon as it has the byte `first`.
pub(super) enum SoFar {
    /// It is complete.
    Whole(hls::Resource),
    /// Its beginning.
    Begins(hls::Resource),
}

/// The segment of this name, once it is there up to behind `first`, or complete; `None` as soon as
/// it is known that it will not come.
pub(super) async fn growing(
    hls: &Hls,
    entry: &Entry,
    file: &str,
    first: usize,
) -> Result<Option<SoFar>, Problem> {
    let look = |snapshot: &Arc<Snapshot>| {
        if let Some(found) = snapshot.resource(file) {
            return Look::There(Some(SoFar::Whole(found)));
        }
        match snapshot.growing(file) {
            Some(found) if found.body.len() > first => Look::There(Some(SoFar::Begins(found))),
            _ if snapshot.is_hinted(file) => Look::Wait,
            _ => Look::There(None),
        }
    };
    wait(hls, entry, look, "media").await
}

/// How long a playlist that was waited for may be kept (H17): its URL names what it holds, and
/// what comes next has another one.
pub(super) fn cache_control(snapshot: &Snapshot) -> Cow<'static, str> {
    let current = snapshot.current.as_ref().filter(|p| !p.ended());
    match current.and_then(|p| p.target_duration()) {
        Some(target) => format!("max-age={}", 6 * target.as_secs()).into(),
        None => content::NO_CACHE.into(),
    }
}

async fn wait<T>(
    hls: &Hls,
    entry: &Entry,
    look: impl Fn(&Arc<Snapshot>) -> Look<T>,
    what: &str,
) -> Result<T, Problem> {
    // Subscribed before the first look, so that no change is missed.
    let mut versions = entry.versions();
    let mut places = None;
    let mut deadline = None;
    loop {
        versions.borrow_and_update();
        let Some(snapshot) = entry.snapshot() else {
            return Err(late(entry, what));
        };
        if let Some(problem) = handlers::locked(entry) {
            return Err(problem);
        }
        match look(&snapshot) {
            Look::There(found) => return Ok(found),
            Look::Refused(problem) => return Err(problem),
            Look::Wait => {}
        }
        if places.is_none() {
            let place = hls.blocked().try_acquire();
            let (Ok(own), Ok(all)) = (entry.blocked.try_acquire(), place) else {
                let detail = format!("too many requests wait for {}", entry.name);
                return Err(Problem::new(Reason::OVERLOADED, detail).retry_after(1));
            };
            places = Some((own, all));
        }
        let target = snapshot.current.as_ref().and_then(|p| p.target_duration());
        let patience = target.unwrap_or(Duration::from_secs(4)) * PATIENCE;
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + patience);
        // Both are cancel safe; a client that leaves drops this future, and with it its places.
        let changed = tokio::time::timeout_at(deadline, versions.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            return Err(late(entry, what));
        }
    }
}

fn late(entry: &Entry, what: &str) -> Problem {
    let detail = format!("no {what} of {} came in time", entry.name);
    Problem::new(Reason::NotReady, detail).retry_after(1)
}
