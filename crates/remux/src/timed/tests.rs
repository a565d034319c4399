#![allow(clippy::unwrap_used)]

use amf0::Value;
use bytes::{Bytes, BytesMut};
use media::{DataMessage, Dts};
use proptest::prelude::*;

use super::*;

fn message(name: &str, values: &[Value]) -> DataMessage {
    let mut amf0 = BytesMut::new();
    amf0::encode_all(&[&[Value::from(name)], values].concat(), &mut amf0);
    DataMessage {
        name: name.into(),
        dts: Dts(1_234),
        amf0: amf0.freeze(),
    }
}

/// What an independent reader finds in a tag.
fn read(tag: &[u8]) -> (String, String) {
    let tag = id3::Tag::read_from2(std::io::Cursor::new(tag)).unwrap();
    assert_eq!(tag.version(), id3::Version::Id3v24);
    let texts: Vec<_> = tag.extended_texts().collect();
    assert_eq!((tag.frames().count(), texts.len()), (1, 1));
    (texts[0].description.clone(), texts[0].value.clone())
}

#[test]
fn a_cue_point_is_a_frame_of_text() {
    let cue = Value::object([("name", Value::from("goal")), ("time", Value::from(12.5))]);
    let timed = TimedMetadata::of_message(&message("onCuePoint", &[cue])).unwrap();
    let text = br#"{"name":"goal","time":12.5}"#;
    let want = [
        &b"ID3\x04\0\0\0\0\0\x31TXXX\0\0\0\x27\0\0\x03onCuePoint\0"[..],
        text,
    ]
    .concat();
    assert_eq!(timed.bytes, want);
    assert_eq!(
        (timed.pts, timed.duration, &timed.scheme),
        (111_060, None, &Scheme::Id3)
    );
    assert_eq!(
        read(&timed.bytes),
        (
            "onCuePoint".to_owned(),
            String::from_utf8(text.to_vec()).unwrap()
        )
    );
}

#[test]
fn every_kind_of_value_has_its_json() {
    let value = Value::object([
        ("whole", Value::from(-3.0)),
        ("none", Value::from(f64::NAN)),
        ("huge", Value::from(1e300)),
        ("yes", Value::from(true)),
        ("\"text\"\n", Value::from("\u{0}ü")),
        (
            "list",
            Value::StrictArray(vec![Value::Null, Value::Undefined]),
        ),
        (
            "when",
            Value::Date {
                millis: 1_795_203_000_000.0,
                zone_minutes: 0,
            },
        ),
        (
            "typed",
            Value::TypedObject {
                class_name: "a.B".to_owned(),
                properties: vec![("x".to_owned(), Value::Reference(1))],
            },
        ),
    ]);
    let json = |values: &[Value]| json::arguments(&message("onX", values).amf0).unwrap();
    insta::assert_snapshot!(json(&[value]), @r#"{"whole":-3,"none":null,"huge":1e+300,"yes":true,"\"text\"\n":"\u0000ü","list":[null,null],"when":1795203000000,"typed":{"x":null}}"#);
    assert_eq!(json(&[]), "null");
    assert_eq!(json(&[Value::from("a"), Value::from(1.0)]), r#"["a",1]"#);
}

#[test]
fn what_cannot_be_read_or_is_too_long_is_none() {
    let mut broken = message("onX", &[Value::from("text")]);
    broken.amf0.truncate(broken.amf0.len() - 1);
    assert_eq!(TimedMetadata::of_message(&broken), None);
    broken.amf0 = Bytes::new();
    assert_eq!(TimedMetadata::of_message(&broken), None);
    let of_len = |len: usize| {
        let text = Value::from("x".repeat(len));
        TimedMetadata::of_message(&message("onX", &[text]))
    };
    // Both headers, encoding, name with its end, quotation marks.
    let room = MAX_TAG - 20 - 1 - 4 - 2;
    assert_eq!(of_len(room).unwrap().bytes.len(), MAX_TAG);
    assert_eq!(of_len(room + 1), None);
}

proptest! {
    #[test]
    fn an_independent_reader_finds_the_text(name in "[^\u{0}]{0,40}", text in "\\PC{0,400}") {
        let timed = TimedMetadata::of_message(&message(&name, &[Value::from(text.as_str())]));
        let (description, value) = read(&timed.unwrap().bytes);
        prop_assert_eq!(description, name);
        prop_assert_eq!(serde_json::from_str::<String>(&value).unwrap(), text);
    }

    #[test]
    fn any_bytes_are_refused_or_a_tag(amf0 in prop::collection::vec(any::<u8>(), 0..200)) {
        let message = DataMessage { name: "onX".into(), dts: Dts(0), amf0: amf0.into() };
        if let Some(timed) = TimedMetadata::of_message(&message) {
            let (_, value) = read(&timed.bytes);
            serde_json::from_str::<serde_json::Value>(&value).unwrap();
        }
    }
}
