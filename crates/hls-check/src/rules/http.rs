//! How things are served (H8, H17).

use super::Scribe;
use crate::exchange::Answer;
use crate::rule;

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// A playlist that changes, with its target duration in seconds, and whether the request waited.
    Live { target: u64, waited: bool },
    /// A playlist that has ended, or that names playlists.
    Fixed,
}

/// The header fields of a playlist's answer.
pub(crate) fn playlist(scribe: &mut Scribe<'_>, answer: &Answer, served: Served) {
    if answer.is_file() {
        return;
    }
    let kind = media_type(answer);
    if !matches!(
        kind.as_str(),
        "application/vnd.apple.mpegurl" | "audio/mpegurl"
    ) {
        scribe.tell(
            &rule::PLAYLIST_TYPE,
            format!("a playlist of type {}", shown(&kind)),
        );
    }
    cors(scribe, answer);
    let Served::Live { target, waited } = served else {
        return;
    };
    let most = if waited {
        6 * target
    } else {
        (target / 2).max(1)
    };
    match answer.header("cache-control") {
        None => scribe.tell(
            &rule::CACHE_PLAYLIST,
            "a live playlist without Cache-Control",
        ),
        Some(value) if forbids(value) => {}
        Some(value) => {
            let age = max_age(value);
            if age.is_none_or(|age| age > most) {
                let what =
                    format!("a live playlist with Cache-Control: {value}; at most max-age={most}");
                scribe.tell(&rule::CACHE_PLAYLIST, what);
            }
        }
    }
}

/// The header fields of a segment's or part's answer.
pub(crate) fn segment(scribe: &mut Scribe<'_>, answer: &Answer, line: usize, is_ts: Option<bool>) {
    if answer.is_file() {
        return;
    }
    let url = answer.url.as_str();
    let kind = media_type(answer);
    let fits = match is_ts {
        Some(true) => matches!(kind.as_str(), "video/mp2t" | "audio/mp2t"),
        Some(false) => kind.ends_with("/mp4") || kind.ends_with("/iso.segment"),
        None => true,
    };
    if !fits {
        let is = if is_ts == Some(true) {
            "MPEG-TS"
        } else {
            "fMP4"
        };
        scribe.of(
            &rule::SEGMENT_TYPE,
            line,
            url,
            format!("{is} of type {}", shown(&kind)),
        );
    }
    cors(scribe, answer);
    let cache = answer.header("cache-control");
    if cache.is_none_or(|value| forbids(value) || max_age(value).is_none_or(|age| age == 0)) {
        let what = match cache {
            Some(value) => format!("a segment with Cache-Control: {value}"),
            None => "a segment without Cache-Control".to_owned(),
        };
        scribe.of(&rule::CACHE_SEGMENT, line, url, what);
    }
}

/// Whether pages elsewhere may read it.
pub(crate) fn has_cors(answer: &Answer) -> bool {
    answer.header("access-control-allow-origin").is_some()
}

fn cors(scribe: &mut Scribe<'_>, answer: &Answer) {
    if !has_cors(answer) {
        scribe.tell(
            &rule::CORS,
            format!("{} without Access-Control-Allow-Origin", answer.url),
        );
    }
}

/// The type without its parameters, in lower case; empty when there is none.
pub(crate) fn media_type(answer: &Answer) -> String {
    let value = answer.header("content-type").unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn shown(kind: &str) -> &str {
    if kind.is_empty() { "none" } else { kind }
}

fn forbids(value: &str) -> bool {
    directives(value).any(|(name, _)| matches!(name.as_str(), "no-store" | "no-cache"))
}

/// The longest of `max-age` and `s-maxage`, in seconds.
fn max_age(value: &str) -> Option<u64> {
    let ages =
        directives(value).filter(|(name, _)| matches!(name.as_str(), "max-age" | "s-maxage"));
    ages.filter_map(|(_, age)| age.trim_matches('"').parse().ok())
        .max()
}

fn directives(value: &str) -> impl Iterator<Item = (String, &str)> {
    value.split(',').map(|directive| {
        let (name, value) = directive
            .trim()
            .split_once('=')
            .unwrap_or((directive.trim(), ""));
        (name.to_ascii_lowercase(), value)
    })
}
