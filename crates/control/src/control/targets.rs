//! Push targets of channels.

use serde_json::{Value, json};

use super::{Control, change, list, page_limit, place, policy};
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::event::{EventKind, NewEvent};
use crate::id::{ChannelId, TargetId};
use crate::machine::PushState;
use crate::model::{Channel, OnFail, Policy, Target, TargetState};
use crate::request::{List, NewTarget, Page};
use crate::store::Tx;
use crate::table::{channels, targets as table};

/// Longest URL. Bounds: what RTMP's `tcUrl` and a name carry.
const URL: usize = 2_048;

impl Control {
    /// Adds a push target to a channel.
    ///
    /// # Errors
    /// [`Reason::ChannelNotFound`], [`Reason::TargetUrlInvalid`], [`Reason::QuotaTargets`].
    pub async fn add_target(&self, channel: ChannelId, new: NewTarget) -> Result<Target, Error> {
        self.write(move |tx, settings| {
            let channel = change::get(tx, channel)?;
            let policy = policy::of(tx, settings, &channel.app_id, &channel.stream)?;
            check(&new)?;
            let there = table::of_channel(tx, channel.id)?;
            within_quota(there.len() + 1, &policy)?;
            if there.iter().any(|target| target.url == new.url) {
                return Err(Error::field("/url", "the channel is pushed there already"));
            }
            add(tx, &channel, &new)
        })
        .await
    }

    /// The push targets of all channels that are not over, in the order of their ids, each with its stream.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] for a bad cursor.
    pub async fn targets(&self, page: Page) -> Result<List<(Target, String)>, Error> {
        let limit = page_limit(&page);
        let after: Option<TargetId> = page
            .cursor
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::field("/cursor", "not a cursor of this list"))?;
        self.read(move |db, _| {
            let found = table::of_all(db, after, limit)?;
            Ok(list(found, limit, |(target, _)| target.id.to_string()))
        })
        .await
    }

    /// Changes a push target. Another URL pushes this target anew and touches no other.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`], [`Reason::VersionConflict`], [`Reason::TargetUrlInvalid`].
    pub async fn update_target(
        &self,
        channel: ChannelId,
        id: TargetId,
        url: Option<String>,
        name: Option<String>,
        on_fail: Option<OnFail>,
        version: Option<u64>,
    ) -> Result<Target, Error> {
        self.write(move |tx, _| {
            let channel = change::get(tx, channel)?;
            let mut target = get(tx, &channel, id)?;
            if version.is_some_and(|version| version != target.version) {
                let detail = format!("target {id} has version {}", target.version);
                return Err(Error::new(Reason::VersionConflict, detail));
            }
            let moved = url.as_ref().is_some_and(|url| *url != target.url);
            target.url = url.unwrap_or(target.url);
            target.name = name.unwrap_or(target.name);
            target.on_fail = on_fail.unwrap_or(target.on_fail);
            check(&NewTarget {
                url: target.url.clone(),
                name: target.name.clone(),
                on_fail: target.on_fail,
            })?;
            if moved || target.state == TargetState::Failed {
                target.state = TargetState::Idle;
                target.since = tx.now();
                target.last_error = None;
            }
            target.version += 1;
            table::put(tx, &target)?;
            tx.touch(&channel.stream);
            Ok(target)
        })
        .await
    }

    /// Removes a push target.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`], [`Reason::ChannelNotFound`].
    pub async fn remove_target(&self, channel: ChannelId, id: TargetId) -> Result<(), Error> {
        self.write(move |tx, _| {
            let channel = change::get(tx, channel)?;
            let target = get(tx, &channel, id)?;
            remove(tx, &channel, target)
        })
        .await
    }
}

fn get(tx: &Tx<'_>, channel: &Channel, id: TargetId) -> Result<Target, Error> {
    let found = table::get(tx, id)?.filter(|target| target.channel_id == channel.id);
    found.ok_or_else(|| super::missing(&format!("target {id} of channel {}", channel.id)))
}

/// Makes a channel's targets these, compared by URL.
pub(super) fn replace(
    tx: &mut Tx<'_>,
    channel: &Channel,
    wanted: &[NewTarget],
) -> Result<(), Error> {
    let there = table::of_channel(tx, channel.id)?;
    let (stay, go): (Vec<_>, Vec<_>) = there
        .into_iter()
        .partition(|target| wanted.iter().any(|one| one.url == target.url));
    for target in go {
        remove(tx, channel, target)?;
    }
    for one in wanted {
        match stay.iter().find(|target| target.url == one.url) {
            None => drop(add(tx, channel, one)?),
            Some(target) => {
                let mut target = target.clone();
                (target.name, target.on_fail) = (one.name.clone(), one.on_fail);
                table::put(tx, &target)?;
            }
        }
    }
    Ok(())
}

