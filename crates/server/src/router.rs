//! Which handler answers what, and what all answers have in common.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{
    ACCEPT, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST,
    HeaderName, ORIGIN, REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version};
use media::StreamName;

use crate::cors::{Cors, MEDIA_METHODS};
use crate::error::{Form, Problem, Reason, accepts_json};
use crate::hls::Asker;
use crate::paths::{self, Readings, Target};
use crate::state::{self, Peer, Shared};
use crate::{api, compat, health, hls, live, metrics, watch};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All routes; what matches none is media, or nothing.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let routes = Router::new()
        .route("/", get(watch::index))
        .route("/console", get(watch::console))
        .route("/watch/{*name}", get(watch::watch))
        .route("/assets/{*path}", get(watch::assets))
        .route("/errors/{reason}", get(watch::reason))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/v1", any(api::dispatch))
        .route("/v1/{*rest}", any(api::dispatch))
        .route("/v3/openim/videorelay", any(compat::videorelay))
        .route("/v4/openim/videorelay", any(compat::videorelay))
        .route("/common_access", any(compat::common_access))
        .route("/openapi.json", get(watch::openapi))
        .route("/docs", get(watch::docs))
        .route("/docs.css", get(watch::docs_style))
        .fallback(media);
    // Around the router as a whole: a layer of its own would be inside of what axum says about
    // methods.
    Router::new()
        .fallback_service(routes.with_state(Arc::clone(shared)))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), frame))
}

/// The parts of the server, which differ in who may ask and how errors look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Area {
    Media,
    Page,
    Watch,
    Api,
    /// The classic faces: they decide for themselves who may ask, in their own words.
    Compat,
    Operation,
}

impl Area {
    fn of(path: &str) -> Self {
        if matches!(
            path,
            "/v3/openim/videorelay" | "/v4/openim/videorelay" | "/common_access"
        ) {
            return Self::Compat;
        }
        let first = path.trim_start_matches('/').split('/').next();
        match first.unwrap_or_default() {
            "v1" => Self::Api,
            "watch" => Self::Watch,
            "" | "console" | "assets" | "errors" | "docs" | "docs.css" | "openapi.json" => {
                Self::Page
            }
            "metrics" | "healthz" | "readyz" => Self::Operation,
            _ => Self::Media,
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::Media => "playback",
            Self::Page | Self::Watch => "pages",
            Self::Api => "api",
            Self::Compat => "compat",
            Self::Operation => "operation",
        }
    }
}

