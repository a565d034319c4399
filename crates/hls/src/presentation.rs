//! The read model: what the HTTP shell serves, as one immutable snapshot.
//!
//! A snapshot is made once per change and shared by `Arc`; every text in it was rendered once and
//! every segment is a reference count. Lookups allocate nothing but the segment's `ETag`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use remux::Key;

use crate::blocking::Skip;
use crate::body::{Body, Part};
use crate::config::WallTime;
use crate::container::{self, Container, HasVideo, ResourceName};
use crate::encryption::{Numbered, Seal, Sealed};
use crate::feed::Feed;
use crate::playlist::{self, Deltas, Multivariant};
use crate::timed::{DateRange, Told};

/// Everything that HLS viewers of one stream can fetch at one moment.
///
/// Publish it (`ArcSwap`) after each [`crate::Segmenter::changed`]; any number of readers use it.
#[derive(Clone, Debug)]
pub struct Presentation {
    pub(crate) epoch: u64,
    pub(crate) renditions: Arc<[(Feed, Rendition)]>,
    pub(crate) inits: Arc<[Init]>,
    pub(crate) dates: Told,
    pub(crate) target_duration: Option<Duration>,
    pub(crate) ended: bool,
}

/// What a feed has to offer at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rendition {
    /// Nobody asked for it: [`crate::Segmenter::enable`] starts it.
    Off,
    /// Started; no segment is complete yet.
    Pending,
    /// There is no such track, or the container cannot carry it. The text says why, lower case, for
    /// the body of an error response. Not for ever: the stream's codecs may change.
    Refused(Arc<str>),
    /// There is something to play.
    Ready(Arc<Playlists>),
}

/// Playlists and segments of a feed.
#[derive(Clone, Debug)]
pub struct Playlists {
    /// The multivariant playlist, `/{app}/{stream}.m3u8` or `.ts.m3u8`; of [`Feed::Main`] only.
    pub multivariant: Option<Text>,
    /// The media playlist, `/{app}/{stream}/fmp4.m3u8` or [`Feed::playlist_name`].
    pub media: Text,
    /// The I-frame playlist; of [`Feed::Main`] with video only.
    pub iframes: Option<Text>,
    /// The media playlist without lines that a client has already. Low latency only.
    pub(crate) deltas: Deltas,
    /// What the multivariant playlist says.
    pub(crate) says: Option<Arc<Multivariant>>,
    /// Media sequence number of the newest complete segment.
    pub last_sequence: u64,
    /// How many parts that one has.
    pub(crate) last_parts: u32,
    /// The segment that is being made, once it has a part.
    pub(crate) open: Option<OpenSegment>,
    /// Where the playlist is one of low latency.
    pub(crate) low_latency: Option<LowLatency>,
    /// All segments that can be fetched, listed or not, in order.
    pub(crate) segments: Arc<[Stored]>,
}

/// A rendered playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// UTF-8, shared.
    pub body: Bytes,
    /// `ETag` value with its quotation marks; equal exactly for equal bodies (64-bit hash).
    pub etag: Arc<str>,
}

/// A segment, part or init segment.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The whole content, shared.
    pub body: Body,
    /// MIME type.
    pub content_type: &'static str,
    /// `ETag` value with its quotation marks. The content of a name never changes: any cache may
    /// keep it for ever.
    pub etag: Box<str>,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) duration_ms: u64,
    pub(crate) wall_ms: i64,
    /// It does not follow the segment before.
    pub(crate) broke: bool,
    pub(crate) independent: bool,
    pub(crate) init: Option<u32>,
    pub(crate) body: Body,
    /// How it is encrypted.
    pub(crate) seal: Option<Seal>,
    pub(crate) has_video: HasVideo,
    pub(crate) about: Arc<About>,
}

/// What a multivariant playlist says of the tracks of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `CODECS`, RFC 6381 names with commas between.
    pub codecs: Box<str>,
    /// Width and height in pixels.
    pub resolution: Option<(u32, u32)>,
    /// Frames in a thousand seconds, once measured or stated.
    pub frame_rate_milli: Option<u64>,
}

/// A complete segment with all that has to be known of it to list it again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Complete {
    /// Media sequence number.
    pub sequence: u64,
    /// Duration as its playlist says it.
    pub duration_ms: u64,
    /// Wall time of its first unit.
    pub begins: WallTime,
    /// It does not follow the segment before it, also where the playlist begins with it.
    pub discontinuity: bool,
    /// A decoder can start at its first picture.
    pub independent: bool,
    /// The init segment that it needs: its version, which is part of its name, and its content.
    pub init: Option<(u32, Bytes)>,
    /// Its content.
    pub body: Body,
    /// How it is encrypted; `None`: not at all.
    pub sealed: Option<Sealed>,
    /// Its tracks.
    pub about: Arc<About>,
}

