//! Files beyond 4 GiB: 64-bit chunk offsets, read to their end. Nothing of that size is held or
//! written: a payload of zeros is shared, and what is kept on disk has holes.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use media::{AccessUnit, Dts, TrackId, TrackList};
use remux::Event;
use remux::mp4::{
    Demuxer, FileMuxer, Input, Layout, Origin, Recorder, Repair, RepairStep, Step, Write,
};

use crate::ffprobe::{adler32, is_here};
use crate::through::{Flv, testdata};

/// Bytes of one access unit that fills the file: more than a reader takes, so that it is passed over.
const FILLER: usize = 300 << 20;
const FILLERS: i64 = 15;
/// When the clip begins again, in milliseconds.
const AGAIN_MS: i64 = 100_000;

/// A file as the pieces that were written to it.
#[derive(Clone, Default)]
struct Pieces {
    pieces: BTreeMap<u64, Bytes>,
    len: u64,
}

impl Pieces {
    fn apply(&mut self, writes: impl IntoIterator<Item = Write>) {
        for write in writes {
            match write {
                Write::Append(parts) => {
                    for part in parts.into_iter().filter(|part| !part.is_empty()) {
                        let at = self.len;
                        self.len += part.len() as u64;
                        self.pieces.insert(at, part);
                    }
                }
                Write::Overwrite { at, bytes } => {
                    // Headers are overwritten, which lie in the first pieces.
                    let (&start, piece) = self.pieces.range_mut(..=at).next_back().unwrap();
                    let mut changed = piece.to_vec();
                    let from = usize::try_from(at - start).unwrap();
                    changed[from..from + bytes.len()].copy_from_slice(&bytes);
                    *piece = changed.into();
                }
                Write::Truncate { len } => self.truncate(len),
                Write::Sync => {}
            }
        }
    }

    fn truncate(&mut self, len: u64) {
        self.pieces.split_off(&len);
        if let Some((start, piece)) = self.pieces.iter_mut().next_back() {
            piece.truncate(usize::try_from(len - start).unwrap());
        }
        self.len = len;
    }

    /// What is there in one piece, at most `len` bytes.
    fn read(&self, offset: u64, len: usize) -> Bytes {
        let Some((start, piece)) = self.pieces.range(..=offset).next_back() else {
            return Bytes::new();
        };
        let from = usize::try_from(offset - start).unwrap().min(piece.len());
        piece.slice(from..(from + len).min(piece.len()))
    }

    /// Kept on disk, with holes for the zeros.
    #[allow(
        clippy::disallowed_types,
        reason = "the core has no files, but ffprobe wants one"
    )]
    fn save(&self, name: &str) -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.set_len(self.len).unwrap();
        for (&at, piece) in &self.pieces {
            let is_filler = piece.len() >= FILLER;
            let head = if is_filler { &piece[..8] } else { piece };
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(head).unwrap();
        }
        path
    }

    fn demux(&self) -> (Vec<AccessUnit>, Vec<remux::Damage>) {
        let mut demuxer = Demuxer::new(Input::File { len: self.len });
        let (mut units, mut damage) = (Vec::new(), Vec::new());
        loop {
            match demuxer.poll().unwrap() {
                Step::Read { offset, len } => demuxer.push(self.read(offset, len)),
                Step::Event(Event::Unit(unit)) => units.push(unit),
                Step::Event(Event::Damage(found)) => damage.push(found),
                Step::Event(_) => {}
                Step::End => return (units, damage),
            }
        }
    }

    fn repair(&mut self) {
        let mut repair = Repair::new(self.len, Origin::Kept);
        loop {
            match repair.poll().unwrap() {
                RepairStep::Read { offset, len } => repair.push(self.read(offset, len)),
                RepairStep::Done(repaired) => {
                    assert!(repaired.is_finished);
                    return self.apply(repaired.writes);
                }
            }
        }
    }

    /// Whether the last box is an index with 64-bit offsets.
    fn has_wide_offsets(&self) -> bool {
        let (_, moov) = self.pieces.iter().next_back().unwrap();
        &moov[4..8] == b"moov" && moov.windows(4).any(|kind| kind == b"co64")
    }
}

struct Large {
    tracks: TrackList,
    /// The clip, fillers, the clip again.
    units: Vec<AccessUnit>,
    video: TrackId,
}

