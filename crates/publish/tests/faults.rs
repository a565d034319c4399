//! A target against servers that are down, die, hang, refuse, or mean harm: the stream never
//! notices, and the target's state says the truth.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{JoinAt, Received, Stream};
use publish::{Publication, Target};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

fn start(feed: &Feed, url: rtmp::Url, config: publish::Config) -> publish::TargetHandle {
    let stream = Arc::clone(feed.publisher.stream());
    Target::start(stream, url, config, &TaskTracker::new())
}

/// A live stream with one key frame.
fn live(hub: &hub::Hub) -> Feed {
    let mut feed = Feed::with_headers(hub, "cam1");
    feed.video(0, true, 10);
    feed
}

#[tokio::test]
async fn server_that_is_down_at_start_is_found_when_it_comes_up() {
    let hub = hub();
    let feed = live(&hub);
    let (socket, addr) = reserved();
    let target = start(&feed, url(addr, "app/s3cret"), quick());
    let error = failure(&target).await;
    let wanted = format!("cannot connect to 127.0.0.1:{}: ", addr.port());
    assert!(error.starts_with(&wanted), "{error}");
    until("more tries", || attempt(&target) >= 3).await;
    assert_eq!(target.status().connections, 0);
    let listener = socket.listen(8).unwrap();
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
    assert_eq!(target.status().state.as_str(), "publishing");
}

#[tokio::test]
async fn server_that_dies_is_reached_again_from_a_random_access_point() {
    let hub = hub();
    let mut feed = live(&hub);
    let (listener, addr) = listener().await;
    let target = start(&feed, url(addr, "app/s3cret"), quick());
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    drop(server);
    assert_eq!(failure(&target).await, "closed by the server");
    feed.video(100, false, 10);
    feed.video(200, true, 10);
    feed.video(300, false, 10);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(
        words(&server.take(5).await),
        "onMetaData200 VH200 AH200 K200 v300"
    );
    assert_eq!(target.status().connections, 2);
}

#[tokio::test]
async fn server_that_drops_every_connection_is_left_alone_longer_and_longer() {
    let hub = hub();
    let feed = live(&hub);
    let (listener, addr) = listener().await;
    let target = start(&feed, url(addr, "app/s3cret"), quick());
    for wanted in 1..=4 {
        let mut server = accept(&listener).await;
        server.accept_publish().await;
        drop(server);
        until("the next try", || attempt(&target) == wanted).await;
    }
}

#[tokio::test]
async fn server_that_never_reads_is_given_up_in_time_and_nobody_else_notices() {
    let hub = hub_with(|config| config.gop_cache_bytes = 32 << 20);
    let mut feed = live(&hub);
    let mut witness = feed.publisher.stream().subscribe(JoinAt::Newest);
    let (listener, addr) = listener().await;
    let mut config = quick();
    config.write_timeout = Duration::from_millis(400);
    config.retry_max = Duration::from_secs(60);
    let target = start(&feed, url(addr, "app/s3cret"), config);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    // More than the kernel takes on both sides.
    feed.pictures(100..8_000, 1_000, 200_000);
    let mut sent = (0, Instant::now());
    until("it to give up", || {
        let status = target.status();
        if status.bytes_out > sent.0 {
            sent = (status.bytes_out, Instant::now());
        }
        status.state.as_str() == "backoff"
    })
    .await;
    let took = sent.1.elapsed();
    assert!(sent.0 > 100_000, "what was written counts: {}", sent.0);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_millis(1_500), "{took:?}");
    let error = failure(&target).await;
    assert_eq!(error, "the server has taken nothing for 400ms");
    let mut frames = Vec::new();
    while let Some(received) = witness.try_read(&mut frames) {
        assert!(!matches!(received, Received::Join { missed: 1.., .. }));
    }
    let pictures = frames
        .iter()
        .filter(|frame| matches!(frame.item, hub::Item::Unit(_)));
    assert_eq!(pictures.count(), 80);
}

