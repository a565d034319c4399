//! Answers over what is kept: `?start=-600`, `?from=…&to=…`, segments that left the live window and their keys.

use std::sync::Arc;

use axum::response::Response;
use hls::shift::{Answer, Ask, KeptKey, Live, Missing};
use hls::{Container, Directives, Feed, PlaylistName, Standing, Text, WallTime};
use http::Method;
use jiff::Timestamp;
use media::StreamName;

use super::dvr::{self, Shelf};
use super::entry::Playlist;
use super::handlers::{Request, admit, send_key, sent_bytes};
use super::links;
use super::registry::Hls;
use super::sessions::End;
use crate::content::{self, Content, Gzip};
use crate::error::{Problem, Reason};
use crate::paths::Target;

/// The answer to a request for a playlist over what is kept; `None` when it asks for the live one.
pub(super) fn playlist(hls: &Hls, request: &Request<'_>) -> Option<Result<Response, Problem>> {
    let query = request.query?;
    let dvr = hls.dvr()?;
    let (name, playlist) = match request.target {
        Target::Multivariant(name, container) => (name, Playlist::Multivariant(*container)),
        Target::Playlist(name, file) => (name, Playlist::Named(*file)),
        _ => return None,
    };
    let ladder = hls.is_ladder(name).then(|| hls.ladders().rungs_of(name));
    let ladder = ladder.flatten();
    // Of a ladder that is kept of which a rung is.
    let is_kept = |name: &StreamName| !dvr.window(name).is_zero();
    let is_kept = match &ladder {
        Some(rungs) => rungs.iter().any(is_kept),
        None => is_kept(name),
    };
    let ask = match (Ask::parse(query), !is_kept) {
        (Ok(None), _) => return None,
        (Ok(Some(_)), true) => {
            let detail = format!("nothing of {name} is kept beyond the live playlist (hls.dvr)");
            return Some(Err(Problem::new(Reason::SegmentNotFound, detail)));
        }
        // Not meant for us.
        (Err(_), true) => return None,
        (Ok(Some(ask)), false) => ask,
        (Err(error), false) => {
            let problem = Problem::new(Reason::REQUEST_UNPARSABLE, error.to_string());
            return Some(Err(problem));
        }
    };
    if let (Some(rungs), Playlist::Multivariant(container)) = (&ladder, playlist) {
        return Some(of_ladder(hls, rungs, container, ask, request));
    }
    let running = hls.get(name).is_some_and(|entry| entry.is_running());
    let live = if running { Live::Running } else { Live::Ended };
    let Some(shelf) = hls.shelf(name) else {
        return Some(Err(missing(name.as_str(), live, Missing { kept: None })));
    };
    Some(match playlist {
        Playlist::Named(PlaylistName::Media(Feed::Main(container))) => {
            media(hls, &shelf, container, (ask, live), request)
        }
        Playlist::Multivariant(container) => {
            multivariant(hls, &shelf, container, (ask, live), request)
        }
        Playlist::Named(other) => {
            let detail = format!(
                "{name} is kept as a whole (hls.dvr), without {}",
                other.as_str()
            );
            Err(Problem::new(Reason::SegmentNotFound, detail))
        }
        Playlist::Delta(..) => return None,
    })
}

fn media(
    hls: &Hls,
    shelf: &Shelf,
    container: Container,
    (ask, live): (Ask, Live),
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let name = request.target.name();
    let entry = hls.get(name);
    if let Some(entry) = &entry {
        admit(entry, request)?;
    }
    let skip = request
        .query
        .and_then(|query| Directives::parse(query).ok())
        .is_some_and(|directives| directives.skip.is_some());
    let answer = shelf
        .playlist(container, ask, live, skip, hls.now())
        .ok_or_else(|| not_kept(name.as_str(), container))?
        .map_err(|nothing| missing(name.as_str(), live, nothing))?;
    let content = match request.links {
        None => Content {
            gzip: Gzip::Here(if content::accepts_gzip(request.headers) {
                dvr::gzip(&answer)
            } else {
                bytes::Bytes::new().into()
            }),
            ..plain(&answer)
        },
        Some(query) => linked(&text(&answer), query),
    };
    let response = content::send(&content, request.method, request.headers)?;
    let end = match answer.ended && request.method == Method::GET {
        true => End::Told,
        false => End::NotYet,
    };
    count(hls, request, &response, end);
    Ok(response)
}

