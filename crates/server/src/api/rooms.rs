//! Rooms.

use control::model::RoomKind;
use control::request;
use http::StatusCode;
use http::header::ETAG;

use super::answer::Answer;
use super::ask::Ask;
use super::input::{Name, Text, Whole, choice, input};
use super::route::Route;
use super::view::{Page, RoomView};
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/rooms", "Rooms", list)
            .query::<Which>()
            .answers::<Page<RoomView>>(200),
        Route::put("/v1/rooms/{room}", "Declares a room, or changes it", put)
            .parameter::<Name>("room")
            .body::<Declare>(r#"{"type": "group", "relation_id": 15000}"#)
            .answers::<RoomView>(200),
        Route::get("/v1/rooms/{room}", "One room", show)
            .parameter::<Name>("room")
            .answers::<RoomView>(200),
        Route::delete(
            "/v1/rooms/{room}",
            "Closes a room and stops all its channels",
            close,
        )
        .parameter::<Name>("room")
        .empty(204),
    ]
}

input! {
    /// What a room is.
    pub(super) struct Declare {
        /// Two-person rooms cannot be recorded.
        r#type: Kind = Kind::Group,
        /// The group that it belongs to.
        relation_id: Option<Whole<1, 4_294_967_295>> = None,
    }
}

choice! {
    /// What a room is for.
    pub(super) enum Kind {
        Group = "group",
        Duo = "duo",
    }
}

input! {
    /// Which rooms.
    pub(super) struct Which {
        /// Of this group.
        relation_id: Option<Whole<1, 4_294_967_295>> = None,
        /// Rooms of a page.
        limit: Whole<1, 1000> = Whole::of(100),
        /// `next_cursor` of the page before.
        cursor: Option<Text<1, 1024>> = None,
    }
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    let which: Which = ask.query()?;
    let relation = which.relation_id.map(Whole::small);
    let page = super::page(which.limit, which.cursor);
    let rooms = ask.control()?.rooms(None, relation, page).await;
    let rooms = rooms.map_err(|error| ask.refused(error))?;
    let page = Page {
        items: rooms.items.iter().map(RoomView::from).collect(),
        next_cursor: rooms.next_cursor,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

async fn put(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let declare: Declare = ask.body()?;
    let put = request::RoomPut {
        app_id: None,
        room_id: room.0,
        kind: match declare.r#type {
            Kind::Group => RoomKind::Group,
            Kind::Duo => RoomKind::Duo,
        },
        relation_id: declare.relation_id.map(Whole::small),
    };
    let room = ask.control()?.put_room(put, ask.if_match()?).await;
    let room = room.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, &RoomView::from(&room)))
}

async fn show(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let found = ask.control()?.room(None, room.0).await;
    let (room, _) = found.map_err(|error| ask.refused(error))?;
    Ok(shown(&ask, &RoomView::from(&room)))
}

fn shown(ask: &Ask, room: &RoomView) -> Answer {
    ask.json(StatusCode::OK, room).with(ETAG, &room.etag)
}

async fn close(ask: Ask) -> Result<Answer, Problem> {
    let room: Name = ask.parameter("room")?;
    let closed = ask.control()?.close_room(None, room.0).await;
    closed.map_err(|error| ask.refused(error))?;
    Ok(Answer::empty())
}
