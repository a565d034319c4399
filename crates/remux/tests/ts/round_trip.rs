//! FLV to MPEG-TS and back: the same payload, times and key flags, unit by unit.

use bytes::{Bytes, BytesMut};
use media::{AccessUnit, Codec, CodecConfig, TrackId};
use remux::Event;
use remux::ts::Muxer;

use crate::files::{self, Flv, Told, demux, demux_in};

/// Times at 90 kHz, key flag and payload.
type Row = (i64, i64, bool, Bytes);

/// The file as MPEG-TS, and what it carries.
pub(crate) fn mux(flv: &Flv) -> (BytesMut, Vec<(TrackId, Codec)>) {
    let mut muxer: Option<Muxer> = None;
    let mut out = BytesMut::new();
    let mut carried: Vec<(TrackId, Codec)> = Vec::new();
    for (n, event) in flv.events.iter().enumerate() {
        match event {
            Event::Tracks(tracks) => {
                let muxer = match &mut muxer {
                    Some(muxer) => {
                        muxer.set_tracks(tracks);
                        muxer
                    }
                    None => muxer.insert(Muxer::new(tracks).0),
                };
                carried = tracks
                    .iter()
                    .filter(|track| muxer.carries(track.id))
                    .map(|track| (track.id, track.codec))
                    .collect();
                muxer.tables(&mut out);
            }
            Event::Unit(unit) => {
                let Some(muxer) = &mut muxer else { continue };
                if n % 40 == 0 {
                    muxer.tables(&mut out);
                }
                muxer.unit(unit, &mut out).unwrap();
            }
            _ => {}
        }
    }
    (out, carried)
}

fn rows<'a>(units: impl Iterator<Item = &'a AccessUnit>, ticks: i64) -> Vec<Row> {
    units
        .map(|unit| {
            let (dts, pts) = (unit.dts.0 * ticks, unit.pts().0 * ticks);
            (dts, pts, unit.is_random_access(), unit.payload.clone())
        })
        .collect()
}

/// Times less the first of them: TS knows them modulo a turn.
fn shifted(rows: Vec<Row>, first: i64) -> Vec<Row> {
    let shift = |(dts, pts, key, payload)| (dts - first, pts - first, key, payload);
    rows.into_iter().map(shift).collect()
}

fn first_dts(units: &[AccessUnit], ticks: i64) -> i64 {
    let times = units.iter().map(|unit| unit.dts.0 * ticks);
    times.min().unwrap_or(0)
}

/// Compares unit by unit, so that a difference is readable.
fn assert_same(name: &str, want: &[Row], got: &[Row]) {
    for (n, (want, got)) in want.iter().zip(got).enumerate() {
        assert_eq!(
            (want.0, want.1, want.2),
            (got.0, got.1, got.2),
            "{name}: unit {n}"
        );
        assert!(
            want.3 == got.3,
            "{name}: unit {n}: {} bytes {:x?}.. became {} bytes {:x?}..",
            want.3.len(),
            &want.3[..want.3.len().min(40)],
            got.3.len(),
            &got.3[..got.3.len().min(40)],
        );
    }
    assert_eq!(want.len(), got.len(), "{name}: units");
}

fn check(flv: &Flv) -> usize {
    let (out, carried) = mux(flv);
    let told = demux(&out.freeze());
    assert_eq!(told.damage, [], "{}", flv.name);
    assert_eq!(told.discontinuities, 0, "{}", flv.name);
    let source_units: Vec<AccessUnit> = flv
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Unit(unit) if carried.iter().any(|(id, _)| *id == unit.track) => {
                Some(unit.clone())
            }
            _ => None,
        })
        .collect();
    let shifts = (first_dts(&source_units, 90), first_dts(&told.units, 1));
    assert_eq!((shifts.0 - shifts.1) % (1 << 33), 0, "{}", flv.name);
    // The order of tracks stays, their numbers close up.
    for kind in [media::TrackKind::Video, media::TrackKind::Audio] {
        let ours = carried.iter().filter(|(_, codec)| codec.kind() == kind);
        let theirs = told.tracks.iter().filter(|track| track.kind() == kind);
        let theirs: Vec<_> = theirs.collect();
        let counts = (ours.clone().count(), theirs.len());
        assert_eq!(counts.0, counts.1, "{}: {kind:?} tracks", flv.name);
        for ((id, codec), track) in ours.zip(theirs) {
            assert_eq!(track.codec, *codec);
            let empty = Vec::new();
            let want = flv.units.get(id).unwrap_or(&empty);
            let want = shifted(rows(want.iter(), 90), shifts.0);
            let got = shifted(rows(told.of(track.id), 1), shifts.1);
            assert_same(&format!("{} {codec}", flv.name), &want, &got);
        }
    }
    check_configs(flv, &told);
    carried.len()
}

