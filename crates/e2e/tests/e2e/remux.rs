//! `sidestream remux`: every container into every other, frames compared by their bytes and times.

use e2e::ffmpeg::{self, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Kind, Media};
use e2e::media::{self, testdata};
use e2e::process::{Output, command, run_ok};
use e2e::server::sidestream;
use e2e::wait::secs;
use std::path::{Path, PathBuf};

/// Runs `remux` with these arguments.
pub(crate) fn remux(input: &Path, output: &Path, options: &[&str]) -> Output {
    let paths = [input.to_str().unwrap(), output.to_str().unwrap()];
    let arguments: Vec<&str> = ["remux"]
        .into_iter()
        .chain(paths)
        .chain(options.iter().copied())
        .collect();
    sidestream(&arguments, secs(60))
}

/// As [`remux`], but it must succeed and say nothing of damage.
fn remux_ok(input: &Path, output: &Path, options: &[&str]) {
    let done = remux(input, output, options);
    assert_eq!(done.code, Some(0), "{}: {}", input.display(), done.stderr);
}

/// All FLV files of the repository and, where there are any, of the shared media.
fn flv_files() -> Vec<PathBuf> {
    let mut files = media::files(testdata("bframes.flv").parent().unwrap(), "flv");
    if let Some(shared) = media::shared() {
        for folder in ["flv", "flv-edge", "flv-ffmpeg", "flv-remux"] {
            files.extend(media::files(&shared.join(folder), "flv"));
        }
    }
    files
}

/// What a container has no place for, by the names of the files.
fn is_carried(name: &str, kind: Kind, container: &str) -> bool {
    let is_ts = container.ends_with("ts");
    match kind {
        Kind::Video if name.contains("av1") => !is_ts,
        Kind::Video if name.contains("vp9") => !is_ts,
        Kind::Audio if name.contains("flac") => !is_ts,
        Kind::Audio if name == "flashContent1" || name == "sh-missing-audio" => container == "flv",
        _ => true,
    }
}

/// The frames of a file as its tags, without what the container cannot carry.
fn tags(file: &Path, name: &str, container: &str) -> Media {
    let mut media = flv::media(&flv::read_file(file));
    if name == "short-tags" {
        // Empty tags are no frames.
        let tags = flv::read_file(file);
        let is_long = |tag: &flv::Tag| tag.body.len() > if tag.kind == 9 { 5 } else { 2 };
        media = flv::media(&tags.into_iter().filter(is_long).collect::<Vec<_>>());
    }
    media
        .tracks
        .retain(|track| is_carried(name, track.kind, container));
    media
}

