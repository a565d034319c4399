//! What of a stream goes into which file, and at what time of it. Pure.
//!
//! ```text
//!            random access point        enough to know all tracks
//!  Waiting ─────────────────────▶ Opening ──────────▶ Running ──┐ split, other codecs:
//!     ▲                                                 │  ▲    │ next file at the same unit
//!     └────────────── pause, loss of space ─────────────┘  └────┘
//! ```
//!
//! - A file begins at a random access point; a file that follows another begins with the unit
//!   that the other one ends before: nothing is lost or doubled between them.
//! - Times in a file count from its first unit, all tracks moved by the same whole number of
//!   milliseconds. Missing media leaves a hole in time; a pause does not.
//! - Tracks whose configuration changes wait for the next random access point of the video, and
//!   open the next file with it.

mod act;
mod file;
mod held;
mod running;

use std::sync::Arc;

use hub::{Discontinuity, Frame, Item};
use media::{AccessUnit, Dts, Headers, Rounding, Timescale, TrackKind, TrackList};

use crate::config::Split;
use crate::format::Media;
use crate::manifest::Cause;
use held::{Held, units};
use running::{Head, Running, same};

pub(crate) use act::{Act, End, Opening};

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    media: Media,
    split: Split,
    /// Of the stream, with the tracks that are recorded.
    headers: Headers,
    state: State,
    /// Wall time of the newest unit minus its stream time; `None` before the first.
    wall_offset_ms: Option<i64>,
    /// What the next unit that is written comes behind.
    hole: Option<Hole>,
    split_asked: bool,
    /// How far each track was written, in stream time.
    heads: Vec<Head>,
}

#[derive(Debug)]
enum State {
    Waiting,
    Opening(Held),
    Running(Running),
    Paused(Option<Running>),
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    cause: Cause,
    /// Stream time at which it begins.
    from_ms: Option<i64>,
}

impl Session {
    pub(crate) fn new(media: Media, split: Split) -> Self {
        Self {
            media,
            split,
            headers: Headers::default(),
            state: State::Waiting,
            wall_offset_ms: None,
            hole: None,
            split_asked: false,
            heads: Vec::new(),
        }
    }

    /// The frames since the last call arrived until `wall_ms`; `newest_ms` is the stream time of
    /// the newest of them.
    pub(crate) fn arrived(&mut self, wall_ms: i64, newest_ms: i64) {
        self.wall_offset_ms = Some(wall_ms - newest_ms);
    }

    /// The stream's headers, at a random access point; `missed` frames were lost before it.
    pub(crate) fn join(&mut self, headers: &Headers, missed: u64, out: &mut Vec<Act>) {
        let tracks = Arc::new(self.media.of(&headers.tracks));
        self.headers = Headers {
            tracks: Arc::clone(&tracks),
            ..headers.clone()
        };
        if missed > 0 {
            self.lost(Cause::Overflow, out);
        }
        self.tracks_changed(&tracks);
    }

    /// Units are missing from here on, until a random access point.
    pub(crate) fn lost(&mut self, cause: Cause, out: &mut Vec<Act>) {
        let end = self.end_of_stream_ms();
        match &mut self.state {
            State::Running(running) => {
                running.blind = true;
                out.push(Act::Break);
                self.hole.get_or_insert(Hole {
                    cause,
                    from_ms: end,
                });
            }
            // What is held back is followed by a hole: begin again behind it.
            State::Opening(held) => {
                held.items.clear();
                held.bytes = 0;
            }
            _ => {}
        }
    }

    /// The file could not be written, and lacks its last `lost_ms`: the next one begins when it
    /// can.
    pub(crate) fn abandon(&mut self, cause: Cause, lost_ms: i64) {
        let from_ms = self.end_of_stream_ms().map(|end| end - lost_ms);
        let paused = matches!(self.state, State::Paused(_));
        self.state = match paused {
            true => State::Paused(None),
            false => State::Waiting,
        };
        self.hole.get_or_insert(Hole { cause, from_ms });
        self.heads.clear();
    }

