//! The publisher's 32-bit millisecond clock, unwrapped, and what its jumps mean.
//!
//! One [`Timeline`] serves audio and video of a stream together, so that both keep their distance
//! and a break is classified once. The publisher's times are kept exactly: a time changes only by
//! the constant of its epoch, and a new epoch starts only where the publisher's clock broke.
//!
//! ```text
//! raw u32 ──▶ difference to the track's last raw time, modulo 2^32
//!   small backwards step .......... kept (jitter: outputs that need order cope)
//!   up to GAP forward ............. kept
//!   longer, and as long on the wall  kept (a real gap)
//!   anything else ................. restart: new epoch, the stream's clock continues
//! ```

use std::time::{Duration, Instant};

use crate::{Dts, Ticks, TrackId};

/// A backwards step up to here is jitter of the sender and is kept, in milliseconds.
const JITTER_MS: i64 = 1_000;
/// A forward step up to here needs no explanation, in milliseconds: encoders pause for scene
/// switches and slow sources, and a lost key frame interval is at most this long in practice.
const GAP_MS: i64 = 10_000;
/// Distance by which the stream's clock advances over a break when the wall says nothing, in
/// milliseconds: one frame at 25 fps.
const STEP_MS: i64 = 40;

/// Tracks whose clocks are remembered; more are judged by the stream's clock only.
const MAX_TRACKS: usize = 32;

/// Places a publisher's raw times on the stream's own unwrapped clock.
#[derive(Debug, Default)]
pub struct Timeline {
    epoch: Option<Epoch>,
    tracks: Vec<TrackClock>,
    /// The latest time given out, over all tracks.
    newest: Option<i64>,
    newest_at: Option<Instant>,
    session_started: bool,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    number: u32,
    /// `dts = unwrapped raw + offset`.
    offset: i64,
}

#[derive(Debug)]
struct TrackClock {
    track: TrackId,
    epoch: u32,
    raw: u32,
    dts: i64,
}

/// Where a raw time landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The time on the stream's clock, in milliseconds.
    pub dts: Dts,
    /// What broke here, if anything.
    pub jump: Option<Jump>,
}

/// A break of the publisher's clock, reported once for all tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jump {
    /// The clock went on after a pause that the wall confirms: times are kept.
    Gap {
        /// Length in milliseconds.
        length: Ticks,
    },
    /// The clock broke (restart at another value): the stream's clock continues without it.
    Restart {
        /// `new raw - expected raw`, in milliseconds.
        by: Ticks,
    },
}

impl Timeline {
    /// A timeline that has seen nothing; the first time is taken as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new publisher session begins on this stream: its clock may start anywhere.
    pub fn begin_session(&mut self) {
        self.session_started = self.newest.is_some();
    }

    /// The latest time given out, in milliseconds.
    #[must_use]
    pub fn newest(&self) -> Option<Dts> {
        self.newest.map(Dts)
    }

