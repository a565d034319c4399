//! Frames that go into a file: where its time begins, and what it lacks.

use std::sync::Arc;

use hub::{Frame, Item};
use media::{AccessUnit, DataMessage, Dts, Rounding, Timescale, TrackKind};

use super::held::units;
use super::running::{Running, note};
use super::{Act, Opening, Session, State};
use crate::config::Clock;
use crate::manifest::{Cause, Gap};

/// A hole shorter than this is jitter.
const GAP_MS: i64 = 250;
/// A track that has sent nothing for this long does not decide where a file begins.
const RECENT_MS: i64 = 2_000;

impl Session {
    /// The same file after a pause: its time goes on where it stopped.
    pub(super) fn go_on(
        &mut self,
        mut running: Running,
        items: &[(Arc<Frame>, i64)],
        out: &mut Vec<Act>,
    ) {
        let first_ms = units(items).map(|(_, ms)| ms).min().unwrap_or_default();
        out.push(Act::Break);
        if let Some(hole) = self.hole.take() {
            let from_ms = hole.from_ms.unwrap_or(first_ms);
            out.push(Act::Gap(Gap {
                at_ms: running.end_ms,
                missing_ms: (first_ms - from_ms).max(0),
                in_time: false,
                cause: hole.cause,
            }));
        }
        running.origin_ms = first_ms - running.end_ms;
        running.blind = false;
        self.heads.clear();
        self.state = State::Running(running);
        self.write_all(items, out);
    }

    /// Begins a file with these frames.
    pub(super) fn open(&mut self, items: Vec<(Arc<Frame>, i64)>, out: &mut Vec<Act>) {
        let first_ms = units(&items).map(|(_, ms)| ms).min().unwrap_or_default();
        // Tracks lag behind each other: what is still to come of one that was written lately is
        // later than what was written of it.
        let to_come = self.heads.iter().filter(|head| {
            let is_here = |(unit, _): (&AccessUnit, i64)| unit.track == head.track;
            !units(&items).any(is_here)
        });
        let origin_ms = to_come
            .map(|head| head.last_ms + 1)
            .filter(|next| (first_ms - RECENT_MS..first_ms).contains(next))
            .fold(first_ms, i64::min);
        let wall_ms = first_ms + self.wall_offset_ms.unwrap_or_default();
        self.split_asked = false;
        let tracks = Arc::clone(&self.headers.tracks);
        self.heads.retain(|head| tracks.get(head.track).is_some());
        self.state = State::Running(Running {
            origin_ms,
            tracks,
            next_clock_ms: self.split.at.map(|clock: Clock| clock.next(wall_ms)),
            ahead: Vec::new(),
            ahead_bytes: 0,
            blind: false,
            end_ms: 0,
        });
        out.push(Act::Open(Opening {
            headers: self.headers.clone(),
            wall_ms,
        }));
        self.write_all(&items, out);
    }

    pub(super) fn write_all(&mut self, items: &[(Arc<Frame>, i64)], out: &mut Vec<Act>) {
        for (frame, ms) in items {
            let join = match &frame.item {
                Item::Unit(unit) => {
                    let track = self.headers.tracks.get(unit.track);
                    let is_video = track.is_some_and(|track| track.kind() == TrackKind::Video);
                    self.is_join(frame, is_video, unit)
                }
                _ => false,
            };
            self.write(frame, *ms, join, out);
        }
    }

    /// Writes one frame; its times become those of the file.
    pub(super) fn write(
        &mut self,
        frame: &Arc<Frame>,
        dts_ms: i64,
        join: bool,
        out: &mut Vec<Act>,
    ) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        let file_ms = dts_ms - running.origin_ms;
        match &frame.item {
            Item::Unit(unit) => {
                let Some(track) = running.tracks.get(unit.track) else {
                    return;
                };
                if let Some(hole) = self.hole.take() {
                    let missing_ms = dts_ms - hole.from_ms.unwrap_or(dts_ms);
                    if missing_ms >= GAP_MS || matches!(hole.cause, Cause::Overflow | Cause::Disk) {
                        out.push(Act::Gap(Gap {
                            at_ms: running.end_ms,
                            missing_ms: missing_ms.max(0),
                            in_time: hole.cause != Cause::Disk,
                            cause: hole.cause,
                        }));
                    }
                }
                let delta_ms = note(&mut self.heads, unit.track, dts_ms);
                running.end_ms = running.end_ms.max(file_ms + delta_ms);
                let origin =
                    Timescale::MILLIS.convert(running.origin_ms, track.timescale, Rounding::Floor);
                out.push(Act::Unit {
                    unit: AccessUnit {
                        dts: Dts(unit.dts.0 - origin),
                        ..unit.clone()
                    },
                    join,
                });
            }
            Item::Data(data) => out.push(Act::Data(Arc::new(DataMessage {
                dts: Dts((data.dts.0 - running.origin_ms).max(0)),
                ..(**data).clone()
            }))),
            Item::Extra(extra) => out.push(Act::Extra(Arc::clone(extra), file_ms)),
            _ => {}
        }
    }
}
