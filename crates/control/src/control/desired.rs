//! What should be, computed from what is stored.

use rusqlite::Connection;

use crate::clock::UnixMs;
use crate::error::Error;
use crate::model::{ChannelState, RecordState};
use crate::plane::{Desired, DesiredRecording, DesiredTarget};
use crate::settings::{Mode, Settings};
use crate::table::{channels, recordings, sources, targets};

/// What should be for a stream at this moment.
pub(super) fn of(
    db: &Connection,
    settings: &Settings,
    stream: &str,
    now: UnixMs,
) -> Result<Desired, Error> {
    let source = sources::get(db, stream)?;
    let forbidden = source
        .filter(|source| source.is_forbidden(now))
        .map(|source| {
            source
                .forbid_reason
                .unwrap_or_else(|| "forbidden".to_owned())
        });
    let channel = channels::running(db, stream)?;
    let served = channel.as_ref().is_some_and(|channel| {
        matches!(
            channel.state,
            ChannelState::Starting | ChannelState::Live | ChannelState::Interrupted
        )
    });
    // Without keys everything is served that publishes.
    let serve = forbidden.is_none() && (served || settings.mode == Mode::Open);
    let password = channel
        .as_ref()
        .and_then(|channel| channel.spec.password.as_deref())
        .filter(|password| !password.is_empty())
        .map(crate::credential::Secret::new);
    let targets = match channel.filter(|_| served && forbidden.is_none()) {
        Some(channel) => targets::of_channel(db, channel.id)?,
        None => Vec::new(),
    };
    let recordings = recordings::running(db, stream)?.into_iter().filter(|task| {
        let its_time = task.start_at.is_none_or(|at| at <= now);
        // A recording of a channel waits for its channel to be live.
        let waits = task.state == RecordState::Pending && task.channel_id.is_some() && !served;
        its_time && !waits && task.state != RecordState::Finalizing && forbidden.is_none()
    });
    Ok(Desired {
        stream: stream.to_owned(),
        serve,
        password,
        targets: targets
            .into_iter()
            .filter(crate::model::Target::is_wanted)
            .map(|target| DesiredTarget {
                id: target.id,
                url: target.url,
            })
            .collect(),
        recordings: recordings
            .map(|task| DesiredRecording {
                id: task.id,
                paused: task.state == RecordState::Paused && task.cause.is_none(),
                spec: task.spec,
            })
            .collect(),
        forbidden,
    })
}
