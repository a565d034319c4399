//! What does it cost to walk NAL units, with lengths and with start codes, and to turn one into
//! the other, over a plain copy?
#![allow(missing_docs, reason = "criterion makes public functions")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::TrackKind;
use media::nal::{AnnexB, LengthPrefixed};
use sidestream_benches::Clip;

fn annex_b(unit: &[u8], out: &mut Vec<u8>) {
    for nal in LengthPrefixed::new(unit, 4) {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(nal);
    }
}

fn bench(c: &mut Criterion) {
    let clip = Clip::load("demo.flv");
    let is_video = |id| {
        clip.tracks
            .get(id)
            .is_some_and(|t| t.kind() == TrackKind::Video)
    };
    let units = clip.units.iter().filter(|unit| is_video(unit.track));
    let units: Vec<_> = units.map(|unit| unit.payload.clone()).collect();
    let mut streams = Vec::new();
    for unit in &units {
        let mut stream = Vec::new();
        annex_b(unit, &mut stream);
        streams.push(stream);
    }
    let bytes: usize = units.iter().map(bytes::Bytes::len).sum();
    let mut group = c.benchmark_group("nal");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("walk_lengths", |b| {
        b.iter(|| {
            let counts = units
                .iter()
                .map(|unit| LengthPrefixed::new(unit, 4).count());
            counts.sum::<usize>()
        });
    });
    group.bench_function("walk_start_codes", |b| {
        b.iter(|| {
            let counts = streams.iter().map(|stream| AnnexB::new(stream).count());
            counts.sum::<usize>()
        });
    });
    let mut out = Vec::with_capacity(bytes + (64 << 10));
    group.bench_function("lengths_to_start_codes", |b| {
        b.iter(|| {
            out.clear();
            units.iter().for_each(|unit| annex_b(unit, &mut out));
            out.len()
        });
    });
    group.bench_function("copy_alone", |b| {
        b.iter(|| {
            out.clear();
            units.iter().for_each(|unit| out.extend_from_slice(unit));
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
