//! Stopping bypasses.

use super::place::{self, Asks};
use super::{Control, channels, policy};
use crate::error::{Error, Reason};
use crate::id::ChannelId;
use crate::model::{Cause, Channel, Origin};
use crate::request::{Stop, StopEffect, Stopped};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::channels as table;

/// Most channels of one call.
const MOST: usize = 1_000;

impl Control {
    /// Stops channels of a room; says of each what was done.
    ///
    /// # Errors
    /// Refusals of the whole request: the room, too many ids. A single channel's is in its result.
    pub async fn stop(&self, request: Stop) -> Result<Vec<Stopped>, Error> {
        self.write(move |tx, settings| {
            let app_id = request.place.app_id.as_deref();
            let (app_id, _) = place::app(tx, settings, app_id, Asks::Anything)?;
            let (room_id, _) = place::room(tx, &app_id, &request.place)?;
            if request.ids.len() > MOST {
                return Err(Error::field(
                    "/channel_ids",
                    format!("more than {MOST} at once"),
                ));
            }
            if !request.ids.is_empty() {
                let belongs = |channel: &Channel| {
                    channel.app_id == app_id
                        && channel.room_id == room_id
                        && request.source.is_none_or(|source| channel.source == source)
                };
                return request
                    .ids
                    .iter()
                    .map(|id| stop_one(tx, settings, *id, belongs))
                    .collect();
            }
            let Some(user_id) = &request.user_id else {
                return Err(Error::field(
                    "/channel_ids",
                    "empty, and there is no user_id",
                ));
            };
            let theirs = table::of_user(tx, &app_id, user_id)?
                .into_iter()
                .filter(|channel| {
                    channel.room_id == room_id
                        && request.source.is_none_or(|source| channel.source == source)
                });
            let ids: Vec<ChannelId> = theirs.map(|channel| channel.id).collect();
            ids.into_iter()
                .map(|id| stop_one(tx, settings, id, |_| true))
                .collect()
        })
        .await
    }

    /// Stops one channel, whatever its room.
    ///
    /// # Errors
    /// [`Reason::ChannelNotFound`].
    pub async fn stop_channel(&self, id: ChannelId) -> Result<Stopped, Error> {
        let stopped = self
            .write(move |tx, settings| stop_one(tx, settings, id, |_| true))
            .await?;
        match stopped.effect {
            StopEffect::NotFound => Err(Error::new(
                Reason::ChannelNotFound,
                format!("there is no channel {id}"),
            )),
            _ => Ok(stopped),
        }
    }
}

fn stop_one(
    tx: &mut Tx<'_>,
    settings: &Settings,
    id: ChannelId,
    belongs: impl Fn(&Channel) -> bool,
) -> Result<Stopped, Error> {
    let mut channel = table::get(tx, id)?;
    let effect = match &mut channel {
        None => StopEffect::NotFound,
        Some(channel) if !belongs(channel) => StopEffect::NotInRoom,
        Some(channel) if channel.state.is_over() => StopEffect::AlreadyStopped,
        Some(channel) if channel.origin == Origin::Auto => StopEffect::IgnoredAuto,
        Some(channel) => {
            let policy = policy::of(tx, settings, &channel.app_id, &channel.stream)?;
            channels::stop(tx, channel, &policy, Cause::ours("stopped by a call"))?;
            StopEffect::Stopped
        }
    };
    // What belongs to another room is not shown.
    let channel = channel.filter(|_| effect != StopEffect::NotInRoom);
    Ok(Stopped {
        id,
        effect,
        channel,
    })
}
