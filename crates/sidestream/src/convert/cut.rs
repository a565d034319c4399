//! `--start` and `--end`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use media::{AccessUnit, DataMessage, Dts, Rounding, Timescale, Track, TrackId, TrackKind};
use remux::TimedMetadata;

use super::sink::ninety_khz;

/// Bytes that are held at most while a random access point is looked for.
const MAX_HELD: usize = 32 << 20;
/// Audio may lie this far behind video in the file, in ticks of 90 kHz: 2 s.
const SPREAD: i64 = 180_000;

/// What passes.
#[derive(Debug)]
pub(super) enum Passing {
    Unit(AccessUnit),
    /// What stands beside the units passes where its time lies between the places.
    Data(Arc<DataMessage>),
    Timed(Arc<TimedMetadata>),
}

/// What may pass, with its time in ticks of 90 kHz.
#[derive(Debug)]
struct Timed {
    passing: Passing,
    is_video: bool,
    time: i64,
}

impl Timed {
    fn unit(&self) -> Option<&AccessUnit> {
        match &self.passing {
            Passing::Unit(unit) => Some(unit),
            _ => None,
        }
    }

    fn is_of(&self, track: TrackId) -> bool {
        self.unit().is_some_and(|unit| unit.track == track)
    }

    fn is_random_access(&self) -> bool {
        self.unit().is_some_and(AccessUnit::is_random_access)
    }

    fn bytes(&self) -> usize {
        match &self.passing {
            Passing::Unit(unit) => unit.size_bytes(),
            Passing::Data(message) => message.amf0.len() + 64,
            Passing::Timed(metadata) => metadata.bytes.len() + 64,
        }
    }
}

/// Lets through what lies between two places: from the random access point at or before `start` to
/// the first one at or after `end`. Where there is no video every unit is such a point.
#[derive(Debug)]
pub(super) struct Cut {
    /// Ticks of 90 kHz on the source's clock.
    start: Option<i64>,
    end: Option<i64>,
    /// The video at whose random access points is cut.
    video: Option<TrackId>,
    held: VecDeque<Timed>,
    held_bytes: usize,
    started: bool,
    /// Of the first unit: what is taken from all times.
    origin: Option<i64>,
    /// Where the video ended.
    ended_at: Option<i64>,
    /// Tracks of video that wait for a random access point of their own.
    joined: Vec<TrackId>,
}

impl Cut {
    /// `first` is the first time of the source, which places count from.
    pub(super) fn new(
        start: Option<Duration>,
        end: Option<Duration>,
        first: i64,
        video: Option<TrackId>,
    ) -> Self {
        let ticks = |place: Duration| first.saturating_add(Timescale::NINETY_KHZ.ticks(place).0);
        let start = start.filter(|start| !start.is_zero()).map(ticks);
        Self {
            started: start.is_none(),
            start,
            end: end.map(ticks),
            video,
            held: VecDeque::new(),
            held_bytes: 0,
            origin: None,
            ended_at: None,
            joined: Vec::new(),
        }
    }

    /// Whether everything passes.
    pub(super) fn is_open(&self) -> bool {
        self.started && self.start.is_none() && self.end.is_none()
    }

    /// Takes a unit and gives those that pass now; false when nothing more can come.
    pub(super) fn push(&mut self, track: &Track, unit: AccessUnit, out: &mut Vec<Passing>) -> bool {
        let timed = Timed {
            time: ninety_khz(track, unit.dts.0),
            is_video: track.kind() == TrackKind::Video,
            passing: Passing::Unit(unit),
        };
        if !self.started {
            self.before_start(timed);
            if self.started {
                // What is cut at lies behind sound of a later time in some files.
                let units = self.held.iter().filter(|held| held.unit().is_some());
                self.origin = units.map(|held| held.time).min();
                for timed in std::mem::take(&mut self.held) {
                    self.give(timed, out);
                }
                self.held_bytes = 0;
            }
            return true;
        }
        self.before_end(timed, out)
    }

    /// Takes what is no unit, of this time in ticks of 90 kHz, and gives what passes now.
    pub(super) fn push_aside(&mut self, time: i64, passing: Passing, out: &mut Vec<Passing>) {
        let timed = Timed {
            time,
            is_video: false,
            passing,
        };
        match self.started {
            true => {
                self.before_end(timed, out);
            }
            // Where sound alone is cut nothing before the place is held.
            false if self.video.is_some() || self.start.is_some_and(|start| time >= start) => {
                self.before_start(timed);
            }
            false => {}
        }
    }

