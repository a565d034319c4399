//! AMF0, the few types that commands need.

/// An AMF0 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Marker 0.
    Number(f64),
    /// Marker 1.
    Boolean(bool),
    /// Marker 2.
    String(String),
    /// Marker 3, and 8 (ECMA array) when read.
    Object(Vec<(String, Value)>),
    /// Marker 5, and 6 (undefined) when read.
    Null,
    /// Marker 10.
    Array(Vec<Value>),
}

impl Value {
    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A property of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(properties) => {
                let found = properties.iter().find(|(key, _)| key == name);
                found.map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Appends the encoded value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => {
                out.push(0);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Boolean(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            Self::String(text) => {
                out.push(2);
                text_of(text, out);
            }
            Self::Object(properties) => {
                out.push(3);
                for (name, value) in properties {
                    text_of(name, out);
                    value.encode(out);
                }
                out.extend_from_slice(&[0, 0, 9]);
            }
            Self::Null => out.push(5),
            Self::Array(values) => {
                out.push(10);
                out.extend_from_slice(&u32::try_from(values.len()).unwrap().to_be_bytes());
                for value in values {
                    value.encode(out);
                }
            }
        }
    }

    /// Decodes all values of a message; `None` when it is malformed.
    pub fn decode_all(mut bytes: &[u8]) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        while !bytes.is_empty() {
            values.push(Self::decode(&mut bytes)?);
        }
        Some(values)
    }

    fn decode(bytes: &mut &[u8]) -> Option<Value> {
        match take(bytes, 1)?[0] {
            0 => Some(Self::Number(f64::from_be_bytes(
                take(bytes, 8)?.try_into().ok()?,
            ))),
            1 => Some(Self::Boolean(take(bytes, 1)?[0] != 0)),
            2 => take_text(bytes).map(Self::String),
            marker @ (3 | 8) => {
                if marker == 8 {
                    take(bytes, 4)?;
                }
                let mut properties = Vec::new();
                loop {
                    let name = take_text(bytes)?;
                    if name.is_empty() && bytes.first() == Some(&9) {
                        take(bytes, 1)?;
                        return Some(Self::Object(properties));
                    }
                    properties.push((name, Self::decode(bytes)?));
                }
            }
            5 | 6 => Some(Self::Null),
            10 => {
                let count = u32::from_be_bytes(take(bytes, 4)?.try_into().ok()?);
                (0..count)
                    .map(|_| Self::decode(bytes))
                    .collect::<Option<_>>()
                    .map(Self::Array)
            }
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

fn text_of(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(n)?;
    *bytes = rest;
    Some(head)
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let len = take(bytes, 2)?;
    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
    Some(String::from_utf8_lossy(take(bytes, len)?).into_owned())
}
