//! Writing AMF0.

use bytes::{BufMut, BytesMut};

use crate::Value;

pub(crate) const NUMBER: u8 = 0x00;
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const STRING: u8 = 0x02;
pub(crate) const OBJECT: u8 = 0x03;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const UNDEFINED: u8 = 0x06;
pub(crate) const REFERENCE: u8 = 0x07;
pub(crate) const ECMA_ARRAY: u8 = 0x08;
pub(crate) const OBJECT_END: u8 = 0x09;
pub(crate) const STRICT_ARRAY: u8 = 0x0a;
pub(crate) const DATE: u8 = 0x0b;
pub(crate) const LONG_STRING: u8 = 0x0c;
pub(crate) const UNSUPPORTED: u8 = 0x0d;
pub(crate) const XML: u8 = 0x0f;
pub(crate) const TYPED_OBJECT: u8 = 0x10;
pub(crate) const AVMPLUS: u8 = 0x11;

/// Appends `value` to `out` (AMF 0 §2).
///
/// A [`Value::String`] longer than 65 535 bytes becomes a long string. Property and class names
/// longer than that, which the format cannot express, are cut at a character boundary.
pub fn encode(value: &Value, out: &mut BytesMut) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(value) => {
            out.put_u8(BOOLEAN);
            out.put_u8(u8::from(*value));
        }
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(len) => {
                out.put_u8(STRING);
                out.put_u16(len);
                out.put_slice(text.as_bytes());
            }
            Err(_) => put_long(LONG_STRING, text, out),
        },
        Value::Object(properties) => {
            out.put_u8(OBJECT);
            put_properties(properties, out);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::Reference(index) => {
            out.put_u8(REFERENCE);
            out.put_u16(*index);
        }
        Value::EcmaArray(properties) => {
            out.put_u8(ECMA_ARRAY);
            out.put_u32(u32::try_from(properties.len()).unwrap_or(u32::MAX));
            put_properties(properties, out);
        }
        Value::StrictArray(items) => {
            // 2^32 items do not fit in memory; the cut keeps count and items equal all the same.
            let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
            out.put_u8(STRICT_ARRAY);
            out.put_u32(count);
            for (_, item) in (0..count).zip(items) {
                encode(item, out);
            }
        }
        Value::Date {
            millis,
            zone_minutes,
        } => {
            out.put_u8(DATE);
            out.put_f64(*millis);
            out.put_i16(*zone_minutes);
        }
        Value::LongString(text) => put_long(LONG_STRING, text, out),
        Value::Unsupported => out.put_u8(UNSUPPORTED),
        Value::Xml(text) => put_long(XML, text, out),
        Value::TypedObject {
            class_name,
            properties,
        } => {
            out.put_u8(TYPED_OBJECT);
            put_name(class_name, out);
            put_properties(properties, out);
        }
    }
}

/// Appends several values one after the other, as commands and data messages are made.
pub fn encode_all<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut BytesMut) {
    for value in values {
        encode(value, out);
    }
}

fn put_properties(properties: &[(String, Value)], out: &mut BytesMut) {
    for (name, value) in properties {
        put_name(name, out);
        encode(value, out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

fn put_name(name: &str, out: &mut BytesMut) {
    let end = name.floor_char_boundary(usize::from(u16::MAX));
    let (name, _) = name.split_at(end);
    out.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
    out.put_slice(name.as_bytes());
}

fn put_long(marker: u8, text: &str, out: &mut BytesMut) {
    // Text beyond 4 GiB cannot be expressed; it is cut, never declared wrongly.
    let end = text.floor_char_boundary(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
    let (text, _) = text.split_at(end);
    out.put_u8(marker);
    out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.put_slice(text.as_bytes());
}
