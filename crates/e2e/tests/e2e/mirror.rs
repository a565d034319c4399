//! HLS written to a bucket behind live: a CDN's origin that is right whenever it can be read.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing};
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::process::{Process, command, free_port, wait_for_port};
use e2e::s3::{BUCKET, KEY_ID, S3, SECRET};
use e2e::server::{SHORT_LIFE, Server, sidestream};
use e2e::wait::{self, secs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn config(s3: &S3, secret: &str, more: &str) -> String {
    format!(
        "{SHORT_LIFE}[hls]\nsegment = \"1s\"\n[mirror]\nto = \"s3://{BUCKET}/pre\"\nendpoint = \"{}\"\n\
         access_key_id = \"{KEY_ID}\"\nsecret_access_key = \"{secret}\"\ncontainers = [\"fmp4\", \"ts\"]\n{more}",
        s3.endpoint()
    )
}

/// The copies of a stream, as the API tells.
fn copies(server: &Server) -> Vec<serde_json::Value> {
    let stream = server.stream("live/cam");
    let copies = stream.and_then(|stream| stream["hls"]["copies"].as_array().cloned());
    copies.unwrap_or_default()
}

fn wait_for_state(server: &Server, state: &str) {
    wait::until(state, secs(30), || {
        let copies = copies(server);
        let holds = copies.len() == 2 && copies.iter().all(|copy| copy["state"] == state);
        holds.then_some(())
    });
}

/// Every file that this playlist names is there, and it is one that a bucket can keep.
fn check(folder: &Path, playlist: &str) {
    assert!(!playlist.contains("#EXT-X-PART"), "{playlist}");
    assert!(!playlist.contains("#EXT-X-SERVER-CONTROL"), "{playlist}");
    for line in playlist.lines() {
        let name = match line.strip_prefix("#EXT-X-MAP:URI=\"") {
            Some(uri) => uri.trim_end_matches('"'),
            None if line.starts_with('#') => continue,
            None => line,
        };
        let file = std::fs::metadata(folder.join(name));
        assert!(
            file.is_ok_and(|file| file.len() > 0),
            "{name} is missing:\n{playlist}"
        );
    }
}

/// Reads both playlists and what they name, over and over.
fn watch(folder: PathBuf, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut looks = 0;
        while !stop.load(Ordering::Relaxed) {
            for name in ["fmp4.m3u8", "ts.m3u8"] {
                if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                    check(&folder, &text);
                    looks += 1;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        looks
    })
}

/// Plain files over HTTP.
fn static_server(folder: &Path) -> (Process, String) {
    let port = free_port();
    let mut python = command("python3");
    python.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]);
    python.arg(folder).arg(port.to_string());
    let process = Process::start("python3", python);
    wait_for_port(port);
    (process, format!("http://127.0.0.1:{port}"))
}

