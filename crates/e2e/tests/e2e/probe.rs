//! `sidestream probe` of files: the same findings in every container, and faults of time.

use crate::remux::remux;
use e2e::ffmpeg::Version;
use e2e::flv::{self, Tag};
use e2e::media::{self, testdata};
use e2e::process::{command, run_ok};
use e2e::server::sidestream;
use e2e::wait::secs;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn probe(file: &Path) -> Value {
    let done = sidestream(&["probe", "--json", file.to_str().unwrap()], secs(20));
    assert_eq!(done.code, Some(0), "{}: {}", file.display(), done.stderr);
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn every_container_of_a_clip_is_described_alike() {
    let folder = tempfile::tempdir().unwrap();
    let clip = testdata("bframes.flv");
    let want = probe(&clip);
    for (name, format) in [("a.ts", "ts"), ("a.mp4", "mp4"), ("a.m4s", "mp4")] {
        let file = folder.path().join(name);
        assert_eq!(remux(&clip, &file, &[]).code, Some(0));
        let got = probe(&file);
        assert_eq!(got["format"], format);
        for key in [
            "duration_s",
            "av_start_offset_s",
            "av_end_offset_s",
            "timing_faults",
        ] {
            assert_eq!(got[key], want[key], "{name}: {key}");
        }
        for track in [0, 1] {
            for key in [
                "kind",
                "codec",
                "codec_string",
                "width",
                "height",
                "sample_rate_hz",
                "channels",
                "units",
                "frame_rate",
                "first_dts_s",
                "last_dts_s",
                "gop_min_s",
                "gop_max_s",
                "random_access_points",
                "max_composition_offset_s",
                "configurations",
            ] {
                let (got, want) = (&got["tracks"][track][key], &want["tracks"][track][key]);
                assert_eq!(got, want, "{name}: track {track}: {key}");
            }
        }
    }
}

/// Units, size and codec of every shared file are what ffprobe counts.
#[test]
fn ffprobe_counts_the_same_units() {
    let Some(shared) = media::shared() else {
        return;
    };
    let mut files = media::files(&shared.join("mp4"), "mp4");
    files.extend(media::files(&shared.join("flv"), "flv"));
    files.retain(|file| !file.to_string_lossy().contains("init"));
    // FFmpeg 5.1 reads no HEVC in FLV.
    files.retain(|file| !file.ends_with("flv/hevc_aac.flv"));
    let mut compared = 0;
    for file in files {
        let mut ffprobe = command("ffprobe");
        ffprobe.args([
            "-v",
            "error",
            "-count_packets",
            "-of",
            "json",
            "-show_entries",
        ]);
        ffprobe
            .arg("stream=codec_type,nb_read_packets,width,height")
            .arg(&file);
        let text = run_ok("ffprobe", ffprobe, secs(20)).text();
        let theirs: Value = serde_json::from_str(&text).unwrap();
        let ours = probe(&file);
        for kind in ["video", "audio"] {
            let theirs: Vec<u64> = theirs["streams"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|stream| stream["codec_type"] == kind)
                .map(|stream| stream["nb_read_packets"].as_str().unwrap().parse().unwrap())
                .collect();
            let ours: Vec<u64> = ours["tracks"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|track| track["kind"] == kind)
                .map(|track| track["units"].as_u64().unwrap())
                .collect();
            assert_eq!(ours, theirs, "{}: {kind}", file.display());
            compared += theirs.len();
        }
    }
    assert!(compared >= 20, "{compared} tracks");
}

/// Writes the clip with its tags changed, and probes it. `change` is given how many pictures there were
/// before the tag, and whether it is one.
fn changed(change: impl Fn(usize, bool, &mut Tag)) -> Value {
    let folder = tempfile::tempdir().unwrap();
    probe(&write_changed(folder.path(), change))
}

fn write_changed(folder: &Path, change: impl Fn(usize, bool, &mut Tag)) -> PathBuf {
    let file = folder.join("x.flv");
    let mut tags = flv::read_file(&testdata("bframes.flv"));
    let mut pictures = 0;
    for tag in tags.iter_mut().filter(|tag| tag.is_media()) {
        let is_picture = tag.kind == 9;
        change(pictures, is_picture, tag);
        pictures += usize::from(is_picture);
    }
    std::fs::write(&file, flv::write(&tags)).unwrap();
    file
}

/// What `probe` says to people.
fn text(file: &Path) -> String {
    let done = sidestream(&["probe", file.to_str().unwrap()], secs(20));
    assert_eq!(done.code, Some(0), "{}: {}", file.display(), done.stderr);
    done.text()
}

/// Runs FFmpeg 5.1 on test pictures and a tone of `seconds`, and these options.
fn encode(seconds: u32, options: &[&str], output: &Path) {
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    let pictures = format!("testsrc2=size=64x48:rate=25:duration={seconds}");
    ffmpeg.args([
        &pictures,
        "-f",
        "lavfi",
        "-i",
        &format!("sine=duration={seconds}"),
    ]);
    ffmpeg.args(options).arg(output);
    run_ok("ffmpeg", ffmpeg, secs(30));
}

#[test]
fn programs_of_a_transport_stream_are_those_of_ffprobe() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.ts");
    let options = "-map 0 -map 1 -map 0 -map 1 -c:v libx264 -c:a:0 aac -c:a:1 ac3 -program st=0:st=1 -program st=2:st=3";
    encode(2, &options.split(' ').collect::<Vec<_>>(), &file);
    let ours = probe(&file);
    let mut ffprobe = command("ffprobe");
    ffprobe
        .args(["-v", "error", "-show_programs", "-of", "json"])
        .arg(&file);
    let theirs = run_ok("ffprobe", ffprobe, secs(20)).text();
    let theirs: Value = serde_json::from_str(&theirs).unwrap();
    let theirs = theirs["programs"].as_array().unwrap();
    let programs = ours["programs"].as_array().unwrap();
    assert_eq!((programs.len(), theirs.len()), (2, 2), "{programs:#?}");
    for (ours, theirs) in programs.iter().zip(theirs) {
        assert_eq!(ours["number"], theirs["program_num"]);
        assert_eq!(ours["map_pid"], theirs["pmt_pid"]);
        assert_eq!(ours["pcr_pid"], theirs["pcr_pid"]);
        let pids = |program: &Value, of: fn(&Value) -> String| -> Vec<String> {
            program["streams"]
                .as_array()
                .unwrap()
                .iter()
                .map(of)
                .collect()
        };
        let own = pids(ours, |stream| {
            format!("{:#x}", stream["pid"].as_u64().unwrap())
        });
        let others = pids(theirs, |stream| stream["id"].as_str().unwrap().to_owned());
        assert_eq!(own, others);
    }
    let codecs = |program: &Value| -> Vec<Value> {
        let streams = program["streams"].as_array().unwrap().iter();
        streams.map(|stream| stream["content"].clone()).collect()
    };
    assert_eq!(codecs(&programs[0]), ["H.264", "AAC"]);
    assert_eq!(codecs(&programs[1]), ["H.264", "AC-3"]);
    let read: Vec<_> = programs.iter().map(|program| &program["read"]).collect();
    assert_eq!(read, [true, false]);
    let text = text(&file);
    let first = "  program 1   map 0x1000   clock 0x100   0x100 H.264, 0x101 AAC   read\n";
    let second = "  program 2   map 0x1001   clock 0x102   0x102 H.264, 0x103 AC-3\n";
    assert!(text.contains(&format!("{first}{second}")), "{text}");
    assert_eq!(
        probe(&testdata("bframes.flv"))["programs"],
        serde_json::json!([])
    );
}

