//! Answers to requests for playlists and segments.

use std::sync::Arc;

use axum::response::Response;
use hls::{Container, Feed, Key, PlaylistName, Playlists, Rendition, Standing};
use http::{HeaderMap, Method};

use super::blocking::SoFar;
use super::catch_up;
use super::entry::{Entry, Playlist, Snapshot};
use super::registry::Hls;
use super::sessions::{Asker, End, viewed};
use super::task::{feed_name, first_deadline};
use super::{blocking, links};
use crate::content::{self, Content, Gzip};
use crate::error::{Problem, Reason};
use crate::paths::Target;

/// A request for HLS.
pub(crate) struct Request<'a> {
    pub(crate) target: &'a Target,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Option<&'a str>,
    pub(crate) asker: &'a Asker,
    /// What the links of playlists must carry for what they lead to.
    pub(crate) links: Option<&'a Arc<str>>,
}

/// Answers a request for a playlist or a segment; `None` when the stream is unknown.
pub(crate) async fn serve(hls: &Hls, request: Request<'_>) -> Option<Result<Response, Problem>> {
    let name = request.target.name();
    if !hls.config().enabled {
        let known = hls.knows(name);
        let detail =
            format!("HLS is switched off here (hls.enabled); {name} plays over RTMP and FLV");
        return known.then(|| Err(Problem::new(Reason::NoPublicContainer, detail)));
    }
    if let Some(answer) = catch_up::playlist(hls, &request) {
        return Some(answer);
    }
    match request.target {
        Target::Multivariant(_, container) if hls.is_ladder(name) => {
            ladder(hls, *container, &request).await
        }
        Target::Multivariant(_, container) => {
            let entry = hls.open(name)?;
            let which = Playlist::Multivariant(*container);
            Some(playlist(hls, &entry, which, &request).await)
        }
        Target::Playlist(_, file) => {
            let entry = hls.open(name)?;
            Some(playlist(hls, &entry, Playlist::Named(*file), &request).await)
        }
        Target::Resource(_, file) => {
            if !hls.knows(name) {
                return None;
            }
            Some(resource(hls, file, &request).await)
        }
        Target::Flv(_) | Target::Ts(_) => None,
    }
}

async fn playlist(
    hls: &Hls,
    entry: &Arc<Entry>,
    asked_for: Playlist,
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let feed = asked_for.feed();
    let (mut snapshot, mut playlists) = ready(hls, entry, feed).await?;
    let mut which = asked_for;
    let mut cache_control = content::NO_CACHE.into();
    // The multivariant playlist alone is a look, not a viewer.
    if matches!(which, Playlist::Named(_)) {
        admit(entry, request)?;
    }
    if matches!(which, Playlist::Named(PlaylistName::Media(_))) {
        let asked = blocking::directives(&snapshot, feed, request.query)?;
        if let Some(until) = asked.until {
            snapshot = blocking::playlist(hls, entry, feed, until).await?;
            // What a later run or a changed stream has to offer instead.
            (snapshot, playlists) = match of(&snapshot, feed) {
                Some(playlists) => (snapshot, playlists),
                None => ready(hls, entry, feed).await?,
            };
            cache_control = blocking::cache_control(&snapshot);
        }
        if let Some(skip) = asked.skip.filter(|skip| playlists.delta(*skip).is_some()) {
            which = Playlist::Delta(feed, skip);
        }
    }
    let text = match which {
        Playlist::Multivariant(_) => playlists.multivariant.as_ref(),
        Playlist::Named(PlaylistName::IFrames(_)) => playlists.iframes.as_ref(),
        Playlist::Delta(_, skip) => playlists.delta(skip),
        Playlist::Named(_) => Some(&playlists.media),
    };
    let Some(text) = text else {
        let detail = format!(
            "{} has no pictures, or its segments are encrypted as a whole (aes-128)",
            entry.name
        );
        return Err(Problem::new(Reason::NoPublicContainer, detail));
    };
    let content = match request.links {
        None => Content {
            body: text.body.clone().into(),
            gzip: Gzip::Here(if content::accepts_gzip(request.headers) {
                snapshot.gzip(which, text).into()
            } else {
                bytes::Bytes::new().into()
            }),
            content_type: Container::PLAYLIST_TYPE,
            etag: text.etag.to_string(),
            cache_control,
        },
        Some(query) => {
            let linked = snapshot.linked.get(which, text, query);
            Content {
                body: linked.body.into(),
                gzip: Gzip::Here(linked.gzip.into()),
                content_type: Container::PLAYLIST_TYPE,
                etag: linked.etag,
                cache_control: content::PRIVATE_NO_CACHE.into(),
            }
        }
    };
    let response = content::send(&content, request.method, request.headers)?;
    let ended = snapshot.current.as_ref().is_some_and(|p| p.ended());
    let is_media = !matches!(which, Playlist::Multivariant(_));
    let end = if ended && is_media && request.method == Method::GET {
        End::Told
    } else {
        End::NotYet
    };
    let sent = sent_bytes(&response);
    hls.count_sent(sent);
    entry.sessions.sent(request.asker, sent, end);
    Ok(response)
}

