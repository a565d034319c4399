//! Tags of a remote stream to a stream of our own hub, over connections that break.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use hub::{CloseCause, Hub, Publisher, PublisherInfo, TrackError};
use media::{Extra, StreamName};
use remux::flv::{ChannelConfig, Event, Limits, Parser, Tag, TagKind, VideoMetadata, data_message};

use crate::cli::push::{is_end, is_header, is_key_frame};

/// Tags that are remembered to find the place where a new connection goes on. Threat: a server that
/// never sends a random access point.
const MAX_RECENT: usize = 8_192;
/// Headers that a connection may send before its first media. Threat: one that sends nothing else.
const MAX_HELD: usize = 64;

/// One remote stream.
pub(super) struct Feed {
    hub: Hub,
    name: StreamName,
    /// From the first connection on; kept over one that breaks until the next one says whether it
    /// goes on where that stopped.
    publisher: Option<Publisher>,
    parser: Parser,
    state: State,
    recent: Recent,
    elapsed: Elapsed,
}

enum State {
    /// A connection was made again: its first headers, until media tells where it is.
    Joining(Vec<Tag>),
    /// The connection goes on where the last one stopped: what came already is left out.
    Overlapping,
    Running,
}

impl Feed {
    pub(super) fn new(hub: Hub, name: StreamName) -> Self {
        Self {
            hub,
            name,
            publisher: None,
            parser: Parser::new(Limits::default()),
            state: State::Running,
            recent: Recent::default(),
            elapsed: Elapsed::default(),
        }
    }

    /// A connection was made.
    pub(super) fn connected(&mut self) {
        self.state = match self.publisher {
            Some(_) => State::Joining(Vec::new()),
            None => State::Running,
        };
    }

    /// How far the stream is since its first unit.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.elapsed.ms).unwrap_or(0))
    }

    /// When the last media came.
    pub(super) fn last_at(&self) -> Option<Instant> {
        self.elapsed.last_at
    }

    /// One tag in the order of its connection; false when it lies behind `until` on the clock of
    /// [`Self::elapsed`], and so was left out.
    ///
    /// # Errors
    /// One sentence: why the stream cannot be taken any further.
    pub(super) fn tag(&mut self, tag: Tag, until: Option<Duration>) -> Result<bool, String> {
        // The end of a sequence is no media, and comes again with each goodbye.
        if is_end(&tag) {
            return Ok(true);
        }
        if let State::Joining(held) = &mut self.state {
            if is_header(&tag) && held.len() < MAX_HELD {
                held.push(tag);
                return Ok(true);
            }
            let held = std::mem::take(held);
            if self.recent.holds(&tag) {
                // The same clock, nothing is missing: no gap.
                self.state = State::Overlapping;
            } else {
                self.begin_anew();
            }
            for header in held {
                self.take(header, until)?;
            }
        }
        self.take(tag, until)
    }

    /// Another session on the same stream: its clock may be another, something may be missing.
    fn begin_anew(&mut self) {
        self.state = State::Running;
        self.parser = Parser::new(Limits::default());
        self.recent = Recent::default();
        self.elapsed.begin_session(Instant::now());
        if let Some(publisher) = self.publisher.take() {
            publisher.close(Instant::now(), CloseCause::Lost("connection lost".into()));
        }
    }

    fn take(&mut self, tag: Tag, until: Option<Duration>) -> Result<bool, String> {
        let overlaps = matches!(self.state, State::Overlapping);
        // Metadata once more would be taken for news.
        if overlaps && (tag.kind == TagKind::Script || self.recent.holds(&tag)) {
            return Ok(true);
        }
        let now = Instant::now();
        if !is_header(&tag) {
            let ms = self.elapsed.place(tag.timestamp, now);
            let limit = until.map_or(i64::MAX, |until| {
                i64::try_from(until.as_millis()).unwrap_or(i64::MAX)
            });
            if ms >= limit {
                return Ok(false);
            }
            self.elapsed.ms = self.elapsed.ms.max(ms);
            self.recent.push(&tag);
        }
        self.publish(&tag, now)?;
        Ok(true)
    }

    fn publish(&mut self, tag: &Tag, now: Instant) -> Result<(), String> {
        let publisher = match &mut self.publisher {
            Some(publisher) => publisher,
            None => {
                let begun = self.hub.publish(&self.name, PublisherInfo::library(), now);
                let begun = begun.map_err(|error| error.to_string())?;
                self.publisher.insert(begun)
            }
        };
        let at = tag.timestamp;
        let dropped = |error: &dyn std::fmt::Display| {
            tracing::warn!("byte {}: {error}; left out", tag.offset);
        };
        let events = match tag.kind {
            TagKind::Audio => self.parser.audio(&tag.body),
            TagKind::Video => self.parser.video(&tag.body),
            TagKind::Script => {
                if let Ok(message) = data_message(media::Dts(0), &tag.body) {
                    let sent = publisher.data_at(at, &message.name, message.amf0, now);
                    sent.map_err(|why| why.to_string())?;
                }
                return Ok(());
            }
        };
        let events = match events {
            Ok(events) => events,
            Err(error) => {
                dropped(&error);
                return Ok(());
            }
        };
        for event in events {
            let sent = match event {
                Event::Track(track) => match publisher.track(*track) {
                    Ok(()) => Ok(()),
                    Err(TrackError::Revoked(why)) => Err(why),
                    Err(error) => {
                        dropped(&error);
                        Ok(())
                    }
                },
                Event::Unit(unit) => publisher.unit_at(at, unit, now),
                Event::Refused(error) => {
                    dropped(&error);
                    Ok(())
                }
                Event::Metadata(VideoMetadata {
                    track,
                    flv_body: Some(flv_body),
                    ..
                })
                | Event::Channels(ChannelConfig {
                    track,
                    flv_body: Some(flv_body),
                    ..
                }) => publisher.extra_at(at, Extra { track, flv_body }, now),
                _ => Ok(()),
            };
            sent.map_err(|why| why.to_string())?;
        }
        Ok(())
    }
}