#[test]
fn what_is_not_read_is_listed_once_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.ts");
    let options =
        "-map 0 -map 0 -map 1 -map 1 -c:v:0 libx264 -c:v:1 mpeg2video -c:a:0 mp2 -c:a:1 aac";
    encode(1, &options.split(' ').collect::<Vec<_>>(), &file);
    let json = probe(&file);
    let of = |list: &str, key: &str| -> Vec<Value> {
        let items = json[list].as_array().unwrap().iter();
        items.map(|item| item[key].clone()).collect()
    };
    assert_eq!(of("tracks", "codec"), ["H.264", "AAC"]);
    assert_eq!(of("tracks", "id"), [0, 3]);
    // In the order in which it is known: the map, then the frames.
    assert_eq!(of("left_out", "id"), [2, 1]);
    assert_eq!(
        of("left_out", "reason"),
        [
            "PID 0x101 has MPEG-2 video, which is not read",
            "PID 0x102 has MPEG audio of layer I or II, which is not read",
        ]
    );
    assert_eq!(json["damages"], 0);
    let text = text(&file);
    let line =
        "\n  audio 1   not read: PID 0x102 has MPEG audio of layer I or II, which is not read\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(text.matches("\n  audio 1 ").count(), 1, "{text}");
}

#[test]
fn every_gop_is_told_with_its_length() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mp4");
    let options =
        "-c:v libx264 -g 250 -bf 0 -sc_threshold 0 -force_key_frames 0,0.4,1.2,3 -c:a aac";
    encode(4, &options.split(' ').collect::<Vec<_>>(), &file);
    for container in ["mp4", "ts", "flv"] {
        let other = folder.path().join(format!("y.{container}"));
        assert_eq!(remux(&file, &other, &[]).code, Some(0));
        let json = probe(&other);
        let track = &json["tracks"][0];
        assert_eq!(track["random_access_points"], 4);
        assert_eq!(
            track["gops_s"],
            serde_json::json!([0.4, 0.8, 1.8]),
            "{container}"
        );
        assert_eq!(
            (&track["gop_min_s"], &track["gop_max_s"]),
            (&0.4.into(), &1.8.into())
        );
        assert_eq!(track["gop_average_s"], 1.0);
        assert_eq!(json["tracks"][1]["gops_s"], Value::Null);
        let text = text(&other);
        assert!(text.contains("   GOP 0.40..1.80 s, mean 1.00 s"), "{text}");
    }
}

