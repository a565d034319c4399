//! The binary as a user meets it: texts, exit codes, signals, JSON.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{Running, get, run, sidestream};

fn testdata(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// Error output and exit code of a command that fails.
fn fails(args: &[&str]) -> (String, i32) {
    let done = run(args, &[]);
    assert_eq!(done.stdout, "", "data on standard output");
    (done.stderr, done.code)
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    for (args, expected) in [
        (
            &["srve"][..],
            "error: unknown command srve; did you mean serve?\n",
        ),
        (
            &["push", "a.flv"],
            "error: missing RTMP_URL; see sidestream push --help\n",
        ),
        (
            &["serve", "--confg", "x"],
            "error: unknown option --confg; did you mean --config?\n",
        ),
        (
            &["probe", "x", "--wait", "30"],
            "error: --wait: \"30\" has no unit; write \"30s\" or \"30ms\"\n",
        ),
        (
            &["probe", "x", "--color", "allways"],
            "error: --color: unknown value \"allways\"; did you mean always?\n",
        ),
        (
            &["serve", "--rtmp", "nowhere"],
            "error: --rtmp: \"nowhere\" is not an address; write \"0.0.0.0:1935\", or \"\" for none\n",
        ),
        (
            &["push", "x.flv", "http://h/a/b"],
            "error: RTMP_URL: url does not start with rtmp:// or rtmps://\n",
        ),
    ] {
        assert_eq!(fails(args), (expected.to_owned(), 2), "{args:?}");
    }
    let (text, code) = fails(&[]);
    assert_eq!(code, 2);
    assert!(text.contains("\nRun:\n  serve "), "{text}");
}

#[test]
fn what_cannot_be_done_is_one_line_and_code_1() {
    let missing = fails(&["probe", "no/such.flv"]);
    assert_eq!(
        missing,
        ("error: no/such.flv: no such file\n".to_owned(), 1)
    );
    let missing = fails(&["serve", "-c", "none.toml"]);
    let expected = "error: none.toml: no such file; create it or name another with --config\n";
    assert_eq!(missing, (expected.to_owned(), 1));
}

#[test]
fn check_reports_all_problems_as_editors_read_them() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[rtmps]\nlisten = \"127.0.0.1:0\"\nkey = \"x\"\n{}cert = \"/etc/sidestream/no.pem\"\n{}\
         [fanout]\nbacth = \"50ms\"\n{}[hls]\nsegment = 2\n",
        "\n".repeat(5),
        "\n".repeat(3),
        "\n".repeat(6)
    );
    std::fs::write(dir.path().join("sidestream.toml"), &text).unwrap();
    let args = ["check", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    let done = sidestream(&args).current_dir(dir.path()).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stderr),
        "error: sidestream.toml:9:8: rtmps.cert: /etc/sidestream/no.pem: no such file; create it or remove [rtmps]\n\
         error: sidestream.toml:14:1: unknown key \"bacth\" in [fanout]; did you mean \"batch\"?\n\
         error: sidestream.toml:22:11: hls.segment is a duration, found the number 2; write segment = \"2s\"\n"
    );
    assert_eq!(done.status.code(), Some(1));
    assert!(done.stdout.is_empty());
}

#[test]
fn check_says_what_is_in_force() {
    let done = run(
        &["check", "--rtmp", "127.0.0.1:0", "--print"],
        &[
            ("SIDESTREAM_HTTP__LISTEN", "127.0.0.1:0"),
            ("SIDESTREAM_FANOUT__BATCH", "50ms"),
        ],
    );
    assert_eq!((done.stderr.as_str(), done.code), ("", 0));
    for (line, from) in [
        ("batch = \"50ms\"", "SIDESTREAM_FANOUT__BATCH"),
        ("listen = \"127.0.0.1:0\"", "--rtmp"),
        ("segments = 7", "default"),
    ] {
        let line = format!("\n{line:<40}  # {from}\n");
        assert!(
            done.stdout.contains(&line),
            "{line} is not in {}",
            done.stdout
        );
    }
    assert!(
        done.stdout
            .ends_with("ok: 3 keys set, mode open, listens rtmp 0, http 0\n")
    );

    let done = run(
        &["check", "--rtmp", "127.0.0.1:0", "--http", "", "--json"],
        &[],
    );
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        keys(&json),
        [
            "dvr_explained",
            "file",
            "keys_set",
            "listeners",
            "mode",
            "mode_explained",
            "notes",
            "ok",
            "problems"
        ]
    );
    assert_eq!(json["ok"], true);
    assert_eq!(json["listeners"]["rtmp"], "127.0.0.1:0");

    let reference = run(&["check", "--print-default"], &[]).stdout;
    assert_eq!(reference, include_str!("../../../docs/sidestream.toml"));
}