fn add(tx: &mut Tx<'_>, channel: &Channel, new: &NewTarget) -> Result<Target, Error> {
    let now = tx.now();
    let target = Target {
        id: TargetId::fresh(now),
        channel_id: channel.id,
        url: new.url.clone(),
        name: new.name.clone(),
        on_fail: new.on_fail,
        state: TargetState::Idle,
        since: now,
        last_error: None,
        version: 1,
    };
    table::put(tx, &target)?;
    tx.touch(&channel.stream);
    Ok(target)
}

fn remove(tx: &mut Tx<'_>, channel: &Channel, mut target: Target) -> Result<(), Error> {
    table::remove(tx, target.id)?;
    tx.touch(&channel.stream);
    if !matches!(target.state, TargetState::Idle | TargetState::Failed) {
        target.state = TargetState::Disconnecting;
        say(tx, channel, &target)?;
    }
    Ok(())
}

/// What the media side does with a target.
pub(super) fn observe(
    tx: &mut Tx<'_>,
    id: TargetId,
    push: PushState,
    error: Option<String>,
    now: UnixMs,
) -> Result<(), Error> {
    let Some(mut target) = table::get(tx, id)? else {
        return Ok(());
    };
    let before = target.clone();
    let changed = target.observe(push, error, now);
    if target != before {
        table::put(tx, &target)?;
    }
    if changed && let Some(channel) = channels::get(tx, target.channel_id)? {
        say(tx, &channel, &target)?;
        tx.touch(&channel.stream);
    }
    Ok(())
}

fn say(tx: &mut Tx<'_>, channel: &Channel, target: &Target) -> Result<(), Error> {
    let data = json!({
        "target_id": target.id,
        "name": target.name,
        "url": target.shown_url(),
        "state": target.state,
        "state_code": target.state.number(),
        "reason": target.last_error,
    });
    let subject = place::of_channel(channel);
    let data = match data {
        Value::Object(data) => Value::Object(
            data.into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect(),
        ),
        other => other,
    };
    tx.event(NewEvent {
        kind: EventKind::TargetStateChanged,
        subject,
        data,
    })?;
    Ok(())
}

/// # Errors
/// The first target that cannot be, or too many.
pub(super) fn check_all(targets: &[NewTarget], policy: &Policy) -> Result<(), Error> {
    within_quota(targets.len(), policy)?;
    for (index, target) in targets.iter().enumerate() {
        check(target)?;
        if targets
            .iter()
            .take(index)
            .any(|other| other.url == target.url)
        {
            return Err(Error::field(
                &format!("/targets/{index}/url"),
                "stands there twice",
            ));
        }
    }
    Ok(())
}

fn within_quota(count: usize, policy: &Policy) -> Result<(), Error> {
    let most = policy.max_targets;
    if count > usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(Error::new(
            Reason::QuotaTargets,
            format!("more than {most} targets"),
        ));
    }
    Ok(())
}

/// The form of a URL; where it may lead is asked when it is connected.
fn check(target: &NewTarget) -> Result<(), Error> {
    let refuse = |what: &str| {
        let detail = format!("{what}; expected rtmp://HOST[:PORT]/APP/KEY or rtmps://…");
        Err(Error::new(Reason::TargetUrlInvalid, detail))
    };
    if target.url.len() > URL {
        return refuse("the URL is too long");
    }
    if target
        .url
        .contains(|ch: char| ch.is_control() || ch.is_whitespace())
    {
        return refuse("the URL contains a space or a control character");
    }
    let rest = ["rtmp://", "rtmps://"]
        .iter()
        .find_map(|scheme| target.url.strip_prefix(scheme));
    let Some(rest) = rest else {
        return refuse("the URL is neither rtmp nor rtmps");
    };
    let Some((host, path)) = rest.split_once('/') else {
        return refuse("the URL names no app");
    };
    if host.is_empty() || path.is_empty() {
        return refuse("the URL names no host, or no app");
    }
    if target.name.chars().count() > 128 || target.name.contains(char::is_control) {
        return Err(Error::field(
            "/name",
            "more than 128 characters, or control characters",
        ));
    }
    Ok(())
}