/// The media tags of the last two groups of pictures: what a server sends again from its cache.
#[derive(Default)]
struct Recent {
    tags: VecDeque<(TagKind, u32, u64)>,
    /// How many of them came before the last random access point.
    before: usize,
}

impl Recent {
    fn push(&mut self, tag: &Tag) {
        if tag.kind == TagKind::Video && is_key_frame(tag) {
            self.tags.drain(..self.before);
            self.before = self.tags.len();
        }
        if self.tags.len() == MAX_RECENT {
            self.tags.pop_front();
            self.before = self.before.saturating_sub(1);
        }
        self.tags.push_back(key(tag));
    }

    fn holds(&self, tag: &Tag) -> bool {
        let wanted = key(tag);
        self.tags.iter().any(|known| *known == wanted)
    }
}

fn key(tag: &Tag) -> (TagKind, u32, u64) {
    let mut hasher = DefaultHasher::new();
    tag.body.hash(&mut hasher);
    (tag.kind, tag.timestamp, hasher.finish())
}

/// How far a stream is, over clocks that begin anew.
#[derive(Default)]
struct Elapsed {
    /// The newest unit, in milliseconds from the first.
    ms: i64,
    base_ms: i64,
    /// The first timestamp of this clock.
    first: Option<u32>,
    last_at: Option<Instant>,
}

impl Elapsed {
    fn place(&mut self, timestamp: u32, now: Instant) -> i64 {
        self.last_at = Some(now);
        let first = *self.first.get_or_insert(timestamp);
        self.base_ms + i64::from(timestamp.wrapping_sub(first).cast_signed())
    }

