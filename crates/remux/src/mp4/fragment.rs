//! Sample tables of a fragment: times, durations and flags of one track.
//!
//! ```text
//! moof  mfhd sequence number
//!       traf  tfhd  default-base-is-moof, what all samples have in common
//!             tfdt  decode time of the first sample, 64 bits
//!             trun  version 1: data offset | duration, size, flags, signed composition offset …
//! mdat  samples of the first track, then of the next
//! ```
//!
//! Spec: ISO/IEC 14496-12 §8.8.4 to §8.8.12.

use bytes::Bytes;

use super::boxes::{put_box, put_full_box, put_u32, put_u64};
use super::init::{DISPOSABLE, NON_SYNC, SYNC};

/// In the clock that tracks in milliseconds get, 90 kHz.
const MILLISECOND: u64 = 90;

/// One access unit, its times in the media timescale.
#[derive(Clone, Debug)]
pub(super) struct Sample<'a> {
    pub(super) payload: &'a Bytes,
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) role: media::FrameRole,
}

/// One line of a `trun`.
#[derive(Clone, Copy, Debug)]
struct Entry {
    duration: u32,
    size: u32,
    flags: u32,
    composition_offset: i32,
}

/// The samples of one track in one fragment, placed on the file's timeline.
#[derive(Debug)]
pub(super) struct Run {
    /// Decode time of the first sample.
    pub(super) start: u64,
    /// Duration of the last sample, to go by in the next run.
    pub(super) last_duration: u32,
    /// Where a reader is that counts the durations of all runs, and reads no decode times.
    pub(super) counted: i64,
    entries: Vec<Entry>,
    /// Media bytes of all samples.
    pub(super) bytes: u64,
}

/// What is known of a last sample's duration before the next one comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess {
    /// Duration of the sample before the first.
    pub(super) before: u32,
    /// How long it is by its own samples, where it is sound that says so.
    pub(super) lasts: Option<u32>,
    /// One picture as the configuration says, where the track's clock counts milliseconds.
    pub(super) nominal: Option<u32>,
    /// [`Run::counted`] of the run before.
    pub(super) counted: Option<i64>,
}

impl Guess {
    /// Ticks of the last sample, `before` being those of the one before it; `None`: the same.
    fn last(&self, before: u32) -> Option<u32> {
        let near = |nominal: &u32| u64::from(before.abs_diff(*nominal)) < MILLISECOND;
        self.lasts.or(self.nominal.filter(near))
    }
}

