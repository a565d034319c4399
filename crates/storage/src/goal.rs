//! What should be in the storage: one version of a playlist, with all that it names.

use std::sync::Arc;
use std::time::Duration;

use hls::{Container, PlaylistName, Presentation};
use media::StreamName;

use crate::Object;

/// A playlist and what it needs. Immutable: a newer one takes its place.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// Everything that the playlist names, in its order, each once; names are unique for ever.
    pub(crate) media: Vec<Media>,
    /// The playlists, in the order in which they are to be written.
    pub(crate) texts: Vec<(Box<str>, Object)>,
    /// Who made its segments: numbers compare within one run.
    pub(crate) run: u64,
    /// Numbers of its first segment, and of the one after its last.
    pub(crate) sequence: std::ops::Range<u64>,
    /// How long the playlist is.
    pub(crate) duration: Duration,
    /// Its target duration.
    pub(crate) target: Duration,
    /// Nothing follows.
    pub(crate) ended: bool,
}

/// Something that a playlist names.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// Its name below the storage's prefix.
    pub(crate) name: Arc<str>,
    /// Its duration; zero for what is no segment.
    pub(crate) duration: Duration,
    /// Its content.
    pub(crate) object: Object,
}

/// Playlists: kept by caches, but asked about each time (H17).
const NO_CACHE: &str = "no-cache";
/// What never changes at its name.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

impl Goal {
    /// What a presentation says of a container, under the names that its URLs have; `None` while there is nothing to play, or
    /// where a segment is gone before its time.
    pub(crate) fn of(
        presentation: &Presentation,
        stream: &StreamName,
        container: Container,
    ) -> Option<Self> {
        let classic = presentation.classic(container)?;
        let media = classic.names.iter().map(|named| {
            let resource = presentation.resource(&named.name)?;
            Some(Media {
                name: format!("{stream}/{}", named.name).into(),
                duration: named.duration,
                object: Object {
                    pieces: resource.body.pieces().cloned().collect(),
                    content_type: resource.content_type,
                    cache_control: IMMUTABLE,
                },
            })
        });
        let text = |name: String, text: &hls::Text| {
            let object = Object {
                pieces: [text.body.clone()].into(),
                content_type: Container::PLAYLIST_TYPE,
                cache_control: NO_CACHE,
            };
            (name.into_boxed_str(), object)
        };
        let media_playlist = format!("{stream}/{}", container.playlist_name());
        let iframes = classic.iframes.as_ref().map(|iframes| {
            let name = PlaylistName::IFrames(container).as_str();
            text(format!("{stream}/{name}"), iframes)
        });
        let multivariant = format!("{stream}{}", container.multivariant_suffix());
        let segments = classic
            .names
            .iter()
            .filter(|named| !named.duration.is_zero());
        let first = classic.media_sequence;
        Some(Self {
            run: classic.run,
            sequence: first..first + segments.count() as u64,
            media: media.collect::<Option<_>>()?,
            texts: [text(media_playlist, &classic.text)]
                .into_iter()
                .chain(iframes)
                .chain([text(multivariant, &classic.multivariant)])
                .collect(),
            duration: classic.duration,
            target: presentation.target_duration()?,
            ended: presentation.ended(),
        })
    }

    /// Whether this says the same as another one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}
