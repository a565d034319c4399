//! What ffmpeg wrote, read by ffprobe and by us: the same packets, with the same times and bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use media::{AccessUnit, Codec, CodecConfig, TrackKind};
use remux::ts::Demuxer;

use crate::files::{self, Told, demux, demux_with, read};

const TURN: i64 = 1 << 33;

/// A packet as `-f framemd5` lists it after parameter sets and delimiters were taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    dts: i64,
    pts: i64,
    size: usize,
    md5: String,
}

fn has_ffmpeg() -> bool {
    let here = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !here {
        eprintln!("skipped: no ffmpeg");
    }
    here
}

/// Runs ffmpeg, which must print nothing.
fn ffmpeg(args: &[&str]) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(args)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{args:?}: {errors}"
    );
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Makes a file of test pictures and tones: `codecs` are output options.
fn make(name: &str, seconds: &str, codecs: &[&str]) -> PathBuf {
    let path = temporary(name);
    let mut args = vec!["-f", "lavfi", "-i"];
    let video = format!("testsrc2=s=320x180:r=25:d={seconds}");
    let audio = format!("sine=f=440:r=48000:d={seconds}");
    args.extend([&video, "-f", "lavfi", "-i", &audio]);
    args.extend(codecs);
    let text = path.to_string_lossy().into_owned();
    args.push(&text);
    ffmpeg(&args);
    path
}

