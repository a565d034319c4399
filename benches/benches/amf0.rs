//! What do the AMF0 values of a connection cost: metadata and a large ECMA array, both ways?
#![allow(missing_docs, reason = "criterion makes public functions")]

use amf0::{Decoder, Limits, Value, encode};
use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use remux::flv::TagKind;
use sidestream_benches::Clip;

fn decode_all(body: &[u8]) -> Vec<Value> {
    let mut decoder = Decoder::new(body, &Limits::default());
    std::iter::from_fn(|| decoder.next_value().expect("sound")).collect()
}

fn bench(c: &mut Criterion) {
    let clip = Clip::load("demo.flv");
    let tag = clip.tags.iter().find(|tag| tag.kind == TagKind::Script);
    let metadata = &tag.expect("the clip has metadata").body;
    let large = Value::object((0..1_000).map(|n| (format!("key{n}"), Value::Number(n.into()))));
    let mut wire = BytesMut::new();
    encode(&large, &mut wire);
    let mut group = c.benchmark_group("amf0");
    for (name, body) in [
        ("on_meta_data", &metadata[..]),
        ("object_of_1000", &wire[..]),
    ] {
        let values = decode_all(body);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("decode/{name}"), |b| b.iter(|| decode_all(body)));
        group.bench_function(format!("encode/{name}"), |b| {
            let mut out = BytesMut::with_capacity(body.len());
            b.iter(|| {
                out.clear();
                values.iter().for_each(|value| encode(value, &mut out));
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
