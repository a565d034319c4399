//! A date range: what one line of `EXT-X-DATERANGE` says.

use std::sync::Arc;

/// A break that nobody ends is over after this many milliseconds: a day.
const LONGEST_BREAK: i64 = 86_400_000;

/// A line of `EXT-X-DATERANGE` (RFC 8216 §4.3.2.7). It never changes; that a break is over is said by
/// a second line with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// When it came, in milliseconds since 1970: it stands before the first segment that ends later.
    pub at_ms: i64,
    /// When its range is over; `None`: a break whose end nobody knows yet.
    pub until_ms: Option<i64>,
    /// The attribute list, without the tag; it begins with the id.
    pub text: Arc<str>,
}

impl DateRange {
    /// The value of `ID`.
    #[must_use]
    pub fn id(&self) -> &str {
        let rest = self.text.strip_prefix("ID=\"").unwrap_or(&self.text);
        rest.split('"').next().unwrap_or(rest)
    }

    /// Whether it goes on at this moment, in milliseconds since 1970.
    pub(crate) fn lasts_beyond(&self, ms: i64) -> bool {
        let longest = || self.at_ms.saturating_add(LONGEST_BREAK);
        self.until_ms.unwrap_or_else(longest) > ms
    }
}
