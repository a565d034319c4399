//! Bad peers: nothing that one connection sends changes anything for another stream.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing, Media};
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::http;
use e2e::media;
use e2e::process::{Process, run_ok};
use e2e::rtmp::{Client, Message, Pace, Value, push_tags};
use e2e::server::{Options, SHORT_LIFE, Server};
use e2e::wait::{secs, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// A stream that runs beside the abuse, with an RTMP, an HTTP-FLV and an HLS viewer.
struct Innocent {
    publisher: Process,
    source: Media,
    rtmp: Reader,
    http: Reader,
    hls: std::thread::JoinHandle<Collector>,
    _folder: tempfile::TempDir,
}

impl Innocent {
    /// Starts it; it runs for `turns` times six seconds.
    fn start(server: &Server, turns: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("long.flv");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args([
            "-nostdin",
            "-loglevel",
            "error",
            "-stream_loop",
            &(turns - 1).to_string(),
        ]);
        ffmpeg.arg("-i").arg(media::testdata("bframes.flv"));
        ffmpeg.args(["-c", "copy", "-f", "flv"]).arg(&long);
        run_ok("ffmpeg -stream_loop", ffmpeg, secs(20));
        let source = ffmpeg::source(Version::V5, &long, Framing::Native);
        let url = server.rtmp_url("live/innocent");
        let rtmp = Reader::start(&ReadOptions::native(Version::V5), &url);
        server.wait_for_rtmp_connections(1);
        let publisher = ffmpeg::publish(Version::V5, &long, &url);
        server.wait_for_stream("live/innocent");
        let http = Reader::start(
            &ReadOptions::native(Version::V5),
            &server.http_url("/live/innocent.flv"),
        );
        let list = multivariant(&server.http, "/live/innocent.m3u8", FIRST_SEGMENT);
        let address = server.http.clone();
        let hls = std::thread::spawn(move || {
            let mut collector = Collector::new(&address, &list.media);
            collector.until_end(secs(180));
            collector
        });
        Self {
            publisher,
            source,
            rtmp,
            http,
            hls,
            _folder: folder,
        }
    }

    /// Waits for the stream's end and compares what each viewer has.
    fn expect_unharmed(mut self) {
        self.publisher.finish(secs(120));
        self.rtmp.expect(&self.source, Coverage::Whole, secs(30));
        self.http
            .expect(&self.source, Coverage::FromKeyFrame, secs(30));
        let collector = self.hls.join().unwrap();
        assert_eq!(collector.discontinuities(), 0);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("all.mp4");
        std::fs::write(&file, collector.concatenated()).unwrap();
        let got = ffmpeg::file_frames(Version::V9, &file, Framing::Native, false);
        self.source
            .assert_received("HLS", &got, Coverage::FromKeyFrame);
    }
}

/// Sends bytes and reads whatever comes back, until the server closes or has had them all for a moment.
fn throw(address: &str, bytes: &[u8]) {
    let Ok(mut socket) = TcpStream::connect(address) else {
        panic!("the server does not accept connections any more");
    };
    let mut reader = socket.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let mut sink = [0; 64 * 1024];
        while matches!(reader.read(&mut sink), Ok(n) if n > 0) {}
    });
    socket.set_write_timeout(Some(secs(5))).unwrap();
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let end = Instant::now() + Duration::from_millis(300);
    while !reading.is_finished() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = socket.shutdown(Shutdown::Both);
    let _ = reading.join();
}

/// Throws all files of a folder, four at a time.
fn throw_all(files: &[std::path::PathBuf], throw: impl Fn(&Path) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(file) =
                    files.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    throw(file);
                }
            });
        }
    });
}

