//! Track fragments: the samples of one `moof`, walked as they lie in the file.
//!
//! ```text
//! moof  mfhd
//!       traf  tfhd  track, [base offset], [description], [default duration, size, flags]
//!             tfdt  decode time of the first sample
//!             trun  count, [data offset], [first sample's flags], { [duration, size, flags, offset] } …
//! ```
//!
//! What `tfhd` does not say, `trex` does (§8.8.3).
//!
//! Spec: ISO/IEC 14496-12 §8.8.7, §8.8.8, §8.8.12.

use std::collections::VecDeque;

use bytes::Bytes;

use super::boxes::{Fields, child, children};
use super::sample::{Sample, role};

/// `trex` of a track: what holds for all its fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) description: u32,
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

impl Defaults {
    /// Track number and defaults of a `trex`.
    pub(super) fn read(body: &[u8]) -> Option<(u32, Self)> {
        let mut fields = Fields(body);
        fields.version()?;
        Some((
            fields.u32()?,
            Self {
                description: fields.u32()?,
                duration: fields.u32()?,
                size: fields.u32()?,
                flags: fields.u32()?,
            },
        ))
    }
}

/// The header of a track fragment, and what its runs share.
#[derive(Clone, Debug)]
pub(super) struct TrackFragment {
    /// `track_ID`.
    pub(super) number: u32,
    base_data_offset: Option<u64>,
    default_base_is_moof: bool,
    defaults: Defaults,
    /// `tfdt`; without it the fragment continues the one before.
    pub(super) start: Option<i64>,
    runs: Vec<Bytes>,
}

impl TrackFragment {
    /// Reads a `traf`; `defaults` gives the `trex` of a track.
    pub(super) fn read(traf: &Bytes, defaults: impl Fn(u32) -> Defaults) -> Option<Self> {
        let tfhd = child(traf, b"tfhd")?;
        let mut fields = Fields(&tfhd);
        let (_, flags) = fields.version()?;
        let number = fields.u32()?;
        let mut shared = defaults(number);
        let has = |bit: u32| flags & bit != 0;
        let base_data_offset = if has(0x1) { Some(fields.u64()?) } else { None };
        for (bit, field) in [
            (0x2, &mut shared.description),
            (0x8, &mut shared.duration),
            (0x10, &mut shared.size),
            (0x20, &mut shared.flags),
        ] {
            if has(bit) {
                *field = fields.u32()?;
            }
        }
        let start = child(traf, b"tfdt").and_then(|body| {
            let mut fields = Fields(&body);
            let (version, _) = fields.version()?;
            i64::try_from(fields.time(version)?).ok()
        });
        let runs = children(traf).filter(|(kind, _)| kind == b"trun");
        Some(Self {
            number,
            base_data_offset,
            default_base_is_moof: has(0x2_0000),
            defaults: shared,
            start,
            runs: runs.map(|(_, body)| body).collect(),
        })
    }

    /// The samples, from decode time `dts`, in the fragment whose `moof` begins at `moof`.
    /// `previous`: where the data of the track fragment before this one ends. Also where this
    /// one's ends.
    pub(super) fn samples(&self, moof: u64, previous: u64, dts: i64) -> (RunSamples, u64) {
        let base = match self.base_data_offset {
            Some(base) => base,
            None if self.default_base_is_moof => moof,
            None => previous,
        };
        let mut end = base;
        let mut runs = VecDeque::with_capacity(self.runs.len());
        for body in &self.runs {
            let Some(run) = Run::read(body, base, end, self.defaults) else {
                continue;
            };
            end = run.end();
            runs.push_back(run);
        }
        (RunSamples { runs, dts }, end)
    }
}

/// The samples of a track in one fragment.
#[derive(Clone, Debug)]
pub(super) struct RunSamples {
    runs: VecDeque<Run>,
    /// Of the next sample.
    dts: i64,
}

impl RunSamples {
    /// Decode time of the sample that would follow the last one given.
    pub(super) fn end(&self) -> i64 {
        self.dts
    }

    /// Adds the runs of another track fragment of the same track and `moof`.
    pub(super) fn append(&mut self, mut other: Self) {
        self.runs.append(&mut other.runs);
    }

