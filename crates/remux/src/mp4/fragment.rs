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
use mp4_atom as mp4;

use super::init::{DISPOSABLE, NON_SYNC, SYNC};

/// One access unit, its times in the media timescale.
#[derive(Clone, Debug)]
pub(super) struct Sample<'a> {
    pub(super) payload: &'a Bytes,
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) role: media::FrameRole,
}

/// The samples of one track in one fragment, placed on the file's timeline.
#[derive(Debug)]
pub(super) struct Run {
    /// Decode time of the first sample.
    pub(super) start: u64,
    /// Duration of the last sample.
    pub(super) last_duration: u32,
    default_flags: Option<u32>,
    default_duration: Option<u32>,
    entries: Vec<mp4::TrunEntry>,
    /// Media bytes of all samples.
    pub(super) bytes: u64,
}

impl Run {
    /// Lays `samples` out. `end` is the decode time of the sample after the last, when known;
    /// `fallback` the last one's duration when neither it nor another sample tells.
    ///
    /// Decode times in a file are sums of durations, which are at least one tick. Where a unit's
    /// DTS goes back, the file's decode time runs ahead of it until it has caught up, and the
    /// composition offset takes up the difference: presentation times stay exact.
    pub(super) fn new(samples: &[Sample<'_>], end: Option<i64>, fallback: u32) -> Self {
        let start = samples.first().map_or(0, |sample| sample.dts.max(0));
        let mut at = start;
        let mut duration = fallback.max(1);
        let mut bytes = 0;
        let nexts = samples.iter().skip(1).map(|sample| Some(sample.dts));
        let mut entries = Vec::with_capacity(samples.len());
        for (sample, next) in samples.iter().zip(nexts.chain([end])) {
            if let Some(next) = next {
                duration = u32::try_from(next.saturating_sub(at).max(1)).unwrap_or(u32::MAX);
            }
            let offset = sample.pts.saturating_sub(at);
            let offset = offset.clamp(i32::MIN.into(), i32::MAX.into());
            let size = u32::try_from(sample.payload.len()).unwrap_or(u32::MAX);
            bytes += u64::from(size);
            entries.push(mp4::TrunEntry {
                duration: Some(duration),
                size: Some(size),
                flags: Some(flags(sample.role)),
                cts: Some(offset),
            });
            at = at.saturating_add(duration.into());
        }
        let mut run = Self {
            start: start.cast_unsigned(),
            last_duration: duration,
            default_flags: None,
            default_duration: None,
            entries,
            bytes,
        };
        run.share_defaults();
        run
    }

    /// Moves what all samples have in common to `tfhd`, and leaves out offsets that are all zero.
    fn share_defaults(&mut self) {
        let Some((first, rest)) = self.entries.split_first_mut() else {
            return;
        };
        if rest.iter().all(|entry| entry.duration == first.duration) {
            self.default_duration = first.duration;
            first.duration = None;
            rest.iter_mut().for_each(|entry| entry.duration = None);
        }
        if first.cts == Some(0) && rest.iter().all(|entry| entry.cts == Some(0)) {
            first.cts = None;
            rest.iter_mut().for_each(|entry| entry.cts = None);
        }
        // A random access unit and its dependents: first-sample flags say the exception.
        let common = rest.first().map_or(first.flags, |second| second.flags);
        if rest.iter().all(|entry| entry.flags == common) {
            self.default_flags = common;
            if first.flags == common {
                first.flags = None;
            }
            rest.iter_mut().for_each(|entry| entry.flags = None);
        }
    }

    /// The track fragment; its data starts `data_offset` bytes after the start of the `moof`.
    pub(super) fn traf(&self, track_number: u32, data_offset: i32) -> mp4::Traf {
        mp4::Traf {
            tfhd: mp4::Tfhd {
                track_id: track_number,
                default_sample_duration: self.default_duration,
                default_sample_flags: self.default_flags,
                default_base_is_moof: true,
                ..Default::default()
            },
            tfdt: Some(mp4::Tfdt {
                base_media_decode_time: self.start,
            }),
            trun: vec![mp4::Trun {
                data_offset: Some(data_offset),
                samples: self.entries.clone().into(),
            }],
            ..Default::default()
        }
    }
}

fn flags(role: media::FrameRole) -> u32 {
    match role {
        media::FrameRole::RandomAccess => SYNC,
        media::FrameRole::Inter => NON_SYNC,
        media::FrameRole::Disposable => DISPOSABLE,
    }
}
