//! `Idempotency-Key`: a request that is repeated with the same key gets its first answer again
//! (draft-ietf-httpapi-idempotency-key-header).

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use control::request::{Idempotency, StoredAnswer};
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Content};
use super::ask::Ask;
use super::route::Route;
use crate::error::{Problem, Reason};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
/// Longest key.
const MAX_BYTES: usize = 255;
/// What is given again beside the status and the body.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// The key of a request that has one, where the method takes one.
pub(super) fn key(headers: &HeaderMap, method: &Method) -> Result<Option<String>, Problem> {
    if !matches!(*method, Method::POST | Method::PATCH) {
        return Ok(None);
    }
    let Some(value) = headers.get(KEY) else {
        return Ok(None);
    };
    let is_plain = |text: &&str| {
        (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match value.to_str().ok().filter(is_plain) {
        Some(text) => Ok(Some(text.to_owned())),
        None => {
            let detail = "Idempotency-Key has 1 to 255 visible ASCII characters";
            Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail))
        }
    }
}

/// Runs a request at most once for its key; to its end, also when the client goes away meanwhile.
pub(super) async fn run(route: Arc<Route>, ask: Ask, key: String) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    let running = shared.tracker.spawn(once(route, ask, key));
    running.await.unwrap_or_else(|_| {
        let reason = Reason::Control(control::Reason::OperationInternal);
        Err(Problem::new(reason, "the request ended without an answer"))
    })
}

async fn once(route: Arc<Route>, ask: Ask, key: String) -> Result<Response, Problem> {
    let control = ask.control()?.clone();
    let scope = ask.grant.name().to_owned();
    let taken = control
        .idempotent(scope.clone(), key.clone(), fingerprint(&ask))
        .await;
    match taken.map_err(|error| ask.refused(error))? {
        Idempotency::Replay(stored) => return Ok(again(stored)),
        Idempotency::New => {}
    }
    let stored = match route.run(ask).await {
        Ok(answer) => {
            let stored = to_store(&answer);
            (Ok(answer.into_response()), stored)
        }
        // What was refused changed nothing: the same request may be sent again.
        Err(problem) => (Err(problem), None),
    };
    let (answer, stored) = stored;
    let kept = match stored {
        Some(stored) => control.idempotent_answer(scope, key, stored).await,
        None => control.idempotent_give_up(scope, key).await,
    };
    if let Err(error) = kept {
        tracing::warn!(%error, "the answer of a request with an idempotency key is not kept");
    }
    answer
}

/// What makes two requests the same.
fn fingerprint(ask: &Ask) -> Vec<u8> {
    let mut hash = Sha256::new();
    let target = ask
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    hash.update(target.as_bytes());
    hash.update([0]);
    hash.update(&ask.body);
    hash.finalize().to_vec()
}

fn to_store(answer: &Answer) -> Option<StoredAnswer> {
    let Content::Text(body) = &answer.body else {
        return None;
    };
    let head = KEPT.iter().filter_map(|name| {
        let value = answer.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), Value::from(value)))
    });
    Some(StoredAnswer {
        status: answer.status.as_u16(),
        head: Value::Object(head.collect::<Map<_, _>>()).to_string(),
        body: body.clone().into_bytes(),
    })
}

fn again(stored: StoredAnswer) -> Response {
    let mut answer = Answer::empty();
    answer.status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let head: Map<String, Value> = serde_json::from_str(&stored.head).unwrap_or_default();
    for name in KEPT {
        if let Some(value) = head.get(name.as_str()).and_then(Value::as_str) {
            answer = answer.with(name, value);
        }
    }
    answer.body = Content::Text(String::from_utf8_lossy(&stored.body).into_owned());
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(REPLAY, HeaderValue::from_static("true"));
    response.into_response()
}