#[test]
fn flv_comes_back_from_every_container_with_equal_bytes_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let mut compared = 0;
    for file in flv_files() {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for container in ["flv", "ts", "mp4", "m4s", "hls", "hls-ts"] {
            let source = tags(&file, &name, container);
            let (there, options) = match container {
                "hls" | "hls-ts" => (
                    "there.m3u8".to_owned(),
                    vec!["-y", "--segment", "1s", "--to", container],
                ),
                _ => (format!("there.{container}"), vec!["-y"]),
            };
            let there = folder.path().join(there);
            let back = folder.path().join("back.flv");
            let done = remux(&file, &there, &options);
            if source.tracks.is_empty() {
                assert_eq!(done.code, Some(1), "{name} to {container}");
                assert!(
                    done.stderr.contains("no track can be carried"),
                    "{}",
                    done.stderr
                );
                continue;
            }
            assert_eq!(done.code, Some(0), "{name} to {container}: {}", done.stderr);
            remux_ok(&there, &back, &["-y"]);
            compared += 1;
            if name == "res-change-with-metadata" && container == "m4s" {
                // One init segment, one configuration: the rest is left out, and that is said.
                assert!(
                    done.stderr.contains("changes in the middle"),
                    "{}",
                    done.stderr
                );
                continue;
            }
            let same = match name.starts_with("multitrack") {
                // Its tags are of several tracks; FFmpeg tells them apart.
                true => ffmpeg::source(Version::V9, &file, Framing::Native)
                    .compare(
                        &ffmpeg::file_frames(Version::V9, &back, Framing::Native, true),
                        Coverage::Whole,
                    )
                    .map(|_| ()),
                false => returned(&source, &tags(&back, "", "flv"), &name, container),
            };
            if let Err(error) = same {
                failures.push(format!("{name} through {container}: {error}"));
            }
        }
    }
    assert!(compared > 40, "{compared} ways");
    assert!(
        failures.is_empty(),
        "{} of {compared}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Compares what came back with the source.
fn returned(source: &Media, back: &Media, name: &str, container: &str) -> Result<(), String> {
    if name == "ts-jump-back-to-0" {
        return joined(source, back);
    }
    let placed = source.compare(back, Coverage::Whole)?;
    let first = source
        .tracks
        .iter()
        .filter_map(|track| track.frames.first());
    let first = first.map(|frame| frame.dts).min().unwrap_or(0);
    let moves = match container {
        // It would begin with more than a second of nothing.
        "mp4" => first > 90_000,
        // Its clock has 33 bits.
        "ts" | "hls-ts" => first >= 1 << 33,
        _ => false,
    };
    match placed.shift == 0 || moves {
        true => Ok(()),
        false => Err(format!("all times are moved by {} ticks", placed.shift)),
    }
}

/// A clock that starts again goes on where it was; all frames are there.
fn joined(source: &Media, back: &Media) -> Result<(), String> {
    for (source, back) in source.tracks.iter().zip(&back.tracks) {
        let md5s = |track: &e2e::frames::Track| -> Vec<String> {
            track.frames.iter().map(|frame| frame.md5.clone()).collect()
        };
        if md5s(source) != md5s(back) {
            return Err(format!("{:?}: bytes differ", source.kind));
        }
        if let Some(pair) = back
            .frames
            .windows(2)
            .find(|pair| pair[1].dts < pair[0].dts)
        {
            return Err(format!(
                "{:?}: the clock runs backwards: {pair:?}",
                source.kind
            ));
        }
    }
    Ok(())
}

/// FFmpeg reads a file to its end and has nothing to say.
fn reads_cleanly(file: &Path) {
    let mut reader = command(Version::V9.program());
    reader.args(["-nostdin", "-hide_banner", "-v", "error", "-xerror", "-i"]);
    reader.arg(file).args(["-map", "0", "-f", "null", "-"]);
    let said = run_ok("ffmpeg", reader, secs(60)).stderr;
    assert_eq!(said, "", "{}", file.display());
}

#[test]
fn ffmpeg_reads_every_output_with_equal_frames() {
    let folder = tempfile::tempdir().unwrap();
    let outputs: [(&str, &[&str], Framing); 7] = [
        ("x.flv", &[], Framing::Native),
        ("x.ts", &[], Framing::Ts),
        ("x.mp4", &[], Framing::Native),
        ("front.mp4", &["--faststart"], Framing::Native),
        ("fragments.mp4", &["--fragment"], Framing::Native),
        ("mp4.m3u8", &["--segment", "2s"], Framing::Native),
        (
            "ts.m3u8",
            &["--to", "hls-ts", "--segment", "2s"],
            Framing::Ts,
        ),
    ];
    for clip in [
        "bframes.flv",
        "hevc-aac.flv",
        "h264-mp3.flv",
        "video-only.flv",
        "audio-only.flv",
    ] {
        let file = testdata(clip);
        for (name, options, framing) in outputs {
            let output = folder.path().join(format!("{clip}-{name}"));
            remux_ok(&file, &output, options);
            reads_cleanly(&output);
            let source = ffmpeg::source(Version::V9, &file, framing);
            let received = ffmpeg::file_frames(Version::V9, &output, framing, false);
            source.assert_received(&format!("{clip} as {name}"), &received, Coverage::Whole);
        }
    }
}

/// The record of VP9 does not say the picture's size, and some publishers send none: both come from
/// the first key frame.
#[test]
fn vp9_goes_into_mp4_with_its_size_also_without_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let clip = testdata("vp9-opus.flv");
    let bare = folder.path().join("bare.flv");
    let mut tags = flv::read_file(&clip);
    let all = tags.len();
    // Sequence start of enhanced video: `VideoPacketType` 0.
    tags.retain(|tag| tag.kind != 9 || tag.body[0] & 0x8f != 0x80);
    assert_eq!(all - tags.len(), 1, "one sequence header");
    std::fs::write(&bare, flv::write(&tags)).unwrap();
    let source = ffmpeg::source(Version::V9, &clip, Framing::Native);
    for input in [&clip, &bare] {
        let outputs: [(&str, &[&str]); 3] = [
            ("x.mp4", &[]),
            ("fragments.mp4", &["--fragment"]),
            ("x.m3u8", &["--segment", "1s"]),
        ];
        for (name, options) in outputs {
            let name = format!("{}-{name}", input.file_stem().unwrap().display());
            let output = folder.path().join(&name);
            remux_ok(input, &output, options);
            reads_cleanly(&output);
            let received = ffmpeg::file_frames(Version::V9, &output, Framing::Native, false);
            source.assert_received(&name, &received, Coverage::Whole);
            let mut ffprobe = command("ffprobe");
            ffprobe.args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"]);
            let entries = "stream=codec_name,profile,width,height,pix_fmt";
            ffprobe.args(["-show_entries", entries]).arg(&output);
            let said = run_ok("ffprobe", ffprobe, secs(20)).text();
            assert_eq!(
                said.lines().next(),
                Some("vp9,Profile 0,160,90,yuv420p"),
                "{name}"
            );
        }
    }
}

