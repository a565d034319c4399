//! Words and exit codes of the command line.

use e2e::server::{Options, Server, sidestream};
use e2e::wait::secs;
use std::path::PathBuf;

fn check(text: &str) -> (Option<i32>, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("sidestream.toml");
    std::fs::write(&file, text).unwrap();
    let output = sidestream(&["check", "--config", file.to_str().unwrap()], secs(10));
    let all = format!("{}{}", output.text(), output.stderr);
    let all = all.replace(&format!("{}/", folder.path().display()), "");
    (output.code, all, folder)
}

#[test]
fn check_names_every_problem_with_its_line() {
    let (code, text, _folder) = check(
        "[fanout]\nbacth = \"50ms\"\n\n[hls]\nsegment = 2\n\n[rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"/no/such/cert.pem\"\nkey = \"/no/such/key.pem\"\n",
    );
    assert_eq!(code, Some(1), "{text}");
    for line in [
        "error: sidestream.toml:2:1: unknown key \"bacth\" in [fanout]; did you mean \"batch\"?",
        "error: sidestream.toml:5:11: hls.segment is a duration, found the number 2; write segment = \"2s\"",
        "error: sidestream.toml:9:8: rtmps.cert: /no/such/cert.pem: no such file; create it or remove [rtmps]",
    ] {
        assert!(
            text.lines().any(|got| got == line),
            "missing: {line}\ngot:\n{text}"
        );
    }
}

#[test]
fn check_accepts_a_good_file_and_says_what_it_means() {
    let (code, text, _folder) =
        check("[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n");
    assert_eq!(code, Some(0), "{text}");
    let line = text.lines().last().unwrap_or_default();
    assert!(
        line.starts_with("ok: 2 keys set, mode open, listens rtmp "),
        "{text}"
    );
}

#[test]
fn serve_refuses_the_same_file_and_an_unknown_variable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sidestream.toml");
    std::fs::write(&file, "[fanout]\nbacth = \"50ms\"\n").unwrap();
    let file = file.to_str().unwrap();
    let output = sidestream(
        &["serve", "--config", file, "--rtmp", "127.0.0.1:0"],
        secs(10),
    );
    assert!(matches!(output.code, Some(1 | 2)), "{:?}", output.code);
    assert!(
        output.stderr.contains("did you mean \"batch\"?"),
        "{}",
        output.stderr
    );

    let mut program = e2e::server::clean_command();
    program.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    program
        .env("SIDESTREAM_FANOUT__BACTH", "50ms")
        .current_dir(folder.path());
    let output = e2e::process::run("sidestream serve", program, secs(10));
    assert!(matches!(output.code, Some(1 | 2)), "{:?}", output.code);
    assert!(
        output.stderr.contains("SIDESTREAM_FANOUT__BACTH"),
        "{}",
        output.stderr
    );
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    assert_eq!(sidestream(&[], secs(10)).code, Some(2));
    let output = sidestream(&["serv"], secs(10));
    assert_eq!(output.code, Some(2));
    assert!(
        output.stderr.contains("serve"),
        "nearest name: {}",
        output.stderr
    );
    assert_eq!(
        sidestream(&["serve", "--rmtp", "x"], secs(10)).code,
        Some(2)
    );
    for command in ["", "serve", "demo", "push", "probe", "check"] {
        let arguments: Vec<&str> = [command, "--help"]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let output = sidestream(&arguments, secs(10));
        assert_eq!(output.code, Some(0), "{arguments:?}");
        assert!(
            output.stderr.is_empty() && output.stdout.len() > 200,
            "{arguments:?}"
        );
    }
    let version = sidestream(&["--version"], secs(10)).text();
    assert!(version.starts_with("sidestream 0.1.0"), "{version}");
}

#[test]
fn probe_tells_tracks_of_files_and_of_live_streams() {
    let file = e2e::media::testdata("bframes.flv");
    let file = file.to_str().unwrap();
    let output = sidestream(&["probe", file], secs(20));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    for word in ["H.264", "320x180", "25", "AAC"] {
        assert!(output.text().contains(word), "{word} in {}", output.text());
    }
    let output = sidestream(&["probe", "--json", file], secs(20));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        json["tracks"]
            .as_array()
            .is_some_and(|tracks| tracks.len() == 2),
        "{json:#}"
    );
    let duration = json["duration_s"].as_f64().unwrap();
    assert!((duration - 6.0).abs() < 0.2, "{duration}");

    let server = Server::with(&Options::default());
    let output = sidestream(&["probe", &server.rtmp_url("live/no")], secs(20));
    assert_eq!(output.code, Some(1));
    let want = format!(
        "error: {}: nobody publishes live/no yet; start the publisher or add --wait 30s",
        server.rtmp_url("live/no")
    );
    assert_eq!(output.stderr.trim(), want);
    let _publisher = e2e::ffmpeg::publish(
        e2e::ffmpeg::Version::V5,
        &e2e::media::testdata("bframes.flv"),
        &server.rtmp_url("live/cam"),
    );
    server.wait_for_stream("live/cam");
    for url in [
        server.rtmp_url("live/cam"),
        server.http_url("/live/cam.flv"),
    ] {
        let output = sidestream(&["probe", &url], secs(20));
        assert_eq!(output.code, Some(0), "{url}: {}", output.stderr);
        assert!(
            output.text().contains("320x180"),
            "{url}: {}",
            output.text()
        );
    }
    let output = sidestream(&["probe", "/no/such/file.flv"], secs(20));
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.starts_with("error: /no/such/file.flv: "),
        "{}",
        output.stderr
    );
}
