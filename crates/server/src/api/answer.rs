//! What handlers answer.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::error::to_json;

/// An answer that is not an error.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
}

/// The body of an answer.
pub(super) enum Content {
    /// What can be given again, as a repeated request is answered.
    Text(String),
    /// What is sent as it comes.
    Flow(Body),
}

impl Answer {
    pub(super) fn json(status: StatusCode, value: &impl Serialize, pretty: bool) -> Self {
        Self::text(status, "application/json", to_json(value, pretty))
    }

    pub(super) fn text(status: StatusCode, media_type: &'static str, text: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self {
            status,
            headers,
            body: Content::Text(text),
        }
    }

    pub(super) fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: HeaderMap::new(),
            body: Content::Text(String::new()),
        }
    }

    /// With a header; text that no header can hold is left out.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn into_response(self) -> Response {
        let body = match self.body {
            Content::Text(text) => Body::from(text),
            Content::Flow(body) => body,
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        response
    }
}