#[test]
fn sound_that_lies_apart_from_the_picture_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let clip = probe(&testdata("bframes.flv"));
    let apart =
        |key: &str, probed: &Value| probed[key].as_f64().unwrap() - clip[key].as_f64().unwrap();
    let late = write_changed(folder.path(), |_, is_picture, tag| {
        tag.timestamp_ms += if is_picture { 0 } else { 700 };
    });
    for container in ["flv", "ts", "mp4"] {
        let file = folder.path().join(format!("y.{container}"));
        assert_eq!(remux(&late, &file, &[]).code, Some(0));
        let probed = probe(&file);
        for key in ["av_start_offset_s", "av_end_offset_s"] {
            let moved = apart(key, &probed);
            assert!((moved + 0.7).abs() < 0.002, "{container}: {key}: {moved}");
        }
        assert_eq!(probed["timing_faults"], 0);
        let ms = (probed["av_start_offset_s"].as_f64().unwrap() * 1_000.0) as i64;
        let line = format!("\n  start  video {ms:+} ms against audio\n");
        assert!(text(&file).contains(&line), "{}{line}", text(&file));
    }
}

#[test]
fn a_gap_is_told_alike_in_every_container() {
    let folder = tempfile::tempdir().unwrap();
    let gap = write_changed(folder.path(), |n, _, tag| {
        tag.timestamp_ms += if n >= 50 { 3_000 } else { 0 };
    });
    let want = probe(&gap)["timing"].clone();
    let faults = want.as_array().unwrap();
    let kinds: Vec<_> = faults
        .iter()
        .map(|fault| (&fault["track"], &fault["kind"]))
        .collect();
    let gap_of = |track: u64| (Value::from(track), Value::from("gap"));
    assert_eq!(kinds.len(), 2, "{want:#}");
    for track in [0, 1] {
        let (id, kind) = gap_of(track);
        assert!(kinds.contains(&(&id, &kind)), "{want:#}");
    }
    for container in ["ts", "mp4", "m4s"] {
        let file = folder.path().join(format!("y.{container}"));
        assert_eq!(remux(&gap, &file, &[]).code, Some(0));
        let got = probe(&file)["timing"].clone();
        assert_eq!(got, want, "{container}");
    }
}

