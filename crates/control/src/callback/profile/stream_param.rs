//! `stream_param`: the query of the publish URL, as Tencent's events carry it.
//!
//! Public sample receivers run PHP's `parse_str` over it and look the room up by `groupid`. So whatever the publisher wrote,
//! what PHP reads as `groupid` and `userid` must be the room and the user that the event is about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Pairs of the publisher's query that are kept: PHP reads 1000 variables at most, and ours come last.
const MAX_PAIRS: usize = 200;

/// What we say about a stream, whatever the publisher said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) room_id: &'a str,
    pub(crate) user_id: &'a str,
    /// When the push began, Unix seconds; `ts` in hex.
    pub(crate) started: i64,
    /// The number by which the caller recognises a recording; 0 for none.
    pub(crate) record_id: u64,
}

/// The publisher's `query` without the pairs that would shadow ours, then ours.
pub(crate) fn stream_param(query: &str, subject: &Subject<'_>) -> String {
    let ours = [
        ("from", "interactive".to_owned()),
        ("client_business_type", "0".to_owned()),
        ("sdkappid", encode(subject.app_id)),
        ("sdkapptype", "1".to_owned()),
        ("groupid", encode(subject.room_id)),
        ("userid", encode(&STANDARD.encode(subject.user_id))),
        ("ts", format!("{:x}", subject.started.max(0))),
        ("cliRecoId", subject.record_id.to_string()),
    ];
    let kept = query
        .split('&')
        .filter(|pair| {
            let name = php_name(pair.split('=').next().unwrap_or_default());
            !name.is_empty() && ours.iter().all(|(ours, _)| *ours != name)
        })
        .take(MAX_PAIRS)
        .map(str::to_owned);
    kept.chain(ours.iter().map(|(name, value)| format!("{name}={value}")))
        .collect::<Vec<_>>()
        .join("&")
}

/// The variable into which PHP puts a pair of this (still encoded) name: decoded, leading spaces gone, ended by NUL or by
/// the bracket of an array, dots and spaces turned to underscores.
fn php_name(encoded: &str) -> String {
    let decoded = decode(encoded);
    let name = decoded.trim_start_matches(' ');
    let end = name
        .char_indices()
        .find(|(at, c)| *c == '\0' || (*c == '[' && *at > 0))
        .map_or(name.len(), |(at, _)| at);
    name[..end].replace(['.', ' '], "_")
}

/// Percent-decodes, `+` as a space; what is no UTF-8 afterwards is replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: u8| (byte as char).to_digit(16);
        let mut ahead = rest.clone();
        match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = ahead;
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent-encodes all but unreserved characters and `=` and `/`, which base64 needs and a value may hold.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'=' | b'/' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SUBJECT: Subject<'_> = Subject {
        app_id: "1400000001",
        room_id: "8001",
        user_id: "anchor_7",
        started: 0x5b7d_27c4,
        record_id: 123_456,
    };

    /// What PHP's `parse_str` reads: the last value of each variable.
    fn php(text: &str, variable: &str) -> Option<String> {
        text.split('&')
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (php_name(name) == variable).then(|| decode(value))
            })
            .next_back()
    }

    #[test]
    fn c7_parse_str_of_stream_param_names_the_room() {
        let query = "txSecret=ab12&txTime=5C271099";
        let text = stream_param(query, &SUBJECT);
        assert_eq!(
            text,
            "txSecret=ab12&txTime=5C271099&from=interactive&client_business_type=0&sdkappid=1400000001&sdkapptype=1\
             &groupid=8001&userid=YW5jaG9yXzc=&ts=5b7d27c4&cliRecoId=123456"
        );
        assert_eq!(php(&text, "groupid").unwrap(), "8001");
        assert_eq!(
            STANDARD.decode(php(&text, "userid").unwrap()).unwrap(),
            b"anchor_7"
        );
    }

    #[test]
    fn c7_holds_for_every_spelling_with_which_a_publisher_could_shadow_the_room() {
        for query in [
            "groupid=other",
            "a=1&groupid=other&b=2",
            "%67roupid=other",
            "+groupid=other",
            "%20groupid=other",
            "groupid[]=other",
            "groupid%5Bx%5D=other",
            "groupid%00x=other",
            "groupid",
            "&&groupid=other&",
        ] {
            let text = stream_param(query, &SUBJECT);
            assert_eq!(php(&text, "groupid").unwrap(), "8001", "{query}");
            assert!(!text.contains("other"), "{query} gave {text}");
        }
    }

    #[test]
    fn rooms_and_users_of_any_characters_survive_parse_str() {
        for (room, user) in [("a&b=c+d %41", "Ω>>>???"), ("房间 1", "用户"), ("", "")] {
            let text = stream_param(
                "",
                &Subject {
                    room_id: room,
                    user_id: user,
                    ..SUBJECT
                },
            );
            assert_eq!(php(&text, "groupid").unwrap(), room);
            assert_eq!(
                STANDARD.decode(php(&text, "userid").unwrap()).unwrap(),
                user.as_bytes()
            );
        }
    }

    #[test]
    fn a_query_of_thousands_of_pairs_does_not_push_ours_out() {
        let text = stream_param(&"x=1&".repeat(5000), &SUBJECT);
        assert_eq!(text.split('&').count(), MAX_PAIRS + 8);
    }
}
