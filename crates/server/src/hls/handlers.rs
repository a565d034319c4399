//! Answers to requests for playlists and segments.

use std::sync::Arc;

use axum::response::Response;
use hls::{Container, Key, Playlists, Rendition};
use http::{HeaderMap, Method};

use super::blocking;
use super::catch_up;
use super::entry::{Entry, PlaylistKind, Snapshot};
use super::registry::Hls;
use super::sessions::{Asker, End, viewed};
use super::task::{container_name, first_deadline};
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
        Target::Multivariant(_, container) => {
            let entry = hls.open(name)?;
            Some(
                playlist(
                    hls,
                    &entry,
                    *container,
                    PlaylistKind::Multivariant,
                    &request,
                )
                .await,
            )
        }
        Target::Playlist(_, container) => {
            let entry = hls.open(name)?;
            Some(playlist(hls, &entry, *container, PlaylistKind::Media, &request).await)
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
    container: Container,
    kind: PlaylistKind,
    request: &Request<'_>,
) -> Result<Response, Problem> {
    let (mut snapshot, mut playlists) = ready(hls, entry, container).await?;
    let mut kind = kind;
    let mut cache_control = content::NO_CACHE.into();
    // The multivariant playlist alone is a look, not a viewer.
    if kind == PlaylistKind::Media {
        admit(entry, request)?;
        let asked = blocking::directives(&snapshot, container, request.query)?;
        if let Some(until) = asked.until {
            snapshot = blocking::playlist(hls, entry, container, until).await?;
            // What a later run or a changed stream has to offer instead.
            (snapshot, playlists) = match of(&snapshot, container) {
                Some(playlists) => (snapshot, playlists),
                None => ready(hls, entry, container).await?,
            };
            cache_control = blocking::cache_control(&snapshot);
        }
        if asked.skip && playlists.delta.is_some() {
            kind = PlaylistKind::Delta;
        }
    }
    let text = match (kind, &playlists.delta) {
        (PlaylistKind::Multivariant, _) => &playlists.multivariant,
        (PlaylistKind::Delta, Some(delta)) => delta,
        (PlaylistKind::Media | PlaylistKind::Delta, _) => &playlists.media,
    };
    let content = match request.links {
        None => Content {
            body: text.body.clone().into(),
            gzip: Gzip::Here(if content::accepts_gzip(request.headers) {
                snapshot.gzip(container, kind, text).into()
            } else {
                bytes::Bytes::new().into()
            }),
            content_type: Container::PLAYLIST_TYPE,
            etag: text.etag.to_string(),
            cache_control,
        },
        Some(query) => {
            let linked = snapshot.linked.get(container, kind, text, query);
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
    let end = if ended && kind != PlaylistKind::Multivariant && request.method == Method::GET {
        End::Told
    } else {
        End::NotYet
    };
    let sent = sent_bytes(&response);
    hls.count_sent(sent);
    entry.sessions.sent(request.asker, sent, end);
    Ok(response)
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
            let part = blocking::part(hls, &entry, file).await?;
            part.ok_or_else(missing)?
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

/// The playlists of a container, as soon as there is a segment; at once when there is one.
async fn ready(
    hls: &Hls,
    entry: &Arc<Entry>,
    container: Container,
) -> Result<(Arc<Snapshot>, Arc<Playlists>), Problem> {
    // Subscribed before the first look, so that no change is missed.
    let mut versions = entry.versions();
    let deadline = first_deadline(hls.config());
    let mut waiting = None;
    loop {
        versions.borrow_and_update();
        entry.want(container);
        match look(entry, container) {
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

/// The playlists that a snapshot has for this container.
fn of(snapshot: &Snapshot, container: Container) -> Option<Arc<Playlists>> {
    match snapshot.current.as_ref()?.rendition(container) {
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

fn look(entry: &Arc<Entry>, container: Container) -> Look {
    if let Some(problem) = locked(entry) {
        return Look::Refused(problem);
    }
    let ended = |ended: bool| {
        if ended || !entry.is_running() {
            let detail = format!(
                "HLS ({}) of {} ended before its first segment",
                container_name(container),
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
    match current.rendition(container) {
        Rendition::Ready(playlists) => {
            let playlists = Arc::clone(playlists);
            Look::Ready(snapshot, playlists)
        }
        Rendition::Refused(reason) => {
            let detail = format!(
                "HLS ({}) cannot carry {}: {reason}",
                container_name(container),
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