#[test]
fn mp4_and_ts_become_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = testdata("bframes.flv");
    for container in ["ts", "mp4", "m4s"] {
        remux_ok(&file, &at(&format!("a.{container}")), &[]);
    }
    let native = ffmpeg::source(Version::V9, &file, Framing::Native);
    let ts = ffmpeg::source(Version::V9, &file, Framing::Ts);
    for from in ["ts", "mp4", "m4s"] {
        for to in ["ts", "mp4", "m4s"] {
            let output = at(&format!("{from}.{to}"));
            remux_ok(&at(&format!("a.{from}")), &output, &[]);
            reads_cleanly(&output);
            let (source, framing) = match to {
                "ts" => (&ts, Framing::Ts),
                _ => (&native, Framing::Native),
            };
            let received = ffmpeg::file_frames(Version::V9, &output, framing, false);
            source.assert_received(&format!("{from} to {to}"), &received, Coverage::Whole);
        }
    }
}

#[test]
fn shared_ts_and_mp4_files_become_all_others() {
    let Some(shared) = media::shared() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut files = media::files(&shared.join("ts"), "ts");
    files.extend(media::files(&shared.join("mp4"), "mp4"));
    let mut done = 0;
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        // No samples: init segments, and splice information alone.
        let is_empty = name.contains("init") || name == "sample_scte35";
        for to in ["x.flv", "x.ts", "x.mp4", "x.m4s", "x.m3u8"] {
            let output = folder.path().join(to);
            let told = remux(&file, &output, &["-y"]);
            if is_empty {
                assert_eq!(told.code, Some(1), "{name}: {}", told.stderr);
                assert!(told.stderr.contains("no audio or video"), "{}", told.stderr);
                continue;
            }
            assert_eq!(told.code, Some(0), "{name} to {to}: {}", told.stderr);
            reads_as_packets(&output);
            done += 1;
        }
    }
    assert!(done >= 60, "{done} files");
}

/// FFmpeg's demuxer has nothing to say.
fn reads_as_packets(file: &Path) {
    let mut reader = command(Version::V9.program());
    reader.args(["-nostdin", "-hide_banner", "-v", "error", "-xerror", "-i"]);
    reader
        .arg(file)
        .args(["-map", "0", "-c", "copy", "-f", "null", "-"]);
    let said = run_ok("ffmpeg", reader, secs(60)).stderr;
    assert_eq!(said, "", "{}", file.display());
}

