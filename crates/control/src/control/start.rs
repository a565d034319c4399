//! Starting a bypass.

use super::place::{self, Asks};
use super::{Control, channels, policy, record, record_spec, seconds, targets};
use crate::credential::Identity;
use crate::error::{Error, FieldError, Reason};
use crate::id::ChannelId;
use crate::machine::ChannelInput;
use crate::model::{
    Channel, ChannelSpec, ChannelState, IfExists, Origin, Policy, RecordOrigin, RoomKind,
    SourceState, StartWhen, Uniqueness,
};
use crate::request::{Start, StartEffect, Started, Warning};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{channels as table, recordings, rooms, sources, targets as target_table};

/// Longest texts of a channel, in characters.
const NAME: usize = 256;
const DESCRIPTION: usize = 2_048;
const PASSWORD: usize = 128;
/// Longest metadata, in bytes of JSON.
const METADATA: usize = 16 << 10;

impl Control {
    /// Starts the bypass of a member's source. When it has answered, the channel is stored; it is
    /// live as soon as its source publishes ([`Control::wait_until_live`]).
    ///
    /// # Errors
    /// The refusals of the specification, most of all [`Reason::ChannelExists`] with that channel.
    pub async fn start(&self, request: Start) -> Result<Started, Error> {
        let subject = self.subject_of(&request.place, &request.user_id, request.source);
        let started = self.write(move |tx, settings| start(tx, settings, request));
        self.telling_of_quota(started.await, subject).await
    }
}

fn start(tx: &mut Tx<'_>, settings: &Settings, request: Start) -> Result<Started, Error> {
    let now = tx.now();
    let app_id = request.place.app_id.as_deref();
    let (app_id, app) = place::app(tx, settings, app_id, Asks::Service)?;
    check_spec(&request.spec)?;
    let (room_id, room) = place::room(tx, &app_id, &request.place)?;
    let member = place::identity(&room_id, &request.user_id, request.source)?;
    may_enter(tx, &app_id, room.as_ref(), &member, request.must_be_in_room)?;

    let app_policy = policy::of_app(tx, settings, &app_id)?;
    let stream = place::stream(tx, settings, (&app_id, &app), &app_policy, &member)?;
    let policy = policy::of(tx, settings, &app_id, &stream)?;
    let record = request
        .record
        .as_ref()
        .filter(|ask| !ask.formats.is_empty());
    if record.is_some() && room.as_ref().is_some_and(|room| room.kind == RoomKind::Duo) {
        return Err(record::duo(&room_id));
    }
    record.map_or(Ok(()), record_spec::check_ask)?;
    targets::check_all(&request.targets, &policy)?;

    let mut source = place::source(tx, &app_id, &stream, &member, now)?;
    if source.is_forbidden(now) {
        return Err(forbidden(&source));
    }
    if let Some(channel) = table::running(tx, &stream)? {
        return exists(tx, channel, request.if_exists);
    }
    let auto = is_auto(&policy, &member);
    if !auto {
        unique(tx, &app_id, &member, &policy)?;
        not_too_soon(&source, &policy, now)?;
    }
    if source.session.is_none() && request.start_when == StartWhen::Immediate {
        let detail = format!(
            "{} of user {} is not publishing",
            member.source(),
            member.user()
        );
        return Err(Error::new(Reason::NotPublishing, detail).retry_after(seconds(3)));
    }
    within_quota(tx, &app_id, &policy)?;
    place::enter(tx, &app_id, &member)?;
    source.last_start_at = Some(now);
    sources::put(tx, &source)?;
    let origin = if auto { Origin::Auto } else { Origin::Manual };
    let (mut channel, effect) = open(tx, &source, origin, request.spec, &policy)?;
    channel.sequence = request.sequence.or(channel.sequence);
    targets::replace(tx, &channel, &request.targets)?;
    let mut warnings = Vec::new();
    // Under automatic bypass a start finds the URLs and does nothing else.
    if let Some(ask) = record.filter(|_| !auto) {
        let spec = record_spec::spec_of(ask, &policy);
        let mut task = record::of_channel(&channel, RecordOrigin::Start, spec, now);
        recordings::insert(tx, &mut task, None)?;
        if policy.auto_record.enabled {
            warnings.push(Warning::DoubleRecording);
        }
    }
    if let Some(session) = &source.session {
        channels::published(tx, &mut channel, &policy, session)?;
    } else {
        table::update(tx, &channel)?;
    }
    let effect = if auto { StartEffect::UrlsOnly } else { effect };
    answer(tx, channel, effect, warnings)
}

/// A new channel, or the last one again while its id is kept.
pub(super) fn open(
    tx: &mut Tx<'_>,
    source: &SourceState,
    origin: Origin,
    mut spec: ChannelSpec,
    policy: &Policy,
) -> Result<(Channel, StartEffect), Error> {
    let now = tx.now();
    if spec.protocols.is_empty() {
        spec.protocols.clone_from(&policy.auto_bypass.protocols);
    }
    let last = table::last(tx, &source.stream)?.filter(|last| last.is_reserved(now));
    let (channel, effect) = match last {
        Some(mut channel) => {
            (channel.origin, channel.spec) = (origin, spec);
            channels::step(tx, &mut channel, ChannelInput::Start, policy, None)?;
            (channel, StartEffect::Resumed)
        }
        None => {
            let channel = new_channel(source, origin, spec, now);
            table::insert(tx, &channel)?;
            let data = channels::data(&channel, None, now);
            channels::say(tx, &channel, crate::EventKind::ChannelPending, data)?;
            tx.touch(&channel.stream);
            (channel, StartEffect::Started)
        }
    };
    Ok((channel, effect))
}

