//! A stream's publisher.

use axum::response::Response;
use hub::Stream;

use super::no_content;
use crate::error::{Problem, Reason};

/// Sends the publisher away.
pub(super) fn remove(stream: &Stream) -> Result<Response, Problem> {
    let name = stream.name();
    let peer = stream.publisher().and_then(|(info, _)| info.peer);
    if !stream.drop_publisher("by the API") {
        let detail =
            format!("nobody publishes {name} now; it waits for its publisher to come back");
        return Err(Problem::new(Reason::PublisherNotFound, detail));
    }
    let peer = peer.map(tracing::field::display);
    tracing::info!(stream = %name, peer, "publisher dropped by the api");
    Ok(no_content())
}
