//! The loop that makes what should be so, and looks after what is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Control, channels, desired, policy, record};
use crate::error::Error;
use crate::machine::{ChannelInput, RecordInput};
use crate::model::{ChannelState, RecordState};
use crate::plane::{Applied, Plane};
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{channels as channel_table, recordings, sources};

/// How often what is due is looked for.
const TICK: Duration = Duration::from_secs(1);
/// Streams looked after in one go. Bounds: how long one query and one commit take.
const AT_ONCE: usize = 256;

impl Control {
    /// Joins the media side and keeps it as it should be; never returns. To be called once; dropping
    /// the future stops it.
    pub async fn drive(self, plane: Arc<dyn Plane>) {
        let _ = self.inner.plane.set(Arc::clone(&plane));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Streams where it did not work, tried again at the next ticks.
        let mut again: BTreeMap<String, u32> = BTreeMap::new();
        loop {
            // Cancel safe: touched streams are taken only when they are returned.
            let touched = tokio::select! {
                biased;
                touched = self.inner.store.touched() => touched,
                _ = tick.tick() => {
                    if let Err(error) = self.tick().await {
                        tracing::warn!("control plane: {}", error.detail);
                    }
                    due(&mut again)
                }
            };
            for streams in touched.chunks(AT_ONCE) {
                let failed = match self.make_so(plane.as_ref(), streams.to_vec()).await {
                    Ok(failed) => failed,
                    Err(error) => {
                        tracing::warn!("control plane: {}", error.detail);
                        streams.to_vec()
                    }
                };
                let wait = self.inner.settings.policy.start_retry_s.max(1);
                again.extend(failed.into_iter().map(|stream| (stream, wait)));
            }
        }
    }

    /// States what should be for these streams; returns those where it did not work.
    async fn make_so(&self, plane: &dyn Plane, streams: Vec<String>) -> Result<Vec<String>, Error> {
        let now = self.now();
        let wanted = self
            .read(move |db, settings| {
                let each = streams
                    .iter()
                    .map(|stream| desired::of(db, settings, stream, now));
                each.collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let mut failed = Vec::new();
        let mut done = Vec::new();
        for desired in wanted {
            let (stream, serve) = (desired.stream.clone(), desired.serve);
            match plane.apply(desired).await {
                Ok(applied) => done.push((stream, serve, applied)),
                Err(error) => {
                    tracing::warn!(%stream, "media plane: {error}");
                    failed.push(stream);
                }
            }
        }
        let news = self.read(move |db, _| {
            let mut news = Vec::new();
            for one in done {
                if is_news(db, &one)? {
                    news.push(one);
                }
            }
            Ok(news)
        });
        let news = news.await?;
        if !news.is_empty() {
            self.write(move |tx, settings| {
                news.iter().try_for_each(|(stream, serve, applied)| {
                    settle(tx, settings, stream, *serve, applied)
                })
            })
            .await?;
        }
        Ok(failed)
    }
}

/// Counts down; the streams whose time has come.
fn due(again: &mut BTreeMap<String, u32>) -> Vec<String> {
    let mut due = Vec::new();
    again.retain(|stream, wait| {
        *wait = wait.saturating_sub(1);
        if *wait == 0 {
            due.push(stream.clone());
        }
        *wait > 0
    });
    due
}

/// Whether what was done changes what is stored.
fn is_news(
    db: &rusqlite::Connection,
    (stream, serve, applied): &(String, bool, Applied),
) -> Result<bool, Error> {
    let channel = channel_table::running(db, stream)?;
    if *serve && channel.is_some_and(|channel| channel.state == ChannelState::Starting) {
        return Ok(true);
    }
    let ending = recordings::running(db, stream)?;
    Ok(ending
        .iter()
        .any(|task| task.state == RecordState::Finalizing && !applied.recording.contains(&task.id)))
}

/// Takes in what was done: the channel is served, recordings that the recorder does not have are over.
fn settle(
    tx: &mut Tx<'_>,
    settings: &Settings,
    stream: &str,
    serve: bool,
    applied: &Applied,
) -> Result<(), Error> {
    let session = sources::get(tx, stream)?.and_then(|source| source.session);
    if let Some(mut channel) = channel_table::running(tx, stream)?
        && serve
        && session.is_some()
    {
        let policy = policy::of(tx, settings, &channel.app_id, stream)?;
        channels::step(
            tx,
            &mut channel,
            ChannelInput::Served,
            &policy,
            session.as_ref(),
        )?;
    }
    for mut task in recordings::running(tx, stream)? {
        if task.state == RecordState::Finalizing && !applied.recording.contains(&task.id) {
            record::step(tx, &mut task, RecordInput::Over)?;
        }
    }
    Ok(())
}
