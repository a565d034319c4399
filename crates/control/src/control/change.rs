//! Reading and changing channels.

use rusqlite::Connection;

use super::{
    Control, channels, list, number_cursor, page_limit, policy, record, record_spec, start, targets,
};
use crate::error::{Error, Reason};
use crate::id::ChannelId;
use crate::model::{Cause, Channel, ChannelState, RecordOrigin};
use crate::request::{ChannelChange, ChannelFilter, ChannelView, Expect, List, Page, RecordAsk};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{Where, channels as table, recordings, sources, targets as target_table};

impl Control {
    /// A channel and what belongs to it.
    ///
    /// # Errors
    /// [`Reason::ChannelNotFound`].
    pub async fn channel(&self, id: ChannelId) -> Result<ChannelView, Error> {
        let now = self.now();
        self.read(move |db, _| {
            let channel = get(db, id)?;
            view(db, channel, now)
        })
        .await
    }

    /// Channels, newest first; the state asked for is the one that is shown.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] for a bad cursor.
    pub async fn channels(
        &self,
        filter: ChannelFilter,
        page: Page,
    ) -> Result<List<ChannelView>, Error> {
        let (now, limit, before) = (self.now(), page_limit(&page), number_cursor(&page)?);
        self.read(move |db, _| {
            let forbidden = "EXISTS (SELECT 1 FROM sources WHERE sources.stream = channels.stream AND forbidden_until > ?)";
            let at = Some(now);
            let state = filter.state.filter(|state| *state != ChannelState::Forbidden);
            let mut condition = Where::new();
            condition.and("app_id = ?", &filter.app_id);
            condition.and("room_id = ?", &filter.room_id);
            condition.and("user_id = ?", &filter.user_id);
            condition.and("stream = ?", &filter.stream);
            condition.and("origin = ?", &filter.origin);
            condition.and("state = ?", &state);
            let not_forbidden = format!("(ended_at IS NOT NULL OR NOT {forbidden})");
            match filter.state {
                Some(ChannelState::Forbidden) => {
                    condition.and_sql("ended_at IS NULL");
                    condition.and(forbidden, &at);
                }
                Some(_) => condition.and(&not_forbidden, &at),
                None => {}
            }
            condition.and("channel_id < ?", &before);
            let found = table::list(db, condition, &limit)?;
            let page = list(found, limit, |channel| channel.id.signed().to_string());
            let views = page.items.into_iter().map(|channel| view(db, channel, now));
            Ok(List { items: views.collect::<Result<_, _>>()?, next_cursor: page.next_cursor })
        })
        .await
    }

    /// Changes a channel.
    ///
    /// # Errors
    /// [`Reason::ChannelNotFound`], [`Reason::VersionConflict`], wrong fields.
    pub async fn update_channel(
        &self,
        id: ChannelId,
        change: ChannelChange,
        expect: Expect,
    ) -> Result<ChannelView, Error> {
        self.write(move |tx, settings| update(tx, settings, id, change, expect))
            .await
    }

    /// Waits until a channel is live, or its state says that it will not be, at most so long.
    ///
    /// # Errors
    /// [`Reason::ChannelNotFound`]; when the state cannot be read.
    pub async fn wait_until_live(
        &self,
        id: ChannelId,
        wait: std::time::Duration,
    ) -> Result<ChannelView, Error> {
        let mut news = self.news();
        let until = tokio::time::Instant::now() + wait;
        loop {
            news.borrow_and_update();
            let view = self.channel(id).await?;
            let waits = matches!(
                view.channel.state,
                ChannelState::Pending | ChannelState::Starting
            );
            if !waits
                || tokio::time::timeout_at(until, news.changed())
                    .await
                    .is_err()
            {
                return Ok(view);
            }
        }
    }
}

pub(super) fn get(db: &Connection, id: ChannelId) -> Result<Channel, Error> {
    let found = table::get(db, id)?;
    found.ok_or_else(|| Error::new(Reason::ChannelNotFound, format!("there is no channel {id}")))
}