    /// What is added to the publisher's unwrapped times now, in milliseconds; 0 before the first.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.epoch.map_or(0, |epoch| epoch.offset)
    }

    /// Where a raw time lies on the stream's clock now; changes nothing. For data messages, which
    /// follow the clock of the media.
    #[must_use]
    pub fn locate(&self, raw: u32) -> Dts {
        match self.epoch {
            Some(epoch) => Dts(self.nearest(raw, epoch.offset)),
            None => Dts(i64::from(raw)),
        }
    }

    /// Places the raw time of a media message (never of a codec configuration: encoders stamp
    /// those 0 at any moment). `now` is when it arrived; without it, as in files, every forward
    /// step is believed.
    pub fn place(&mut self, track: TrackId, raw: u32, now: Option<Instant>) -> Placed {
        let Some(epoch) = self.epoch else {
            self.epoch = Some(Epoch {
                number: 0,
                offset: 0,
            });
            return self.settle(track, 0, raw, i64::from(raw), now, None);
        };
        if std::mem::take(&mut self.session_started) {
            return self.place_first_of_session(track, raw, now);
        }
        let known = self.tracks.iter().find(|clock| clock.track == track);
        let Some((number, last_raw, last_dts)) =
            known.map(|clock| (clock.epoch, clock.raw, clock.dts))
        else {
            let dts = self.nearest(raw, epoch.offset);
            return self.settle(track, epoch.number, raw, dts, now, None);
        };
        if number != epoch.number {
            // Another track already started a new epoch. Belongs this message to it, or is it a
            // straggler of the old clock?
            let dts = self.nearest(raw, epoch.offset);
            let newest = self.newest.unwrap_or(dts);
            if (dts - newest).abs() <= GAP_MS {
                return self.settle(track, epoch.number, raw, dts, now, None);
            }
        }
        let step = i64::from(wrapping_difference(raw, last_raw));
        let waited = self.waited_ms(now);
        if (-JITTER_MS..=GAP_MS).contains(&step) {
            return self.settle(track, number, raw, last_dts + step, now, None);
        }
        let kept = last_dts + step;
        let ahead = kept - self.newest.unwrap_or(kept);
        if step > 0 && ahead <= GAP_MS {
            // Only this track paused: the others went on, the stream has no gap.
            return self.settle(track, number, raw, kept, now, None);
        }
        if step > 0 && waited.is_none_or(|waited| ahead <= waited.saturating_mul(2) + GAP_MS) {
            let jump = Jump::Gap {
                length: Ticks(ahead),
            };
            return self.settle(track, number, raw, kept, now, Some(jump));
        }
        let dts = self.continued(waited);
        self.start_epoch(track, raw, dts, now, Jump::Restart { by: Ticks(step) })
    }

    fn place_first_of_session(&mut self, track: TrackId, raw: u32, now: Option<Instant>) -> Placed {
        let waited = self.waited_ms(now).unwrap_or(0);
        let newest = self.newest.unwrap_or(0);
        let offset = self.epoch.map_or(0, |epoch| epoch.offset);
        let same_clock = self.nearest(raw, offset);
        // An encoder that kept its clock while it was away lands where the wall says it should.
        if same_clock > newest && same_clock - newest <= waited + GAP_MS {
            let jump = Jump::Gap {
                length: Ticks(same_clock - newest),
            };
            return self.start_epoch(track, raw, same_clock, now, jump);
        }
        let dts = self.continued(Some(waited));
        self.start_epoch(
            track,
            raw,
            dts,
            now,
            Jump::Restart {
                by: Ticks(same_clock - dts),
            },
        )
    }

    fn start_epoch(
        &mut self,
        track: TrackId,
        raw: u32,
        dts: i64,
        now: Option<Instant>,
        jump: Jump,
    ) -> Placed {
        let number = self.epoch.map_or(0, |epoch| epoch.number.wrapping_add(1));
        self.epoch = Some(Epoch {
            number,
            offset: dts - i64::from(raw),
        });
        self.settle(track, number, raw, dts, now, Some(jump))
    }

    fn settle(
        &mut self,
        track: TrackId,
        epoch: u32,
        raw: u32,
        dts: i64,
        now: Option<Instant>,
        jump: Option<Jump>,
    ) -> Placed {
        let clock = TrackClock {
            track,
            epoch,
            raw,
            dts,
        };
        if let Some(known) = self.tracks.iter_mut().find(|known| known.track == track) {
            *known = clock;
        } else if self.tracks.len() < MAX_TRACKS {
            self.tracks.push(clock);
        }
        self.newest = Some(self.newest.map_or(dts, |newest| newest.max(dts)));
        self.newest_at = now.or(self.newest_at);
        Placed {
            dts: Dts(dts),
            jump,
        }
    }

    /// Milliseconds on the wall since the last message.
    fn waited_ms(&self, now: Option<Instant>) -> Option<i64> {
        let waited: Duration = now?.saturating_duration_since(self.newest_at?);
        i64::try_from(waited.as_millis()).ok()
    }

    /// Where the stream's clock is now.
    fn continued(&self, waited: Option<i64>) -> i64 {
        self.newest
            .unwrap_or(0)
            .saturating_add(waited.unwrap_or(0).max(STEP_MS))
    }

    /// `raw` in an epoch of this offset, in the wrap period that is nearest to the newest time.
    fn nearest(&self, raw: u32, offset: i64) -> i64 {
        let newest = self.newest.unwrap_or(0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "modulo 2^32 is meant"
        )]
        let expected_raw = (newest - offset) as u32;
        newest + i64::from(wrapping_difference(raw, expected_raw))
    }
}

/// `a - b` on a 32-bit circle, in `-2^31..2^31`.
fn wrapping_difference(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

#[cfg(test)]
mod tests;
