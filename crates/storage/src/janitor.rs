//! Which streams in the storage are over: whoever wrote them, a live one writes its playlist every few seconds.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use hls::{Container, PlaylistName};

use crate::Found;

/// A stream as it lies in the storage.
#[derive(Debug)]
struct Remains<'a> {
    newest: SystemTime,
    playlists: Vec<&'a str>,
    media: Vec<&'a str>,
}

/// The objects of streams to which nothing was added for `keep`, playlists first. `active` streams are left alone, and so is
/// everything that is not of our making.
pub(crate) fn over<'a>(
    found: &'a [Found],
    active: &HashSet<String>,
    now: SystemTime,
    keep: Duration,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut streams: BTreeMap<&str, Remains<'_>> = BTreeMap::new();
    for object in found {
        let Some((stream, file)) = object.name.rsplit_once('/') else {
            continue;
        };
        let is_playlist = PlaylistName::parse(file).is_some();
        if !is_playlist && Container::of_media_name(file).is_none() {
            continue;
        }
        let remains = streams.entry(stream).or_insert(Remains {
            newest: object.modified,
            playlists: Vec::new(),
            media: Vec::new(),
        });
        remains.newest = remains.newest.max(object.modified);
        match is_playlist {
            true => remains.playlists.push(&object.name),
            false => remains.media.push(&object.name),
        }
    }
    // Those beside the folders. They change seldom: their age says nothing.
    for object in found {
        let of = |container: Container| object.name.strip_suffix(container.multivariant_suffix());
        if let Some(stream) = Container::ALL
            .into_iter()
            .find_map(|container| of(container).filter(|stream| streams.contains_key(stream)))
            && let Some(remains) = streams.get_mut(stream)
        {
            remains.playlists.insert(0, &object.name);
        }
    }
    let is_over = |(stream, remains): &(&str, Remains<'_>)| {
        let age = now.duration_since(remains.newest).unwrap_or_default();
        age >= keep && !active.contains(*stream)
    };
    let names = |(stream, remains): (&'a str, Remains<'a>)| {
        let mut names = remains.playlists;
        names.extend(remains.media);
        (stream, names)
    };
    streams.into_iter().filter(is_over).map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_without_a_sign_of_life_go_playlists_first_and_nothing_else_does() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let found: Vec<_> = [
            ("live/old/19a3-1.m4s", 5_000),
            ("live/old/19a3-init-1.mp4", 9_000),
            ("live/old/fmp4.m3u8", 4_000),
            ("live/old/iframes.m3u8", 4_000),
            ("live/old/notes.txt", 9_000),
            ("live/old.m3u8", 9_000),
            ("live/old.ts.m3u8", 9_000),
            ("live/now/19a3-1.ts", 9_000),
            ("live/now/ts.m3u8", 1),
            ("live/now.ts.m3u8", 9_000),
            ("live/mine/19a3-1.ts", 9_000),
            ("a/b/crashed/19a3-1.ts", 9_000),
            ("other.m3u8", 9_000),
            ("movies/film.mp4", 9_000),
        ]
        .map(|(name, age)| Found::new(name, now - Duration::from_secs(age)))
        .into();
        let active = HashSet::from(["live/mine".to_owned()]);
        let gone = over(&found, &active, now, Duration::from_secs(3_600));
        let old = vec![
            "live/old.ts.m3u8",
            "live/old.m3u8",
            "live/old/fmp4.m3u8",
            "live/old/iframes.m3u8",
            "live/old/19a3-1.m4s",
            "live/old/19a3-init-1.mp4",
        ];
        let crashed = vec!["a/b/crashed/19a3-1.ts"];
        assert_eq!(gone, [("a/b/crashed", crashed), ("live/old", old)]);
    }
}
