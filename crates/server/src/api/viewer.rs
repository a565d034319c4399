//! A stream's viewers.

use axum::response::Response;
use hub::Stream;

use super::no_content;
use crate::error::{Problem, Reason};

/// Sends a viewer away.
pub(super) fn remove(stream: &Stream, id: &str) -> Result<Response, Problem> {
    let name = stream.name();
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let viewer = id
        .parse()
        .ok()
        .filter(|_| is_number)
        .and_then(|id| stream.viewers().get(id));
    let Some(viewer) = viewer else {
        let detail = format!("{name} has no viewer of this id; GET /v1/streams/{name} lists them");
        return Err(Problem::new(Reason::ViewerNotFound, detail));
    };
    viewer.drop_with("by the API");
    tracing::info!(stream = %name, viewer = viewer.id, "viewer dropped by the api");
    Ok(no_content())
}
