//! What `EXT-X-DATERANGE` says of a cue of the publisher.
//!
//! ```text
//! onCuePoint {name: "goal", time: 12, parameters: {team: "home"}}
//!   CLASS="onCuePoint", X-NAME="goal", X-TIME=12, X-TEAM="home"
//! onAdCue {cue: "SpliceOut", id: "7", duration: 30}                  Adobe Primetime, simple mode
//!   CLASS="onAdCue", DURATION=30, X-CUE="SpliceOut", X-ID="7", X-DURATION=30
//! onAdCue, onCuePoint {type: "scte35", cue: BASE64}                  Adobe Primetime, SCTE 35 mode
//!   SCTE35-OUT, SCTE35-IN or SCTE35-CMD
//! ```
//!
//! The properties of the message's object, and of its `parameters`, that are texts, numbers or
//! booleans become attributes; other handlers than the two have no date range.

use std::fmt::Write as _;

use amf0::{Decoder, Limits, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::DataMessage;
use remux::timed::scte35::Splice;

/// Attributes of a range, characters of one's name and of its text. Threat: they are in every
/// playlist that lists the range.
const MAX_ATTRIBUTES: usize = 16;
const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 256;
/// Bytes of a splice information section (SCTE 35 §9.6.1: 4 093 behind the length).
const MAX_SECTION: usize = 1_024;
/// Longest duration that is believed, in milliseconds: a day.
const MAX_DURATION_MS: f64 = 86_400_000.0;

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cue {
    /// A cue of the publisher's own.
    Plain {
        /// The handler's name.
        class: Box<str>,
        /// `,X-NAME=value` for each.
        attributes: String,
        duration_ms: Option<u64>,
        /// Two of the same are one, told again.
        repeats: Option<String>,
    },
    /// A splice information section.
    Splice { splice: Splice, section: Vec<u8> },
}

/// The cue in a message, if there is one.
pub(super) fn of_message(message: &DataMessage) -> Option<Cue> {
    if !["onCuePoint", "onAdCue"].contains(&&*message.name) {
        return None;
    }
    let mut decoder = Decoder::new(&message.amf0, &Limits::default());
    decoder.next_value().ok()??;
    let object = decoder.next_value().ok()??;
    object.properties()?;
    let text = |name| object.get(name).and_then(Value::as_str);
    let scte35 = ["scte35", "urn:scte:scte35:2013:bin"];
    if text("type").is_some_and(|kind| scte35.contains(&kind.to_ascii_lowercase().as_str()))
        && let Some(cue) = text("cue")
    {
        let section = STANDARD.decode(cue.trim()).ok()?;
        let splice = Splice::parse(&section).filter(|_| section.len() <= MAX_SECTION)?;
        return Some(Cue::Splice { splice, section });
    }
    let parameters = object.get("parameters");
    let number = |name| {
        let of = |value: &Value| Some(value.get(name)?.clone());
        match of(&object).or_else(|| parameters.and_then(of))? {
            Value::Number(number) => Some(number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    };
    let seconds = number("duration").or_else(|| number("break_duration_sec"));
    Some(Cue::Plain {
        class: message.name.clone(),
        attributes: attributes(&object, parameters),
        duration_ms: seconds.and_then(millis),
        repeats: (&*message.name == "onAdCue")
            .then(|| text("id").map(str::to_owned))
            .flatten(),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within a day"
)]
fn millis(seconds: f64) -> Option<u64> {
    let ms = (seconds * 1_000.0).round();
    (1.0..=MAX_DURATION_MS).contains(&ms).then_some(ms as u64)
}

fn attributes(object: &Value, parameters: Option<&Value>) -> String {
    let mut out = String::new();
    let mut names: Vec<String> = Vec::new();
    let own = object.properties().unwrap_or_default();
    let more = parameters.and_then(Value::properties).unwrap_or_default();
    for (name, value) in own.iter().chain(more) {
        let name = attribute_name(name);
        if names.len() >= MAX_ATTRIBUTES || name.is_empty() || names.contains(&name) {
            continue;
        }
        let Some(value) = attribute_value(value) else {
            continue;
        };
        // Writing to memory does not fail.
        let _ = write!(out, ",X-{name}={value}");
        names.push(name);
    }
    out
}

/// Capital letters, digits and hyphens (RFC 8216 §4.2).
fn attribute_name(name: &str) -> String {
    let upper = name.chars().take(MAX_NAME).map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '-',
    });
    let name: String = upper.collect();
    name.trim_matches('-').to_owned()
}

/// A quoted text, or a decimal number where that is one: those have no sign and no exponent.
fn attribute_value(value: &Value) -> Option<String> {
    let quoted = |text: &str| {
        let text = text.chars().take(MAX_TEXT).map(|c| match c {
            '"' => '\'',
            c if c.is_control() => ' ',
            c => c,
        });
        format!("\"{}\"", text.collect::<String>())
    };
    match value {
        Value::Number(number) if (0.0..1e15).contains(number) => Some(number.abs().to_string()),
        Value::Number(number) => Some(quoted(&format!("{number:e}"))),
        Value::Boolean(value) => Some(quoted(&value.to_string())),
        value => value.as_str().map(quoted),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_attributes_that_every_reader_takes() {
        let number = |number: f64| attribute_value(&Value::Number(number)).unwrap();
        assert_eq!(number(12.5), "12.5");
        assert_eq!(number(-0.0), "0");
        assert_eq!(number(1e-7), "0.0000001");
        assert_eq!(number(-1.5), "\"-1.5e0\"");
        assert_eq!(number(f64::NAN), "\"NaN\"");
        let text = attribute_value(&Value::from("a \"b\"\r\n,c")).unwrap();
        assert_eq!(text, "\"a 'b'  ,c\"");
        assert_eq!(attribute_value(&Value::Null), None);
        assert_eq!(attribute_name("_adId.x_"), "ADID-X");
        assert_eq!(attribute_name("ü"), "");
    }
}
