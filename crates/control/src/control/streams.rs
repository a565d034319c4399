//! Streams as moderators see them: list, drop, forbid, resume.

use std::time::Duration;

use rusqlite::Connection;

use super::{Control, channels, list, page_limit, policy};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::event::EventKind;
use crate::model::{Cause, Origin, SourceState};
use crate::request::{List, Moderated, Page, SourceFilter, StreamInfo};
use crate::settings::Settings;
use crate::table::{channels as channel_table, sources as table};

/// Longest ban.
const LONGEST: Duration = Duration::from_hours(90 * 24);

impl Control {
    /// A stream by its code, or by its name in the hub.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`](crate::Reason::ResourceNotFound).
    pub async fn stream(&self, stream: String) -> Result<StreamInfo, Error> {
        let now = self.now();
        self.read(move |db, settings| {
            let source = find(db, settings, &stream)?;
            info(db, source, now)
        })
        .await
    }

    /// Streams in the order of their names.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn streams(
        &self,
        filter: SourceFilter,
        page: Page,
    ) -> Result<List<StreamInfo>, Error> {
        let (now, limit) = (self.now(), page_limit(&page));
        self.read(move |db, _| {
            let after = page.cursor.unwrap_or_default();
            let found = table::list(db, &filter, now, &after, limit)?;
            let page = list(found, limit, |source| source.stream.clone());
            let infos = page.items.into_iter().map(|source| info(db, source, now));
            Ok(List {
                items: infos.collect::<Result<_, _>>()?,
                next_cursor: page.next_cursor,
            })
        })
        .await
    }

    /// Sends a stream's publisher away. It may come back; a channel of the policy is over.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`](crate::Reason::ResourceNotFound).
    pub async fn drop_stream(
        &self,
        stream: String,
        reason: Option<String>,
    ) -> Result<Moderated, Error> {
        let why = reason.unwrap_or_else(|| "dropped by a call".to_owned());
        let cause = Cause::ours(why.clone());
        let info = self
            .write(move |tx, settings| {
                let source = find(tx, settings, &stream)?;
                if let Some(mut channel) = channel_table::running(tx, &source.stream)?
                    && channel.origin == Origin::Auto
                {
                    let policy = policy::of(tx, settings, &source.app_id, &source.stream)?;
                    channels::stop(tx, &mut channel, &policy, cause)?;
                }
                info(tx, source, tx.now())
            })
            .await?;
        Ok(self.send_away(info, &why))
    }

    /// Forbids a stream until a moment, at most 90 days ahead, and sends its publisher away.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`](crate::Reason::FieldInvalid), [`Reason::ResourceNotFound`](crate::Reason::ResourceNotFound).
    pub async fn forbid_stream(
        &self,
        stream: String,
        until: Option<UnixMs>,
        reason: Option<String>,
    ) -> Result<Moderated, Error> {
        let why = reason.unwrap_or_else(|| "forbidden by a call".to_owned());
        let text = why.clone();
        let info = self
            .write(move |tx, settings| {
                let (now, longest) = (tx.now(), tx.now().plus(LONGEST));
                let until = until.unwrap_or(longest);
                if until <= now || until > longest {
                    return Err(Error::field(
                        "/until",
                        "not in the future, or more than 90 days ahead",
                    ));
                }
                if text.chars().count() > 256 || text.contains(char::is_control) {
                    return Err(Error::field(
                        "/reason",
                        "more than 256 characters, or control characters",
                    ));
                }
                let mut source = find(tx, settings, &stream)?;
                source.forbidden_until = Some(until);
                source.forbid_reason = Some(text.clone());
                table::put(tx, &source)?;
                if let Some(channel) = channel_table::running(tx, &source.stream)? {
                    let mut data = channels::data(&channel, source.session.as_ref(), now);
                    data.insert("until".to_owned(), until.to_string().into());
                    data.insert("reason".to_owned(), text.into());
                    channels::say(tx, &channel, EventKind::ChannelForbidden, data)?;
                }
                tx.touch(&source.stream);
                info(tx, source, now)
            })
            .await?;
        Ok(self.send_away(info, &why))
    }

    /// Allows a forbidden stream again.
    ///
    /// # Errors
    /// [`Reason::ResourceNotFound`](crate::Reason::ResourceNotFound).
    pub async fn resume_stream(&self, stream: String) -> Result<Moderated, Error> {
        let stream = self
            .write(move |tx, settings| {
                let mut source = find(tx, settings, &stream)?;
                source.forbidden_until = None;
                source.forbid_reason = None;
                table::put(tx, &source)?;
                tx.touch(&source.stream);
                info(tx, source, tx.now())
            })
            .await?;
        Ok(Moderated {
            stream,
            dropped: false,
        })
    }

    fn send_away(&self, stream: StreamInfo, why: &str) -> Moderated {
        let plane = self.inner.plane.get();
        let dropped = plane.is_some_and(|plane| plane.drop_publisher(&stream.source.stream, why));
        Moderated { stream, dropped }
    }
}

/// A stream by its name in the hub, or by its code under the configured RTMP app.
pub(super) fn find(
    db: &Connection,
    settings: &Settings,
    stream: &str,
) -> Result<SourceState, Error> {
    if let Some(source) = table::get(db, stream)? {
        return Ok(source);
    }
    let full = format!("{}/{stream}", settings.rtmp_app);
    table::get(db, &full)?.ok_or_else(|| super::missing(&format!("stream {stream:?}")))
}

fn info(db: &Connection, source: SourceState, now: UnixMs) -> Result<StreamInfo, Error> {
    let running = channel_table::running(db, &source.stream)?;
    let channel = match running {
        Some(channel) => Some(channel),
        None => channel_table::last(db, &source.stream)?,
    };
    let state = channel
        .as_ref()
        .map(|channel| channels::shown(channel, Some(&source), now));
    Ok(StreamInfo {
        source,
        channel,
        state,
    })
}