/// The playlist of a ladder: of the rungs that are there and in step with each other.
async fn ladder(
    hls: &Hls,
    container: Container,
    request: &Request<'_>,
) -> Option<Result<Response, Problem>> {
    let name = request.target.name();
    let shared = hls.ladders().shared(name)?;
    let rungs = hls.ladders().rungs_of(name)?;
    let opened: Vec<_> = rungs.iter().map(|rung| hls.open(rung)).collect();
    // All begin before one is waited for.
    opened
        .iter()
        .flatten()
        .for_each(|entry| entry.want(container));
    let deadline = first_deadline(hls.config());
    let (mut playlists, mut reasons) = (Vec::new(), Vec::new());
    loop {
        let mut joining = None;
        for (index, entry) in opened.iter().enumerate() {
            let Some(entry) = entry else { continue };
            let versions = entry.versions();
            let found = ready(hls, entry, container.into());
            let found = tokio::time::timeout_at(deadline, found).await;
            let reason = match (found, shared.standing(index)) {
                (Ok(Ok((_, found))), Standing::Aligned) => {
                    playlists.push(found);
                    continue;
                }
                (Ok(Ok(_)), Standing::Refused(why)) => format!("{}: {why}", entry.name),
                (Ok(Err(problem)), _) => problem.detail.clone(),
                (Ok(Ok(_)) | Err(_), _) => {
                    joining = Some(versions);
                    format!("{}: no segment in step with the others", entry.name)
                }
            };
            reasons.push(reason);
        }
        // Streams that were played before they were joined need a key frame for it.
        let Some(mut joining) = joining.filter(|_| playlists.is_empty()) else {
            break;
        };
        let Ok(_place) = hls.waiting().try_acquire() else {
            break;
        };
        // Cancel safe.
        let changed = tokio::time::timeout_at(deadline, joining.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            break;
        }
        reasons.clear();
    }
    if playlists.is_empty() && reasons.is_empty() {
        return None;
    }
    let rungs: Vec<&Playlists> = playlists.iter().map(|rung| &**rung).collect();
    let Some(text) = hls::ladder_playlist(container, name.stream(), &rungs) else {
        let detail = format!(
            "nothing of {name} can be played yet; {}",
            reasons.join("; ")
        );
        return Some(Err(Problem::new(Reason::NotReady, detail).retry_after(1)));
    };
    let (body, etag, cache_control) = match request.links {
        None => (text.body, text.etag.to_string(), content::NO_CACHE),
        Some(query) => {
            let (body, etag) = links::linked(&text, query);
            (body, etag, content::PRIVATE_NO_CACHE)
        }
    };
    let gzip = match content::accepts_gzip(request.headers) {
        true => content::compress(&body),
        false => bytes::Bytes::new(),
    };
    let content = Content {
        body: body.into(),
        gzip: Gzip::Here(gzip.into()),
        content_type: Container::PLAYLIST_TYPE,
        etag,
        cache_control: cache_control.into(),
    };
    let response = content::send(&content, request.method, request.headers);
    if let Ok(response) = &response {
        hls.count_sent(sent_bytes(response));
    }
    Some(response)
}

