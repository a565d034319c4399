//! Error answers: one set of reasons, as text for people and as `application/problem+json`
//! (RFC 9457) for programs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

/// A kind of error that clients can tell apart: those of the control plane's table, and those that
/// only a server of HTTP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Control(control::Reason),
    MethodNotAllowed,
    RouteNotFound,
    TargetTooLong,
    LengthRequired,
    StreamNotFound,
    PublisherNotFound,
    ViewerNotFound,
    SegmentNotFound,
    NoPublicContainer,
    NotReady,
    PictureNotFound,
    ConfigurationInvalid,
    RangeInvalid,
    UpgradeRequired,
}

/// What is said of a reason wherever it occurs.
struct Facts {
    name: &'static str,
    status: StatusCode,
    code: u32,
    /// Its number on the compatible faces, where that is another one.
    compat_code: Option<u32>,
    module: Option<&'static str>,
    title: &'static str,
    retryable: bool,
}

impl Reason {
    pub(crate) const REQUEST_UNPARSABLE: Self = Self::Control(control::Reason::RequestUnparsable);
    pub(crate) const BODY_MISSING: Self = Self::Control(control::Reason::BodyMissing);
    pub(crate) const FIELD_INVALID: Self = Self::Control(control::Reason::FieldInvalid);
    pub(crate) const UNAUTHENTICATED: Self = Self::Control(control::Reason::Unauthenticated);
    pub(crate) const PERMISSION_DENIED: Self = Self::Control(control::Reason::PermissionDenied);
    pub(crate) const PAYLOAD_TOO_LARGE: Self = Self::Control(control::Reason::PayloadTooLarge);
    pub(crate) const RATE_LIMITED: Self = Self::Control(control::Reason::RateLimited);
    pub(crate) const OVERLOADED: Self = Self::Control(control::Reason::PlaneOverloaded);

    const OWN: [Self; 14] = [
        Self::MethodNotAllowed,
        Self::RouteNotFound,
        Self::TargetTooLong,
        Self::LengthRequired,
        Self::StreamNotFound,
        Self::PublisherNotFound,
        Self::ViewerNotFound,
        Self::SegmentNotFound,
        Self::NoPublicContainer,
        Self::NotReady,
        Self::PictureNotFound,
        Self::ConfigurationInvalid,
        Self::RangeInvalid,
        Self::UpgradeRequired,
    ];

    fn all() -> impl Iterator<Item = Self> {
        let table = control::Reason::ALL.iter().copied().map(Self::Control);
        table.chain(Self::OWN)
    }

