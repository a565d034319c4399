//! `sidestream demo`: what it prints, and that every URL in it opens.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::Framing;
use e2e::http;
use e2e::media::testdata;
use e2e::process::Process;
use e2e::server::clean_command;
use e2e::wait::secs;
use std::process::Stdio;
use std::sync::mpsc::Receiver;

fn demo(arguments: &[&str]) -> (Process, Receiver<String>) {
    let mut program = clean_command();
    program.arg("demo").args(arguments).stdout(Stdio::piped());
    let mut process = Process::start("sidestream demo", program);
    let lines = process.stdout_lines();
    (process, lines)
}

/// The block that demo prints, up to the line "State goes to …".
fn block(process: &Process, lines: &Receiver<String>) -> Vec<String> {
    let mut block = Vec::new();
    loop {
        let line = lines
            .recv_timeout(secs(20))
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", block.join("\n"), process.log()));
        let last = line.contains("Ctrl-C stops.");
        block.push(line);
        if last {
            return block;
        }
    }
}

#[test]
fn demo_prints_its_block_and_every_url_in_it_opens() {
    let (mut process, lines) = demo(&["--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let block = block(&process, &lines);
    let text = block.join("\n");
    for line in &block {
        assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
        assert!(!line.contains('\u{1b}'), "no colour when piped: {line:?}");
    }
    let value = |label: &str| -> String {
        let line = block
            .iter()
            .find(|line| line.trim_start().starts_with(label));
        let line = line.unwrap_or_else(|| panic!("no line {label:?} in\n{text}"));
        line.trim_start()[label.len()..].trim().to_owned()
    };
    let head = value("sidestream 0.1.0");
    assert!(
        head.starts_with("demo") && head.contains("ready in") && head.ends_with("ms"),
        "{head}"
    );
    let http_base = value("HTTP-FLV").replace("/live/demo.flv", "");
    let rtmp_base = value("RTMP").replace("/live/demo", "");
    let address = http_base.replace("http://localhost", "127.0.0.1");
    let local = |url: &str| url.replace("localhost", "127.0.0.1");
    assert_eq!(value("Watch"), format!("{http_base}/watch/live/demo"));
    assert_eq!(value("HLS"), format!("{http_base}/live/demo.m3u8"));
    assert_eq!(value("HTTP-FLV"), format!("{http_base}/live/demo.flv"));
    assert!(
        text.contains(&format!(
            "Publish your own, then open {http_base}/watch/live/me"
        )),
        "{text}"
    );
    assert_eq!(
        value("ffmpeg"),
        format!("ffmpeg -re -i FILE -c copy -f flv {rtmp_base}/live/me")
    );
    assert_eq!(
        value("OBS"),
        format!("Server {rtmp_base}/live    Stream key me")
    );
    assert!(
        text.contains("No keys are set: anyone who reaches this machine can publish and watch.")
    );
    assert!(text.contains("State goes to a temporary folder. Ctrl-C stops."));

    // Every URL opens.
    let watch = http::get(&address, "/watch/live/demo");
    assert_eq!(watch.status, 200);
    assert!(
        watch
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/html"))
    );
    let source = ffmpeg::source(Version::V5, &testdata("demo.flv"), Framing::Native);
    for url in [value("HLS"), value("HTTP-FLV"), value("RTMP")] {
        let mut reader = Reader::start(&ReadOptions::native(Version::V9), &local(&url));
        reader.wait_for_frames(&source, 30, secs(20));
    }
    // The line for one's own stream works as it stands.
    let publish = value("ffmpeg").replace("FILE", testdata("bframes.flv").to_str().unwrap());
    let publish = local(&publish);
    let mut words = publish.split(' ');
    let mut ffmpeg = e2e::process::command(words.next().unwrap());
    ffmpeg
        .args(["-nostdin", "-loglevel", "error"])
        .args(words)
        .stdout(Stdio::null());
    let mut publisher = Process::start("the printed ffmpeg line", ffmpeg);
    let mine = ffmpeg::source(Version::V5, &testdata("bframes.flv"), Framing::Native);
    let url = format!("{}/live/me", local(&rtmp_base));
    let mut reader = Reader::start(&ReadOptions::native(Version::V5), &url);
    reader.wait_for_frames(&mine, 30, secs(20));
    publisher.finish(secs(15));

    process.signal("INT");
    let status = process.wait(secs(10));
    assert_eq!(status.code(), Some(0), "Ctrl-C stops it\n{}", process.log());
}

#[test]
fn demo_loops_its_clip_without_a_seam() {
    let (process, lines) = demo(&["--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let block = block(&process, &lines);
    let url = block
        .iter()
        .find_map(|line| line.trim().strip_prefix("RTMP"));
    let url = url.unwrap().trim().replace("localhost", "127.0.0.1");
    let source = ffmpeg::source(Version::V5, &testdata("demo.flv"), Framing::Native);
    let mut reader = Reader::start(&ReadOptions::native(Version::V5), &url);
    // More than one turn of 8 s.
    reader.wait_for_frames(&source, 300, secs(40));
    let media = reader.take();
    for track in &media.tracks {
        let loop_of = source.track(track.kind, 0).unwrap();
        let start = loop_of
            .frames
            .iter()
            .position(|f| f.md5 == track.frames[0].md5)
            .unwrap();
        let shift = track.frames[0].dts - loop_of.frames[start].dts;
        for (n, frame) in track.frames.iter().enumerate() {
            let at = (start + n) % loop_of.frames.len();
            let turn = i64::try_from((start + n) / loop_of.frames.len()).unwrap();
            let want = &loop_of.frames[at];
            assert_eq!(frame.md5, want.md5, "{:?} frame {n}", track.kind);
            let expected = want.dts + shift + turn * 8_000 * 90;
            assert_eq!(
                frame.dts, expected,
                "{:?} frame {n}, turn {turn}",
                track.kind
            );
        }
    }
}

#[test]
fn demo_json_is_one_object_with_the_same_urls() {
    let (process, lines) = demo(&["--json", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let mut object = String::new();
    let json: serde_json::Value = loop {
        let line = lines.recv_timeout(secs(20));
        object += &line.unwrap_or_else(|e| panic!("{e}: {object}\n{}", process.log()));
        if let Ok(json) = serde_json::from_str(&object) {
            break json;
        }
    };
    let text = json.to_string();
    for part in [
        "/watch/live/demo",
        "/live/demo.m3u8",
        "/live/demo.flv",
        "rtmp://",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn demo_takes_a_free_port_when_the_usual_one_is_busy_and_says_so() {
    // Whoever has the usual port, this test or another program: it is busy.
    let _holder = std::net::TcpListener::bind("0.0.0.0:1935");
    let (process, lines) = demo(&["--http", "127.0.0.1:0"]);
    let block = block(&process, &lines).join("\n");
    assert!(!block.contains("rtmp://localhost:1935/"), "{block}");
    assert!(block.contains("1935"), "it says that 1935 is busy: {block}");
}
