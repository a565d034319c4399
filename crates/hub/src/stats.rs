//! Figures of a stream: counted while it runs, read as a snapshot.

use std::time::{Duration, Instant};

use media::timeline::Jump;
use media::{AccessUnit, Dts, Timescale, TrackId};

/// Figures of a stream at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StreamStats {
    /// Media bytes received (tag bodies).
    pub bytes_in: u64,
    /// Access units received.
    pub units_in: u64,
    /// Bits per second received, over the last tick.
    pub bitrate_bps: u64,
    /// Length of the last whole GOP in milliseconds.
    pub gop_ms: Option<i64>,
    /// Bytes the ring keeps.
    pub ring_bytes: usize,
    /// Publisher sessions so far.
    pub sessions: u64,
    /// Per track, in order of appearance.
    pub tracks: Vec<TrackStats>,
    /// Condition of the publisher's clock.
    pub timing: Timing,
}

/// Figures of one track.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrackStats {
    /// Which.
    pub track: TrackId,
    /// Access units received.
    pub units: u64,
    /// Payload bytes received.
    pub bytes: u64,
    /// Bits per second, over the last tick.
    pub bitrate_bps: u64,
    /// Access units per second, times 1000, over the last tick.
    pub rate_milli: u64,
    /// The latest decode time in milliseconds of the stream's clock.
    pub last_dts_ms: i64,
    last_units: u64,
    last_bytes: u64,
}

/// What was wrong with the publisher's clock so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Breaks after which the clock was continued without it.
    pub restarts: u64,
    /// Pauses longer than ten seconds that the wall confirmed.
    pub gaps: u64,
    /// Units whose decode time went backwards within their track.
    pub backwards: u64,
    /// Largest `pts - dts` in milliseconds.
    pub max_composition_offset_ms: i64,
    /// Latest video decode time minus latest audio decode time, in milliseconds.
    pub av_offset_ms: Option<i64>,
}

/// Counts as units pass.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) stats: StreamStats,
    last_join_ms: Option<i64>,
    last_bytes: u64,
    last_tick: Option<Instant>,
}

impl Counters {
    pub(crate) fn unit(&mut self, unit: &AccessUnit, timescale: Timescale, time_ms: i64) {
        let size = unit.size_bytes() as u64;
        self.stats.bytes_in += size;
        self.stats.units_in += 1;
        let offset_ms = timescale.convert(
            unit.composition_offset.0,
            Timescale::MILLIS,
            media::Rounding::Nearest,
        );
        let timing = &mut self.stats.timing;
        timing.max_composition_offset_ms = timing.max_composition_offset_ms.max(offset_ms);
        let known = self
            .stats
            .tracks
            .iter_mut()
            .find(|track| track.track == unit.track);
        if let Some(track) = known {
            if time_ms < track.last_dts_ms {
                timing.backwards += 1;
            }
            track.units += 1;
            track.bytes += size;
            track.last_dts_ms = time_ms;
        } else {
            self.stats.tracks.push(TrackStats {
                track: unit.track,
                units: 1,
                bytes: size,
                bitrate_bps: 0,
                rate_milli: 0,
                last_dts_ms: time_ms,
                last_units: 0,
                last_bytes: 0,
            });
        }
    }

    pub(crate) fn join(&mut self, time_ms: i64) {
        if let Some(last) = self.last_join_ms
            && time_ms > last
        {
            self.stats.gop_ms = Some(time_ms - last);
        }
        self.last_join_ms = Some(time_ms);
    }

    pub(crate) fn jump(&mut self, jump: Jump) {
        match jump {
            Jump::Restart { .. } => self.stats.timing.restarts += 1,
            _ => self.stats.timing.gaps += 1,
        }
        self.last_join_ms = None;
    }

    /// Computes rates since the last tick, when at least half a second passed.
    pub(crate) fn tick(&mut self, now: Instant) {
        let Some(last) = self.last_tick else {
            self.begin_window(now);
            return;
        };
        let passed = now.saturating_duration_since(last);
        if passed < Duration::from_millis(500) {
            return;
        }
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.stats.bitrate_bps = (self.stats.bytes_in - self.last_bytes) * 8_000 / millis;
        for track in &mut self.stats.tracks {
            track.bitrate_bps = (track.bytes - track.last_bytes) * 8_000 / millis;
            track.rate_milli = (track.units - track.last_units) * 1_000_000 / millis;
        }
        self.begin_window(now);
    }

    /// What comes from here on counts for the next tick.
    fn begin_window(&mut self, now: Instant) {
        self.last_tick = Some(now);
        self.last_bytes = self.stats.bytes_in;
        for track in &mut self.stats.tracks {
            track.last_bytes = track.bytes;
            track.last_units = track.units;
        }
    }

    pub(crate) fn snapshot(&self, video: Option<TrackId>, audio: Option<TrackId>) -> StreamStats {
        let last = |id: Option<TrackId>| {
            let id = id?;
            self.stats
                .tracks
                .iter()
                .find(|track| track.track == id)
                .map(|track| track.last_dts_ms)
        };
        let mut stats = self.stats.clone();
        stats.timing.av_offset_ms = last(video)
            .zip(last(audio))
            .map(|(video, audio)| video - audio);
        stats
    }
}

/// A decode time as milliseconds, rounded down.
pub(crate) fn to_ms(dts: Dts, timescale: Timescale) -> i64 {
    timescale.convert(dts.0, Timescale::MILLIS, media::Rounding::Floor)
}