    /// Gives up the rest of the current run, when its samples are all of one size.
    pub(super) fn stop_fixed(&mut self) {
        let is_fixed = |run: &Run| run.flags & 0x200 == 0;
        if self.runs.front().is_some_and(is_fixed) {
            self.runs.pop_front();
        }
    }
}

impl Iterator for RunSamples {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        loop {
            let run = self.runs.front_mut()?;
            match run.next(self.dts) {
                Some(sample) => {
                    self.dts = self.dts.saturating_add(sample.duration.into());
                    return Some(sample);
                }
                None => {
                    self.dts = self.dts.saturating_add(run.empty_duration());
                    self.runs.pop_front();
                }
            }
        }
    }
}

/// A `trun`.
#[derive(Clone, Debug)]
struct Run {
    flags: u32,
    /// Entries not given yet.
    entries: Bytes,
    /// Samples not given yet.
    left: u32,
    first_flags: Option<u32>,
    defaults: Defaults,
    offset: u64,
}

impl Run {
    fn read(body: &Bytes, base: u64, previous: u64, defaults: Defaults) -> Option<Self> {
        let mut fields = Fields(body);
        // Offsets are signed in version 1; in version 0 writers put negative ones too.
        let (_, flags) = fields.version()?;
        let mut left = fields.u32()?;
        let offset = if flags & 0x1 != 0 {
            base.saturating_add_signed(fields.u32()?.cast_signed().into())
        } else {
            previous
        };
        let first_flags = if flags & 0x4 != 0 {
            Some(fields.u32()?)
        } else {
            None
        };
        let entries = body.slice_ref(fields.0);
        let width = entry_len(flags);
        if let Some(whole) = entries.len().checked_div(width) {
            left = left.min(u32::try_from(whole).unwrap_or(u32::MAX));
        }
        Some(Self {
            flags,
            entries,
            left,
            first_flags,
            defaults,
            offset,
        })
    }

    /// The byte behind the last sample.
    fn end(&self) -> u64 {
        if self.flags & 0x200 == 0 {
            let bytes = u64::from(self.left) * u64::from(self.defaults.size);
            return self.offset.saturating_add(bytes);
        }
        let before = if self.flags & 0x100 != 0 { 4 } else { 0 };
        let entries = self.entries.chunks_exact(entry_len(self.flags).max(1));
        let sizes = entries.take(usize::try_from(self.left).unwrap_or(usize::MAX));
        let sizes = sizes.filter_map(|entry| Fields(entry.get(before..)?).u32());
        let bytes: u64 = sizes.map(u64::from).sum();
        self.offset.saturating_add(bytes)
    }

    /// Whether the samples have no bytes and no entries: then their number is bounded by nothing.
    fn is_empty(&self) -> bool {
        self.flags & 0x200 == 0 && self.defaults.size == 0 && entry_len(self.flags) == 0
    }

    /// How long the samples are that [`Run::is_empty`] keeps back.
    fn empty_duration(&self) -> i64 {
        i64::from(self.left) * i64::from(self.defaults.duration)
    }

    fn next(&mut self, dts: i64) -> Option<Sample> {
        if self.left == 0 || self.is_empty() {
            return None;
        }
        let mut fields = Fields(&self.entries);
        let mut field = |bit: u32, default: u32| {
            if self.flags & bit == 0 {
                return Some(default);
            }
            fields.u32()
        };
        let duration = field(0x100, self.defaults.duration)?;
        let size = field(0x200, self.defaults.size)?;
        let default_flags = self.first_flags.take().unwrap_or(self.defaults.flags);
        let flags = field(0x400, default_flags)?;
        let composition = field(0x800, 0)?.cast_signed();
        let taken = self.entries.len() - fields.0.len();
        bytes::Buf::advance(&mut self.entries, taken);
        self.left -= 1;
        let sample = Sample {
            offset: self.offset,
            size,
            dts,
            composition_offset: composition.into(),
            duration,
            role: role(flags & 0x1_0000 == 0, (flags >> 22 & 3) as u8),
            description: self.defaults.description,
        };
        self.offset = sample.end();
        Some(sample)
    }
}

