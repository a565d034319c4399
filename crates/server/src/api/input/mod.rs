//! What clients send, read once into values that cannot be wrong.
//!
//! Each kind of value says both how it is read and its JSON schema, so that `/openapi.json` cannot
//! tell anything else than the code does. Reading goes on after an error: an answer lists all
//! fields that are wrong, each by its pointer (RFC 6901).

mod channel;
mod list;
mod name;
mod number;
mod object;
mod place;
mod text;
mod time;

use serde_json::{Value, json};

use crate::error::{FieldError, Problem, Reason};

pub(super) use channel::ChannelIdText;
pub(super) use list::List;
pub(super) use name::{Description, Name, Title, Url};
pub(super) use number::Whole;
pub(super) use object::{choice, input, object_schema, property, unknown_word};
pub(super) use place::{Place, distance};
pub(super) use text::{Metadata, Text};
pub(super) use time::Time;

/// A kind of value that clients send.
pub(super) trait Input: Sized {
    /// Reads it; what is wrong is noted at the place, and then there is no value.
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self>;

    /// Its JSON schema (2020-12).
    fn schema() -> Value;

    /// Its text in a path or a query as the JSON that means the same.
    fn from_text(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

/// A set of named values: a body, or the parameters of a query.
pub(super) trait Fields: Input {
    /// Name, schema, whether it must be there.
    fn fields() -> Vec<Field>;

    /// A parameter's text as JSON, if there is such a field.
    fn field_from_text(name: &str, text: &str) -> Option<Value>;
}

/// One of a set of named values.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) schema: Value,
    pub(super) is_required: bool,
}

/// Null is nothing.
impl<T: Input> Input for Option<T> {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::read(value, at).map(Some),
        }
    }

    fn schema() -> Value {
        nullable(T::schema())
    }

    fn from_text(text: &str) -> Value {
        T::from_text(text)
    }
}

/// A field of a change: absent fields stay as they are, null takes a value away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Patch<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// `None` where nothing is said.
    pub(super) fn told(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }
}

impl<T: Input> Input for Patch<T> {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        Option::<T>::read(value, at).map(|value| value.map_or(Self::Clear, Self::Set))
    }

    fn schema() -> Value {
        nullable(T::schema())
    }
}

impl Input for bool {
    fn read(value: &Value, at: &mut Place<'_>) -> Option<Self> {
        value
            .as_bool()
            .or_else(|| at.wrong(format!("is true or false, found {}", place::kind(value))))
    }

    fn schema() -> Value {
        json!({"type": "boolean"})
    }

    fn from_text(text: &str) -> Value {
        match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::String(text.to_owned()),
        }
    }
}

fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// A body as its fields.
pub(super) fn body<T: Input>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        let detail = "this route takes a JSON object; the request has no body";
        return Err(Problem::new(Reason::BODY_MISSING, detail));
    }
    // Nested more than 128 deep is an error of the parser, too.
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        let detail = format!(
            "the body is not JSON: line {}, column {}: {what}",
            error.line(),
            error.column()
        );
        Problem::new(Reason::REQUEST_UNPARSABLE, detail)
    })?;
    finish(|at| T::read(&value, at), false)
}

/// One parameter of a path.
pub(super) fn parameter<T: Input>(name: &str, text: &str) -> Result<T, Problem> {
    let value = T::from_text(text);
    finish(|at| at.within(name, |at| T::read(&value, at)), true)
}

/// The parameters of a query.
pub(super) fn query<T: Fields>(query: &str) -> Result<T, Problem> {
    let mut object = serde_json::Map::new();
    let mut errors = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(text)) = (decoded(name, true), decoded(text, true)) else {
            let detail = "the query is not percent-encoded UTF-8";
            return Err(Problem::new(Reason::REQUEST_UNPARSABLE, detail));
        };
        if object.contains_key(&name) {
            errors.push(FieldError::parameter(name, "is given twice"));
            continue;
        }
        let value = T::field_from_text(&name, &text).unwrap_or(Value::String(text));
        object.insert(name, value);
    }
    let value = Value::Object(object);
    let read = finish(|at| T::read(&value, at), true);
    match read {
        Err(problem) => {
            errors.extend(problem.errors);
            Err(Problem::fields(errors))
        }
        Ok(_) if !errors.is_empty() => Err(Problem::fields(errors)),
        read => read,
    }
}

fn finish<T>(
    read: impl FnOnce(&mut Place<'_>) -> Option<T>,
    are_parameters: bool,
) -> Result<T, Problem> {
    let mut errors = Vec::new();
    let value = read(&mut Place::new(&mut errors, are_parameters));
    match value {
        Some(value) if errors.is_empty() => Ok(value),
        _ => Err(Problem::fields(errors)),
    }
}

/// Percent-encoded text; `None` where it is not UTF-8 or the encoding is broken.
pub(crate) fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?
            }
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
