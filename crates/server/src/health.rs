//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::error::{accepts_json, to_json};
use crate::state::Shared;

/// How the rest of the process is. Must not block.
pub trait Health: Send + Sync + 'static {
    /// What does not work any more, so that only a restart helps (a worker that no longer ticks);
    /// empty when all is well.
    fn dead(&self) -> Vec<String> {
        Vec::new()
    }

    /// The threads that serve viewers, in order; empty when there are none.
    fn workers(&self) -> Vec<Worker> {
        Vec::new()
    }

    /// What is not there yet, or no longer: a listener, the store, disk space; empty when ready.
    fn missing(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A thread that serves viewers.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// Viewers that it has.
    pub viewers: usize,
    /// How long one pass over all of them takes at present.
    pub pass: Duration,
}

#[derive(Serialize)]
struct Wire<'a> {
    status: &'a str,
    missing: &'a [String],
}

/// 200 while the process works.
pub(crate) async fn healthz(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    answer("ok", "unhealthy", &shared.health.dead(), &headers)
}

/// 200 while new work may come.
pub(crate) async fn readyz(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let mut missing = shared.health.missing();
    if shared.draining.load(Ordering::Relaxed) {
        missing.push("draining".to_owned());
    }
    answer("ready", "not ready", &missing, &headers)
}

fn answer(good: &str, bad: &str, missing: &[String], headers: &HeaderMap) -> Response {
    let (code, status) = if missing.is_empty() {
        (StatusCode::OK, good)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, bad)
    };
    let (content_type, body) = if accepts_json(headers) {
        let wire = Wire { status, missing };
        ("application/json", to_json(&wire, false))
    } else {
        let mut text = format!("{status}\n");
        for item in missing {
            text.push_str(&format!("- {item}\n"));
        }
        ("text/plain; charset=utf-8", text)
    };
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")];
    (code, headers, body).into_response()
}
