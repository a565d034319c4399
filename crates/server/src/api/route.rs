//! The routes of the API as a table: what is asked, by whom, with what and answered how.
//!
//! ```text
//! resource files ─▶ Route ─▶ Table ─┬─▶ dispatch: path and method to a handler
//!                                   ├─▶ openapi: /openapi.json
//!                                   └─▶ docs: /docs
//! ```

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, schema::Schema};

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Field, Fields, Input};
use crate::error::Problem;

type Running = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;
type Run = Box<dyn Fn(Ask) -> Running + Send + Sync>;
type Components = Vec<(String, RefOr<Schema>)>;

/// One method of one path.
pub(super) struct Route {
    pub(super) method: Method,
    /// `{name}` is one segment; `{app}/{stream}`, together, two or more. A last segment may end
    /// in `:verb`.
    pub(super) path: &'static str,
    pub(super) scope: Scope,
    /// What it does, as a sentence without a full stop.
    pub(super) summary: &'static str,
    /// The resource it belongs to.
    pub(super) tag: &'static str,
    pub(super) query: Vec<Field>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<AnswerShape>,
    /// Parameters of the path whose text is not free, with their schemas.
    pub(super) parameters: Vec<(&'static str, Value)>,
    run: Run,
}

/// What a route takes.
pub(super) struct Body {
    pub(super) schema: Value,
    /// A body that a client may send.
    pub(super) example: &'static str,
    pub(super) is_required: bool,
}

/// An answer that is not an error.
pub(super) struct AnswerShape {
    pub(super) status: u16,
    /// Media type, name of the schema; `None`: no body.
    pub(super) content: Option<(&'static str, Option<String>)>,
    /// A media type that is not JSON and may come instead.
    pub(super) also: Option<&'static str>,
    /// The schema, and those it refers to.
    pub(super) components: Components,
}

impl Route {
    fn new<F>(
        method: Method,
        path: &'static str,
        scope: Scope,
        summary: &'static str,
        handler: fn(Ask) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self {
            method,
            path,
            scope,
            summary,
            tag: "",
            query: Vec::new(),
            body: None,
            answers: Vec::new(),
            parameters: Vec::new(),
            run: Box::new(move |ask| Box::pin(handler(ask))),
        }
    }

    pub(super) fn get<F>(path: &'static str, summary: &'static str, handler: fn(Ask) -> F) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self::new(Method::GET, path, Scope::Read, summary, handler)
    }

    pub(super) fn post<F>(path: &'static str, summary: &'static str, handler: fn(Ask) -> F) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self::new(Method::POST, path, Scope::Control, summary, handler)
    }

    pub(super) fn put<F>(path: &'static str, summary: &'static str, handler: fn(Ask) -> F) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self::new(Method::PUT, path, Scope::Control, summary, handler)
    }

    pub(super) fn patch<F>(path: &'static str, summary: &'static str, handler: fn(Ask) -> F) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self::new(Method::PATCH, path, Scope::Control, summary, handler)
    }

    pub(super) fn delete<F>(
        path: &'static str,
        summary: &'static str,
        handler: fn(Ask) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        Self::new(Method::DELETE, path, Scope::Control, summary, handler)
    }

    /// Belongs to this resource.
    pub(super) fn of(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// Needs this scope instead of the method's usual one.
    pub(super) fn needs(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Takes these parameters in the query.
    pub(super) fn query<T: Fields>(mut self) -> Self {
        self.query = T::fields();
        self
    }

    /// A parameter of the path is of this kind.
    pub(super) fn parameter<T: Input>(mut self, name: &'static str) -> Self {
        self.parameters.push((name, T::schema()));
        self
    }

    /// Takes this body.
    pub(super) fn body<T: Input>(mut self, example: &'static str) -> Self {
        self.body = Some(Body {
            schema: T::schema(),
            example,
            is_required: true,
        });
        self
    }

    /// Takes this body, or none.
    pub(super) fn optional_body<T: Input>(mut self, example: &'static str) -> Self {
        self = self.body::<T>(example);
        if let Some(body) = &mut self.body {
            body.is_required = false;
        }
        self
    }

    /// Answers with this as JSON.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        let mut components = Components::new();
        T::schemas(&mut components);
        let name = T::name().into_owned();
        components.push((name.clone(), T::schema()));
        self.answers.push(AnswerShape {
            status,
            content: Some(("application/json", Some(name))),
            also: None,
            components,
        });
        self
    }

    /// Answers with something that is not JSON.
    pub(super) fn sends(mut self, status: u16, media_type: &'static str) -> Self {
        self.answers.push(AnswerShape {
            status,
            content: Some((media_type, None)),
            also: None,
            components: Components::new(),
        });
        self
    }

    /// The last answer may come in this form, too.
    pub(super) fn also(mut self, media_type: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.also = Some(media_type);
        }
        self
    }

    /// Answers without a body.
    pub(super) fn empty(mut self, status: u16) -> Self {
        self.answers.push(AnswerShape {
            status,
            content: None,
            also: None,
            components: Components::new(),
        });
        self
    }

    pub(super) async fn run(&self, ask: Ask) -> Result<Answer, Problem> {
        (self.run)(ask).await
    }

    /// The parameters of the path, if it is one of this route; still percent-encoded.
    pub(super) fn parameters_of<'p>(&self, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
        let mut found = Vec::new();
        let mut wanted = self.path.split('/').peekable();
        let mut rest = Some(path);
        while let Some(segment) = wanted.next() {
            let left = rest?;
            if segment == "{app}" && wanted.next_if_eq(&"{stream}").is_some() {
                let after: Vec<&str> = wanted.clone().collect();
                let (name, tail) = split_name(left, after.len())?;
                found.push(("stream", name));
                rest = tail;
                continue;
            }
            let (given, tail) = match left.split_once('/') {
                Some((given, tail)) => (given, Some(tail)),
                None => (left, None),
            };
            rest = tail;
            match Segment::of(segment) {
                Segment::Literal(literal) => (given == literal).then_some(())?,
                Segment::Parameter(name, verb) => {
                    let value = given.strip_suffix(verb)?;
                    // Without a verb of its own a route is not that of somebody else's verb.
                    (!value.is_empty()).then_some(())?;
                    found.push((name, value));
                }
            }
        }
        rest.is_none().then_some(found)
    }
}

/// A stream's name of two segments or more, and what follows its last one. `%2F` is a slash here.
fn split_name(text: &str, segments_after: usize) -> Option<(&str, Option<&str>)> {
    let mut end = text.len();
    for _ in 0..segments_after {
        end = text[..end].rfind('/')?;
    }
    let name = &text[..end];
    let has_slash = name.contains('/') || name.to_ascii_uppercase().contains("%2F");
    has_slash.then_some((name, text.get(end + 1..).filter(|_| segments_after > 0)))
}

/// A part of a route's path.
pub(super) enum Segment {
    Literal(&'static str),
    /// Its name, and the verb behind it, with its colon.
    Parameter(&'static str, &'static str),
}

impl Segment {
    pub(super) fn of(segment: &'static str) -> Self {
        let parameter = segment
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        match parameter {
            Some((name, verb)) => Self::Parameter(name, verb),
            None => Self::Literal(segment),
        }
    }
}