#[test]
fn a_busy_port_names_its_owner() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let done = run(
        &[
            "serve",
            "--rtmp",
            &addr.to_string(),
            "--http",
            "127.0.0.1:0",
        ],
        &[],
    );
    let last = done.stderr.lines().last().unwrap();
    assert!(
        last.starts_with(&format!("error: rtmp listen {addr}: address in use by ")),
        "{last}"
    );
    let other = std::net::SocketAddr::new(addr.ip(), addr.port() + 10);
    let pid = std::process::id();
    assert!(
        last.ends_with(&format!(" (pid {pid}); stop it or pass --rtmp {other}")),
        "{last}"
    );
    assert_eq!(done.code, 1);
}

#[test]
fn probe_describes_a_file() {
    let clip = testdata("bframes.flv");
    let done = run(&["probe", &clip, "--json"], &[]);
    assert_eq!((done.stderr.as_str(), done.code), ("", 0));
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        keys(&json),
        [
            "av_apart_max_s",
            "av_end_offset_s",
            "av_start_offset_s",
            "bitrate_bps",
            "bytes",
            "bytes_lost",
            "damage",
            "damages",
            "data_messages",
            "duration_s",
            "format",
            "input",
            "left_out",
            "live",
            "programs",
            "timed_metadata",
            "timing",
            "timing_faults",
            "tracks",
            "unreadable_reason",
            "unreadable_tags"
        ]
    );
    assert_eq!(json["timing_faults"], 0);
    let video = &json["tracks"][0];
    assert_eq!(
        keys(video),
        [
            "bitrate_bps",
            "bytes",
            "channels",
            "codec",
            "codec_string",
            "configurations",
            "description",
            "first_dts_s",
            "frame_rate",
            "gop_average_s",
            "gop_max_s",
            "gop_min_s",
            "gops_s",
            "height",
            "id",
            "kind",
            "last_dts_s",
            "max_composition_offset_s",
            "min_composition_offset_s",
            "problem",
            "random_access_points",
            "sample_rate_hz",
            "units",
            "width"
        ]
    );
    // As testdata/README.md says: 320x180, 25 fps, GOP 1 s, 6 s.
    assert_eq!(
        (&video["units"], &video["gop_max_s"], &video["width"]),
        (&150.into(), &1.0.into(), &320.into())
    );
    assert_eq!(video["frame_rate"], 25.0);
    let seconds = json["duration_s"].as_f64().unwrap();
    assert!((5.9..6.1).contains(&seconds), "{seconds}");
    let text = run(&["probe", &clip], &[]).stdout;
    assert!(
        text.contains("GOP 1.00 s") && text.contains("timing  no faults"),
        "{text}"
    );
}

#[test]
fn damage_is_a_warning_and_with_strict_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let clip = std::fs::read(testdata("bframes.flv")).unwrap();
    let cut = dir.path().join("cut.flv");
    std::fs::write(&cut, &clip[..100_000]).unwrap();
    let cut = cut.to_str().unwrap();
    let done = run(&["probe", cut], &[]);
    assert_eq!(done.code, 0);
    assert!(
        done.stderr.starts_with(&format!("warning: {cut}: ")),
        "{}",
        done.stderr
    );
    assert!(done.stderr.ends_with("; use --strict to fail\n"));
    assert_eq!(run(&["probe", cut, "--strict"], &[]).code, 1);
}

