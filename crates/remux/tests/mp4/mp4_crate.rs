//! The `mp4` crate, an independent reader: every sample's bytes, times and role.

use std::io::Cursor;

use media::{AccessUnit, Codec};
use mp4::{Mp4Reader, Mp4Sample};
use remux::mp4::{FragmentMuxer, Layout, Origin, Recorder};

use crate::drive::apply;
use crate::round_trip::{file, fragments};
use crate::source::{Source, sources};

/// The sample entries that the crate knows; of a file with another it reads nothing.
const KNOWN: [Codec; 3] = [Codec::H264, Codec::Vp9, Codec::Aac];

/// What the crate has to read of `units`, whose track's timeline begins at the first.
fn wanted(units: &[&AccessUnit]) -> Vec<(i64, i64, bool, bytes::Bytes)> {
    let start = units.first().map_or(0, |unit| unit.dts.0);
    let mut last = -1;
    let of = |unit: &&AccessUnit| {
        // Times that do not rise are moved on by a tick.
        let dts = ((unit.dts.0 - start) * 90).max(last + 1);
        last = dts;
        let pts = (unit.pts().0 - start) * 90;
        (dts, pts, unit.is_random_access(), unit.payload.clone())
    };
    units.iter().map(of).collect()
}

fn found(sample: Mp4Sample) -> (i64, i64, bool, bytes::Bytes) {
    let dts = i64::try_from(sample.start_time).unwrap();
    let pts = dts + i64::from(sample.rendering_offset);
    (dts, pts, sample.is_sync, sample.bytes)
}

fn assert_read(name: &str, source: &Source, file: &[u8]) -> usize {
    let mut reader = Mp4Reader::read_header(Cursor::new(file), file.len() as u64).unwrap();
    let mut compared = 0;
    for track in source.tracks.iter() {
        let units: Vec<_> = source.of(track.id).collect();
        let number = u32::from(track.id.0) + 1;
        if units.is_empty() {
            assert!(!reader.tracks().contains_key(&number), "{name}");
            continue;
        }
        let count = reader.sample_count(number).unwrap();
        assert_eq!(count as usize, units.len(), "{name} {}", track.id);
        if let Some(video) = track.config.as_ref().ok().and_then(|config| config.video()) {
            let known = &reader.tracks()[&number];
            let size = (known.width().into(), known.height().into());
            assert_eq!(size, (video.width, video.height), "{name}");
        }
        for (n, want) in (1..).zip(wanted(&units)) {
            let sample = reader.read_sample(number, n).unwrap().unwrap();
            let got = found(sample);
            assert!(
                (got.0, got.1, got.2) == (want.0, want.1, want.2),
                "{name} {n}"
            );
            assert!(got.3 == want.3, "{name} {n}: bytes");
        }
        compared += units.len();
    }
    compared
}

#[test]
fn reads_ordinary_files_and_finished_recordings() {
    let (mut files, mut samples) = (0, 0);
    for source in sources() {
        let (muxer, _) = FragmentMuxer::new(&source.tracks);
        let is_known =
            |track: &media::Track| KNOWN.contains(&track.codec) && muxer.carries(track.id);
        if !source.tracks.iter().all(|track| is_known(track)) {
            continue;
        }
        files += 1;
        let (mut recorder, _) = Recorder::new(&source.tracks, Origin::First);
        let mut recording = Vec::new();
        apply(&mut recording, [recorder.start()]);
        for (units, ends) in fragments(&source, 40) {
            apply(&mut recording, recorder.fragment(units, &ends).ok());
        }
        apply(&mut recording, recorder.finish(&[]));
        let ordinary = file(&source, Origin::Kept, Layout::IndexLast);
        for file in [recording, ordinary] {
            samples += assert_read(&source.name, &source, &file);
        }
    }
    // Without the shared media there are none.
    assert!(
        files == 0 || (files > 10 && samples > 5_000),
        "{files}: {samples}"
    );
}
