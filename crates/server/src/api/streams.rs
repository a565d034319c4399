//! All streams, in pages.

use http::StatusCode;
use media::StreamName;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Text, Whole, input};
use super::route::Route;
use super::wire;
use crate::error::{FieldError, Problem};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/streams",
            "Streams that are live or wait for their publisher",
            list,
        )
        .query::<Page>()
        .answers::<wire::StreamList>(200),
    ]
}

input! {
    /// A page of streams.
    struct Page {
        /// Streams of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

/// In order of names; `next_cursor` is the cursor of the next page, null on the last.
async fn list(ask: Ask) -> Result<Answer, Problem> {
    let page: Page = ask.query()?;
    let limit = usize::try_from(page.limit.get()).unwrap_or_default();
    let cursor = page.cursor.map(|cursor| {
        let name: Result<StreamName, _> = cursor.0.parse();
        name.map_err(|_| {
            let error = FieldError::parameter("cursor", "is not one that a page gave");
            Problem::fields(vec![error])
        })
    });
    let cursor = cursor.transpose()?;
    let shared = &ask.shared;
    let all = shared.hub.list();
    let is_after = |name: &StreamName| {
        let cursor = cursor.as_ref();
        cursor.is_none_or(|cursor| name.as_str() > cursor.as_str())
    };
    let mut rest = all.iter().filter(|stream| is_after(stream.name()));
    let items: Vec<_> = rest
        .by_ref()
        .take(limit)
        .map(|stream| wire::summary(shared, stream))
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
    Ok(ask.json(StatusCode::OK, &list))
}