#[test]
fn the_bad_input_corpus_changes_nothing_for_an_innocent_stream() {
    let Some(shared) = media::shared() else {
        return;
    };
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"2s\"\nsegments = 100\n"
    ));
    let innocent = Innocent::start(&server, 7);
    let base = server.process().resident_bytes();
    let address = server.rtmp.clone();
    let bad = shared.join("badinput");
    let whole_sessions = [
        media::files(&bad.join("rtmp-mutated"), ""),
        media::files(&shared.join("rtmp-sessions"), "bin"),
    ]
    .concat();
    assert!(whole_sessions.len() > 100);
    throw_all(&whole_sessions, |file| {
        throw(&address, &std::fs::read(file).unwrap());
    });
    server.assert_alive();

    // Chunks and messages: behind a good handshake, and behind a good publish.
    let chunks = [
        media::files(&bad.join("rtmp-chunk"), ""),
        media::files(&bad.join("rtmp-message"), ""),
    ]
    .concat();
    throw_all(&chunks, |file| {
        let bytes = std::fs::read(file).unwrap();
        let mut client = Client::handshake(&address).unwrap();
        let _ = client.send_bytes(&bytes);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if let Ok(mut client) = Client::publish(&address, "bad", &name) {
            let _ = client.send_bytes(&bytes);
            let _ = client.socket().shutdown(Shutdown::Both);
        }
    });
    server.assert_alive();

    // AMF0 values: as a command, as data, in their AMF3 wrapping, as shared object.
    let values: Vec<_> = media::files(&bad.join("amf0"), "");
    let kinds = [20_u8, 18, 17, 15, 19];
    let connections: Vec<Client> = values
        .iter()
        .flat_map(|file| kinds.map(|kind| (file, kind)))
        .map(|(file, kind)| {
            let payload = std::fs::read(file).unwrap();
            let mut client = Client::handshake(&address).unwrap();
            let message = Message {
                kind,
                timestamp_ms: 0,
                stream: 0,
                payload,
            };
            let _ = client.send(3, &message);
            client
        })
        .collect();
    for mut client in connections {
        // Closed as a violation, or as one that never got further, but closed.
        client.wait_for_close(secs(15)).unwrap();
    }
    server.assert_alive();

    // Damaged FLV: every tag is published as it is; codec corpora as bodies of audio and video messages.
    throw_all(&media::files(&bad.join("flv"), ""), |file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let tags = flv::read_file(file);
        if let Ok(mut client) = Client::publish(&address, "bad", &name) {
            let _ = push_tags(&mut client, &tags, Pace::Unpaced);
            let _ = client.socket().shutdown(Shutdown::Both);
        }
    });
    let prefixes: [(&str, u8, &[u8]); 10] = [
        ("h264", 9, &[0x17, 0, 0, 0, 0]),
        ("h264", 9, &[0x17, 1, 0, 0, 0]),
        ("h265", 9, &[0x1c, 0, 0, 0, 0]),
        ("h265", 9, &[0x90, b'h', b'v', b'c', b'1']),
        ("av1", 9, &[0x90, b'a', b'v', b'0', b'1']),
        ("vp9", 9, &[0x90, b'v', b'p', b'0', b'9']),
        ("aac", 8, &[0xaf, 0]),
        ("opus", 8, &[0x90, b'O', b'p', b'u', b's']),
        ("ac3", 8, &[0x91, b'a', b'c', b'-', b'3']),
        ("mp3", 8, &[0x2f]),
    ];
    for (folder, kind, prefix) in prefixes {
        let mut client = Client::publish(&address, "bad", folder).unwrap();
        for file in media::files(&bad.join(folder), "") {
            let mut payload = prefix.to_vec();
            payload.extend(std::fs::read(&file).unwrap());
            let stream = client.stream_id();
            let message = Message {
                kind,
                timestamp_ms: 40,
                stream,
                payload,
            };
            // A malformed body costs that message, not the connection.
            client
                .send(4, &message)
                .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
        client.unpublish(folder).unwrap();
    }
    server.assert_alive();
    let grown = server.process().resident_bytes().saturating_sub(base);
    assert!(grown < 96 << 20, "memory grew by {grown} bytes");
    innocent.expect_unharmed();
    server.assert_alive();
}

#[test]
fn declared_lengths_and_deep_amf_cost_the_sender_not_the_server() {
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegments = 100\n"
    ));
    let innocent = Innocent::start(&server, 3);
    let base = server.process().resident_bytes();
    // 16 MB declared on each of 4096 chunk streams, before and after connect.
    let mut bytes = Vec::new();
    for csid in 64..4160_u16 {
        let id = csid - 64;
        bytes.extend_from_slice(&[1, id as u8, (id >> 8) as u8]);
        bytes.extend_from_slice(&[0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0x17]);
        bytes.extend_from_slice(&[0; 127]);
    }
    let mut before = Client::handshake(&server.rtmp).unwrap();
    let _ = before.send_bytes(&bytes);
    before.wait_for_close(secs(5)).unwrap();
    if let Ok(mut after) = Client::publish(&server.rtmp, "bad", "declared") {
        let _ = after.set_chunk_size(128);
        let _ = after.send_bytes(&bytes);
        after.wait_for_close(secs(5)).unwrap();
    }
    // 200 000 nested objects in connect.
    let mut payload = Vec::new();
    Value::from("connect").encode(&mut payload);
    Value::Number(1.0).encode(&mut payload);
    for _ in 0..20_000 {
        payload.extend_from_slice(&[3, 0, 1, b'a']);
    }
    payload.truncate(60_000);
    let mut nested = Client::handshake(&server.rtmp).unwrap();
    let _ = nested.send(
        3,
        &Message {
            kind: 20,
            timestamp_ms: 0,
            stream: 0,
            payload,
        },
    );
    nested.wait_for_close(secs(12)).unwrap();
    // Chunk size 0, and pings without end whose answers nobody reads.
    let mut zero = Client::handshake(&server.rtmp).unwrap();
    let _ = zero.send(
        2,
        &Message {
            kind: 1,
            timestamp_ms: 0,
            stream: 0,
            payload: vec![0; 4],
        },
    );
    zero.wait_for_close(secs(5)).unwrap();
    let mut pings = Client::handshake(&server.rtmp).unwrap();
    pings.socket().set_write_timeout(Some(secs(1))).unwrap();
    let ping = Message {
        kind: 4,
        timestamp_ms: 0,
        stream: 0,
        payload: vec![0, 6, 0, 0, 0, 1],
    };
    for _ in 0..20_000 {
        if pings.send(2, &ping).is_err() {
            break;
        }
    }
    let grown = server.process().resident_bytes().saturating_sub(base);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    drop(pings);
    innocent.expect_unharmed();
    server.assert_alive();
}

