//! What a request path outside our own routes means.
//!
//! ```text
//! /{app}/{stream}.flv          endless FLV, also over WebSocket
//! /{app}/{stream}.ts           endless MPEG-TS
//! /{app}/{stream}.m3u8         HLS, fMP4     /{app}/{stream}/fmp4.m3u8     its media playlist, and others: hls::PlaylistName
//! /{app}/{stream}.ts.m3u8      HLS, MPEG-TS  /{app}/{stream}/ts.m3u8       its media playlist
//! /{app}/{stream}/{file}       HLS segments: .m4s, .mp4, .ts, and keys: key-….bin
//! ```
//!
//! Apps may have several parts and streams may have dots, so a path can mean two things:
//! `/live/cam1/ts.m3u8` is a media playlist of `live/cam1`, or HLS of the stream `ts` in the app
//! `live/cam1`. The readings come in order; the first whose stream is known is meant.

use hls::{Container, PlaylistName};
use media::{NameError, StreamName};

/// One reading of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Endless FLV.
    Flv(StreamName),
    /// Endless MPEG-TS.
    Ts(StreamName),
    /// Multivariant playlist.
    Multivariant(StreamName, Container),
    /// Media playlist or I-frame playlist.
    Playlist(StreamName, PlaylistName),
    /// Segment, init segment or key of this file name.
    Resource(StreamName, String),
}

/// What a path may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Readings {
    /// No media at all.
    NotMedia,
    /// Media by its extension, of a stream that cannot be.
    BadName(NameError),
    /// At least one reading.
    Some(Vec<Target>),
}

impl Target {
    pub(crate) fn name(&self) -> &StreamName {
        match self {
            Self::Flv(name)
            | Self::Ts(name)
            | Self::Multivariant(name, _)
            | Self::Playlist(name, _)
            | Self::Resource(name, _) => name,
        }
    }
}

impl Target {
    /// The same of another stream.
    pub(crate) fn of(&self, name: StreamName) -> Self {
        match self {
            Self::Flv(_) => Self::Flv(name),
            Self::Ts(_) => Self::Ts(name),
            Self::Multivariant(_, container) => Self::Multivariant(name, *container),
            Self::Playlist(_, playlist) => Self::Playlist(name, *playlist),
            Self::Resource(_, file) => Self::Resource(name, file.clone()),
        }
    }
}

/// Reads `path`, still percent-encoded, without its query.
pub(crate) fn read(path: &str) -> Readings {
    let mut found = Vec::new();
    let mut wrong = None;
    let mut add = |name: &str, target: &dyn Fn(StreamName) -> Target| {
        match StreamName::from_path(name) {
            Ok(name) => found.push(target(name)),
            Err(error) => wrong = Some(error),
        };
    };
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(stem) = path.strip_suffix(".flv") {
        add(stem, &Target::Flv);
    } else if let Some(stem) = path.strip_suffix(".m3u8") {
        if let Some(playlist) = PlaylistName::parse(file)
            && has_two_parts(folder)
        {
            add(folder, &|name| Target::Playlist(name, playlist));
        }
        if let Some(stem) = stem.strip_suffix(".ts") {
            add(stem, &|name| Target::Multivariant(name, Container::Ts));
        }
        add(stem, &|name| Target::Multivariant(name, Container::Fmp4));
    } else if let Some(stem) = path.strip_suffix(".ts") {
        if is_media_file(file) && has_two_parts(folder) {
            add(folder, &|name| Target::Resource(name, file.to_owned()));
        }
        add(stem, &Target::Ts);
    } else if file.starts_with("key-") && file.ends_with(".bin") && has_two_parts(folder) {
        add(folder, &|name| Target::Resource(name, file.to_owned()));
    } else if (path.ends_with(".m4s") || path.ends_with(".mp4")) && has_two_parts(folder) {
        add(folder, &|name| Target::Resource(name, file.to_owned()));
    } else {
        return Readings::NotMedia;
    }
    match wrong {
        Some(error) if found.is_empty() => Readings::BadName(error),
        _ => Readings::Some(found),
    }
}

fn has_two_parts(folder: &str) -> bool {
    folder.trim_start_matches('/').contains('/')
}