    /// What is held passes: the source has ended.
    pub(super) fn finish(&mut self, out: &mut Vec<Passing>) {
        if self.started && self.ended_at.is_none() {
            for timed in std::mem::take(&mut self.held) {
                self.give(timed, out);
            }
        }
    }

    /// How much is taken from all times, in ticks of 90 kHz.
    pub(super) fn origin(&self) -> i64 {
        match self.start {
            Some(_) => self.origin.unwrap_or(0),
            None => 0,
        }
    }

    /// Takes as much from the times of a track.
    pub(super) fn move_back(&self, track: &Track, unit: &mut AccessUnit) {
        let from = Timescale::NINETY_KHZ;
        let origin = from.convert(self.origin(), track.timescale, Rounding::Floor);
        unit.dts = Dts(unit.dts.0.saturating_sub(origin));
    }

    fn before_start(&mut self, timed: Timed) {
        let Some(start) = self.start else {
            return;
        };
        let Some(video) = self.video else {
            self.started = timed.time >= start && timed.unit().is_some();
            if timed.time >= start && self.held_bytes <= MAX_HELD {
                self.held_bytes += timed.bytes();
                self.held.push_back(timed);
            }
            return;
        };
        let is_cutting = timed.is_of(video);
        let joins = is_cutting && timed.is_random_access();
        if joins && (timed.time <= start || self.held.is_empty()) {
            // Sound of the same time may lie before it in the file.
            let time = timed.time;
            self.held.retain(|held| !held.is_video && held.time >= time);
            self.held_bytes = self.held.iter().map(Timed::bytes).sum();
            self.joined.clear();
        }
        let time = timed.time;
        let has_point = self.held.iter().any(|held| held.is_of(video)) || joins;
        self.held_bytes += timed.bytes();
        self.held.push_back(timed);
        if is_cutting && has_point && time >= start {
            self.started = true;
        } else if self.held_bytes > MAX_HELD {
            // A group of pictures this long is given up: the next one is the beginning.
            self.held.clear();
            self.held_bytes = 0;
        } else if !has_point {
            // Sound waits for a random access point only as long as it can be of its time.
            while self
                .held
                .front()
                .is_some_and(|held| held.time < time - SPREAD)
            {
                self.held.pop_front();
            }
        }
    }

    fn before_end(&mut self, timed: Timed, out: &mut Vec<Passing>) -> bool {
        let Some(end) = self.end else {
            self.give(timed, out);
            return true;
        };
        let Some(video) = self.video else {
            if timed.time < end {
                self.give(timed, out);
                return true;
            }
            return timed.time < end + SPREAD || timed.unit().is_none();
        };
        if let Some(ended_at) = self.ended_at {
            let goes_on = timed.time < ended_at + SPREAD || timed.unit().is_none();
            if !timed.is_video && timed.time < ended_at {
                self.give(timed, out);
            }
            return goes_on;
        }
        if !timed.is_of(video) {
            if timed.time < end {
                self.give(timed, out);
            } else {
                self.held.push_back(timed);
            }
            return true;
        }
        let time = timed.time;
        if time >= end && timed.is_random_access() {
            self.ended_at = Some(time);
        }
        // What was held of the time before this picture passes.
        for held in std::mem::take(&mut self.held) {
            if held.time < time {
                self.give(held, out);
            } else if self.ended_at.is_none() {
                self.held.push_back(held);
            }
        }
        if self.ended_at.is_none() {
            self.give(timed, out);
        }
        true
    }

