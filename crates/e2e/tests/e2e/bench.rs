//! `sidestream bench` tells the truth: over every protocol, of a server that loses frames, and of one
//! that is not there.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use e2e::process::{Output, Process, free_port, run};
use e2e::server::{SHORT_LIFE, Server, clean_command};
use e2e::wait::{secs, until};
use e2e::{flv, http, tls};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

fn bench(arguments: &[&str]) -> Output {
    let mut program = clean_command();
    program.arg("bench").args(arguments);
    run("sidestream bench", program, LIMIT)
}

fn bench_json(arguments: &[&str]) -> Value {
    let output = bench(&[&["--json", "--settle", "500ms"], arguments].concat());
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    assert!(output.stderr.is_empty(), "{}", output.stderr);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn every_frame_is_counted_over_every_protocol() {
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let pid = server.process().id().to_string();
    for (name, play) in [
        ("rtmp", server.rtmp_url("live/rtmp{}")),
        ("flv", server.http_url("/live/flv{}.flv")),
        (
            "ws",
            server
                .http_url("/live/ws{}.flv")
                .replace("http://", "ws://"),
        ),
        ("ts", server.http_url("/live/ts{}.ts.m3u8")),
        ("mp4", server.http_url("/live/mp4{}.m3u8")),
    ] {
        let publish = server.rtmp_url(&format!("live/{name}{{}}"));
        // Players of HLS look for new segments every few seconds.
        let seconds = if play.ends_with(".m3u8") { 5 } else { 2 };
        let json = bench_json(&[
            "--publish",
            &publish,
            "--publishers",
            "2",
            "--play",
            &play,
            "--viewers",
            "6",
            "--warmup",
            "500ms",
            "--window",
            &format!("{seconds}s"),
            "--server-pid",
            &pid,
        ]);
        let (viewers, frames) = (&json["viewers"], &json["frames"]);
        assert_eq!(
            (number(&viewers["ready"]), number(&viewers["failed"])),
            (6, 0),
            "{name}: {json:#}"
        );
        // 30 frames a second of 2 publishers for 3 viewers each; a test machine may stutter.
        let expected = number(&frames["expected"]);
        let range = seconds * 150..=seconds * 195;
        assert!(range.contains(&expected), "{name}: {json:#}");
        assert_eq!(number(&frames["received"]), expected, "{name}: {json:#}");
        for none in [
            "lost",
            "skipped",
            "repeated",
            "unstamped",
            "strange",
            "viewers_with_loss",
        ] {
            assert_eq!(number(&frames[none]), 0, "{name}: {none} in {json:#}");
        }
        assert_eq!(
            number(&json["latency_s"]["count"]),
            expected,
            "{name}: {json:#}"
        );
        assert_eq!(number(&json["join_s"]["count"]), 6, "{name}: {json:#}");
        assert_eq!(number(&json["audio"]["missing"]), 0, "{name}: {json:#}");
        // The clip has 1.9 Mbit/s.
        let received = number(&viewers["bytes_received"]);
        assert!(received > 1_500_000, "{name}: {json:#}");
        assert!(
            json["server"]["cpu_s"].as_f64().unwrap() > 0.0,
            "{name}: {json:#}"
        );
        assert!(
            number(&json["server"]["memory_peak"]["pss_bytes"]) > 1 << 20,
            "{name}: {json:#}"
        );
        assert_eq!(
            json["settings"]["viewers"],
            Value::Null,
            "counts have their own objects"
        );
        assert_eq!(
            json["hls"].is_object(),
            play.ends_with(".m3u8"),
            "{name}: {json:#}"
        );
        if json["hls"].is_object() {
            // They hold at least one segment of each viewer.
            assert!(number(&json["hls"]["segments"]) >= 6, "{name}: {json:#}");
            assert_eq!(
                number(&json["hls"]["segments_missed"]),
                0,
                "{name}: {json:#}"
            );
        }
    }
}

#[test]
fn viewers_of_another_process_see_its_frames_and_the_reference_server_sends_all() {
    let listen = format!("127.0.0.1:{}", free_port());
    let mut program = clean_command();
    program.args(["bench", "limit", "--listen", &listen, "--batch", "50ms"]);
    let limit = Process::start("sidestream bench limit", program);
    until("the reference server", secs(10), || {
        limit.find_in_log(|line| line.contains("raw://").then_some(()))
    });
    let url = format!("raw://{listen}");
    let json = bench_json(&[
        "--play",
        &url,
        "--viewers",
        "5",
        "--warmup",
        "300ms",
        "--window",
        "1s",
    ]);
    let frames = &json["frames"];
    assert!(number(&frames["expected"]) >= 5 * 20, "{json:#}");
    assert_eq!(frames["expected"], frames["received"], "{json:#}");
    assert_eq!(number(&json["publishers"]["count"]), 0, "{json:#}");
}

#[test]
fn churning_viewers_are_counted_and_stalled_ones_lose_nothing_for_others() {
    let server = Server::start();
    let pid = server.process().id().to_string();
    let (publish, play) = (server.rtmp_url("live/s"), server.http_url("/live/s.flv"));
    let common = [
        "--publish",
        &publish,
        "--play",
        &play,
        "--warmup",
        "200ms",
        "--window",
        "1500ms",
        "--server-pid",
        &pid,
    ];
    let churn = ["--viewers", "4", "--mode", "churn", "--rate", "40"];
    let json = bench_json(&[&common[..], &churn].concat());
    let joins = number(&json["churn"]["joins"]);
    assert!((1..=70).contains(&joins), "at most 40 a second: {json:#}");
    assert_eq!(number(&json["churn"]["failed"]), 0, "{json:#}");
    assert!(number(&json["join_s"]["count"]) >= joins, "{json:#}");
    // They have left, and the server has closed what was theirs.
    let server_figures = &json["server"];
    assert!(
        number(&server_figures["open_files_before_viewers"]) > 5,
        "{json:#}"
    );
    assert_eq!(
        server_figures["open_files_after"], server_figures["open_files_before_viewers"],
        "{json:#}"
    );
    assert!(
        number(&server_figures["memory_after"]["pss_bytes"]) > 1 << 20,
        "{json:#}"
    );

    let json = bench_json(&[&common[..], &["--viewers", "6", "--stalled", "2"]].concat());
    let frames = &json["frames"];
    // Four of the six are expected to receive.
    assert!(
        (4 * 30..=4 * 60).contains(&number(&frames["expected"])),
        "{json:#}"
    );
    assert_eq!(frames["expected"], frames["received"], "{json:#}");
    assert_eq!(number(&json["viewers"]["ready"]), 6, "{json:#}");
    assert_eq!(number(&json["viewers"]["stalled_closed"]), 0, "{json:#}");
}

/// Video frames that a [`Faulty`] drops, counted from the start of a connection: live ones, long after
/// what a joining viewer gets at once (60 at most) and long before the end of the window.
const DROPPED: std::ops::Range<usize> = 130..145;

/// Passes HTTP-FLV of a server on to one client, with faults. Ends with its client.
#[derive(Clone, Debug, Default)]
struct Faulty {
    dropped: std::ops::Range<usize>,
    delay: Duration,
}

impl Faulty {
    /// Its address.
    fn start(self, server: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = server.to_owned();
        std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            // The client's going is the end.
            let _ = self.pass_on(&server, client);
        });
        address
    }

    fn pass_on(self, server: &str, mut client: TcpStream) -> std::io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        let request = String::from_utf8_lossy(&request).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (_, mut body) = http::open("GET", server, path, &[])?;
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\n\r\n")?;
        client.write_all(b"FLV\x01\x05\0\0\0\x09\0\0\0\0")?;
        let (queue, late) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
        std::thread::spawn(move || {
            for (due, bytes) in late {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if client.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        let (mut reader, mut frames) = (flv::Reader::default(), 0);
        let mut buffer = [0; 16 << 10];
        loop {
            let read = body.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            let due = Instant::now() + self.delay;
            for tag in reader.push(&buffer[..read]) {
                let is_frame = tag.kind == 9 && tag.is_media();
                frames += usize::from(is_frame);
                let is_dropped = is_frame && self.dropped.contains(&(frames - 1));
                if !is_dropped && queue.send((due, wire(&tag))).is_err() {
                    return Ok(());
                }
            }
        }
    }
}

fn wire(tag: &flv::Tag) -> Vec<u8> {
    let mut out = vec![tag.kind];
    out.extend_from_slice(&(tag.body.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&tag.timestamp_ms.to_be_bytes()[1..]);
    out.push((tag.timestamp_ms >> 24) as u8);
    out.extend_from_slice(&[0; 3]);
    out.extend_from_slice(&tag.body);
    out.extend_from_slice(&(tag.body.len() as u32 + 11).to_be_bytes());
    out
}

#[test]
fn frames_that_a_server_drops_are_the_loss_that_is_told() {
    let server = Server::start();
    let publish = server.rtmp_url("live/s");
    let faulty = Faulty {
        dropped: DROPPED,
        ..Faulty::default()
    };
    let play = format!("http://{}/live/s.flv", faulty.start(&server.http));
    let json = bench_json(&[
        "--publish",
        &publish,
        "--play",
        &play,
        "--viewers",
        "1",
        "--warmup",
        "0",
        "--window",
        "8s",
    ]);
    let frames = &json["frames"];
    let (expected, dropped) = (number(&frames["expected"]), DROPPED.len() as u64);
    assert_eq!(number(&frames["received"]), expected - dropped, "{json:#}");
    assert_eq!(number(&frames["lost"]), dropped, "{json:#}");
    assert_eq!(number(&frames["skipped"]), dropped, "{json:#}");
    assert_eq!(number(&frames["worst_viewer_lost"]), dropped, "{json:#}");
    assert_eq!(number(&frames["viewers_with_loss"]), 1, "{json:#}");
    let share = frames["loss"].as_f64().unwrap();
    assert!(
        (share - dropped as f64 / expected as f64).abs() < 1e-9,
        "{json:#}"
    );
    assert_eq!(number(&json["audio"]["missing"]), 0, "{json:#}");
}

#[test]
fn time_that_frames_spend_on_their_way_is_the_latency_that_is_told() {
    let server = Server::start();
    let publish = server.rtmp_url("live/s");
    let delay = Duration::from_millis(700);
    let faulty = Faulty {
        delay,
        ..Faulty::default()
    };
    let play = format!("http://{}/live/s.flv", faulty.start(&server.http));
    let begun = Instant::now();
    let json = bench_json(&[
        "--publish",
        &publish,
        "--play",
        &play,
        "--warmup",
        "0",
        "--window",
        "2s",
        "--grace",
        "60s",
    ]);
    let frames = &json["frames"];
    assert!(number(&frames["expected"]) >= 55, "{json:#}");
    assert_eq!(frames["expected"], frames["received"], "{json:#}");
    let latency = |of: &str| json["latency_s"][of].as_f64().unwrap();
    // Times are kept to three digits.
    let least = delay.as_secs_f64() * 0.999;
    assert!(latency("min") >= least, "{json:#}");
    assert!(latency("p50") >= latency("min"), "{json:#}");
    assert!(latency("max") <= begun.elapsed().as_secs_f64(), "{json:#}");
    // Frames that the server kept from before the viewer's time are in no figure.
    assert!(number(&json["viewers"]["cached_frames"]) > 0, "{json:#}");
}

#[test]
fn a_run_ends_when_its_last_frame_has_come() {
    let server = Server::start();
    let url = server.rtmp_url("live/s{}");
    // With the whole grace it would be killed long before its end.
    let json = bench_json(&[
        "--publish",
        &url,
        "--publishers",
        "3",
        "--play",
        &url,
        "--viewers",
        "10",
        "--stalled",
        "1",
        "--threads",
        "2",
        "--warmup",
        "0",
        "--window",
        "1s",
        "--grace",
        "1h",
    ]);
    let frames = &json["frames"];
    assert!(number(&frames["expected"]) > 0, "{json:#}");
    assert_eq!(frames["expected"], frames["received"], "{json:#}");
    assert_eq!(json["settings"]["grace_s"], 3600.0, "{json:#}");
}

#[test]
fn viewers_that_come_first_wait_and_then_get_their_picture() {
    let server = Server::start();
    let pid = server.process().id().to_string();
    let url = server.rtmp_url("live/s{}");
    let common = [
        "--play",
        &url,
        "--viewers",
        "60",
        "--mode",
        "wait",
        "--warmup",
        "0",
        "--window",
        "500ms",
        "--server-pid",
        &pid,
    ];
    let json = bench_json(&[&common[..], &["--publish", &url, "--publishers", "2"]].concat());
    let waiting = &json["waiting"];
    assert_eq!(number(&waiting["held"]), 60, "{json:#}");
    assert_eq!(number(&waiting["served"]), 60, "{json:#}");
    assert!(
        waiting["served_after_s"].as_f64().unwrap() > 0.0,
        "{json:#}"
    );
    assert_eq!(number(&json["viewers"]["failed"]), 0, "{json:#}");
    // Nothing came while the window was open.
    assert_eq!(number(&json["viewers"]["bytes_received"]), 0, "{json:#}");
    let never = server.rtmp_url("live/never{}");
    let json = bench_json(&[
        "--play",
        &never,
        "--viewers",
        "60",
        "--mode",
        "wait",
        "--streams",
        "2",
        "--window",
        "500ms",
    ]);
    let waiting = &json["waiting"];
    assert_eq!(
        (number(&waiting["held"]), number(&waiting["served"])),
        (60, 0),
        "{json:#}"
    );
    assert_eq!(waiting["served_after_s"], Value::Null, "{json:#}");
}

#[test]
fn a_server_with_a_certificate_of_its_own_is_measured_when_it_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("bench", &cert, &key);
    let section = |name: &str| {
        let (cert, key) = (cert.display(), key.display());
        format!("[{name}]\nlisten = \"127.0.0.1:0\"\ncert = \"{cert}\"\nkey = \"{key}\"\n")
    };
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}{}{}",
        section("rtmps"),
        section("https")
    ));
    let rtmps = format!("rtmps://{}/live/s", server.listener("rtmps listening on "));
    let https = format!(
        "https://{}/live/s.flv",
        server.listener("https listening on ")
    );
    let ca = cert.display().to_string();
    for play in [&rtmps, &https] {
        let json = bench_json(&[
            "--publish",
            &rtmps,
            "--play",
            play,
            "--viewers",
            "5",
            "--warmup",
            "300ms",
            "--window",
            "1s",
            "--ca",
            &ca,
        ]);
        let frames = &json["frames"];
        assert!(number(&frames["expected"]) > 0, "{json:#}");
        assert_eq!(frames["expected"], frames["received"], "{json:#}");
    }
    let output = bench(&["--publish", &rtmps]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("certificate"), "{}", output.stderr);
    let output = bench(&["--publish", &rtmps, "--ca", &key.display().to_string()]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let want = format!(
        "error: bench: --ca {}: no certificate in it; PEM is wanted\n",
        key.display()
    );
    assert_eq!(output.stderr, want);
}