async fn resource(hls: &Hls, file: &str, request: &Request<'_>) -> Result<Response, Problem> {
    let name = request.target.name();
    let missing = || {
        let detail =
            format!("{name} has no segment {file}: it has left the playlist, or never was");
        Problem::new(Reason::SegmentNotFound, detail)
    };
    let entry = hls.get(name).inspect(|entry| entry.touch());
    let snapshot = entry.as_ref().and_then(|entry| entry.snapshot());
    let (Some(entry), Some(snapshot)) = (entry, snapshot) else {
        let kept = catch_up::resource(hls, file, request).await;
        return kept.unwrap_or_else(|| Err(missing()));
    };
    if let Some(key) = snapshot.key(file) {
        admit(&entry, request)?;
        return send_key(&key, file, request);
    }
    let found = match snapshot.resource(file) {
        Some(found) => found,
        // Announced: it is waited for.
        None if snapshot.is_hinted(file) => {
            admit(&entry, request)?;
            match ahead(hls, &entry, file, request)
                .await?
                .ok_or_else(missing)?
            {
                Ahead::Whole(found) => found,
                Ahead::Range(response) => {
                    let sent = sent_bytes(&response);
                    hls.count_sent(sent);
                    entry.sessions.sent(request.asker, sent, End::NotYet);
                    return Ok(response);
                }
            }
        }
        None => {
            let kept = catch_up::resource(hls, file, request).await;
            return kept.unwrap_or_else(|| Err(missing()));
        }
    };
    admit(&entry, request)?;
    let content = Content {
        body: found.body.into(),
        gzip: Gzip::Never,
        content_type: found.content_type,
        etag: found.etag.into(),
        cache_control: match request.links {
            None => content::IMMUTABLE.into(),
            Some(_) => content::PRIVATE_IMMUTABLE.into(),
        },
    };
    let response = content::send(&content, request.method, request.headers)?;
    let sent = sent_bytes(&response);
    hls.count_sent(sent);
    entry.sessions.sent(request.asker, sent, End::NotYet);
    Ok(response)
}

/// What was announced, when it is there.
enum Ahead {
    Whole(hls::Resource),
    /// Bytes of a segment that grows still.
    Range(Response),
}

/// Waits for what a playlist announces: a part, or a range of a segment that is being made.
async fn ahead(
    hls: &Hls,
    entry: &Entry,
    file: &str,
    request: &Request<'_>,
) -> Result<Option<Ahead>, Problem> {
    let range = content::range_ahead(request.headers, &format!("\"{file}\""));
    let Some((first, last)) = range.filter(|_| request.method == Method::GET) else {
        let whole = blocking::part(hls, entry, file).await?;
        return Ok(whole.map(Ahead::Whole));
    };
    let found = match blocking::growing(hls, entry, file, first).await? {
        Some(SoFar::Begins(found)) => found,
        Some(SoFar::Whole(found)) => return Ok(Some(Ahead::Whole(found))),
        None => return Ok(None),
    };
    let there = found.body.len() - 1;
    let is_all = last.is_some_and(|last| last <= there);
    let content = Content {
        body: found.body.into(),
        gzip: Gzip::Never,
        content_type: found.content_type,
        etag: found.etag.into(),
        // Less than was asked for: the same request will have another answer.
        cache_control: match (is_all, request.links) {
            (false, _) => content::NO_STORE.into(),
            (true, None) => content::IMMUTABLE.into(),
            (true, Some(_)) => content::PRIVATE_IMMUTABLE.into(),
        },
    };
    let last = last.unwrap_or(there).min(there);
    Ok(Some(Ahead::Range(content::send_so_far(
        &content, first, last,
    ))))
}

/// A key: for this viewer, and for nobody's cache.
pub(super) fn send_key(key: &Key, file: &str, request: &Request<'_>) -> Result<Response, Problem> {
    let body = bytes::Bytes::copy_from_slice(&key.bytes());
    let content = Content {
        body: body.into(),
        gzip: Gzip::Never,
        content_type: "application/octet-stream",
        etag: format!("\"{file}\""),
        cache_control: content::NO_STORE.into(),
    };
    content::send(&content, request.method, request.headers)
}