/// What ffmpeg reads: packets by stream, with its codec names; parameter sets, delimiters and
/// ADTS headers taken out.
fn frames(path: &Path, codecs: &[(usize, Codec)]) -> BTreeMap<usize, Vec<Packet>> {
    let mut command = Command::new("ffmpeg");
    command
        .args([
            "-v",
            "error",
            "-nostdin",
            "-copyts",
            "-probesize",
            "20M",
            "-i",
        ])
        .arg(path);
    for (index, _) in codecs {
        command.args(["-map", &format!("0:{index}")]);
    }
    command.args(["-c", "copy", "-copyinkf"]);
    for (n, (_, codec)) in codecs.iter().enumerate() {
        let filter = match codec {
            Codec::H264 => "filter_units=remove_types=7-9",
            Codec::H265 => "filter_units=remove_types=32-35",
            Codec::Aac => "aac_adtstoasc",
            _ => continue,
        };
        command.args([&format!("-bsf:{n}"), filter]);
    }
    command.args(["-avoid_negative_ts", "disabled", "-f", "framemd5", "-"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", path.display());
    let mut scales: BTreeMap<usize, i64> = BTreeMap::new();
    let mut packets: BTreeMap<usize, Vec<Packet>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some(scale) = line.strip_prefix("#tb ") {
            let (index, scale) = scale.split_once(": 1/").unwrap();
            scales.insert(index.parse().unwrap(), scale.parse().unwrap());
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let index: usize = fields[0].parse().unwrap();
        let at_90_khz = |ticks: &str| ticks.parse::<i64>().unwrap() * 90_000 / scales[&index];
        packets.entry(index).or_default().push(Packet {
            dts: at_90_khz(fields[1]),
            pts: at_90_khz(fields[2]),
            size: fields[4].parse().unwrap(),
            md5: fields[5].to_owned(),
        });
    }
    packets
}

/// Compares all tracks with ffmpeg's packets. `streams` are ffmpeg's indices of our tracks, in order
/// of our tracks: video first.
fn compare(name: &str, path: &Path, told: &Told, streams: &[(usize, Codec)]) {
    let theirs = frames(path, streams);
    let mut videos = told.tracks.iter().filter(|t| t.kind() == TrackKind::Video);
    let mut audios = told.tracks.iter().filter(|t| t.kind() == TrackKind::Audio);
    for (n, (_, codec)) in streams.iter().enumerate() {
        let track = match codec.kind() {
            TrackKind::Video => videos.next(),
            TrackKind::Audio => audios.next(),
        };
        let track = track.unwrap_or_else(|| panic!("{name}: no track for {codec}"));
        assert_eq!(track.codec, *codec, "{name}");
        assert!(track.config.is_ok(), "{name}: {:?}", track.config);
        let mut want = theirs.get(&n).cloned().unwrap_or_default();
        let got: Vec<&AccessUnit> = told.of(track.id).collect();
        let mut times = true;
        if told
            .damage
            .iter()
            .any(|damage| damage.track == Some(track.id))
        {
            // The end of a frame whose beginning is not there: ffmpeg makes a packet of it, which
            // takes the time that is the next frame's (§2.4.3.7).
            assert_ne!(want[0].size, got[0].payload.len(), "{name}");
            want.remove(0);
            times = false;
            // The same at the end of the file.
            if want.len() > got.len() && want.last().unwrap().size < want[0].size {
                want.pop();
            }
        }
        for (at, (want, got)) in want.iter().zip(&got).enumerate() {
            let modulo = |ticks: i64| ticks.rem_euclid(TURN);
            // Audio of several frames a PES packet: ffmpeg adds up rounded durations.
            let slack = i64::from(codec.kind() == TrackKind::Audio);
            for (what, want, got) in [("dts", want.dts, got.dts.0), ("pts", want.pts, got.pts().0)]
            {
                let off = modulo(got - want + 5) - 5;
                assert!(
                    off.abs() <= slack || !times,
                    "{name} {codec} {at}: {what} {want}, not {got}"
                );
            }
            match codec.kind() {
                TrackKind::Audio => {
                    assert_eq!(want.size, got.payload.len(), "{name} {codec} {at}");
                    assert_eq!(want.md5, md5(&got.payload), "{name} {codec} {at}");
                }
                TrackKind::Video => {
                    let ours = &got.payload;
                    let nals = media::nal::LengthPrefixed::new(&got.payload, 4).count();
                    // Start codes have three bytes or four, as the writer likes.
                    let least = ours.len() - nals;
                    assert!(
                        (least..=ours.len()).contains(&want.size),
                        "{name} {codec} {at}: {} bytes, not {}",
                        want.size,
                        ours.len()
                    );
                }
            }
        }
        assert_eq!(want.len(), got.len(), "{name} {codec}: packets");
    }
    assert!(
        videos.next().is_none() && audios.next().is_none(),
        "{name}: more tracks"
    );
}

/// MD5 by the program of coreutils.
fn md5(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("md5sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout)[..32].to_owned()
}

const X264: [&str; 6] = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"];

#[test]
fn packet_sizes_programs_and_wraps_of_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let aac = ["-c:a", "aac"];
    let plain = [&X264[..], &["-bf", "2"], &aac].concat();
    let avc_aac = [(0, Codec::H264), (1, Codec::Aac)];
    for (name, more) in [
        ("plain.ts", &[][..]),
        // HDMV has no AAC: ffmpeg writes it as private data that nothing describes.
        ("m2ts.ts", &["-mpegts_m2ts_mode", "1", "-c:a", "ac3"]),
        ("wrap.ts", &["-output_ts_offset", "95441"]),
        ("small-pes.ts", &["-pes_payload_size", "0"]),
        ("latm.ts", &["-mpegts_flags", "latm"]),
        ("rate.ts", &["-muxrate", "2M"]),
    ] {
        let path = make(name, "2", &[&plain[..], more].concat());
        let bytes = read(&path);
        let told = demux(&bytes);
        assert_eq!(told.damage, [], "{name}");
        if name == "latm.ts" {
            // ffmpeg gives LATM as it is; the frames are those of the same encoder without it.
            let plain = demux(&read(&make("adts.ts", "2", &plain)));
            let frames = |told: &Told| {
                let audio = told.tracks.audio().unwrap().id;
                told.of(audio)
                    .map(|unit| (unit.dts, unit.payload.clone()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(frames(&told), frames(&plain));
        } else {
            let avc_ac3 = [(0, Codec::H264), (1, Codec::Ac3)];
            let want = if name == "m2ts.ts" { avc_ac3 } else { avc_aac };
            compare(name, &path, &told, &want);
        }
        let times: Vec<i64> = told.of(media::TrackId(0)).map(|unit| unit.dts.0).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
        if name == "wrap.ts" {
            assert!(
                times[0] < TURN && *times.last().unwrap() > TURN,
                "{times:?}"
            );
        }
    }
}

#[test]
fn codecs_of_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    for (name, codecs, want) in [
        (
            "hevc-ac3.ts",
            &[
                "-c:v",
                "libx265",
                "-x265-params",
                "log-level=none",
                "-c:a",
                "ac3",
            ][..],
            [Codec::H265, Codec::Ac3],
        ),
        (
            "avc-mp3.ts",
            &["-c:v", "libx264", "-c:a", "libmp3lame"],
            [Codec::H264, Codec::Mp3],
        ),
        (
            "avc-opus.ts",
            &["-c:v", "libx264", "-c:a", "libopus"],
            [Codec::H264, Codec::Opus],
        ),
        (
            "avc-eac3.ts",
            &["-c:v", "libx264", "-c:a", "eac3"],
            [Codec::H264, Codec::Eac3],
        ),
        (
            "slices.ts",
            &["-c:v", "libx264", "-slices", "4", "-c:a", "aac", "-ac", "2"],
            [Codec::H264, Codec::Aac],
        ),
        (
            "open-gop.ts",
            &[
                "-c:v",
                "libx264",
                "-x264-params",
                "open-gop=1:keyint=12",
                "-c:a",
                "aac",
            ],
            [Codec::H264, Codec::Aac],
        ),
    ] {
        let path = make(name, "2", codecs);
        let told = demux(&read(&path));
        assert_eq!(told.damage, [], "{name}");
        compare(name, &path, &told, &[(0, want[0]), (1, want[1])]);
        let keys = told
            .of(media::TrackId(0))
            .filter(|unit| unit.is_random_access())
            .count();
        match name {
            "open-gop.ts" => assert!(keys >= 4, "{name}: {keys}"),
            _ => assert!((1..=2).contains(&keys), "{name}: {keys}"),
        }
        let video = told
            .tracks
            .video()
            .unwrap()
            .config
            .as_ref()
            .unwrap()
            .video()
            .unwrap();
        assert_eq!((video.width, video.height), (320, 180));
    }
}

#[test]
fn the_program_that_is_asked_for_is_read() {
    if !has_ffmpeg() {
        return;
    }
    let options = [
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "1:a",
        "-c:v",
        "libx264",
        "-c:a:0",
        "aac",
        "-c:a:1",
        "libmp3lame",
        "-program",
        "program_num=7:st=2",
        "-program",
        "program_num=3:st=0:st=1",
    ];
    let path = make("programs.ts", "1", &options);
    let bytes = read(&path);
    let codecs = |told: &Told| {
        told.tracks
            .iter()
            .map(|track| track.codec)
            .collect::<Vec<_>>()
    };
    let mut demuxer = Demuxer::default();
    demuxer.push(bytes.clone());
    while demuxer.poll().unwrap().is_some() {}
    let mut numbers: Vec<u16> = demuxer
        .programs()
        .iter()
        .map(|program| program.number)
        .collect();
    assert_eq!(demuxer.program(), numbers.first().copied());
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 7]);
    for (number, want) in [(3, vec![Codec::H264, Codec::Aac]), (7, vec![Codec::Mp3])] {
        let mut demuxer = Demuxer::default();
        demuxer.select(number);
        let told = demux_with(demuxer, &bytes, std::iter::empty());
        assert_eq!(codecs(&told), want);
        assert_eq!(told.damage, []);
        assert!(told.units.len() > 30);
    }
    let mut demuxer = Demuxer::default();
    demuxer.select(9);
    assert!(
        demux_with(demuxer, &bytes, std::iter::empty())
            .units
            .is_empty()
    );
}

#[test]
fn real_streams_are_read_as_ffmpeg_reads_them() {
    if !has_ffmpeg() {
        return;
    }
    let Some(folder) = files::shared("ts") else {
        return;
    };
    for (name, streams) in [
        ("sample_ac3.ts", &[(0, Codec::Ac3)][..]),
        ("sample_eac3.ts", &[(0, Codec::Eac3)]),
        (
            "sample_h264_no_access_unit_delimiters.ts",
            &[(0, Codec::H264)],
        ),
        ("sample_h265.ts", &[(0, Codec::H265)]),
        ("test-segment.ts", &[(0, Codec::H264), (1, Codec::Aac)]),
    ] {
        let path = folder.join(name);
        let told = demux(&read(&path));
        compare(name, &path, &told, streams);
    }
    // Layer II is not read, and said so once: a track that is left out, and no damage; the video is.
    let told = demux(&read(&folder.join("sample_h264_mpeg_audio.ts")));
    assert!(told.damage.is_empty(), "{:?}", told.damage);
    let left_out: Vec<_> = told
        .left_out
        .iter()
        .map(|left_out| (left_out.track.0, left_out.reason.as_str()))
        .collect();
    let why = "PID 0x101 has MPEG audio of layer I or II, which is not read";
    assert_eq!(left_out, [(1, why)]);
    assert!(told.tracks.audio().is_none(), "{:?}", told.tracks);
    assert_eq!(told.of(media::TrackId(0)).count(), 3);

    let told = demux(&read(&folder.join("sample_latm.ts")));
    let audio = told.tracks.audio().unwrap();
    let Ok(CodecConfig::Aac(config)) = &audio.config else {
        panic!("{audio:?}");
    };
    // SBR is told, parametric stereo is in the frames only.
    let params = config.params;
    assert_eq!((params.sample_rate, params.channels), (44_100, 1));
    assert!(!told.units.is_empty());

    let told = demux(&read(&folder.join("sample_scte35.ts")));
    assert!(!told.timed.is_empty());
    assert!(
        told.timed
            .iter()
            .all(|timed| timed.bytes.first() == Some(&0xfc))
    );
    assert!(
        told.timed
            .iter()
            .all(|timed| timed.scheme == remux::Scheme::Scte35)
    );
}