#[test]
fn start_and_end_cut_at_random_access_points() {
    let folder = tempfile::tempdir().unwrap();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let video = source.video().unwrap();
    for (name, options) in [
        ("cut.flv", &["--start", "2.5s", "--end", "0:03.5"][..]),
        ("cut.mp4", &["--start", "2500ms", "--end", "3500ms"][..]),
    ] {
        let output = folder.path().join(name);
        remux_ok(&file, &output, options);
        // A key frame a second: 2.5 s is in the GOP that begins at 2 s, the first at or after 3.5 s is 4 s.
        let cut = ffmpeg::file_frames(Version::V5, &output, Framing::Native, false);
        let md5s = |track: &e2e::frames::Track| -> Vec<String> {
            track.frames.iter().map(|frame| frame.md5.clone()).collect()
        };
        assert_eq!(md5s(cut.video().unwrap()), md5s(video)[50..100], "{name}");
        let audio = source.audio().unwrap();
        let (from, to) = (video.frames[50].dts, video.frames[100].dts);
        let expected: Vec<String> = audio
            .frames
            .iter()
            .filter(|frame| (from..to).contains(&frame.dts))
            .map(|frame| frame.md5.clone())
            .collect();
        assert_eq!(md5s(cut.audio().unwrap()), expected, "{name}");
        reads_cleanly(&output);
    }
    let output = folder.path().join("none.flv");
    let none = remux(&file, &output, &["--start", "1h"]);
    assert_eq!(none.code, Some(1), "{}", none.stderr);
    assert!(
        none.stderr
            .contains("nothing lies between --start and --end"),
        "{}",
        none.stderr
    );
    assert!(!output.exists());
}

/// Script data with nothing but a name.
fn script(name: &str, timestamp_ms: u32) -> flv::Tag {
    let mut body = vec![2, 0, u8::try_from(name.len()).unwrap()];
    body.extend_from_slice(name.as_bytes());
    body.push(5);
    flv::Tag {
        kind: 18,
        timestamp_ms,
        body,
    }
}

#[test]
fn script_data_of_the_cut_range_is_kept_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cues.flv");
    let mut tags = flv::read_file(&testdata("bframes.flv"));
    // The clip begins at 0; a key frame a second.
    for (name, ms) in [
        ("a", 500),
        ("b", 1_990),
        ("c", 2_200),
        ("d", 3_980),
        ("e", 4_100),
    ] {
        let behind = tags
            .iter()
            .position(|tag| tag.is_media() && tag.timestamp_ms > ms);
        tags.insert(behind.unwrap(), script(name, ms));
    }
    std::fs::write(&file, flv::write(&tags)).unwrap();
    let scripts = |options: &[&str]| -> Vec<(u32, String)> {
        let output = folder.path().join("cut.flv");
        let options: Vec<&str> = options.iter().copied().chain(["-y"]).collect();
        remux_ok(&file, &output, &options);
        reads_as_packets(&output);
        let tags = flv::read_file(&output);
        let name = &tags[0].body[3..13];
        assert_eq!((tags[0].kind, name), (18, &b"onMetaData"[..]));
        let scripts = tags[1..].iter().filter(|tag| tag.kind == 18);
        let name = |tag: &flv::Tag| String::from_utf8_lossy(&tag.body[3..4]).into_owned();
        scripts.map(|tag| (tag.timestamp_ms, name(tag))).collect()
    };
    let named = |want: &[(u32, &str)]| -> Vec<(u32, String)> {
        want.iter()
            .map(|&(ms, name)| (ms, name.to_owned()))
            .collect()
    };
    let cut = scripts(&["--start", "2.5s", "--end", "3.5s"]);
    assert_eq!(cut, named(&[(200, "c"), (1_980, "d")]));
    let begun = scripts(&["--end", "2s"]);
    assert_eq!(begun, named(&[(500, "a"), (1_990, "b")]));
}

/// The clip several times over.
pub(crate) fn long_clip(folder: &Path, times: u32) -> PathBuf {
    let clip = flv::read_file(&testdata("bframes.flv"));
    let mut tags = clip.clone();
    for round in 1..times {
        let media = clip
            .iter()
            .filter(|tag| tag.is_media() && !tag.is_configuration());
        tags.extend(media.map(|tag| flv::Tag {
            timestamp_ms: tag.timestamp_ms + 6_000 * round,
            ..tag.clone()
        }));
    }
    let file = folder.join("long.flv");
    std::fs::write(&file, flv::write(&tags)).unwrap();
    file
}

