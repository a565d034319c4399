//! How fast do access units become MPEG-TS packets, against `mpeg2ts` writing the same packets?
//!
//! Ours is given access units: it frames them (start codes, delimiters, ADTS), makes PES headers and
//! cuts. The other crate has no framing, so that is done beforehand: it is given headers and payload
//! of PES packets, which are cut with its types and written (`PES packets`), and, for the writer
//! alone, packets that are cut already (`packets`). All three write the same packets.
#![allow(missing_docs, reason = "criterion makes public functions")]

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mpeg2ts::pes::PesHeader;
use mpeg2ts::ts::payload::{Bytes as TsBytes, Pes};
use mpeg2ts::ts::{
    AdaptationField, ReadTsPacket, TsHeader, TsPacket, TsPacketReader, TsPacketWriter, TsPayload,
    WriteTsPacket,
};
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

/// What `mpeg2ts` is given.
enum Piece {
    /// Tables, and a program clock reference alone.
    Packet(TsPacket),
    Pes {
        first: TsHeader,
        adaptation: Option<AdaptationField>,
        header: PesHeader,
        packet_len: u16,
        payload: Vec<u8>,
    },
}

/// The PES packets of these packets, each of which is written at a stretch.
fn pieces(packets: &[TsPacket]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for packet in packets {
        match (&packet.payload, pieces.last_mut()) {
            (Some(TsPayload::PesStart(pes)), _) => pieces.push(Piece::Pes {
                first: packet.header.clone(),
                adaptation: packet.adaptation_field.clone(),
                header: pes.header.clone(),
                packet_len: pes.pes_packet_len,
                payload: pes.data.to_vec(),
            }),
            (Some(TsPayload::PesContinuation(data)), Some(Piece::Pes { payload, .. })) => {
                payload.extend_from_slice(data);
            }
            _ => pieces.push(Piece::Packet(packet.clone())),
        }
    }
    pieces
}

impl Piece {
    fn write(&self, writer: &mut impl WriteTsPacket) {
        let (first, adaptation, header, packet_len, payload) = match self {
            Self::Packet(packet) => return writer.write_ts_packet(packet).expect("sound"),
            Self::Pes {
                first,
                adaptation,
                header,
                packet_len,
                payload,
            } => (first, adaptation, header, packet_len, payload),
        };
        let field = match adaptation {
            Some(field) if field.pcr.is_some() => 8,
            Some(_) => 2,
            None => 0,
        };
        let pes = if header.dts.is_some() { 19 } else { 14 };
        let (now, mut rest) = payload.split_at(payload.len().min(184 - field - pes));
        let mut packet = TsPacket {
            header: first.clone(),
            adaptation_field: adaptation.clone(),
            payload: Some(TsPayload::PesStart(Pes {
                header: header.clone(),
                pes_packet_len: *packet_len,
                data: TsBytes::new(now).expect("fits"),
            })),
        };
        writer.write_ts_packet(&packet).expect("sound");
        packet.adaptation_field = None;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(184));
            packet.header.continuity_counter.increment();
            let data = TsBytes::new(now).expect("fits");
            packet.payload = Some(TsPayload::PesContinuation(data));
            writer.write_ts_packet(&packet).expect("sound");
            rest = later;
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
        let pieces = pieces(&packets);
        group.bench_function(format!("mpeg2ts, PES packets/{name}"), |b| {
            let mut out = Vec::with_capacity(wire.len());
            b.iter(|| {
                out.clear();
                let mut writer = TsPacketWriter::new(&mut out);
                for piece in &pieces {
                    piece.write(&mut writer);
                }
                out.len()
            });
            let mut reader = TsPacketReader::new(&out[..]);
            let written = std::iter::from_fn(|| reader.read_ts_packet().expect("sound"));
            // The tables come first; the other crate pads them otherwise.
            assert!(written.skip(2).eq(packets.iter().skip(2).cloned()));
        });
        group.bench_function(format!("mpeg2ts, packets/{name}"), |b| {
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