#[tokio::test]
async fn refusal_is_told_in_the_servers_words_but_for_the_key() {
    let hub = hub();
    let feed = live(&hub);
    let (listener, addr) = listener().await;
    let target = start(&feed, url(addr, "app/s3cret?token=t0ken"), quick());
    let mut server = accept(&listener).await;
    let words = "stream key in use: s3cret\r\n(t0ken)";
    server
        .refuse_publish("NetStream.Publish.BadName", words)
        .await;
    // At once, so that the refusal and the end may arrive together.
    drop(server);
    let error = failure(&target).await;
    let wanted = "refused by the server (\"stream key in use: ****(****)\"); check the key there";
    assert_eq!(error, wanted);
    let shown = format!("{:?} {:?} {}", target, target.status(), target.url());
    assert!(
        !shown.contains("s3cret") && !shown.contains("t0ken"),
        "{shown}"
    );
    until("another try", || attempt(&target) >= 1).await;
}

#[tokio::test]
async fn refusal_without_words_is_told_by_its_code() {
    let hub = hub();
    let feed = live(&hub);
    let (listener, addr) = listener().await;
    let target = start(&feed, url(addr, "app/key"), quick());
    let mut server = accept(&listener).await;
    server.refuse_publish("NetStream.Publish.Denied", "").await;
    let error = failure(&target).await;
    assert!(error.starts_with("refused by the server ("), "{error}");
}

#[tokio::test]
async fn publish_that_the_server_ends_later_gives_its_reason() {
    let hub = hub();
    let feed = live(&hub);
    let (listener, addr) = listener().await;
    let target = start(&feed, url(addr, "app/key"), quick());
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    let id = 1;
    server
        .session
        .end_publish(id, "NetStream.Publish.Failed", "quota used up");
    server.send().await;
    drop(server);
    assert_eq!(
        failure(&target).await,
        "ended by the server (\"quota used up\")"
    );
}

