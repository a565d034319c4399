//! What was used: bytes, time, viewers and channels in buckets of five minutes.
//!
//! ```text
//!  media side ─▶ Meter::add: what was counted since it last looked ─┐ every 10 s
//!                                                                   ▼
//!                 Control::store_usage: one transaction ─▶ usage, usage_peaks, usage_apps
//! ```
//!
//! What is stored is exact and is stored once: a crash loses what was counted since the last
//! sample, at most [`SAMPLE_EVERY`], and never counts twice. While the database takes nothing, the
//! meter keeps what was counted.
//!
//! Traffic is `in` (from publishers), `out` (to viewers), `push` (to other servers) and `record` (to
//! files). Rates are over one sample, so a peak is that of ten seconds; the peak bandwidth that is
//! billed is the largest mean of five minutes.

mod billing;
mod meter;
mod query;
mod write;

use std::time::Duration;

pub use billing::{Billable, Billing, BillingMode, Peaks};
pub(crate) use billing::{billing, peaks, switch};
pub use meter::{Line, Meter, Reading};
pub(crate) use query::usage;
pub use query::{Granularity, GroupBy, UsageQuery, UsageRow};
pub(crate) use write::store;

use crate::clock::UnixMs;
use crate::words::words;

/// How often what was counted is stored: the most that a crash loses.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// Seconds of a bucket.
pub const BUCKET_S: i64 = 300;

/// How long usage is kept.
const KEEP_S: i64 = 400 * 86_400;

words! {
    /// Where bytes went.
    pub enum Direction {
        /// From a publisher.
        In = "in",
        /// To viewers.
        Out = "out",
        /// To other servers.
        Push = "push",
        /// To files.
        Record = "record",
    }
}

/// The start of the bucket that holds a moment, in Unix seconds.
fn bucket_of(at: UnixMs) -> i64 {
    at.seconds() - at.seconds().rem_euclid(BUCKET_S)
}