    #[rustfmt::skip]
    fn facts(self) -> Facts {
        let (name, status, code, title, retryable) = match self {
            Self::Control(reason) => return Self::control_facts(reason),
            Self::MethodNotAllowed => ("METHOD_NOT_ALLOWED", 405, 40_000_065, "the method is not allowed here", false),
            Self::RouteNotFound => ("ROUTE_NOT_FOUND", 404, 40_000_060, "nothing is here", false),
            Self::TargetTooLong => ("TARGET_TOO_LONG", 414, 40_000_061, "the request target is too long", false),
            Self::LengthRequired => ("LENGTH_REQUIRED", 411, 40_000_062, "bodies need a Content-Length", false),
            Self::RangeInvalid => ("RANGE_INVALID", 416, 40_000_063, "no byte of the range exists", false),
            Self::UpgradeRequired => ("UPGRADE_REQUIRED", 426, 40_000_064, "the WebSocket handshake is not version 13", false),
            Self::StreamNotFound => ("STREAM_NOT_FOUND", 404, 40_000_457, "no such stream", true),
            Self::PublisherNotFound => ("PUBLISHER_NOT_FOUND", 404, 40_000_458, "the stream has no publisher", true),
            Self::ViewerNotFound => ("VIEWER_NOT_FOUND", 404, 40_000_459, "the stream has no such viewer", false),
            Self::SegmentNotFound => ("SEGMENT_NOT_FOUND", 404, 40_000_460, "no such segment", false),
            Self::NoPublicContainer => ("NO_CONTAINER", 404, 40_000_461, "HLS cannot carry this stream", false),
            Self::NotReady => ("NOT_READY", 503, 40_000_462, "nothing to play yet", true),
            Self::PictureNotFound => ("PICTURE_NOT_FOUND", 404, 40_000_463, "no picture to show", true),
            Self::ConfigurationInvalid => ("CONFIGURATION_INVALID", 422, 40_000_066, "the configuration cannot be used", false),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Facts { name, status, code, compat_code: None, module: None, title, retryable }
    }

    fn control_facts(reason: control::Reason) -> Facts {
        // What is never a call's answer has no status; neither is it ever rendered.
        let status = StatusCode::from_u16(reason.status());
        let compat = reason.compat_code();
        Facts {
            name: reason.name(),
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: reason.code(),
            compat_code: (compat != reason.code()).then_some(compat),
            module: Some(reason.module()),
            title: reason.title(),
            retryable: reason.is_retryable(),
        }
    }

    /// The page behind a problem's `type`: what the reason means, as text.
    pub(crate) fn describe(name: &str) -> Option<String> {
        let reason = Self::all().find(|reason| reason.facts().name == name)?;
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

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// The field of the body (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    /// The parameter of the path or the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// Where it stands in the configuration: `FILE:LINE:COLUMN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<String>,
    /// What it should be.
    pub(crate) detail: String,
}

/// One error answer.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) reason: Reason,
    /// What is wrong and what to do, one line, with values.
    pub(crate) detail: String,
    /// Headers that belong to the status.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// All fields that are wrong.
    pub(crate) errors: Vec<FieldError>,
    /// What is there already, as its own resource shows it.
    pub(crate) existing: Option<Box<serde_json::Value>>,
}

/// The body of an error answer of the API.
#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    status: u16,
    code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    compat_code: Option<u32>,
    reason: &'a str,
    module: &'a str,
    title: &'a str,
    detail: &'a str,
    retryable: bool,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    existing: Option<&'a serde_json::Value>,
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

impl FieldError {
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            place: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            place: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn in_configuration(place: String, detail: String) -> Self {
        Self {
            pointer: None,
            parameter: None,
            place: Some(place),
            detail,
        }
    }

    fn place(&self) -> &str {
        match (&self.pointer, &self.parameter) {
            (Some(pointer), _) if !pointer.is_empty() => pointer,
            (_, Some(parameter)) => parameter,
            _ => "the body",
        }
    }
}

impl Problem {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            headers: Vec::new(),
            errors: Vec::new(),
            existing: None,
        }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// All fields of a request that are wrong, in the order of the request.
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.place(), only.detail),
            _ => format!("{} fields are not valid; see errors", errors.len()),
        };
        let mut problem = Self::new(Reason::FIELD_INVALID, detail);
        problem.errors = errors;
        problem
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
                    compat_code: facts.compat_code,
                    reason: facts.name,
                    module: facts.module.unwrap_or(module),
                    title: facts.title,
                    detail: &self.detail,
                    retryable: facts.retryable,
                    request_id,
                    errors: &self.errors,
                    existing: self.existing.as_deref(),
                };
                ("application/problem+json", to_json(&wire, pretty))
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = facts.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl From<control::Error> for Problem {
    fn from(error: control::Error) -> Self {
        let mut problem = Self::new(Reason::Control(error.reason), error.detail);
        let fields = error.fields.into_iter();
        problem.errors = fields
            .map(|field| FieldError::at(field.pointer, field.detail))
            .collect();
        if let Some(wait) = error.retry_after.or_else(|| error.reason.usual_wait()) {
            // Whole seconds, upwards.
            problem = problem.retry_after(wait.as_millis().div_ceil(1_000).try_into().unwrap_or(1));
        }
        problem
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
        let mut names: Vec<_> = Reason::all().map(|r| r.facts().name).collect();
        let mut codes: Vec<_> = Reason::all().map(|r| r.facts().code).collect();
        names.sort_unstable();
        names.dedup();
        codes.sort_unstable();
        codes.dedup();
        let count = Reason::all().count();
        assert_eq!((names.len(), codes.len()), (count, count));
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
