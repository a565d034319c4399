//! Declaring and closing rooms, joining and leaving.

use super::place::{self, Asks};
use super::{Control, channels, list, page_limit, policy};
use crate::error::{Error, Reason};
use crate::model::{Cause, Member, Room, Source};
use crate::request::{List, Page, RoomPut};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{channels as channel_table, rooms as table};

impl Control {
    /// Declares a room, or changes its kind and group. A closed room is open again.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`], [`Reason::VersionConflict`], wrong fields.
    pub async fn put_room(&self, put: RoomPut, version: Option<u64>) -> Result<Room, Error> {
        self.write(move |tx, settings| {
            let (app_id, _) = place::app(tx, settings, put.app_id.as_deref(), Asks::Anything)?;
            place::identity(&put.room_id, "-", Source::Main)?;
            if put.room_id == "0" {
                return Err(Error::new(Reason::RoomZero, "0 is not a room's id"));
            }
            let known = table::get(tx, &app_id, &put.room_id)?;
            let found = known.as_ref().map_or(0, |room| room.version);
            if version.is_some_and(|version| version != found) {
                let detail = format!("room {} has version {found}", put.room_id);
                return Err(Error::new(Reason::VersionConflict, detail));
            }
            let room = Room {
                app_id,
                room_id: put.room_id,
                kind: put.kind,
                relation_id: put.relation_id.filter(|relation| *relation != 0),
                implicit: false,
                created_at: known.map_or(tx.now(), |room| room.created_at),
                closed_at: None,
                version: found + 1,
            };
            table::put(tx, &room, tx.now())?;
            Ok(room)
        })
        .await
    }

    /// A room and who is in it.
    ///
    /// # Errors
    /// [`Reason::RoomNotFound`].
    pub async fn room(
        &self,
        app_id: Option<String>,
        room_id: String,
    ) -> Result<(Room, Vec<Member>), Error> {
        self.read(move |db, settings| {
            let (app_id, _) = place::app(db, settings, app_id.as_deref(), Asks::Anything)?;
            let room = table::get(db, &app_id, &room_id)?.ok_or_else(|| no_room(&room_id))?;
            Ok((room, table::members(db, &app_id, &room_id)?))
        })
        .await
    }

    /// Rooms in the order of their ids, of a group when one is named.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`].
    pub async fn rooms(
        &self,
        app_id: Option<String>,
        relation_id: Option<u32>,
        page: Page,
    ) -> Result<List<Room>, Error> {
        let limit = page_limit(&page);
        self.read(move |db, settings| {
            let (app_id, _) = place::app(db, settings, app_id.as_deref(), Asks::Anything)?;
            let after = page.cursor.unwrap_or_default();
            let found = table::list(db, &app_id, relation_id, &after, limit)?;
            Ok(list(found, limit, |room| room.room_id.clone()))
        })
        .await
    }

    /// Closes a room: ends all its channels, those of the policy too.
    ///
    /// # Errors
    /// [`Reason::RoomNotFound`].
    pub async fn close_room(&self, app_id: Option<String>, room_id: String) -> Result<Room, Error> {
        self.write(move |tx, settings| {
            let (app_id, _) = place::app(tx, settings, app_id.as_deref(), Asks::Anything)?;
            let mut room = table::get(tx, &app_id, &room_id)?.ok_or_else(|| no_room(&room_id))?;
            if room.closed_at.is_none() {
                room.closed_at = Some(tx.now());
                room.implicit = false;
                room.version += 1;
                table::put(tx, &room, tx.now())?;
            }
            end_channels(tx, settings, &app_id, &room_id, None, "its room was closed")?;
            Ok(room)
        })
        .await
    }

    /// Puts a user into an open room.
    ///
    /// # Errors
    /// [`Reason::RoomNotFound`], [`Reason::RoomClosed`], [`Reason::UserInvalid`].
    pub async fn join(
        &self,
        app_id: Option<String>,
        room_id: String,
        user_id: String,
    ) -> Result<Member, Error> {
        self.write(move |tx, settings| {
            let (app_id, _) = place::app(tx, settings, app_id.as_deref(), Asks::Anything)?;
            place::identity(&room_id, &user_id, Source::Main)?;
            let room = table::get(tx, &app_id, &room_id)?.ok_or_else(|| no_room(&room_id))?;
            if room.closed_at.is_some() {
                return Err(Error::new(
                    Reason::RoomClosed,
                    format!("room {room_id:?} is closed"),
                ));
            }
            if let Some(known) = table::member(tx, &app_id, &room_id, &user_id)?
                && known.left_at.is_none()
            {
                return Ok(known);
            }
            let member = Member {
                user_id,
                joined_at: tx.now(),
                left_at: None,
            };
            table::put_member(tx, &app_id, &room_id, &member)?;
            Ok(member)
        })
        .await
    }

    /// Takes a user out of a room: ends their channels there.
    ///
    /// # Errors
    /// [`Reason::UserNotInRoom`].
    pub async fn leave(
        &self,
        app_id: Option<String>,
        room_id: String,
        user_id: String,
    ) -> Result<Member, Error> {
        self.write(move |tx, settings| {
            let (app_id, _) = place::app(tx, settings, app_id.as_deref(), Asks::Anything)?;
            let Some(mut member) = table::member(tx, &app_id, &room_id, &user_id)? else {
                let detail = format!("user {user_id:?} is not in room {room_id:?}");
                return Err(Error::new(Reason::UserNotInRoom, detail));
            };
            member.left_at.get_or_insert(tx.now());
            table::put_member(tx, &app_id, &room_id, &member)?;
            end_channels(
                tx,
                settings,
                &app_id,
                &room_id,
                Some(&user_id),
                "the user left the room",
            )?;
            Ok(member)
        })
        .await
    }
}

fn no_room(room_id: &str) -> Error {
    Error::new(
        Reason::RoomNotFound,
        format!("there is no room {room_id:?}"),
    )
}

fn end_channels(
    tx: &mut Tx<'_>,
    settings: &Settings,
    app_id: &str,
    room_id: &str,
    user_id: Option<&str>,
    why: &str,
) -> Result<(), Error> {
    for mut channel in channel_table::of_room(tx, app_id, room_id)? {
        if user_id.is_none_or(|user| user == channel.user_id) {
            let policy = policy::of(tx, settings, app_id, &channel.stream)?;
            channels::stop(tx, &mut channel, &policy, Cause::ours(why))?;
        }
    }
    Ok(())
}