/// Runs `remux` on a pseudo terminal, its output read by somebody who takes his time; what is
/// shown, from one clearing of the line to the next.
fn shown(input: &Path, options: &str) -> Vec<String> {
    let mut script = command("script");
    // Longer than between two lines.
    let shell = format!(
        "'{}' remux '{}' - --to ts {options} | {{ sleep 0.3; cat >/dev/null; }}",
        e2e::server::binary().display(),
        input.display(),
    );
    script
        .args(["-qec", &shell, "/dev/null"])
        .env("SHELL", "/bin/sh");
    let text = run_ok("script", script, secs(60)).text();
    text.split("\r\x1b[K").map(str::to_owned).collect()
}

#[test]
fn a_terminal_shows_share_speed_and_time_left_of_files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let file = long_clip(folder.path(), 40);
    let list = folder.path().join("x.m3u8");
    remux_ok(&file, &list, &["--segment", "2s"]);
    for input in [&file, &list] {
        let names = format!("{} -> -", input.display());
        let frames = shown(input, "");
        let (first, rest) = frames.split_first().unwrap();
        let (last, bars) = rest.split_last().unwrap();
        assert_eq!(first, "", "{frames:?}");
        assert!(!bars.is_empty(), "{frames:?}");
        let mut before = 0;
        for bar in bars {
            let line = bar.strip_prefix(&names).unwrap();
            let words: Vec<&str> = line.split("  ").filter(|word| !word.is_empty()).collect();
            let &[strip, percent, speed, rate, left] = &words[..] else {
                panic!("{bar:?}");
            };
            assert_eq!(
                strip.chars().filter(|char| "━╺".contains(*char)).count(),
                25
            );
            let percent: u32 = percent.strip_suffix('%').unwrap().parse().unwrap();
            assert!(
                (before..=100).contains(&percent),
                "{percent} after {before}"
            );
            before = percent;
            assert!(speed.ends_with('x') && rate.ends_with("B/s"), "{bar:?}");
            let left = left.strip_suffix("s left").unwrap();
            assert!(left.parse::<u64>().is_ok(), "{bar:?}");
        }
        let summary = format!("{names}: 0:04:00, ");
        assert!(last.starts_with(&summary), "{last:?}");
        assert!(last.ends_with("), no warnings\r\n"), "{last:?}");
    }
    let plain = shown(&file, "--no-progress");
    assert_eq!(plain.len(), 1, "{plain:?}");
    assert_eq!(shown(&file, "--quiet"), [""]);
}

#[test]
fn streams_that_are_not_read_are_named_once_and_are_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("x.ts");
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"]);
    ffmpeg.args([
        "testsrc2=size=64x48:rate=25:duration=2",
        "-f",
        "lavfi",
        "-i",
    ]);
    ffmpeg.args([
        "sine=duration=2",
        "-map",
        "0",
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "1",
    ]);
    ffmpeg.args([
        "-c:v:0",
        "libx264",
        "-c:v:1",
        "mpeg2video",
        "-c:a:0",
        "mp2",
        "-c:a:1",
        "aac",
    ]);
    ffmpeg.arg(&input);
    run_ok("ffmpeg", ffmpeg, secs(30));
    let list = folder.path().join("x.m3u8");
    let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nx.ts\n#EXT-X-ENDLIST\n";
    std::fs::write(&list, playlist).unwrap();
    for from in [&input, &list] {
        let output = folder.path().join("x.mp4");
        let done = remux(from, &output, &["-y", "--strict"]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let lines: Vec<&str> = done.stderr.lines().collect();
        let said = |kind: &str, what: &str| {
            let begins = format!("warning: {}: leaves out {kind} track ", from.display());
            let ends = "which is not read";
            let is = |line: &&&str| {
                line.starts_with(&begins) && line.contains(what) && line.ends_with(ends)
            };
            lines.iter().filter(is).count()
        };
        assert_eq!(said("video", "PID 0x101 has MPEG-2 video"), 1, "{lines:#?}");
        assert_eq!(
            said("audio", "PID 0x102 has MPEG audio of layer I or II"),
            1,
            "{lines:#?}"
        );
        assert_eq!(lines.len(), 3, "{lines:#?}");
        assert!(lines[2].contains(", 2 tracks in "), "{lines:#?}");
        assert!(lines[2].ends_with("2 warnings"), "{lines:#?}");
        reads_cleanly(&output);
    }
}