pub(super) fn view(
    db: &Connection,
    channel: Channel,
    now: crate::UnixMs,
) -> Result<ChannelView, Error> {
    let source = sources::get(db, &channel.stream)?;
    Ok(ChannelView {
        state: channels::shown(&channel, source.as_ref(), now),
        recordings: recordings::of_channel(db, channel.id, &channel.stream)?,
        targets: target_table::of_channel(db, channel.id)?,
        channel,
    })
}

/// Refuses a change that was meant for another version.
pub(super) fn expected(channel: &mut Channel, expect: Expect) -> Result<(), Error> {
    let id = channel.id;
    if let Some(version) = expect.version
        && version != channel.version
    {
        let detail = format!(
            "channel {id} has version {}, not {version}",
            channel.version
        );
        return Err(Error::new(Reason::VersionConflict, detail));
    }
    if let Some(sequence) = expect.sequence {
        if channel.sequence.is_some_and(|last| sequence <= last) {
            let last = channel.sequence.unwrap_or_default();
            let detail = format!(
                "channel {id} was changed with sequence {last}; {sequence} is not above it"
            );
            return Err(Error::new(Reason::VersionConflict, detail));
        }
        channel.sequence = Some(sequence);
    }
    Ok(())
}

fn update(
    tx: &mut Tx<'_>,
    settings: &Settings,
    id: ChannelId,
    change: ChannelChange,
    expect: Expect,
) -> Result<ChannelView, Error> {
    let mut channel = get(tx, id)?;
    expected(&mut channel, expect)?;
    let policy = policy::of(tx, settings, &channel.app_id, &channel.stream)?;
    let spec = &mut channel.spec;
    spec.name = change.name.unwrap_or(std::mem::take(&mut spec.name));
    spec.description = change
        .description
        .unwrap_or(std::mem::take(&mut spec.description));
    spec.password = change.password.unwrap_or(spec.password.take());
    spec.metadata = change
        .metadata
        .unwrap_or(std::mem::take(&mut spec.metadata));
    if let Some(protocols) = change.protocols {
        if protocols.is_empty() {
            return Err(Error::new(
                Reason::ProtocolInvalid,
                "a channel needs a protocol",
            ));
        }
        spec.protocols = protocols;
    }
    start::check_spec(spec)?;
    if let Some(ask) = change.record {
        change_record(tx, settings, &channel, ask)?;
    }
    if let Some(wanted) = change.targets {
        targets::check_all(&wanted, &policy)?;
        targets::replace(tx, &channel, &wanted)?;
    }
    channel.version += 1;
    table::update(tx, &channel)?;
    tx.touch(&channel.stream);
    let now = tx.now();
    view(tx, channel, now)
}

/// Other formats end the recording of the start and begin another.
fn change_record(
    tx: &mut Tx<'_>,
    settings: &Settings,
    channel: &Channel,
    ask: Option<RecordAsk>,
) -> Result<(), Error> {
    if channel.state.is_over() {
        return Err(Error::new(
            Reason::AlreadyStopped,
            format!("channel {} is over", channel.id),
        ));
    }
    let policy = policy::of(tx, settings, &channel.app_id, &channel.stream)?;
    let ask = ask.filter(|ask| !ask.formats.is_empty());
    if let Some(ask) = &ask {
        record::not_in_duo(tx, &channel.app_id, &channel.room_id)?;
        record_spec::check_ask(ask)?;
    }
    let wanted = ask.map(|ask| record_spec::spec_of(&ask, &policy));
    let mut there = false;
    for mut task in recordings::of_channel(tx, channel.id, &channel.stream)? {
        if task.origin != RecordOrigin::Start {
            continue;
        }
        if Some(&task.spec) == wanted.as_ref() {
            there = true;
        } else {
            record::stop(tx, &mut task, Cause::ours("other formats were asked for"))?;
        }
    }
    if let Some(spec) = wanted.filter(|_| !there) {
        let mut task = record::of_channel(channel, RecordOrigin::Start, spec, tx.now());
        recordings::insert(tx, &mut task, None)?;
    }
    Ok(())
}
