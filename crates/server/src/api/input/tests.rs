#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

input! {
    /// A test.
    struct Sample {
        /// Who.
        user_id: Text<1, 8>,
        r#type: Kind = Kind::Group,
        ids: List<ChannelIdText, 0, 3> = List::empty(),
        port: Option<Whole<1, 65_535>> = None,
        nested: Option<Inner> = None,
    }
}

input! {
    struct Inner {
        flag: bool,
        note: Patch<Text<0, 4>> = Patch::Keep,
    }
}

choice! {
    enum Kind {
        Group = "group",
        Duo = "duo",
    }
}

fn read(text: &str) -> Result<Sample, Vec<(String, String)>> {
    body(text.as_bytes()).map_err(|problem: Problem| {
        let one = |error: FieldError| (error.pointer.unwrap_or_default(), error.detail);
        problem.errors.into_iter().map(one).collect()
    })
}

#[test]
fn absent_fields_have_their_defaults() {
    let sample = read(r#"{"user_id":"a","port":null}"#).unwrap();
    assert_eq!((sample.r#type, sample.port), (Kind::Group, None));
    let text = r#"{"user_id":"ü","type":"duo","ids":["-1",5,"18446744073709551615"],"port":5.0,
        "nested":{"flag":true,"note":null}}"#;
    let sample = read(text).unwrap();
    assert_eq!(sample.user_id.0, "\u{fc}");
    assert_eq!(
        sample.ids.0,
        [u64::MAX, 5, u64::MAX].map(ChannelIdText).to_vec()
    );
    assert_eq!(sample.port.map(Whole::get), Some(5));
    let nested = sample.nested.unwrap();
    assert!(nested.flag);
    assert_eq!(nested.note, Patch::Clear);
}

#[test]
fn all_wrong_fields_are_listed_by_their_pointers() {
    let text = r#"{"usr_id":1,"type":"dou","ids":[true,1e300,"0x1"],"port":0,"nested":{"a/b":1}}"#;
    let errors = read(text).unwrap_err();
    let pointers: Vec<&str> = errors.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/usr_id",
            "/user_id",
            "/type",
            "/ids/0",
            "/ids/1",
            "/ids/2",
            "/port",
            "/nested/a~1b",
            "/nested/flag"
        ]
    );
    assert_eq!(errors[0].1, "is not known; did you mean \"user_id\"?");
    assert_eq!(errors[1].1, "is missing");
    assert_eq!(errors[2].1, "is one of group, duo; did you mean \"duo\"?");
}

#[test]
fn ids_keep_their_64_bits_or_are_refused() {
    for (text, bits) in [
        ("16093425727656502238", Some(16_093_425_727_656_502_238)),
        ("-2353318346053049378", Some(16_093_425_727_656_502_238)),
        ("9223372036854775808", Some(1 << 63)),
        ("-9223372036854775808", Some(1 << 63)),
        ("18446744073709551616", None),
        ("-9223372036854775809", None),
    ] {
        let bits = bits.map(ChannelIdText);
        assert_eq!(ChannelIdText::parse(text), bits, "{text}");
        for written in [text.to_owned(), format!("\"{text}\"")] {
            let sample = read(&format!(r#"{{"user_id":"a","ids":[{written}]}}"#));
            assert_eq!(sample.ok().map(|s| s.ids.0[0]), bits, "{written}");
        }
    }
    for text in ["", "-", "+1", " 1", "1 ", "1.0", "1e3", "--1", "١"] {
        assert_eq!(ChannelIdText::parse(text), None, "{text}");
    }
}

#[test]
fn bad_json_says_where() {
    let deep = "[".repeat(100_000);
    for (text, says) in [
        (
            "{\n  \"a\": NaN}",
            "the body is not JSON: line 2, column 8: expected value",
        ),
        (
            r#"{"port": 1e999}"#,
            "the body is not JSON: line 1, column 14: number out of range",
        ),
        (
            "{} x",
            "the body is not JSON: line 1, column 4: trailing characters",
        ),
        (
            &deep,
            "the body is not JSON: line 1, column 128: recursion limit exceeded",
        ),
    ] {
        let problem = body::<Sample>(text.as_bytes()).unwrap_err();
        assert_eq!(problem.reason, Reason::REQUEST_UNPARSABLE);
        assert_eq!(problem.detail, says);
    }
    assert_eq!(
        body::<Sample>(b"\xff").unwrap_err().reason,
        Reason::REQUEST_UNPARSABLE
    );
    assert_eq!(
        body::<Sample>(b"").unwrap_err().reason,
        Reason::BODY_MISSING
    );
    assert_eq!(
        body::<Sample>(b"[]").unwrap_err().reason,
        Reason::FIELD_INVALID
    );
}

#[test]
fn hostile_bodies_are_answered_briefly() {
    let many: Vec<String> = (0..5_000).map(|n| format!("\"{n}\":1")).collect();
    let errors = read(&format!("{{{}}}", many.join(","))).unwrap_err();
    assert_eq!(errors.len(), 50);
}

#[test]
fn schemas_tell_what_is_read() {
    let schema = Sample::schema();
    assert_eq!(schema["required"], json!(["user_id"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(
        schema["properties"]["type"]["enum"],
        json!(["group", "duo"])
    );
    assert_eq!(schema["properties"]["user_id"]["description"], "Who.");
}

#[test]
fn queries_are_read_like_bodies() {
    let sample: Sample = query("user_id=a%20b&ids=1,-1&port=8080&type=duo").unwrap();
    assert_eq!(sample.user_id.0, "a b");
    assert_eq!(sample.ids.0.len(), 2);
    for (text, names) in [
        ("user_id=a&user_id=b", vec!["user_id"]),
        ("port=+1&x=1", vec!["x", "user_id", "port"]),
        ("user_id=a&port=99999999999999999999", vec!["port"]),
    ] {
        let problem = query::<Sample>(text).unwrap_err();
        let found: Vec<_> = problem
            .errors
            .into_iter()
            .flat_map(|e| e.parameter)
            .collect();
        assert_eq!(found, names, "{text}");
    }
    assert_eq!(
        query::<Sample>("user_id=%f").unwrap_err().reason,
        Reason::REQUEST_UNPARSABLE
    );
}
