//! Reading AMF0.

use crate::encode::{
    AVMPLUS, BOOLEAN, DATE, ECMA_ARRAY, LONG_STRING, NULL, NUMBER, OBJECT, OBJECT_END, REFERENCE,
    STRICT_ARRAY, STRING, TYPED_OBJECT, UNDEFINED, UNSUPPORTED, XML,
};
use crate::{Error, Value};

/// What one message may ask of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels of objects and arrays inside each other. Threat: 100 000 nested arrays overflow the
    /// stack, which no handler can catch.
    pub depth: usize,
    /// Values in one message, properties and items included. Threat: a message of 50 000 properties
    /// kept a known server busy for 15 s; and each value costs some ten times its bytes in memory.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 32,
            nodes: 4096,
        }
    }
}

/// Reads the first value of `input` and returns it with the number of bytes it took.
///
/// # Errors
/// When the value is malformed, truncated, unsupported or beyond `limits`.
pub fn decode(input: &[u8], limits: &Limits) -> Result<(Value, usize), Error> {
    let mut decoder = Decoder::new(input, limits);
    let value = decoder.value(0)?;
    Ok((value, decoder.offset()))
}

/// Reads the values of one message, one after the other.
///
/// The number of values is counted over the whole decoder, so a message cannot escape
/// [`Limits::nodes`] by being many small values. After an error the decoder must not be used again:
/// where the next value begins is unknown.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    input: &'a [u8],
    /// Bytes read so far; `0 <= offset <= input.len()`.
    offset: usize,
    nodes: usize,
    limits: Limits,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `input`.
    pub fn new(input: &'a [u8], limits: &Limits) -> Self {
        Self {
            input,
            offset: 0,
            nodes: 0,
            limits: *limits,
        }
    }

    /// The next value; `None` at the end of the input.
    ///
    /// # Errors
    /// When the value is malformed, truncated, unsupported or beyond the limits.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.remaining().is_empty() {
            return Ok(None);
        }
        self.value(0).map(Some)
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The bytes that are not yet read.
    pub fn remaining(&self) -> &'a [u8] {
        self.input.get(self.offset..).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let start = self.offset;
        self.count_node(start)?;
        let [marker] = self.array()?;
        Ok(match marker {
            NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            BOOLEAN => {
                let [byte] = self.array()?;
                Value::Boolean(byte != 0)
            }
            STRING => Value::String(self.short_text()?),
            OBJECT => Value::Object(self.properties(depth, start)?),
            NULL => Value::Null,
            UNDEFINED => Value::Undefined,
            REFERENCE => Value::Reference(u16::from_be_bytes(self.array()?)),
            ECMA_ARRAY => {
                // Only a hint: encoders write 0, and attackers 2^32 - 1.
                let _count = u32::from_be_bytes(self.array()?);
                Value::EcmaArray(self.ecma_properties(depth, start)?)
            }
            STRICT_ARRAY => Value::StrictArray(self.items(depth, start)?),
            DATE => Value::Date {
                millis: f64::from_be_bytes(self.array()?),
                zone_minutes: i16::from_be_bytes(self.array()?),
            },
            LONG_STRING => Value::LongString(self.long_text()?),
            UNSUPPORTED => Value::Unsupported,
            XML => Value::Xml(self.long_text()?),
            TYPED_OBJECT => Value::TypedObject {
                class_name: self.short_text()?,
                properties: self.properties(depth, start)?,
            },
            AVMPLUS => self.amf3()?,
            marker => {
                return Err(Error::UnknownMarker {
                    marker,
                    offset: start,
                });
            }
        })
    }

    fn count_node(&mut self, offset: usize) -> Result<(), Error> {
        if self.nodes >= self.limits.nodes {
            return Err(Error::TooManyNodes {
                max: self.limits.nodes,
                offset,
            });
        }
        self.nodes += 1;
        Ok(())
    }

    fn deeper(&self, depth: usize, offset: usize) -> Result<usize, Error> {
        if depth >= self.limits.depth {
            return Err(Error::TooDeep {
                max: self.limits.depth,
                offset,
            });
        }
        Ok(depth + 1)
    }

    /// Properties up to the end marker (AMF 0 §2.5).
    fn properties(&mut self, depth: usize, start: usize) -> Result<Vec<(String, Value)>, Error> {
        let depth = self.deeper(depth, start)?;
        let mut properties = Vec::new();
        while !self.end_marker() {
            let name = self.short_text()?;
            properties.push((name, self.value(depth)?));
        }
        Ok(properties)
    }

    /// As [`Self::properties`], but the end marker may be missing when the input ends exactly after
    /// a property: old encoders wrote `onMetaData` so.
    fn ecma_properties(
        &mut self,
        depth: usize,
        start: usize,
    ) -> Result<Vec<(String, Value)>, Error> {
        let depth = self.deeper(depth, start)?;
        let mut properties = Vec::new();
        while !self.remaining().is_empty() && !self.end_marker() {
            let name = self.short_text()?;
            properties.push((name, self.value(depth)?));
        }
        Ok(properties)
    }

    /// Consumes an object end (an empty name and the marker 0x09) when it stands here. An empty
    /// name before any other marker is a property like others.
    fn end_marker(&mut self) -> bool {
        let here = self.remaining().starts_with(&[0, 0, OBJECT_END]);
        if here {
            self.offset += 3;
        }
        here
    }

    fn items(&mut self, depth: usize, start: usize) -> Result<Vec<Value>, Error> {
        let depth = self.deeper(depth, start)?;
        let count = u32::from_be_bytes(self.array()?);
        // Grows by values read; the declared count only ends the loop.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    fn short_text(&mut self) -> Result<String, Error> {
        let len = u16::from_be_bytes(self.array()?);
        self.text(usize::from(len))
    }

    fn long_text(&mut self) -> Result<String, Error> {
        let len = u32::from_be_bytes(self.array()?);
        self.text(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn text(&mut self, len: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    /// The AMF 3 values that fit in one field (AMF 3 §3.1 to §3.8): what clients put into AMF0
    /// messages after the `avmplus` marker. Objects, arrays and references into AMF 3 tables are not
    /// read.
    fn amf3(&mut self) -> Result<Value, Error> {
        let offset = self.offset;
        let [marker] = self.array()?;
        let unsupported = Error::UnsupportedAmf3 { marker, offset };
        Ok(match marker {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            0x04 => {
                let bits = self.u29()?;
                // 29-bit two's complement.
                let magnitude = f64::from(bits);
                let negative = bits & 0x1000_0000 != 0;
                Value::Number(if negative {
                    magnitude - f64::from(0x2000_0000_u32)
                } else {
                    magnitude
                })
            }
            0x05 => Value::Number(f64::from_be_bytes(self.array()?)),
            0x06 => {
                let header = self.u29()?;
                if header & 1 == 0 {
                    return Err(unsupported);
                }
                let len = usize::try_from(header >> 1).unwrap_or(usize::MAX);
                Value::String(self.text(len)?)
            }
            0x08 => {
                if self.u29()? & 1 == 0 {
                    return Err(unsupported);
                }
                Value::Date {
                    millis: f64::from_be_bytes(self.array()?),
                    zone_minutes: 0,
                }
            }
            _ => return Err(unsupported),
        })
    }

    /// A variable-length 29-bit integer (AMF 3 §1.3.1).
    fn u29(&mut self) -> Result<u32, Error> {
        let mut value = 0;
        for _ in 0..3 {
            let [byte] = self.array()?;
            value = value << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        let [byte] = self.array()?;
        Ok(value << 8 | u32::from(byte))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let truncated = Error::Truncated {
            offset: self.input.len(),
        };
        let (head, _) = self.remaining().split_at_checked(len).ok_or(truncated)?;
        self.offset += len;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let truncated = Error::Truncated {
            offset: self.input.len(),
        };
        let head = self.remaining().first_chunk::<N>().ok_or(truncated)?;
        self.offset += N;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests;