/// The last configuration says the same as the source's.
fn check_configs(flv: &Flv, told: &Told) {
    let source = flv.events.iter().rev().find_map(|event| match event {
        Event::Tracks(tracks) => Some(tracks.clone()),
        _ => None,
    });
    for track in source.iter().flat_map(|tracks| tracks.iter()) {
        let Some(read) = told
            .tracks
            .get(track.id)
            .filter(|read| read.codec == track.codec)
        else {
            continue;
        };
        let (Ok(want), Ok(got)) = (&track.config, &read.config) else {
            assert!(
                track.config.is_err() || told.of(track.id).next().is_none(),
                "{}",
                flv.name
            );
            continue;
        };
        let name = &flv.name;
        match (want, got) {
            (CodecConfig::H264(want), CodecConfig::H264(got)) => {
                // Some name a set three times.
                let (mut sps, mut pps) = (want.sps.clone(), want.pps.clone());
                sps.dedup();
                pps.dedup();
                assert_eq!((&sps, &pps), (&got.sps, &got.pps), "{name}");
                assert_eq!(want.params, got.params, "{name}");
            }
            (CodecConfig::H265(want), CodecConfig::H265(got)) => {
                assert_eq!(
                    (&want.vps, &want.sps, &want.pps),
                    (&got.vps, &got.sps, &got.pps),
                    "{name}"
                );
                assert_eq!(want.codec_string(), got.codec_string(), "{name}");
            }
            (CodecConfig::Aac(want), CodecConfig::Aac(got)) => {
                assert_eq!(want.core_sample_rate, got.core_sample_rate, "{name}");
                assert_eq!(
                    want.channel_configuration, got.channel_configuration,
                    "{name}"
                );
                assert_eq!(want.object_type, got.object_type, "{name}");
            }
            (CodecConfig::Opus(want), CodecConfig::Opus(got)) => {
                assert_eq!(want.params, got.params, "{name}");
                assert_eq!(want.mapping_family, got.mapping_family, "{name}");
            }
            (want, got) => assert_eq!(want.raw(), got.raw(), "{name}"),
        }
    }
}

#[test]
fn clips_of_the_repository_come_back() {
    let mut carried = 0;
    for path in files::folder(&files::testdata(""), "flv") {
        carried += check(&files::flv(&path));
    }
    assert!(carried >= 17, "{carried} tracks");
}

#[test]
fn shared_files_come_back() {
    let mut count = 0;
    for folder in ["flv", "flv-edge", "flv-ffmpeg", "flv-remux"] {
        let Some(folder) = files::shared(folder) else {
            return;
        };
        for path in files::folder(&folder, "flv") {
            check(&files::flv(&path));
            count += 1;
        }
    }
    assert!(count > 35, "{count} files");
}

#[test]
fn any_split_gives_the_same_events() {
    let (out, _) = mux(&files::flv(&files::testdata("h264-opus.flv")));
    let whole = out.freeze();
    let bytes = whole.slice(..whole.len().min(120 * 188));
    let want = demux(&bytes).log;
    assert!(want.len() > 20);
    for step in [1, 7, 187, 188, 189, 4_096] {
        assert_eq!(
            demux_in(&bytes, std::iter::repeat(step)).log,
            want,
            "by {step}"
        );
    }
}