impl Run {
    /// Lays `samples` out. `end` is the decode time of the sample after the last, when known.
    /// Without it the last sample of sound is as long as it plays; a picture as long as the one
    /// before (`guess.before` at first), or as the configuration says where a clock of milliseconds
    /// cannot tell the two apart. 21 or 22 ms for frames of 21.3 would add up, run by run, for
    /// readers that count durations (VLC 3): what they are off by, always less than a millisecond,
    /// is made up for.
    ///
    /// Decode times in a file are sums of durations, which are at least one tick. Where a unit's
    /// DTS goes back, the file's decode time runs ahead of it until it has caught up, and the
    /// composition offset takes up the difference: presentation times stay exact.
    pub(super) fn new(samples: &[Sample<'_>], end: Option<i64>, guess: Guess) -> Self {
        let start = samples.first().map_or(0, |sample| sample.dts.max(0));
        let mut at = start;
        let behind = start.saturating_sub(guess.counted.unwrap_or(start));
        let behind = Some(behind).filter(|behind| behind.unsigned_abs() < MILLISECOND);
        let behind = behind.unwrap_or(0);
        let mut duration = guess.before.max(1);
        let mut last_duration = duration;
        let mut bytes = 0;
        let nexts = samples.iter().skip(1).map(|sample| Some(sample.dts));
        let mut entries = Vec::with_capacity(samples.len());
        for (sample, next) in samples.iter().zip(nexts.chain([end])) {
            if let Some(next) = next {
                duration = u32::try_from(next.saturating_sub(at).max(1)).unwrap_or(u32::MAX);
                last_duration = duration;
            } else if let Some(lasts) = guess.last(duration) {
                let made_up = i64::from(lasts).saturating_add(behind).max(1);
                duration = u32::try_from(made_up).unwrap_or(lasts);
                last_duration = lasts;
            }
            let offset = sample.pts.saturating_sub(at);
            let offset = offset.clamp(i32::MIN.into(), i32::MAX.into());
            let size = u32::try_from(sample.payload.len()).unwrap_or(u32::MAX);
            bytes += u64::from(size);
            entries.push(Entry {
                duration,
                size,
                flags: flags(sample.role),
                composition_offset: offset as i32,
            });
            at = at.saturating_add(duration.into());
        }
        Self {
            start: start.cast_unsigned(),
            last_duration,
            counted: at.saturating_sub(behind),
            entries,
            bytes,
        }
    }

    /// Bytes that the track fragment has at most.
    pub(super) fn max_len(&self) -> usize {
        88 + 16 * self.entries.len()
    }

    /// Writes the track fragment; what all samples have in common goes to `tfhd`, and offsets that
    /// are all zero are left out. Where the data offset of its run is to be filled in.
    /// `more` writes what else belongs into it.
    pub(super) fn put_traf(
        &self,
        out: &mut Vec<u8>,
        track_number: u32,
        more: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let first = self.entries.first().copied();
        let rest = self.entries.get(1..).unwrap_or_default();
        let same = |field: fn(&Entry) -> u32| {
            let first = first.as_ref().map(field)?;
            rest.iter()
                .all(|entry| field(entry) == first)
                .then_some(first)
        };
        let duration = same(|entry| entry.duration);
        let no_offsets = same(|entry| entry.composition_offset.cast_unsigned()) == Some(0);
        // A random access unit and its dependents: first-sample flags say the exception.
        let common = rest.first().or(first.as_ref()).map(|entry| entry.flags);
        let common = common.filter(|flags| rest.iter().all(|entry| entry.flags == *flags));
        let first_flags = first.map(|entry| entry.flags);
        let first_flags = first_flags.filter(|flags| common.is_some_and(|common| common != *flags));
        let mut data_offset_at = 0;
        put_box(out, b"traf", |out| {
            // default-base-is-moof, default duration, default flags.
            let fields = 0x2_0000 | flag(duration.is_some(), 0x8) | flag(common.is_some(), 0x20);
            put_full_box(out, b"tfhd", 0, fields, |out| {
                put_u32(out, track_number);
                duration
                    .into_iter()
                    .chain(common)
                    .for_each(|field| put_u32(out, field));
            });
            put_full_box(out, b"tfdt", 1, 0, |out| put_u64(out, self.start));
            let fields = 0x1
                | flag(first_flags.is_some(), 0x4)
                | flag(duration.is_none(), 0x100)
                | 0x200
                | flag(common.is_none(), 0x400)
                | flag(!no_offsets, 0x800);
            put_full_box(out, b"trun", 1, fields, |out| {
                put_u32(out, u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
                data_offset_at = out.len();
                put_u32(out, 0);
                first_flags
                    .into_iter()
                    .for_each(|flags| put_u32(out, flags));
                for entry in &self.entries {
                    if duration.is_none() {
                        put_u32(out, entry.duration);
                    }
                    put_u32(out, entry.size);
                    if common.is_none() {
                        put_u32(out, entry.flags);
                    }
                    if !no_offsets {
                        put_u32(out, entry.composition_offset.cast_unsigned());
                    }
                }
            });
            more(out);
        });
        data_offset_at
    }
}

fn flag(is_set: bool, bit: u32) -> u32 {
    if is_set { bit } else { 0 }
}

fn flags(role: media::FrameRole) -> u32 {
    match role {
        media::FrameRole::RandomAccess => SYNC,
        media::FrameRole::Inter => NON_SYNC,
        media::FrameRole::Disposable => DISPOSABLE,
    }
}
