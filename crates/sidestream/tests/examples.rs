//! The examples do what they say, run to their end, and stay short.

use std::path::Path;
use std::process::Command;

fn prints(name: &str, expected: &str) {
    // Through cargo: with a selection of tests it would not build the examples by itself.
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "sidestream",
            "--example",
            name,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
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
