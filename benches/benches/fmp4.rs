//! What does a fragment cost over the copy of its media, for a segment and for a part? And what
//! does the `mp4` crate need to read the segment back?
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::io::Cursor;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use remux::mp4::FragmentMuxer;
use sidestream_benches::Clip;

fn bench(c: &mut Criterion) {
    let clip = Clip::load("demo.flv");
    let mut group = c.benchmark_group("fmp4");
    for (name, units) in [("segment", &clip.units[..]), ("part", &clip.units[..24])] {
        let bytes = units.iter().map(|unit| unit.payload.len()).sum::<usize>();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("fragment/{name}"), |b| {
            let (mut muxer, _) = FragmentMuxer::new(&clip.tracks);
            b.iter(|| muxer.fragment(units, &[]).expect("sound"));
        });
        group.bench_function(format!("copy_alone/{name}"), |b| {
            b.iter(|| {
                let mut out = Vec::with_capacity(bytes);
                units
                    .iter()
                    .for_each(|unit| out.extend_from_slice(&unit.payload));
                out
            });
        });
    }
    let (mut muxer, _) = FragmentMuxer::new(&clip.tracks);
    let mut file = muxer.init_segment().to_vec();
    file.extend_from_slice(&muxer.fragment(&clip.units, &[]).expect("sound"));
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("mp4_crate_reads/segment", |b| {
        b.iter_batched(
            || Cursor::new(&file[..]),
            |reader| mp4::Mp4Reader::read_header(reader, file.len() as u64).expect("sound"),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