/// Bytes of an entry.
fn entry_len(flags: u32) -> usize {
    let fields = [0x100, 0x200, 0x400, 0x800];
    4 * fields.iter().filter(|&&bit| flags & bit != 0).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use media::FrameRole::{Disposable, Inter, RandomAccess};

    use super::super::boxes::{put_full_box, put_u32, put_u64};
    use super::*;

    const DEFAULTS: Defaults = Defaults {
        description: 1,
        duration: 10,
        size: 7,
        flags: 0x1_0000,
    };

    fn full(out: &mut Vec<u8>, kind: &[u8; 4], flags: u32, words: &[u32]) {
        put_full_box(out, kind, 0, flags, |out| {
            words.iter().for_each(|&word| put_u32(out, word));
        });
    }

    fn traf(tfhd: (u32, &[u32]), truns: &[(u32, &[u32])]) -> TrackFragment {
        let mut out = Vec::new();
        full(&mut out, b"tfhd", tfhd.0, tfhd.1);
        put_full_box(&mut out, b"tfdt", 1, 0, |out| put_u64(out, 1 << 34));
        for (flags, words) in truns {
            full(&mut out, b"trun", *flags, words);
        }
        TrackFragment::read(&out.into(), |number| {
            assert_eq!(number, 3);
            DEFAULTS
        })
        .unwrap()
    }

    #[test]
    fn every_field_is_optional() {
        let back = (-4_i32).cast_unsigned();
        let fragment = traf(
            (0x2_0000 | 0x2 | 0x20, &[3, 2, 0x0101_0000]),
            &[
                (0xf01, &[2, 100, 1, 2, 0, 3, 4, 5, 0x0181_0000, back]),
                (0x4, &[2, 0x0200_0000]),
                (0x201, &[1, 40, 9]),
            ],
        );
        assert_eq!(fragment.start, Some(1 << 34));
        let (samples, end) = fragment.samples(1000, 5, 50);
        let found: Vec<_> = samples
            .map(|s| {
                (
                    s.offset,
                    s.size,
                    s.dts,
                    s.composition_offset,
                    s.role,
                    s.description,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (1100, 2, 50, 3, RandomAccess, 2),
                (1102, 5, 51, -4, Disposable, 2),
                (1107, 7, 55, 0, RandomAccess, 2),
                (1114, 7, 65, 0, Inter, 2),
                (1040, 9, 75, 0, Inter, 2),
            ]
        );
        assert_eq!(end, 1049);
    }

    #[test]
    fn offsets_count_from_base_moof_or_the_fragment_before() {
        let first = |flags, words: &[u32]| {
            let fragment = traf((flags, words), &[(0x1, &[1, 8]), (0, &[1])]);
            let (samples, end) = fragment.samples(1000, 3000, 0);
            (samples.map(|s| s.offset).collect::<Vec<_>>(), end)
        };
        assert_eq!(
            first(0x1, &[3, 1, 0]),
            (vec![(1 << 32) + 8, (1 << 32) + 15], (1 << 32) + 22)
        );
        assert_eq!(first(0x2_0000, &[3]), (vec![1008, 1015], 1022));
        assert_eq!(first(0, &[3]), (vec![3008, 3015], 3022));
    }

    #[test]
    fn counts_that_lie_end_with_the_entries() {
        let fragment = traf((0, &[3]), &[(0x200, &[u32::MAX, 1, 2]), (0, &[u32::MAX])]);
        let (samples, _) = fragment.samples(0, 0, 0);
        assert_eq!(
            samples.take(4).map(|s| s.size).collect::<Vec<_>>(),
            [1, 2, 7, 7]
        );
        // Samples without bytes pass time and are not given.
        let fragment = traf((0x10, &[3, 0]), &[(0, &[u32::MAX]), (0x200, &[1, 5])]);
        let (mut samples, _) = fragment.samples(0, 0, 0);
        let only = samples.next().unwrap();
        assert_eq!((only.size, only.dts), (5, i64::from(u32::MAX) * 10));
        assert!(samples.next().is_none());
    }
}
