//! What is due: waits that are over, times that have come, what is too old to keep.

use std::time::Duration;

use super::{Control, channels, policy, record, seconds};
use crate::error::Error;
use crate::event;
use crate::machine::ChannelInput;
use crate::model::Cause;
use crate::settings::Settings;
use crate::store::Tx;
use crate::table::{channels as table, recordings, rooms, sources};

/// How long ended channels, and sources that nobody uses, are remembered.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);
/// How often what is too old is looked for, in milliseconds.
const PRUNE_EVERY_MS: i64 = 60_000;

impl Control {
    /// Carries out what is due at this moment. To be called about once a second.
    ///
    /// # Errors
    /// When it cannot be stored; it is due again.
    pub(crate) async fn tick(&self) -> Result<(), Error> {
        let now = self.now();
        // A second without anything due costs a few looks into indexes, and no commit.
        let due = self.read(move |db, settings| {
            let idle = now.minus(seconds(settings.policy.record_idle_s));
            Ok(!table::due(db, now)?.is_empty()
                || !recordings::to_start(db, now)?.is_empty()
                || !recordings::to_end(db, now)?.is_empty()
                || !recordings::idle(db, idle)?.is_empty())
        });
        if due.await? {
            self.write(carry_out).await?;
        }
        if now.0.rem_euclid(PRUNE_EVERY_MS) < 1_000 {
            self.write(prune).await?;
        }
        Ok(())
    }
}

fn carry_out(tx: &mut Tx<'_>, settings: &Settings) -> Result<(), Error> {
    let now = tx.now();
    for mut channel in table::due(tx, now)? {
        let policy = policy::of(tx, settings, &channel.app_id, &channel.stream)?;
        channels::step(tx, &mut channel, ChannelInput::Overdue, &policy, None)?;
    }
    for task in recordings::to_start(tx, now)? {
        tx.touch(&task.stream);
        recordings::set_begun(tx, task.id)?;
    }
    for mut task in recordings::to_end(tx, now)? {
        record::stop(tx, &mut task, Cause::ours("its time is over"))?;
    }
    let idle = now.minus(seconds(settings.policy.record_idle_s));
    for mut task in recordings::idle(tx, idle)? {
        record::stop(
            tx,
            &mut task,
            Cause {
                errcode: 8,
                text: "no media for too long".to_owned(),
            },
        )?;
    }
    Ok(())
}

fn prune(tx: &mut Tx<'_>, settings: &Settings) -> Result<(), Error> {
    let now = tx.now();
    let before = now.minus(REMEMBERED);
    event::prune(tx, now)?;
    table::prune(tx, before)?;
    sources::prune(tx, before)?;
    super::idempotency::prune(tx, now)?;
    rooms::close_idle(tx, now.minus(seconds(settings.policy.room_idle_s)), now)?;
    Ok(())
}
