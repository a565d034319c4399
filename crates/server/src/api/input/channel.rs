//! Channel ids: 64 bits, written signed or unsigned, as text or number.

use serde_json::{Value, json};

use super::{Input, Place, place::kind};

/// The 64 bits of a channel id (`-2353318346053049378` is `16093425727656502238`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::api) struct ChannelIdText(pub(in crate::api) u64);

impl ChannelIdText {
    /// Digits, with a minus sign at most; nothing else that Rust would parse.
    pub(in crate::api) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if text.starts_with('-') {
            return text.parse::<i64>().ok().map(|id| Self(id.cast_unsigned()));
        }
        text.parse().ok().map(Self)
    }
}

impl Input for ChannelIdText {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        let id = match value {
            Value::String(text) => Self::parse(text),
            // Numbers that a double has rounded are not taken for the id they look like.
            Value::Number(number) => number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::cast_unsigned))
                .map(Self),
            _ => None,
        };
        id.or_else(|| {
            at.wrong(format!(
                "is a channel id: a whole number from {} to {}, as text or number, found {}",
                i64::MIN,
                u64::MAX,
                kind(value)
            ))
        })
    }

    fn schema() -> Value {
        json!({"anyOf": [
            {"type": "string", "pattern": "^-?[0-9]{1,18}$"},
            {"type": "integer", "minimum": i64::MIN, "maximum": u64::MAX},
        ]})
    }
}
