//! Who is in a room.

use http::StatusCode;

use super::answer::Answer;
use super::ask::Ask;
use super::input::Name;
use super::route::Route;
use super::view::{MemberView, Page};
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/rooms/{room}/members", "Who is in a room", list)
            .parameter::<Name>("room")
            .answers::<Page<MemberView>>(200),
        Route::put("/v1/rooms/{room}/members/{user}", "A user comes in", join)
            .parameter::<Name>("room")
            .parameter::<Name>("user")
            .answers::<MemberView>(200),
        Route::delete(
            "/v1/rooms/{room}/members/{user}",
            "A user leaves; their channels stop",
            leave,
        )
        .parameter::<Name>("room")
        .parameter::<Name>("user")
        .empty(204),
    ]
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let found = ask.control()?.room(None, room.0).await;
    let (_, members) = found.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: members.iter().map(MemberView::from).collect(),
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn join(ask: Ask) -> Result<Answer, Problem> {
    let (room, user): (Name, Name) = (ask.parameter("room")?, ask.parameter("user")?);
    let member = ask.control()?.join(None, room.0, user.0).await;
    let member = member.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &MemberView::from(&member)))
}

async fn leave(ask: Ask) -> Result<Answer, Problem> {
    let (room, user): (Name, Name) = (ask.parameter("room")?, ask.parameter("user")?);
    let left = ask.control()?.leave(None, room.0, user.0).await;
    left.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}
