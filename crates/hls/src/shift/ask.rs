//! What a request asks for: `?start=-600`, or `?from=2026-11-20T19:30:00Z&to=…`.

use crate::config::WallTime;
use crate::date;

/// Longest time that a request may name, backwards or as a range: ten years.
const LONGEST_MS: u64 = 3_653 * 86_400_000;

/// Which part of what is kept a playlist is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// The live stream, entered this many milliseconds before its end.
    Start {
        /// Milliseconds.
        back_ms: u64,
    },
    /// From one moment to another, or to wherever the stream is.
    Range {
        /// The first moment.
        from: WallTime,
        /// The moment that ends it; later than `from`.
        to: Option<WallTime>,
    },
}

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// `start` is no number of seconds that is 0 or below.
    #[error("start is seconds before the live edge, as start=-600; found {0:?}")]
    Start(String),
    /// `start`, or the time between `from` and `to`, is beyond ten years.
    #[error("{0} lies more than ten years back; what is kept are hours")]
    TooLong(&'static str),
    /// `from` or `to` is no date of RFC 3339 with an offset.
    #[error("{0} is a date as 2026-11-20T19:30:00Z (RFC 3339); found {1:?}")]
    Date(&'static str, String),
    /// `to` is not after `from`.
    #[error("to is not after from")]
    Backwards,
    /// `to` without `from`.
    #[error("to without from: where does it begin?")]
    ToAlone,
    /// `start` beside `from`.
    #[error("start and from exclude each other")]
    Both,
    /// A parameter is there twice.
    #[error("{0} is there twice")]
    Twice(&'static str),
}

impl Ask {
    /// Reads the query of a request; `None` when it asks for nothing of the kind. Other parameters
    /// are skipped.
    ///
    /// # Errors
    /// [`AskError`], for an answer of 400.
    pub fn parse(query: &str) -> Result<Option<Self>, AskError> {
        let (mut start, mut from, mut to) = (None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (slot, name) = match name {
                "start" => (&mut start, "start"),
                "from" => (&mut from, "from"),
                "to" => (&mut to, "to"),
                _ => continue,
            };
            if slot.replace(decoded(value)).is_some() {
                return Err(AskError::Twice(name));
            }
        }
        match (start, from, to) {
            (None, None, None) => Ok(None),
            (Some(start), None, None) => {
                let back_ms = back(&start).ok_or_else(|| AskError::Start(shown(&start)))?;
                if back_ms > LONGEST_MS {
                    return Err(AskError::TooLong("start"));
                }
                Ok(Some(Self::Start { back_ms }))
            }
            (Some(_), _, _) => Err(AskError::Both),
            (None, None, Some(_)) => Err(AskError::ToAlone),
            (None, Some(from), to) => {
                let from = moment("from", &from)?;
                let to = to.map(|to| moment("to", &to)).transpose()?;
                match to {
                    Some(to) if to <= from => Err(AskError::Backwards),
                    Some(to) if from.0.abs_diff(to.0) > LONGEST_MS => {
                        Err(AskError::TooLong("from"))
                    }
                    to => Ok(Some(Self::Range { from, to })),
                }
            }
        }
    }

    /// The query that asks for the same, for links.
    #[must_use]
    pub fn query(&self) -> String {
        match self {
            Self::Start { back_ms } => {
                let (seconds, ms) = (back_ms / 1_000, back_ms % 1_000);
                match ms {
                    0 => format!("start=-{seconds}"),
                    ms => format!("start=-{seconds}.{ms:03}"),
                }
            }
            Self::Range { from, to } => {
                let from = date::rfc3339(from.0);
                match to {
                    Some(to) => format!("from={from}&to={}", date::rfc3339(to.0)),
                    None => format!("from={from}"),
                }
            }
        }
    }
}

/// Milliseconds of `-600` or `-1.5`; `0` and `-0` are the live edge.
fn back(text: &str) -> Option<u64> {
    let digits = match text.strip_prefix('-') {
        Some(digits) => digits,
        None if text.bytes().all(|byte| matches!(byte, b'0' | b'.')) => text,
        None => return None,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // Beyond what fits is beyond ten years.
    let seconds = whole.parse::<u64>().unwrap_or(u64::MAX);
    let ms = fraction.bytes().chain(*b"000").take(3);
    let ms = ms.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Some(seconds.saturating_mul(1_000).saturating_add(ms))
}

fn moment(name: &'static str, text: &str) -> Result<WallTime, AskError> {
    let ms = date::parse_rfc3339(text);
    ms.map(WallTime)
        .ok_or_else(|| AskError::Date(name, shown(text)))
}

/// What of a client's text is repeated.
fn shown(text: &str) -> String {
    let plain = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    plain.take(40).collect()
}

/// Percent-encoded bytes decoded; what is not UTF-8 then is no date either.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let rest = bytes.as_slice();
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                bytes.nth(1);
            }
            None => out.push(b'%'),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn queries_are_read_and_written_again() {
        let start = |back_ms| Some(Ask::Start { back_ms });
        for (query, ask, again) in [
            ("start=-600", start(600_000), "start=-600"),
            ("a=b&start=-1.5&_HLS_skip=YES", start(1_500), "start=-1.500"),
            ("start=0", start(0), "start=-0"),
            ("start=%2D30", start(30_000), "start=-30"),
            (
                "from=2026-11-20T19:30:00Z",
                Some(Ask::Range {
                    from: WallTime(1_795_203_000_000),
                    to: None,
                }),
                "from=2026-11-20T19:30:00.000Z",
            ),
            (
                "to=2026-11-20T20%3A30%3A00.5%2B01:00&from=2026-11-20t19:30:00z",
                Some(Ask::Range {
                    from: WallTime(1_795_203_000_000),
                    to: Some(WallTime(1_795_203_000_500)),
                }),
                "from=2026-11-20T19:30:00.000Z&to=2026-11-20T19:30:00.500Z",
            ),
        ] {
            assert_eq!(Ask::parse(query).unwrap(), ask, "{query}");
            assert_eq!(ask.unwrap().query(), again);
            assert_eq!(Ask::parse(again).unwrap(), ask, "{again}");
        }
        for other in ["", "token=x&_HLS_msn=3", "starts=1", "From=x"] {
            assert_eq!(Ask::parse(other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (query, reason) in [
            (
                "start=600",
                "start is seconds before the live edge, as start=-600; found \"600\"",
            ),
            (
                "start=",
                "start is seconds before the live edge, as start=-600; found \"\"",
            ),
            (
                "start",
                "start is seconds before the live edge, as start=-600; found \"\"",
            ),
            (
                "start=-1e9",
                "start is seconds before the live edge, as start=-600; found \"-1e9\"",
            ),
            (
                "start=-NaN",
                "start is seconds before the live edge, as start=-600; found \"-NaN\"",
            ),
            (
                "start=--5",
                "start is seconds before the live edge, as start=-600; found \"--5\"",
            ),
            (
                "start=-%00%0a",
                "start is seconds before the live edge, as start=-600; found \"-\"",
            ),
            (
                "start=-99999999999999999999999",
                "start lies more than ten years back; what is kept are hours",
            ),
            ("start=-1&start=-1", "start is there twice"),
            (
                "start=-1&from=2026-11-20T19:30:00Z",
                "start and from exclude each other",
            ),
            (
                "to=2026-11-20T19:30:00Z",
                "to without from: where does it begin?",
            ),
            (
                "from=yesterday",
                "from is a date as 2026-11-20T19:30:00Z (RFC 3339); found \"yesterday\"",
            ),
            (
                "from=2026-11-20T19:30:00",
                "from is a date as 2026-11-20T19:30:00Z (RFC 3339); found \"2026-11-20T19:30:00\"",
            ),
            (
                "from=2026-02-30T19:30:00Z",
                "from is a date as 2026-11-20T19:30:00Z (RFC 3339); found \"2026-02-30T19:30:00Z\"",
            ),
            (
                "from=2026-11-20T19:30:00Z&to=2026-11-20T19:30:00Z",
                "to is not after from",
            ),
            (
                "from=1999-11-20T19:30:00Z&to=2026-11-20T19:30:00Z",
                "from lies more than ten years back; what is kept are hours",
            ),
        ] {
            assert_eq!(
                Ask::parse(query).unwrap_err().to_string(),
                reason,
                "{query}"
            );
        }
    }
}
