//! The two media containers of HLS, and the names of their resources.
//!
//! ```text
//! /{app}/{stream}.m3u8                     multivariant playlist, fMP4
//! /{app}/{stream}/fmp4.m3u8                its media playlist
//! /{app}/{stream}/{epoch}-init-{n}.mp4     init segment of the n-th codec configuration
//! /{app}/{stream}/{epoch}-{msn}.m4s        media segment
//! /{app}/{stream}/{epoch}-{msn}.{n}.m4s    its n-th part, from 0
//!                         {epoch}-v-…, {epoch}-a0-…   the same of video.m3u8, audio.m3u8
//!
//! /{app}/{stream}.ts.m3u8                  multivariant playlist, MPEG-TS
//! /{app}/{stream}/ts.m3u8                  its media playlist
//! /{app}/{stream}/{epoch}-{msn}.ts         media segment
//!                         {epoch}-v-…, {epoch}-a0-…   the same of ts-video.m3u8, ts-audio.m3u8
//!
//! /{app}/{stream}/key-{epoch}-{n}.bin      n-th key, from 0
//! ```
//!
//! The epoch is different for every [`crate::Segmenter`] of a stream, so a URL of media never
//! names other bytes than before.

use crate::feed::Feed;

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

    /// The container whose whole stream a segment, part or init segment with this name belongs to, whatever run made it;
    /// `None` for names that are not of our making, and for those of sound or picture alone.
    #[must_use]
    pub fn of_media_name(name: &str) -> Option<Self> {
        let (epoch, _) = name.split_once('-')?;
        let epoch = u64::from_str_radix(epoch, 16).ok()?;
        let (ResourceName::Init { feed, .. }
        | ResourceName::Part { feed, .. }
        | ResourceName::Segment { feed, .. }) = parse_name(epoch, name)?;
        match feed {
            Feed::Main(container) => Some(container),
            Feed::Video(_) | Feed::Audio(..) => None,
        }
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

/// One of something for each container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Each<T> {
    fmp4: T,
    ts: T,
}

impl<T: Copy> Each<T> {
    pub(crate) fn of(&self, container: Container) -> T {
        match container {
            Container::Fmp4 => self.fmp4,
            Container::Ts => self.ts,
        }
    }

    pub(crate) fn of_mut(&mut self, container: Container) -> &mut T {
        match container {
            Container::Fmp4 => &mut self.fmp4,
            Container::Ts => &mut self.ts,
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
    Init {
        feed: Feed,
        version: u32,
    },
    Segment {
        feed: Feed,
        sequence: u64,
    },
    Part {
        feed: Feed,
        sequence: u64,
        part: usize,
    },
}

pub(crate) fn init_name(epoch: u64, feed: Feed, version: u32) -> String {
    format!("{epoch:x}-{}init-{version}.mp4", feed.mark())
}

pub(crate) fn segment_name(epoch: u64, feed: Feed, sequence: u64) -> String {
    let extension = feed.container().extension();
    format!("{epoch:x}-{}{sequence}.{extension}", feed.mark())
}

pub(crate) fn part_name(epoch: u64, feed: Feed, sequence: u64, part: usize) -> String {
    let extension = feed.container().extension();
    format!("{epoch:x}-{}{sequence}.{part}.{extension}", feed.mark())
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
    let container = match rest.ends_with(".ts") {
        true => Container::Ts,
        false => Container::Fmp4,
    };
    let (feed, rest) = Feed::marked(container, rest).unwrap_or((Feed::Main(container), rest));
    let (stem, extension) = rest.split_once('.')?;
    let (parsed, written) = if let Some(version) = stem.strip_prefix("init-") {
        let version = version.parse().ok()?;
        let written = init_name(epoch, feed, version);
        (ResourceName::Init { feed, version }, written)
    } else if let Some((part, _)) = extension.split_once('.') {
        // Only fMP4 has parts.
        let feed = Some(feed).filter(|_| container == Container::Fmp4)?;
        let (sequence, part) = (stem.parse().ok()?, part.parse().ok()?);
        let written = part_name(epoch, feed, sequence, part);
        let parsed = ResourceName::Part {
            feed,
            sequence,
            part,
        };
        (parsed, written)
    } else {
        let sequence = stem.parse().ok()?;
        let written = segment_name(epoch, feed, sequence);
        (ResourceName::Segment { feed, sequence }, written)
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
                feed: Feed::Main(Container::Ts),
                sequence: 17
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-init-3.mp4"),
            Some(ResourceName::Init {
                feed: Feed::Main(Container::Fmp4),
                version: 3
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-a0-init-3.mp4"),
            Some(ResourceName::Init {
                feed: Feed::Audio(Container::Fmp4, 0),
                version: 3
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-v-17.2.m4s"),
            Some(ResourceName::Part {
                feed: Feed::Video(Container::Fmp4),
                sequence: 17,
                part: 2
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-17.0.m4s"),
            Some(ResourceName::Part {
                feed: Feed::Main(Container::Fmp4),
                sequence: 17,
                part: 0
            })
        );
        assert_eq!(
            parse_name(0xab, "ab-a1-17.ts"),
            Some(ResourceName::Segment {
                feed: Feed::Audio(Container::Ts, 1),
                sequence: 17
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
            "ab-a0-17.0.ts",
            "ab-a8-17.m4s",
            "ab-a00-17.m4s",
            "ab-v-a0-17.m4s",
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