    /// Lets something pass; of further videos only from a random access point on.
    fn give(&mut self, timed: Timed, out: &mut Vec<Passing>) {
        // Sound of the time before the cut may lie behind it in the file.
        if self.start.is_some() && self.origin.is_some_and(|origin| timed.time < origin) {
            return;
        }
        let video = timed.unit().filter(|_| timed.is_video);
        let joins = video.filter(|unit| self.start.is_some() && !self.joined.contains(&unit.track));
        if let Some(unit) = joins {
            if !unit.is_random_access() {
                return;
            }
            self.joined.push(unit.track);
        }
        out.push(timed.passing);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use media::{Codec, Unconfigured};
    use remux::Scheme;

    use super::*;

    const VIDEO: TrackId = TrackId(0);
    const AUDIO: TrackId = TrackId(1);

    fn track(id: TrackId) -> Track {
        Track {
            id,
            codec: if id == VIDEO { Codec::H264 } else { Codec::Mp3 },
            timescale: Timescale::MILLIS,
            config: Err(Unconfigured::Missing),
            flv_body: None,
        }
    }

    /// What passes of these, as text. `K`, `v`, `a`: a key frame, a picture, sound; `d`, `t`: data and
    /// timed metadata; at milliseconds.
    fn cut(places: (u64, u64), video: Option<TrackId>, input: &str) -> String {
        let place = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
        let mut cut = Cut::new(place(places.0), place(places.1), 0, video);
        let mut out = Vec::new();
        for word in input.split_whitespace() {
            let (what, ms) = word.split_at(1);
            let ms: i64 = ms.parse().unwrap();
            let unit = |id| AccessUnit::new(id, Dts(ms), Bytes::from_static(b"x"));
            let goes_on = match what {
                "K" => cut.push(&track(VIDEO), unit(VIDEO).random_access(), &mut out),
                "v" => cut.push(&track(VIDEO), unit(VIDEO), &mut out),
                "a" => cut.push(&track(AUDIO), unit(AUDIO).random_access(), &mut out),
                "d" => {
                    let message = DataMessage {
                        name: "onCuePoint".into(),
                        dts: Dts(ms),
                        amf0: Bytes::new(),
                    };
                    cut.push_aside(ms * 90, Passing::Data(message.into()), &mut out);
                    true
                }
                _ => {
                    let metadata = TimedMetadata {
                        pts: ms * 90,
                        duration: None,
                        scheme: Scheme::Id3,
                        bytes: Bytes::new(),
                    };
                    cut.push_aside(ms * 90, Passing::Timed(metadata.into()), &mut out);
                    true
                }
            };
            if !goes_on {
                break;
            }
        }
        cut.finish(&mut out);
        let origin = cut.origin() / 90;
        let words: Vec<String> = out
            .into_iter()
            .map(|passing| match passing {
                Passing::Unit(mut unit) => {
                    cut.move_back(&track(unit.track), &mut unit);
                    let what = match (unit.track, unit.is_random_access()) {
                        (VIDEO, true) => "K",
                        (VIDEO, false) => "v",
                        _ => "a",
                    };
                    format!("{what}{}", unit.dts.0)
                }
                Passing::Data(message) => format!("d{}", message.dts.0 - origin),
                Passing::Timed(metadata) => format!("t{}", metadata.pts / 90 - origin),
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn data_passes_where_its_time_lies_between_the_places() {
        let input = "d0 t0 K0 a10 d500 v500 K1000 t990 d1000 a1010 v1500 t1600 a1990 \
                     d2000 K2000 t2400 a2500 d2999 v2500 d3000 t3001 K3000 a3010 d3100";
        assert_eq!(
            cut((1_500, 2_500), Some(VIDEO), input),
            "K0 d0 a10 v500 t600 a990 d1000 K1000 t1400 v1500 a1500 d1999"
        );
        assert_eq!(
            cut((0, 1_000), Some(VIDEO), input),
            "d0 t0 K0 a10 d500 v500 t990"
        );
        assert_eq!(
            cut((2_100, 0), Some(VIDEO), input),
            "d0 K0 t400 a500 d999 v500 d1000 t1001 K1000 a1010 d1100"
        );
    }

    #[test]
    fn data_beside_sound_alone_passes_between_the_places() {
        let input = "d0 a0 d90 a100 t199 t200 a200 d250 a300 d300 a400 t410 a500";
        let want = "t0 a0 d50 a100 d100";
        assert_eq!(cut((200, 400), None, input), want);
    }

    #[test]
    fn a_key_frame_behind_sound_of_a_later_time_is_the_beginning() {
        let input = "K0 a0 v500 a1005 K1000 a1030 v1040 v1500";
        let want = "a5 K0 a30 v40 v500";
        assert_eq!(cut((1_000, 0), Some(VIDEO), input), want);
    }
}
