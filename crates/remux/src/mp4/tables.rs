//! Sample tables of an ordinary MP4, walked as they lie in the file: nothing is unfolded.
//!
//! ```text
//! stbl  stsd  sample entries
//!       stts  durations, in runs             ctts  composition offsets, in runs
//!       stsz or stz2  sizes                  stss  which are random access points; absent: all
//!       stsc  samples of each chunk, in runs stco or co64  where each chunk lies
//!       sdtp  whether others depend on it
//! ```
//!
//! A table that ends before its count says is used as far as it goes, and is never trusted with an
//! allocation: all lengths are those of the bytes that are there.
//!
//! Spec: ISO/IEC 14496-12 §8.6.1, §8.6.2, §8.6.4, §8.7.3 to §8.7.5.

use bytes::Bytes;

use super::boxes::{Fields, child};
use super::sample::{Sample, role};

/// A table's entries, each of `width` bytes, read in order.
#[derive(Clone, Debug, Default)]
struct Entries {
    bytes: Bytes,
    at: usize,
}

impl Entries {
    /// The entries of a full box with a count, cut to what is there; and whether that is all.
    fn of(body: Option<Bytes>, width: usize) -> (Self, u8, bool) {
        let Some(mut body) = body else {
            return (Self::default(), 0, true);
        };
        let mut fields = Fields(&body);
        let (Some((version, _)), Some(count)) = (fields.version(), fields.u32()) else {
            return (Self::default(), 0, false);
        };
        let mut bytes = body.split_off(8);
        let whole = usize::try_from(count).unwrap_or(usize::MAX);
        let whole = whole.saturating_mul(width);
        let is_whole = whole <= bytes.len();
        bytes.truncate(whole);
        (Self { bytes, at: 0 }, version, is_whole)
    }

    fn peek(&self) -> Fields<'_> {
        Fields(self.bytes.get(self.at..).unwrap_or_default())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = self.peek().array()?;
        self.at += N;
        Some(array)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }
}

/// Runs of equal values: count, value.
#[derive(Clone, Debug, Default)]
struct Runs {
    entries: Entries,
    left: u32,
    value: u32,
}

impl Runs {
    /// The value of the next sample; behind the last run `None`.
    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.left = self.entries.u32()?;
            self.value = self.entries.u32()?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

#[derive(Clone, Debug)]
enum Sizes {
    /// All alike.
    Fixed { size: u32, left: u32 },
    /// 32, 16 or 8 bits each.
    Table { bytes: Entries, bits: u8 },
    /// 4 bits each; `second`: the lower half of the byte is next.
    Nibbles {
        bytes: Entries,
        second: bool,
        left: u32,
    },
}

impl Sizes {
    fn of(stbl: &Bytes) -> Option<(Self, bool)> {
        if let Some(mut body) = child(stbl, b"stsz") {
            let mut fields = Fields(&body);
            fields.version()?;
            let (size, count) = (fields.u32()?, fields.u32()?);
            if size > 0 {
                return Some((Self::Fixed { size, left: count }, true));
            }
            let bytes = body.split_off(12);
            return Some(Self::table(bytes, count, 32));
        }
        let mut body = child(stbl, b"stz2")?;
        let mut fields = Fields(&body);
        let (_, bits) = (fields.version()?, fields.u32()? & 0xff);
        let count = fields.u32()?;
        let bytes = body.split_off(12);
        match bits {
            4 => Some((
                Self::Nibbles {
                    bytes: Entries { bytes, at: 0 },
                    second: false,
                    left: count,
                },
                true,
            )),
            8 => Some(Self::table(bytes, count, 8)),
            16 => Some(Self::table(bytes, count, 16)),
            _ => None,
        }
    }

    fn table(mut bytes: Bytes, count: u32, bits: u8) -> (Self, bool) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let whole = count.saturating_mul(usize::from(bits / 8));
        let is_whole = whole <= bytes.len();
        bytes.truncate(whole);
        let bytes = Entries { bytes, at: 0 };
        (Self::Table { bytes, bits }, is_whole)
    }

    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Fixed { size, left } => {
                *left = left.checked_sub(1)?;
                Some(*size)
            }
            Self::Table { bytes, bits: 8 } => bytes.take().map(|[byte]| byte.into()),
            Self::Table { bytes, bits: 16 } => bytes.take().map(|b| u16::from_be_bytes(b).into()),
            Self::Table { bytes, .. } => bytes.u32(),
            Self::Nibbles {
                bytes,
                second,
                left,
            } => {
                *left = left.checked_sub(1)?;
                let byte = bytes.peek().u8()?;
                bytes.at += usize::from(*second);
                let size = if *second { byte & 0xf } else { byte >> 4 };
                *second = !*second;
                Some(size.into())
            }
        }
    }
}

