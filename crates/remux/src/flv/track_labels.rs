//! What a publisher calls its audio tracks.
//!
//! Enhanced RTMP v2 §"Enhancing onMetaData" keeps what is known of further tracks in an object of
//! `onMetaData`, by the publisher's track ids:
//!
//! ```text
//! audioTrackIdInfoMap: { "1": { name: "Commentary", language: "en", channels: 2, … }, … }
//! ```
//!
//! It leaves the properties of a track open; those read here are `name`, `title` or `label`, and
//! `language`.

use amf0::{Decoder, Limits, Value};
use media::{DataMessage, TrackId};

use super::wire;

/// Characters of a name. Threat: names are in playlists that every viewer reads.
const MAX_NAME: usize = 64;

/// What a publisher calls a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackLabel {
    /// The track.
    pub track: TrackId,
    /// A name for people: 1 to 64 characters, none of them a control character.
    pub name: Option<Box<str>>,
    /// A language tag (RFC 5646), by its form: letters and digits in parts of at most 8.
    pub language: Option<Box<str>>,
}

/// What `onMetaData` says of audio tracks; nothing where it says nothing that can be used.
#[must_use]
pub fn audio_labels(message: &DataMessage) -> Vec<TrackLabel> {
    let map = object(message).and_then(|object| object.get("audioTrackIdInfoMap").cloned());
    let tracks = map.as_ref().and_then(Value::properties);
    let labels = tracks.unwrap_or_default().iter().filter_map(|(id, info)| {
        let text = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| info.get(name)?.as_str());
            found.next()
        };
        let label = TrackLabel {
            track: wire::audio_track(id.parse().ok()?),
            name: text(&["name", "title", "label"]).and_then(shown),
            language: text(&["language"]).and_then(language),
        };
        (label.name.is_some() || label.language.is_some()).then_some(label)
    });
    labels.collect()
}

/// The object of an `onMetaData`.
fn object(message: &DataMessage) -> Option<Value> {
    let mut decoder = Decoder::new(&message.amf0, &Limits::default());
    decoder.next_value().ok()??;
    decoder.next_value().ok()?
}

fn shown(name: &str) -> Option<Box<str>> {
    let visible = name.chars().filter(|c| !c.is_control());
    let short: String = visible.take(MAX_NAME).collect();
    let short = short.trim();
    (!short.is_empty()).then(|| short.into())
}

fn language(tag: &str) -> Option<Box<str>> {
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let is_language =
        (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (tag.len() <= 35 && is_language && parts.all(is_part)).then(|| tag.into())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use media::Dts;

    use super::*;

    fn labels(map: Value) -> Vec<(u16, Option<String>, Option<String>)> {
        let values = [
            Value::from("onMetaData"),
            Value::object([("audioTrackIdInfoMap", map)]),
        ];
        let mut amf0 = BytesMut::new();
        amf0::encode_all(&values, &mut amf0);
        let message = DataMessage {
            name: "onMetaData".into(),
            dts: Dts(0),
            amf0: amf0.freeze(),
        };
        let text = |text: Option<Box<str>>| text.map(String::from);
        let labels = audio_labels(&message).into_iter();
        labels
            .map(|label| (label.track.0, text(label.name), text(label.language)))
            .collect()
    }

    #[test]
    fn names_and_languages_belong_to_our_tracks() {
        let track = |pairs: &[(&str, &str)]| {
            Value::object(pairs.iter().map(|(k, v)| (*k, Value::from(*v))))
        };
        let found = labels(Value::object([
            ("0", track(&[("title", "Programme"), ("language", "en")])),
            ("2", track(&[("name", "  Kommentar\r\n ")])),
            ("3", track(&[("language", "zh-Hans-CN"), ("name", "")])),
            ("4", track(&[("language", "not a tag")])),
            ("x", track(&[("name", "nobody's")])),
            ("5", Value::from("no object")),
        ]));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (1, some("Programme"), some("en")),
                (5, some("Kommentar"), None),
                (7, None, some("zh-Hans-CN")),
            ]
        );
        assert!(labels(Value::from("no map")).is_empty());
        let long = labels(Value::object([("1", track(&[("name", &"x".repeat(99))]))]));
        assert_eq!(long[0].1.as_ref().map(String::len), Some(64));
    }
}
