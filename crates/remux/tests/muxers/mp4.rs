//! Fragmented MP4: exact times, key flags and bytes.

use media::{AccessUnit, Dts, TrackId};
use remux::mp4::FragmentMuxer;

use crate::ffmpeg::{self, Packet};
use crate::source::{Source, sources};

/// The file: init segment, and a fragment of every `count` units.
fn mux(source: &Source, count: usize) -> (FragmentMuxer, Vec<u8>) {
    let (mut muxer, _) = FragmentMuxer::new(&source.tracks);
    let mut file = muxer.init_segment().to_vec();
    let mut rest = &source.units[..];
    while !rest.is_empty() {
        let (units, later) = rest.split_at(count.min(rest.len()));
        rest = later;
        let next = |id: TrackId| {
            let unit = rest.iter().find(|unit| unit.track == id)?;
            Some((id, unit.dts))
        };
        let ends: Vec<(TrackId, Dts)> = source
            .tracks
            .iter()
            .filter_map(|track| next(track.id))
            .collect();
        match muxer.fragment(units, &ends) {
            Ok(fragment) => file.extend_from_slice(&fragment),
            Err(error) => assert_eq!(error, remux::mp4::Error::Empty),
        }
    }
    (muxer, file)
}

#[test]
fn ffmpeg_reads_every_unit_with_its_times_flags_and_bytes() {
    if !ffmpeg::is_here() {
        return;
    }
    for source in sources() {
        let (muxer, file) = mux(&source, 37);
        assert_eq!(muxer.damaged_units(), 0, "{}", source.name);
        if muxer.is_empty() {
            continue;
        }
        let path = ffmpeg::file(&format!("{}.mp4", source.name), &file);
        let read = ffmpeg::packets(&path, &[]);
        let carried = source.carried(|id| muxer.carries(id));
        for (index, track) in carried.iter().enumerate() {
            let want: Vec<Packet> = packets(source.of(track.id)).collect();
            let name = format!("{} {}", source.name, track.codec);
            let got = read.get(&index).cloned().unwrap_or_default();
            ffmpeg::assert_same(&name, &want, &got);
        }
        std::fs::remove_file(path).unwrap();
    }
}

fn packets<'a>(units: impl Iterator<Item = &'a AccessUnit>) -> impl Iterator<Item = Packet> {
    units.map(|unit| {
        let (dts, pts) = (unit.dts.0 * 90, unit.pts().0 * 90);
        Packet::new(dts, pts, unit.is_random_access(), &unit.payload)
    })
}