/// Where the chunks lie and how many samples each has.
#[derive(Clone, Debug)]
struct Chunks {
    offsets: Entries,
    wide: bool,
    /// stsc: first chunk, samples of each, description.
    runs: Entries,
    /// Chunks begun; the number of the current one.
    number: u32,
    samples: u32,
    description: u32,
}

impl Chunks {
    /// Offset, samples and description of the next chunk that has samples.
    fn next(&mut self) -> Option<(u64, u32, u32)> {
        loop {
            let offset = if self.wide {
                u64::from_be_bytes(self.offsets.take()?)
            } else {
                self.offsets.u32()?.into()
            };
            self.number = self.number.saturating_add(1);
            while self.runs.peek().u32().is_some_and(|n| n <= self.number) {
                self.runs.at += 4;
                self.samples = self.runs.u32()?;
                self.description = self.runs.u32()?;
            }
            if self.samples > 0 {
                return Some((offset, self.samples, self.description));
            }
        }
    }
}

/// The samples of one track in `moov`, in decode order.
#[derive(Clone, Debug)]
pub(super) struct SampleTable {
    sizes: Sizes,
    durations: Runs,
    /// Of the sample before; holds where the runs end early.
    duration: u32,
    offsets: Runs,
    sync: Option<Entries>,
    dependents: Entries,
    chunks: Chunks,
    /// Of the current chunk.
    left: u32,
    offset: u64,
    description: u32,
    /// Samples given.
    count: u32,
    dts: i64,
    /// Whether every table has the entries that it says it has.
    pub(super) is_whole: bool,
}

impl SampleTable {
    /// The tables in the body of `stbl`; `None` when those that it must have are not there.
    pub(super) fn of(stbl: &Bytes) -> Option<Self> {
        let (sizes, sizes_whole) = Sizes::of(stbl)?;
        let wide = child(stbl, b"co64").is_some();
        let (offsets, _, chunks_whole) = if wide {
            Entries::of(child(stbl, b"co64"), 8)
        } else {
            Entries::of(child(stbl, b"stco"), 4)
        };
        let (runs, _, runs_whole) = Entries::of(child(stbl, b"stsc"), 12);
        let (durations, _, durations_whole) = Entries::of(child(stbl, b"stts"), 8);
        let (compositions, _, compositions_whole) = Entries::of(child(stbl, b"ctts"), 8);
        let stss = child(stbl, b"stss").map(|body| Entries::of(Some(body), 4));
        let sync_whole = stss.as_ref().is_none_or(|(_, _, whole)| *whole);
        let dependents = child(stbl, b"sdtp").and_then(|body| {
            (body.len() >= 4).then(|| Entries {
                bytes: body.slice(4..),
                at: 0,
            })
        });
        Some(Self {
            sizes,
            durations: Runs {
                entries: durations,
                ..Runs::default()
            },
            duration: 0,
            offsets: Runs {
                entries: compositions,
                ..Runs::default()
            },
            sync: stss.map(|(entries, ..)| entries),
            dependents: dependents.unwrap_or_default(),
            chunks: Chunks {
                offsets,
                wide,
                runs,
                number: 0,
                samples: 0,
                description: 1,
            },
            left: 0,
            offset: 0,
            description: 1,
            count: 0,
            dts: 0,
            is_whole: sizes_whole
                && chunks_whole
                && runs_whole
                && durations_whole
                && compositions_whole
                && sync_whole,
        })
    }

    /// Whether all samples have one size: then their number is not bounded by a table's bytes.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self.sizes, Sizes::Fixed { .. })
    }

    /// Gives no more samples.
    pub(super) fn stop(&mut self) {
        self.left = 0;
        self.chunks.offsets = Entries::default();
    }

    /// Decode time of the sample that would follow the last one given.
    pub(super) fn end(&self) -> i64 {
        self.dts
    }

    /// Whether the next sample is a random access point.
    fn is_sync(&mut self) -> bool {
        let Some(entries) = &mut self.sync else {
            return true;
        };
        // Numbers that do not rise are passed over.
        while entries.peek().u32().is_some_and(|n| n < self.count) {
            entries.at += 4;
        }
        entries.peek().u32() == Some(self.count)
    }
}

impl Iterator for SampleTable {
    type Item = Sample;

