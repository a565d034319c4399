//! What does the way from tag bodies to access units cost, per codec, and a whole file on top, against
//! `scuffle-flv`?
//!
//! Payload is not copied, so the bytes per second say how little of it is looked at; the price of
//! a message is the time divided by the count of tags. The other crate wants the whole file at once.
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::io::Cursor;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use remux::flv::{Demuxer, Limits, Parser};
use scuffle_flv::file::FlvFile;
use sidestream_benches::{Clip, events};

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("flv_parse");
    for name in ["bframes", "hevc-aac", "av1-aac"] {
        let clip = Clip::load(&format!("{name}.flv"));
        let bytes: usize = clip.tags.iter().map(|tag| tag.body.len()).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("bodies/{name}"), |b| {
            let mut parser = Parser::new(Limits::default());
            b.iter(|| {
                let bodies = clip.tags.iter();
                bodies
                    .map(|tag| events(&mut parser, tag.kind, &tag.body).count())
                    .sum::<usize>()
            });
        });
    }
    let clip = Clip::load("demo.flv");
    group.throughput(Throughput::Bytes(clip.file.len() as u64));
    for read in [1_400, 64 << 10] {
        let reads: Vec<Bytes> = clip.file.chunks(read).map(Bytes::copy_from_slice).collect();
        group.bench_function(format!("file/reads_of_{read}"), |b| {
            b.iter(|| {
                let mut demuxer = Demuxer::new(Limits::default());
                let mut tags = 0;
                for read in &reads {
                    demuxer.push(read.clone());
                    while let Some(tag) = demuxer.poll().expect("sound") {
                        tags += usize::from(!tag.body.is_empty());
                    }
                }
                tags
            });
        });
    }
    group.bench_function("file_and_bodies/sidestream", |b| {
        b.iter(|| {
            let mut demuxer = Demuxer::new(Limits::default());
            let mut parser = Parser::new(Limits::default());
            demuxer.push(clip.file.clone());
            let mut count = 0;
            while let Some(tag) = demuxer.poll().expect("sound") {
                count += events(&mut parser, tag.kind, &tag.body).count();
            }
            count
        });
    });
    group.bench_function("file_and_bodies/scuffle_flv", |b| {
        b.iter(|| {
            let mut file = Cursor::new(clip.file.clone());
            FlvFile::demux(&mut file).expect("sound").tags.len()
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
