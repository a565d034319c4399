//! How fast do MPEG-TS packets become access units, against `mpeg2ts` reading PES packets?
//!
//! The packets are our muxer's. `mpeg2ts` gathers PES packets and leaves it there: NAL units keep
//! their start codes.
#![allow(missing_docs, reason = "criterion makes public functions")]

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use media::AccessUnit;
use mpeg2ts::pes::{PesPacketReader, ReadPesPacket};
use mpeg2ts::ts::TsPacketReader;
use remux::Event;
use remux::ts::{Demuxer, Muxer};
use sidestream_benches::Clip;

/// Input as a file is read.
const READ: usize = 1 << 20;

fn mux(clip: &Clip, units: &[AccessUnit]) -> Bytes {
    let (mut muxer, _) = Muxer::new(&clip.tracks);
    let mut out = BytesMut::new();
    for (n, unit) in units.iter().enumerate() {
        if n % 50 == 0 {
            muxer.tables(&mut out);
        }
        muxer.unit(unit, &mut out).expect("sound");
    }
    out.freeze()
}

/// Reads everything; the units and their bytes.
fn demux(input: &Bytes) -> (usize, usize) {
    let mut demuxer = Demuxer::default();
    let mut sum = (0, 0);
    let mut rest = input.clone();
    loop {
        let ends = rest.is_empty();
        if ends {
            demuxer.finish();
        }
        demuxer.push(rest.split_to(READ.min(rest.len())));
        while let Some(event) = demuxer.poll().expect("sound") {
            if let Event::Unit(unit) = event {
                sum = (sum.0 + 1, sum.1 + unit.payload.len());
            }
        }
        if ends {
            return sum;
        }
    }
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("ts_demux");
    for (name, clip) in [("310k", "bframes.flv"), ("2M", "demo.flv")] {
        let clip = Clip::load(clip);
        let wire = mux(&clip, &clip.units);
        let want = clip.units.iter().filter(|unit| !unit.payload.is_empty());
        let want = want.fold((0, 0), |sum, unit| (sum.0 + 1, sum.1 + unit.payload.len()));
        assert_eq!(demux(&wire), want);
        group.throughput(Throughput::Bytes(wire.len() as u64));
        group.bench_function(format!("sidestream/{name}"), |b| b.iter(|| demux(&wire)));
        group.bench_function(format!("mpeg2ts/{name}"), |b| {
            b.iter(|| {
                let mut reader = PesPacketReader::new(TsPacketReader::new(&wire[..]));
                let mut sum = 0;
                while let Some(packet) = reader.read_pes_packet().expect("sound") {
                    sum += packet.data.len();
                }
                sum
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
