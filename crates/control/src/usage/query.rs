//! Usage as it is asked for: sums per time and group.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{BUCKET_S, Direction};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::words::words;

/// Most times in an answer. Bounds: its size.
const MOST_TIMES: i64 = 10_000;

/// Most rows of an answer.
const MOST_ROWS: usize = 100_000;

words! {
    /// How long the times of an answer are.
    pub enum Granularity {
        /// Five minutes.
        FiveMinutes = "5m",
        /// An hour.
        Hour = "1h",
        /// A day, in UTC.
        Day = "1d",
    }
}

impl Granularity {
    /// Seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::FiveMinutes => BUCKET_S,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

words! {
    /// What is summed apart.
    pub enum GroupBy {
        /// Apps.
        App = "app",
        /// Rooms.
        Room = "room",
        /// Channels.
        Channel = "channel",
        /// Protocols, for files their format.
        Protocol = "protocol",
    }
}

/// Asks for usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// From here on; the time that holds it is whole.
    pub from: UnixMs,
    /// Up to here; the time that holds it is whole, unless it begins here.
    pub to: UnixMs,
    /// How long the times are.
    pub granularity: Granularity,
    /// What is summed apart.
    pub group_by: GroupBy,
    /// Of this app only.
    pub app_id: Option<String>,
}

/// What was used in one time by one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsageRow {
    /// When it begins, Unix seconds.
    pub start: i64,
    /// The app.
    pub app_id: String,
    /// The room, channel or protocol; the app again when grouped by it.
    pub group: String,
    /// Bytes by direction.
    pub bytes: BTreeMap<&'static str, u64>,
    /// Mean bits per second over the whole time, by direction.
    pub mean_bps: BTreeMap<&'static str, u64>,
    /// Bits per second at the busiest look of ten seconds, by direction.
    pub peak_bps: BTreeMap<&'static str, u64>,
    /// Seconds that pushes ran.
    pub push_seconds: f64,
    /// Seconds that were recorded, by format.
    pub record_seconds: BTreeMap<String, f64>,
    /// Most viewers at once.
    pub viewers: u64,
    /// Most recordings at once, each format counted.
    pub record_channels: u64,
    /// Most live channels at once; for apps.
    pub channels: Option<u64>,
    /// Bytes stored times hours; for apps.
    pub stored_byte_hours: Option<f64>,
    /// Attempts to deliver callbacks; for apps.
    pub webhook_attempts: Option<u64>,
}

type Rows = BTreeMap<(i64, String, String), UsageRow>;

/// What was used, in order of time, app and group; times and groups without anything are left out.
///
/// # Errors
/// [`Reason::FieldInvalid`](crate::Reason::FieldInvalid) when more is asked for than an answer holds.
pub(crate) fn usage(db: &Connection, query: &UsageQuery) -> Result<Vec<UsageRow>, Error> {
    let step = query.granularity.seconds();
    let from = query.from.seconds() - query.from.seconds().rem_euclid(step);
    let last = query.to.seconds().saturating_sub(1).max(from);
    let to = last - last.rem_euclid(step) + step;
    if query.to <= query.from {
        return Err(Error::field("/to", "not after from"));
    }
    if (to - from) / step > MOST_TIMES {
        let detail = format!("more than {MOST_TIMES} times; ask for less, or for longer ones");
        return Err(Error::field("/from", detail));
    }
    let mut rows = Rows::new();
    sums(db, query, (from, to), &mut rows)?;
    peaks(db, query, (from, to), &mut rows)?;
    if query.group_by == GroupBy::App {
        of_apps(db, query, (from, to), &mut rows)?;
    }
    if rows.len() >= MOST_ROWS {
        let detail = format!("more than {MOST_ROWS} rows; ask for less, or for longer times");
        return Err(Error::field("/from", detail));
    }
    Ok(rows.into_values().collect())
}