impl Large {
    fn new() -> Self {
        let name = "bframes.flv";
        let clip = Flv::read(name, &std::fs::read(testdata(name)).unwrap().into());
        let tracks = clip.first_tracks();
        let video = tracks.video().unwrap().id;
        // One NAL unit of filler data (ITU-T H.264 §7.4.1, type 12).
        let mut filler = vec![0; FILLER];
        filler[..4].copy_from_slice(&(FILLER as u32 - 4).to_be_bytes());
        filler[4] = 12;
        let filler = Bytes::from(filler);
        let mut units: Vec<AccessUnit> = clip.units().cloned().collect();
        let again: Vec<AccessUnit> = units
            .iter()
            .cloned()
            .map(|mut unit| {
                unit.dts.0 += AGAIN_MS;
                unit
            })
            .collect();
        units.extend(
            (0..FILLERS)
                .map(|n| AccessUnit::new(video, Dts(AGAIN_MS / 2 + 40 * n), filler.clone())),
        );
        units.extend(again);
        Self {
            tracks,
            units,
            video,
        }
    }

    fn of(&self, id: TrackId) -> Vec<&AccessUnit> {
        let units = self.units.iter().filter(|unit| unit.track == id);
        units.filter(|unit| unit.payload.len() < FILLER).collect()
    }

    /// The file has every unit but the fillers, of which it is said that they were passed over.
    fn assert_in(&self, file: &Pieces) {
        assert!(file.len > 4 << 30 && file.has_wide_offsets());
        let (units, damage) = file.demux();
        let damage: Vec<_> = damage.iter().map(|d| (d.track, &*d.what)).collect();
        assert_eq!(damage, [(Some(self.video), "15 samples not all there")]);
        for track in self.tracks.iter() {
            let want = self.of(track.id);
            let got: Vec<_> = units.iter().filter(|u| u.track == track.id).collect();
            assert_eq!(want.len(), got.len());
            for (want, got) in want.iter().zip(got) {
                assert_eq!(
                    (want.dts.0 * 90, want.pts().0 * 90, &want.payload),
                    (got.dts.0, got.pts().0, &got.payload)
                );
            }
        }
    }

    /// ffprobe seeks to the clip at the end and lists its packets, all beyond 4 GiB.
    fn assert_ffprobe_reads_the_end(&self, name: &str, file: &Pieces) {
        if !is_here() {
            return;
        }
        let path = file.save(name);
        // To the key frame before this time, which is the clip's first.
        let millis = AGAIN_MS + 500;
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_data_hash",
                "adler32",
                "-of",
                "csv=p=0",
            ])
            .args([
                "-select_streams",
                "v",
                "-read_intervals",
                &format!("{}.{}%", millis / 1_000, millis % 1_000),
            ])
            .args(["-show_entries", "packet=pos,data_hash"])
            .arg(&path)
            .output()
            .unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        let text = String::from_utf8(output.stdout).unwrap();
        let found: Vec<(u64, u32)> = text
            .lines()
            .map(|line| {
                let mut fields = line.split(',');
                let pos = fields.next().unwrap().parse().unwrap();
                let hash = fields.next().unwrap().rsplit(':').next().unwrap();
                (pos, u32::from_str_radix(hash, 16).unwrap())
            })
            .collect();
        let want = self.of(self.video).into_iter();
        let want: Vec<u32> = want
            .filter(|unit| unit.dts.0 >= AGAIN_MS)
            .map(|unit| adler32(&unit.payload))
            .collect();
        let hashes: Vec<u32> = found.iter().map(|(_, hash)| *hash).collect();
        assert_eq!(hashes, want, "{name}");
        assert!(found.iter().all(|(pos, _)| *pos > 4 << 30), "{name}");
    }
}

#[test]
fn an_ordinary_file_is_read_to_its_end() {
    let large = Large::new();
    let (mut muxer, _) = FileMuxer::new(&large.tracks, Origin::Kept, Layout::IndexLast);
    let mut file = Pieces::default();
    for unit in &large.units {
        muxer.push(unit).unwrap();
        file.apply(muxer.poll());
    }
    file.apply(muxer.finish(&[]));
    large.assert_in(&file);
    large.assert_ffprobe_reads_the_end("mp4-large.mp4", &file);
}

#[test]
fn a_recording_is_finished_and_repaired() {
    let large = Large::new();
    let (mut recorder, _) = Recorder::new(&large.tracks, Origin::Kept);
    let mut file = Pieces::default();
    file.apply([recorder.start()]);
    for units in large.units.chunks(5) {
        file.apply([recorder.fragment(units, &[]).unwrap()]);
    }
    let unfinished = file.clone();
    file.apply(recorder.finish(&[]));
    large.assert_in(&file);
    large.assert_ffprobe_reads_the_end("mp4-large-recorded.mp4", &file);

    let mut repaired = unfinished.clone();
    repaired.repair();
    large.assert_in(&repaired);
    let (cut_units, _) = {
        let mut cut = unfinished.clone();
        cut.truncate(unfinished.len - 1);
        cut.repair();
        cut.demux()
    };
    let last = large.units.chunks(5).next_back().unwrap().len();
    let all = large.units.len() - usize::try_from(FILLERS).unwrap();
    assert_eq!(cut_units.len(), all - last);
}
