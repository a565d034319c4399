//! How each type of setting is read from a value and shown as TOML.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::quantity::{Bitrate, QuantityError, QuantityKind, Size, parse_duration, show_duration};
use super::value::{Kind, Value};

/// Why a value is not what its key wants; `key` is put before it by the caller.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Byte offset of the culprit.
    pub(super) at: usize,
    /// Follows `section.key`: ` is a duration, found …` or `: …`.
    pub(super) what: String,
}

impl Wrong {
    pub(super) fn value(value: &Value, what: impl std::fmt::Display) -> Self {
        Self {
            at: value.at,
            what: format!(": {what}"),
        }
    }

    fn kind(value: &Value, wanted: &str, write: &str) -> Self {
        Self {
            at: value.at,
            what: format!(" is {wanted}, found {}; write {write}", value.found()),
        }
    }
}

/// A type that a key can have.
pub(super) trait Setting: Sized {
    /// Whether an environment variable holds it as plain text (otherwise as TOML).
    const PLAIN: bool;

    /// Reads it; `name` is the key's own name, for the advice.
    fn read(name: &str, value: &Value) -> Result<Self, Wrong>;

    /// Shows it as TOML.
    fn show(&self) -> String;
}

impl Setting for bool {
    const PLAIN: bool = false;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        match value.kind {
            Kind::Boolean(flag) => Ok(flag),
            _ => Err(Wrong::kind(
                value,
                "true or false",
                &format!("{name} = true or {name} = false"),
            )),
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

fn read_count(name: &str, value: &Value, max: u64) -> Result<u64, Wrong> {
    let Kind::Integer(number) = value.kind else {
        let meant = match &value.kind {
            Kind::Text(text) if text.parse::<u64>().is_ok() => text.as_str(),
            _ => "1000",
        };
        let write = format!("{name} = {meant}");
        return Err(Wrong::kind(value, "a whole number", &write));
    };
    match u64::try_from(number) {
        Ok(count) if count <= max => Ok(count),
        _ => Err(Wrong::value(
            value,
            format_args!("{number} is not between 0 and {max}"),
        )),
    }
}

impl Setting for u32 {
    const PLAIN: bool = false;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let count = read_count(name, value, Self::MAX.into())?;
        Ok(Self::try_from(count).unwrap_or(Self::MAX))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for usize {
    const PLAIN: bool = false;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let count = read_count(name, value, i64::MAX.cast_unsigned())?;
        Ok(Self::try_from(count).unwrap_or(Self::MAX))
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

pub(super) fn read_text<'a>(name: &str, value: &'a Value) -> Result<&'a str, Wrong> {
    match &value.kind {
        Kind::Text(text) => Ok(text),
        Kind::Integer(number) => Err(Wrong::kind(
            value,
            "a text",
            &format!("{name} = \"{number}\""),
        )),
        _ => Err(Wrong::kind(value, "a text", &format!("{name} = \"…\""))),
    }
}

pub(super) fn show_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Setting for String {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_text(name, value).map(str::to_owned)
    }
    fn show(&self) -> String {
        show_text(self)
    }
}

impl Setting for PathBuf {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_text(name, value).map(Self::from)
    }
    fn show(&self) -> String {
        show_text(&self.to_string_lossy())
    }
}

/// An optional path: the empty text is none.
impl Setting for Option<PathBuf> {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let text = read_text(name, value)?;
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }
    fn show(&self) -> String {
        show_text(
            &self
                .as_deref()
                .unwrap_or_else(|| "".as_ref())
                .to_string_lossy(),
        )
    }
}

/// A listen address: the empty text turns the listener off, `:1935` is every IPv4 interface.
impl Setting for Option<SocketAddr> {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let text = read_text(name, value)?;
        if text.is_empty() {
            return Ok(None);
        }
        parse_listen(text).map(Some).ok_or_else(|| {
            Wrong::value(
                value,
                format_args!(
                    "{text:?} is not an address; write {name} = \"0.0.0.0:1935\", or \"\" for none"
                ),
            )
        })
    }
    fn show(&self) -> String {
        self.map_or_else(|| "\"\"".to_owned(), |addr| format!("\"{addr}\""))
    }
}

