//! A patch of the policy that does not fit, field by field: what of it is wrong, and where.

use serde_json::{Map, Value, json};

use super::Policy;
use super::policy::merge;
use crate::error::FieldError;

/// Most fields that are named. Bounds: the answer to a patch of nothing but nonsense.
const MOST: usize = 50;

/// Lays the fields that fit over a policy, and names the others.
///
/// # Errors
/// When `before` is none; it was one.
pub(super) fn lay(
    before: Value,
    patch: &Map<String, Value>,
    wrong: &mut Vec<FieldError>,
) -> Result<Policy, serde_json::Error> {
    let mut laid = Laid {
        whole: before,
        wrong,
    };
    for (name, value) in patch {
        let at = format!("/{}", escaped(name));
        let known = laid.whole.get(name).cloned();
        match (known, value) {
            (None, _) => laid.say(&at, "is not known"),
            (Some(Value::Object(known)), Value::Object(inner)) => {
                for (inner_name, value) in inner {
                    let at = format!("{at}/{}", escaped(inner_name));
                    match known.contains_key(inner_name) {
                        true => laid.field(&at, value, |value| json!({name: {inner_name: value}})),
                        false => laid.say(&at, "is not known"),
                    }
                }
            }
            (Some(Value::Object(_)), _) => laid.say(&at, "expected an object"),
            (Some(_), value) => laid.field(&at, value, |value| json!({name: value})),
        }
    }
    serde_json::from_value(laid.whole)
}

struct Laid<'w> {
    whole: Value,
    wrong: &'w mut Vec<FieldError>,
}

impl Laid<'_> {
    /// One field of the patch; of a list, each of its items.
    fn field(&mut self, at: &str, value: &Value, patch: impl Fn(&Value) -> Value) {
        let known = self.wrong.len();
        if let Value::Array(items) = value {
            for (index, item) in items.iter().enumerate() {
                let only = Value::Array(vec![item.clone()]);
                self.try_on(&format!("{at}/{index}"), item, &patch(&only));
            }
        }
        if self.wrong.len() == known {
            self.try_on(at, value, &patch(value));
        }
    }

    fn try_on(&mut self, at: &str, value: &Value, patch: &Value) {
        if value.is_null() {
            return self.say(at, "cannot be null");
        }
        let mut whole = self.whole.clone();
        merge(&mut whole, patch);
        match serde_json::from_value::<Policy>(whole.clone()) {
            Ok(_) => self.whole = whole,
            Err(error) => self.say(at, &error.to_string()),
        }
    }

    fn say(&mut self, at: &str, detail: &str) {
        if self.wrong.len() < MOST {
            self.wrong.push(FieldError {
                pointer: at.to_owned(),
                detail: detail.to_owned(),
            });
        }
    }
}

/// A name as a part of a JSON pointer (RFC 6901 section 3), cut.
fn escaped(name: &str) -> String {
    let name: String = name.chars().take(64).collect();
    name.replace('~', "~0").replace('/', "~1")
}
