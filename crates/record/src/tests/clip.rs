//! A clip of `testdata/` as a stream gives it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hub::{CloseCause, Frame, Hub, Item, JoinAt, Publisher, PublisherInfo, Received};
use media::{Headers, Rounding, StreamName, Timescale, TrackKind, TrackList};
use remux::flv;

/// One access unit as tests compare it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: TrackKind,
    /// Milliseconds.
    pub(super) dts: i64,
    pub(super) offset: i64,
    pub(super) is_random_access: bool,
    pub(super) payload: Bytes,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.is_random_access { "!" } else { "" };
        let (kind, len) = (self.kind.as_str(), self.payload.len());
        write!(f, "{kind}{mark} {}+{} {len} B", self.dts, self.offset)
    }
}

impl Seen {
    pub(super) fn of(unit: &media::AccessUnit, tracks: &TrackList) -> Self {
        let track = tracks.get(unit.track).unwrap();
        let ms = |ticks| {
            let to = Timescale::MILLIS;
            track.timescale.convert(ticks, to, Rounding::Nearest)
        };
        Self {
            kind: track.kind(),
            dts: ms(unit.dts.0),
            offset: ms(unit.composition_offset.0),
            is_random_access: track.kind() == TrackKind::Video && unit.is_random_access(),
            payload: unit.payload.clone(),
        }
    }
}

/// What a subscriber from the start gets.
pub(super) struct Clip {
    pub(super) headers: Arc<Headers>,
    pub(super) frames: Vec<Arc<Frame>>,
}

impl Clip {
    /// `bframes.flv`: 6 s, a random access point each second, B-frames, AAC.
    pub(super) fn read(name: &str) -> Self {
        let hub = hub();
        let mut publisher = publisher(&hub, "live/clip");
        let mut reader = publisher.stream().subscribe(JoinAt::Oldest);
        send(&mut publisher, &tags(name), 0..u32::MAX, 0);
        let (mut headers, mut frames) = (None, Vec::new());
        while let Some(received) = reader.try_read(&mut frames) {
            if let Received::Join { headers: found, .. } = received {
                headers.get_or_insert(found);
            }
        }
        Self {
            headers: headers.expect("a first read"),
            frames,
        }
    }

    pub(super) fn units(&self) -> Vec<Seen> {
        let units = self.frames.iter().filter_map(|frame| match &frame.item {
            Item::Unit(unit) => Some(Seen::of(unit, &self.headers.tracks)),
            _ => None,
        });
        units.collect()
    }
}

/// A hub whose rings hold whole clips.
pub(super) fn hub() -> Hub {
    let mut config = hub::Config::default();
    config.gop_cache_bytes = 64 << 20;
    config.gop_cache_time = Duration::from_secs(3_600);
    Hub::new(config)
}

pub(super) fn publisher(hub: &Hub, name: &str) -> Publisher {
    let name = StreamName::from_path(name).unwrap();
    let info = PublisherInfo::library();
    hub.publish(&name, info, Instant::now()).unwrap()
}

pub(super) fn tags(name: &str) -> Vec<flv::Tag> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let file = std::fs::read(path.join(name)).unwrap();
    let mut demuxer = flv::Demuxer::new(flv::Limits::default());
    demuxer.push(file.into());
    std::iter::from_fn(|| demuxer.poll().unwrap()).collect()
}

/// Publishes the tags of a time, moved by `shift_ms`; sequence headers always.
pub(super) fn send(
    publisher: &mut Publisher,
    tags: &[flv::Tag],
    time: std::ops::Range<u32>,
    shift_ms: u32,
) {
    let mut parser = flv::Parser::new(flv::Limits::default());
    let now = Instant::now();
    for tag in tags {
        let at = tag.timestamp + shift_ms;
        let events = match tag.kind {
            flv::TagKind::Audio => parser.audio(&tag.body).unwrap(),
            flv::TagKind::Video => parser.video(&tag.body).unwrap(),
            _ => {
                if tag.timestamp == time.start {
                    let message = (at, "onMetaData", tag.body.clone());
                    publisher
                        .data_at(message.0, message.1, message.2, now)
                        .unwrap();
                }
                continue;
            }
        };
        for event in events {
            match event {
                flv::Event::Track(track) => publisher.track(*track).unwrap(),
                flv::Event::Unit(unit) if time.contains(&tag.timestamp) => {
                    publisher.unit_at(at, unit, now).unwrap();
                }
                _ => {}
            }
        }
    }
}

/// The publisher goes as one whose connection breaks.
pub(super) fn lose(publisher: Publisher) {
    publisher.close(Instant::now(), CloseCause::Lost("connection reset".into()));
}
