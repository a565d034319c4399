//! Damaged files: an error that names the byte, or the good part.

use bytes::Bytes;
use remux::mp4::{DemuxError, Layout, Origin};

use crate::drive::{Shell, demux};
use crate::round_trip::file;
use crate::source::sources;

fn files(folder: &str) -> Vec<(String, Bytes)> {
    let Some(root) = crate::source::root() else {
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read(path).unwrap().into(),
            )
        })
        .collect()
}

#[test]
fn hostile_files_end() {
    let files = files("badinput/mp4");
    assert!(files.is_empty() || files.len() > 40);
    for (name, file) in files {
        for shell in [Shell::File(1 << 20), Shell::File(100), Shell::Pipe(100)] {
            let told = demux(&file, shell);
            let given: usize = told.units.iter().map(|unit| unit.payload.len()).sum();
            assert!(given <= 5 * file.len(), "{name}");
            assert!(
                told.error.is_some()
                    || !told.damage.is_empty()
                    || !told.tracks.is_empty()
                    || told.track_lists > 0,
                "{name}"
            );
        }
        let _ = crate::drive::repair(&file, Origin::First);
    }
}

#[test]
fn mdat_that_is_too_long_costs_nothing() {
    for (name, file) in files("badinput/mp4")
        .into_iter()
        .filter(|(name, _)| name.ends_with("too_long.mp4"))
    {
        let told = demux(&file, Shell::File(1 << 20));
        println!(
            "{name}: {:?} {:?} {}",
            told.error,
            told.damage,
            told.units.len()
        );
        assert!(told.units.len() > 60, "{name}");
    }
}

/// Offsets of all boxes, and of what is in containers.
fn boxes(file: &[u8], from: usize, to: usize, found: &mut Vec<usize>) {
    let mut at = from;
    while at + 8 <= to {
        found.push(at);
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        let kind = &file[at + 4..at + 8];
        let (size, header) = match size {
            1 => (
                u64::from_be_bytes(file[at + 8..at + 16].try_into().unwrap()) as usize,
                16,
            ),
            size => (size, 8),
        };
        if [
            &b"moov"[..],
            b"trak",
            b"mdia",
            b"minf",
            b"stbl",
            b"moof",
            b"traf",
        ]
        .contains(&kind)
        {
            boxes(file, at + header, at + size, found);
        }
        at += size;
    }
}

#[test]
fn cut_at_every_box_and_at_random_bytes() {
    let Some(source) = sources()
        .into_iter()
        .find(|source| source.tracks.len() == 2 && source.units.len() > 200)
    else {
        return;
    };
    let last = file(&source, Origin::Kept, Layout::IndexLast);
    let front = file(&source, Origin::Kept, Layout::Reserved(400_000));
    let (mut muxer, _) = remux::mp4::FragmentMuxer::new(&source.tracks);
    let mut fragmented = muxer.init_segment().to_vec();
    for (units, ends) in crate::round_trip::fragments(&source, 25) {
        fragmented.extend_from_slice(&muxer.fragment(units, &ends).unwrap());
    }
    for (name, file, is_streamed) in [
        ("last", last, false),
        ("front", front, true),
        ("fragmented", fragmented, true),
    ] {
        let mut cuts = Vec::new();
        boxes(&file, 0, file.len(), &mut cuts);
        cuts.extend(random_cuts(11, file.len()));
        let whole: Bytes = file.into();
        let all = demux(&whole, Shell::File(1 << 20));
        assert!(all.units.len() > 200);
        for cut in cuts {
            let part = whole.slice(..cut);
            for shell in [Shell::File(1 << 20), Shell::Pipe(1 << 20)] {
                if name == "last" && matches!(shell, Shell::Pipe(_)) {
                    continue;
                }
                let told = demux(&part, shell);
                match &told.error {
                    Some(
                        DemuxError::NoMovie { .. }
                        | DemuxError::CutOff { .. }
                        | DemuxError::Malformed { .. },
                    ) => {
                        assert!(told.units.is_empty());
                    }
                    Some(other) => panic!("{name} cut at {cut}: {other}"),
                    None => {
                        assert!(
                            is_streamed,
                            "{name} cut at {cut}: an index that is not there"
                        );
                        // What was given is a part of the whole, and nothing that lies before the
                        // cut is missing.
                        let is_before = |unit: &&media::AccessUnit| {
                            let at = unit.payload.as_ptr() as usize - whole.as_ptr() as usize;
                            at + unit.payload.len() <= cut
                        };
                        let want = all.units.iter().filter(is_before).count();
                        let got = told.units.len();
                        if name == "front" {
                            assert_eq!(got, want, "{name} cut at {cut}");
                        } else {
                            assert!(got <= want && got + 30 > want, "{name} cut at {cut}");
                        }
                        let complete = got == all.units.len();
                        assert!(
                            complete || !told.damage.is_empty() || name == "fragmented",
                            "{name} cut at {cut}"
                        );
                    }
                }
            }
        }
    }
}