#[test]
fn a_bucket_holds_every_frame_though_the_storage_went_away_and_live_never_notices() {
    let mut s3 = S3::start();
    let server = Server::with_config(&config(&s3, SECRET, ""));
    let file = testdata("bframes.flv");
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    let fmp4 = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut live = Collector::new(&server.http, &fmp4.media);
    let folder = s3.bucket().join("pre/live/cam");
    let stop = Arc::new(AtomicBool::new(false));
    let watch = watch(folder.clone(), Arc::clone(&stop));
    live.until("three segments", secs(20), |list| list.segments.len() >= 2);
    wait::until("a playlist in the bucket", secs(10), || {
        folder.join("fmp4.m3u8").exists().then_some(())
    });
    s3.stop();
    wait_for_state(&server, "failing");
    // What was being written when it went away was told that the connection was closed.
    wait::until("connection refused", secs(30), || {
        let copies = copies(&server);
        for copy in &copies {
            assert_eq!(copy["last_error_kind"], "unreachable", "{copy}");
        }
        let refused = |copy: &serde_json::Value| copy["last_error"] == "connection refused";
        copies.iter().all(refused).then_some(())
    });
    s3.start_again();
    live.until_end(secs(30));
    publisher.finish(secs(10));
    // What viewers got while the storage was away.
    let all = tempfile::tempdir().unwrap();
    let media = all.path().join("all.mp4");
    std::fs::write(&media, live.concatenated()).unwrap();
    let got = ffmpeg::file_frames(Version::V9, &media, Framing::Native, false);
    let native = ffmpeg::source(Version::V5, &file, Framing::Native);
    native.assert_received("live HLS", &got, Coverage::Whole);
    // What the bucket has: the window is longer than this stream.
    for name in ["fmp4.m3u8", "ts.m3u8"] {
        wait::until("the end in the bucket", secs(30), || {
            let text = std::fs::read_to_string(folder.join(name)).ok()?;
            text.ends_with("#EXT-X-ENDLIST\n").then_some(())
        });
    }
    let (_http, base) = static_server(&s3.bucket());
    let reader = Reader::start(
        &ReadOptions::native(Version::V9),
        &format!("{base}/pre/live/cam.m3u8"),
    );
    reader.expect(&native, Coverage::Whole, secs(30));
    let ts = ReadOptions::ts(Version::V5, &["h264", "aac"]);
    let reader = Reader::start(&ts, &format!("{base}/pre/live/cam.ts.m3u8"));
    let annex_b = ffmpeg::source(Version::V5, &file, Framing::Ts);
    reader.expect(&annex_b, Coverage::Whole, secs(30));
    stop.store(true, Ordering::Relaxed);
    assert!(watch.join().unwrap() > 100);
    let log = server.log();
    assert!(log.contains("mirror cannot write"), "{log}");
    assert!(log.contains("mirror works again"), "{log}");
}

#[test]
fn wrong_credentials_are_told_and_shown_nowhere() {
    let s3 = S3::start();
    let wrong = "another/secret+access=key";
    let trace = "[log]\nlevel = \"trace\"\n";
    let mut server = Server::with_config(&config(&s3, wrong, trace));
    let file = testdata("bframes.flv");
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    wait_for_state(&server, "failing");
    let stream = server.stream("live/cam").unwrap().to_string();
    assert!(stream.contains("the secret key is wrong"), "{stream}");
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("sidestream_stream_hls_copy_failures_total{"),
        "{metrics}"
    );
    server.process().signal("TERM");
    server.process_mut().wait(secs(20));
    let log = server.log();
    assert!(log.contains("mirror cannot write"), "{log}");
    for text in [&stream, &metrics, &log] {
        for secret in [wrong, KEY_ID] {
            assert!(!text.contains(secret), "{secret} is shown");
        }
    }
}

#[test]
fn check_looks_at_the_storage_when_it_is_told_to() {
    let mut s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str, flag: &[&str]| {
        let file = folder.path().join("s.toml");
        let listen = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
        let text = text.replace(SHORT_LIFE, listen);
        std::fs::write(&file, text).unwrap();
        let mut arguments = vec!["check", "--config", file.to_str().unwrap()];
        arguments.extend(flag);
        let output = sidestream(&arguments, secs(20));
        (output.code == Some(0), output.text() + &output.stderr)
    };
    let good = config(&s3, SECRET, "");
    let (ok, text) = run(&good, &["--storage"]);
    assert!(ok, "{text}");
    assert!(std::fs::read_dir(s3.bucket().join("pre")).map_or(0, Iterator::count) == 0);
    let (ok, text) = run(&config(&s3, "wrong", ""), &["--storage"]);
    assert!(
        !ok && text.contains("mirror.to: s3://media-live/pre at 127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.contains("the secret key is wrong (SignatureDoesNotMatch)"),
        "{text}"
    );
    s3.stop();
    let (ok, text) = run(&good, &["--storage"]);
    assert!(!ok && text.contains("connection refused"), "{text}");
    // Without the flag nobody is asked.
    let (ok, text) = run(&good, &[]);
    assert!(ok, "{text}");
}
