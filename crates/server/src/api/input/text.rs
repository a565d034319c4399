//! Texts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Input, Place, place::kind};

/// Text of `MIN` to `MAX` characters without control characters. Markup and quotes in it are
/// text like any other: whoever shows it, encodes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) struct Text<const MIN: usize, const MAX: usize>(pub(in crate::api) String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// A default of no characters.
    pub(in crate::api) fn empty() -> Self {
        Self(String::new())
    }
}

impl<const MIN: usize, const MAX: usize> Input for Text<MIN, MAX> {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let Value::String(text) = value else {
            return at.wrong(format!("is a text, found {}", kind(value)));
        };
        let len = text.chars().count();
        if !(MIN..=MAX).contains(&len) {
            return at.wrong(format!("has {MIN} to {MAX} characters, found {len}"));
        }
        if text.chars().any(char::is_control) {
            return at.wrong("holds a control character");
        }
        Some(Self(text.clone()))
    }

    fn schema() -> Value {
        json!({
            "type": "string", "minLength": MIN, "maxLength": MAX,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
        })
    }
}

/// The client's own names and values, kept and given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::api) struct Metadata(pub(in crate::api) BTreeMap<String, String>);

impl Metadata {
    const MAX_ENTRIES: usize = 50;
}

impl Input for Metadata {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let Value::Object(object) = value else {
            return at.wrong(format!("is an object, found {}", kind(value)));
        };
        if object.len() > Self::MAX_ENTRIES {
            let most = Self::MAX_ENTRIES;
            return at.wrong(format!("has at most {most} names, found {}", object.len()));
        }
        let mut entries = BTreeMap::new();
        let mut is_whole = true;
        for (name, value) in object {
            let shown: String = name.chars().take(64).collect();
            at.within(&shown, |at| {
                let name = Text::<1, 64>::read(&Value::String(name.clone()), at);
                match (name, Text::<0, 512>::read(value, at)) {
                    (Some(name), Some(value)) => {
                        entries.insert(name.0, value.0);
                    }
                    _ => is_whole = false,
                }
            });
        }
        is_whole.then_some(Self(entries))
    }

    fn schema() -> Value {
        json!({
            "type": "object", "maxProperties": Self::MAX_ENTRIES,
            "propertyNames": Text::<1, 64>::schema(),
            "additionalProperties": Text::<0, 512>::schema(),
        })
    }
}
