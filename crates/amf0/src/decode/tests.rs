#![allow(clippy::unwrap_used)]

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::{ErrorKind, encode};

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(value, &mut out);
    out.to_vec()
}

fn decoded(bytes: &[u8]) -> Result<Value, Error> {
    decode(bytes, &Limits::default()).map(|(value, _)| value)
}

#[test]
fn each_type_has_the_bytes_of_the_specification() {
    let cases: [(Value, &[u8]); 16] = [
        (Value::Number(1.0), &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
        (Value::Boolean(true), &[1, 1]),
        (Value::from("ab"), &[2, 0, 2, b'a', b'b']),
        (
            Value::object([("a", Value::Null)]),
            &[3, 0, 1, b'a', 5, 0, 0, 9],
        ),
        (Value::Object(vec![]), &[3, 0, 0, 9]),
        (Value::Null, &[5]),
        (Value::Undefined, &[6]),
        (Value::Reference(258), &[7, 1, 2]),
        (
            Value::EcmaArray(vec![("a".into(), Value::Undefined)]),
            &[8, 0, 0, 0, 1, 0, 1, b'a', 6, 0, 0, 9],
        ),
        (
            Value::StrictArray(vec![Value::Null, Value::Null]),
            &[10, 0, 0, 0, 2, 5, 5],
        ),
        (
            Value::Date {
                millis: 1.0,
                zone_minutes: -1,
            },
            &[11, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        ),
        (
            Value::LongString("ab".into()),
            &[12, 0, 0, 0, 2, b'a', b'b'],
        ),
        (Value::Unsupported, &[13]),
        (
            Value::Xml("<a/>".into()),
            &[15, 0, 0, 0, 4, b'<', b'a', b'/', b'>'],
        ),
        (
            Value::TypedObject {
                class_name: "C".into(),
                properties: vec![("a".into(), Value::Null)],
            },
            &[16, 0, 1, b'C', 0, 1, b'a', 5, 0, 0, 9],
        ),
        // An empty name is a property unless the end marker follows.
        (
            Value::object([("", Value::Boolean(false))]),
            &[3, 0, 0, 1, 0, 0, 0, 9],
        ),
    ];
    for (value, bytes) in cases {
        assert_eq!(encoded(&value), bytes, "{value:?}");
        assert_eq!(decode(bytes, &Limits::default()), Ok((value, bytes.len())));
    }
}

#[test]
fn any_nonzero_boolean_is_true() {
    assert_eq!(decoded(&[1, 7]), Ok(Value::Boolean(true)));
}

#[test]
fn string_of_65536_bytes_becomes_a_long_string() {
    let text = "x".repeat(65_536);
    let bytes = encoded(&Value::String(text.clone()));
    assert_eq!(bytes[..5], [12, 0, 1, 0, 0]);
    assert_eq!(decoded(&bytes), Ok(Value::LongString(text)));
}

#[test]
fn name_beyond_65535_bytes_is_cut_at_a_character() {
    let name = format!("{}\u{e9}", "x".repeat(65_534));
    let value = decoded(&encoded(&Value::object([(name, Value::Null)]))).unwrap();
    assert_eq!(value.properties().unwrap()[0].0.len(), 65_534);
}

#[test]
fn latin_1_text_is_read_with_replacement_characters() {
    assert_eq!(
        decoded(&[2, 0, 3, b'a', 0xe9, b'b']),
        Ok(Value::from("a\u{fffd}b"))
    );
}

#[test]
fn ecma_array_without_end_marker_is_complete_at_the_end_of_input_only() {
    let array = [8, 0, 0, 0, 1, 0, 1, b'a', 5];
    assert_eq!(
        decoded(&array),
        Ok(Value::EcmaArray(vec![("a".into(), Value::Null)]))
    );
    assert_eq!(decoded(&[8, 0, 0, 0, 0]), Ok(Value::EcmaArray(vec![])));
    assert_eq!(
        decoded(&[8, 0, 0, 0, 1, 0, 1, b'a']),
        Err(Error::Truncated { offset: 8 })
    );
    // An object never is.
    assert_eq!(
        decoded(&[3, 0, 1, b'a', 5]),
        Err(Error::Truncated { offset: 5 })
    );
}

#[test]
fn ecma_count_is_a_hint_and_strict_count_is_not() {
    let bytes = [8, 0xff, 0xff, 0xff, 0xff, 0, 1, b'a', 5, 0, 0, 9];
    assert_eq!(decoded(&bytes).unwrap().get("a"), Some(&Value::Null));
    assert_eq!(
        decoded(&[10, 0xff, 0xff, 0xff, 0xff, 5]),
        Err(Error::Truncated { offset: 6 })
    );
}

#[test]
fn last_of_duplicate_names_wins_and_all_are_kept() {
    let value = Value::object([("a", Value::Null), ("a", Value::Boolean(true))]);
    let value = decoded(&encoded(&value)).unwrap();
    assert_eq!(value.get("a"), Some(&Value::Boolean(true)));
    assert_eq!(value.properties().unwrap().len(), 2);
}

#[test]
fn depth_32_is_read_and_depth_33_is_a_limit() {
    let nested = |depth: usize| {
        let mut bytes = [10, 0, 0, 0, 1].repeat(depth);
        bytes.push(5);
        bytes
    };
    assert!(decoded(&nested(32)).is_ok());
    assert_eq!(
        decoded(&nested(33)),
        Err(Error::TooDeep {
            max: 32,
            offset: 160
        })
    );
    // What overflowed the stack of other libraries.
    let objects = [3, 0, 1, b'a'].repeat(100_000);
    assert_eq!(decoded(&objects).unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn nodes_are_counted_over_all_values_of_a_message() {
    let limits = Limits::default();
    let nulls = vec![5; 5000];
    let mut decoder = Decoder::new(&nulls, &limits);
    let read = std::iter::from_fn(|| decoder.next_value().ok().flatten()).count();
    assert_eq!(read, 4096);
    let error = decoder.next_value().unwrap_err();
    assert_eq!(
        (error, error.kind()),
        (
            Error::TooManyNodes {
                max: 4096,
                offset: 4096
            },
            ErrorKind::Limit
        )
    );
    let mut array = vec![10, 0, 0, 0x13, 0x88];
    array.extend(nulls);
    assert_eq!(
        decoded(&array),
        Err(Error::TooManyNodes {
            max: 4096,
            offset: 5 + 4095
        })
    );
}

#[test]
fn reserved_and_unknown_markers_are_errors_with_their_offset() {
    for marker in [4, 9, 14, 18, 255] {
        let error = Error::UnknownMarker { marker, offset: 4 };
        assert_eq!(decoded(&[3, 0, 1, b'a', marker]), Err(error));
        assert_eq!((error.kind(), error.offset()), (ErrorKind::Malformed, 4));
    }
}

#[test]
fn amf3_scalars_are_read_behind_the_avmplus_marker() {
    let cases: [(&[u8], Value); 9] = [
        (&[0], Value::Undefined),
        (&[1], Value::Null),
        (&[2], Value::Boolean(false)),
        (&[3], Value::Boolean(true)),
        (&[4, 0x7f], Value::Number(127.0)),
        (&[4, 0x81, 0], Value::Number(128.0)),
        (&[4, 0xff, 0xff, 0xff, 0xff], Value::Number(-1.0)),
        (&[5, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], Value::Number(1.0)),
        (&[6, 5, b'h', b'i'], Value::from("hi")),
    ];
    for (bytes, value) in cases {
        let bytes = [&[17], bytes].concat();
        assert_eq!(decode(&bytes, &Limits::default()), Ok((value, bytes.len())));
    }
    let error = decoded(&[17, 10, 1]).unwrap_err();
    assert_eq!(
        error,
        Error::UnsupportedAmf3 {
            marker: 10,
            offset: 1
        }
    );
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // A reference into a table that is not kept.
    assert_eq!(
        decoded(&[17, 6, 4]),
        Err(Error::UnsupportedAmf3 {
            marker: 6,
            offset: 1
        })
    );
}

#[test]
fn numbers_become_integers_only_when_they_are() {
    for number in [f64::NAN, f64::INFINITY, -1.0, 0.5, 4_294_967_296.0] {
        assert_eq!(Value::Number(number).as_u32(), None);
    }
    assert_eq!(Value::Number(4_294_967_295.0).as_u32(), Some(u32::MAX));
    assert_eq!(Value::Null.as_u32(), None);
}

#[test]
fn decoder_says_where_it_is() {
    let mut decoder = Decoder::new(&[5, 1, 1, 6, 2], &Limits::default());
    assert_eq!(decoder.next_value(), Ok(Some(Value::Null)));
    assert_eq!(decoder.next_value(), Ok(Some(Value::Boolean(true))));
    assert_eq!((decoder.offset(), decoder.remaining()), (3, &[6, 2][..]));
    assert_eq!(decoder.next_value(), Ok(Some(Value::Undefined)));
    assert_eq!(decoder.next_value(), Err(Error::Truncated { offset: 5 }));
}

#[test]
fn collected_bad_inputs_give_an_error_or_a_value() {
    let shared = std::env::var_os("SIDESTREAM_SHARED")
        .map(std::path::PathBuf::from)
        .or_else(|| {
            let start = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            start
                .ancestors()
                .map(|dir| dir.join("shared"))
                .find(|dir| dir.join("testmedia").is_dir())
        });
    let Some(dir) = shared
        .map(|dir| dir.join("testmedia/badinput/amf0"))
        .filter(|dir| dir.is_dir())
    else {
        eprintln!("skipped: shared/testmedia/badinput/amf0 is not there");
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let mut decoder = Decoder::new(&bytes, &Limits::default());
        while let Ok(Some(_)) = decoder.next_value() {}
        count += 1;
    }
    assert_eq!(count, 4);
}

fn value() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("NaN is not equal to itself", |number| !number.is_nan());
    let leaf = prop_oneof![
        number.clone().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,12}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<u16>().prop_map(Value::Reference),
        (number, any::<i16>()).prop_map(|(millis, zone_minutes)| Value::Date {
            millis,
            zone_minutes
        }),
        ".{0,12}".prop_map(Value::LongString),
        Just(Value::Unsupported),
        ".{0,12}".prop_map(Value::Xml),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let properties = prop::collection::vec((".{0,6}", inner.clone()), 0..6);
        prop_oneof![
            properties.clone().prop_map(Value::Object),
            properties.clone().prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
            (".{0,6}", properties).prop_map(|(class_name, properties)| Value::TypedObject {
                class_name,
                properties
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(value in value()) {
        let bytes = encoded(&value);
        prop_assert_eq!(decode(&bytes, &Limits::default()), Ok((value, bytes.len())));
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_value(value in value()) {
        let bytes = encoded(&value);
        for end in 0..bytes.len() {
            match decode(&bytes[..end], &Limits::default()) {
                Ok((_, consumed)) => prop_assert_eq!(consumed, end),
                Err(error) => prop_assert_eq!(error, Error::Truncated { offset: end }),
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![0..18_u8, any::<u8>()], 0..300)) {
        let mut decoder = Decoder::new(&bytes, &Limits::default());
        while let Ok(Some(_)) = decoder.next_value() {}
        prop_assert!(decoder.offset() <= bytes.len());
    }
}