/// Counts the viewer, or turns it away when an operator has.
pub(super) fn admit(entry: &Entry, request: &Request<'_>) -> Result<(), Problem> {
    let Some(stream) = viewed(entry) else {
        return Ok(());
    };
    entry
        .sessions
        .touch(&stream, request.asker)
        .map_err(|reason| Problem::new(Reason::PERMISSION_DENIED, format!("sent away: {reason}")))
}

/// The playlists of a feed, as soon as there is a segment; at once when there is one.
async fn ready(
    hls: &Hls,
    entry: &Arc<Entry>,
    feed: Feed,
) -> Result<(Arc<Snapshot>, Arc<Playlists>), Problem> {
    // Subscribed before the first look, so that no change is missed.
    let mut versions = entry.versions();
    let deadline = first_deadline(hls.config());
    let mut waiting = None;
    loop {
        versions.borrow_and_update();
        entry.want(feed);
        match look(entry, feed) {
            Look::Ready(snapshot, playlists) => return Ok((snapshot, playlists)),
            Look::Refused(problem) => return Err(problem),
            Look::Wait => {}
        }
        if waiting.is_none() {
            let permit = hls.waiting().try_acquire().map_err(|_| {
                Problem::new(
                    Reason::OVERLOADED,
                    "too many requests wait for a first segment",
                )
                .retry_after(1)
            })?;
            waiting = Some(permit);
        }
        // Both are cancel safe; a client that leaves drops this future, and with it its permit.
        let changed = tokio::time::timeout_at(deadline, versions.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            let detail = format!(
                "HLS of {} has no segment yet; the stream has sent no key frame, or has only begun",
                entry.name
            );
            return Err(Problem::new(Reason::NotReady, detail).retry_after(1));
        }
    }
}

/// The playlists that a snapshot has for this feed.
fn of(snapshot: &Snapshot, feed: Feed) -> Option<Arc<Playlists>> {
    match snapshot.current.as_ref()?.rendition(feed) {
        Rendition::Ready(playlists) => Some(Arc::clone(playlists)),
        _ => None,
    }
}

/// Why nothing new is listed, where a key is missing: what is not encrypted is not served.
pub(super) fn locked(entry: &Entry) -> Option<Problem> {
    let why = entry.key_trouble()?;
    let detail = format!(
        "HLS of {} is encrypted and has no key for what comes next: {why}",
        entry.name
    );
    Some(Problem::new(Reason::NotReady, detail).retry_after(1))
}

enum Look {
    Ready(Arc<Snapshot>, Arc<Playlists>),
    Refused(Problem),
    Wait,
}

fn look(entry: &Arc<Entry>, feed: Feed) -> Look {
    if let Some(problem) = locked(entry) {
        return Look::Refused(problem);
    }
    let ended = |ended: bool| {
        if ended || !entry.is_running() {
            let detail = format!(
                "HLS ({}) of {} ended before its first segment",
                feed_name(feed),
                entry.name
            );
            return Look::Refused(Problem::new(Reason::NoPublicContainer, detail));
        }
        Look::Wait
    };
    let Some(snapshot) = entry.snapshot() else {
        return ended(false);
    };
    let Some(current) = &snapshot.current else {
        return ended(false);
    };
    match current.rendition(feed) {
        Rendition::Ready(playlists) => {
            let playlists = Arc::clone(playlists);
            Look::Ready(snapshot, playlists)
        }
        Rendition::Refused(reason) => {
            let detail = format!(
                "HLS ({}) cannot carry {}: {reason}",
                feed_name(feed),
                entry.name
            );
            Look::Refused(Problem::new(Reason::NoPublicContainer, detail))
        }
        _ => ended(current.ended()),
    }
}

/// Bytes of a body that is in memory.
pub(super) fn sent_bytes(response: &Response) -> usize {
    use axum::body::HttpBody;
    let exact = response.body().size_hint().exact().unwrap_or(0);
    usize::try_from(exact).unwrap_or(usize::MAX)
}
