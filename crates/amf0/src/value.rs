//! One AMF0 value.

/// One AMF0 value (AMF 0 §2.1). Properties keep their order, and duplicates stay.
///
/// Text that is not UTF-8 (old encoders send Latin-1 titles) is read with replacement characters;
/// whoever must relay such text unchanged relays the encoded bytes instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A double (marker 0x00). May be NaN or infinite.
    Number(f64),
    /// A boolean (0x01).
    Boolean(bool),
    /// A string of up to 65 535 bytes (0x02); a longer one is encoded as [`Value::LongString`].
    String(String),
    /// An anonymous object (0x03).
    Object(Vec<(String, Value)>),
    /// Null (0x05).
    Null,
    /// Undefined (0x06).
    Undefined,
    /// The index of an earlier object in the same message (0x07); kept, never resolved.
    Reference(u16),
    /// An ECMA array (0x08): properties by name. The count on the wire is only a hint.
    EcmaArray(Vec<(String, Value)>),
    /// A strict array (0x0a).
    StrictArray(Vec<Value>),
    /// A date (0x0b).
    Date {
        /// Milliseconds since 1970-01-01 UTC. May be NaN.
        millis: f64,
        /// Time zone in minutes; reserved, should be 0.
        zone_minutes: i16,
    },
    /// A string with a 32-bit length (0x0c).
    LongString(String),
    /// The "unsupported" marker (0x0d).
    Unsupported,
    /// An XML document (0x0f).
    Xml(String),
    /// An object with a class name (0x10).
    TypedObject {
        /// The class name.
        class_name: String,
        /// Its properties.
        properties: Vec<(String, Value)>,
    },
}

impl Value {
    /// The text of a string, long string or XML document.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::LongString(text) | Self::Xml(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number. May be NaN or infinite: check before converting to an integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A number as an unsigned integer: `None` unless it is finite, whole and within `0..=u32::MAX`.
    pub fn as_u32(&self) -> Option<u32> {
        let number = self.as_f64()?;
        let in_range = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "range checked above"
        )]
        in_range.then_some(number as u32)
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The properties of an object, ECMA array or typed object; `None` for other values.
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Self::Object(properties)
            | Self::EcmaArray(properties)
            | Self::TypedObject { properties, .. } => Some(properties),
            _ => None,
        }
    }

    /// The items of a strict array; `None` for other values.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Self::StrictArray(items) => Some(items),
            _ => None,
        }
    }

    /// The property called `name`; the last one when a name is repeated, as a script would see it.
    /// Linear in the number of properties.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let properties = self.properties()?;
        properties
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// An object from name and value pairs.
    pub fn object<K: Into<String>>(properties: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Object(
            properties
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}
