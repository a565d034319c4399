//! The two media containers of HLS, and the names of their resources.
//!
//! ```text
//! /{app}/{stream}.m3u8                     multivariant playlist, fMP4
//! /{app}/{stream}/fmp4.m3u8                its media playlist
//! /{app}/{stream}/{epoch}-init-{n}.mp4     init segment of the n-th codec configuration
//! /{app}/{stream}/{epoch}-{msn}.m4s        media segment
//! /{app}/{stream}/{epoch}-{msn}.{n}.m4s    its n-th part, from 0
//!
//! /{app}/{stream}.ts.m3u8                  multivariant playlist, MPEG-TS
//! /{app}/{stream}/ts.m3u8                  its media playlist
//! /{app}/{stream}/{epoch}-{msn}.ts         media segment
//!
//! /{app}/{stream}/key-{epoch}-{n}.bin      n-th key, from 0
//! ```
//!
//! The epoch is different for every [`crate::Segmenter`] of a stream, so a URL of media never
//! names other bytes than before.

/// A container that HLS media segments come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// Fragmented MP4 (CMAF).
    Fmp4,
    /// MPEG-2 transport stream.
    Ts,
}

impl Container {
    /// Both containers.
    pub const ALL: [Self; 2] = [Self::Fmp4, Self::Ts];

    /// MIME type of every playlist (RFC 8216 §4).
    pub const PLAYLIST_TYPE: &'static str = "application/vnd.apple.mpegurl";

    /// File name of the media playlist, below `/{app}/{stream}/`.
    #[must_use]
    pub fn playlist_name(self) -> &'static str {
        match self {
            Self::Fmp4 => "fmp4.m3u8",
            Self::Ts => "ts.m3u8",
        }
    }

    /// What follows the stream's name in the URL of the multivariant playlist.
    #[must_use]
    pub fn multivariant_suffix(self) -> &'static str {
        match self {
            Self::Fmp4 => ".m3u8",
            Self::Ts => ".ts.m3u8",
        }
    }

    /// The container whose media playlist has this file name.
    #[must_use]
    pub fn from_playlist_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.playlist_name() == name)
    }

    /// The container that a segment, part or init segment with this name belongs to, whatever run made it; `None` for
    /// names that are not of our making.
    #[must_use]
    pub fn of_media_name(name: &str) -> Option<Self> {
        let (epoch, _) = name.split_once('-')?;
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        Some(match parse_name(epoch, name)? {
            ResourceName::Init { .. } | ResourceName::Part { .. } => Self::Fmp4,
            ResourceName::Segment { container, .. } => container,
        })
    }

    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Fmp4 => "m4s",
            Self::Ts => "ts",
        }
    }

    /// MIME type of media segments and init segments.
    pub(crate) fn media_type(self, has_video: HasVideo) -> &'static str {
        match (self, has_video) {
            (Self::Ts, _) => "video/mp2t",
            (Self::Fmp4, HasVideo::Yes) => "video/mp4",
            (Self::Fmp4, HasVideo::No) => "audio/mp4",
        }
    }
}

/// Whether a rendition carries pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasVideo {
    Yes,
    No,
}

/// What a resource below `/{app}/{stream}/` is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceName {
    Init { version: u32 },
    Segment { container: Container, sequence: u64 },
    Part { sequence: u64, part: usize },
}

pub(crate) fn init_name(epoch: u64, version: u32) -> String {
    format!("{epoch:x}-init-{version}.mp4")
}

pub(crate) fn segment_name(epoch: u64, container: Container, sequence: u64) -> String {
    format!("{epoch:x}-{sequence}.{}", container.extension())
}

pub(crate) fn part_name(epoch: u64, sequence: u64, part: usize) -> String {
    let extension = Container::Fmp4.extension();
    format!("{epoch:x}-{sequence}.{part}.{extension}")
}

