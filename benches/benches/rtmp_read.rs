//! How fast are chunks put together to messages, for small and large chunks, against `rml_rtmp`?
//!
//! A publisher's bytes in reads of 16 KiB, as sockets give them.
#![allow(missing_docs, reason = "criterion makes public functions")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rml_rtmp::chunk_io::ChunkDeserializer;
use rtmp::Limits;
use rtmp::chunk::Reader;
use sidestream_benches::Clip;

const READ: usize = 16 << 10;

fn ours(wire: &[u8]) -> usize {
    let mut reader = Reader::new(Limits::default(), 0);
    reader.allow_media(true);
    let mut bytes = 0;
    for mut input in wire.chunks(READ) {
        while let Some(message) = reader.read(&mut input).expect("sound") {
            bytes += message.payload.len();
        }
    }
    bytes
}

fn rml(wire: &[u8], chunk_size: u32) -> usize {
    let mut reader = ChunkDeserializer::new();
    reader
        .set_max_chunk_size(chunk_size as usize)
        .expect("in range");
    let mut bytes = 0;
    for input in wire.chunks(READ) {
        let mut next = reader.get_next_message(input).expect("sound");
        while let Some(message) = next {
            bytes += message.data.len();
            next = reader.get_next_message(&[]).expect("sound");
        }
    }
    bytes
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("rtmp_read");
    for (name, clip) in [("310k", "bframes.flv"), ("2M", "demo.flv")] {
        let clip = Clip::load(clip);
        for chunk_size in [128, 4_096, 65_536] {
            let wire = clip.rtmp(chunk_size);
            assert_eq!(ours(&wire), rml(&wire, chunk_size), "both read the same");
            group.throughput(Throughput::Bytes(wire.len() as u64));
            let id = |who| BenchmarkId::new(who, format!("{name}/chunk{chunk_size}"));
            group.bench_with_input(id("sidestream"), &wire, |b, wire| b.iter(|| ours(wire)));
            group.bench_with_input(id("rml_rtmp"), &wire, |b, wire| {
                b.iter(|| rml(wire, chunk_size));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