#[test]
fn players_that_never_read_are_bounded_and_hurt_nobody() {
    let mut server = Server::with_config(&format!(
        "{SHORT_LIFE}[fanout]\nmax_lag = \"2s\"\nstall_timeout = \"4s\"\n[hls]\nalways = true\nsegments = 100\n"
    ));
    let innocent = Innocent::start(&server, 3);
    let base = server.process().resident_bytes();
    let stalled: Vec<Client> = (0..50)
        .map(|_| Client::play(&server.rtmp, "live", "innocent").unwrap())
        .collect();
    until("the stalled players play", secs(10), || {
        server
            .stream("live/innocent")
            .filter(|s| s.to_string().len() > 100)
    });
    innocent.expect_unharmed();
    let grown = server.process().resident_bytes().saturating_sub(base);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    drop(stalled);
    server.assert_alive();
}

#[test]
fn idle_and_dripping_connections_are_closed_at_the_deadline() {
    let mut server = Server::start();
    let files = server.process().open_files();
    let opened = Instant::now();
    let idle: Vec<TcpStream> = (0..400)
        .map(|_| TcpStream::connect(&server.rtmp).unwrap())
        .collect();
    // One byte now and then does not extend the deadline: it is for the whole handshake.
    let mut drip = TcpStream::connect(&server.rtmp).unwrap();
    let dripping = std::thread::spawn(move || {
        while drip.write_all(&[3]).is_ok() && opened.elapsed() < secs(20) {
            std::thread::sleep(Duration::from_millis(200));
        }
        opened.elapsed()
    });
    // Connected, stream created, but neither publishing nor playing.
    let mut half = Client::connect(&server.rtmp, "live").unwrap();
    for socket in &idle {
        let left = secs(14).saturating_sub(opened.elapsed());
        e2e::rtmp::wait_for_close(socket, left.max(Duration::from_millis(1))).unwrap();
    }
    assert!(
        opened.elapsed() > secs(8),
        "{:?}: too eager",
        opened.elapsed()
    );
    half.wait_for_close(secs(5)).unwrap();
    let dripped = dripping.join().unwrap();
    assert!(dripped < secs(14), "{dripped:?}");
    drop(idle);
    until("all descriptors returned", secs(5), || {
        (server.process().open_files() <= files + 2).then_some(())
    });
    server.assert_alive();
}

#[test]
fn http_on_the_rtmp_port_and_slow_http_are_closed() {
    let mut server = Server::start();
    let mut socket = TcpStream::connect(&server.rtmp).unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    e2e::rtmp::wait_for_close(&socket, secs(3)).unwrap();
    // A request head that never ends, byte by byte.
    let opened = Instant::now();
    let mut slow = TcpStream::connect(&server.http).unwrap();
    let _ = slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n");
    while slow.write_all(b"X").is_ok() {
        assert!(
            opened.elapsed() < secs(40),
            "a request head may take for ever"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut big = TcpStream::connect(&server.http).unwrap();
    let _ = big.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n");
    for n in 0..10_000 {
        if big
            .write_all(format!("X-{n}: {}\r\n", "y".repeat(100)).as_bytes())
            .is_err()
        {
            break;
        }
        assert!(n < 9_999, "a megabyte of header fields is accepted");
    }
    let response = http::request(
        "GET",
        &server.http,
        "/healthz",
        &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
    );
    // RFC 9112 §6.3: refused, or the chunked coding wins; never two readings of one request.
    if let Ok(response) = response {
        assert!(
            matches!(response.status, 200 | 400..=499),
            "CL and TE together: {}",
            response.status
        );
    }
    server.assert_alive();
}

#[test]
fn running_out_of_file_descriptors_pauses_accept_and_recovers() {
    let mut server = Server::with(&Options {
        config: format!("{SHORT_LIFE}[hls]\nalways = true\nsegments = 100\n"),
        wrapper: ["prlimit", "--nofile=100:100", "--"]
            .map(str::to_owned)
            .to_vec(),
        ..Options::default()
    });
    let innocent = Innocent::start(&server, 4);
    let crowd: Vec<TcpStream> = (0..150)
        .filter_map(|_| TcpStream::connect(&server.rtmp).ok())
        .collect();
    assert!(crowd.len() > 100);
    until("the limit is reached", secs(10), || {
        (server.process().open_files() >= 90).then_some(())
    });
    let lines = server.log().lines().count();
    drop(crowd);
    // Accepts again soon after descriptors are back.
    until("a publish is accepted again", secs(20), || {
        Client::publish(&server.rtmp, "live", "after").ok()
    });
    let said = server.log().lines().count() - lines;
    assert!(said < 60, "{said} log lines about one thing");
    innocent.expect_unharmed();
    server.assert_alive();
}
