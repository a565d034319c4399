//! The `moov` of an ordinary MP4: every sample's place, size, time and role.
//!
//! ```text
//! moov  mvhd
//!       trak  tkhd
//!             edts  elst    empty edit: when the track begins | edit: from its first presentation
//!             mdia  mdhd | hdlr | minf  vmhd or smhd | dinf
//!                                       stbl  stsd | stts | ctts | stss | sdtp | stsc | stsz | stco or co64
//! ```
//!
//! A track's media timeline begins at its first sample. The edit list places it: its media time is
//! the earliest presentation, and an empty edit before it lasts until then. Both are chosen so that
//! their difference, which is what readers add to media times, is exact in the track's timescale.
//!
//! Spec: ISO/IEC 14496-12 §8.2 to §8.7.

use bytes::Bytes;
use media::config::VideoParams;
use media::{FrameRole, Rounding, Timescale, TrackKind};

use super::boxes::{put_box, put_full_box, put_u16, put_u32, put_u64};
use super::index::Index;

/// Unity (ISO/IEC 14496-12 §6.2.2), 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
/// "und": five bits a letter.
const UNDETERMINED: u16 = 0x55c4;

/// When a file's presentation begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// At the first thing shown: the times of all tracks are moved alike.
    #[default]
    First,
    /// At the units' own time 0: a reader gets the very times that were pushed. A stream that has
    /// run for an hour begins with an hour of nothing.
    Kept,
}

/// What a track's boxes say besides its samples.
#[derive(Clone, Debug)]
pub(super) struct TrackHead {
    /// `track_ID`.
    pub(super) number: u32,
    pub(super) kind: TrackKind,
    pub(super) timescale: Timescale,
    pub(super) video: VideoParams,
    /// Sample entries, each a whole box.
    pub(super) entries: Vec<Bytes>,
}

/// A track and its samples.
pub(super) type Indexed<'a> = (&'a TrackHead, &'a Index);

