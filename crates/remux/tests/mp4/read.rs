//! Files of others and of ours, as ffprobe reads them.

use std::path::Path;

use bytes::Bytes;
use media::{AccessUnit, TrackKind};
use remux::mp4::{Layout, Origin, Recorder};

use crate::drive::{Shell, Told, apply, demux};
use crate::ffprobe::{Packet, adler32, assert_sound, is_here, make, streams};
use crate::round_trip::{file, fragments};
use crate::source::{root, sources};

/// A video of 2 s with B-frames, and a tone.
const VIDEO: &str = "-f lavfi -i testsrc2=s=320x180:r=25:d=2";
const TONE: &str = "-f lavfi -i sine=f=440:r=48000:d=2";
const X264: &str = "-c:v libx264 -preset veryfast -g 25 -bf 3 -pix_fmt yuv420p";

fn packet(unit: &AccessUnit) -> Packet {
    Packet {
        pts: unit.pts().0,
        dts: unit.dts.0,
        size: unit.payload.len(),
        adler32: adler32(&unit.payload),
        key: unit.is_random_access(),
    }
}

/// What differs from ffprobe by rule.
#[derive(Clone, Copy, Default)]
struct Allow {
    /// ffmpeg lowers the decode times of a track with negative composition offsets by the lowest of
    /// them.
    dts_shift: bool,
    /// In fragments it raises their presentation times by as much instead.
    pts_shift: bool,
    /// ffmpeg leaves out what an edit list hides.
    hidden: bool,
    /// ffmpeg marks recovery points as key.
    key: bool,
}

fn assert_as_ffprobe(name: &str, path: &Path, allow: Allow) -> Told {
    let bytes: Bytes = std::fs::read(path).unwrap().into();
    let told = demux(&bytes, Shell::File(1 << 20));
    assert_eq!(
        (told.error.clone(), told.damage.clone()),
        (None, vec![]),
        "{name}"
    );
    let theirs = streams(path);
    let with_packets = theirs
        .iter()
        .filter(|(_, _, packets)| !packets.is_empty())
        .count();
    assert_eq!(told.tracks.len(), with_packets, "{name}");
    for track in told.tracks.iter() {
        // Tracks keep their order: the nth of a kind is the nth of the kind.
        let ours: Vec<Packet> = told.of(track.id).iter().map(|unit| packet(unit)).collect();
        let number = u32::from(track.id.0) + 1;
        let stream = theirs.iter().find(|(id, scale, packets)| {
            *scale == track.timescale.hz()
                && (*id == number
                    || packets
                        .first()
                        .is_some_and(|p| ours.iter().any(|o| o.adler32 == p.adler32)))
        });
        let (_, _, theirs) = stream.unwrap_or_else(|| panic!("{name}: {}", track.id));
        let mut ours = &ours[..];
        if allow.hidden {
            let from = ours
                .iter()
                .position(|our| our.adler32 == theirs[0].adler32 && our.pts == theirs[0].pts);
            ours = &ours[from.unwrap()..];
            ours = &ours[..theirs.len().min(ours.len())];
        }
        let first = ours.first().zip(theirs.first());
        let dts_shift = first
            .filter(|_| allow.dts_shift)
            .map_or(0, |(our, their)| our.dts - their.dts);
        let pts_shift = first
            .filter(|_| allow.pts_shift)
            .map_or(0, |(our, their)| our.pts - their.pts);
        for (n, (our, their)) in ours.iter().zip(theirs).enumerate() {
            let mut our = our.clone();
            our.dts -= dts_shift;
            our.pts -= pts_shift;
            if allow.key {
                our.key = their.key;
            }
            assert_eq!(our, *their, "{name} {} packet {n}", track.id);
        }
        assert_eq!(ours.len(), theirs.len(), "{name} {}: packets", track.id);
    }
    // A pipe gives the same, where the index is in front.
    let piped = demux(&bytes, Shell::Pipe(1 << 16));
    if piped.error.is_none() {
        for track in told.tracks.iter() {
            let all = |told: &Told| -> Vec<Packet> {
                told.of(track.id).iter().map(|unit| packet(unit)).collect()
            };
            assert!(all(&told) == all(&piped), "{name} piped");
        }
    }
    told
}

