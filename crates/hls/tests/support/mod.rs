//! Streams to feed, and readers that know only what a player knows.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part"
)]

pub mod checker;
pub mod decrypt;
pub mod low_latency;
pub mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use hls::{
    Config, Container, Encryption, Feed, Key, KeySource, Method, Presentation, Rotation, Segmenter,
    WallTime,
};
use media::{
    AccessUnit, Codec, CodecConfig, Dts, StreamName, Ticks, Timescale, Track, TrackId, TrackList,
};

/// avcC of Big Buck Bunny 640x360, Constrained Baseline.
const AVC_640X360: &str =
    "0142c01effe100196742c01ed890280bfe5c0440000003004000000c83c58b898001000568c888cb20";
/// AAC-LC, 44.1 kHz, stereo.
const AAC_44100: &str = "1210";

pub const VIDEO: TrackId = TrackId(0);
pub const AUDIO: TrackId = TrackId(1);
/// A publisher's second sound.
pub const SECOND: TrackId = TrackId(3);
/// 2026-11-20T19:30:00Z.
pub const EPOCH_WALL: i64 = 1_795_203_000_000;

pub fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

pub fn video_track() -> Track {
    let config = CodecConfig::parse(Codec::H264, &hex(AVC_640X360)).unwrap();
    Track::new(VIDEO, Timescale::MILLIS, config)
}

/// The same picture at another level: another configuration.
pub fn other_video_track() -> Track {
    let record = AVC_640X360.replace("42c01e", "42c01f");
    let config = CodecConfig::parse(Codec::H264, &hex(&record)).unwrap();
    Track::new(VIDEO, Timescale::MILLIS, config)
}

pub fn audio_track() -> Track {
    let config = CodecConfig::parse(Codec::Aac, &hex(AAC_44100)).unwrap();
    Track::new(AUDIO, Timescale::MILLIS, config)
}

pub fn list(tracks: Vec<Track>) -> Arc<TrackList> {
    Arc::new(TrackList::new(tracks.into_iter().map(Arc::new).collect()))
}

pub fn both() -> Arc<TrackList> {
    list(vec![video_track(), audio_track()])
}

/// A picture whose bytes say its number.
pub fn picture(number: u32, dts: i64, key: bool) -> AccessUnit {
    let mut payload = BytesMut::new();
    let size = if key { 900 } else { 300 };
    payload.put_u32(size + 5);
    payload.put_u8(if key { 0x65 } else { 0x41 });
    payload.put_u32(number | 0x8000_0000);
    payload.put_bytes(0xa5, size as usize);
    let unit = AccessUnit::new(VIDEO, Dts(dts), payload.freeze());
    if key { unit.random_access() } else { unit }
}

/// An audio frame whose bytes say its number.
pub fn sound(number: u32, dts: i64) -> AccessUnit {
    let mut payload = BytesMut::new();
    payload.put_u32(number);
    payload.put_bytes(0x5a, 60);
    AccessUnit::new(AUDIO, Dts(dts), payload.freeze()).random_access()
}

/// `count` pictures of `step` ms from `start`, every `group`-th a key frame, with sound between.
pub fn movie(start: i64, count: u32, step: i64, group: u32) -> Vec<AccessUnit> {
    let mut units = Vec::new();
    let mut frame = 0_u32;
    for number in 0..count {
        let dts = start + i64::from(number) * step;
        units.push(picture(number, dts, number % group == 0));
        loop {
            let heard = start + i64::from(frame) * 1_024_000 / 44_100;
            if heard >= dts + step {
                break;
            }
            units.push(sound(frame, heard));
            frame += 1;
        }
    }
    units
}

pub fn config() -> Config {
    let name = StreamName::parse("live", "demo").unwrap();
    Config::new(&name, 0x6a1f)
}

/// With parts of 333 ms.
pub fn low_latency() -> Config {
    let mut config = config();
    config.part = Some(Duration::from_millis(333));
    config
}

/// Keys from a number on are missing.
#[derive(Debug)]
pub struct Keys {
    pub count: AtomicU64,
}

impl KeySource for Keys {
    fn key(&self, number: u64) -> Option<Key> {
        let mut bytes = [0x5a; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        (number < self.count.load(Ordering::Relaxed)).then(|| Key::new(bytes))
    }
}

/// Any number of keys.
pub fn encryption(method: Method, rotation: Rotation) -> Encryption {
    let count = AtomicU64::new(u64::MAX);
    Encryption {
        method,
        rotation,
        keys: Arc::new(Keys { count }),
    }
}

/// A key for this many segments.
pub fn every(segments: u64) -> Rotation {
    Rotation::Segments(segments.try_into().unwrap())
}

pub fn segmenter(tracks: &Arc<TrackList>) -> Segmenter {
    segmenter_of(config(), tracks)
}

/// As [`segmenter`], with these settings.
pub fn segmenter_of(config: Config, tracks: &Arc<TrackList>) -> Segmenter {
    let mut segmenter = Segmenter::new(config);
    for container in Container::ALL {
        segmenter.enable(container);
    }
    segmenter.tracks(tracks);
    segmenter
}

/// Feeds units as if each arrived when its time says.
pub fn feed(segmenter: &mut Segmenter, units: &[AccessUnit]) {
    for unit in units {
        segmenter.unit(unit, WallTime(EPOCH_WALL + unit.dts.0));
    }
}

pub fn media(presentation: &Presentation, feed: impl Into<Feed>) -> m3u8_rs::MediaPlaylist {
    let text = presentation.media(feed).expect("a playlist");
    m3u8_rs::parse_media_playlist_res(&text.body).expect("a media playlist")
}

pub fn multivariant(presentation: &Presentation, container: Container) -> m3u8_rs::MasterPlaylist {
    let text = presentation.multivariant(container).expect("a playlist");
    m3u8_rs::parse_master_playlist_res(&text.body).expect("a multivariant playlist")
}

pub fn text(presentation: &Presentation, feed: impl Into<Feed>) -> String {
    let text = presentation.media(feed).expect("a playlist");
    String::from_utf8(text.body.to_vec()).unwrap()
}

pub fn durations_ms(playlist: &m3u8_rs::MediaPlaylist) -> Vec<u64> {
    let durations = playlist
        .segments
        .iter()
        .map(|segment| millis(segment.duration));
    durations.collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn millis(seconds: f32) -> u64 {
    (f64::from(seconds) * 1_000.0).round() as u64
}

pub fn with_offset(unit: AccessUnit, offset: i64) -> AccessUnit {
    unit.composition_offset(Ticks(offset))
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The numbers of all pictures and sounds in a piece of MP4 or in order of their payloads.
pub fn body(presentation: &Presentation, name: &str) -> Bytes {
    presentation.resource(name).expect(name).body.joined()
}

/// Another sound in the same configuration.
pub fn second_sound() -> Track {
    Track {
        id: SECOND,
        ..audio_track()
    }
}

/// Picture and two sounds.
pub fn two_sounds() -> (Arc<TrackList>, Vec<AccessUnit>) {
    let units = movie(0, 200, 40, 50).into_iter().flat_map(|unit| {
        let mut twin = (unit.track == AUDIO).then(|| unit.clone());
        if let Some(twin) = &mut twin {
            twin.track = SECOND;
        }
        std::iter::once(unit).chain(twin)
    });
    (
        list(vec![video_track(), audio_track(), second_sound()]),
        units.collect(),
    )
}

pub fn multivariant_text(presentation: &Presentation, container: Container) -> String {
    let text = presentation.multivariant(container).expect("a playlist");
    String::from_utf8(text.body.to_vec()).unwrap()
}