/// Renders `moov`; `move_media` is added to all sample offsets. `base`: seconds that were added to
/// the times of the samples.
pub(super) fn moov(tracks: &[Indexed<'_>], move_media: i64, origin: Origin, base: i64) -> Bytes {
    // Tracks without samples would have no duration; players wait for them.
    let tracks: Vec<_> = tracks
        .iter()
        .filter(|(_, index)| !index.is_empty())
        .collect();
    let movie = tracks.iter().map(|(head, _)| head.timescale);
    let movie = movie
        .max()
        .unwrap_or(Timescale::MILLIS)
        .max(Timescale::MILLIS);
    let placed: Vec<Placed> = {
        let starts = tracks
            .iter()
            .map(|(head, index)| Start::of(head, index, base, movie));
        let starts: Vec<Start> = starts.collect();
        let first = starts.iter().map(|start| start.first).min().unwrap_or(0);
        let origin = match origin {
            Origin::First => first,
            Origin::Kept => 0,
        };
        starts
            .iter()
            .map(|start| start.placed(origin, movie))
            .collect()
    };
    let end = placed
        .iter()
        .map(|edit| edit.delay + edit.length)
        .max()
        .unwrap_or(0);
    let mut out = Vec::with_capacity(2_048);
    put_box(&mut out, b"moov", |out| {
        let next = tracks
            .iter()
            .map(|(head, _)| head.number)
            .max()
            .unwrap_or(0);
        put_full_box(out, b"mvhd", 1, 0, |out| {
            put_u64(out, 0);
            put_u64(out, 0);
            put_u32(out, movie.hz());
            put_u64(out, end);
            put_u32(out, 0x1_0000);
            put_u16(out, 0x0100);
            out.extend([0; 10]);
            MATRIX.iter().for_each(|&n| put_u32(out, n));
            out.extend([0; 24]);
            put_u32(out, next.saturating_add(1));
        });
        for ((head, index), placed) in tracks.iter().zip(&placed) {
            put_trak(out, head, index, placed, move_media);
        }
    });
    out.into()
}

/// Where a track begins, before the origin is known.
struct Start {
    timescale: Timescale,
    /// First presentation, in ticks of the movie.
    first: i64,
    /// Decode time of the first sample, in ticks of the track.
    dts: i64,
    /// First presentation on the media timeline; may be negative.
    media_time: i64,
    /// Ticks of the track that are shown.
    length: i64,
}

impl Start {
    fn of(head: &TrackHead, index: &Index, base: i64, movie: Timescale) -> Self {
        let dts = index.start();
        let (first, end) = index.presentation();
        let moved = base.saturating_mul(head.timescale.hz().into());
        let ticks = |time: i64| {
            let time = time.saturating_sub(moved);
            head.timescale.convert(time, movie, Rounding::Floor)
        };
        Self {
            timescale: head.timescale,
            first: ticks(first),
            dts: dts.saturating_sub(moved),
            media_time: first.saturating_sub(dts),
            length: end.saturating_sub(first),
        }
    }

    fn placed(&self, origin: i64, movie: Timescale) -> Placed {
        let (track, nearest) = (self.timescale, Rounding::Nearest);
        let origin = movie.convert(origin, track, nearest);
        // Presentation time = media time - `media_time` + `delay`; the first sample is to have
        // `dts`, so the two differ by that.
        let shift = self.dts.saturating_sub(origin);
        // Neither can be negative.
        let from = self.media_time.max(0).max(shift.saturating_neg());
        let delay = track
            .convert(shift.saturating_add(from), movie, nearest)
            .max(0);
        // What rounding the delay has changed, the media time takes up.
        let from = movie.convert(delay, track, nearest).saturating_sub(shift);
        let hidden = from.saturating_sub(self.media_time);
        let length = self.length.saturating_sub(hidden).max(1);
        let length = track.convert(length, movie, nearest).max(1);
        Placed {
            delay: delay.cast_unsigned(),
            media_time: from.max(0),
            length: length.cast_unsigned(),
        }
    }
}

/// A track's edits: in ticks of the movie, but `media_time`.
struct Placed {
    delay: u64,
    media_time: i64,
    length: u64,
}

fn put_trak(out: &mut Vec<u8>, head: &TrackHead, index: &Index, edit: &Placed, move_media: i64) {
    let is_video = head.kind == TrackKind::Video;
    put_box(out, b"trak", |out| {
        // Enabled, in the movie.
        put_full_box(out, b"tkhd", 1, 3, |out| {
            put_u64(out, 0);
            put_u64(out, 0);
            put_u32(out, head.number);
            put_u32(out, 0);
            put_u64(out, edit.delay + edit.length);
            out.extend([0; 12]);
            put_u16(out, if is_video { 0 } else { 0x0100 });
            put_u16(out, 0);
            MATRIX.iter().for_each(|&n| put_u32(out, n));
            put_u32(out, head.video.width.min(0xffff) << 16);
            put_u32(out, head.video.height.min(0xffff) << 16);
        });
        put_edts(out, edit);
        put_box(out, b"mdia", |out| {
            put_full_box(out, b"mdhd", 1, 0, |out| {
                put_u64(out, 0);
                put_u64(out, 0);
                put_u32(out, head.timescale.hz());
                put_u64(out, index.duration());
                put_u16(out, UNDETERMINED);
                put_u16(out, 0);
            });
            put_full_box(out, b"hdlr", 0, 0, |out| {
                put_u32(out, 0);
                out.extend_from_slice(if is_video { b"vide" } else { b"soun" });
                out.extend([0; 13]);
            });
            put_box(out, b"minf", |out| {
                if is_video {
                    put_full_box(out, b"vmhd", 0, 1, |out| out.extend([0; 8]));
                } else {
                    put_full_box(out, b"smhd", 0, 0, |out| out.extend([0; 4]));
                }
                put_box(out, b"dinf", |out| {
                    put_full_box(out, b"dref", 0, 0, |out| {
                        put_u32(out, 1);
                        // In this file.
                        put_full_box(out, b"url ", 0, 1, |_| ());
                    });
                });
                put_box(out, b"stbl", |out| put_tables(out, head, index, move_media));
            });
        });
    });
}

fn put_edts(out: &mut Vec<u8>, edit: &Placed) {
    if edit.delay == 0 && edit.media_time == 0 {
        return;
    }
    put_box(out, b"edts", |out| {
        put_full_box(out, b"elst", 1, 0, |out| {
            put_u32(out, if edit.delay > 0 { 2 } else { 1 });
            if edit.delay > 0 {
                put_u64(out, edit.delay);
                put_u64(out, u64::MAX);
                put_u32(out, 0x1_0000);
            }
            put_u64(out, edit.length);
            put_u64(out, edit.media_time.cast_unsigned());
            put_u32(out, 0x1_0000);
        });
    });
}

fn put_tables(out: &mut Vec<u8>, head: &TrackHead, index: &Index, move_media: i64) {
    put_full_box(out, b"stsd", 0, 0, |out| {
        put_count(out, head.entries.len());
        head.entries
            .iter()
            .for_each(|entry| out.extend_from_slice(entry));
    });
    put_runs(
        out,
        b"stts",
        0,
        index.samples().map(|sample| sample.duration),
    );
    if index.has_offsets {
        let offsets = index
            .samples()
            .map(|s| s.composition_offset.cast_unsigned());
        put_runs(out, b"ctts", u8::from(index.has_negative_offsets), offsets);
    }
    if index.has_inter {
        put_full_box(out, b"stss", 0, 0, |out| {
            let count_at = out.len();
            put_u32(out, 0);
            let mut count = 0_u32;
            for (number, sample) in (1_u32..).zip(index.samples()) {
                if sample.role() == FrameRole::RandomAccess {
                    put_u32(out, number);
                    count += 1;
                }
            }
            set_u32(out, count_at, count);
        });
    }
    if index.has_disposable {
        put_full_box(out, b"sdtp", 0, 0, |out| {
            // sample_depends_on 2: no, 1: yes; sample_is_depended_on 2: no, 1: yes (§8.6.4.3).
            out.extend(index.samples().map(|sample| match sample.role() {
                FrameRole::RandomAccess => 0x24,
                FrameRole::Inter => 0x14,
                FrameRole::Disposable => 0x18,
            }));
        });
    }
    put_full_box(out, b"stsc", 0, 0, |out| {
        let count_at = out.len();
        put_u32(out, 0);
        let mut count = 0_u32;
        let mut run = None;
        for (number, chunk) in (1_u32..).zip(index.chunks()) {
            let this = (chunk.samples, u32::from(chunk.description));
            if run != Some(this) {
                [number, this.0, this.1]
                    .iter()
                    .for_each(|&n| put_u32(out, n));
                count += 1;
                run = Some(this);
            }
        }
        set_u32(out, count_at, count);
    });
    put_sizes(out, index);
    put_chunk_offsets(out, index, move_media);
}

fn put_sizes(out: &mut Vec<u8>, index: &Index) {
    put_full_box(out, b"stsz", 0, 0, |out| {
        let mut sizes = index.samples().map(|sample| sample.size());
        let first = sizes.next().unwrap_or(0);
        let is_fixed = sizes.all(|size| size == first);
        put_u32(out, if is_fixed { first } else { 0 });
        put_count(out, index.len());
        if !is_fixed {
            out.reserve(4 * index.len());
            index
                .samples()
                .for_each(|sample| put_u32(out, sample.size()));
        }
    });
}

fn put_chunk_offsets(out: &mut Vec<u8>, index: &Index, move_media: i64) {
    let moved = |offset: u64| offset.saturating_add_signed(move_media);
    let is_wide = moved(index.max_offset()) > u64::from(u32::MAX);
    put_full_box(out, if is_wide { b"co64" } else { b"stco" }, 0, 0, |out| {
        put_count(out, index.chunk_count());
        for chunk in index.chunks() {
            match u32::try_from(moved(chunk.offset)) {
                Ok(offset) if !is_wide => put_u32(out, offset),
                _ => put_u64(out, moved(chunk.offset)),
            }
        }
    });
}

/// A table of counts and values.
fn put_runs(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, values: impl Iterator<Item = u32>) {
    put_full_box(out, kind, version, 0, |out| {
        let count_at = out.len();
        put_u32(out, 0);
        let mut entries = 0_u32;
        let mut run: Option<(u32, u32)> = None;
        for value in values.map(Some).chain([None]) {
            match (&mut run, value) {
                (Some((count, same)), Some(value)) if *same == value => *count += 1,
                (run, value) => {
                    if let Some((count, value)) = *run {
                        put_u32(out, count);
                        put_u32(out, value);
                        entries += 1;
                    }
                    *run = value.map(|value| (1, value));
                }
            }
        }
        set_u32(out, count_at, entries);
    });
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_u32(out, u32::try_from(count).unwrap_or(u32::MAX));
}

fn set_u32(out: &mut [u8], at: usize, value: u32) {
    if let Some(bytes) = out.get_mut(at..at + 4) {
        bytes.copy_from_slice(&value.to_be_bytes());
    }
}