/// The fields of `--json` that the page names, each by its whole path.
fn documented_fields() -> BTreeSet<String> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CLI.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| field of `--json` |"));
    let mut fields = BTreeSet::new();
    for row in rows.skip(2).take_while(|line| line.starts_with('|')) {
        for name in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            let (stem, names) = name.split_once('{').unwrap_or((name, "}"));
            for last in names.trim_end_matches('}').split(' ') {
                assert!(
                    fields.insert(format!("{stem}{last}")),
                    "{name} is named twice"
                );
            }
        }
    }
    fields
}

/// The paths of all that is no object, or an object whose fields are the same everywhere.
fn fields(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) if prefix != "failures" => {
            let keys: Vec<&str> = object.keys().map(String::as_str).collect();
            if object.contains_key("p99") {
                assert_eq!(
                    keys,
                    ["count", "max", "mean", "min", "p50", "p90", "p99"],
                    "{prefix}"
                );
            } else if object.contains_key("pss_bytes") {
                assert_eq!(keys, ["pss_bytes", "rss_bytes"], "{prefix}");
            } else {
                for (key, value) in object {
                    let dot = if prefix.is_empty() { "" } else { "." };
                    fields(&format!("{prefix}{dot}{key}"), value, found);
                }
                return;
            }
            found.insert(prefix.to_owned());
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

#[test]
fn json_holds_the_fields_that_the_page_names() {
    let server = Server::with_config(&format!("{SHORT_LIFE}[hls]\nsegment = \"1s\"\n"));
    let pid = server.process().id().to_string();
    let (publish, rtmp) = (server.rtmp_url("live/s{}"), server.rtmp_url("live/s{}"));
    let hls = server.http_url("/live/s{}.m3u8");
    let common = [
        "--publish",
        &publish,
        "--server-pid",
        &pid,
        "--warmup",
        "0",
        "--window",
        "1s",
    ];
    let mut found = BTreeSet::new();
    for more in [
        &["--play", &rtmp, "--mode", "churn", "--rate", "20"][..],
        &["--play", &rtmp, "--mode", "wait"],
        &["--play", &hls],
    ] {
        fields("", &bench_json(&[&common[..], more].concat()), &mut found);
    }
    // An object that is there in one mode only is null in the others.
    for whole in ["churn", "waiting", "hls"] {
        found.remove(whole);
    }
    assert_eq!(documented_fields(), found);
}

#[test]
fn what_cannot_be_measured_is_said_in_one_line() {
    let port = free_port();
    let url = format!("rtmp://127.0.0.1:{port}/live/s");
    let output = bench(&["--publish", &url, "--play", &url]);
    assert_eq!((output.code, output.stdout.len()), (Some(1), 0));
    let want = format!(
        "error: bench: none of 1 publishers came through: connect 127.0.0.1:{port}: Connection refused (os error 111)\n"
    );
    assert_eq!(output.stderr, want);

    let server = Server::start();
    let url = server.http_url("/live/nobody.flv");
    let output = bench(&["--play", &url, "--viewers", "3", "--connect-timeout", "3s"]);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output
            .stderr
            .starts_with("error: bench: none of 3 viewers came through: "),
        "{}",
        output.stderr
    );
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);

    for (arguments, why) in [
        (&[][..], "nothing to do"),
        (
            &["--publish", "http://h/x.flv"],
            "only rtmp:// and rtmps://",
        ),
        (
            &[
                "--play",
                "rtmp://h/live/s",
                "--viewers",
                "3",
                "--stalled",
                "3",
            ],
            "somebody has to read",
        ),
        (
            &["--play", "http://h/x.m3u8", "--mode", "churn"],
            "--mode churn",
        ),
        (
            &["--play", "http://h/x.flv", "--mode", "wait"],
            "--mode wait",
        ),
        (&["--play", "rtmp://h/live"], "--play"),
        (&["--play", "raw://h:1", "--window", "5"], "write \"5s\""),
    ] {
        let output = bench(arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {}", output.stderr);
        assert!(
            output.stderr.contains(why),
            "{arguments:?}: {}",
            output.stderr
        );
    }
}

