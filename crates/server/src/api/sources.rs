//! Sources: who may publish, does, and must not.

use control::request;
use http::StatusCode;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Name, Text, Whole, input};
use super::moderation::StreamView;
use super::route::Route;
use super::view::Page;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/sources",
            "Sources that the control plane has heard of, by stream",
            list,
        )
        .query::<Which>()
        .answers::<Page<StreamView>>(200),
    ]
}

input! {
    /// Which sources.
    pub(super) struct Which {
        /// Of this app.
        app_id: Option<Name> = None,
        /// Of this room.
        room: Option<Name> = None,
        /// Those that publish only.
        publishing: bool = false,
        /// Those that are forbidden now only.
        forbidden: bool = false,
        /// Sources of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let filter = request::SourceFilter {
        app_id: which.app_id.map(|id| id.0),
        room_id: which.room.map(|id| id.0),
        publishing: which.publishing,
        forbidden: which.forbidden,
    };
    let page = super::page(which.limit, which.cursor);
    let sources = ask.control()?.streams(filter, page).await;
    let sources = sources.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: sources.items.iter().map(StreamView::from).collect(),
        next_cursor: sources.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}
