//! The examples do what they say, run to their end, and stay short.

use std::path::Path;
use std::process::Command;

fn prints(name: &str, expected: &str) {
    // Built here: cargo does not build them beside a selection of tests. With the features of the whole
    // workspace, so that what all other tests were built from is used again.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", name])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{name}: {errors}");
    let binary = Path::new(env!("CARGO_BIN_EXE_sidestream")).with_file_name("examples");
    let output = Command::new(binary.join(name))
        .output()
        .expect("it was built");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(expected), "{name} printed {printed}");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{name}.rs"));
    let source = std::fs::read_to_string(source).expect("beside the crate");
    assert!(source.lines().count() < 41, "{name} has become long");
}

#[test]
fn embed_refuses_the_wrong_key() {
    prints(
        "embed",
        "guess: refused by the server (\"wrong stream key\")",
    );
}

#[test]
fn publish_frames_sends_them_all() {
    prints("publish_frames", "sent 60 units of live/alice\n");
}

#[test]
fn subscribe_gets_them_all() {
    prints("subscribe", "tracks: 1\n94 units, the last at 1984 ms\n");
}

#[test]
fn push_reaches_the_other_relay() {
    prints("push_and_events", "live/copy: 1 track");
}

#[test]
fn every_example_is_run_above() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).expect("beside the crate");
    let names = files.map(|file| file.expect("a file").file_name().into_string());
    let mut names: Vec<String> = names.map(|name| name.expect("UTF-8")).collect();
    names.sort();
    let run = ["embed", "publish_frames", "push_and_events", "subscribe"];
    assert_eq!(names, run.map(|name| format!("{name}.rs")));
}
