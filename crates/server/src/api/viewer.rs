//! A stream's viewers.

use super::answer::Answer;
use super::ask::Ask;
use super::route::Route;
use super::stream::find;
use crate::error::{Problem, Reason};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::delete(
            "/v1/streams/{app}/{stream}/viewers/{viewer_id}",
            "Sends a viewer away",
            remove,
        )
        .empty(204),
    ]
}

async fn remove(ask: Ask) -> Result<Answer, Problem> {
    let stream = find(&ask, ask.text("stream"))?;
    let name = stream.name();
    let id = ask.text("viewer_id");
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
    Ok(Answer::empty())
}
