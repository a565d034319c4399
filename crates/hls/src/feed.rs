//! The media playlists that one stream has.
//!
//! ```text
//! Main(Fmp4)      fmp4.m3u8         default video and audio; low latency where there are parts
//! Video(Fmp4)     video.m3u8        the default video alone
//! Audio(Fmp4, 0)  audio.m3u8        the default audio alone
//! Audio(Fmp4, 1)  audio-1.m3u8      the next audio track …
//!
//! Main(Ts)        ts.m3u8           the same in MPEG-TS
//! Video(Ts)       ts-video.m3u8
//! Audio(Ts, 0)    ts-audio.m3u8
//! Audio(Ts, 1)    ts-audio-1.m3u8 …
//! ```
//!
//! All of a stream's feeds are cut at the same units and have the same sequence numbers.

use media::{TrackKind, TrackList};

use crate::container::Container;

/// A media playlist: what of the stream is in it, and in which container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feed {
    /// The default video and audio together.
    Main(Container),
    /// The default video alone.
    Video(Container),
    /// One audio track alone: 0 is the default one, the others come in order of their ids.
    Audio(Container, u8),
}

/// Names of the playlists of audio tracks; how many there are bounds what a stream offers.
const AUDIO_PLAYLISTS: [&str; 8] = [
    "audio.m3u8",
    "audio-1.m3u8",
    "audio-2.m3u8",
    "audio-3.m3u8",
    "audio-4.m3u8",
    "audio-5.m3u8",
    "audio-6.m3u8",
    "audio-7.m3u8",
];
const TS_AUDIO_PLAYLISTS: [&str; 8] = [
    "ts-audio.m3u8",
    "ts-audio-1.m3u8",
    "ts-audio-2.m3u8",
    "ts-audio-3.m3u8",
    "ts-audio-4.m3u8",
    "ts-audio-5.m3u8",
    "ts-audio-6.m3u8",
    "ts-audio-7.m3u8",
];
/// What their resources are called by.
const AUDIO_MARKS: [&str; 8] = ["a0-", "a1-", "a2-", "a3-", "a4-", "a5-", "a6-", "a7-"];

impl Feed {
    /// How many there are at most.
    pub const COUNT: usize = 2 * (2 + AUDIO_PLAYLISTS.len());

    /// All feeds that a stream may have.
    pub fn all() -> impl Iterator<Item = Self> {
        let main = Container::ALL.into_iter().map(Self::Main);
        let video = Container::ALL.into_iter().map(Self::Video);
        let audio = Container::ALL.into_iter().flat_map(|container| {
            let numbers = (0..).take(AUDIO_PLAYLISTS.len());
            numbers.map(move |n| Self::Audio(container, n))
        });
        main.chain(video).chain(audio)
    }

    /// A number below [`Feed::COUNT`], another one for each.
    #[must_use]
    pub fn index(self) -> usize {
        let second = usize::from(self.container() == Container::Ts);
        match self {
            Self::Main(_) => second,
            Self::Video(_) => 2 + second,
            Self::Audio(_, n) => {
                let most = AUDIO_PLAYLISTS.len();
                4 + second * most + usize::from(n).min(most - 1)
            }
        }
    }

    /// The container of its segments.
    #[must_use]
    pub fn container(self) -> Container {
        match self {
            Self::Main(container) | Self::Video(container) | Self::Audio(container, _) => container,
        }
    }

    /// File name of the media playlist, below `/{app}/{stream}/`.
    #[must_use]
    pub fn playlist_name(self) -> &'static str {
        match self {
            Self::Main(container) => container.playlist_name(),
            Self::Video(Container::Fmp4) => "video.m3u8",
            Self::Video(Container::Ts) => "ts-video.m3u8",
            Self::Audio(container, n) => {
                let names = match container {
                    Container::Fmp4 => &AUDIO_PLAYLISTS,
                    Container::Ts => &TS_AUDIO_PLAYLISTS,
                };
                names.get(usize::from(n)).copied().unwrap_or_default()
            }
        }
    }

    /// What distinguishes its resources from those of the other feeds in this container.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Main(_) => "",
            Self::Video(_) => "v-",
            Self::Audio(_, n) => AUDIO_MARKS.get(usize::from(n)).copied().unwrap_or_default(),
        }
    }

    /// The feed in this container whose mark a name begins with, and the rest of the name.
    pub(crate) fn marked(container: Container, name: &str) -> Option<(Self, &str)> {
        let feeds = Self::all().filter(|feed| feed.container() == container);
        let marked = feeds.filter(|feed| !feed.mark().is_empty());
        marked
            .filter_map(|feed| Some((feed, name.strip_prefix(feed.mark())?)))
            .next()
    }

    /// The tracks of this list that are in it.
    pub(crate) fn select(self, tracks: &TrackList) -> TrackList {
        let chosen = match self {
            Self::Main(_) => tracks
                .iter()
                .filter(|track| tracks.is_default(track.id))
                .cloned()
                .collect(),
            Self::Video(_) => tracks.video().into_iter().cloned().collect(),
            Self::Audio(_, n) => audio_tracks(tracks)
                .nth(n.into())
                .into_iter()
                .cloned()
                .collect(),
        };
        TrackList::new(chosen)
    }
}

/// The audio tracks of a list that may have a feed, the default one first.
pub(crate) fn audio_tracks(
    tracks: &TrackList,
) -> impl Iterator<Item = &std::sync::Arc<media::Track>> {
    let audio = tracks.iter().filter(|t| t.kind() == TrackKind::Audio);
    audio.take(AUDIO_PLAYLISTS.len())
}

impl From<Container> for Feed {
    fn from(container: Container) -> Self {
        Self::Main(container)
    }
}

/// A playlist below `/{app}/{stream}/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaylistName {
    /// The media playlist of a feed.
    Media(Feed),
    /// The pictures of a container's segments that can be decoded alone
    /// (`EXT-X-I-FRAMES-ONLY`).
    IFrames(Container),
}

impl PlaylistName {
    /// The playlist of this file name.
    #[must_use]
    pub fn parse(file: &str) -> Option<Self> {
        let media = Feed::all().map(Self::Media);
        let iframes = Container::ALL.into_iter().map(Self::IFrames);
        media.chain(iframes).find(|name| name.as_str() == file)
    }

    /// Its file name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Media(feed) => feed.playlist_name(),
            Self::IFrames(Container::Fmp4) => "iframes.m3u8",
            Self::IFrames(Container::Ts) => "ts-iframes.m3u8",
        }
    }

    /// The feed whose segments it lists.
    #[must_use]
    pub fn feed(self) -> Feed {
        match self {
            Self::Media(feed) => feed,
            Self::IFrames(container) => Feed::Main(container),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feed_has_a_name_a_mark_and_a_number_of_its_own() {
        let feeds: Vec<Feed> = Feed::all().collect();
        assert_eq!(feeds.len(), Feed::COUNT);
        for (index, feed) in feeds.iter().enumerate() {
            assert_eq!(feed.index(), index);
            let name = feed.playlist_name();
            assert_eq!(PlaylistName::parse(name), Some(PlaylistName::Media(*feed)));
            let resource = format!("{}7", feed.mark());
            let rest = Feed::marked(feed.container(), &resource);
            let marked = (!matches!(feed, Feed::Main(_))).then_some((*feed, "7"));
            assert_eq!(rest, marked);
        }
        assert_eq!(
            PlaylistName::parse("iframes.m3u8").map(PlaylistName::feed),
            Some(Feed::Main(Container::Fmp4))
        );
        assert_eq!(PlaylistName::parse("audio-0.m3u8"), None);
    }
}
