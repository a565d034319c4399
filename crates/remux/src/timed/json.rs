//! AMF0 values as JSON.
//!
//! Objects keep the order of their properties, and their class names are left out. A date is its
//! milliseconds since 1970. What JSON does not have is `null`: undefined values, references, numbers
//! that are none.

use amf0::{Decoder, Limits, Value};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

/// Whole numbers up to here are written without a fraction: all of them are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// What follows the name in a data message; `None` when it cannot be read.
pub(super) fn arguments(message: &[u8]) -> Option<String> {
    let mut decoder = Decoder::new(message, &Limits::default());
    decoder.next_value().ok()??;
    let mut values = Vec::new();
    while let Some(value) = decoder.next_value().ok()? {
        values.push(value);
    }
    match values.as_slice() {
        [] => serde_json::to_string(&Json(&Value::Null)),
        [one] => serde_json::to_string(&Json(one)),
        _ => serde_json::to_string(&Json(&Value::StrictArray(values))),
    }
    .ok()
}

/// A value, to be written.
struct Json<'a>(&'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) | Value::Date { millis: number, .. } => put_number(*number, out),
            Value::Boolean(value) => out.serialize_bool(*value),
            Value::String(text) | Value::LongString(text) | Value::Xml(text) => {
                out.serialize_str(text)
            }
            Value::Object(properties)
            | Value::EcmaArray(properties)
            | Value::TypedObject { properties, .. } => {
                let mut map = out.serialize_map(Some(properties.len()))?;
                for (name, value) in properties {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
            Value::StrictArray(items) => {
                let mut list = out.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Json(item))?;
                }
                list.end()
            }
            Value::Null | Value::Undefined | Value::Reference(_) | Value::Unsupported => {
                out.serialize_unit()
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and within 2^53 in that branch"
)]
fn put_number<S: Serializer>(number: f64, out: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() <= EXACT {
        out.serialize_i64(number as i64)
    } else {
        // Without end, or none at all, it is null.
        out.serialize_f64(number)
    }
}
