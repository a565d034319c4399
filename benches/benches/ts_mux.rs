//! How fast do access units become MPEG-TS packets, against `mpeg2ts` writing the same packets?
//!
//! The other crate is given packets that are already cut: it only writes them.
#![allow(missing_docs, reason = "criterion makes public functions")]

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpeg2ts::ts::{ReadTsPacket, TsPacketReader, TsPacketWriter, WriteTsPacket};
use remux::Event;
use remux::flv::FileDemuxer;
use remux::ts::Muxer;
use sidestream_benches::Clip;

fn mux(clip: &Clip, out: &mut BytesMut) {
    let (mut muxer, _) = Muxer::new(&clip.tracks);
    muxer.tables(out);
    for unit in &clip.units {
        muxer.unit(unit, out).expect("sound");
    }
}

/// The file in memory as MPEG-TS in memory.
fn remux(clip: &Clip, out: &mut BytesMut) {
    let mut demuxer = FileDemuxer::default();
    demuxer.push(clip.file.clone());
    demuxer.finish();
    let (mut muxer, _) = Muxer::new(&clip.tracks);
    muxer.tables(out);
    while let Some(event) = demuxer.poll().expect("sound") {
        if let Event::Unit(unit) = event {
            muxer.unit(&unit, out).expect("sound");
        }
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("ts_mux");
    for (name, clip) in [("310k", "bframes.flv"), ("2M", "demo.flv")] {
        let clip = Clip::load(clip);
        let mut wire = BytesMut::new();
        mux(&clip, &mut wire);
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_function(format!("sidestream/{name}"), |b| {
            let mut out = BytesMut::with_capacity(wire.len());
            b.iter(|| {
                out.clear();
                mux(&clip, &mut out);
                out.len()
            });
        });
        group.throughput(Throughput::Bytes(clip.file.len() as u64));
        group.bench_function(format!("from an FLV file/{name}"), |b| {
            let mut out = BytesMut::with_capacity(wire.len());
            b.iter(|| {
                out.clear();
                remux(&clip, &mut out);
                out.len()
            });
        });
        group.throughput(Throughput::Bytes(wire.len() as u64));
        let mut reader = TsPacketReader::new(&wire[..]);
        let packets: Vec<_> =
            std::iter::from_fn(|| reader.read_ts_packet().expect("sound")).collect();
        group.bench_function(format!("mpeg2ts/{name}"), |b| {
            let mut out = Vec::with_capacity(wire.len());
            b.iter(|| {
                out.clear();
                let mut writer = TsPacketWriter::new(&mut out);
                for packet in &packets {
                    writer.write_ts_packet(packet).expect("sound");
                }
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