fn sums(
    db: &Connection,
    query: &UsageQuery,
    (from, to): (i64, i64),
    rows: &mut Rows,
) -> Result<(), Error> {
    let group = match query.group_by {
        GroupBy::App => "app_id",
        GroupBy::Room => "room_id",
        GroupBy::Channel => "CAST(channel_id AS TEXT)",
        GroupBy::Protocol => "protocol",
    };
    let sql = format!(
        "SELECT bucket - bucket % ?3, app_id, {group}, protocol, direction, sum(bytes), sum(millis)
        FROM usage WHERE bucket >= ?1 AND bucket < ?2 AND (?4 IS NULL OR app_id = ?4)
        GROUP BY 1, 2, 3, 4, 5 LIMIT {MOST_ROWS}"
    );
    let step = query.granularity.seconds();
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![from, to, step, query.app_id])?;
    while let Some(line) = found.next()? {
        let row = row(rows, line.get(0)?, line.get(1)?, line.get(2)?);
        let (protocol, direction): (String, Direction) = (line.get(3)?, line.get(4)?);
        let (bytes, millis): (i64, i64) = (line.get(5)?, line.get(6)?);
        let word = direction.as_str();
        let sum = row.bytes.entry(word).or_default();
        *sum += bytes.cast_unsigned();
        let mean = sum.saturating_mul(8) / step.cast_unsigned();
        row.mean_bps.insert(word, mean);
        match direction {
            Direction::Push => row.push_seconds += seconds(millis),
            Direction::Record if millis > 0 => {
                *row.record_seconds.entry(protocol).or_default() += seconds(millis);
            }
            _ => {}
        }
    }
    Ok(())
}

fn peaks(
    db: &Connection,
    query: &UsageQuery,
    (from, to): (i64, i64),
    rows: &mut Rows,
) -> Result<(), Error> {
    let sql = "SELECT bucket - bucket % ?3, app_id, name, direction, max(bps), max(most)
        FROM usage_peaks WHERE bucket >= ?1 AND bucket < ?2 AND kind = ?5
        AND (?4 IS NULL OR app_id = ?4) GROUP BY 1, 2, 3, 4 LIMIT 100000";
    let (step, kind) = (query.granularity.seconds(), query.group_by);
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![from, to, step, query.app_id, kind])?;
    while let Some(line) = found.next()? {
        let app_id: String = line.get(1)?;
        let group = match query.group_by {
            GroupBy::App => app_id.clone(),
            _ => line.get(2)?,
        };
        let row = row(rows, line.get(0)?, app_id, group);
        let direction: Direction = line.get(3)?;
        let (bps, most): (i64, i64) = (line.get(4)?, line.get(5)?);
        row.peak_bps.insert(direction.as_str(), bps.cast_unsigned());
        match direction {
            Direction::Out => row.viewers = most.cast_unsigned(),
            Direction::Record => row.record_channels = most.cast_unsigned(),
            Direction::In | Direction::Push => {}
        }
    }
    Ok(())
}

fn of_apps(
    db: &Connection,
    query: &UsageQuery,
    (from, to): (i64, i64),
    rows: &mut Rows,
) -> Result<(), Error> {
    let sql = "SELECT bucket - bucket % ?3, app_id, max(channels), sum(stored_bytes),
        sum(webhook_attempts) FROM usage_apps WHERE bucket >= ?1 AND bucket < ?2
        AND (?4 IS NULL OR app_id = ?4) GROUP BY 1, 2";
    let step = query.granularity.seconds();
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![from, to, step, query.app_id])?;
    while let Some(line) = found.next()? {
        let app_id: String = line.get(1)?;
        let row = row(rows, line.get(0)?, app_id.clone(), app_id);
        let (channels, stored, attempts): (i64, i64, i64) =
            (line.get(2)?, line.get(3)?, line.get(4)?);
        row.channels = Some(channels.cast_unsigned());
        row.stored_byte_hours = Some(stored as f64 * (BUCKET_S as f64 / 3_600.0));
        row.webhook_attempts = Some(attempts.cast_unsigned());
    }
    Ok(())
}

fn row(rows: &mut Rows, start: i64, app_id: String, group: String) -> &mut UsageRow {
    let key = (start, app_id.clone(), group.clone());
    rows.entry(key).or_insert_with(|| UsageRow {
        start,
        app_id,
        group,
        ..UsageRow::default()
    })
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