fn multivariant(
    hls: &Hls,
    shelf: &Shelf,
    container: Container,
    (ask, live): (Ask, Live),
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let name = request.target.name();
    let text = shelf
        .multivariant(container, ask)
        .ok_or_else(|| not_kept(name.as_str(), container))?
        .map_err(|nothing| missing(name.as_str(), live, nothing))?;
    send_multivariant(hls, &text, ask, request)
}

/// The same of a ladder: of the rungs that have something there, but those that are refused now.
fn of_ladder(
    hls: &Hls,
    rungs: &[StreamName],
    container: Container,
    ask: Ask,
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let name = request.target.name();
    let (mut found, mut nothing) = (Vec::new(), Vec::new());
    for (index, rung) in rungs.iter().enumerate() {
        let standing = hls.ladders().standing(name, index);
        let live = hls.get(rung).is_some_and(|entry| entry.is_running());
        let live = if live { Live::Running } else { Live::Ended };
        let past = hls.shelf(rung).map(|shelf| shelf.past(container, ask));
        nothing.push(match (standing, past) {
            (Standing::Refused(why), _) => {
                let detail = format!("{rung}: {why}");
                Problem::new(Reason::SegmentNotFound, detail)
            }
            (_, None) => missing(rung.as_str(), live, Missing { kept: None }),
            (_, Some(None)) => not_kept(rung.as_str(), container),
            (_, Some(Some(Err(nothing)))) => missing(rung.as_str(), live, nothing),
            (_, Some(Some(Ok(past)))) => {
                found.push(past);
                continue;
            }
        });
    }
    if found.is_empty() {
        // What may come soon is worth waiting for.
        let soon = nothing
            .iter()
            .position(|problem| problem.reason == Reason::NotReady);
        let details: Vec<&str> = nothing.iter().map(|problem| &*problem.detail).collect();
        let detail = format!("{name} is a ladder; {}", details.join("; "));
        let problem = nothing.swap_remove(soon.unwrap_or(0));
        return Err(Problem { detail, ..problem });
    }
    let text = hls::shift::ladder(container, name.stream(), &found);
    send_multivariant(hls, &text, ask, request)
}

fn send_multivariant(
    hls: &Hls,
    text: &Text,
    ask: Ask,
    request: &Request<'_>,
) -> Result<Response, Problem> {
    // What it leads to is asked for the same.
    let content = match request.links {
        Some(query) => linked(text, &format!("{}&{query}", ask.query()).into()),
        None => Content {
            cache_control: content::NO_CACHE.into(),
            ..linked(text, &ask.query().into())
        },
    };
    let response = content::send(&content, request.method, request.headers)?;
    count(hls, request, &response, End::NotYet);
    Ok(response)
}

/// A segment or an init segment from the disk, or a key of such a segment; `None` when it is not kept.
pub(super) async fn resource(
    hls: &Hls,
    file: &str,
    request: &Request<'_>,
) -> Option<Result<Response, Problem>> {
    let name = request.target.name();
    let shelf = hls.shelf(name)?;
    if let Some(kept) = shelf.key(file) {
        return Some(key(hls, file, kept, request).await);
    }
    let (stored, content_type) = hls.dvr()?.open_file(&shelf, file).await?;
    if let Some(entry) = hls.get(name)
        && let Err(problem) = admit(&entry, request)
    {
        return Some(Err(problem));
    }
    let content = Content {
        body: content::Source::Disk(stored),
        gzip: Gzip::Never,
        content_type,
        etag: format!("\"{file}\""),
        cache_control: match request.links {
            None => content::IMMUTABLE.into(),
            Some(_) => content::PRIVATE_IMMUTABLE.into(),
        },
    };
    let answer = content::send(&content, request.method, request.headers);
    if let Ok(response) = &answer {
        count(hls, request, response, End::NotYet);
    }
    Some(answer)
}