#[test]
fn files_of_ffmpeg() {
    if !is_here() {
        return;
    }
    let av = format!("{VIDEO} {TONE} {X264} -c:a aac");
    let fragments = "-movflags +frag_keyframe+empty_moov+default_base_moof";
    let list: &[(&str, String, usize)] = &[
        ("plain.mp4", av.clone(), 50),
        ("faststart.mp4", format!("{av} -movflags +faststart"), 50),
        ("fragments.mp4", format!("{av} {fragments}"), 50),
        (
            "delay.mp4",
            format!("{av} -movflags +frag_keyframe+delay_moov"),
            50,
        ),
        (
            "base.mp4",
            format!("{av} -movflags +frag_keyframe+empty_moov"),
            50,
        ),
        (
            "cmaf.mp4",
            format!("{av} -movflags +cmaf+frag_keyframe"),
            50,
        ),
        (
            "every.mp4",
            format!("{av} -movflags +frag_every_frame+empty_moov+default_base_moof"),
            50,
        ),
        (
            "sidx.mp4",
            format!("{av} -movflags +frag_keyframe+empty_moov+default_base_moof+global_sidx"),
            50,
        ),
        ("hybrid.mp4", format!("{av} -movflags +frag_keyframe"), 50),
        (
            "negative.mp4",
            format!("{av} -movflags +negative_cts_offsets"),
            50,
        ),
        ("no-edits.mp4", format!("{av} -use_editlist 0"), 50),
        ("rtphint.mov", format!("{av} -f mov"), 50),
        (
            "late-audio.mp4",
            format!("{VIDEO} -itsoffset 0.7 {TONE} {X264} -c:a aac"),
            50,
        ),
        (
            "late-video.mp4",
            format!(
                "-itsoffset 0.7 {VIDEO} {TONE} {X264} -c:a aac -fps_mode passthrough -movflags +faststart"
            ),
            50,
        ),
        (
            "hevc.mp4",
            format!(
                "{VIDEO} {TONE} -c:v libx265 -x265-params log-level=none -tag:v hvc1 -c:a libmp3lame"
            ),
            50,
        ),
        (
            "hev1.mp4",
            format!(
                "{VIDEO} -c:v libx265 -x265-params log-level=none:bframes=4 -tag:v hev1 {fragments}"
            ),
            50,
        ),
        (
            "av1.mp4",
            format!("{VIDEO} {TONE} -c:v libsvtav1 -preset 10 -c:a libopus"),
            50,
        ),
        (
            "vp9.mp4",
            format!(
                "{VIDEO} {TONE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a flac -strict -2 {fragments}"
            ),
            50,
        ),
        ("ac3.mp4", format!("{TONE} -c:a ac3"), 0),
        (
            "eac3.mp4",
            format!("{TONE} -c:a eac3 -movflags +frag_every_frame+delay_moov"),
            0,
        ),
        (
            "two-audio.mp4",
            format!("{VIDEO} {TONE} {TONE} -map 0 -map 1 -map 2 {X264} -c:a:0 aac -c:a:1 ac3"),
            50,
        ),
        (
            "many.mp4",
            format!(
                "{VIDEO} {TONE} {TONE} -map 0 -map 1 -map 2 -map 0 {X264} -c:a:0 aac -c:a:1 libmp3lame {fragments}"
            ),
            50,
        ),
        ("mp3.mov", format!("{TONE} -c:a libmp3lame -f mov"), 0),
    ];
    for (name, options, pictures) in list {
        let Some(path) = make(&format!("mp4-{name}"), options) else {
            continue;
        };
        let allow = Allow {
            dts_shift: name.starts_with("negative"),
            pts_shift: name.starts_with("cmaf"),
            ..Allow::default()
        };
        let told = assert_as_ffprobe(name, &path, allow);
        let video = told
            .tracks
            .iter()
            .find(|track| track.kind() == TrackKind::Video);
        assert_eq!(
            video.map_or(0, |track| told.of(track.id).len()),
            *pictures,
            "{name}"
        );
        for track in told.tracks.iter() {
            assert!(track.config.is_ok(), "{name}: {:?}", track.config);
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn badly_interleaved_files_come_in_the_order_of_time() {
    if !is_here() {
        return;
    }
    // All video, then all audio.
    let options =
        format!("{VIDEO} {TONE} {X264} -c:a aac -max_interleave_delta 1 -movflags +faststart");
    let Some(path) = make("mp4-apart.mp4", &options) else {
        return;
    };
    let told = assert_as_ffprobe("apart", &path, Allow::default());
    let mut reached = [0.0_f64; 2];
    for unit in &told.units {
        let track = told.tracks.get(unit.track).unwrap();
        let seconds = unit.dts.0 as f64 / f64::from(track.timescale.hz());
        reached[usize::from(track.kind() == TrackKind::Audio)] = seconds;
        assert!((reached[0] - reached[1]).abs() < 1.2, "{reached:?}");
    }
}

#[test]
fn shared_files() {
    let Some(root) = root().filter(|_| is_here()) else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("mp4")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Init segments and segments alone are below.
        if !name.ends_with(".mp4") || name.contains("init") {
            continue;
        }
        let allow = Allow {
            dts_shift: true,
            hidden: name == "prog_8s.mp4",
            key: true,
            ..Allow::default()
        };
        assert_as_ffprobe(&name, &path, allow);
        seen += 1;
    }
    assert_eq!(seen, 11);
    for (init, segment) in [
        ("init.mp4", "1.m4s"),
        ("aac_init.mp4", "aac_1.m4s"),
        ("hvc1_init.mp4", "hvc1_seg_1.m4s"),
    ] {
        let read = |name| std::fs::read(root.join("mp4").join(name)).unwrap();
        let joined = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mp4-joined-{init}"));
        std::fs::write(&joined, [read(init), read(segment)].concat()).unwrap();
        let told = assert_as_ffprobe(
            init,
            &joined,
            Allow {
                dts_shift: true,
                ..Allow::default()
            },
        );
        assert!(told.units.len() > 20, "{init}");
        let segment = demux(&read(segment).into(), Shell::File(1 << 20));
        assert!(matches!(
            segment.error,
            Some(remux::mp4::DemuxError::NoMovie { .. })
        ));
    }
}

#[test]
fn what_we_write_is_what_ffprobe_reads() {
    if !is_here() {
        return;
    }
    for source in sources() {
        let (mut recorder, _) = Recorder::new(&source.tracks, Origin::First);
        if recorder.is_empty() {
            continue;
        }
        let mut recording = Vec::new();
        apply(&mut recording, [recorder.start()]);
        for (units, ends) in fragments(&source, 40) {
            if let Ok(write) = recorder.fragment(units, &ends) {
                apply(&mut recording, [write]);
            }
        }
        let unfinished = recording.clone();
        apply(&mut recording, recorder.finish(&[]));
        let files = [
            ("recorded", recording),
            ("recording", unfinished),
            ("kept", file(&source, Origin::Kept, Layout::IndexLast)),
            (
                "front",
                file(&source, Origin::First, Layout::Reserved(400_000)),
            ),
        ];
        for (kind, bytes) in files {
            let name = format!("mp4-{kind}-{}.mp4", source.name);
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
            std::fs::write(&path, bytes).unwrap();
            let allow = Allow {
                dts_shift: true,
                key: true,
                ..Allow::default()
            };
            assert_as_ffprobe(&name, &path, allow);
            if kind != "recording" && kind != "kept" {
                assert_sound(&path);
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}