/// Whether a `.ts` file name looks like one of the segmenter's: `{hex}-{number}.ts`, of a track alone
/// `{hex}-v-{number}.ts` or `{hex}-a{n}-{number}.ts`.
fn is_media_file(file: &str) -> bool {
    let Some((epoch, sequence)) = file.strip_suffix(".ts").and_then(|f| f.split_once('-')) else {
        return false;
    };
    let (mark, sequence) = sequence.split_once('-').unwrap_or(("v", sequence));
    let is_mark = mark == "v"
        || mark
            .strip_prefix('a')
            .is_some_and(|n| matches!(n.as_bytes(), [b'0'..=b'9']));
    !epoch.is_empty()
        && is_mark
        && !sequence.is_empty()
        && epoch.bytes().all(|byte| byte.is_ascii_hexdigit())
        && sequence.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(text: &str) -> StreamName {
        text.parse().unwrap()
    }

    fn some(path: &str) -> Vec<Target> {
        match read(path) {
            Readings::Some(found) => found,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn plain_paths_have_one_reading() {
        let cam = || name("live/cam1");
        assert_eq!(some("/live/cam1.flv"), [Target::Flv(cam())]);
        assert_eq!(some("/live/cam1.ts"), [Target::Ts(cam())]);
        assert_eq!(
            some("/live/cam1.m3u8"),
            [Target::Multivariant(cam(), Container::Fmp4)]
        );
        assert_eq!(
            some("/live/cam1/1a-init-0.mp4"),
            [Target::Resource(cam(), "1a-init-0.mp4".to_owned())]
        );
        assert_eq!(
            some("/live/cam1/key-1a-0.bin"),
            [Target::Resource(cam(), "key-1a-0.bin".to_owned())]
        );
    }

    #[test]
    fn paths_of_resources_are_read_as_such_first() {
        assert_eq!(
            some("/live/cam1/ts.m3u8"),
            [
                Target::Playlist(name("live/cam1"), PlaylistName::Media(Container::Ts.into())),
                Target::Multivariant(name("live/cam1/ts"), Container::Fmp4),
            ]
        );
        assert_eq!(
            some("/live/cam1/1a-17.ts"),
            [
                Target::Resource(name("live/cam1"), "1a-17.ts".to_owned()),
                Target::Ts(name("live/cam1/1a-17")),
            ]
        );
        for track in ["1a-v-17.ts", "1a-a1-17.ts"] {
            assert_eq!(
                some(&format!("/live/cam1/{track}"))[0],
                Target::Resource(name("live/cam1"), track.to_owned())
            );
        }
        assert_eq!(
            some("/live/cam1/1a-x-17.ts"),
            [Target::Ts(name("live/cam1/1a-x-17"))]
        );
        assert_eq!(
            some("/live/cam1.ts.m3u8"),
            [
                Target::Multivariant(name("live/cam1"), Container::Ts),
                Target::Multivariant(name("live/cam1.ts"), Container::Fmp4),
            ]
        );
        // A stream whose app has one part cannot hold resources of another.
        assert_eq!(
            some("/live/ts.m3u8"),
            [Target::Multivariant(name("live/ts"), Container::Fmp4)]
        );
    }

    #[test]
    fn names_are_decoded_once_and_bad_ones_are_said() {
        assert_eq!(some("/live/%63am1.flv"), [Target::Flv(name("live/cam1"))]);
        for path in [
            "/live/..%2f..%2fetc.flv",
            "/live/%2563am1.flv",
            "/live/.flv",
            "/live/%00.ts",
            "/v1/streams.flv",
            "/cam1.m3u8",
            "/live/%0d%0aX.m3u8",
        ] {
            assert!(matches!(read(path), Readings::BadName(_)), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_media() {
        for path in [
            "",
            "/",
            "/live/cam1",
            "/index.html",
            "*",
            "/a.mp4",
            "/live/cam1.jpg",
            "/live/cam1/1a.bin",
            "/live/key-1a-0.bin",
        ] {
            assert_eq!(read(path), Readings::NotMedia, "{path}");
        }
    }
}