    pub(crate) fn pause(&mut self, out: &mut Vec<Act>) {
        self.settle(out);
        let state = std::mem::replace(&mut self.state, State::Paused(None));
        self.state = State::Paused(match state {
            State::Running(mut running) => {
                self.hole = Some(Hole {
                    cause: Cause::Paused,
                    from_ms: self.end_of_stream_ms(),
                });
                running.ahead.clear();
                running.ahead_bytes = 0;
                Some(running)
            }
            State::Paused(before) => before,
            _ => None,
        });
    }

    pub(crate) fn resume(&mut self) {
        if let State::Paused(running) = &mut self.state {
            self.state = match running.take() {
                Some(running) => State::Opening(Held {
                    resumes: Some(running),
                    ..Held::default()
                }),
                None => State::Waiting,
            };
        }
    }

    /// The next random access point begins the next file.
    pub(crate) fn split(&mut self) {
        self.split_asked = true;
    }

    /// Where the open file ends so far.
    pub(crate) fn end(&self) -> End {
        let ms = match &self.state {
            State::Running(running) | State::Paused(Some(running)) => running.end_ms,
            State::Opening(held) => held.resumes.as_ref().map_or(0, |running| running.end_ms),
            _ => 0,
        };
        let wall_ms = self.end_of_stream_ms().zip(self.wall_offset_ms);
        End {
            ms,
            wall_ms: wall_ms.map(|(end, offset)| end + offset),
        }
    }

    /// The stream is over, or the recording is.
    pub(crate) fn finish(&mut self, out: &mut Vec<Act>) {
        self.settle(out);
        if let State::Running(running) = &mut self.state {
            // What waited for a random access point that never came: better in a file of its own.
            let ahead = std::mem::take(&mut running.ahead);
            if units(&ahead).next().is_some() {
                out.push(Act::Close(self.end()));
                self.open(ahead, out);
            }
        }
        let has_file = matches!(self.state, State::Running(_) | State::Paused(Some(_)));
        if has_file {
            out.push(Act::Close(self.end()));
        }
        self.state = State::Waiting;
    }

    /// One frame, in the stream's order.
    pub(crate) fn frame(&mut self, frame: &Arc<Frame>, out: &mut Vec<Act>) {
        match &frame.item {
            Item::Tracks(tracks) => {
                let tracks = Arc::new(self.media.of(tracks));
                self.headers
                    .extras
                    .retain(|extra| tracks.get(extra.track).is_some());
                self.headers.tracks = Arc::clone(&tracks);
                self.tracks_changed(&tracks);
            }
            Item::Data(data) => {
                if data.is_metadata() {
                    self.headers.metadata = Some(Arc::clone(data));
                }
                self.aside(frame, out);
            }
            Item::Extra(extra) => {
                let extras = &mut self.headers.extras;
                extras.retain(|known| known.track != extra.track);
                extras.push(Arc::clone(extra));
                self.aside(frame, out);
            }
            Item::Discontinuity(why) => {
                let cause = match why {
                    Discontinuity::NewSession => Cause::Publisher,
                    _ => Cause::Clock,
                };
                let has_video = self.headers.tracks.video().is_some();
                let from_ms = self.end_of_stream_ms();
                if let State::Running(running) = &mut self.state {
                    running.blind |= has_video && cause == Cause::Publisher;
                    out.push(Act::Break);
                    self.hole.get_or_insert(Hole { cause, from_ms });
                }
            }
            Item::Unit(unit) => {
                let Some(track) = self.headers.tracks.get(unit.track) else {
                    return;
                };
                let dts_ms = to_ms(track.timescale, unit.dts);
                let is_video = track.kind() == TrackKind::Video;
                let join = self.is_join(frame, is_video, unit);
                self.unit(frame, unit, dts_ms, (is_video, join), out);
            }
            _ => {}
        }
    }