pub(crate) fn key_name(epoch: u64, number: u64) -> String {
    format!("key-{epoch:x}-{number}.bin")
}

/// The epoch of the key of this name, if it is a key's.
pub(crate) fn epoch_of_key(name: &str) -> Option<u64> {
    let (epoch, _) = name.strip_prefix("key-")?.split_once('-')?;
    u64::from_str_radix(epoch, 16).ok()
}

/// The number of the key of this name.
pub(crate) fn parse_key_name(epoch: u64, name: &str) -> Option<u64> {
    let number = name.strip_suffix(".bin")?.rsplit_once('-')?.1;
    let number = number.parse().ok()?;
    (key_name(epoch, number) == name).then_some(number)
}

/// Reads exactly the names that the functions above write: one URL, one resource.
pub(crate) fn parse_name(epoch: u64, name: &str) -> Option<ResourceName> {
    let (_, rest) = name.split_once('-')?;
    let (stem, extension) = rest.split_once('.')?;
    let (parsed, written) = if let Some(version) = stem.strip_prefix("init-") {
        let version = version.parse().ok()?;
        (ResourceName::Init { version }, init_name(epoch, version))
    } else if let Some((part, _)) = extension.split_once('.') {
        let (sequence, part) = (stem.parse().ok()?, part.parse().ok()?);
        let written = part_name(epoch, sequence, part);
        (ResourceName::Part { sequence, part }, written)
    } else {
        let container = Container::ALL
            .into_iter()
            .find(|c| c.extension() == extension)?;
        let sequence = stem.parse().ok()?;
        let written = segment_name(epoch, container, sequence);
        (
            ResourceName::Segment {
                container,
                sequence,
            },
            written,
        )
    };
    (written == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_run_tell_their_container() {
        let of = Container::of_media_name;
        assert_eq!(of("19a3-17.ts"), Some(Container::Ts));
        assert_eq!(of("19a3-init-1.mp4"), Some(Container::Fmp4));
        assert_eq!(of("19a3-17.2.m4s"), Some(Container::Fmp4));
        for other in [
            "fmp4.m3u8",
            "17.ts",
            "x-17.ts",
            "019a3-17.ts",
            "19A3-17.ts",
            "19a3-17.aac",
            "a-b",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_read_back_and_only_as_they_are_written() {
        assert_eq!(
            parse_name(0xab, "ab-17.ts"),
            Some(ResourceName::Segment {
                container: Container::Ts,
                sequence: 17
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-init-3.mp4"),
            Some(ResourceName::Init { version: 3 })
        );
        assert_eq!(
            parse_name(0xab, "ab-17.0.m4s"),
            Some(ResourceName::Part {
                sequence: 17,
                part: 0
            })
        );
        for other in [
            "",
            "ab-",
            "ab-17",
            "ac-17.ts",
            "AB-17.ts",
            "ab-017.ts",
            "ab-+17.ts",
            "ab-17.mp4",
            "ab-17.ts.ts",
            "ab-init-03.mp4",
            "ab-17.00.m4s",
            "ab-17.1.ts",
            "ab-17.1.1.m4s",
            "ab-17..m4s",
            "ab-init-3.m4s",
            "ab--1.ts",
            "ab-99999999999999999999999.ts",
        ] {
            assert_eq!(parse_name(0xab, other), None, "{other}");
        }
    }

    #[test]
    fn keys_have_names_of_their_own() {
        assert_eq!(key_name(0xab, 3), "key-ab-3.bin");
        assert_eq!(parse_key_name(0xab, "key-ab-3.bin"), Some(3));
        assert_eq!(parse_name(0xab, "key-ab-3.bin"), None);
        for other in [
            "key-ac-3.bin",
            "key-ab-03.bin",
            "key-ab-.bin",
            "ab-3.bin",
            "key-ab-3",
        ] {
            assert_eq!(parse_key_name(0xab, other), None, "{other}");
        }
    }
}