    fn begin_session(&mut self, now: Instant) {
        let away = self
            .last_at
            .map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.base_ms = self.ms + i64::try_from(away.as_millis()).unwrap_or(0);
        self.first = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hub::{Item, JoinAt, Received};
    use sidestream::pull::Source;

    use super::*;

    async fn clip() -> Vec<Tag> {
        let bytes = include_bytes!("../../../../../testdata/bframes.flv");
        let mut source = Source::from_bytes("clip", bytes::Bytes::from_static(bytes));
        let mut tags = Vec::new();
        while let Some(tag) = source.next().await.unwrap() {
            tags.push(tag);
        }
        tags
    }

    fn feed() -> (Feed, hub::Subscriber) {
        let mut config = hub::Config::default();
        config.gop_cache_bytes = 64 << 20;
        config.gop_cache_time = Duration::from_secs(60);
        let hub = Hub::new(config);
        let name = StreamName::from_path("live/a").unwrap();
        let subscriber = hub.await_stream(&name).unwrap().subscribe(JoinAt::Oldest);
        (Feed::new(hub, name), subscriber)
    }

    fn send<'a>(feed: &mut Feed, tags: impl Iterator<Item = &'a Tag>) {
        feed.connected();
        for tag in tags {
            assert!(feed.tag(tag.clone(), None).unwrap());
        }
    }

    /// Times of the units in order, and how many breaks there are.
    fn received(subscriber: &mut hub::Subscriber) -> (Vec<(bool, i64)>, usize) {
        let (mut frames, mut units, mut breaks) = (Vec::new(), Vec::new(), 0);
        while let Some(received) = subscriber.try_read(&mut frames) {
            assert!(!matches!(received, Received::Ended));
        }
        for frame in frames {
            match &frame.item {
                Item::Unit(unit) => units.push((unit.track.0 == 0, unit.dts.0)),
                Item::Discontinuity(_) => breaks += 1,
                _ => {}
            }
        }
        (units, breaks)
    }

    #[tokio::test]
    async fn a_connection_that_repeats_the_last_group_goes_on_without_gap_or_double() {
        let tags = clip().await;
        let headers = || tags.iter().filter(|tag| is_header(tag));
        let (mut whole, mut wanted) = feed();
        send(&mut whole, tags.iter());
        let wanted = received(&mut wanted);
        let (mut feed, mut got) = feed();
        let cut = tags.iter().position(|tag| tag.timestamp >= 3_500).unwrap();
        send(&mut feed, tags[..cut].iter());
        // The server sends from its last random access point on.
        let again = |tag: &&Tag| tag.timestamp >= 3_000 && !is_header(tag);
        let key = tags
            .iter()
            .position(|tag| tag.timestamp >= 3_000 && is_key_frame(tag) && !is_header(tag))
            .unwrap();
        send(&mut feed, headers().chain(tags[key..].iter().filter(again)));
        assert_eq!(received(&mut got), wanted);
        assert!(feed.elapsed() >= Duration::from_millis(5_900));
    }

    #[tokio::test]
    async fn a_clock_that_begins_anew_is_a_break() {
        let tags = clip().await;
        let (mut feed, mut got) = feed();
        let cut = tags.iter().position(|tag| tag.timestamp >= 3_500).unwrap();
        send(&mut feed, tags[..cut].iter());
        send(&mut feed, tags.iter());
        let (units, breaks) = received(&mut got);
        assert_eq!(breaks, 1);
        let is_media = |tag: &&Tag| !is_header(tag) && !is_end(tag);
        let media = |tags: &[Tag]| tags.iter().filter(is_media).count();
        assert_eq!(units.len(), media(&tags[..cut]) + media(&tags));
        assert!(feed.elapsed() >= Duration::from_millis(9_300));
    }

    #[tokio::test]
    async fn a_limit_leaves_out_what_lies_behind_it() {
        let tags = clip().await;
        let (mut feed, mut got) = feed();
        feed.connected();
        let limit = Some(Duration::from_secs(2));
        let taken = tags
            .iter()
            .take_while(|tag| feed.tag((*tag).clone(), limit).unwrap())
            .count();
        assert!(taken < tags.len());
        let (units, _) = received(&mut got);
        let pictures = units.iter().filter(|(is_video, _)| *is_video).count();
        assert_eq!(pictures, 50);
    }
}
