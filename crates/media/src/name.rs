//! Stream names: one normaliser for every protocol.
//!
//! A name reaches us in an RTMP command, an HTTP path, an API body or a configuration file, and
//! ends in playlists, logs, JSON and file paths. Peers have lost files and sessions to `..`, NUL,
//! CR LF and bidirectional overrides in names; so a [`StreamName`] can only be made by
//! [`StreamName::parse`], and what it holds is safe everywhere.

use std::fmt;
use std::sync::Arc;

/// Longest app or stream part, in bytes after decoding: a file name's limit on common systems.
const MAX_PART_BYTES: usize = 255;

/// `{app}/{stream}`, normalised; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    full: Arc<str>,
    app_len: usize,
}

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Empty app or stream.
    #[error("empty {0}")]
    Empty(Part),
    /// Longer than 255 bytes.
    #[error("{part} has {len} bytes, more than {MAX_PART_BYTES}")]
    TooLong {
        /// Which part.
        part: Part,
        /// Its length in bytes.
        len: usize,
    },
    /// `.`, `..`, or a leading `.` or `-`.
    #[error("{0} begins with \".\" or \"-\"")]
    LeadingDotOrDash(Part),
    /// A character outside letters, digits, `-`, `_`, `.`, and (in the app) `/`.
    #[error("{part} contains {ch:?}; letters, digits, \"-\", \"_\" and \".\" are allowed")]
    Character {
        /// Which part.
        part: Part,
        /// The first such character.
        ch: char,
    },
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("{0} is not percent-encoded UTF-8")]
    Encoding(Part),
    /// No `/` between app and stream.
    #[error("expected APP/STREAM")]
    NoSlash,
    /// A part that our own URLs use.
    #[error("app {0:?} is reserved")]
    Reserved(String),
}

/// The app or the stream part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The app.
    App,
    /// The stream.
    Stream,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "app name",
            Self::Stream => "stream name",
        })
    }
}

/// First path parts that belong to our own HTTP routes.
const RESERVED_APPS: [&str; 12] = [
    "v1",
    "watch",
    "console",
    "assets",
    "metrics",
    "healthz",
    "readyz",
    "openapi.json",
    "docs",
    "errors",
    "favicon.ico",
    "robots.txt",
];

impl StreamName {
    /// Makes a name of an app and a stream as a peer sent them: percent-decodes once, then allows
    /// Unicode letters and digits, `-`, `_`, `.`. The app may have several parts joined by `/`.
    ///
    /// # Errors
    /// [`NameError`] says which part and why.
    pub fn parse(app: &str, stream: &str) -> Result<Self, NameError> {
        let app = decode(app.trim_matches('/'), Part::App)?;
        let stream = decode(stream, Part::Stream)?;
        if app.is_empty() {
            return Err(NameError::Empty(Part::App));
        }
        if app.len() > MAX_PART_BYTES {
            return Err(NameError::TooLong {
                part: Part::App,
                len: app.len(),
            });
        }
        for part in app.split('/') {
            check(part, Part::App)?;
        }
        check(&stream, Part::Stream)?;
        let first = app.split('/').next().unwrap_or_default();
        if RESERVED_APPS.contains(&first) {
            return Err(NameError::Reserved(first.to_owned()));
        }
        Ok(Self {
            full: format!("{app}/{stream}").into(),
            app_len: app.len(),
        })
    }

    /// Makes a name of `APP/STREAM`: the last `/` divides.
    ///
    /// # Errors
    /// As [`StreamName::parse`], and [`NameError::NoSlash`].
    pub fn from_path(path: &str) -> Result<Self, NameError> {
        let path = path.trim_start_matches('/');
        let (app, stream) = path.rsplit_once('/').ok_or(NameError::NoSlash)?;
        Self::parse(app, stream)
    }

    /// The app part.
    #[must_use]
    pub fn app(&self) -> &str {
        self.full.get(..self.app_len).unwrap_or_default()
    }

    /// The stream part.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.full.get(self.app_len + 1..).unwrap_or_default()
    }

    /// `app/stream`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for StreamName {
    type Err = NameError;
    fn from_str(path: &str) -> Result<Self, NameError> {
        Self::from_path(path)
    }
}

fn check(text: &str, part: Part) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty(part));
    }
    if text.len() > MAX_PART_BYTES {
        return Err(NameError::TooLong {
            part,
            len: text.len(),
        });
    }
    if text.starts_with(['.', '-']) {
        return Err(NameError::LeadingDotOrDash(part));
    }
    match text
        .chars()
        .find(|&ch| !(ch.is_alphanumeric() || matches!(ch, '-' | '_' | '.')))
    {
        Some(ch) => Err(NameError::Character { part, ch }),
        None => Ok(()),
    }
}

fn decode(text: &str, part: Part) -> Result<String, NameError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(NameError::Encoding(part));
        };
        out.push(u8::try_from(high * 16 + low).map_err(|_| NameError::Encoding(part))?);
    }
    String::from_utf8(out).map_err(|_| NameError::Encoding(part))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn app_may_have_several_parts_and_the_last_slash_divides() {
        let name = StreamName::from_path("/live/room1/cam%31").unwrap();
        assert_eq!(
            (name.app(), name.stream(), name.as_str()),
            ("live/room1", "cam1", "live/room1/cam1")
        );
    }

    #[test]
    fn letters_of_any_script_are_allowed() {
        assert_eq!(
            StreamName::parse("live", "房间_1.a-b").unwrap().stream(),
            "房间_1.a-b"
        );
        assert_eq!(
            StreamName::parse("live", "%E6%88%BF").unwrap().stream(),
            "房"
        );
    }

    #[test]
    fn what_could_escape_a_path_or_a_line_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "-rf",
            "a/b",
            "a\\b",
            "a b",
            "a\0",
            "a\r\nb",
            "a\u{202e}b",
            "a%",
            "a%2",
            "a%zz",
            "%2e%2e",
            "%ff",
            "a%2fb",
            "%252e/x",
            "<x>",
            "a?b",
            "a\u{7f}",
        ] {
            assert!(
                StreamName::parse("live", bad).is_err(),
                "{bad:?} was accepted"
            );
        }
        for bad in [
            "", "/", "..", "a/../b", "a//b", "v1", "watch/x", "%2e%2e/x", "a/.b",
        ] {
            assert!(StreamName::parse(bad, "s").is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn percent_is_decoded_once_only() {
        // `%25` decodes to `%`, which is not an allowed character.
        assert!(matches!(
            StreamName::parse("live", "%2541"),
            Err(NameError::Character {
                part: Part::Stream,
                ch: '%'
            })
        ));
    }

    #[test]
    fn length_is_bounded_in_bytes() {
        assert!(StreamName::parse("live", &"a".repeat(255)).is_ok());
        assert_eq!(
            StreamName::parse("live", &"a".repeat(256)),
            Err(NameError::TooLong {
                part: Part::Stream,
                len: 256
            })
        );
        assert!(StreamName::parse("live", &"房".repeat(86)).is_err());
    }
}
