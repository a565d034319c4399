//! FLV remuxed to MP4 as ffmpeg reads and decodes both: the same packets, the same pictures and
//! sounds, and not a word of complaint.

use std::path::{Path, PathBuf};
use std::process::Command;

use remux::mp4::{FragmentMuxer, Layout, Origin, Recorder};

use crate::drive::{apply, repair};
use crate::ffprobe::{assert_sound, is_here};
use crate::record::record;
use crate::round_trip::{file, fragments};
use crate::source::Source;
use crate::through::{Flv, testdata};

/// Clips whose FLV the ffmpeg of Debian 12 reads: no enhanced ones.
const CLIPS: [&str; 4] = [
    "bframes.flv",
    "h264-mp3.flv",
    "video-only.flv",
    "audio-only.flv",
];

fn source(name: &str) -> Source {
    let path = testdata(name);
    let flv = Flv::read(name, &std::fs::read(&path).unwrap().into());
    Source {
        name: name.to_owned(),
        path,
        tracks: flv.first_tracks(),
        units: flv.units().cloned().collect(),
    }
}

fn kept(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A line of `-f framemd5`: stream, DTS, PTS in milliseconds, size, hash.
type Line = (usize, i64, i64, usize, String);

/// What ffmpeg says of a file, sorted by stream; `how`: options of the output. Fails when it has
/// anything else to say.
fn framemd5(path: &Path, how: &[&str]) -> Vec<Line> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-nostdin", "-copyts", "-i"])
        .arg(path)
        .args(["-map", "0:v?", "-map", "0:a?"])
        .args(how)
        .args(["-avoid_negative_ts", "disabled", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let name = path.display();
    assert!(
        output.status.success() && errors.is_empty(),
        "{name}: {errors}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut scales = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(scale) = line.strip_prefix("#tb ") {
            let (_, scale) = scale.split_once(": 1/").unwrap();
            scales.push(scale.parse::<i64>().unwrap());
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let stream: usize = fields[0].parse().unwrap();
        let ms = |ticks: &str| ticks.parse::<i64>().unwrap() * 1_000 / scales[stream];
        let size = fields[4].parse().unwrap();
        lines.push((
            stream,
            ms(fields[1]),
            ms(fields[2]),
            size,
            fields[5].to_owned(),
        ));
    }
    lines.sort_by_key(|line| line.0);
    lines
}

/// Decoded, without the times of sounds: decoders count them in samples, from their first.
fn decoded(path: &Path) -> Vec<Line> {
    let how = ["-fps_mode", "passthrough", "-enc_time_base:v", "1:1000"];
    let mut lines = framemd5(path, &how);
    let has_video = lines.iter().any(|line| line.0 == 1);
    for line in &mut lines {
        if !has_video || line.0 == 1 {
            (line.1, line.2) = (0, 0);
        }
    }
    lines
}

#[test]
fn files_decode_as_their_source() {
    if !is_here() {
        return;
    }
    for name in CLIPS {
        let source = source(name);
        let (mut recorder, _) = Recorder::new(&source.tracks, Origin::Kept);
        let (mut muxer, _) = FragmentMuxer::new(&source.tracks);
        let mut recording = Vec::new();
        let mut live = muxer.init_segment().to_vec();
        apply(&mut recording, [recorder.start()]);
        for (units, ends) in fragments(&source, 25) {
            apply(&mut recording, recorder.fragment(units, &ends).ok());
            live.extend_from_slice(&muxer.fragment(units, &ends).unwrap());
        }
        apply(&mut recording, recorder.finish(&[]));
        let packets = framemd5(&source.path, &["-c", "copy"]);
        let frames = decoded(&source.path);
        assert!(packets.len() > 50 && frames.len() > 50, "{name}");
        for (kind, bytes) in [
            ("recorded", recording),
            ("live", live),
            ("last", file(&source, Origin::Kept, Layout::IndexLast)),
            (
                "front",
                file(&source, Origin::Kept, Layout::Reserved(60_000)),
            ),
        ] {
            let path = kept(&format!("mp4-md5-{kind}-{name}.mp4"), &bytes);
            let same = |what: &str, want: &[Line], got: &[Line]| {
                for (n, (want, got)) in want.iter().zip(got).enumerate() {
                    assert_eq!(want, got, "{kind} {name}: {what} {n}");
                }
                assert_eq!(want.len(), got.len(), "{kind} {name}: {what}s");
            };
            same("packet", &packets, &framemd5(&path, &["-c", "copy"]));
            same("frame", &frames, &decoded(&path));
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn recordings_cut_at_100_places_play() {
    if !is_here() {
        return;
    }
    let source = source("bframes.flv");
    let recording = record(&source);
    let unfinished = &recording.states[recording.fragments.len() - 1];
    let init = recording.fragments[0].0;
    let mut seed = 3_u64;
    for n in 0..100 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let media = unfinished.len() - init;
        let cut = init + (seed >> 33) as usize % media;
        let whole = recording.fragments.iter().rfind(|(end, _)| *end <= cut);
        let &(_, units) = whole.unwrap();
        if units == 0 {
            continue;
        }
        let mut file = unfinished[..cut].to_vec();
        if n % 4 == 0 {
            let path = kept(&format!("mp4-cut-{n}.mp4"), &file);
            assert!(packets(&path) >= units, "cut at {cut}");
            std::fs::remove_file(path).unwrap();
        }
        let (repaired, _) = repair(&file, Origin::First);
        apply(&mut file, repaired.unwrap().writes);
        let path = kept(&format!("mp4-cut-{n}.mp4"), &file);
        assert_eq!(assert_sound(&path), units, "cut at {cut}");
        std::fs::remove_file(path).unwrap();
    }
}

/// How many packets ffprobe finds, whatever else it says.
fn packets(path: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "quiet", "-count_packets", "-of", "csv=p=0"])
        .args(["-show_entries", "stream=nb_read_packets"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let counts = text.lines().map(|line| line.trim_end_matches(','));
    counts.map(|count| count.parse::<usize>().unwrap()).sum()
}
