//! The samples of a file that is written, kept small until its `moov` is.
//!
//! ```text
//! sample  size 30 bits, role 2 | duration u32 | composition offset i32      12 bytes
//! chunk   offset 48 bits, description 16 | first sample u32                 12 bytes
//! ```
//!
//! At most one chunk a sample: 24 bytes. An hour of 30 pictures and 47 audio frames a second is 4 to
//! 7 MB.

use media::FrameRole;

/// Entries of a page: pages are never moved, so that growing needs no second copy.
const PAGE: usize = 4_096;
/// Largest sample: its size has 30 bits.
pub(super) const MAX_SAMPLE: usize = (1 << 30) - 1;
/// Largest file offset: 48 bits.
pub(super) const MAX_OFFSET: u64 = (1 << 48) - 1;

/// A list that grows by pages.
#[derive(Clone, Debug)]
struct Paged<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Paged<T> {
    fn push(&mut self, value: T) {
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(value),
            None => {
                // The first page grows: most recordings of tests and stills are short.
                let capacity = if self.pages.is_empty() { 0 } else { PAGE };
                let mut page = Vec::with_capacity(capacity);
                page.push(value);
                self.pages.push(page);
            }
        }
    }

    fn len(&self) -> usize {
        let before = self.pages.len().saturating_sub(1) * PAGE;
        before + self.pages.last().map_or(0, Vec::len)
    }

    fn last_mut(&mut self) -> Option<&mut T> {
        self.pages.last_mut().and_then(|page| page.last_mut())
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

/// A sample to add.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewSample {
    /// In the file, from its start.
    pub(super) offset: u64,
    /// At most [`MAX_SAMPLE`].
    pub(super) size: u32,
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) role: FrameRole,
    /// The first is 1.
    pub(super) description: u16,
}

/// A sample as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    size_and_role: u32,
    pub(super) duration: u32,
    pub(super) composition_offset: i32,
}

impl Entry {
    pub(super) fn size(self) -> u32 {
        self.size_and_role & MAX_SAMPLE as u32
    }

    pub(super) fn role(self) -> FrameRole {
        match self.size_and_role >> 30 {
            0 => FrameRole::RandomAccess,
            1 => FrameRole::Inter,
            _ => FrameRole::Disposable,
        }
    }
}

/// Samples that lie behind one another in the file and have one description.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Two halves, so that the struct has 12 bytes.
    place: [u32; 2],
    /// Samples of the track before it.
    first: u32,
}

impl Chunk {
    fn new(offset: u64, description: u16, first: u32) -> Self {
        let place = offset << 16 | u64::from(description);
        Self {
            place: [(place >> 32) as u32, place as u32],
            first,
        }
    }

    fn place(self) -> u64 {
        u64::from(self.place[0]) << 32 | u64::from(self.place[1])
    }
}

/// A chunk with its samples counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkView {
    pub(super) offset: u64,
    pub(super) description: u16,
    pub(super) samples: u32,
}

/// The samples of one track.
///
/// Decode times in a file are sums of durations of at least one tick. Where a sample's DTS goes
/// back, the file's runs ahead of it until it has caught up, and the composition offset takes up
/// the difference: presentation times stay exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    samples: Paged<Entry>,
    chunks: Paged<Chunk>,
    /// Decode time of the first sample.
    start: i64,
    /// Decode time, in the file, of the last one.
    at: i64,
    /// Earliest and latest presentation time.
    pts: Option<(i64, i64)>,
    /// Of the last sample that has one.
    last_duration: u32,
    /// The byte behind the last sample.
    end: u64,
    description: u16,
    /// Whether an offset is not 0, one is negative, a sample is no random access point, one is
    /// disposable.
    pub(super) has_offsets: bool,
    pub(super) has_negative_offsets: bool,
    pub(super) has_inter: bool,
    pub(super) has_disposable: bool,
}

impl Index {
    /// Adds the next sample in decode order.
    pub(super) fn push(&mut self, new: NewSample) {
        if self.samples.len() == 0 {
            (self.start, self.at) = (new.dts, new.dts);
        } else {
            let duration = new.dts.saturating_sub(self.at).max(1);
            self.end_last(u32::try_from(duration).unwrap_or(u32::MAX));
        }
        if self.chunks.len() == 0 || new.offset != self.end || new.description != self.description {
            let first = u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
            self.chunks
                .push(Chunk::new(new.offset, new.description, first));
        }
        self.end = new.offset + u64::from(new.size);
        self.description = new.description;
        let offset = new.pts.saturating_sub(self.at);
        let offset = offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let (first, last) = self.pts.unwrap_or((new.pts, new.pts));
        self.pts = Some((first.min(new.pts), last.max(new.pts)));
        self.has_offsets |= offset != 0;
        self.has_negative_offsets |= offset < 0;
        self.has_inter |= new.role != FrameRole::RandomAccess;
        self.has_disposable |= new.role == FrameRole::Disposable;
        let role = match new.role {
            FrameRole::RandomAccess => 0,
            FrameRole::Inter => 1,
            FrameRole::Disposable => 2,
        };
        self.samples.push(Entry {
            size_and_role: new.size | role << 30,
            duration: 0,
            composition_offset: offset,
        });
    }