#[tokio::test]
async fn slow_server_goes_on_at_the_next_random_access_point_with_headers() {
    let hub = hub_with(|config| {
        config.gop_cache_bytes = 256 << 20;
        config.gop_cache_time = Duration::from_secs(600);
    });
    let mut feed = live(&hub);
    let (listener, addr) = listener().await;
    let mut config = quick();
    config.queue = Duration::from_secs(2);
    config.write_timeout = Duration::from_secs(20);
    let target = start(&feed, url(addr, "app/key"), config);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
    until("publishing", || {
        target.status().state.as_str() == "publishing"
    })
    .await;
    // It does not read while 60 s of 100 KB pictures pass: more than any batch and buffer.
    for ms in (100..60_000).step_by(100) {
        feed.video(ms, ms % 1_000 == 0, 100_000);
        if ms % 5_000 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let mut got = Vec::new();
    loop {
        let next = server.next().await.unwrap();
        let last = next.word() == "v59900";
        got.push(next);
        if last {
            break;
        }
    }
    let status = target.status();
    assert!(status.skips >= 1, "{status:?}");
    assert_eq!(places(&got, 1_000), status.skips);
    assert_eq!(status.connections, 1);
}

/// Checks that pictures follow each other by 100 ms, and where some are missing a later key frame
/// follows behind headers; gives the number of such places.
fn places(got: &[Got], gop: u32) -> u64 {
    let mut time = 0;
    let mut places = 0;
    let mut got = got.iter();
    while let Some(one) = got.next() {
        match one {
            Got::Data(ms, name, _) => {
                assert_eq!(name, "onMetaData");
                let next: Vec<_> = got.by_ref().take(3).map(Got::word).collect();
                assert_eq!(
                    next,
                    [format!("VH{ms}"), format!("AH{ms}"), format!("K{ms}")]
                );
                assert!(*ms > time, "{ms} after {time}");
                time = *ms;
                places += 1;
            }
            Got::Video(ms, body) => {
                assert_eq!(*ms, time + 100, "a gap without headers");
                assert_eq!(*body, video(*ms, ms % gop == 0, 100_000));
                time = *ms;
            }
            other => panic!("{other:?}"),
        }
    }
    places
}

#[tokio::test]
async fn slow_server_waits_for_the_next_group_when_the_newest_is_what_it_has() {
    let hub = hub_with(|config| {
        config.gop_cache_bytes = 256 << 20;
        config.gop_cache_time = Duration::from_secs(600);
    });
    let mut feed = live(&hub);
    let (listener, addr) = listener().await;
    let mut config = quick();
    config.queue = Duration::from_secs(2);
    config.write_timeout = Duration::from_secs(20);
    let target = start(&feed, url(addr, "app/key"), config);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
    // One group of 60 s, of which it takes some.
    for ms in (100..60_000).step_by(100) {
        feed.video(ms, false, 100_000);
        if ms % 5_000 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    // It reads until it was found to lag; the next group is what it goes on with.
    let mut got = Vec::new();
    while target.status().skips == 0 {
        got.push(server.next().await.unwrap());
    }
    feed.video(60_000, true, 100_000);
    loop {
        let next = server.next().await.unwrap();
        let last = next.word() == "K60000";
        got.push(next);
        if last {
            break;
        }
    }
    assert_eq!(places(&got, 60_000), 1);
    assert_eq!(target.status().skips, 1);
}

#[tokio::test]
async fn server_that_takes_little_at_a_time_is_slow_not_dead() {
    let hub = hub();
    let mut feed = live(&hub);
    let (listener, addr) = listener().await;
    let mut config = quick();
    config.write_timeout = Duration::from_millis(300);
    let target = start(&feed, url(addr, "app/key"), config);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    server.take(4).await;
    // Twice what the kernel takes at once.
    feed.video(100, true, 7_500_000);
    let began = Instant::now();
    let mut taken = 0;
    let mut buf = vec![0; 64 << 10];
    while taken < 7_500_000 {
        // The pace is the point of this test.
        tokio::time::sleep(Duration::from_millis(10)).await;
        taken += within("bytes", server.socket.read(&mut buf)).await.unwrap();
    }
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(1_000),
        "too quick to tell: {took:?}"
    );
    let status = target.status();
    assert_eq!((status.connections, status.last_error), (1, None));
}

/// The answers of a good server up to the accepted publish, as bytes.
async fn good_answers() -> Vec<u8> {
    let (listener, addr) = listener().await;
    let client = tokio::spawn(async move {
        let target = url(addr, "app/key");
        let publication = Publication::connect(&target, &quick()).await.unwrap();
        publication.finish().await;
    });
    let (socket, _) = listener.accept().await.unwrap();
    let mut server = Incoming::new(Recorded {
        socket,
        written: Vec::new(),
    });
    server.accept_publish().await;
    let bytes = server.socket.written.clone();
    server.rest().await;
    drop(server);
    client.await.unwrap();
    bytes
}

/// A socket that remembers what is written.
struct Recorded {
    socket: TcpStream,
    written: Vec<u8>,
}

impl tokio::io::AsyncRead for Recorded {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Recorded {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        let written =
            std::task::ready!(std::pin::Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.written.extend_from_slice(&bytes[..written]);
        std::task::Poll::Ready(Ok(written))
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Publishes to a server that says exactly these bytes, and reads what it is sent.
async fn against(answers: Vec<u8>) -> Result<(), publish::Error> {
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = socket.split();
        let say = async {
            let _ = write.write_all(&answers).await;
        };
        let listen = async {
            let mut buf = vec![0; 64 << 10];
            while matches!(read.read(&mut buf).await, Ok(1..)) {}
        };
        tokio::join!(say, listen);
    });
    let mut config = quick();
    config.limits.setup_time = Duration::from_millis(300);
    let publishing = async {
        let mut publication = Publication::connect(&url(addr, "app/key"), &config).await?;
        publication.push(remux::flv::TagKind::Video, 0, video(0, true, 10));
        publication.flush().await?;
        publication.finish().await;
        Ok(())
    };
    let result = within("an end", publishing).await;
    server.abort();
    result
}

#[tokio::test]
async fn mutated_answers_end_in_a_publish_or_an_error() {
    let good = good_answers().await;
    assert!(good.len() > 3_073 + 200, "{} bytes", good.len());
    assert!(against(good.clone()).await.is_ok());
    // xorshift: the same mutations in every run.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    let mut running = tokio::task::JoinSet::new();
    for n in 0..240 {
        let mut bytes = good.clone();
        // Mostly behind the handshake, whose bytes mean little.
        let from = if n % 8 == 0 { 0 } else { 3_073 };
        for _ in 0..1 + n % 4 {
            let at = from + next() % (bytes.len() - from);
            match n % 3 {
                0 => bytes[at] ^= 1 << (next() % 8),
                1 => bytes[at] = next() as u8,
                _ => bytes.truncate(at.max(from + 1)),
            }
        }
        running.spawn(against(bytes));
    }
    let mut failed = 0;
    while let Some(result) = running.join_next().await {
        failed += usize::from(result.unwrap().is_err());
    }
    assert!(failed > 50, "only {failed} mutations mattered");
}

/// A message of a length that is declared and not sent, in one type 0 chunk.
fn message(type_id: u8, declared: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 0, 0, 0];
    out.extend_from_slice(&declared.to_be_bytes()[1..]);
    out.push(type_id);
    out.extend_from_slice(&[0; 4]);
    for (n, chunk) in payload.chunks(128).enumerate() {
        if n > 0 {
            out.push(0xc3);
        }
        out.extend_from_slice(chunk);
    }
    out
}

#[tokio::test]
async fn hostile_answers_are_errors_that_say_what() {
    let handshake = good_answers().await[..3_073].to_vec();
    let after = |bytes: Vec<u8>| [handshake.clone(), bytes].concat();
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    // `_result` with a strict array in a strict array in …
    let mut bomb = b"\x02\x00\x07_result\x00\x3f\xf0\x00\x00\x00\x00\x00\x00".to_vec();
    bomb.extend([0x0a, 0, 0, 0, 1].repeat(5_000));
    let pings: Vec<u8> = message(4, 6, &[0, 6, 0, 0, 0, 1]).repeat(2_000);
    for (what, bytes, wanted) in [
        ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "http"),
        ("version", vec![9; 3_073], "protocol"),
        (
            "huge message",
            after(message(20, 0xff_ffff, &[])),
            "exceeds",
        ),
        ("amf bomb", after(message(20, len(&bomb), &bomb)), "nesting"),
        ("silence", after(Vec::new()), "no answer to connect"),
        (
            "pings that are answered",
            after(pings),
            "no answer to connect",
        ),
    ] {
        let error = against(bytes).await.unwrap_err().to_string();
        assert!(error.contains(wanted), "{what}: {error}");
    }
}

