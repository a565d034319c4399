//! Media time: ticks of a track's own timescale, never mixed across timescales.
//!
//! Inside sidestream time is `i64` and never wraps; wire clocks are unwrapped once, at the edge
//! (see [`crate::timeline`]). Durations are differences of absolute times: convert the absolute
//! times, never sum converted durations.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Ticks per second of a track's clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timescale(NonZeroU32);

impl Timescale {
    /// Milliseconds: RTMP and FLV.
    pub const MILLIS: Self = Self::new_const(1_000);
    /// 90 kHz: MPEG-TS.
    pub const NINETY_KHZ: Self = Self::new_const(90_000);

    const fn new_const(hz: u32) -> Self {
        match NonZeroU32::new(hz) {
            Some(hz) => Self(hz),
            None => panic!("a timescale constant is not zero"),
        }
    }

    /// A timescale of `hz` ticks per second; `None` for zero.
    #[must_use]
    pub fn new(hz: u32) -> Option<Self> {
        NonZeroU32::new(hz).map(Self)
    }

    /// Ticks per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0.get()
    }

    /// Converts `ticks` of this timescale to `to`, with 128-bit intermediates; saturates at the
    /// ends of `i64`.
    #[must_use]
    pub fn convert(self, ticks: i64, to: Self, rounding: Rounding) -> i64 {
        if self == to {
            return ticks;
        }
        let num = i128::from(ticks) * i128::from(to.hz());
        let den = i128::from(self.hz());
        let value = match rounding {
            Rounding::Floor => num.div_euclid(den),
            Rounding::Nearest => (num + den / 2).div_euclid(den),
        };
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    /// The length of `ticks` as wall time; negative lengths are zero.
    #[must_use]
    pub fn duration(self, ticks: Ticks) -> Duration {
        let nanos = i128::from(ticks.0.max(0)) * 1_000_000_000 / i128::from(self.hz());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Wall time as ticks, rounded down; saturates.
    #[must_use]
    pub fn ticks(self, duration: Duration) -> Ticks {
        let ticks = duration.as_nanos() * u128::from(self.hz()) / 1_000_000_000;
        Ticks(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Timescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.hz())
    }
}

/// How [`Timescale::convert`] rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity.
    Floor,
    /// To the nearest tick, halves up.
    Nearest,
}

/// A signed length in ticks of the track's timescale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub i64);

/// Decode time in ticks of the track's timescale, unwrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dts(pub i64);

/// Presentation time in ticks of the track's timescale, unwrapped: `dts + composition_offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pts(pub i64);

impl Dts {
    /// The presentation time of a unit decoded here; saturates.
    #[must_use]
    pub fn pts(self, composition_offset: Ticks) -> Pts {
        Pts(self.0.saturating_add(composition_offset.0))
    }
}

impl Sub for Dts {
    type Output = Ticks;
    fn sub(self, earlier: Self) -> Ticks {
        Ticks(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Ticks> for Dts {
    type Output = Self;
    fn add(self, length: Ticks) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub for Pts {
    type Output = Ticks;
    fn sub(self, earlier: Self) -> Ticks {
        Ticks(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_rounds_as_named_and_keeps_the_sign() {
        let ms = Timescale::MILLIS;
        let cd = Timescale::new(44_100).expect("not zero");
        assert_eq!(ms.convert(1, Timescale::NINETY_KHZ, Rounding::Floor), 90);
        assert_eq!(ms.convert(-1, cd, Rounding::Floor), -45);
        assert_eq!(ms.convert(-1, cd, Rounding::Nearest), -44);
        assert_eq!(cd.convert(1024, ms, Rounding::Floor), 23);
        assert_eq!(ms.convert(i64::MAX, cd, Rounding::Floor), i64::MAX);
    }

    #[test]
    fn ninety_khz_holds_every_millisecond_exactly() {
        for ms in [-70_000, 0, 1, 16_777_216, 4_294_967_296] {
            let ticks = Timescale::MILLIS.convert(ms, Timescale::NINETY_KHZ, Rounding::Floor);
            assert_eq!(
                Timescale::NINETY_KHZ.convert(ticks, Timescale::MILLIS, Rounding::Floor),
                ms
            );
        }
    }

    #[test]
    fn durations_are_never_negative() {
        assert_eq!(Timescale::MILLIS.duration(Ticks(-5)), Duration::ZERO);
        assert_eq!(
            Timescale::NINETY_KHZ.duration(Ticks(45_000)),
            Duration::from_millis(500)
        );
        assert_eq!(
            Timescale::MILLIS.ticks(Duration::from_secs(2)),
            Ticks(2_000)
        );
    }
}