/// Reads `ADDR:PORT`, `:PORT` and `localhost:PORT`.
fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Ok(addr) = text.parse() {
        return Some(addr);
    }
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let ip: std::net::IpAddr = match host {
        "" | "*" => std::net::Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => std::net::Ipv4Addr::LOCALHOST.into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

impl Setting for Vec<String> {
    const PLAIN: bool = false;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let wrong = |value| Wrong::kind(value, "a list of texts", &format!("{name} = [\"…\"]"));
        let Kind::Array(items) = &value.kind else {
            return Err(wrong(value));
        };
        items
            .iter()
            .map(|item| match &item.kind {
                Kind::Text(text) => Ok(text.clone()),
                _ => Err(wrong(item)),
            })
            .collect()
    }
    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| show_text(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// Reads a quantity. A bare number is refused with the spelling that was probably meant; 0 needs
/// no unit.
pub(super) fn read_quantity<T>(
    name: &str,
    value: &Value,
    kind: QuantityKind,
    zero: T,
    parse: impl Fn(&str) -> Result<T, QuantityError>,
) -> Result<T, Wrong> {
    let (usual, other) = kind.likely();
    match &value.kind {
        Kind::Text(text) => parse(text).map_err(|error| Wrong::value(value, error)),
        Kind::Integer(0) => Ok(zero),
        Kind::Integer(number) => {
            // Few seconds or very many: with three digits and more it could be either.
            let write = match (kind, *number) {
                (QuantityKind::Duration, ..100) => format!("{name} = \"{number}{usual}\""),
                _ => format!("{name} = \"{number}{usual}\" or \"{number}{other}\""),
            };
            Err(Wrong::kind(value, kind.article(), &write))
        }
        Kind::Float(number) => {
            let write = format!("{name} = \"{number}{usual}\"");
            Err(Wrong::kind(value, kind.article(), &write))
        }
        _ => Err(Wrong::kind(
            value,
            kind.article(),
            &format!("{name} = \"2{usual}\""),
        )),
    }
}

impl Setting for Duration {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_quantity(
            name,
            value,
            QuantityKind::Duration,
            Self::ZERO,
            parse_duration,
        )
    }
    fn show(&self) -> String {
        format!("\"{}\"", show_duration(*self))
    }
}

impl Setting for Size {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_quantity(name, value, QuantityKind::Size, Self(0), str::parse)
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Setting for Bitrate {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        read_quantity(name, value, QuantityKind::Bitrate, Self(0), str::parse)
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

/// Reads one of several words, with the nearest when it is none of them.
pub(super) fn read_word<T: Copy>(
    name: &str,
    value: &Value,
    words: &[(&'static str, T)],
) -> Result<T, Wrong> {
    let text = read_text(name, value)?;
    if let Some((_, known)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*known);
    }
    let list: Vec<String> = words
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    let list = list.join(", ");
    let what = match crate::nearest::nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(near) => format!("{text:?} is none of {list}; did you mean \"{near}\"?"),
        None => format!("{text:?} is none of {list}"),
    };
    Err(Wrong::value(value, what))
}

/// Reads a list of words, each of them once; `of` says what they name.
pub(super) fn read_words<T: Copy + PartialEq>(
    name: &str,
    value: &Value,
    of: &str,
    words: &[(&'static str, T)],
) -> Result<Vec<T>, Wrong> {
    let Kind::Array(items) = &value.kind else {
        let one = words.first().map_or("", |(word, _)| *word);
        return Err(Wrong {
            at: value.at,
            what: format!(
                " is a list of {of}, found {}; write {name} = [\"{one}\"]",
                value.found()
            ),
        });
    };
    let mut all = Vec::new();
    for item in items {
        let known = read_word(name, item, words)?;
        if !all.contains(&known) {
            all.push(known);
        }
    }
    Ok(all)
}

/// Such a list, as it is written.
pub(super) fn show_words(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(", "))
}
