//! Counts tracks, units, GOPs and faults of time as tags pass.

use media::timeline::{Jump, Timeline};
use media::{FrameRole, Track, TrackKind};
use remux::flv::{Event, Limits, Parser, Tag, TagKind};

/// A pause between two units of a track that is worth telling, in milliseconds.
const GAP_MS: i64 = 1_000;
/// Faults that are told one by one; all are counted.
const MAX_FAULTS: usize = 20;

/// What passes by.
#[derive(Default)]
pub(super) struct Analysis {
    pub(super) is_live: bool,
    parser: Option<Parser>,
    timeline: Timeline,
    tracks: Vec<Counted>,
    bytes: u64,
    data_messages: u64,
    refused: u64,
    refused_why: Option<String>,
    faults: Vec<Fault>,
    fault_count: u64,
    damage: Option<String>,
}

/// One track and its figures; times are milliseconds of the input's own clock, without wraps.
pub(super) struct Counted {
    pub(super) track: Track,
    pub(super) units: u64,
    pub(super) bytes: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) random_access: u64,
    pub(super) gops_ms: Vec<i64>,
    pub(super) max_composition_offset_ms: i64,
    pub(super) min_composition_offset_ms: i64,
    pub(super) configurations: u64,
    last_random_access_ms: Option<i64>,
}

/// Something odd about time.
pub(super) struct Fault {
    pub(super) at_ms: i64,
    pub(super) track: u16,
    pub(super) what: String,
}

/// What was found in the end.
pub(super) struct Found {
    pub(super) input: String,
    pub(super) is_live: bool,
    pub(super) bytes: u64,
    pub(super) duration_ms: i64,
    pub(super) tracks: Vec<Counted>,
    pub(super) data_messages: u64,
    pub(super) refused: u64,
    pub(super) refused_why: Option<String>,
    pub(super) faults: Vec<Fault>,
    pub(super) fault_count: u64,
    pub(super) damage: Option<String>,
}

impl Analysis {
    /// Looks at one tag.
    pub(super) fn tag(&mut self, tag: &Tag) {
        // Header and size around a body.
        self.bytes += tag.body.len() as u64 + 15;
        let parser = self
            .parser
            .get_or_insert_with(|| Parser::new(Limits::default()));
        let events = match tag.kind {
            TagKind::Audio => parser.audio(&tag.body),
            TagKind::Video => parser.video(&tag.body),
            TagKind::Script => {
                self.data_messages += 1;
                return;
            }
        };
        let events = match events {
            Ok(events) => events,
            Err(error) => return self.refuse(&error, tag.offset),
        };
        for event in events {
            match event {
                Event::Track(track) => self.track(*track),
                Event::Unit(unit) => self.unit(&unit, tag.timestamp),
                Event::Refused(error) => self.refuse(&error, tag.offset),
                _ => {}
            }
        }
    }

    /// The input ended in damage.
    pub(super) fn damage(&mut self, what: String) {
        self.damage = Some(what);
    }

    /// Whether no unit was found.
    pub(super) fn is_empty(&self) -> bool {
        self.tracks.iter().all(|track| track.units == 0)
    }

    /// Sums up.
    pub(super) fn finish(mut self, input: &str) -> Found {
        self.tracks.sort_by_key(|counted| counted.track.id);
        let seen = || self.tracks.iter().filter(|track| track.units > 0);
        let first = seen().map(|track| track.first_ms).min().unwrap_or(0);
        let end = seen().map(Counted::end_ms).max().unwrap_or(0);
        Found {
            input: input.to_owned(),
            is_live: self.is_live,
            bytes: self.bytes,
            duration_ms: end - first,
            tracks: self.tracks,
            data_messages: self.data_messages,
            refused: self.refused,
            refused_why: self.refused_why,
            faults: self.faults,
            fault_count: self.fault_count,
            damage: self.damage,
        }
    }

    fn refuse(&mut self, error: &remux::flv::Error, offset: u64) {
        self.refused += 1;
        self.refused_why
            .get_or_insert_with(|| format!("{error} in the tag at byte {offset}"));
    }

    fn track(&mut self, track: Track) {
        let known = self
            .tracks
            .iter_mut()
            .find(|known| known.track.id == track.id);
        match known {
            Some(known) => {
                known.track = track;
                known.configurations += 1;
            }
            None => self.tracks.push(Counted {
                track,
                units: 0,
                bytes: 0,
                first_ms: 0,
                last_ms: 0,
                random_access: 0,
                gops_ms: Vec::new(),
                max_composition_offset_ms: 0,
                min_composition_offset_ms: 0,
                configurations: 1,
                last_random_access_ms: None,
            }),
        }
    }

    fn unit(&mut self, unit: &media::AccessUnit, timestamp: u32) {
        // No wall clock: a file has none, and jumps are told, not repaired.
        let placed = self.timeline.place(unit.track, timestamp, None);
        let time = placed.dts.0;
        let Some(index) = self.tracks.iter().position(|t| t.track.id == unit.track) else {
            return;
        };
        let id = unit.track.0;
        let (last, units) = (self.tracks[index].last_ms, self.tracks[index].units);
        if let Some(jump) = placed.jump {
            let what = match jump {
                Jump::Restart { .. } => format!("the clock restarts at {timestamp} ms"),
                _ => "the clock jumps".to_owned(),
            };
            self.fault(time, id, what);
        } else if units > 0 && time < last {
            self.fault(
                time,
                id,
                format!("decode time goes back by {} ms", last - time),
            );
        } else if units > 0 && time - last > GAP_MS {
            self.fault(time, id, format!("nothing for {} ms", time - last));
        }
        self.tracks[index].unit(unit, time);
    }

    fn fault(&mut self, at_ms: i64, track: u16, what: String) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { at_ms, track, what });
        }
    }
}

impl Counted {
    fn unit(&mut self, unit: &media::AccessUnit, time: i64) {
        if self.units == 0 {
            (self.first_ms, self.last_ms) = (time, time);
        }
        self.units += 1;
        self.bytes += unit.payload.len() as u64;
        self.last_ms = self.last_ms.max(time);
        let offset = unit.composition_offset.0;
        self.max_composition_offset_ms = self.max_composition_offset_ms.max(offset);
        self.min_composition_offset_ms = self.min_composition_offset_ms.min(offset);
        if self.track.kind() == TrackKind::Video && unit.role == FrameRole::RandomAccess {
            self.random_access += 1;
            if let Some(last) = self.last_random_access_ms.replace(time) {
                self.gops_ms.push(time - last);
            }
        }
    }

    /// Units per 1000 seconds between the first and the last.
    pub(super) fn rate_milli(&self) -> Option<u64> {
        let millis = u64::try_from(self.last_ms - self.first_ms).ok()?;
        (millis > 0 && self.units > 1).then(|| (self.units - 1) * 1_000_000 / millis)
    }

    /// When the last unit ends: it lasts as long as the others on average.
    fn end_ms(&self) -> i64 {
        let spans = i64::try_from(self.units).unwrap_or(i64::MAX) - 1;
        match spans {
            ..1 => self.last_ms,
            _ => self.last_ms + (self.last_ms - self.first_ms + spans / 2) / spans,
        }
    }

    /// Bits per second over the track's own length.
    pub(super) fn bitrate_bps(&self) -> u64 {
        let millis = u64::try_from(self.end_ms() - self.first_ms).unwrap_or(0);
        (self.bytes * 8_000).checked_div(millis).unwrap_or(0)
    }
}
