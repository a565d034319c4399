//! Error answers: one set of reasons, as text for people and as `application/problem+json`
//! (RFC 9457) for programs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

/// A kind of error that clients can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    RequestUnparsable,
    Unauthenticated,
    PermissionDenied,
    PayloadTooLarge,
    FieldInvalid,
    MethodNotAllowed,
    RouteNotFound,
    TargetTooLong,
    LengthRequired,
    StreamNotFound,
    PublisherNotFound,
    ViewerNotFound,
    ResourceNotFound,
    NoPublicContainer,
    NotReady,
    Overloaded,
    RangeInvalid,
    UpgradeRequired,
}

/// What is said of a reason wherever it occurs.
struct Facts {
    name: &'static str,
    status: StatusCode,
    code: u32,
    title: &'static str,
    retryable: bool,
}

impl Reason {
    const ALL: [Self; 18] = [
        Self::RequestUnparsable,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::PayloadTooLarge,
        Self::FieldInvalid,
        Self::MethodNotAllowed,
        Self::RouteNotFound,
        Self::TargetTooLong,
        Self::LengthRequired,
        Self::StreamNotFound,
        Self::PublisherNotFound,
        Self::ViewerNotFound,
        Self::ResourceNotFound,
        Self::NoPublicContainer,
        Self::NotReady,
        Self::Overloaded,
        Self::RangeInvalid,
        Self::UpgradeRequired,
    ];

    /// Numbers below xx50 are public ones with their public meaning; the others are ours.
    #[rustfmt::skip]
    fn facts(self) -> Facts {
        let (name, status, code, title, retryable) = match self {
            Self::RequestUnparsable => ("REQUEST_UNPARSABLE", 400, 40_000_000, "the request cannot be read", false),
            Self::FieldInvalid => ("FIELD_INVALID", 422, 40_000_050, "a parameter is not valid", false),
            Self::Unauthenticated => ("UNAUTHENTICATED", 401, 40_000_054, "no valid API key", false),
            Self::PermissionDenied => ("PERMISSION_DENIED", 403, 40_000_055, "not allowed from here", false),
            Self::PayloadTooLarge => ("PAYLOAD_TOO_LARGE", 413, 40_000_057, "the request body is too large", false),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, 40_000_059, "the method is not allowed here", false),
            Self::RouteNotFound => ("ROUTE_NOT_FOUND", 404, 40_000_060, "nothing is here", false),
            Self::TargetTooLong => ("TARGET_TOO_LONG", 414, 40_000_061, "the request target is too long", false),
            Self::LengthRequired => ("LENGTH_REQUIRED", 411, 40_000_062, "bodies need a Content-Length", false),
            Self::RangeInvalid => ("RANGE_INVALID", 416, 40_000_063, "no byte of the range exists", false),
            Self::UpgradeRequired => ("UPGRADE_REQUIRED", 426, 40_000_064, "the WebSocket handshake is not version 13", false),
            Self::StreamNotFound => ("STREAM_NOT_FOUND", 404, 40_000_457, "no such stream", true),
            Self::PublisherNotFound => ("PUBLISHER_NOT_FOUND", 404, 40_000_458, "the stream has no publisher", true),
            Self::ViewerNotFound => ("VIEWER_NOT_FOUND", 404, 40_000_459, "the stream has no such viewer", false),
            Self::ResourceNotFound => ("RESOURCE_NOT_FOUND", 404, 40_000_460, "no such segment", false),
            Self::NoPublicContainer => ("NO_CONTAINER", 404, 40_000_461, "HLS cannot carry this stream", false),
            Self::NotReady => ("NOT_READY", 503, 40_000_462, "nothing to play yet", true),
            Self::Overloaded => ("PLANE_OVERLOADED", 503, 40_000_250, "the server is at a limit", true),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Facts { name, status, code, title, retryable }
    }

    /// The page behind a problem's `type`: what the reason means, as text.
    pub(crate) fn describe(name: &str) -> Option<String> {
        let reason = Self::ALL
            .into_iter()
            .find(|reason| reason.facts().name == name)?;
        let facts = reason.facts();
        let again = if facts.retryable {
            "may help"
        } else {
            "does not help"
        };
        Some(format!(
            "{}: {}\nstatus {}, code {}; trying the same again {again}\n",
            facts.name,
            facts.title,
            facts.status.as_u16(),
            facts.code
        ))
    }
}

/// One error answer.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) reason: Reason,
    /// What is wrong and what to do, one line, with values.
    pub(crate) detail: String,
    /// A header that belongs to the status.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

/// The body of an error answer of the API.
#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    status: u16,
    code: u32,
    reason: &'a str,
    module: &'a str,
    title: &'a str,
    detail: &'a str,
    retryable: bool,
    request_id: &'a str,
}

/// How an error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// Indented for people, or on one line.
    Json {
        pretty: bool,
    },
}

impl Problem {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            header: None,
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(Reason::MethodNotAllowed, format!("allowed here: {allow}"))
            .with(ALLOW, HeaderValue::from_static(allow))
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn render(self, form: Form, module: &str, request_id: &str) -> Response {
        let facts = self.reason.facts();
        let (content_type, body) = match form {
            Form::Text => ("text/plain; charset=utf-8", format!("{}\n", self.detail)),
            Form::Json { pretty } => {
                let wire = Wire {
                    r#type: format!("/errors/{}", facts.name),
                    status: facts.status.as_u16(),
                    code: facts.code,
                    reason: facts.name,
                    module,
                    title: facts.title,
                    detail: &self.detail,
                    retryable: facts.retryable,
                    request_id,
                };
                ("application/problem+json", to_json(&wire, pretty))
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = facts.status;
        let headers = response.headers_mut();
        headers.extend(self.header);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl IntoResponse for Problem {
    /// Travels as an extension: the outermost layer renders it, knowing what the client accepts.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.reason.facts().status;
        response.extensions_mut().insert(self);
        response
    }
}

/// JSON with a newline at its end.
pub(crate) fn to_json(value: &impl Serialize, pretty: bool) -> String {
    let text = if pretty {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    // Our wire structs have string keys and finite numbers only, so this cannot fail.
    let mut text = text.unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

/// Whether a client asked for JSON by name.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    headers.get_all(http::header::ACCEPT).iter().any(|value| {
        value.as_bytes().split(|&byte| byte == b',').any(|range| {
            let range = range.split(|&byte| byte == b';').next().unwrap_or_default();
            let range = range.trim_ascii();
            range.eq_ignore_ascii_case(b"application/json")
                || range.eq_ignore_ascii_case(b"application/problem+json")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_name_and_code() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|r| r.facts().name).collect();
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.facts().code).collect();
        names.sort_unstable();
        names.dedup();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!((names.len(), codes.len()), (18, 18));
        assert!(names.iter().all(|name| Reason::describe(name).is_some()));
        assert_eq!(Reason::describe("NONE"), None);
    }

    #[test]
    fn json_is_asked_for_by_name_only() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::ACCEPT, HeaderValue::from_static(value));
            accepts_json(&headers)
        };
        assert!(accepts("text/html, Application/JSON;q=0.5"));
        assert!(accepts("application/problem+json"));
        assert!(!accepts("*/*"));
        assert!(!accepts("application/*, text/plain"));
    }
}
