//! Edit lists: how a track's media timeline lies on the presentation.
//!
//! ```text
//! | duration (movie timescale) | media time, -1: nothing is shown | rate |   …
//! ```
//!
//! What is used: empty edits at the front delay the track; the first media edit says which media
//! time is shown then. Both are one shift of all the track's times. Samples before the media time
//! or behind an edit's end are kept (they get the times that the shift gives them): nothing of a
//! file is lost in remuxing, and decoders need what lies before. Later edits that do not continue
//! the first are not followed.
//!
//! Spec: ISO/IEC 14496-12 §8.6.6.

use bytes::Bytes;
use media::{Rounding, Timescale};

use super::boxes::{Fields, child};

/// What an edit list comes down to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    /// Ticks of the track to add to its media times.
    pub(super) shift: i64,
    /// Media edits that do not continue the one before.
    pub(super) not_followed: usize,
}

impl Edits {
    /// The edit list in the body of `trak`.
    pub(super) fn of(trak: &Bytes, movie: Timescale, track: Timescale) -> Self {
        let body = child(trak, b"edts").and_then(|edts| child(&edts, b"elst"));
        body.and_then(|body| Self::read(&body, movie, track))
            .unwrap_or_default()
    }

    fn read(body: &[u8], movie: Timescale, track: Timescale) -> Option<Self> {
        let mut fields = Fields(body);
        let (version, _) = fields.version()?;
        let count = fields.u32()?;
        let mut delay: i64 = 0;
        // Where the media edits before this one end.
        let mut reached: Option<i64> = None;
        let mut edits = Self::default();
        for _ in 0..count {
            // A list that is cut off is used as far as it goes.
            let Some(edit) = Edit::read(&mut fields, version) else {
                break;
            };
            let length = movie.convert(edit.duration, track, Rounding::Nearest);
            match (edit.media_time, reached) {
                (None, None) => delay = delay.saturating_add(edit.duration),
                // A pause between edits.
                (None, Some(_)) => {}
                (Some(start), None) => {
                    let delay = movie.convert(delay, track, Rounding::Nearest);
                    edits.shift = delay.saturating_sub(start);
                    reached = Some(start.saturating_add(length));
                }
                (Some(start), Some(end)) => {
                    // A tick or two are the rounding of durations in the movie's timescale.
                    let tick = i64::from(track.hz() / movie.hz()) + 1;
                    edits.not_followed += usize::from(start.abs_diff(end) > tick.unsigned_abs());
                    reached = Some(start.saturating_add(length));
                }
            }
        }
        Some(edits)
    }
}

struct Edit {
    duration: i64,
    media_time: Option<i64>,
}

impl Edit {
    fn read(fields: &mut Fields<'_>, version: u8) -> Option<Self> {
        let (duration, media_time) = match version {
            0 => (
                i64::from(fields.u32()?),
                i64::from(fields.u32()?.cast_signed()),
            ),
            _ => (
                i64::try_from(fields.u64()?).unwrap_or(i64::MAX),
                fields.u64()?.cast_signed(),
            ),
        };
        fields.u32()?;
        Some(Self {
            duration,
            media_time: (media_time >= 0).then_some(media_time),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::boxes::{put_box, put_full_box, put_u32, put_u64};
    use super::*;

    fn edits(version: u8, list: &[(u64, i64)]) -> Edits {
        let mut trak = Vec::new();
        put_box(&mut trak, b"edts", |out| {
            put_full_box(out, b"elst", version, 0, |out| {
                put_u32(out, u32::try_from(list.len()).unwrap());
                for &(duration, media_time) in list {
                    if version == 0 {
                        put_u32(out, u32::try_from(duration).unwrap());
                        put_u32(out, i32::try_from(media_time).unwrap().cast_unsigned());
                    } else {
                        put_u64(out, duration);
                        put_u64(out, media_time.cast_unsigned());
                    }
                    put_u32(out, 0x1_0000);
                }
            });
        });
        let ms = Timescale::MILLIS;
        Edits::of(&trak.into(), ms, Timescale::new(48_000).unwrap())
    }

    #[test]
    fn empty_edits_delay_and_a_media_time_advances() {
        for version in [0, 1] {
            let shift = |list: &[(u64, i64)]| edits(version, list).shift;
            assert_eq!(shift(&[]), 0);
            assert_eq!(shift(&[(5_000, 1024)]), -1024);
            assert_eq!(shift(&[(500, -1), (1_500, -1), (0, 0)]), 96_000);
            assert_eq!(shift(&[(1_000, -1), (0, 1024)]), 48_000 - 1024);
        }
        let long = edits(1, &[(1 << 40, -1), (0, 0)]);
        assert_eq!(long.shift, 48 << 40);
    }

    #[test]
    fn edits_that_continue_are_one() {
        let list = [(1_000, 0), (1_000, 48_000), (10, -1), (500, 96_001)];
        assert_eq!(edits(0, &list), Edits::default());
        let jump = edits(0, &[(1_000, 480), (1_000, 96_000)]);
        assert_eq!((jump.shift, jump.not_followed), (-480, 1));
    }
}