#[test]
fn faults_of_time_are_told_with_their_place() {
    let clip = probe(&testdata("bframes.flv"));
    assert_eq!(clip["timing_faults"], 0);
    let first = clip["tracks"][0]["first_dts_s"].as_f64().unwrap();

    let gap = changed(|n, is_picture, tag| {
        tag.timestamp_ms += if is_picture && n >= 50 { 3_000 } else { 0 };
    });
    assert_eq!(gap["timing_faults"], 1, "{gap:#}");
    assert_eq!(gap["timing"][0]["detail"], "nothing for 3040 ms");
    // 25 fps: picture 50 comes at 2 s.
    assert_eq!(gap["timing"][0]["at_s"], first + 5.0);
    assert_eq!(gap["timing"][0]["track"], 0);
    assert_eq!(gap["timing"][0]["kind"], "gap");
    let sound_ahead =
        gap["av_end_offset_s"].as_f64().unwrap() - clip["av_end_offset_s"].as_f64().unwrap();
    assert!((sound_ahead - 3.0).abs() < 0.05, "{sound_ahead}");

    let earlier = |by: u32| {
        changed(move |n, is_picture, tag| {
            tag.timestamp_ms -= if is_picture && n == 50 { by } else { 0 };
        })
    };
    let back = earlier(60);
    assert_eq!(back["timing_faults"], 1, "{back:#}");
    assert_eq!(
        back["timing"][0]["detail"],
        "decode time goes back by 20 ms"
    );
    assert_eq!(back["timing"][0]["kind"], "non-monotonic");
    assert_eq!(
        earlier(40)["timing"][0]["detail"],
        "decode time stands still"
    );

    let jump = changed(|n, _, tag| tag.timestamp_ms += if n < 50 { 1_000_000 } else { 0 });
    assert_eq!(jump["timing_faults"], 1, "{jump:#}");
    assert_eq!(jump["timing"][0]["detail"], "the clock breaks");
    assert_eq!(jump["timing"][0]["track"], Value::Null);
    assert_eq!(jump["timing"][0]["kind"], "jump");
}

#[test]
fn damage_is_told_with_byte_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.flv");
    let clip = std::fs::read(testdata("video-only.flv")).unwrap();
    std::fs::write(&file, &clip[..30_000]).unwrap();
    let shown = file.to_str().unwrap();
    let done = sidestream(&["probe", "--json", shown], secs(20));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let json: Value = serde_json::from_slice(&done.stdout).unwrap();
    let tags = flv::read_file(&file);
    let good: usize = 13 + tags.iter().map(|tag| tag.body.len() + 15).sum::<usize>();
    assert_eq!(json["damages"], 1);
    assert_eq!(json["bytes_lost"], 30_000 - good);
    let damage = json["damage"].as_str().unwrap();
    let begins = format!("{shown}: damaged from byte {good} (0:00:0");
    assert!(damage.starts_with(&begins), "{damage}");
    assert_eq!(
        done.stderr,
        format!("warning: {damage}; use --strict to fail\n")
    );
    let strict = sidestream(&["probe", "--strict", shown], secs(20));
    assert_eq!(strict.code, Some(1));
    assert_eq!(strict.stderr, format!("error: {damage}\n"));
}
