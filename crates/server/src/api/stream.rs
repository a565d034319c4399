//! One stream.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::{asked, find, json, rest, wire};
use crate::error::Problem;
use crate::state::Shared;

/// `GET /v1/streams/{app}/{stream}`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let name = rest(&request);
    let stream = match find(&shared, &name, &request) {
        Ok(stream) => stream,
        Err(problem) => {
            // A sub-resource that can only be deleted says so.
            let parent = name
                .strip_suffix("/publisher")
                .or_else(|| Some(name.rsplit_once("/viewers/")?.0));
            let is_known = parent.is_some_and(|parent| find(&shared, parent, &request).is_ok());
            return Err(if is_known {
                Problem::method_not_allowed("DELETE")
            } else {
                problem
            });
        }
    };
    let detail = wire::detail(&shared, &stream, &asked(&request));
    Ok(json(&detail, request.headers()))
}