/// The parts so far of the segment after the newest complete one.
#[derive(Clone, Debug)]
pub(crate) struct OpenSegment {
    pub(crate) sequence: u64,
    pub(crate) parts: Arc<[Part]>,
    pub(crate) key: Option<Arc<Numbered>>,
    pub(crate) has_video: HasVideo,
}

/// What a low latency playlist says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LowLatency {
    /// `PART-TARGET` in milliseconds.
    pub(crate) part_ms: u64,
    /// Sequence number and index of the part expected next; none after the end.
    pub(crate) hint: Option<(u64, usize)>,
    /// Parts are byte ranges of their segments.
    pub(crate) ranges: bool,
}

impl LowLatency {
    /// How far beyond the last part a request may ask (RFC 8216bis §6.2.5.2).
    pub(crate) fn advance_part_limit(self) -> u64 {
        if self.part_ms < 1_000 {
            3_000_u64.div_ceil(self.part_ms.max(1))
        } else {
            3
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Init {
    pub(crate) feed: Feed,
    pub(crate) version: u32,
    pub(crate) body: Bytes,
    pub(crate) has_video: HasVideo,
}

impl Presentation {
    /// What this feed offers.
    #[must_use]
    pub fn rendition(&self, feed: impl Into<Feed>) -> &Rendition {
        static OFF: Rendition = Rendition::Off;
        let feed = feed.into();
        let found = self.renditions.iter().find(|(other, _)| *other == feed);
        found.map_or(&OFF, |(_, rendition)| rendition)
    }

    /// The multivariant playlist of this container, once there is something to play.
    #[must_use]
    pub fn multivariant(&self, container: Container) -> Option<&Text> {
        self.ready(container.into())?.multivariant.as_ref()
    }

    /// The media playlist of this feed, once there is something to play.
    #[must_use]
    pub fn media(&self, feed: impl Into<Feed>) -> Option<&Text> {
        self.ready(feed.into()).map(|ready| &ready.media)
    }

    /// Whether the media playlist of this feed has parts, and requests may wait for it.
    #[must_use]
    pub fn is_low_latency(&self, feed: impl Into<Feed>) -> bool {
        self.ready(feed.into())
            .is_some_and(|ready| ready.low_latency.is_some())
    }

    /// Whether this is the name of the part that a playlist says comes next, or of the segment that
    /// it is a range of: it is not there yet, but will be.
    #[must_use]
    pub fn is_hinted(&self, name: &str) -> bool {
        let hint = |feed| {
            let low_latency = self.ready(feed)?.low_latency?;
            Some((low_latency.hint?, low_latency.ranges))
        };
        match container::parse_name(self.epoch, name) {
            Some(ResourceName::Part {
                feed,
                sequence,
                part,
            }) => hint(feed).is_some_and(|(hint, ranges)| !ranges && hint == (sequence, part)),
            Some(ResourceName::Segment { feed, sequence }) => {
                hint(feed).is_some_and(|(hint, ranges)| ranges && hint.0 == sequence)
                    || self.growing(name).is_some()
            }
            Some(ResourceName::Init { .. }) | None => false,
        }
    }

    /// What there is so far of the segment of this name, where parts are ranges of segments and it
    /// is being made: its beginning, which does not change any more.
    #[must_use]
    pub fn growing(&self, name: &str) -> Option<Resource> {
        let ResourceName::Segment { feed, sequence } = container::parse_name(self.epoch, name)?
        else {
            return None;
        };
        let ready = self.ready(feed)?;
        ready.low_latency.filter(|low_latency| low_latency.ranges)?;
        let open = ready.open.as_ref().filter(|o| o.sequence == sequence)?;
        Some(Resource {
            body: Body::parts(Arc::clone(&open.parts)),
            content_type: feed.container().media_type(open.has_video),
            etag: format!("\"{name}\"").into(),
        })
    }

    /// The segment, part or init segment of this name (the last path part below `/{app}/{stream}/`).
    /// Removed segments are still found for their own duration and that of the longest playlist
    /// that listed them (H3).
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<Resource> {
        let (body, content_type) = match container::parse_name(self.epoch, name)? {
            ResourceName::Init { feed, version } => {
                let mut inits = self.inits.iter();
                let init = inits.find(|init| init.feed == feed && init.version == version)?;
                let body = Body::from(init.body.clone());
                (body, Container::Fmp4.media_type(init.has_video))
            }
            ResourceName::Part {
                feed,
                sequence,
                part,
            } => {
                let ready = self.ready(feed)?;
                let open = ready.open.as_ref().filter(|o| o.sequence == sequence);
                let (parts, has_video) = match open {
                    Some(open) => (&open.parts[..], open.has_video),
                    None => {
                        let stored = ready.stored(sequence)?;
                        (stored.body.as_parts(), stored.has_video)
                    }
                };
                let body = parts.get(part)?.body.clone()?;
                (body.into(), Container::Fmp4.media_type(has_video))
            }
            ResourceName::Segment { feed, sequence } => {
                let stored = self.ready(feed)?.stored(sequence)?;
                let content_type = feed.container().media_type(stored.has_video);
                (stored.body.clone(), content_type)
            }
        };
        // What is listed as a gap is not there.
        (!body.is_empty()).then(|| Resource {
            body,
            content_type,
            etag: format!("\"{name}\"").into(),
        })
    }

    /// The complete segments of this container that can be fetched, those after `last` only.
    pub fn complete_after(
        &self,
        container: Container,
        last: Option<u64>,
    ) -> impl Iterator<Item = Complete> {
        let feed = Feed::Main(container);
        let stored = self.ready(feed).map(|ready| &ready.segments[..]);
        let stored = stored.unwrap_or_default().iter();
        let new = stored.filter(move |stored| last.is_none_or(|last| stored.sequence > last));
        new.map(move |stored| Complete {
            sequence: stored.sequence,
            duration_ms: stored.duration_ms,
            begins: WallTime(stored.wall_ms),
            discontinuity: stored.broke,
            independent: stored.independent,
            init: stored.init.and_then(|version| {
                let mut inits = self.inits.iter().filter(|init| init.feed == feed);
                let init = inits.find(|init| init.version == version)?;
                Some((version, init.body.clone()))
            }),
            body: stored.body.clone(),
            sealed: stored.seal.as_ref().map(Seal::sealed),
            about: Arc::clone(&stored.about),
        })
    }

    /// The date ranges that stand before segments up to one that ends at `ends`, from the one of
    /// number `next` on, which then is that of the first one behind them. Numbers begin with 0 in
    /// each run; what came and went between two snapshots is not there.
    pub fn ranges_before(&self, ends: WallTime, next: &mut u64) -> Vec<DateRange> {
        let from = *next;
        let new = self.dates.iter().skip_while(|(number, _)| *number < from);
        let mut ranges = Vec::new();
        for (number, range) in new.take_while(|(_, range)| range.at_ms < ends.0) {
            *next = number + 1;
            ranges.push(range.clone());
        }
        ranges
    }

    /// The number that all names of this run begin with.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The key of this name (`key-….bin`), as long as something that can be fetched is encrypted
    /// with it. For those who may play the stream, and for nobody's cache.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<Key> {
        let number = container::parse_key_name(self.epoch, name)?;
        let ready = self.renditions.iter();
        let ready = ready.filter_map(|(feed, _)| self.ready(*feed));
        let mut keys = ready.flat_map(|ready| {
            let open = ready.open.iter().filter_map(|open| open.key.as_ref());
            let stored = ready.segments.iter();
            let stored = stored.filter_map(|s| Some(&s.seal.as_ref()?.key));
            stored.chain(open)
        });
        let found = keys.find(|key| key.number == number)?;
        Some(found.key.clone())
    }

    /// `EXT-X-TARGETDURATION`, once it is fixed; for cache headers (H17).
    #[must_use]
    pub fn target_duration(&self) -> Option<Duration> {
        self.target_duration
    }

    /// Whether the playlists say `EXT-X-ENDLIST`: nothing changes any more.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn ready(&self, feed: Feed) -> Option<&Playlists> {
        match self.rendition(feed) {
            Rendition::Ready(ready) => Some(ready),
            _ => None,
        }
    }
}

/// The multivariant playlist of a ladder of this name (its stream part), whose media playlists are
/// those of `rungs`, [`Feed::Main`] of this container, below the folders of the ladder and of their
/// own names; `None` when none of them has one.
#[must_use]
pub fn ladder_playlist(container: Container, name: &str, rungs: &[&Playlists]) -> Option<Text> {
    let says = rungs.iter().filter_map(|rung| rung.says.as_deref());
    let says: Vec<&Multivariant> = says.collect();
    (!says.is_empty()).then(|| playlist::ladder(container, name, &says))
}

impl Playlists {
    /// The media playlist without the lines that a client has already; `None` where that would leave
    /// nothing out, the stream has ended, or too many date ranges were removed lately: the whole playlist is the
    /// answer then.
    #[must_use]
    pub fn delta(&self, skip: Skip) -> Option<&Text> {
        match skip {
            Skip::Segments => self.deltas.segments.as_ref(),
            Skip::Ranges => self.deltas.ranges.as_ref(),
        }
    }

    fn stored(&self, sequence: u64) -> Option<&Stored> {
        let stored = &self.segments;
        let index = stored.binary_search_by_key(&sequence, |s| s.sequence);
        stored.get(index.ok()?)
    }
}
