//! Lists.

use serde_json::{Value, json};

use super::{Input, Place, place::kind};

/// `MIN` to `MAX` values of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct List<T, const MIN: usize, const MAX: usize>(pub(in crate::api) Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// A default of no values.
    pub(in crate::api) fn empty() -> Self {
        Self(Vec::new())
    }
}

impl<T: Input, const MIN: usize, const MAX: usize> Input for List<T, MIN, MAX> {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let Value::Array(items) = value else {
            return at.wrong(format!("is a list, found {}", kind(value)));
        };
        if !(MIN..=MAX).contains(&items.len()) {
            let detail = format!("has {MIN} to {MAX} items, found {}", items.len());
            return at.wrong(detail);
        }
        let items = items.iter().enumerate();
        let read: Vec<Option<T>> = items
            .map(|(index, item)| at.within(&index.to_string(), |at| T::read(item, at)))
            .collect();
        read.into_iter().collect::<Option<Vec<T>>>().map(Self)
    }

    fn schema() -> Value {
        json!({"type": "array", "items": T::schema(), "minItems": MIN, "maxItems": MAX})
    }

    /// In a query, values are separated by commas.
    fn from_text(text: &str) -> Value {
        let parts = text.split(',').filter(|part| !part.is_empty());
        Value::Array(parts.map(T::from_text).collect())
    }
}