#[test]
fn a_run_that_is_cut_short_prints_what_it_measured() {
    let server = Server::start();
    let (publish, play) = (server.rtmp_url("live/s"), server.rtmp_url("live/s"));
    let mut program = clean_command();
    program.args([
        "bench",
        "--json",
        "--publish",
        &publish,
        "--play",
        &play,
        "--viewers",
        "4",
    ]);
    program.args(["--settle", "0", "--warmup", "0", "--window", "10m"]);
    program.stdout(std::process::Stdio::piped());
    let mut process = Process::start("sidestream bench", program);
    let mut stdout = process.stdout();
    let viewers = || server.stream("live/s")?["viewers"]["count"].as_u64();
    until("four viewers", secs(15), || {
        (viewers() == Some(4)).then_some(())
    });
    // Two seconds of video more, by the server's own count: some of it in the window.
    let units = || server.stream("live/s")?["tracks"][0]["units"].as_u64();
    let start = units().unwrap_or(0);
    until("more video", secs(15), || {
        (units()? >= start + 60).then_some(())
    });
    process.signal("INT");
    let status = process.wait(secs(15));
    assert_eq!(status.code(), Some(130));
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["cut_short"], true);
    let frames = &json["frames"];
    assert!(number(&frames["expected"]) > 0, "{json:#}");
    assert_eq!(frames["expected"], frames["received"], "{json:#}");
}
