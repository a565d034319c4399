//! What does a fragment cost over the copy of its media, for a segment and for a part, against the
//! `mp4` crate, which writes the segment's units into a plain file (it has no fragments)? And what
//! does that crate need to read the segment back? How fast does FLV become fragments in memory? And
//! what does encryption add: of samples as they are copied (`cbcs`), of a whole segment (AES-128)?
#![allow(missing_docs, reason = "criterion makes public functions")]

use std::io::Cursor;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use media::{AccessUnit, TrackKind, TrackList};
use mp4::{
    AacConfig, AvcConfig, MediaConfig, Mp4Config, Mp4Sample, Mp4Writer, TrackConfig, TrackType,
};
use remux::Key;
use remux::mp4::{FragmentMuxer, Protection};
use sidestream_benches::Clip;
use sidestream_benches::flv_to_fmp4::flv_to_fmp4;

/// Samples for the `mp4` crate, with the number of their track.
fn samples(tracks: &TrackList, units: &[AccessUnit]) -> Vec<(u32, Mp4Sample)> {
    let sample = |unit: &AccessUnit| {
        let is_video = tracks.get(unit.track)?.kind() == TrackKind::Video;
        let sample = Mp4Sample {
            start_time: u64::try_from(unit.dts.0).ok()?,
            duration: if is_video { 40 } else { 21 },
            rendering_offset: i32::try_from(unit.pts().0 - unit.dts.0).ok()?,
            is_sync: !is_video || unit.is_random_access(),
            bytes: unit.payload.clone(),
        };
        Some((if is_video { 1 } else { 2 }, sample))
    };
    units.iter().filter_map(sample).collect()
}

/// A plain file of them.
fn write(samples: &[(u32, Mp4Sample)], room: usize) -> Bytes {
    let brand = str::parse("isom").expect("a brand");
    let config = Mp4Config {
        major_brand: brand,
        minor_version: 512,
        compatible_brands: vec![brand],
        timescale: 1_000,
    };
    let out = Cursor::new(Vec::with_capacity(room));
    let mut writer = Mp4Writer::write_start(out, &config).expect("a Vec takes all");
    let avc = AvcConfig {
        width: 1_280,
        height: 720,
        seq_param_set: vec![0x67, 0x64, 0, 0x1f],
        pic_param_set: vec![0x68],
    };
    let kinds = [
        (TrackType::Video, MediaConfig::AvcConfig(avc)),
        (
            TrackType::Audio,
            MediaConfig::AacConfig(AacConfig::default()),
        ),
    ];
    for (track_type, media_conf) in kinds {
        let track = TrackConfig {
            track_type,
            timescale: 1_000,
            language: "und".to_owned(),
            media_conf,
        };
        writer.add_track(&track).expect("a track");
    }
    for (track, sample) in samples {
        writer.write_sample(*track, sample).expect("a sample");
    }
    writer.write_end().expect("the end");
    writer.into_writer().into_inner().into()
}

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
        group.bench_function(format!("fragment_cbcs/{name}"), |b| {
            let (mut muxer, _) = FragmentMuxer::protected(&clip.tracks);
            muxer.protect(&Protection {
                key: Key::new([7; 16]),
                key_id: [1; 16],
                iv: [2; 16],
            });
            b.iter(|| muxer.fragment(units, &[]).expect("sound"));
        });
        group.bench_function(format!("aes_128/{name}"), |b| {
            let (mut muxer, _) = FragmentMuxer::new(&clip.tracks);
            let whole = muxer.fragment(units, &[]).expect("sound");
            let key = Key::new([7; 16]);
            // One owner, as a segment that was just made has: it is encrypted in place.
            b.iter_batched(
                || Bytes::from(whole.to_vec()),
                |plain| key.seal(plain, [2; 16]),
                BatchSize::LargeInput,
            );
        });
        let given = samples(&clip.tracks, units);
        assert_eq!(given.len(), units.len());
        group.bench_function(format!("mp4_crate_writes/{name}"), |b| {
            b.iter(|| write(&given, 2 * bytes));
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

/// 60 MB, so that the payload does not lie in a cache.
fn remux(c: &mut Criterion) {
    let clip = Clip::load("demo.flv");
    let file = clip.repeated(32);
    let remuxed = flv_to_fmp4(&file);
    assert_eq!(remuxed.units, 32 * clip.units.len() as u64);
    assert!(remuxed.bytes > 32 * clip.payload_bytes());
    let mut group = c.benchmark_group("flv_to_fmp4");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("2M", |b| b.iter(|| flv_to_fmp4(&file)));
    group.finish();
}

criterion_group!(benches, bench, remux);
criterion_main!(benches);
