//! What every change of a channel brings with it: its row, its event, its recordings.

use serde_json::{Map, Value, json};

use super::{place, record, seconds};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::event::{EventKind, NewEvent};
use crate::machine::ChannelInput;
use crate::model::{Cause, Channel, ChannelState, Policy, Session, SourceState};
use crate::store::Tx;
use crate::table::{channels, sources};

/// How long the media side may take to serve a channel before it counts as failed.
const START_GIVEN_UP_S: u32 = 60;

/// Carries an input out: the row, the event, what follows of it.
pub(super) fn step(
    tx: &mut Tx<'_>,
    channel: &mut Channel,
    input: ChannelInput,
    policy: &Policy,
    session: Option<&Session>,
) -> Result<(), Error> {
    let (before, now) = (channel.version, tx.now());
    let publishing = session.is_some() && channel.state == ChannelState::Live;
    let event = channel.apply(input, now, seconds(policy.channel_retention_s));
    if channel.version == before {
        return Ok(());
    }
    channels::update(tx, channel)?;
    tx.touch(&channel.stream);
    if let Some(kind) = event {
        let mut data = data(channel, session, now);
        if kind == EventKind::ChannelEnded {
            data.insert("publishing".to_owned(), publishing.into());
        }
        say(tx, channel, kind, data)?;
    }
    if channel.state == ChannelState::Live {
        record::ensure_auto(tx, channel, policy)?;
    }
    if channel.state.is_over() {
        record::end_of_channel(tx, channel)?;
    }
    Ok(())
}

/// Its source publishes.
pub(super) fn published(
    tx: &mut Tx<'_>,
    channel: &mut Channel,
    policy: &Policy,
    session: &Session,
) -> Result<(), Error> {
    let due = tx.now().plus(seconds(START_GIVEN_UP_S));
    step(
        tx,
        channel,
        ChannelInput::Publishing { due },
        policy,
        Some(session),
    )
}

/// A call or the policy ends it.
pub(super) fn stop(
    tx: &mut Tx<'_>,
    channel: &mut Channel,
    policy: &Policy,
    cause: Cause,
) -> Result<(), Error> {
    let source = sources::get(tx, &channel.stream)?;
    let session = source.and_then(|source| source.session);
    step(
        tx,
        channel,
        ChannelInput::Stop { cause },
        policy,
        session.as_ref(),
    )
}

/// Writes a channel's event.
pub(super) fn say(
    tx: &mut Tx<'_>,
    channel: &Channel,
    kind: EventKind,
    data: Map<String, Value>,
) -> Result<(), Error> {
    let subject = place::of_channel(channel);
    tx.event(NewEvent {
        kind,
        subject,
        data: Value::Object(data),
    })?;
    Ok(())
}

/// What a channel's events tell.
pub(super) fn data(
    channel: &Channel,
    session: Option<&Session>,
    now: UnixMs,
) -> Map<String, Value> {
    let mut data = session
        .map(|session| of_session(session, now))
        .unwrap_or_default();
    data.insert("state".to_owned(), channel.state.as_str().into());
    data.insert("origin".to_owned(), channel.origin.as_str().into());
    data.insert("name".to_owned(), channel.spec.name.clone().into());
    data.insert("protocols".to_owned(), json!(channel.spec.protocols));
    data.insert(
        "metadata".to_owned(),
        Value::Object(channel.spec.metadata.clone()),
    );
    if let Some(until) = channel
        .due_at
        .filter(|_| channel.state == ChannelState::Interrupted)
    {
        data.insert("waits_until".to_owned(), json!(until));
    }
    if let Some(until) = channel.reserved_until {
        data.insert("reserved_until".to_owned(), json!(until));
    }
    if let Some(cause) = &channel.cause {
        insert_cause(&mut data, cause);
    }
    data
}

/// What events tell of a publish.
pub(super) fn of_session(session: &Session, now: UnixMs) -> Map<String, Value> {
    let since = UnixMs(session.since_ms);
    let duration = now.since(since).as_millis();
    let fields = [
        ("push_sequence", json!(session.sequence.to_string())),
        ("push_started_at", json!(since)),
        (
            "push_duration_ms",
            json!(u64::try_from(duration).unwrap_or(u64::MAX)),
        ),
        ("peer", json!(session.user_ip)),
        ("protocol", json!(session.protocol)),
        ("stream_param", json!(session.stream_param)),
        ("width", json!(session.width)),
        ("height", json!(session.height)),
    ];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn insert_cause(data: &mut Map<String, Value>, cause: &Cause) {
    data.insert("errcode".to_owned(), cause.errcode.into());
    data.insert("errmsg".to_owned(), cause.text.clone().into());
}

/// What is shown of a channel's state: forbidden lies over it.
pub(super) fn shown(channel: &Channel, source: Option<&SourceState>, now: UnixMs) -> ChannelState {
    let forbidden = source.is_some_and(|source| source.is_forbidden(now));
    if forbidden && !channel.state.is_over() {
        ChannelState::Forbidden
    } else {
        channel.state
    }
}