/// The outermost layer: refuses what no handler should see, and finishes every answer.
async fn frame(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let area = Area::of(request.uri().path());
    let origin = request
        .headers()
        .get(ORIGIN)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let form = form(area, request.headers());
    let given_id = request.headers().get(REQUEST_ID).cloned();
    let request_id = || request_id(&shared, given_id.as_ref());
    let is_head = request.method() == Method::HEAD;
    let refused = check(&shared, &request);
    let must_close = refused.is_some();
    let response = match refused {
        Some(problem) => problem.into_response(),
        None if area == Area::Media && request.method() == Method::OPTIONS => preflight(),
        None if area == Area::Api => match api::admit(&shared, &request) {
            Ok(grant) => {
                request.extensions_mut().insert(grant);
                next.run(request).await
            }
            Err(problem) => problem.into_response(),
        },
        None => next.run(request).await,
    };
    // Media that is there needs no id: nothing says it.
    let (mut response, request_id) = match problem_of(response) {
        Ok(response) if area == Area::Api => (response, Some(request_id())),
        Ok(response) => (response, None),
        Err(problem) => {
            let id = request_id();
            (problem.render(form, area.module(), &id), Some(id))
        }
    };
    if is_head && response.status() != StatusCode::NOT_MODIFIED {
        strip_body(&mut response);
    }
    if must_close {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    dress(&shared, area, origin.as_deref(), &mut response);
    if area == Area::Api
        && let Some(Ok(value)) = request_id.as_deref().map(HeaderValue::from_str)
    {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    shared.counters.count_status(response.status().as_u16());
    response
}

/// What is wrong with a request whatever it asks for; the connection is closed after it.
fn check(shared: &Shared, request: &Request) -> Option<Problem> {
    let limits = &shared.config.limits;
    let headers = request.headers();
    let target_len = request
        .uri()
        .path_and_query()
        .map_or(0, |t| t.as_str().len());
    if target_len > limits.target_bytes {
        let detail = format!(
            "the request target has {target_len} bytes, more than {}",
            limits.target_bytes
        );
        return Some(Problem::new(Reason::TargetTooLong, detail));
    }
    // Two lengths are how requests are smuggled past proxies (RFC 9112 section 6.1). hyper drops a
    // Content-Length beside a Transfer-Encoding, so that we cannot see whether there were both:
    // the latter is refused altogether. No route takes a body of unknown length.
    if headers.contains_key(TRANSFER_ENCODING) {
        let detail = "request bodies need a Content-Length here; Transfer-Encoding is not taken";
        return Some(Problem::new(Reason::LengthRequired, detail));
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        let detail = "more than one Content-Length";
        return Some(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
    }
    let body_bytes = request.body().size_hint().lower();
    if body_bytes > limits.body_bytes {
        let detail = format!(
            "the request body has {body_bytes} bytes, more than {}",
            limits.body_bytes
        );
        return Some(Problem::new(Reason::PAYLOAD_TOO_LARGE, detail));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "compressed request bodies are not taken";
        return Some(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
    }
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        let detail = "exactly one Host header is needed (RFC 9112 section 3.2)";
        return Some(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
    }
    None
}

fn form(area: Area, headers: &HeaderMap) -> Form {
    let json = accepts_json(headers);
    match area {
        Area::Api | Area::Compat => Form::Json { pretty: !json },
        _ if json => Form::Json { pretty: false },
        _ => Form::Text,
    }
}

/// The client's id of a request where it can be repeated in a header and a log, or one of ours.
fn request_id(shared: &Shared, given: Option<&HeaderValue>) -> String {
    const MAX_BYTES: usize = 64;
    let given = given.and_then(|value| value.to_str().ok());
    let is_sane = |id: &&str| {
        (1..=MAX_BYTES).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match given.filter(is_sane) {
        Some(id) => id.to_owned(),
        None => shared.next_request_id(),
    }
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Cors::apply_preflight(response.headers_mut());
    response
}

/// Takes out the problem that an answer stands for; what axum refused by itself becomes one.
fn problem_of(mut response: Response) -> Result<Response, Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Err(problem);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers().get(http::header::ALLOW).cloned();
        let allow = allow.unwrap_or_else(|| HeaderValue::from_static("GET, HEAD"));
        let text = allow.to_str().unwrap_or_default().to_owned();
        let problem = Problem::new(Reason::MethodNotAllowed, format!("allowed here: {text}"));
        return Err(problem.with(http::header::ALLOW, allow));
    }
    Ok(response)
}

/// A HEAD answer says how long its body would be and sends none.
fn strip_body(response: &mut Response) {
    let exact = response.body().size_hint().exact();
    if let Some(len) = exact.filter(|len| *len > 0) {
        let headers = response.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert(HeaderValue::from(len));
    }
    *response.body_mut() = Body::empty();
}

/// Headers that belong to an area.
fn dress(shared: &Shared, area: Area, origin: Option<&str>, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = match area {
        Area::Media => {
            shared.cors.apply(origin, headers);
            return;
        }
        Area::Page => watch::content_security_policy("'none'"),
        Area::Watch => {
            let ancestors = watch::frame_ancestors(&shared.config.embed_from);
            watch::content_security_policy(&ancestors)
        }
        Area::Api | Area::Compat | Area::Operation => {
            "default-src 'none'; frame-ancestors 'none'".to_owned()
        }
    };
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// Everything that is played.
async fn media(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let targets = match paths::read(&path) {
        Readings::Some(targets) => targets,
        Readings::NotMedia => return Err(nothing_here()),
        Readings::BadName(error) => {
            let detail = format!("not a stream's name: {error}");
            return Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
        }
    };
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Problem::method_not_allowed(MEDIA_METHODS));
    }
    let Some(first) = targets.first() else {
        return Err(nothing_here());
    };
    let peer = parts.extensions.get::<Peer>().cloned();
    let is_tls = peer.as_ref().is_some_and(|peer| peer.is_tls);
    let no_stream = |target: &Target, headers: &HeaderMap, uri: &Uri| {
        let request = state::Request {
            headers,
            uri,
            is_tls,
        };
        shared.no_stream(target.name(), &request)
    };
    let Some(target) = shared.known(&targets) else {
        return Err(no_stream(first, &parts.headers, &parts.uri));
    };
    match target {
        Target::Flv(_) | Target::Ts(_) => {
            live::serve(&shared, target, &mut parts, peer.as_ref()).await
        }
        _ => {
            let unspecified = ([0, 0, 0, 0], 0).into();
            let user_agent = parts.headers.get(http::header::USER_AGENT);
            let asker = Asker::new(
                state::peer_addr(&parts.extensions).unwrap_or(unspecified),
                user_agent
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default(),
            );
            // Who may watch a ladder may watch its rungs below its name.
            let (asked, target) = match shared.hls.through_ladder(target.name()) {
                Some((ladder, rung)) => (ladder, &target.of(rung)),
                None => (target.name().clone(), target),
            };
            let query = parts.uri.query();
            let entry = admit_to_hls(&shared, target.name(), &asked, &asker, query).await?;
            let (links, is_new) = match entry {
                Entrance::Known => (None, false),
                Entrance::New => (None, true),
                Entrance::ByLink(query) => (Some(query), false),
            };
            let request = hls::Request {
                target,
                method: &parts.method,
                headers: &parts.headers,
                query: parts.uri.query(),
                asker: &asker,
                links: links.as_ref(),
            };
            let answer = hls::serve(&shared.hls, request).await;
            // Who may see a ladder's playlist is asked about each rung, once.
            if is_new && let Some(entry) = shared.hls.get(target.name()) {
                entry.sessions.note_admitted(&asker);
            }
            answer.unwrap_or_else(|| Err(no_stream(target, &parts.headers, &parts.uri)))
        }
    }
}

/// How a viewer of HLS comes in.
enum Entrance {
    /// It was let in at an earlier request.
    Known,
    /// It was let in just now, for all that follows.
    New,
    /// It was let in for this request; links must carry this query.
    ByLink(Arc<str>),
}

/// Asks once per viewer, at its first request, which is the one that carries its key: players do
/// not repeat a playlist's query in what the playlist names. Where links carry what lets in, every
/// request is asked about. `asked` is the name that is meant, `name` that of the stream behind it.
async fn admit_to_hls(
    shared: &Shared,
    name: &StreamName,
    asked: &StreamName,
    asker: &Asker,
    query: Option<&str>,
) -> Result<Entrance, Problem> {
    let known = shared.hls.get(name);
    if known.is_some_and(|entry| entry.sessions.is_admitted(asker)) {
        return Ok(Entrance::Known);
    }
    let links = shared.admit(asked, "hls", Some(asker.peer), query).await?;
    if asked != name
        && let Err(problem) = shared.admit(name, "hls", Some(asker.peer), query).await
    {
        // A rung that is not served, or whose own password stands alone, stays shut. Where the
        // ladder's key let in, the rung's, which is another one, is not asked for.
        if problem.reason == Reason::StreamNotFound || links.is_none() {
            return Err(problem);
        }
    }
    Ok(links.map_or(Entrance::New, Entrance::ByLink))
}

fn nothing_here() -> Problem {
    let detail =
        "nothing is here; streams play at /APP/STREAM.m3u8, .flv, .ts and /watch/APP/STREAM";
    Problem::new(Reason::RouteNotFound, detail)
}

/// Whether the server drains: told by `/readyz`.
pub(crate) fn set_draining(shared: &Shared) {
    shared.draining.store(true, Ordering::Relaxed);
}

/// What a browser or a program prefers, for the API: indented for those who do not say.
pub(crate) fn wants_compact(headers: &HeaderMap) -> bool {
    headers.contains_key(ACCEPT) && accepts_json(headers)
}
