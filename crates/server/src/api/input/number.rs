//! Whole numbers.

use serde_json::{Value, json};

use super::{Input, Place, place::kind};

/// A whole number from `MIN` to `MAX`. `5.0` is one (JSON knows one kind of number).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// A default; it is held to the range.
    pub(in crate::api) fn of(value: i64) -> Self {
        Self(value.clamp(MIN, MAX))
    }

    pub(in crate::api) fn get(self) -> i64 {
        self.0
    }

    /// As 32 bits, for ranges within them.
    pub(in crate::api) fn small(self) -> u32 {
        u32::try_from(self.0).unwrap_or_default()
    }

    /// As an unsigned number; negative ones, where `MIN` allows them, become 0.
    pub(in crate::api) fn unsigned(self) -> u64 {
        u64::try_from(self.0).unwrap_or_default()
    }
}

impl<const MIN: i64, const MAX: i64> Input for Whole<MIN, MAX> {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        whole(value)
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .or_else(|| {
                at.wrong(format!(
                    "is a whole number from {MIN} to {MAX}, found {}",
                    kind(value)
                ))
            })
    }

    fn schema() -> Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }

    fn from_text(text: &str) -> Value {
        match text.parse::<i64>() {
            Ok(number) if !text.starts_with('+') => Value::from(number),
            _ => Value::String(text.to_owned()),
        }
    }
}

/// A number without a fraction, as long as a double holds it exactly.
fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let number = value.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    let whole = || number as i64;
    (number.fract() == 0.0 && number.abs() < EXACT).then(whole)
}
