//! Segments and parts, read: what their tracks are, and when they begin and end.

mod mp4;
mod ts;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use media::{AccessUnit, Rounding, Timescale, Track, TrackId, TrackKind};
use remux::Event;

pub(crate) use self::mp4::{Init, Run, init as read_init};
pub(crate) use self::ts::{Raw, is_ts};

/// Half the range of 33-bit times.
const HALF_WRAP: i64 = 1 << 32;

/// What a segment or part holds.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) container: Container,
    /// In the order in which the container lists them, those with units only.
    pub(crate) lanes: Vec<Lane>,
    /// Tracks that the container names, with units or without.
    pub(crate) announced: Vec<Arc<Track>>,
    /// What could not be read.
    pub(crate) damage: Option<String>,
}

/// What there is beside the tracks.
#[derive(Debug)]
pub(crate) enum Container {
    Ts(Raw),
    Mp4(Vec<Run>),
}

/// A track's units. Times are in ticks of 90 kHz.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) track: Arc<Track>,
    pub(crate) first_dts: i64,
    pub(crate) last_dts: i64,
    pub(crate) units: u32,
    /// Its first unit can be decoded by itself.
    pub(crate) begins_with_key: bool,
    /// The first decode time that is not behind the one before.
    pub(crate) backward: Option<(i64, i64)>,
}

impl Lane {
    pub(crate) fn kind(&self) -> TrackKind {
        self.track.kind()
    }

    /// From one unit to the next, on the average; `None` for a single one.
    pub(crate) fn step(&self) -> Option<i64> {
        let steps = i64::from(self.units) - 1;
        (steps > 0).then(|| (self.last_dts - self.first_dts) / steps)
    }

    /// The codec as RFC 6381 writes it, as far as it is known.
    pub(crate) fn codec_string(&self) -> Option<String> {
        self.track
            .config
            .as_ref()
            .ok()
            .map(media::CodecConfig::codec_string)
    }
}

impl Facts {
    /// The track that segments are cut by: video where there is some.
    pub(crate) fn leader(&self) -> Option<&Lane> {
        let video = self
            .lanes
            .iter()
            .find(|lane| lane.kind() == TrackKind::Video);
        video.or(self.lanes.first())
    }

    pub(crate) fn video(&self) -> Option<&Lane> {
        self.leader().filter(|lane| lane.kind() == TrackKind::Video)
    }

    pub(crate) fn lane(&self, id: TrackId) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.track.id == id)
    }

    pub(crate) fn is_ts(&self) -> bool {
        matches!(self.container, Container::Ts(_))
    }
}

/// From `from` to `to`, of clocks that wrap at 2^33 where `wraps`.
pub(crate) fn between(from: i64, to: i64, wraps: bool) -> i64 {
    let apart = to.wrapping_sub(from);
    match wraps {
        true => (apart + HALF_WRAP).rem_euclid(2 * HALF_WRAP) - HALF_WRAP,
        false => apart,
    }
}

/// Reads a segment or part. `None`: it is of a kind that is not read here (packed audio, subtitles).
///
/// # Errors
/// A sentence: it should be readable, and is not.
pub(crate) fn read(init: Option<&(Bytes, Init)>, segment: &Bytes) -> Option<Result<Facts, String>> {
    if is_ts(segment) {
        return Some(read_ts(segment));
    }
    let kind = segment.get(4..8).unwrap_or_default();
    let is_mp4 = matches!(
        kind,
        b"styp" | b"moof" | b"sidx" | b"emsg" | b"prft" | b"ftyp" | b"moov" | b"free" | b"mdat"
    );
    match (init, is_mp4) {
        (Some((bytes, init)), true) => Some(read_mp4(bytes, init, segment)),
        (None, true) => None,
        (_, false) if is_other(segment) => None,
        (_, false) => Some(Err("neither MPEG-TS nor fMP4".to_owned())),
    }
}

/// Packed audio, with or without its ID3 tag, and subtitles.
fn is_other(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'I', b'D', b'3', ..]
            | [0xff, 0xe0..=0xff, ..]
            | [0x0b, 0x77, ..]
            | [b'W', b'E', b'B', ..]
    )
}

fn read_ts(segment: &Bytes) -> Result<Facts, String> {
    let mut demuxer = remux::ts::Demuxer::default();
    let mut gather = Gather::default();
    demuxer.push(segment.clone());
    while let Some(event) = demuxer.poll().map_err(|error| error.to_string())? {
        gather.event(event);
    }
    demuxer.finish();
    while let Some(event) = demuxer.poll().map_err(|error| error.to_string())? {
        gather.event(event);
    }
    Ok(gather.finish(Container::Ts(ts::read(segment))))
}

fn read_mp4(init: &Bytes, parsed: &Init, segment: &Bytes) -> Result<Facts, String> {
    use remux::mp4::{Demuxer, Input, Step};
    let len = (init.len() + segment.len()) as u64;
    let mut demuxer = Demuxer::new(Input::File { len });
    let mut gather = Gather::default();
    loop {
        match demuxer.poll().map_err(|error| error.to_string())? {
            Step::Read { offset, len } => {
                let at = usize::try_from(offset).unwrap_or(usize::MAX);
                let (source, at) = match at.checked_sub(init.len()) {
                    Some(at) => (segment, at.min(segment.len())),
                    None => (init, at),
                };
                let end = at.saturating_add(len).min(source.len());
                demuxer.push(source.slice(at..end));
            }
            Step::Event(event) => gather.event(event),
            Step::End => break,
        }
    }
    Ok(gather.finish(Container::Mp4(mp4::runs(parsed, segment))))
}

/// Gathers the units of a segment into lanes.
#[derive(Default)]
struct Gather {
    tracks: Arc<media::TrackList>,
    lanes: BTreeMap<u16, Lane>,
    damage: Option<String>,
}

impl Gather {
    fn event(&mut self, event: Event) {
        match event {
            Event::Tracks(tracks) => {
                for track in tracks.iter() {
                    if let Some(lane) = self.lanes.get_mut(&track.id.0) {
                        lane.track = Arc::clone(track);
                    }
                }
                self.tracks = tracks;
            }
            Event::Unit(unit) => self.unit(&unit),
            Event::Damage(damage) if self.damage.is_none() => {
                self.damage = Some(format!("byte {}: {}", damage.bytes.start, damage.what));
            }
            _ => {}
        }
    }

    fn unit(&mut self, unit: &AccessUnit) {
        let Some(track) = self.tracks.get(unit.track) else {
            return;
        };
        let dts = track
            .timescale
            .convert(unit.dts.0, Timescale::NINETY_KHZ, Rounding::Nearest);
        match self.lanes.get_mut(&unit.track.0) {
            None => {
                let lane = Lane {
                    track: Arc::clone(track),
                    first_dts: dts,
                    last_dts: dts,
                    units: 1,
                    begins_with_key: unit.is_random_access(),
                    backward: None,
                };
                self.lanes.insert(unit.track.0, lane);
            }
            Some(lane) => {
                if dts <= lane.last_dts && lane.backward.is_none() {
                    lane.backward = Some((lane.last_dts, dts));
                }
                lane.last_dts = dts;
                lane.units += 1;
            }
        }
    }

    fn finish(self, container: Container) -> Facts {
        Facts {
            container,
            announced: self.tracks.iter().cloned().collect(),
            lanes: self.lanes.into_values().collect(),
            damage: self.damage,
        }
    }
}
