//! What does it cost to publish a changed playlist, against `m3u8-rs` writing the same playlist?
//!
//! Ours is all that happens once a segment has ended: both texts, their tags, the list of files. With
//! low latency it is all from the last unit of a part on: its fragment too.
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::slice::SliceIndex;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hls::{Config, Container, Segmenter, WallTime};
use media::{AccessUnit, Dts, StreamName};
use sidestream_benches::Clip;

fn segmenter(clip: &Clip, container: Container, part: Option<Duration>) -> Segmenter {
    let name = StreamName::parse("live", "bench").expect("a name");
    let mut config = Config::new(&name, 1);
    config.part = part;
    let mut segmenter = Segmenter::new(config);
    segmenter.enable(container);
    segmenter.tracks(&Arc::new(clip.tracks.clone()));
    segmenter
}

/// Plays these units in this turn of the clip.
fn play(
    segmenter: &mut Segmenter,
    clip: &Clip,
    turn: i64,
    units: impl SliceIndex<[AccessUnit], Output = [AccessUnit]>,
) {
    let period = clip.units.last().map_or(0, |unit| unit.dts.0 + 40);
    for unit in &clip.units[units] {
        let mut unit = unit.clone();
        unit.dts = Dts(unit.dts.0 + turn * period);
        let wall = WallTime(1_800_000_000_000 + unit.dts.0);
        segmenter.unit(&unit, wall);
    }
}

/// A segmenter that has just finished a segment, with a full window behind it.
fn full(clip: &Clip) -> Segmenter {
    let mut segmenter = segmenter(clip, Container::Ts, None);
    for turn in 0..4 {
        play(&mut segmenter, clip, turn, ..clip.units.len());
        if turn < 3 {
            drop(segmenter.changed());
        }
    }
    segmenter
}

/// One with low latency and a full window behind it, in its fifth turn of the clip; the next unit is
/// the one at this index.
fn full_of_parts(clip: &Clip, next: usize) -> Segmenter {
    let mut segmenter = segmenter(clip, Container::Fmp4, Some(Duration::from_millis(333)));
    for turn in 0..4 {
        play(&mut segmenter, clip, turn, ..clip.units.len());
        drop(segmenter.changed());
    }
    play(&mut segmenter, clip, 4, ..next);
    drop(segmenter.changed());
    segmenter
}

/// The index of a unit that ends a part in the middle of a segment.
fn ends_a_part(clip: &Clip) -> usize {
    let mut segmenter = full_of_parts(clip, clip.units.len() / 2);
    (clip.units.len() / 2..clip.units.len())
        .find(|&index| {
            play(&mut segmenter, clip, 4, index..index + 1);
            segmenter.changed().is_some()
        })
        .expect("parts end")
}

fn bench(c: &mut Criterion) {
    let clip = Clip::load("bframes.flv");
    let presentation = full(&clip).changed().expect("it changed");
    let text = presentation.media(Container::Ts).expect("a playlist");
    let (_, playlist) = m3u8_rs::parse_media_playlist(&text.body).expect("m3u8-rs reads it");
    assert!(
        playlist.segments.len() >= 7,
        "{} segments",
        playlist.segments.len()
    );
    let mut group = c.benchmark_group("playlist");
    group.throughput(Throughput::Bytes(text.body.len() as u64));
    group.bench_function("sidestream", |b| {
        b.iter_batched(
            || full(&clip),
            |mut segmenter| {
                let presentation = segmenter.changed();
                (segmenter, presentation)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("sidestream_part", |b| {
        let last = ends_a_part(&clip);
        b.iter_batched(
            || full_of_parts(&clip, last),
            |mut segmenter| {
                play(&mut segmenter, &clip, 4, last..last + 1);
                let presentation = segmenter.changed();
                (segmenter, presentation)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("m3u8_rs", |b| {
        let mut out = Vec::with_capacity(text.body.len());
        b.iter(|| {
            out.clear();
            playlist.write_to(&mut out).expect("a Vec takes all");
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