    /// Gives the last sample its duration, and moves the clock behind it.
    fn end_last(&mut self, duration: u32) {
        if let Some(last) = self.samples.last_mut() {
            last.duration = duration;
            self.last_duration = duration;
            self.at = self.at.saturating_add(duration.into());
        }
    }

    /// Ends the track at decode time `end`, when that is known; else the last sample lasts as long
    /// as the one before it, or `fallback`.
    pub(super) fn finish(&mut self, end: Option<i64>, fallback: u32) {
        let duration = match end {
            Some(end) => u32::try_from(end.saturating_sub(self.at).max(1)).unwrap_or(u32::MAX),
            None if self.last_duration > 0 => self.last_duration,
            None => fallback.max(1),
        };
        self.end_last(duration);
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.samples.len() == 0
    }

    /// Decode time of the first sample.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// Length of the media in ticks: all durations.
    pub(super) fn duration(&self) -> u64 {
        self.at.abs_diff(self.start)
    }

    /// Earliest presentation time, and the end of the last: its time and a duration.
    pub(super) fn presentation(&self) -> (i64, i64) {
        let (first, last) = self.pts.unwrap_or_default();
        (first, last.saturating_add(self.last_duration.into()))
    }

    pub(super) fn samples(&self) -> impl Iterator<Item = Entry> {
        self.samples.iter().copied()
    }

    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    pub(super) fn chunks(&self) -> impl Iterator<Item = ChunkView> {
        let ends = self.chunks.iter().skip(1).map(|chunk| chunk.first);
        let all = u32::try_from(self.samples.len()).unwrap_or(u32::MAX);
        let ends = ends.chain(std::iter::once(all));
        self.chunks.iter().zip(ends).map(|(chunk, end)| ChunkView {
            offset: chunk.place() >> 16,
            description: (chunk.place() & 0xffff) as u16,
            samples: end - chunk.first,
        })
    }

    /// Offset of the last chunk in the file, which need not be the last written.
    pub(super) fn max_offset(&self) -> u64 {
        self.chunks().map(|chunk| chunk.offset).max().unwrap_or(0)
    }

    /// Bytes of memory that the index takes.
    pub(super) fn memory(&self) -> usize {
        let samples = self.samples.pages.iter().map(Vec::capacity).sum::<usize>();
        let chunks = self.chunks.pages.iter().map(Vec::capacity).sum::<usize>();
        samples * size_of::<Entry>() + chunks * size_of::<Chunk>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(offset: u64, size: u32, dts: i64, pts: i64) -> NewSample {
        NewSample {
            offset,
            size,
            dts,
            pts,
            role: FrameRole::Inter,
            description: 1,
        }
    }

    #[test]
    fn at_most_24_bytes_a_sample() {
        let mut index = Index::default();
        let count = 100_000_u32;
        for n in 0..count {
            // Every sample a chunk of its own.
            index.push(sample(u64::from(n) * 1000, 10, n.into(), n.into()));
        }
        assert_eq!((size_of::<Entry>(), size_of::<Chunk>()), (12, 12));
        assert_eq!((index.len(), index.chunk_count()), (100_000, 100_000));
        let spare = 2 * PAGE * 12;
        assert!(index.memory() <= 24 * 100_000 + spare, "{}", index.memory());
        assert_eq!(index.chunks().last().unwrap().offset, 99_999_000);
    }

    #[test]
    fn contiguous_samples_of_one_description_are_a_chunk() {
        let mut index = Index::default();
        let far = MAX_OFFSET - 100;
        index.push(sample(50, 10, 0, 0));
        index.push(sample(60, 10, 1, 1));
        index.push(sample(100, 10, 2, 2));
        index.push(NewSample {
            description: 65_535,
            ..sample(110, 10, 3, 3)
        });
        index.push(NewSample {
            description: 65_535,
            ..sample(far, 10, 4, 4)
        });
        let chunks: Vec<_> = index
            .chunks()
            .map(|c| (c.offset, c.description, c.samples))
            .collect();
        assert_eq!(
            chunks,
            [(50, 1, 2), (100, 1, 1), (110, 65_535, 1), (far, 65_535, 1)]
        );
        assert_eq!(index.max_offset(), far);
    }

    #[test]
    fn clock_never_goes_back_and_presentation_stays() {
        let mut index = Index::default();
        for (dts, pts) in [(1000, 1020), (1040, 1040), (1010, 1100), (1200, 1190)] {
            index.push(sample(0, MAX_SAMPLE as u32, dts, pts));
        }
        index.finish(None, 7);
        let found: Vec<_> = index
            .samples()
            .map(|s| (s.duration, s.composition_offset, s.size()))
            .collect();
        let size = MAX_SAMPLE as u32;
        assert_eq!(
            found,
            [
                (40, 20, size),
                (1, 0, size),
                (159, 59, size),
                (159, -10, size)
            ]
        );
        assert_eq!((index.start(), index.duration()), (1000, 359));
        assert_eq!(index.presentation(), (1020, 1190 + 159));
        assert!(index.has_negative_offsets && index.has_inter && !index.has_disposable);
        let mut one = Index::default();
        one.push(sample(0, 1, -5, -5));
        one.finish(None, 7);
        assert_eq!(one.duration(), 7);
    }
}