#[test]
fn audio_is_cut_exactly_and_goes_into_bare_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let frames = &source.audio().unwrap().frames;
    for name in ["a.m4a", "a.aac", "tracks.mp4"] {
        let options: &[&str] = match name {
            "tracks.mp4" => &["--tracks", "audio"],
            _ => &[],
        };
        remux_ok(&file, &at(name), options);
        let got = ffmpeg::file_frames(Version::V5, &at(name), Framing::Ts, false);
        assert_eq!(got.tracks.len(), 1, "{name}");
        let md5s = |frames: &[e2e::frames::Frame]| -> Vec<String> {
            frames.iter().map(|frame| frame.md5.clone()).collect()
        };
        assert_eq!(md5s(&got.tracks[0].frames), md5s(frames), "{name}");
    }
    remux_ok(
        &at("a.m4a"),
        &at("cut.m4a"),
        &["--start", "1s", "--end", "2s"],
    );
    let cut = ffmpeg::file_frames(Version::V5, &at("cut.m4a"), Framing::Native, false);
    let within = |frame: &&e2e::frames::Frame| {
        let at = frame.dts - frames[0].dts;
        (90_000..180_000).contains(&at)
    };
    let expected: Vec<&str> = frames
        .iter()
        .filter(within)
        .map(|frame| &frame.md5[..])
        .collect();
    let got: Vec<&str> = cut.tracks[0]
        .frames
        .iter()
        .map(|frame| &frame.md5[..])
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn standard_input_and_output_give_the_bytes_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = testdata("bframes.flv");
    for format in ["flv", "ts", "fmp4"] {
        let output = folder.path().join(format);
        remux_ok(&file, &output, &["--to", format]);
        let mut shell = command("sh");
        let program = e2e::server::binary();
        let (program, input) = (program.display(), file.display());
        shell.args([
            "-c",
            &format!("cat {input} | {program} remux - - --to {format} | cat"),
        ]);
        let piped = run_ok("a pipe", shell, secs(30)).stdout;
        let written = std::fs::read(&output).unwrap();
        // A pipe has no place for an index of key frames.
        let same = match format {
            "flv" => {
                let piped_file = folder.path().join("piped.flv");
                std::fs::write(&piped_file, &piped).unwrap();
                let frames = |path: &Path| tags(path, "", "flv").frame_count();
                frames(&piped_file) == frames(&output)
            }
            _ => piped == written,
        };
        assert!(
            same,
            "{format}: {} and {} bytes",
            piped.len(),
            written.len()
        );
    }
}

#[test]
fn outputs_are_not_replaced_unasked_and_failures_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = testdata("bframes.flv");
    std::fs::write(at("x.mp4"), b"mine").unwrap();
    let refused = remux(&file, &at("x.mp4"), &[]);
    let shown = at("x.mp4").display().to_string();
    assert_eq!(refused.code, Some(1));
    assert_eq!(
        refused.stderr,
        format!("error: {shown}: exists; pass -y to replace it\n")
    );
    assert_eq!(std::fs::read(at("x.mp4")).unwrap(), b"mine");
    remux_ok(&file, &at("x.mp4"), &["-y"]);
    reads_cleanly(&at("x.mp4"));

    let same = remux(&at("x.mp4"), &at("x.mp4"), &["-y"]);
    assert_eq!(same.code, Some(2), "{}", same.stderr);
    let format = remux(&file, &at("x.xyz"), &[]);
    assert_eq!(format.code, Some(2), "{}", format.stderr);
    let tracks = remux(&file, &at("y.mp4"), &["--tracks", "7"]);
    assert_eq!(tracks.code, Some(2));
    let has = format!(
        "error: --tracks: {} has no track 7; it has video 0, audio 1\n",
        file.display()
    );
    assert_eq!(tracks.stderr, has);
    let missing = remux(&at("no.flv"), &at("y.mp4"), &[]);
    assert_eq!(
        missing.stderr,
        format!("error: {}: no such file\n", at("no.flv").display())
    );
    std::fs::write(at("text.flv"), b"this is no media").unwrap();
    assert_eq!(remux(&at("text.flv"), &at("y.m3u8"), &[]).code, Some(1));
    let mut left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["text.flv", "x.mp4"]);
}
