//! From a request to the handler of its route.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::access::{Grant, check_scope};
use super::ask::Ask;
use super::idempotency;
use super::input::decoded;
use super::rate::Rate;
use crate::error::{FieldError, Problem, Reason};
use crate::state::{self, Shared};

/// Answers a request to `/v1` that was let through.
pub(crate) async fn dispatch(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let grant = request.extensions().get::<Grant>().cloned();
    // The outermost layer lets nothing through without one.
    let Some(grant) = grant else {
        let detail = "nobody was let through";
        return Problem::new(Reason::PERMISSION_DENIED, detail).into_response();
    };
    let now = tokio::time::Instant::now().into_std();
    let rate = shared.rates.take(grant.name(), now);
    let answered = if rate.is_some_and(|rate| rate.is_exceeded) {
        let detail = format!(
            "more than {} requests a second by \"{}\"",
            shared.config.limits.api_rate,
            grant.name()
        );
        Err(Problem::new(Reason::RATE_LIMITED, detail).retry_after(1))
    } else {
        answer(&shared, grant, request).await
    };
    let figures = rate.map(told).unwrap_or_default();
    match answered {
        Ok(mut response) => {
            response.headers_mut().extend(figures);
            response
        }
        Err(mut problem) => {
            problem.headers.extend(figures);
            problem.into_response()
        }
    }
}

async fn answer(shared: &Arc<Shared>, grant: Grant, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path().to_owned();
    let (route, parameters) = shared.table.find(request.method(), &path)?;
    check_scope(&grant, route.scope)?;
    let mut decoded_parameters = Vec::with_capacity(parameters.len());
    for (name, text) in parameters {
        // A stream's name decodes itself, once and by its own rules.
        let text = if name == "stream" {
            text.replace("%2F", "/").replace("%2f", "/")
        } else {
            decoded(text, false).ok_or_else(|| {
                let detail = format!("{name} is not percent-encoded UTF-8");
                Problem::new(Reason::REQUEST_UNPARSABLE, detail)
            })?
        };
        decoded_parameters.push((name, text));
    }
    if route.query.is_empty() {
        no_query(request.uri().query().unwrap_or_default())?;
    }
    let is_tls = state::Request::of(&request).is_tls;
    let (parts, body) = request.into_parts();
    let body = if route.body.is_some() {
        read(shared, body).await?
    } else {
        Bytes::new()
    };
    let ask = Ask {
        shared: Arc::clone(shared),
        uri: parts.uri,
        headers: parts.headers,
        is_tls,
        grant,
        parameters: decoded_parameters,
        body,
    };
    match idempotency::key(&ask.headers, &route.method)? {
        Some(key) => idempotency::run(Arc::clone(route), ask, key).await,
        None => Ok(route.run(ask).await?.into_response()),
    }
}

/// The body, bounded in bytes and time.
pub(crate) async fn read(shared: &Shared, body: axum::body::Body) -> Result<Bytes, Problem> {
    let limits = &shared.config.limits;
    let most = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
    let reading = tokio::time::timeout(limits.body_time, axum::body::to_bytes(body, most));
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let detail = "the request body broke off";
            Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail))
        }
        Err(_) => {
            let detail = format!("the request body took more than {:?}", limits.body_time);
            Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail))
        }
    }
}

fn no_query(query: &str) -> Result<(), Problem> {
    let names = query.split('&').filter(|pair| !pair.is_empty());
    let errors: Vec<FieldError> = names
        .take(20)
        .map(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            let shown: String = name.chars().take(64).collect();
            FieldError::parameter(shown, "is not known; this route takes no parameters")
        })
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Problem::fields(errors))
    }
}

fn told(rate: Rate) -> Vec<(HeaderName, HeaderValue)> {
    let figures = [
        ("ratelimit-limit", u64::from(rate.limit)),
        ("ratelimit-remaining", u64::from(rate.remaining)),
        ("ratelimit-reset", rate.reset_s),
    ];
    let headers = figures.into_iter();
    headers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)))
        .collect()
}
