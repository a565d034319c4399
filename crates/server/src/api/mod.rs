//! `/v1`: what streams there are, who publishes and watches them, and sending either away.
//!
//! ```text
//! GET    /v1/streams                                  all streams, in pages
//! GET    /v1/streams/{app}/{stream}                   one stream
//! DELETE /v1/streams/{app}/{stream}/publisher         its publisher is sent away: 204
//! DELETE /v1/streams/{app}/{stream}/viewers/{id}      a viewer is sent away: 204
//! ```
//!
//! Methods tell paths apart: a GET names a stream to its end, so that a stream may be called
//! `publisher`; a DELETE always has one of the two endings. The slashes of a name may be written
//! as they are or as `%2F`.

mod access;
mod publisher;
mod stream;
mod streams;
mod viewer;
mod wire;

pub use access::{FixedKeys, Keys, OpenMode};
pub use wire::{PushTarget, Recording};

pub(crate) use access::{admit, is_operator};

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hub::Stream;
use media::StreamName;
use serde::Serialize;

use crate::error::{Problem, Reason, to_json};
use crate::router::wants_compact;
use crate::state::{self, Peer, Shared};

/// Tells where streams are pushed to. Must not block.
pub trait PushTargets: Send + Sync + 'static {
    /// The targets of one stream.
    fn of(&self, stream: &StreamName) -> Vec<PushTarget>;
}

/// Tells what is recorded. Must not block.
pub trait Recordings: Send + Sync + 'static {
    /// The recordings of one stream that have not ended.
    fn of(&self, stream: &StreamName) -> Vec<Recording>;

    /// How many recordings are in each state, by its word.
    fn states(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Counters since the start: name and unit, a sentence, the count.
    fn totals(&self) -> Vec<(&'static str, &'static str, u64)> {
        Vec::new()
    }
}

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/streams", get(streams::list))
        .route("/v1/streams/{*rest}", get(stream::show).delete(delete))
}

async fn delete(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, Problem> {
    let rest = rest(&request);
    if let Some(name) = rest.strip_suffix("/publisher") {
        let stream = find(&shared, name, &request)?;
        return publisher::remove(&stream);
    }
    if let Some((name, id)) = rest.rsplit_once("/viewers/") {
        let stream = find(&shared, name, &request)?;
        return viewer::remove(&stream, id);
    }
    Err(Problem::method_not_allowed("GET, HEAD"))
}

/// What follows `/v1/streams/`, with slashes as slashes.
fn rest(request: &Request) -> String {
    let path = request.uri().path();
    let rest = path.strip_prefix("/v1/streams/").unwrap_or_default();
    rest.replace("%2F", "/").replace("%2f", "/")
}

/// The stream of a name as it is written in a path.
fn find(shared: &Shared, name: &str, request: &Request) -> Result<Arc<Stream>, Problem> {
    let name = StreamName::from_path(name).map_err(|error| {
        let detail = format!("not a stream's name: {error}");
        Problem::new(Reason::RequestUnparsable, detail)
    })?;
    shared
        .hub
        .stream(&name)
        .ok_or_else(|| shared.no_stream(&name, &asked(request)))
}

/// The parts of a request that decide about URLs.
fn asked(request: &Request) -> state::Request<'_> {
    let peer = request.extensions().get::<Peer>();
    state::Request {
        headers: request.headers(),
        uri: request.uri(),
        is_tls: peer.is_some_and(|peer| peer.is_tls),
    }
}

fn json(value: &impl Serialize, headers: &HeaderMap) -> Response {
    let mut response = Response::new(to_json(value, !wants_compact(headers)).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn no_content() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
