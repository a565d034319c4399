//! What a day comes to under each billing mode. We meter and rate; we do not invoice.

use rusqlite::{Connection, params};

use super::BUCKET_S;
use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::store::Tx;
use crate::words::words;

const DAY_S: i64 = 86_400;

words! {
    /// What is billed.
    pub enum BillingMode {
        /// The day's traffic.
        Traffic = "traffic",
        /// The day's peak bandwidth.
        PeakBandwidth = "peak_bandwidth",
        /// A package that was bought: its traffic.
        Package = "package",
    }
}

/// Which billing mode holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billing {
    /// Today's.
    pub mode: BillingMode,
    /// Tomorrow's, when it differs.
    pub next: Option<BillingMode>,
}

/// A day's peaks and sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Peaks {
    /// The day's first second, Unix time.
    pub day: i64,
    /// Bytes to viewers.
    pub traffic_down: u64,
    /// Bytes from publishers.
    pub traffic_up: u64,
    /// Largest mean of five minutes to viewers, bits per second.
    pub peak_down_bps: u64,
    /// Largest mean of five minutes from publishers, bits per second.
    pub peak_up_bps: u64,
    /// Most live channels at once.
    pub channels: u64,
    /// Most recordings at once in the month up to this day, each format counted.
    pub record_channels: u64,
    /// The mode of the day.
    pub mode: BillingMode,
    /// The amount under each mode.
    pub billable: Billable,
}

/// The amount under each billing mode; 1 GB is 10^9 bytes, 1 Mbit/s is 10^6 bit/s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Billable {
    /// GB, under `traffic` and `package`.
    pub traffic_gb: f64,
    /// Mbit/s, under `peak_bandwidth`.
    pub peak_mbps: f64,
}

/// The day that a moment lies in, counted from the Unix epoch.
fn day_of(at: UnixMs) -> i64 {
    at.seconds().div_euclid(DAY_S)
}

fn mode_on(db: &Connection, app_id: &str, day: i64) -> Result<BillingMode, Error> {
    let sql = "SELECT mode FROM billing_modes WHERE app_id = ? AND from_day <= ?
        ORDER BY from_day DESC LIMIT 1";
    let mut statement = db.prepare_cached(sql)?;
    let mut found = statement.query(params![app_id, day])?;
    Ok(match found.next()? {
        Some(row) => row.get(0)?,
        None => BillingMode::Traffic,
    })
}

pub(crate) fn billing(db: &Connection, app_id: &str, now: UnixMs) -> Result<Billing, Error> {
    let today = day_of(now);
    let mode = mode_on(db, app_id, today)?;
    let next = mode_on(db, app_id, today + 1)?;
    Ok(Billing {
        mode,
        next: (next != mode).then_some(next),
    })
}

/// Switches the mode from tomorrow on; once a day.
pub(crate) fn switch(tx: &Tx<'_>, app_id: &str, mode: BillingMode) -> Result<Billing, Error> {
    let now = tx.now();
    let tomorrow = day_of(now) + 1;
    if mode_on(tx, app_id, tomorrow)? == mode {
        return billing(tx, app_id, now);
    }
    let sql = "INSERT INTO billing_modes VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let inserted = tx
        .prepare_cached(sql)?
        .execute(params![app_id, tomorrow, mode, now])?;
    if inserted == 0 {
        let left = (tomorrow * DAY_S).saturating_sub(now.seconds());
        let wait = std::time::Duration::from_secs(left.cast_unsigned());
        let detail = "the billing mode was switched today; it can be switched once a day (UTC)";
        return Err(Error::new(Reason::RateLimited, detail).retry_after(wait));
    }
    billing(tx, app_id, now)
}

/// What the day that holds `at` came to, in UTC.
pub(crate) fn peaks(db: &Connection, app_id: &str, at: UnixMs) -> Result<Peaks, Error> {
    let day = day_of(at);
    let (from, to) = (day * DAY_S, (day + 1) * DAY_S);
    let sql = "SELECT coalesce(sum(bytes), 0), coalesce(max(bytes), 0) FROM
        (SELECT sum(bytes) AS bytes FROM usage WHERE bucket >= ? AND bucket < ? AND app_id = ?
        AND direction = ? GROUP BY bucket)";
    let of = |direction: &str| -> Result<(u64, u64), Error> {
        let found: (i64, i64) = db
            .prepare_cached(sql)?
            .query_row(params![from, to, app_id, direction], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (sum, most) = (found.0.cast_unsigned(), found.1.cast_unsigned());
        Ok((sum, most.saturating_mul(8) / BUCKET_S.cast_unsigned()))
    };
    let (traffic_down, peak_down_bps) = of("out")?;
    let (traffic_up, peak_up_bps) = of("in")?;
    let most = |column: &str, from: i64| -> Result<u64, Error> {
        let sql = format!(
            "SELECT coalesce(max({column}), 0) FROM usage_apps WHERE bucket >= ? AND bucket < ? AND app_id = ?"
        );
        let most: i64 = db
            .prepare_cached(&sql)?
            .query_row(params![from, to, app_id], |row| row.get(0))?;
        Ok(most.cast_unsigned())
    };
    Ok(Peaks {
        day: from,
        traffic_down,
        traffic_up,
        peak_down_bps,
        peak_up_bps,
        channels: most("channels", from)?,
        record_channels: most("record_channels", month_of(from))?,
        mode: mode_on(db, app_id, day)?,
        billable: Billable {
            traffic_gb: traffic_down as f64 / 1e9,
            peak_mbps: peak_down_bps as f64 / 1e6,
        },
    })
}

/// The first second of a day's month.
fn month_of(day_start: i64) -> i64 {
    let date = jiff::Timestamp::from_second(day_start)
        .map(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .ok();
    let first = date.map_or(1, |date| i64::from(date.day()));
    day_start - (first - 1) * DAY_S
}
