//! Pushing on to other servers: equal frames, and a bad target that hurts nobody.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing};
use e2e::gst::FlvReader;
use e2e::media::testdata;
use e2e::nginx::Nginx;
use e2e::process::{Process, free_port};
use e2e::server::{SHORT_LIFE, Server, clean_command, sidestream};
use e2e::tls;
use e2e::wait::{secs, until};
use std::io::Read;
use std::net::TcpListener;
use std::process::Stdio;

#[test]
fn nginx_rtmp_and_a_second_sidestream_receive_every_frame() {
    let nginx = Nginx::start();
    let second = Server::start();
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[[push]]\nmatch = \"live/*\"\nurl = \"{}\"\n\
         [[push]]\nstream = \"live/cam\"\nurl = \"{}\"\n",
        nginx.url("live/{stream}"),
        second.rtmp_url("copy/{stream}"),
    ));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let tags = flv::media(&flv::read_file(&file));
    let from_nginx = Reader::start(&ReadOptions::native(Version::V5), &nginx.url("live/cam"));
    let mut tags_from_nginx = FlvReader::rtmpdump(&nginx.url("live/cam"));
    let from_second = Reader::start(
        &ReadOptions::native(Version::V9),
        &second.rtmp_url("copy/cam"),
    );
    second.wait_for_rtmp_connections(1);
    let mut publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    // nginx has no GOP cache: its players miss nothing because they were there before.
    from_nginx.expect_all_but_last(&source, secs(30));
    tags_from_nginx.expect(&tags, Coverage::Whole, secs(30));
    from_second.expect(&source, Coverage::Whole, secs(30));
    publisher.finish(secs(10));
}

#[test]
fn enhanced_codecs_are_pushed_to_a_second_sidestream() {
    let second = Server::start();
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[[push]]\nmatch = \"live/*\"\nurl = \"{}\"\n",
        second.rtmp_url("copy/{stream}"),
    ));
    let file = testdata("hevc-aac.flv");
    let source = ffmpeg::source(Version::V9, &file, Framing::Native);
    let reader = Reader::start(
        &ReadOptions::native(Version::V9),
        &second.rtmp_url("copy/h"),
    );
    second.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V9, &file, &server.rtmp_url("live/h"));
    reader.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn a_target_that_goes_down_and_comes_back_gets_the_stream_again() {
    let port = free_port();
    let mut nginx = Nginx::start_on(port);
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[[push]]\nmatch = \"live/*\"\nurl = \"{}\"\nretry_max = \"1s\"\n",
        nginx.url("live/{stream}"),
    ));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher =
        ffmpeg::publish_with(Version::V5, &["-re", "-stream_loop", "3"], &file, &[], &url);
    let mut before = Reader::start(&ReadOptions::native(Version::V9), &nginx.url("live/cam"));
    before.wait_for_frames(&source, 20, secs(20));
    nginx.process_mut().kill();
    until("the target is no longer shown as live", secs(5), || {
        let state = push_state(&server)?;
        (state != "live").then_some(())
    });
    let nginx = Nginx::start_on(port);
    let mut after = Reader::start(&ReadOptions::native(Version::V9), &nginx.url("live/cam"));
    after.wait_for_frames(&source, 20, secs(20));
    until("the target is shown as live again", secs(5), || {
        (push_state(&server)? == "live").then_some(())
    });
    // The viewer noticed nothing of all this.
    let mut viewer = viewer;
    viewer.wait_for_frames(&source, 300, secs(20));
}

/// The state word of the only push target in `/v1/streams/live/cam`.
fn push_state(server: &Server) -> Option<String> {
    let stream = server.stream("live/cam")?;
    let targets = stream["targets"].as_array()?;
    Some(targets.first()?["state"].as_str()?.to_owned())
}

#[test]
fn a_target_that_accepts_and_never_speaks_hurts_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[[push]]\nmatch = \"live/*\"\nurl = \"rtmp://127.0.0.1:{port}/live/{{stream}}\"\n"
    ));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/cam");
    let viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V5, &file, &url);
    let (mut connection, _) = silent.accept().unwrap();
    let mut c0 = [0];
    connection.read_exact(&mut c0).unwrap();
    assert_eq!(c0, [3], "RTMP version");
    viewer.expect(&source, Coverage::Whole, secs(30));
}

#[test]
fn the_push_command_publishes_a_file_paced_and_rtmps_too() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("localhost", &cert, &key);
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"{}\"\nkey = \"{}\"\n",
        cert.display(),
        key.display()
    ));
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = server.rtmp_url("live/pushed");
    let viewer = Reader::start(&ReadOptions::native(Version::V5), &url);
    server.wait_for_rtmp_connections(1);
    let started = std::time::Instant::now();
    let mut push = clean_command();
    push.arg("push").arg(&file).arg(&url).stdout(Stdio::piped());
    let mut push = Process::start("sidestream push", push);
    viewer.expect(&source, Coverage::Whole, secs(30));
    push.finish(secs(10));
    assert!(
        started.elapsed() > secs(5),
        "paced: {:?}",
        started.elapsed()
    );

    // A self-signed certificate is refused, and the message says so.
    let address = server.listener("rtmps listening on ");
    let url = format!("rtmps://{address}/live/pushed");
    let output = sidestream(&["push", file.to_str().unwrap(), &url], secs(20));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("certificate"), "{}", output.stderr);
}

#[test]
fn the_push_command_relays_a_live_stream_and_says_why_it_cannot() {
    let server = Server::start();
    let second = Server::start();
    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let to = second.rtmp_url("live/copy");
    let output = sidestream(&["push", &server.rtmp_url("live/cam"), &to], secs(20));
    assert_eq!(output.code, Some(1));
    assert!(
        output
            .stderr
            .contains("nobody publishes live/cam yet; start the publisher or add --wait 30s"),
        "{}",
        output.stderr
    );
    let viewer = Reader::start(&ReadOptions::native(Version::V9), &to);
    second.wait_for_rtmp_connections(1);
    let mut relay = clean_command();
    relay.args(["push", "--wait", "20s", &server.rtmp_url("live/cam"), &to]);
    relay.stdout(Stdio::null());
    let mut relay = Process::start("sidestream push", relay);
    server.wait_for_rtmp_connections(1);
    let _publisher = ffmpeg::publish(Version::V5, &file, &server.rtmp_url("live/cam"));
    viewer.expect(&source, Coverage::Whole, secs(30));
    relay.finish(secs(15));
}
