//! What does one message for one viewer cost: headers once, slices for `writev`, against
//! `rml_rtmp`, which serialises into a buffer?
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;
use rtmp::chunk::slices;
use sidestream_benches::{Clip, message_header};

fn bench(c: &mut Criterion) {
    let clip = Clip::load("demo.flv");
    let messages: Vec<_> = clip
        .tags
        .iter()
        .filter_map(|tag| Some((message_header(tag)?, &tag.body)))
        .collect();
    let bytes: u64 = messages.iter().map(|(_, body)| body.len() as u64).sum();
    let mut group = c.benchmark_group("rtmp_write");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("encode_headers", |b| {
        b.iter(|| {
            for (header, _) in &messages {
                black_box(header.encode());
            }
        });
    });
    let encoded: Vec<_> = messages
        .iter()
        .map(|(h, body)| (h.encode(), *body))
        .collect();
    for chunk_size in [4_096, 65_536] {
        group.bench_function(BenchmarkId::new("slices", chunk_size), |b| {
            let mut out = Vec::with_capacity(1 << 12);
            b.iter(|| {
                out.clear();
                for (header, body) in &encoded {
                    out.extend(slices(header, body, chunk_size));
                }
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("rml_rtmp", chunk_size), |b| {
            let mut serializer = ChunkSerializer::new();
            let zero = RtmpTimestamp::new(0);
            serializer
                .set_max_chunk_size(chunk_size, zero)
                .expect("in range");
            b.iter(|| {
                for (header, body) in &messages {
                    let payload = MessagePayload {
                        timestamp: RtmpTimestamp::new(header.timestamp),
                        type_id: header.type_id,
                        message_stream_id: 1,
                        data: (*body).clone(),
                    };
                    black_box(serializer.serialize(&payload, false, false).expect("fits"));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
