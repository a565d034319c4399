//! What does it cost to publish a changed playlist, against `m3u8-rs` writing the same playlist?
//!
//! Ours is all that happens once a segment has ended: both texts, their tags, the list of files.
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hls::{Config, Container, Segmenter, WallTime};
use media::{Dts, StreamName};
use sidestream_benches::Clip;

/// A segmenter that has just finished a segment, with a full window behind it.
fn full(clip: &Clip) -> Segmenter {
    let name = StreamName::parse("live", "bench").expect("a name");
    let mut segmenter = Segmenter::new(Config::new(&name, 1));
    segmenter.enable(Container::Ts);
    segmenter.tracks(&Arc::new(clip.tracks.clone()));
    let period = clip.units.last().map_or(0, |unit| unit.dts.0 + 40);
    for turn in 0..4 {
        for unit in &clip.units {
            let mut unit = unit.clone();
            unit.dts = Dts(unit.dts.0 + turn * period);
            let wall = WallTime(1_800_000_000_000 + unit.dts.0);
            segmenter.unit(&unit, wall);
        }
        if turn < 3 {
            drop(segmenter.changed());
        }
    }
    segmenter
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
