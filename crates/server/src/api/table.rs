//! All routes, and which one a request means.

use std::cmp::Reverse;
use std::sync::Arc;

use http::header::ALLOW;
use http::{HeaderValue, Method};

use super::input::distance;
use super::route::{Route, Segment};
use crate::error::{Problem, Reason};

/// The routes of `/v1`.
pub(crate) struct Table {
    routes: Vec<Arc<Route>>,
}

/// A route, and the parameters that a path gives it.
type Found<'t, 'p> = (&'t Arc<Route>, Vec<(&'static str, &'p str)>);

impl Table {
    pub(super) fn new(routes: Vec<Route>) -> Self {
        Self {
            routes: routes.into_iter().map(Arc::new).collect(),
        }
    }

    pub(super) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|route| &**route)
    }

    /// The most particular route of a path and method.
    pub(super) fn find<'p>(
        &self,
        method: &Method,
        path: &'p str,
    ) -> Result<Found<'_, 'p>, Problem> {
        let wanted = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        let mut found: Vec<Found<'_, 'p>> = self
            .routes
            .iter()
            .filter_map(|route| Some((route, route.parameters_of(path)?)))
            .collect();
        found.sort_by_key(|(route, _)| Reverse(literal_len(route.path)));
        let Some((best, _)) = found.first() else {
            return Err(self.no_route(path));
        };
        // A path that ends in a verb is that verb's alone.
        let best = best.path;
        if best.contains("}:") {
            found.retain(|(route, _)| route.path == best);
        }
        // A stream may be called like the end of another route; what that route takes is told.
        let allow = allow(found.iter().filter(|(route, _)| route.path == best));
        found
            .into_iter()
            .find(|(route, _)| route.method == wanted)
            .ok_or_else(|| not_allowed(&allow))
    }

    /// Says which route was probably meant.
    fn no_route(&self, path: &str) -> Problem {
        let asked: Vec<&str> = path.split('/').collect();
        let nearest = self
            .routes()
            .map(|route| (far(route.path, &asked), route))
            .min_by_key(|(far, _)| *far);
        let detail = match nearest {
            Some((_, route)) => format!(
                "no such route; the nearest is {} {}; /docs lists all",
                route.method, route.path
            ),
            None => "no such route; /docs lists all".to_owned(),
        };
        Problem::new(Reason::RouteNotFound, detail)
    }
}

fn not_allowed(allow: &str) -> Problem {
    let problem = Problem::new(Reason::MethodNotAllowed, format!("allowed here: {allow}"));
    match HeaderValue::from_str(allow) {
        Ok(value) => problem.with(ALLOW, value),
        Err(_) => problem,
    }
}

fn allow<'f>(found: impl Iterator<Item = &'f Found<'f, 'f>>) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for (route, _) in found {
        let words: &[&str] = match route.method {
            Method::GET => &["GET", "HEAD"],
            ref method => &[method.as_str()],
        };
        methods.extend(words);
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// How many characters of a path are its own.
fn literal_len(path: &'static str) -> usize {
    path.split('/')
        .map(|segment| match Segment::of(segment) {
            Segment::Literal(literal) => literal.len() + 1,
            Segment::Parameter(_, verb) => verb.len(),
        })
        .sum()
}

/// Edits from what was asked to a route; a parameter is whatever was asked.
fn far(path: &'static str, asked: &[&str]) -> usize {
    const MISSING: usize = 4;
    let wanted: Vec<&'static str> = path.split('/').collect();
    let both = wanted.iter().zip(asked);
    let edits: usize = both
        .map(|(wanted, asked)| match Segment::of(wanted) {
            Segment::Literal(literal) => {
                let shown: String = asked.chars().take(64).collect();
                distance(literal, &shown)
            }
            Segment::Parameter(_, verb) if asked.ends_with(verb) => 0,
            Segment::Parameter(_, verb) => verb.len(),
        })
        .sum();
    edits + MISSING * wanted.len().abs_diff(asked.len())
}