/// A key of what is kept: made again, or asked for again.
async fn key(
    hls: &Hls,
    file: &str,
    kept: KeptKey,
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let name = request.target.name();
    if let Some(entry) = hls.get(name) {
        admit(&entry, request)?;
    }
    let Some(encryption) = hls.encryption(name) else {
        let detail = format!(
            "{name} has no keys any more (hls.encryption), and what is kept of it is encrypted"
        );
        return Err(Problem::new(Reason::SegmentNotFound, detail));
    };
    // A key server answers when it likes.
    let _place = hls.waiting().try_acquire().map_err(|_| {
        Problem::new(Reason::OVERLOADED, "too many requests wait for a key").retry_after(1)
    })?;
    let key = encryption.keys.again(name, kept.epoch, kept.number).await;
    let key = key.map_err(|why| {
        let detail = format!("what is kept of {name} is encrypted, and {file} is missing: {why}");
        Problem::new(Reason::NotReady, detail).retry_after(1)
    })?;
    if !kept.is(&key) {
        let detail = format!(
            "what is kept of {name} was encrypted with another {file} than hls.encryption gives now"
        );
        return Err(Problem::new(Reason::SegmentNotFound, detail));
    }
    send_key(&key, file, request)
}

fn count(hls: &Hls, request: &Request<'_>, response: &Response, end: End) {
    let in_memory = sent_bytes(response);
    let declared = response.headers().get(http::header::CONTENT_LENGTH);
    let declared = declared
        .filter(|_| request.method == Method::GET)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let sent = declared.unwrap_or(in_memory);
    hls.count_sent(sent);
    if let Some(entry) = hls.get(request.target.name()) {
        entry.sessions.sent(request.asker, sent, end);
    }
}

fn plain(answer: &Answer) -> Content {
    Content {
        body: answer.body().into(),
        gzip: Gzip::Never,
        content_type: Container::PLAYLIST_TYPE,
        etag: answer.etag.clone(),
        cache_control: content::NO_CACHE.into(),
    }
}

fn text(answer: &Answer) -> Text {
    Text {
        body: answer.body().joined(),
        etag: answer.etag.as_str().into(),
    }
}

fn linked(text: &Text, query: &Arc<str>) -> Content {
    let linked = links::make(text, query);
    Content {
        body: linked.body.into(),
        gzip: Gzip::Here(linked.gzip.into()),
        content_type: Container::PLAYLIST_TYPE,
        etag: linked.etag,
        cache_control: content::PRIVATE_NO_CACHE.into(),
    }
}

fn not_kept(name: &str, container: Container) -> Problem {
    let container = super::task::container_name(container);
    let detail = format!("{name} is not kept as {container} (hls.dvr_formats)");
    Problem::new(Reason::SegmentNotFound, detail)
}

fn missing(name: &str, live: Live, missing: Missing) -> Problem {
    let shown = |at: WallTime| {
        Timestamp::from_millisecond(at.0)
            .map(|at| format!("{at:.3}"))
            .unwrap_or_default()
    };
    match (missing.kept, live) {
        (Some((from, to)), _) => {
            let (from, to) = (shown(from), shown(to));
            let detail = format!("nothing of {name} is kept there; there is {from} to {to}");
            Problem::new(Reason::SegmentNotFound, detail)
        }
        (None, Live::Running) => {
            let detail = format!("nothing of {name} is kept yet; it has only begun");
            Problem::new(Reason::NotReady, detail).retry_after(1)
        }
        (None, Live::Ended) => {
            let detail = format!("nothing of {name} is kept any more");
            Problem::new(Reason::SegmentNotFound, detail)
        }
    }
}
