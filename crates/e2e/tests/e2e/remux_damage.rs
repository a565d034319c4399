//! `sidestream remux` and `probe` of damaged files: the good part and where it ends; never a panic, a hang
//! or more memory than is due.

use crate::remux::remux;
use e2e::flv;
use e2e::frames::Coverage;
use e2e::media::{self, testdata};
use e2e::server::{clean_command, sidestream};
use e2e::wait::secs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Ends of the command that are allowed for bad input.
fn ends_well(what: &str, done: &e2e::process::Output) {
    let said = &done.stderr;
    assert!(
        matches!(done.code, Some(0 | 1)),
        "{what}: {:?} {said}",
        done.code
    );
    assert!(!said.contains("panicked"), "{what}: {said}");
    if done.code == Some(1) {
        assert!(
            said.starts_with("error: ") || said.contains("\nerror: "),
            "{what}: {said}"
        );
    }
}

#[test]
fn a_file_is_read_to_its_last_good_tag_and_the_loss_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = std::fs::read(testdata("bframes.flv")).unwrap();
    std::fs::write(at("cut.flv"), &whole[..200_000]).unwrap();
    let tags = flv::read_file(&at("cut.flv"));
    let good: usize = 13 + tags.iter().map(|tag| tag.body.len() + 15).sum::<usize>();
    let done = remux(&at("cut.flv"), &at("out.flv"), &[]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let first = done.stderr.lines().next().unwrap();
    let (input, output) = (at("cut.flv"), at("out.flv"));
    let begins = format!(
        "warning: {}: damaged from byte {good} (0:00:0",
        input.display()
    );
    assert!(first.starts_with(&begins), "{first}\nexpected: {begins}");
    assert!(first.contains(") to the end, "), "{first}");
    let ends = format!(" to {}; use --strict to fail", output.display());
    assert!(
        first.contains("; wrote 0:00:0") && first.ends_with(&ends),
        "{first}"
    );
    let source = flv::media(&tags);
    let got = flv::media(&flv::read_file(&output));
    let placed = source.assert_received("the good part", &got, Coverage::Whole);
    assert_eq!(placed.shift, 0);

    let strict = remux(&at("cut.flv"), &at("strict.flv"), &["--strict"]);
    assert_eq!(strict.code, Some(1), "{}", strict.stderr);
    let begins = format!("error: {}: damaged from byte {good} (", input.display());
    assert!(strict.stderr.starts_with(&begins), "{}", strict.stderr);
}

#[test]
fn damage_in_the_middle_costs_what_it_covers() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let clip = testdata("bframes.flv");
    for (container, bytes) in [("flv", 3_000), ("ts", 188 * 20)] {
        let whole = at(&format!("whole.{container}"));
        assert_eq!(remux(&clip, &whole, &[]).code, Some(0));
        let mut data = std::fs::read(&whole).unwrap();
        let from = data.len() / 2 / 188 * 188;
        data[from..from + bytes].fill(0x55);
        let hurt = at(&format!("hurt.{container}"));
        std::fs::write(&hurt, &data).unwrap();
        let output = at(&format!("out-{container}.flv"));
        let done = remux(&hurt, &output, &[]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stderr.contains(": damaged "), "{}", done.stderr);
        let count = |path: &Path| flv::media(&flv::read_file(path)).frame_count();
        let (all, left) = (count(&clip), count(&output));
        // Six seconds have 433 frames; 3 kB hold a dozen at most.
        assert!(
            left < all && left + 24 > all,
            "{container}: {left} of {all}"
        );
    }
}

#[test]
fn bad_input_never_panics_or_hangs() {
    let Some(shared) = media::shared() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(shared.join("badinput")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(media::files(&path, ""));
        }
    }
    assert!(files.len() > 300, "{} files", files.len());
    for file in files {
        for format in ["flv", "ts", "mp4"] {
            let what = format!("{} as {format}", file.display());
            let output = folder.path().join("out.flv");
            ends_well(&what, &remux(&file, &output, &["-y", "--from", format]));
        }
        let probed = sidestream(&["probe", "--json", file.to_str().unwrap()], secs(20));
        ends_well(&format!("probe {}", file.display()), &probed);
    }
}

#[test]
fn files_cut_anywhere_give_their_good_part_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let clip = testdata("bframes.flv");
    for container in ["flv", "ts", "mp4", "m4s"] {
        let whole = at(&format!("whole.{container}"));
        assert_eq!(remux(&clip, &whole, &[]).code, Some(0));
        let data = std::fs::read(&whole).unwrap();
        let mut place = 1_u64;
        for n in 0..60 {
            // The first ones within the headers, the others anywhere.
            place = place
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let range = if n < 20 { 2_000 } else { data.len() as u64 };
            let len = usize::try_from((place >> 33) % range).unwrap();
            let cut = at(&format!("cut.{container}"));
            std::fs::write(&cut, &data[..len]).unwrap();
            let done = remux(
                &cut,
                &at("out.flv"),
                &["-y", "--from", container_name(container)],
            );
            let what = format!("{container} of {len} bytes");
            ends_well(&what, &done);
            let told = done.stderr.contains("byte") || done.stderr.contains("no audio or video");
            let is_clean = done.code == Some(0) && !done.stderr.contains("warning:");
            assert!(told || is_clean || len == 0, "{what}: {}", done.stderr);
        }
    }
}

fn container_name(extension: &str) -> &str {
    match extension {
        "m4s" => "mp4",
        other => other,
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let tags = flv::read_file(&testdata("demo.flv"));
    let media: Vec<flv::Tag> = tags.iter().filter(|tag| tag.is_media()).cloned().collect();
    let length = media.iter().map(|tag| tag.timestamp_ms).max().unwrap() + 40;
    let head = flv::write(&tags[..tags.iter().position(flv::Tag::is_media).unwrap()]);
    for output in ["x.mp4", "x.ts", "x.m3u8"] {
        let output: PathBuf = folder.path().join(output);
        let mut program = clean_command();
        program.args(["remux", "-"]).arg(&output);
        program
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null());
        let mut child = program.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&head).unwrap();
        // 96 MB.
        for turn in 0..50 {
            let mut again = media.clone();
            for tag in &mut again {
                tag.timestamp_ms += turn * length;
            }
            input.write_all(&flv::write(&again)[13..]).unwrap();
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 64 << 10, "{}: {kib} KiB", output.display());
        std::fs::remove_file(&output).unwrap();
    }
}