#[tokio::test]
async fn pings_of_a_server_that_reads_no_answers_end_its_connection() {
    let answers = good_answers().await;
    let (listener, addr) = listener().await;
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&answers).await.unwrap();
        let pings = message(4, 6, &[0, 6, 0, 0, 0, 1]).repeat(1_000);
        // The client ends it; the amount is far beyond the kernel's buffers.
        for _ in 0..10_000 {
            if socket.write_all(&pings).await.is_err() {
                return true;
            }
        }
        false
    });
    let mut publication = Publication::connect(&url(addr, "app/key"), &quick())
        .await
        .unwrap();
    let error = within("an end", publication.closed()).await.to_string();
    assert!(error.contains("answers"), "{error}");
    drop(publication);
    assert!(server.await.unwrap());
}

#[tokio::test]
async fn target_that_leads_back_to_the_stream_is_not_pushed() {
    let hub = hub();
    let feed = live(&hub);
    let (listener, addr) = listener().await;
    let mut config = quick();
    config.own_listeners = vec![format!("0.0.0.0:{}", addr.port()).parse().unwrap()];
    let target = start(&feed, url(addr, "live/cam1?x=1"), config.clone());
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(server.rest().await, [Got::Unpublish]);
    drop(server);
    state(&target, "stopped").await;
    let error = failure(&target).await;
    assert_eq!(
        error,
        "the target is this stream itself; a loop is not pushed"
    );
    // Another name there is no loop.
    let _other = start(&feed, url(addr, "live/cam2"), config);
    let mut server = accept(&listener).await;
    server.accept_publish().await;
    assert_eq!(words(&server.take(4).await), "onMetaData0 VH0 AH0 K0");
}

#[tokio::test]
async fn many_bad_targets_leave_the_stream_as_it_is() {
    let hub = hub();
    let mut feed = live(&hub);
    let stream: Arc<Stream> = Arc::clone(feed.publisher.stream());
    let (down, down_addr) = reserved();
    let (hung, hung_addr) = listener().await;
    let (good, good_addr) = listener().await;
    let tracker = TaskTracker::new();
    let targets = [down_addr, hung_addr, good_addr]
        .map(|addr| Target::start(stream.clone(), url(addr, "a/k"), quick(), &tracker));
    let mut server = accept(&good).await;
    server.accept_publish().await;
    server.take(4).await;
    for ms in (100..3_000).step_by(100) {
        feed.video(ms, ms % 1_000 == 0, 10);
        assert_eq!(
            server.take(1).await,
            [Got::Video(ms, video(ms, ms % 1_000 == 0, 10))]
        );
    }
    assert_eq!(targets[1].status().state.as_str(), "connecting");
    targets.iter().for_each(publish::TargetHandle::stop);
    drop((down, hung));
    tracker.close();
    within("all to stop", tracker.wait()).await;
}
