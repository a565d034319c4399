//! Where in a request something is read, and what is wrong there.

use serde_json::{Map, Value};

use super::Input;
use crate::error::FieldError;

/// Errors listed in one answer. Bounds: an answer that grows with a hostile body.
const MAX_ERRORS: usize = 50;

/// A place in a body or among parameters.
pub(in crate::api) struct Place<'a> {
    /// RFC 6901, or the name of a parameter.
    pointer: String,
    errors: &'a mut Vec<FieldError>,
    are_parameters: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(errors: &'a mut Vec<FieldError>, are_parameters: bool) -> Self {
        Self {
            pointer: String::new(),
            errors,
            are_parameters,
        }
    }

    /// Notes what the value here should be. Always `None`, to be returned.
    pub(in crate::api) fn wrong<T>(&mut self, detail: impl Into<String>) -> Option<T> {
        if self.errors.len() < MAX_ERRORS {
            let place = self.pointer.clone();
            self.errors.push(if self.are_parameters {
                FieldError::parameter(place.trim_start_matches('/'), detail)
            } else {
                FieldError::at(place, detail)
            });
        }
        None
    }

    /// Reads something below this place.
    pub(in crate::api) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&key.replace('~', "~0").replace('/', "~1"));
        let value = read(self);
        self.pointer.truncate(len);
        value
    }

    /// The value as an object; fields that it should not have are noted, with the nearest name.
    pub(in crate::api) fn object<'v>(
        &mut self,
        value: &'v Value,
        names: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(object) = value else {
            return self.wrong(format!("is an object, found {}", kind(value)));
        };
        for name in object.keys().filter(|name| !names.contains(&name.as_str())) {
            let nearest = nearest(name, names.iter().copied());
            let detail = match nearest {
                Some(nearest) => format!("is not known; did you mean \"{nearest}\"?"),
                None if names.is_empty() => "is not known; nothing is taken here".to_owned(),
                None => format!("is not known; known are {}", names.join(", ")),
            };
            let shown: String = name.chars().take(64).collect();
            self.within(&shown, |at| at.wrong::<()>(detail));
        }
        Some(object)
    }

    /// A field that must be there.
    pub(in crate::api) fn required<T: Input>(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
    ) -> Option<T> {
        self.within(name, |at| match object.get(name) {
            Some(value) => T::read(value, at),
            None => at.wrong("is missing"),
        })
    }

    /// A field that has a default.
    pub(in crate::api) fn optional<T: Input>(
        &mut self,
        object: &Map<String, Value>,
        name: &str,
        default: impl FnOnce() -> T,
    ) -> Option<T> {
        match object.get(name) {
            Some(value) => self.within(name, |at| T::read(value, at)),
            None => Some(default()),
        }
    }
}

/// What a value is, for people.
pub(in crate::api) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The known name that a wrong one was probably meant to be.
pub(in crate::api) fn nearest<'n>(
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let name: String = name.chars().take(64).collect();
    known
        .map(|candidate| (distance(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits from one name to the other: insertions, deletions, replacements, neighbours swapped.
pub(in crate::api) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}
