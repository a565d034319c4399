//! Playlists as they are written, with the line of everything (RFC 8216 §4, RFC 8216bis §4.4).
//!
//! Read here and not by a library: findings name lines, values are compared as they were written, and a line
//! that is wrong must not hide the rest. Tests hold it against `m3u8-rs`.

mod attributes;
mod media;
mod multivariant;

use std::sync::Arc;

use url::Url;

pub(crate) use self::attributes::Attributes;
pub(crate) use self::media::{Kind, Map, Media, Part, Range, Segment};
pub(crate) use self::multivariant::{Multivariant, Variant};
use crate::rule::Check;

/// Segments of one playlist, and parts of it. Threat: a line of two bytes costs a hundred in memory.
const MAX_ENTRIES: usize = 100_000;
/// Problems of one playlist that are told. Threat: each line of a hostile playlist is one.
const MAX_PROBLEMS: usize = 64;

/// A playlist.
#[derive(Debug)]
pub(crate) enum Playlist {
    Multivariant(Multivariant),
    Media(Box<Media>),
}

/// A line that is wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) check: &'static Check,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Microseconds: of durations, exact for all that playlists write.
pub(crate) type Micros = i64;

/// Reads what `url` gave.
///
/// # Errors
/// A sentence: it is no playlist.
pub(crate) fn parse(body: &[u8], url: &Url) -> Result<Playlist, String> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        format!("not a playlist: no UTF-8 at byte {at}")
    })?;
    let mut lines = (1..).zip(text.lines());
    if lines
        .next()
        .is_none_or(|(_, line)| line.trim_end() != "#EXTM3U")
    {
        let begin: String = text.chars().take(40).collect();
        return Err(format!(
            "not a playlist: it begins with {begin:?}, not with #EXTM3U"
        ));
    }
    let is_multivariant =
        |line: &str| line.starts_with("#EXT-X-STREAM-INF:") || line.starts_with("#EXT-X-MEDIA:");
    if lines.clone().any(|(_, line)| is_multivariant(line)) {
        return Ok(Playlist::Multivariant(multivariant::parse(lines, url)));
    }
    media::parse(lines, url).map(|media| Playlist::Media(Box::new(media)))
}

/// Lines that are wrong, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    fn tell(&mut self, check: &'static Check, line: usize, what: impl Into<String>) {
        if self.0.len() < MAX_PROBLEMS {
            let what = what.into();
            self.0.push(Problem { check, line, what });
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

/// What a URI in the playlist at `base` names.
fn resolve(base: &Url, uri: &str) -> Result<Arc<Url>, String> {
    base.join(uri)
        .map(Arc::new)
        .map_err(|error| format!("{:?} is no URI: {error}", quoted(uri)))
}

/// Decimal seconds as microseconds, rounded to the nearest; `None`: no such number.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
pub(crate) fn micros(seconds: &str) -> Option<Micros> {
    let seconds: f64 = seconds.trim().parse().ok()?;
    (0.0..=1e9)
        .contains(&seconds)
        .then(|| (seconds * 1e6).round() as i64)
}

/// As much of a text as a message quotes.
fn quoted(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests;
