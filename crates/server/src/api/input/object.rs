//! Objects and choices, declared once: the macros make the struct, how it is read and its schema.

use serde_json::{Map, Value, json};

use super::{Field, Input};

/// The schema of an object that has these fields and no others.
pub(in crate::api) fn object_schema(docs: &[&str], fields: Vec<Field>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        if field.is_required {
            required.push(Value::from(field.name));
        }
        properties.insert(field.name.to_owned(), field.schema);
    }
    json!({
        "type": "object", "description": sentence(docs),
        "properties": properties, "required": required, "additionalProperties": false,
    })
}

/// One field of an object.
pub(in crate::api) fn property<T: Input>(
    name: &'static str,
    docs: &[&str],
    is_required: bool,
) -> Field {
    let mut schema = T::schema();
    if let Value::Object(schema) = &mut schema {
        let description = sentence(docs);
        if !description.is_empty() {
            schema.insert("description".to_owned(), Value::from(description));
        }
    }
    Field {
        name: name.strip_prefix("r#").unwrap_or(name),
        schema,
        is_required,
    }
}

fn sentence(docs: &[&str]) -> String {
    let lines: Vec<&str> = docs.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// An object that clients send: fields without a default must be there, others are errors.
macro_rules! input {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $($(#[doc = $about:literal])* $field:ident: $kind:ty $(= $default:expr)?,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $($(#[doc = $about])* $vis $field: $kind,)*
        }

        impl $crate::api::input::Input for $name {
            fn read(
                value: &serde_json::Value,
                at: &mut $crate::api::input::Place<'_>,
            ) -> Option<Self> {
                let names: &[&str] = &[$(stringify!($field).trim_start_matches("r#")),*];
                let _object = at.object(value, names)?;
                $(let $field = $crate::api::input::input!(
                    @read _object, at, $field $(, $default)?
                );)*
                Some(Self { $($field: $field?,)* })
            }

            fn schema() -> serde_json::Value {
                $crate::api::input::object_schema(
                    &[$($doc),*],
                    <Self as $crate::api::input::Fields>::fields(),
                )
            }
        }

        impl $crate::api::input::Fields for $name {
            fn fields() -> Vec<$crate::api::input::Field> {
                vec![$($crate::api::input::property::<$kind>(
                    stringify!($field),
                    &[$($about),*],
                    $crate::api::input::input!(@required $($default)?),
                ),)*]
            }

            fn field_from_text(name: &str, _text: &str) -> Option<serde_json::Value> {
                $(if name == stringify!($field).trim_start_matches("r#") {
                    return Some(<$kind as $crate::api::input::Input>::from_text(_text));
                })*
                let _ = name;
                None
            }
        }
    };
    (@read $object:ident, $at:ident, $field:ident) => {
        $at.required($object, stringify!($field).trim_start_matches("r#"))
    };
    (@read $object:ident, $at:ident, $field:ident, $default:expr) => {
        $at.optional($object, stringify!($field).trim_start_matches("r#"), || $default)
    };
    (@required) => { true };
    (@required $default:expr) => { false };
}
pub(in crate::api) use input;

/// One word of a few.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        $vis:vis enum $name:ident { $($(#[doc = $about:literal])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[doc = $about])* $variant,)* }

        impl $crate::api::input::Input for $name {
            fn read(
                value: &serde_json::Value,
                at: &mut $crate::api::input::Place<'_>,
            ) -> Option<Self> {
                let words = [$($word),*];
                match value.as_str() {
                    $(Some($word) => Some(Self::$variant),)*
                    text => at.wrong($crate::api::input::unknown_word(text, value, &words)),
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({"type": "string", "enum": [$($word),*]})
            }
        }
    };
}
pub(in crate::api) use choice;

/// What to say of a word that is none of the known ones.
pub(in crate::api) fn unknown_word(text: Option<&str>, value: &Value, words: &[&str]) -> String {
    let known = words.join(", ");
    let nearest = text.and_then(|text| super::place::nearest(text, words.iter().copied()));
    match (nearest, text) {
        (Some(nearest), _) => format!("is one of {known}; did you mean \"{nearest}\"?"),
        (None, _) => format!("is one of {known}, found {}", super::place::kind(value)),
    }
}