    /// Whether a file could begin at a unit.
    fn is_join(&self, frame: &Frame, is_video: bool, unit: &AccessUnit) -> bool {
        match (is_video, self.headers.tracks.video()) {
            (true, _) => unit.is_random_access(),
            (false, None) => true,
            // The hub says when sound may stand alone: at the very start, and when the picture
            // has been silent for long.
            (false, Some(_)) => frame.join,
        }
    }

    fn unit(
        &mut self,
        frame: &Arc<Frame>,
        unit: &AccessUnit,
        dts_ms: i64,
        (is_video, join): (bool, bool),
        out: &mut Vec<Act>,
    ) {
        match &mut self.state {
            State::Paused(_) => {}
            State::Waiting => {
                if join {
                    self.state = State::Opening(Held::default());
                    self.unit(frame, unit, dts_ms, (is_video, join), out);
                }
            }
            State::Opening(held) => {
                let sees = held
                    .items
                    .iter()
                    .any(|(held, _)| matches!(&held.item, Item::Unit(u) if u.track == unit.track));
                if held.items.is_empty() && !join || is_video && !sees && !unit.is_random_access() {
                    return;
                }
                held.bytes += unit.size_bytes();
                held.items.push((Arc::clone(frame), dts_ms));
                if held.is_enough(&self.headers.tracks) {
                    self.settle(out);
                }
            }
            State::Running(running) => {
                let rolls = self.split_asked
                    || running.is_over(self.split, dts_ms, self.wall_offset_ms)
                    || !same(&running.tracks, &self.headers.tracks);
                let changed = !running.has(&self.headers.tracks, unit.track);
                if running.blind && is_video {
                    if !unit.is_random_access() {
                        return;
                    }
                    running.blind = false;
                }
                if rolls && (join || running.has_waited(dts_ms)) {
                    let mut held = std::mem::take(&mut running.ahead);
                    held.push((Arc::clone(frame), dts_ms));
                    out.push(Act::Close(self.end()));
                    self.open(held, out);
                } else if changed {
                    running.ahead_bytes += unit.size_bytes();
                    running.ahead.push((Arc::clone(frame), dts_ms));
                } else {
                    self.write(frame, dts_ms, join, out);
                }
            }
        }
    }

    /// Data and extras: written where a file is open, held where one is about to.
    fn aside(&mut self, frame: &Arc<Frame>, out: &mut Vec<Act>) {
        match &mut self.state {
            State::Opening(held) if !held.items.is_empty() => {
                held.items.push((Arc::clone(frame), frame.time_ms));
            }
            State::Running(running) if running.ahead.is_empty() => {
                self.write(frame, frame.time_ms, false, out);
            }
            State::Running(running) => running.ahead.push((Arc::clone(frame), frame.time_ms)),
            _ => {}
        }
    }

    fn tracks_changed(&mut self, tracks: &Arc<TrackList>) {
        if let State::Running(running) = &mut self.state {
            // Before anything of it was written, and where nothing changes for what was.
            if same(&running.tracks, tracks) {
                running.tracks = Arc::clone(tracks);
            }
        }
    }

    /// Ends an opening with what there is.
    fn settle(&mut self, out: &mut Vec<Act>) {
        let State::Opening(held) = &mut self.state else {
            return;
        };
        let (items, resumes) = (std::mem::take(&mut held.items), held.resumes.take());
        match resumes {
            Some(running) if items.is_empty() => self.state = State::Running(running),
            Some(running) if same(&running.tracks, &self.headers.tracks) => {
                self.go_on(running, &items, out);
            }
            Some(running) => {
                self.state = State::Paused(Some(running));
                out.push(Act::Close(self.end()));
                self.open(items, out);
            }
            None if items.is_empty() => self.state = State::Waiting,
            None => self.open(items, out),
        }
    }

    /// Where the last unit that was written ends, in stream time.
    fn end_of_stream_ms(&self) -> Option<i64> {
        let ends = self.heads.iter().map(|head| head.last_ms + head.delta_ms);
        ends.max()
    }
}

fn to_ms(timescale: Timescale, dts: Dts) -> i64 {
    timescale.convert(dts.0, Timescale::MILLIS, Rounding::Floor)
}