    fn next(&mut self) -> Option<Sample> {
        if self.left == 0 {
            (self.offset, self.left, self.description) = self.chunks.next()?;
        }
        let size = self.sizes.next()?;
        self.left -= 1;
        self.count = self.count.saturating_add(1);
        if let Some(duration) = self.durations.next() {
            self.duration = duration;
        }
        // Version 0 is unsigned, but writers in the field put negative ones there; none are 13 h.
        let composition = self.offsets.next().unwrap_or(0).cast_signed();
        let sync = self.is_sync();
        let dependents = self.dependents.take().map_or(0, |[byte]| byte >> 2);
        let sample = Sample {
            offset: self.offset,
            size,
            dts: self.dts,
            composition_offset: composition.into(),
            duration: self.duration,
            role: role(sync, dependents),
            description: self.description,
        };
        self.offset = sample.end();
        self.dts = self.dts.saturating_add(self.duration.into());
        Some(sample)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use media::FrameRole::{Disposable, Inter, RandomAccess};

    use super::super::boxes::{put_box, put_full_box, put_u32, put_u64};
    use super::*;

    fn table(out: &mut Vec<u8>, kind: &[u8; 4], entries: &[&[u32]]) {
        put_full_box(out, kind, 0, 0, |out| {
            put_u32(out, u32::try_from(entries.len()).unwrap());
            entries
                .iter()
                .copied()
                .flatten()
                .for_each(|&n| put_u32(out, n));
        });
    }

    /// Five samples in three chunks.
    fn stbl(sizes: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let mut out = Vec::new();
        table(&mut out, b"stts", &[&[2, 10], &[2, 20]]);
        let back = (-5_i32).cast_unsigned();
        table(&mut out, b"ctts", &[&[1, 30], &[3, back]]);
        table(&mut out, b"stss", &[&[1], &[4]]);
        table(&mut out, b"stsc", &[&[1, 2, 1], &[3, 1, 2]]);
        put_full_box(&mut out, b"co64", 0, 0, |out| {
            put_u32(out, 3);
            [1000, 1 << 33, 50]
                .into_iter()
                .for_each(|n| put_u64(out, n));
        });
        put_full_box(&mut out, b"sdtp", 0, 0, |out| out.extend([0, 8, 0, 0, 8]));
        sizes(&mut out);
        out.into()
    }

    #[test]
    fn samples_come_with_place_time_and_role() {
        let stbl = stbl(|out| {
            put_full_box(out, b"stsz", 0, 0, |out| {
                [0, 5, 100, 200, 300, 400, 500]
                    .into_iter()
                    .for_each(|n| put_u32(out, n));
            });
        });
        let table = SampleTable::of(&stbl).unwrap();
        assert!(table.is_whole && !table.is_fixed());
        let found: Vec<_> = table
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
                (1000, 100, 0, 30, RandomAccess, 1),
                (1100, 200, 10, -5, Disposable, 1),
                (1 << 33, 300, 20, -5, Inter, 1),
                ((1 << 33) + 300, 400, 40, -5, RandomAccess, 1),
                // Behind the last run the duration holds, and the offset is 0.
                (50, 500, 60, 0, Disposable, 2),
            ]
        );
    }

    #[test]
    fn sizes_of_4_8_16_bits_and_one_for_all() {
        let sizes = |bits: u32, bytes: &[u8]| -> Vec<u32> {
            let stbl = stbl(|out| {
                put_full_box(out, b"stz2", 0, 0, |out| {
                    put_u32(out, bits);
                    put_u32(out, 3);
                    out.extend_from_slice(bytes);
                });
            });
            SampleTable::of(&stbl).unwrap().map(|s| s.size).collect()
        };
        assert_eq!(sizes(4, &[0x12, 0x3f]), [1, 2, 3]);
        assert_eq!(sizes(8, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(sizes(16, &[1, 0, 2, 0, 3, 0]), [256, 512, 768]);
        let stbl = stbl(|out| {
            put_full_box(out, b"stsz", 0, 0, |out| {
                put_u32(out, 7);
                put_u32(out, u32::MAX);
            });
        });
        let table = SampleTable::of(&stbl).unwrap();
        assert!(table.is_fixed());
        // Chunks end it.
        assert_eq!(table.map(|s| s.size).collect::<Vec<_>>(), [7; 5]);
    }

    #[test]
    fn counts_that_lie_are_cut_to_the_bytes() {
        let mut out = Vec::new();
        table(&mut out, b"stts", &[&[u32::MAX, 1]]);
        put_full_box(&mut out, b"stsc", 0, 0, |out| {
            [u32::MAX, 1, u32::MAX, 1]
                .into_iter()
                .for_each(|n| put_u32(out, n));
        });
        put_full_box(&mut out, b"stco", 0, 0, |out| {
            [u32::MAX, 100].into_iter().for_each(|n| put_u32(out, n));
        });
        put_full_box(&mut out, b"stsz", 0, 0, |out| {
            [0, u32::MAX, 10, 20]
                .into_iter()
                .for_each(|n| put_u32(out, n));
        });
        let table = SampleTable::of(&out.into()).unwrap();
        assert!(!table.is_whole);
        assert_eq!(table.map(|s| s.size).collect::<Vec<_>>(), [10, 20]);
        let mut out = Vec::new();
        put_box(&mut out, b"stsz", |_| ());
        assert!(SampleTable::of(&out.into()).is_none());
    }
}
