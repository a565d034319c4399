//! Start, drain, stop.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::Framing;
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::http;
use e2e::media::testdata;
use e2e::server::{Options, Server, clean_command};
use e2e::wait::secs;
use std::io::Read;

#[test]
fn sigterm_ends_every_output_cleanly_within_ten_seconds() {
    let mut server = Server::with_config("[hls]\nalways = true\nsegment = \"1s\"\n");
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let mut viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let mut publisher =
        ffmpeg::publish_with(Version::V5, &["-re", "-stream_loop", "5"], &file, &[], &url);
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let mut hls = Collector::new(&server.http, &list.media);
    viewer.wait_for_frames(&source, 60, secs(20));
    hls.until("two segments", secs(10), |list| list.segments.len() >= 2);
    // HTTP-FLV ends with the last chunk of its response, not with a cut connection.
    let (_, mut flv) = http::open("GET", &server.http, "/live/cam.flv", &[]).unwrap();
    let rest = std::thread::spawn(move || {
        let mut all = Vec::new();
        flv.read_to_end(&mut all).map(|_| all.len())
    });

    let asked = std::time::Instant::now();
    server.process().signal("TERM");
    server.wait_for_log("SIGTERM: draining", secs(2));
    // HLS players still find the end of the playlist while the server drains.
    let mut ended = false;
    while server.process_mut().status().is_none() {
        assert!(asked.elapsed() < secs(10), "still running");
        if let Ok(response) = http::request("GET", &server.http, &list.media, &[])
            && response.text().contains("#EXT-X-ENDLIST")
        {
            ended = true;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let status = server.process_mut().wait(secs(1));
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(ended, "ENDLIST while draining\n{}", server.log());
    server.wait_for_log("stopped cleanly", secs(1));
    viewer.process_mut().finish(secs(5));
    assert!(rest.join().unwrap().unwrap() > 10_000);
    publisher.wait(secs(10));
}

#[test]
fn an_idle_server_stops_at_once_on_sigterm_and_on_sigint() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        server.process().signal(signal);
        let status = server.process_mut().wait(secs(3));
        assert_eq!(status.code(), Some(0), "SIG{signal}\n{}", server.log());
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = Server::start();
    let _publisher = ffmpeg::publish(
        Version::V5,
        &testdata("bframes.flv"),
        &server.rtmp_url("live/cam"),
    );
    server.wait_for_stream("live/cam");
    server.process().signal("TERM");
    server.process().signal("TERM");
    server.process_mut().wait(secs(3));
}

#[test]
fn environment_variables_override_the_file_and_flags_override_both() {
    let server = Server::with(&Options {
        config: "[log]\nlevel = \"warn\"\n[http]\nlisten = \"127.0.0.1:1\"\n".to_owned(),
        environment: vec![
            ("SIDESTREAM_LOG__LEVEL".to_owned(), "info".to_owned()),
            (
                "SIDESTREAM_RTMP__LISTEN".to_owned(),
                "127.0.0.1:2".to_owned(),
            ),
        ],
        ..Options::default()
    });
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_busy_port_is_an_error_that_says_what_to_do() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let mut program = clean_command();
    program.args(["serve", "--http", "127.0.0.1:0", "--rtmp", &server.rtmp]);
    program.arg("--data").arg(folder.path());
    let output = e2e::process::run("sidestream serve", program, secs(10));
    assert_eq!(output.code, Some(1));
    let start = format!("error: rtmp listen {}: address in use", server.rtmp);
    let line = output
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    let line = line.unwrap_or_else(|| panic!("{}", output.stderr));
    assert!(line.starts_with(&start), "{line}");
    assert!(line.contains("; stop it or pass --rtmp "), "{line}");
    let id = server.process().id();
    let binary = e2e::server::binary();
    let owner = binary.file_name().unwrap().to_string_lossy();
    assert!(line.contains(&format!("by {owner} (pid {id})")), "{line}");
    assert!(
        output.stdout.is_empty(),
        "serve prints nothing on standard output"
    );
}
