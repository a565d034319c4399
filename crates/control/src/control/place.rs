//! Who and where: app, room, member, source.

use media::StreamName;
use rusqlite::Connection;

use crate::clock::UnixMs;
use crate::credential::{Identity, IdentityError};
use crate::error::{Error, Reason};
use crate::event::Subject;
use crate::model::{Channel, Member, Policy, Recording, Room, RoomKind, Source, SourceState};
use crate::request::Place;
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::apps::App;
use crate::table::{apps, rooms, sources};

/// What is wanted of an app.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Something that an app in arrears, or a disabled one, does not get.
    Service,
    /// Something that every app gets.
    Anything,
}

/// The app that a call means.
pub(super) fn app(
    db: &Connection,
    settings: &Settings,
    app_id: Option<&str>,
    asks: Asks,
) -> Result<(String, App), Error> {
    let app_id = app_id.unwrap_or(&settings.app_id);
    let Some(app) = apps::get(db, app_id)? else {
        return Err(Error::new(
            Reason::AppUnknown,
            format!("there is no app {app_id:?}"),
        ));
    };
    if asks == Asks::Service && !app.enabled {
        let detail = format!("the live service of app {app_id} is not enabled");
        return Err(Error::new(Reason::ServiceNotEnabled, detail));
    }
    if asks == Asks::Service && app.arrears {
        let detail = format!("the account of app {app_id} is in arrears");
        return Err(Error::new(Reason::AccountArrears, detail));
    }
    Ok((app_id.to_owned(), app))
}

/// The id of the room that a call means, and the room when there is one.
pub(super) fn room(
    db: &Connection,
    app_id: &str,
    place: &Place,
) -> Result<(String, Option<Room>), Error> {
    let named = !matches!(place.room_id.as_str(), "" | "0");
    if named {
        let room = rooms::get(db, app_id, &place.room_id)?;
        return Ok((place.room_id.clone(), room));
    }
    let relation = place.relation_id.filter(|relation| *relation != 0);
    let Some(relation) = relation else {
        let detail = "the room id is 0, and there is no relation id that leads to a room";
        return Err(Error::new(Reason::RoomZero, detail));
    };
    match rooms::by_relation(db, app_id, relation)? {
        Some(room) => Ok((room.room_id.clone(), Some(room))),
        None => Err(Error::new(
            Reason::RoomZero,
            format!("the room id is 0, and relation id {relation} belongs to no room"),
        )),
    }
}

/// The room of a call that needs one.
pub(super) fn open_room(db: &Connection, app_id: &str, place: &Place) -> Result<Room, Error> {
    let (room_id, room) = room(db, app_id, place)?;
    match room {
        None => Err(Error::new(
            Reason::RoomNotFound,
            format!("there is no room {room_id:?}"),
        )),
        Some(room) if room.closed_at.is_some() => Err(Error::new(
            Reason::RoomClosed,
            format!("room {room_id:?} is closed"),
        )),
        Some(room) => Ok(room),
    }
}

/// A room and user that exist as names.
pub(super) fn identity(room_id: &str, user_id: &str, source: Source) -> Result<Identity, Error> {
    Identity::new(room_id, user_id, source).map_err(|error| {
        let text = error.to_string();
        match error {
            IdentityError::Empty("room")
            | IdentityError::TooLong { part: "room", .. }
            | IdentityError::Control("room") => Error::field("/room_id", text),
            IdentityError::Source => Error::new(Reason::SourceInvalid, text),
            _ => Error::new(Reason::UserInvalid, text),
        }
    })
}

/// The stream of a member's source: as it is known, or as the rule makes it.
pub(super) fn stream(
    db: &Connection,
    settings: &Settings,
    (app_id, app): (&str, &App),
    policy: &Policy,
    member: &Identity,
) -> Result<String, Error> {
    let key = (app_id, member.room(), member.user(), member.source());
    if let Some(known) = sources::of_member(db, key)? {
        return Ok(known.stream);
    }
    let rule = settings.code_rule(policy, app_id, &app.bizid)?;
    let code = rule
        .code(member)
        .map_err(|error| Error::new(Reason::UserInvalid, error.to_string()))?;
    let name = StreamName::parse(&settings.rtmp_app, &code);
    let name = name.map_err(|error| Error::new(Reason::UserInvalid, error.to_string()))?;
    Ok(name.as_str().to_owned())
}

/// The source of a stream; a new one when nobody has heard of it.
pub(super) fn source(
    db: &Connection,
    app_id: &str,
    stream: &str,
    member: &Identity,
    now: UnixMs,
) -> Result<SourceState, Error> {
    let known = sources::get(db, stream)?;
    Ok(known.unwrap_or_else(|| SourceState {
        stream: stream.to_owned(),
        app_id: app_id.to_owned(),
        room_id: member.room().to_owned(),
        user_id: member.user().to_owned(),
        source: member.source(),
        session: None,
        forbidden_until: None,
        forbid_reason: None,
        last_start_at: None,
        created_at: now,
        offline_since: None,
    }))
}

/// Makes the room if there is none, and puts the user in it.
pub(super) fn enter(tx: &mut Tx<'_>, app_id: &str, member: &Identity) -> Result<Room, Error> {
    let now = tx.now();
    let room = match rooms::get(tx, app_id, member.room())? {
        Some(room) if room.closed_at.is_none() || !room.implicit => room,
        // Nobody declared it: it is there when somebody comes.
        gone => {
            let room = Room {
                app_id: app_id.to_owned(),
                room_id: member.room().to_owned(),
                kind: RoomKind::Group,
                relation_id: None,
                implicit: true,
                created_at: now,
                closed_at: None,
                version: gone.map_or(1, |room| room.version + 1),
            };
            rooms::put(tx, &room, now)?;
            room
        }
    };
    let known = rooms::member(tx, app_id, member.room(), member.user())?;
    if known.is_none_or(|member| member.left_at.is_some()) {
        let joined = Member {
            user_id: member.user().to_owned(),
            joined_at: now,
            left_at: None,
        };
        rooms::put_member(tx, app_id, member.room(), &joined)?;
    }
    Ok(room)
}

/// What events about a channel are about.
pub(super) fn of_channel(channel: &Channel) -> Subject {
    Subject {
        app_id: Some(channel.app_id.clone()),
        room_id: Some(channel.room_id.clone()),
        user_id: Some(channel.user_id.clone()),
        source: Some(channel.source),
        channel_id: Some(channel.id),
        stream: Some(channel.stream.clone()),
    }
}

/// What events about a source are about.
pub(super) fn of_source(source: &SourceState) -> Subject {
    Subject {
        app_id: Some(source.app_id.clone()),
        room_id: Some(source.room_id.clone()),
        user_id: Some(source.user_id.clone()),
        source: Some(source.source),
        channel_id: None,
        stream: Some(source.stream.clone()),
    }
}

/// What events about a recording are about.
pub(super) fn of_recording(recording: &Recording) -> Subject {
    Subject {
        app_id: Some(recording.app_id.clone()),
        room_id: Some(recording.room_id.clone()),
        user_id: Some(recording.user_id.clone()),
        source: Some(recording.source),
        channel_id: recording.channel_id,
        stream: Some(recording.stream.clone()),
    }
}
