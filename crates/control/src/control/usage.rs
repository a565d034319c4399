//! Usage: stored, asked for, and how it is billed.

use super::Control;
use super::place::{self, Asks};
use crate::clock::UnixMs;
use crate::error::Error;
use crate::usage::{self, Billing, BillingMode, Meter, Peaks, UsageQuery, UsageRow};

impl Control {
    /// Stores what the meter holds, in one transaction. To be called about every
    /// [`usage::SAMPLE_EVERY`] and once at the end; costs nothing while nothing was counted.
    ///
    /// # Errors
    /// When it cannot be stored; the meter keeps it for the next call.
    pub async fn store_usage(&self, meter: &Meter) -> Result<(), Error> {
        let app_id = self.inner.settings.app_id.clone();
        usage::store(&self.inner.store, meter, app_id).await
    }

    /// What was used, in order of time, app and group.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`](crate::Reason::FieldInvalid) when more is asked for than an
    /// answer holds.
    pub async fn usage(&self, query: UsageQuery) -> Result<Vec<UsageRow>, Error> {
        self.read(move |db, _| usage::usage(db, &query)).await
    }

    /// What the day that holds a moment came to, in UTC.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`](crate::Reason::AppUnknown).
    pub async fn usage_peaks(&self, app_id: Option<String>, day: UnixMs) -> Result<Peaks, Error> {
        self.read(move |db, settings| {
            let (app_id, _) = place::app(db, settings, app_id.as_deref(), Asks::Anything)?;
            usage::peaks(db, &app_id, day)
        })
        .await
    }

    /// Which billing mode holds.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`](crate::Reason::AppUnknown).
    pub async fn billing(&self, app_id: Option<String>) -> Result<Billing, Error> {
        let now = self.now();
        self.read(move |db, settings| {
            let (app_id, _) = place::app(db, settings, app_id.as_deref(), Asks::Anything)?;
            usage::billing(db, &app_id, now)
        })
        .await
    }

    /// Switches the billing mode from tomorrow (UTC) on.
    ///
    /// # Errors
    /// [`Reason::RateLimited`](crate::Reason::RateLimited) when it was switched today already,
    /// [`Reason::AppUnknown`](crate::Reason::AppUnknown).
    pub async fn set_billing_mode(
        &self,
        app_id: Option<String>,
        mode: BillingMode,
    ) -> Result<Billing, Error> {
        self.write(move |tx, settings| {
            let (app_id, _) = place::app(tx, settings, app_id.as_deref(), Asks::Anything)?;
            usage::switch(tx, &app_id, mode)
        })
        .await
    }
}
