//! What was used, and what a day comes to.

use std::collections::BTreeMap;

use control::UnixMs;
use control::usage::{self, Billing, UsageQuery, UsageRow};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Scope;
use super::answer::Answer;
use super::ask::Ask;
use super::input::{Input, Name, Place, Time, choice, input};
use super::route::Route;
use super::view::Page;
use crate::error::Problem;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/usage", "What was used, as JSON or CSV", list)
            .query::<Which>()
            .answers::<Page<Row>>(200)
            .also("text/csv"),
        Route::get("/v1/usage/peaks", "What a day came to", peaks)
            .query::<Day>()
            .answers::<PeaksView>(200),
        Route::get("/v1/billing-mode", "Which billing mode holds", billing)
            .answers::<BillingView>(200),
        Route::put(
            "/v1/billing-mode",
            "Switches the billing mode from tomorrow on",
            switch,
        )
        .needs(Scope::Admin)
        .body::<Mode>(r#"{"mode": "peak_bandwidth"}"#)
        .answers::<BillingView>(200),
    ]
}

choice! {
    /// How long the times of an answer are.
    pub(super) enum Granularity {
        FiveMinutes = "5m",
        Hour = "1h",
        Day = "1d",
    }
}

choice! {
    /// What is summed apart.
    pub(super) enum GroupBy {
        App = "app",
        Room = "room",
        Channel = "channel",
        Protocol = "protocol",
    }
}

choice! {
    /// How the answer is written.
    pub(super) enum Form {
        Json = "json",
        Csv = "csv",
    }
}

choice! {
    /// What is billed.
    pub(super) enum BillingMode {
        Traffic = "traffic",
        PeakBandwidth = "peak_bandwidth",
        Package = "package",
    }
}

input! {
    /// Which usage.
    pub(super) struct Which {
        /// From here on; a day ago when absent.
        from: Option<Time> = None,
        /// Up to here; now when absent.
        to: Option<Time> = None,
        /// How long the times are.
        granularity: Granularity = Granularity::FiveMinutes,
        /// What is summed apart.
        group_by: GroupBy = GroupBy::App,
        /// Of this app only.
        app_id: Option<Name> = None,
        /// How it is written.
        format: Form = Form::Json,
    }
}

input! {
    /// Which day.
    pub(super) struct Day {
        /// In UTC; today when absent.
        day: Option<Date> = None,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
    }
}

input! {
    /// A billing mode.
    pub(super) struct Mode {
        /// What is billed from tomorrow (UTC) on.
        mode: BillingMode,
        /// The app; the configured one when absent.
        app_id: Option<Name> = None,
    }
}

/// A day, `2026-01-31`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date(UnixMs);

impl Input for Date {
    fn read(value: &serde_json::Value, at: &mut Place<'_>) -> Option<Self> {
        let text = value.as_str().filter(|text| text.len() == 10);
        let date = text.and_then(|text| text.parse::<jiff::civil::Date>().ok());
        let utc = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        utc.map(|utc| Self(UnixMs(utc.timestamp().as_millisecond())))
            .or_else(|| at.wrong("is a day like 2026-01-31"))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "format": "date"})
    }
}

/// What was used in one time by one group.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct Row {
    start: String,
    app_id: String,
    /// The room, channel or protocol; the app again when grouped by it.
    group: String,
    /// By direction.
    bytes: BTreeMap<String, u64>,
    /// Mean over the whole time, by direction.
    mean_bps: BTreeMap<String, u64>,
    /// The busiest ten seconds, by direction.
    peak_bps: BTreeMap<String, u64>,
    push_seconds: f64,
    /// By format.
    record_seconds: BTreeMap<String, f64>,
    /// Most at once.
    viewers: u64,
    /// Most at once, each format counted.
    record_channels: u64,
    /// Most at once; for apps.
    channels: Option<u64>,
    /// For apps.
    stored_byte_hours: Option<f64>,
    /// For apps.
    webhook_attempts: Option<u64>,
}

/// What a day came to.
#[derive(Serialize, ToSchema)]
#[schema(as = UsagePeaks)]
pub(super) struct PeaksView {
    day: String,
    traffic_bytes: UpDown,
    /// Largest means of five minutes.
    peak_bps: UpDown,
    /// Most live channels at once.
    channels_peak: u64,
    /// Most recordings at once in the month up to this day, each format counted.
    record_channels_peak: u64,
    billing_mode: String,
    billable: Billable,
}

/// To viewers, and from publishers.
#[derive(Serialize, ToSchema)]
struct UpDown {
    down: u64,
    up: u64,
}

/// The amount under each billing mode; 1 GB is 10^9 bytes.
#[derive(Serialize, ToSchema)]
struct Billable {
    traffic_gb: f64,
    peak_mbps: f64,
}

/// Which billing mode holds.
#[derive(Serialize, ToSchema)]
#[schema(as = Billing)]
pub(super) struct BillingView {
    mode: String,
    /// Tomorrow's, when it differs.
    next: Option<String>,
}