/// Files of others: what comes of a part of one is a part of what comes of the whole.
#[test]
fn shared_files_cut_at_every_box_and_at_random_bytes() {
    /// Enough to tell units from one another.
    fn key(unit: &media::AccessUnit) -> (u16, i64, i64, usize) {
        (unit.track.0, unit.dts.0, unit.pts().0, unit.payload.len())
    }
    for (name, file) in files("mp4") {
        let all = demux(&file, Shell::File(1 << 20));
        // Init segments have no units, segments alone cannot be read.
        if all.units.is_empty() {
            continue;
        }
        let known: std::collections::BTreeSet<_> = all.units.iter().map(key).collect();
        let mut cuts = Vec::new();
        boxes(&file, 0, file.len(), &mut cuts);
        cuts.extend(random_cuts(13, file.len()));
        for cut in cuts {
            let told = demux(&file.slice(..cut), Shell::File(1 << 20));
            match told.error {
                None => {
                    assert!(
                        told.units.iter().all(|unit| known.contains(&key(unit))),
                        "{name} cut at {cut}"
                    );
                    assert!(told.units.len() <= all.units.len(), "{name} cut at {cut}");
                }
                Some(DemuxError::NoMovie { len }) => assert_eq!(len, cut as u64, "{name}"),
                Some(DemuxError::CutOff { offset, have, .. }) => {
                    assert_eq!(offset + have, cut as u64, "{name}");
                }
                // The box that is cut off.
                Some(DemuxError::Malformed { offset, .. }) => {
                    assert!(offset < cut as u64, "{name} cut at {cut}: {offset}");
                }
                Some(other) => panic!("{name} cut at {cut}: {other}"),
            }
        }
    }
}

/// 200 places in a file.
fn random_cuts(seed: u64, len: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(seed), |seed| {
        Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1))
    })
    .skip(1)
    .take(200)
    .map(move |seed| (seed >> 33) as usize % len)
}

#[test]
fn tables_that_name_the_same_bytes_again_and_again_end() {
    // 2000 chunks of 60 000 samples of 1 byte, all at the same place.
    let Some(source) = sources()
        .into_iter()
        .find(|source| source.tracks.len() == 2)
    else {
        return;
    };
    let mut bytes = file(&source, Origin::Kept, Layout::IndexLast);
    let find = |bytes: &[u8], kind: &[u8]| bytes.windows(4).rposition(|w| w == kind).unwrap();
    let stsz = find(&bytes, b"stsz");
    bytes[stsz + 8..stsz + 12].copy_from_slice(&1_u32.to_be_bytes());
    bytes[stsz + 12..stsz + 16].copy_from_slice(&u32::MAX.to_be_bytes());
    let stsc = find(&bytes, b"stsc");
    bytes[stsc + 16..stsc + 20].copy_from_slice(&60_000_u32.to_be_bytes());
    let told = demux(&bytes.clone().into(), Shell::File(1 << 20));
    let given: usize = told.units.iter().map(|unit| unit.payload.len()).sum();
    assert!(
        given <= 4 * bytes.len() + 100_000,
        "{given} of {}",
        bytes.len()
    );
    assert!(!told.damage.is_empty());
}
