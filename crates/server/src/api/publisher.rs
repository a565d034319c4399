//! A stream's publisher.

use super::answer::Answer;
use super::ask::Ask;
use super::route::Route;
use super::stream::find;
use crate::error::{Problem, Reason};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::delete(
            "/v1/streams/{app}/{stream}/publisher",
            "Sends the publisher away; it may come back",
            remove,
        )
        .empty(204),
    ]
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let stream = find(&ask, ask.text("stream"))?;
    let name = stream.name();
    let peer = stream.publisher().and_then(|(info, _)| info.peer);
    if !stream.drop_publisher("by the API") {
        let detail =
            format!("nobody publishes {name} now; it waits for its publisher to come back");
        return Err(Problem::new(Reason::PublisherNotFound, detail));
    }
    let peer = peer.map(tracing::field::display);
    tracing::info!(stream = %name, peer, "publisher dropped by the api");
    Ok(Answer::empty())
}
