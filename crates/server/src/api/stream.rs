//! One stream.

use std::sync::Arc;

use http::StatusCode;
use hub::Stream;
use media::StreamName;

use super::answer::Answer;
use super::ask::Ask;
use super::route::Route;
use super::wire;
use crate::error::{Problem, Reason};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/v1/streams/{app}/{stream}",
            "One stream with all its figures",
            show,
        )
        .answers::<wire::Detail>(200),
    ]
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let name = ask.text("stream");
    let stream = match find(&ask, name) {
        Ok(stream) => stream,
        Err(problem) => {
            // A sub-resource that can only be deleted says so.
            let parent = name
                .strip_suffix("/publisher")
                .or_else(|| Some(name.rsplit_once("/viewers/")?.0));
            let is_known = parent.is_some_and(|parent| find(&ask, parent).is_ok());
            return Err(if is_known {
                Problem::method_not_allowed("DELETE")
            } else {
                problem
            });
        }
    };
    Ok(detail(&ask, &stream))
}

/// A stream with all its figures.
pub(super) fn detail(ask: &Ask, stream: &Stream) -> Answer {
    let detail = wire::detail(&ask.shared, stream, &ask.urls());
    ask.json(StatusCode::OK, &detail)
}

/// The stream of a name as it is written in a path.
pub(super) fn find(ask: &Ask, name: &str) -> Result<Arc<Stream>, Problem> {
    let name = StreamName::from_path(name).map_err(|error| {
        let detail = format!("not a stream's name: {error}");
        Problem::new(Reason::REQUEST_UNPARSABLE, detail)
    })?;
    ask.shared
        .hub
        .stream(&name)
        .ok_or_else(|| ask.shared.no_stream(&name, &ask.urls()))
}
