//! All streams, in pages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::{json, wire};
use crate::error::{Problem, Reason};
use crate::state::Shared;

/// Streams of a page, unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 100;
/// Streams of a page at most.
const MAX_LIMIT: usize = 1_000;

/// `GET /v1/streams?limit=&cursor=`: in order of names; `next_cursor` is the cursor of the next
/// page, null on the last.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let page = Page::parse(request.uri().query().unwrap_or_default())?;
    let all = shared.hub.list();
    let after = |name: &str| page.cursor.as_deref().is_none_or(|cursor| name > cursor);
    let mut rest = all.iter().filter(|stream| after(stream.name().as_str()));
    let items: Vec<_> = rest
        .by_ref()
        .take(page.limit)
        .map(|stream| wire::summary(&shared, stream))
        .collect();
    let next_cursor = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => Some(last.name.clone()),
        _ => None,
    };
    let total = all.len();
    let list = wire::StreamList {
        items,
        total,
        next_cursor,
    };
    Ok(json(&list, request.headers()))
}

struct Page {
    limit: usize,
    cursor: Option<String>,
}

impl Page {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut page = Self {
            limit: DEFAULT_LIMIT,
            cursor: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "limit" => {
                    page.limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                        .ok_or_else(|| {
                            let detail = format!("limit is a number from 1 to {MAX_LIMIT}");
                            Problem::new(Reason::FieldInvalid, detail)
                        })?;
                }
                "cursor" => {
                    let name = media::StreamName::from_path(&value.replace("%2F", "/"));
                    let name = name.map_err(|_| {
                        let detail = "cursor is not one that a page gave";
                        Problem::new(Reason::FieldInvalid, detail)
                    })?;
                    page.cursor = Some(name.as_str().to_owned());
                }
                _ => {
                    let detail = "this route takes limit and cursor";
                    return Err(Problem::new(Reason::FieldInvalid, detail));
                }
            }
        }
        Ok(page)
    }
}
