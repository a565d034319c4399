//! What counts as "received": the receiver's answer, read.

use std::time::Duration;

use crate::words::words;

words! {
    /// Which answer ends a delivery.
    pub enum Acknowledgement {
        /// Any status from 200 to 299 (Standard Webhooks).
        AnySuccess = "any_2xx",
        /// Exactly 200; the body is not looked at (Tencent today, and the seeds' wording).
        Status200 = "status_200",
        /// Exactly 200 with a JSON body whose `code` is 0 (Tencent's older text).
        Status200AndCode0 = "status_200_and_code_0",
    }
}

/// What a receiver answered, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Header `Retry-After`, when there is one that can be read.
    pub retry_after: Option<Duration>,
    /// The first bytes of the body; bounded by the sender.
    pub body: &'a [u8],
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The receiver has the event.
    Received,
    /// It has not; the reason in words, and the least time that the receiver asked us to wait.
    Refused {
        /// One sentence without a full stop.
        reason: String,
        /// From `Retry-After` of a 429 or 503, at most an hour.
        wait: Option<Duration>,
    },
    /// The receiver wants no more events at all (410, standard profile only).
    Gone,
}

/// A receiver cannot put us off for longer than the schedule's own longest step.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

impl Acknowledgement {
    /// Reads an answer.
    pub fn read(self, answer: &Answer<'_>) -> Reading {
        let status = answer.status;
        let refused = |reason: String| Reading::Refused { reason, wait: None };
        match (self, status) {
            (Self::AnySuccess, 200..=299) | (Self::Status200, 200) => Reading::Received,
            (Self::Status200AndCode0, 200) => match code(answer.body) {
                Some(0) => Reading::Received,
                Some(code) => refused(format!("HTTP 200, but the answer's code is {code}, not 0")),
                None => refused(
                    "HTTP 200, but the answer is not a JSON object with a number \"code\""
                        .to_owned(),
                ),
            },
            (Self::AnySuccess, 410) => Reading::Gone,
            (_, 429 | 503) => Reading::Refused {
                reason: format!("HTTP {status}"),
                wait: answer.retry_after.map(|wait| wait.min(MAX_RETRY_AFTER)),
            },
            (_, 300..=399) => refused(format!(
                "HTTP {status}: callbacks follow no redirects, register the final URL"
            )),
            (_, 200..=299) => refused(format!(
                "HTTP {status}: only 200 is an acknowledgement in this profile"
            )),
            _ => refused(format!("HTTP {status}")),
        }
    }
}

/// `code` of `{"code":0}`, as a number or as digits in a string; some receivers write either.
fn code(body: &[u8]) -> Option<i64> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let code = value.get("code")?;
    code.as_i64().or_else(|| code.as_str()?.parse().ok())
}

/// Reads `Retry-After`: seconds, or an HTTP date compared with `now` (RFC 9110 §10.2.3).
pub(crate) fn retry_after(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Acknowledgement::{AnySuccess, Status200, Status200AndCode0};

    fn read(rule: Acknowledgement, status: u16, body: &str) -> Reading {
        rule.read(&Answer {
            status,
            retry_after: None,
            body: body.as_bytes(),
        })
    }

    fn is_refused(rule: Acknowledgement, status: u16, body: &str) -> bool {
        matches!(
            read(rule, status, body),
            Reading::Refused { wait: None, .. }
        )
    }

    #[test]
    fn each_rule_takes_its_own_statuses_and_no_other() {
        for status in 100..=599 {
            let any = (200..=299).contains(&status);
            assert_eq!(
                read(AnySuccess, status, "") == Reading::Received,
                any,
                "{status}"
            );
            assert_eq!(
                read(Status200, status, "") == Reading::Received,
                status == 200,
                "{status}"
            );
            assert_eq!(
                read(Status200AndCode0, status, r#"{"code":0}"#) == Reading::Received,
                status == 200,
                "{status}"
            );
        }
    }

    #[test]
    fn code_0_is_asked_for_only_where_it_is_the_rule() {
        for received in [
            r#"{"code":0}"#,
            r#"{"code":"0","message":"ok"}"#,
            " {\"code\": 0 }\n",
        ] {
            assert_eq!(
                read(Status200AndCode0, 200, received),
                Reading::Received,
                "{received}"
            );
        }
        for refused in [
            "",
            "ok",
            r#"{"code":1}"#,
            r#"{"ret":0}"#,
            "0",
            r#"[{"code":0}]"#,
            r#"{"code":null}"#,
        ] {
            assert!(is_refused(Status200AndCode0, 200, refused), "{refused}");
            assert_eq!(
                read(Status200, 200, refused),
                Reading::Received,
                "{refused}"
            );
        }
    }

    #[test]
    fn gone_is_final_in_the_standard_profile_only() {
        assert_eq!(read(AnySuccess, 410, ""), Reading::Gone);
        assert!(is_refused(Status200, 410, ""));
        assert!(is_refused(Status200AndCode0, 410, ""));
    }

    #[test]
    fn retry_after_is_honoured_for_429_and_503_up_to_an_hour() {
        let wait = |status, seconds| {
            let answer = Answer {
                status,
                retry_after: Some(Duration::from_secs(seconds)),
                body: b"",
            };
            match Status200.read(&answer) {
                Reading::Refused { wait, .. } => wait,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait(429, 7), Some(Duration::from_secs(7)));
        assert_eq!(wait(503, 99_999), Some(Duration::from_secs(3600)));
        assert_eq!(wait(500, 7), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2025-01-01T12:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Wed, 01 Jan 2025 12:01:30 GMT", now),
            Some(Duration::from_secs(90))
        );
        assert_eq!(
            retry_after("Wed, 01 Jan 2025 11:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-3", now), None);
    }
}
