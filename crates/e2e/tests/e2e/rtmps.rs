//! RTMPS: publish and play over TLS, and a new certificate without a restart.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::{Coverage, Framing};
use e2e::media::testdata;
use e2e::server::{Options, SHORT_LIFE, Server};
use e2e::tls;
use e2e::wait::{secs, until};

#[test]
fn rtmps_publishes_and_plays_and_takes_a_new_certificate_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("first", &cert, &key);
    let config = format!(
        "{SHORT_LIFE}[rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"{}\"\nkey = \"{}\"\n",
        cert.display(),
        key.display()
    );
    let server = Server::with(&Options {
        config,
        ..Options::default()
    });
    let address = server.listener("rtmps listening on ");
    assert_eq!(tls::shown_name(&address), "first");

    let file = testdata("bframes.flv");
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let url = format!("rtmps://{address}/live/tls");
    // FFmpeg 9 checks certificates, 5.1 does not.
    let unchecked = ReadOptions::native(Version::V9).with(&["-tls_verify", "0"]);
    let player = Reader::start(&unchecked, &url);
    let plain = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.rtmp_url("live/tls"),
    );
    server.wait_for_rtmp_connections(1);
    let mut publisher = ffmpeg::publish(Version::V5, &file, &url);
    server.wait_for_stream("live/tls");

    // The certificate is exchanged while both are connected; neither notices.
    tls::self_signed("second", &cert, &key);
    server.process().signal("HUP");
    until("the new certificate", secs(10), || {
        (tls::shown_name(&address) == "second").then_some(())
    });
    player.expect(&source, Coverage::FromKeyFrame, secs(30));
    plain.expect(&source, Coverage::Whole, secs(30));
    publisher.finish(secs(10));
}

#[test]
fn a_broken_new_certificate_keeps_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("good", &cert, &key);
    let config = format!(
        "[rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"{}\"\nkey = \"{}\"\n",
        cert.display(),
        key.display()
    );
    let mut server = Server::with_config(&config);
    let address = server.listener("rtmps listening on ");
    std::fs::write(&cert, "not a certificate").unwrap();
    server.process().signal("HUP");
    server.wait_for_log("cert.pem", secs(10));
    assert_eq!(tls::shown_name(&address), "good");
    server.assert_alive();
}

#[test]
fn plain_rtmp_on_the_tls_port_and_tls_on_the_plain_port_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    tls::self_signed("x", &cert, &key);
    let config = format!(
        "[rtmps]\nlisten = \"127.0.0.1:0\"\ncert = \"{}\"\nkey = \"{}\"\n",
        cert.display(),
        key.display()
    );
    let mut server = Server::with_config(&config);
    let address = server.listener("rtmps listening on ");
    assert!(e2e::rtmp::Client::handshake(&address).is_err());
    // A TLS ClientHello is not RTMP version 3: closed at once, not after the handshake deadline.
    let mut socket = std::net::TcpStream::connect(&server.rtmp).unwrap();
    std::io::Write::write_all(&mut socket, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .unwrap();
    e2e::rtmp::wait_for_close(&socket, secs(3)).unwrap();
    server.assert_alive();
}