#[test]
fn serve_takes_a_push_and_drains_on_sigterm() {
    let server = Running::serve(&[]);
    let url = format!("rtmp://{}/live/cam1", server.rtmp);
    let clip = testdata("video-only.flv");
    let push = sidestream(&["push", &clip, &url, "--loop", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut push = support::Killed(push);
    let progress = BufReader::new(push.0.stdout.take().unwrap())
        .lines()
        .next()
        .unwrap()
        .unwrap();
    let json: Value = serde_json::from_str(&progress).unwrap();
    assert_eq!(
        keys(&json),
        [
            "bitrate_bps",
            "bytes",
            "connections",
            "elapsed_s",
            "event",
            "input",
            "media_s",
            "target"
        ]
    );
    assert_eq!(
        json["target"],
        format!("rtmp://{}/live/****", server.rtmp),
        "no key is shown"
    );

    let probe = run(&["probe", &url, "--duration", "1s", "--json"], &[]);
    assert_eq!(probe.code, 0, "{}", probe.stderr);
    let json: Value = serde_json::from_str(&probe.stdout).unwrap();
    assert_eq!(
        (&json["live"], &json["tracks"][0]["codec"]),
        (&true.into(), &"H.264".into())
    );

    let (log, code, took) = server.stop("TERM");
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
    for line in [
        " INFO  publish started stream=live/cam1 conn=",
        " INFO  tracks stream=live/cam1 video=\"H.264 ",
        " INFO  SIGTERM: draining 1 stream, 0 viewers, 0 recordings, at most 10s; a second signal stops at once",
        " INFO  stream ended stream=live/cam1 duration=",
        " INFO  stopped cleanly in ",
    ] {
        assert!(log.contains(line), "{line:?} is not in\n{log}");
    }
}

#[test]
fn push_cut_short_ends_with_130_and_a_summary() {
    let server = Running::serve(&[]);
    let url = format!("rtmp://{}/live/cam1", server.rtmp);
    let clip = testdata("bframes.flv");
    let mut push = sidestream(&["push", &clip, &url, "--loop"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.wait_for("tracks stream=live/cam1");
    support::signal(&push, "INT");
    assert_eq!(push.wait().unwrap().code(), Some(130));
    let mut text = String::new();
    push.stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let expected = format!("{clip} -> rtmp://{}/live/****: 0:00:0", server.rtmp);
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn nobody_publishes_is_said_with_what_to_do() {
    let server = Running::serve(&[("SIDESTREAM_RTMP__PLAY_WAIT", "0s")]);
    let url = format!("rtmp://{}/live/cam1", server.rtmp);
    let done = run(&["probe", &url, "--wait", "100ms"], &[]);
    assert_eq!(
        done.stderr,
        format!(
            "error: {url}: nobody publishes live/cam1 yet; start the publisher or add --wait 30s\n"
        )
    );
    let url = format!("http://{}/live/cam1.flv", server.http);
    let done = run(&["probe", &url, "--wait", "0"], &[]);
    assert_eq!(
        done.stderr,
        format!(
            "error: {url}: nobody publishes live/cam1 yet; start the publisher or add --wait 30s\n"
        )
    );
}

#[test]
fn sighup_reloads_or_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.toml");
    std::fs::write(&path, "[log]\nlevel = \"info\"\n").unwrap();
    let server = Running::serve_with(&["-c", path.to_str().unwrap()], &[]);
    std::fs::write(&path, "[auth]\nkeys = [\"ss_live_0123456789abcdef\"]\n").unwrap();
    server.signal("HUP");
    server.wait_for("SIGHUP: configuration reloaded applied=auth,push");
    assert!(get(&server.http, "/v1/streams").starts_with("HTTP/1.1 401 "));
    std::fs::write(&path, "[auth]\nkesy = []\n").unwrap();
    server.signal("HUP");
    server.wait_for("unknown key \"kesy\" in [auth]; did you mean \"keys\"?");
    assert!(get(&server.http, "/v1/streams").starts_with("HTTP/1.1 401 "));
    assert_eq!(server.stop("INT").1, 0);
}

#[test]
fn log_lines_are_json_when_asked() {
    let server = Running::serve(&[("SIDESTREAM_LOG__FORMAT", "json")]);
    let (log, ..) = server.stop("TERM");
    for line in log.lines() {
        let json: Value = serde_json::from_str(line).unwrap();
        assert!(
            json["time"].is_string() && json["level"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn every_url_of_the_demo_opens() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_sidestream"))
        .args([
            "demo",
            "--json",
            "--rtmp",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let demo = support::Killed(demo);
    let mut text = String::new();
    while !text.ends_with("}\n") || text.matches('{').count() != text.matches('}').count() {
        text += &(lines.next().unwrap().unwrap() + "\n");
    }
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        keys(&json),
        [
            "hls", "http_flv", "publish", "ready_s", "rtmp", "stream", "version", "watch"
        ]
    );
    let http = json["watch"]
        .as_str()
        .unwrap()
        .strip_prefix("http://localhost")
        .unwrap();
    let (port, watch) = http.split_once('/').unwrap();
    let addr = format!("127.0.0.1{port}");
    assert!(get(&addr, &format!("/{watch}")).starts_with("HTTP/1.1 200 "));
    let playlist = get(&addr, "/live/demo.m3u8");
    assert!(
        playlist.contains("#EXTM3U") && playlist.contains("RESOLUTION=1280x720"),
        "{playlist}"
    );
    for url in [&json["rtmp"], &json["http_flv"]] {
        let done = run(
            &[
                "probe",
                url.as_str().unwrap(),
                "--duration",
                "500ms",
                "--json",
            ],
            &[],
        );
        assert_eq!(done.code, 0, "{}", done.stderr);
        let found: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(found["timing_faults"], 0, "{}", done.stdout);
    }
    support::signal(&demo.0, "INT");
    let mut demo = demo;
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
}

fn keys(json: &Value) -> Vec<&str> {
    let object = json.as_object().unwrap();
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
