//! Points in time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Input, Place, place::kind};

/// RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Time(pub(in crate::api) Timestamp);

impl Input for Time {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let text = value.as_str();
        text.filter(|text| text.len() <= 40)
            .and_then(|text| text.parse().ok())
            .map(Self)
            .or_else(|| {
                let found = kind(value);
                at.wrong(format!(
                    "is a time as RFC 3339 writes it, like 2026-01-02T03:04:05Z, found {found}"
                ))
            })
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date-time"})
    }
}
