//! One request, as handlers see it.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use control::Control;
use control::callback::Callbacks;
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use serde::Serialize;

use super::access::Grant;
use super::answer::Answer;
use super::input::{self, Fields, Input};
use super::view::ChannelView;
use crate::error::{Problem, Reason};
use crate::router::wants_compact;
use crate::state::{self, Shared};

/// A request that was let through.
pub(super) struct Ask {
    pub(super) shared: Arc<Shared>,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) is_tls: bool,
    /// Who asks.
    pub(super) grant: Grant,
    pub(super) parameters: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Ask {
    /// A parameter of the path, decoded.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    /// A parameter of the path as what it should be.
    pub(super) fn parameter<T: Input>(&self, name: &str) -> Result<T, Problem> {
        input::parameter(name, self.text(name))
    }

    /// The parameters of the query.
    pub(super) fn query<T: Fields>(&self) -> Result<T, Problem> {
        input::query(self.uri.query().unwrap_or_default())
    }

    /// The body.
    pub(super) fn body<T: Input>(&self) -> Result<T, Problem> {
        input::body(&self.body)
    }

    /// The body, where none means an empty object.
    pub(super) fn optional_body<T: Input>(&self) -> Result<T, Problem> {
        let empty: &[u8] = b"{}";
        let is_empty = self.body.is_empty();
        input::body(if is_empty { empty } else { &self.body })
    }

    /// A header's text.
    pub(super) fn header(&self, name: impl Into<HeaderName>) -> Option<&str> {
        self.headers.get(name.into())?.to_str().ok()
    }

    /// The parts that decide about URLs.
    pub(super) fn urls(&self) -> state::Request<'_> {
        state::Request {
            headers: &self.headers,
            uri: &self.uri,
            is_tls: self.is_tls,
        }
    }

    /// The control plane.
    pub(super) fn control(&self) -> Result<&Control, Problem> {
        self.shared.control.as_ref().ok_or_else(|| {
            let detail = "this relay runs without a control plane";
            Problem::new(Reason::Control(control::Reason::ServiceNotEnabled), detail)
        })
    }

    /// The callbacks.
    pub(super) fn callbacks(&self) -> Result<&Callbacks, Problem> {
        self.shared.callbacks.as_ref().ok_or_else(|| {
            let detail = "this relay runs without callbacks";
            Problem::new(Reason::Control(control::Reason::ServiceNotEnabled), detail)
        })
    }

    /// What the control plane refused, as an answer.
    pub(super) fn refused(&self, error: control::Error) -> Problem {
        let existing = error.existing.as_deref();
        let existing = existing.map(|channel| ChannelView::of(channel, self));
        let mut problem = Problem::from(error);
        if let Some(view) = existing {
            problem.existing = serde_json::to_value(view).ok().map(Box::new);
        }
        problem
    }

    /// An id with a prefix in the path; what is none leads to nothing.
    pub(super) fn id<T: FromStr>(&self, name: &str) -> Result<T, Problem> {
        self.text(name).parse().map_err(|_| {
            let detail = format!("there is nothing with this {name}");
            Problem::new(Reason::Control(control::Reason::ResourceNotFound), detail)
        })
    }

    /// The version that a change is meant for (`If-Match`).
    pub(super) fn if_match(&self) -> Result<Option<u64>, Problem> {
        let Some(text) = self.header(IF_MATCH) else {
            return Ok(None);
        };
        let text = text.trim();
        if text == "*" {
            return Ok(None);
        }
        let version = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|digits| digits.parse().ok());
        version.map(Some).ok_or_else(|| {
            let detail = format!("If-Match {text} is no etag of this");
            Problem::new(Reason::Control(control::Reason::VersionConflict), detail)
        })
    }

    /// An answer in the form that the client reads.
    pub(super) fn json(&self, status: StatusCode, value: &impl Serialize) -> Answer {
        Answer::json(status, value, !wants_compact(&self.headers))
    }
}