fn new_channel(
    source: &SourceState,
    origin: Origin,
    spec: ChannelSpec,
    now: crate::UnixMs,
) -> Channel {
    Channel {
        id: ChannelId::fresh(now),
        stream: source.stream.clone(),
        app_id: source.app_id.clone(),
        room_id: source.room_id.clone(),
        user_id: source.user_id.clone(),
        source: source.source,
        origin,
        state: ChannelState::Pending,
        spec,
        created_at: now,
        started_at: None,
        due_at: None,
        ended_at: None,
        reserved_until: None,
        cause: None,
        sequence: None,
        version: 1,
    }
}

/// Whether the policy makes a channel of this source by itself.
pub(super) fn is_auto(policy: &Policy, member: &Identity) -> bool {
    policy.auto_bypass.enabled && policy.auto_bypass.sources.contains(&member.source())
}

pub(super) fn may_enter(
    tx: &Tx<'_>,
    app_id: &str,
    room: Option<&crate::model::Room>,
    member: &Identity,
    strict: bool,
) -> Result<(), Error> {
    let not_in = || {
        let detail = format!("user {} is not in room {}", member.user(), member.room());
        Err(Error::new(Reason::UserNotInRoom, detail))
    };
    match room {
        None if strict => {
            let detail = format!("there is no room {}", member.room());
            return Err(Error::new(Reason::RoomNotFound, detail));
        }
        Some(room) if room.closed_at.is_some() && !room.implicit => {
            let detail = format!("room {} is closed", member.room());
            return Err(Error::new(Reason::RoomClosed, detail));
        }
        _ => {}
    }
    match rooms::member(tx, app_id, member.room(), member.user())? {
        None if strict => not_in(),
        Some(known) if known.left_at.is_some() => not_in(),
        _ => Ok(()),
    }
}

/// The answer to a start when the source has a channel.
fn exists(tx: &Tx<'_>, channel: Channel, if_exists: IfExists) -> Result<Started, Error> {
    if channel.origin == Origin::Auto {
        return answer(tx, channel, StartEffect::UrlsOnly, Vec::new());
    }
    if if_exists == IfExists::Return {
        return answer(tx, channel, StartEffect::AlreadyLive, Vec::new());
    }
    Err(refused(channel))
}

fn refused(channel: Channel) -> Error {
    let (user, state, id) = (&channel.user_id, channel.state, channel.id);
    let detail = format!("user {user} has channel {id}, which is {state}");
    Error::new(Reason::ChannelExists, detail).existing(channel)
}

fn unique(tx: &Tx<'_>, app_id: &str, member: &Identity, policy: &Policy) -> Result<(), Error> {
    let others = table::of_user(tx, app_id, member.user())?;
    let in_the_way = others.into_iter().find(|other| match policy.uniqueness {
        Uniqueness::User => true,
        Uniqueness::UserSource => other.source == member.source(),
    });
    in_the_way.map_or(Ok(()), |other| Err(refused(other)))
}

fn not_too_soon(source: &SourceState, policy: &Policy, now: crate::UnixMs) -> Result<(), Error> {
    let Some(last) = source.last_start_at else {
        return Ok(());
    };
    let next = last.plus(seconds(policy.start_min_interval_s));
    if now >= next {
        return Ok(());
    }
    let detail = format!(
        "user {} started less than {} s ago",
        source.user_id, policy.start_min_interval_s
    );
    Err(Error::new(Reason::RateLimited, detail).retry_after(next.since(now)))
}

pub(super) fn within_quota(tx: &Tx<'_>, app_id: &str, policy: &Policy) -> Result<(), Error> {
    let running = table::count_running(tx, app_id)?;
    if running < policy.max_channels {
        return Ok(());
    }
    let detail = format!("app {app_id} has {running} channels, the limit");
    Err(Error::new(Reason::QuotaChannels, detail))
}

pub(super) fn forbidden(source: &SourceState) -> Error {
    let until = source.forbidden_until.map(|until| until.to_string());
    let detail = format!(
        "stream {} is forbidden until {}",
        source.stream_id(),
        until.unwrap_or_default()
    );
    Error::new(Reason::StreamForbidden, detail)
}

pub(super) fn answer(
    tx: &Tx<'_>,
    channel: Channel,
    effect: StartEffect,
    warnings: Vec<Warning>,
) -> Result<Started, Error> {
    Ok(Started {
        recordings: recordings::running(tx, &channel.stream)?,
        targets: target_table::of_channel(tx, channel.id)?,
        channel,
        effect,
        warnings,
    })
}

/// # Errors
/// Names all texts that are too long.
pub(super) fn check_spec(spec: &ChannelSpec) -> Result<(), Error> {
    let mut wrong = Vec::new();
    let mut text = |pointer: &str, text: &str, most: usize| {
        let count = text.chars().count();
        let detail = if count > most {
            format!("has {count} characters, more than {most}")
        } else if text.contains(|ch: char| ch.is_control() && ch != '\n' && ch != '\t') {
            "contains a control character".to_owned()
        } else {
            return;
        };
        wrong.push(FieldError {
            pointer: pointer.to_owned(),
            detail,
        });
    };
    text("/channel/name", &spec.name, NAME);
    text("/channel/description", &spec.description, DESCRIPTION);
    text(
        "/channel/password",
        spec.password.as_deref().unwrap_or_default(),
        PASSWORD,
    );
    text(
        "/sdk_type",
        spec.sdk_type.as_deref().unwrap_or_default(),
        64,
    );
    let size = serde_json::to_string(&spec.metadata).map_or(0, |json| json.len());
    if size > METADATA {
        wrong.push(FieldError {
            pointer: "/metadata".to_owned(),
            detail: format!("has {size} bytes of JSON, more than {METADATA}"),
        });
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::fields(wrong))
    }
}