impl From<&UsageRow> for Row {
    fn from(row: &UsageRow) -> Self {
        let by = |map: &BTreeMap<&'static str, u64>| {
            let entries = map.iter();
            entries
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect()
        };
        Self {
            start: moment(row.start),
            app_id: row.app_id.clone(),
            group: row.group.clone(),
            bytes: by(&row.bytes),
            mean_bps: by(&row.mean_bps),
            peak_bps: by(&row.peak_bps),
            push_seconds: row.push_seconds,
            record_seconds: row.record_seconds.clone(),
            viewers: row.viewers,
            record_channels: row.record_channels,
            channels: row.channels,
            stored_byte_hours: row.stored_byte_hours,
            webhook_attempts: row.webhook_attempts,
        }
    }
}

impl From<&Billing> for BillingView {
    fn from(billing: &Billing) -> Self {
        Self {
            mode: billing.mode.to_string(),
            next: billing.next.map(|mode| mode.to_string()),
        }
    }
}

fn moment(unix_s: i64) -> String {
    UnixMs(unix_s.saturating_mul(1_000)).to_string()
}

async fn list(ask: Ask) -> Result<Answer, Problem> {
    const USUAL: std::time::Duration = std::time::Duration::from_hours(24);
    let which: Which = ask.query()?;
    let control = ask.control()?;
    let at = |time: Time| UnixMs(time.0.as_millisecond());
    let query = UsageQuery {
        from: which.from.map_or_else(|| control.now().minus(USUAL), at),
        to: which.to.map_or_else(|| control.now(), at),
        granularity: match which.granularity {
            Granularity::FiveMinutes => usage::Granularity::FiveMinutes,
            Granularity::Hour => usage::Granularity::Hour,
            Granularity::Day => usage::Granularity::Day,
        },
        group_by: match which.group_by {
            GroupBy::App => usage::GroupBy::App,
            GroupBy::Room => usage::GroupBy::Room,
            GroupBy::Channel => usage::GroupBy::Channel,
            GroupBy::Protocol => usage::GroupBy::Protocol,
        },
        app_id: which.app_id.map(|id| id.0),
    };
    let rows = control.usage(query).await;
    let rows = rows.map_err(|error| ask.refused(error))?;
    let items: Vec<Row> = rows.iter().map(Row::from).collect();
    if which.format == Form::Csv {
        return Ok(Answer::text(
            StatusCode::OK,
            "text/csv; charset=utf-8",
            csv(&items),
        ));
    }
    let page = Page {
        items,
        next_cursor: None,
    };
    Ok(ask.json(StatusCode::OK, &page))
}

/// RFC 4180, with a header; a figure by direction or format is a column of `name=value` pairs.
fn csv(rows: &[Row]) -> String {
    let pairs = |map: &BTreeMap<String, u64>| {
        let pairs: Vec<String> = map
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join(" ")
    };
    let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut text =
        "start,app_id,group,bytes,mean_bps,peak_bps,push_seconds,record_seconds,viewers,\
                    record_channels,channels,stored_byte_hours,webhook_attempts\r\n"
            .to_owned();
    for row in rows {
        let record: Vec<String> = row
            .record_seconds
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let stored = row.stored_byte_hours.map(|value| value.to_string());
        let fields = [
            row.start.clone(),
            quoted(&row.app_id),
            quoted(&row.group),
            pairs(&row.bytes),
            pairs(&row.mean_bps),
            pairs(&row.peak_bps),
            row.push_seconds.to_string(),
            record.join(" "),
            row.viewers.to_string(),
            row.record_channels.to_string(),
            count(row.channels),
            stored.unwrap_or_default(),
            count(row.webhook_attempts),
        ];
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

/// Clients' text as one field; what a spreadsheet would take for a formula is kept from being one.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

async fn peaks(ask: Ask) -> Result<Answer, Problem> {
    let day: Day = ask.query()?;
    let control = ask.control()?;
    let at = day.day.map_or_else(|| control.now(), |day| day.0);
    let peaks = control.usage_peaks(day.app_id.map(|id| id.0), at).await;
    let peaks = peaks.map_err(|error| ask.refused(error))?;
    let answer = PeaksView {
        day: moment(peaks.day).chars().take(10).collect(),
        traffic_bytes: UpDown {
            down: peaks.traffic_down,
            up: peaks.traffic_up,
        },
        peak_bps: UpDown {
            down: peaks.peak_down_bps,
            up: peaks.peak_up_bps,
        },
        channels_peak: peaks.channels,
        record_channels_peak: peaks.record_channels,
        billing_mode: peaks.mode.to_string(),
        billable: Billable {
            traffic_gb: peaks.billable.traffic_gb,
            peak_mbps: peaks.billable.peak_mbps,
        },
    };
    Ok(ask.json(StatusCode::OK, &answer))
}

async fn billing(ask: Ask) -> Result<Answer, Problem> {
    let billing = ask.control()?.billing(None).await;
    let billing = billing.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &BillingView::from(&billing)))
}

async fn switch(ask: Ask) -> Result<Answer, Problem> {
    let mode: Mode = ask.body()?;
    let wanted = match mode.mode {
        BillingMode::Traffic => usage::BillingMode::Traffic,
        BillingMode::PeakBandwidth => usage::BillingMode::PeakBandwidth,
        BillingMode::Package => usage::BillingMode::Package,
    };
    let billing = ask
        .control()?
        .set_billing_mode(mode.app_id.map(|id| id.0), wanted)
        .await;
    let billing = billing.map_err(|error| ask.refused(error))?;
    Ok(ask.json(StatusCode::OK, &BillingView::from(&billing)))
}
