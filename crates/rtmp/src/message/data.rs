//! Data messages (RTMP 1.0 §7.1.2).

use amf0::{Decoder, Value};
use bytes::{Buf, Bytes};

use super::type_id;

/// A data message, its name unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A call of a handler, `@setDataFrame` removed.
    Call {
        /// Such as `onMetaData`.
        name: String,
        /// The values after the name, as AMF0 bytes, not examined.
        values: Bytes,
    },
    /// `@clearDataFrame`.
    Clear {
        /// Such as `onMetaData`.
        name: String,
    },
}

impl Data {
    /// Reads a data message; AMF0, or AMF 3 whose leading byte is dropped. `None` when it does not
    /// begin with a name; such messages are skipped.
    /// `values` is a slice of `payload`.
    pub fn parse(type_id: u8, mut payload: Bytes, limits: &amf0::Limits) -> Option<Self> {
        if type_id == type_id::DATA_AMF3 && !payload.is_empty() {
            payload.advance(1);
        }
        let mut decoder = Decoder::new(&payload, limits);
        let first = next_name(&mut decoder)?;
        let (name, clear) = match first.as_str() {
            "@setDataFrame" => (next_name(&mut decoder)?, false),
            "@clearDataFrame" => (next_name(&mut decoder)?, true),
            _ => (first, false),
        };
        if clear {
            return Some(Self::Clear { name });
        }
        let offset = decoder.offset();
        payload.advance(offset);
        Some(Self::Call {
            name,
            values: payload,
        })
    }
}

fn next_name(decoder: &mut Decoder<'_>) -> Option<String> {
    match decoder.next_value() {
        Ok(Some(Value::String(name))) => Some(name),
        _ => None,
    }
}
