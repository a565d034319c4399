//! Encrypted HLS: keys for those who may play, and nothing in clear when a key is missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use hub::{Ask, Verdict};
use media::StreamName;
use tokio::time::sleep;

use super::{Answer, Bench, Clip};
use crate::{
    Config, EncryptionRules, Fetch, HttpKeyServer, KeyOrigin, KeySecret, KeyServer,
    StreamEncryption,
};

/// The app `live` is encrypted.
#[derive(Debug)]
struct Live(StreamEncryption);

impl EncryptionRules for Live {
    fn of(&self, name: &StreamName) -> Option<StreamEncryption> {
        (name.app() == "live").then(|| self.0.clone())
    }
}

pub(super) fn settings(method: hls::Method, keys: KeyOrigin) -> Config {
    let mut config = Config::default();
    config.hls.encryption = Some(Arc::new(Live(StreamEncryption {
        method,
        rotation: hls::Rotation::Segments(2.try_into().unwrap()),
        keys,
    })));
    config
}

pub(super) fn generated(method: hls::Method) -> Config {
    settings(method, KeyOrigin::Generated(KeySecret::new([9; 32])))
}

/// The URIs of the keys in a playlist, in order.
pub(super) fn keys(playlist: &Answer) -> Vec<String> {
    let lines = playlist.text().lines();
    lines
        .filter(|line| line.starts_with("#EXT-X-KEY:METHOD=") && line.contains("URI"))
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect()
}

/// A key server that can be switched off.
#[derive(Debug, Default)]
pub(super) struct Switched {
    pub(super) on: AtomicBool,
    asked: Mutex<Vec<String>>,
    /// Of keys that were given.
    pub(super) names: Mutex<Vec<String>>,
}

impl Switched {
    /// One key for one name.
    fn key(&self, id: &str) -> [u8; 16] {
        let mut names = self.names.lock().unwrap();
        let known = names.iter().position(|name| name == id);
        let number = known.unwrap_or_else(|| {
            names.push(id.to_owned());
            names.len() - 1
        });
        [u8::try_from(number).unwrap(); 16]
    }
}

impl KeyServer for Switched {
    fn fetch(&self, name: &StreamName, id: &str) -> Fetch {
        self.asked.lock().unwrap().push(format!("{name} {id}"));
        let answer = if self.on.load(Ordering::Relaxed) {
            Ok(self.key(id))
        } else {
            Err("it is switched off".to_owned())
        };
        Box::pin(async move {
            sleep(Duration::from_millis(20)).await;
            answer
        })
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_served_beside_the_segments_and_kept_by_nobody() {
    let bench = Bench::with(generated(hls::Method::Aes128), |_| {});
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let _other = bench.publish("open/cam1", "bframes.flv");
    for list in ["fmp4.m3u8", "ts.m3u8"] {
        let playlist = bench.get(&format!("/live/cam1/{list}")).await;
        assert!(
            !playlist.text().contains("EXT-X-PART"),
            "{}",
            playlist.text()
        );
        let keys = keys(&playlist);
        assert!(!keys.is_empty(), "{}", playlist.text());
        let key = bench.get(&format!("/live/cam1/{}", keys[0])).await;
        assert_eq!((key.status, key.body.len()), (StatusCode::OK, 16));
        assert_eq!(key.header("cache-control"), "no-store");
        assert_eq!(key.header("content-type"), "application/octet-stream");
        let segment = bench
            .get(&format!("/live/cam1/{}", playlist.first_uri()))
            .await;
        assert_eq!(segment.body.len() % 16, 0);
        assert!(!segment.body.windows(4).any(|bytes| bytes == b"moof"));
        let open = bench.get(&format!("/open/cam1/{list}")).await;
        assert!(!open.text().contains("EXT-X-KEY"));
        // Another stream's, and one that is not used yet.
        for wrong in [
            format!("/open/cam1/{}", keys[0]),
            "/live/cam1/key-1a-0.bin".to_owned(),
            format!("/live/cam1/{}", keys[0].replace("-0.bin", "-9.bin")),
        ] {
            assert_eq!(
                bench.get(&wrong).await.status,
                StatusCode::NOT_FOUND,
                "{wrong}"
            );
        }
    }
    let state = bench.get("/v1/streams/live/cam1").await.json();
    assert_eq!(state["hls"]["encryption"], "aes-128");
    let state = bench.get("/v1/streams/open/cam1").await.json();
    assert!(state["hls"]["encryption"].is_null());
}

#[tokio::test(start_paused = true)]
async fn samples_keep_low_latency_and_ts_is_encrypted_as_a_whole() {
    let bench = Bench::with(generated(hls::Method::Cbcs), |_| {});
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let playlist = bench.get("/live/cam1/fmp4.m3u8").await;
    assert!(playlist.text().contains("METHOD=SAMPLE-AES"));
    assert!(playlist.text().contains("EXT-X-PART:"));
    let segment = bench
        .get(&format!("/live/cam1/{}", playlist.first_uri()))
        .await;
    assert!(segment.body.windows(4).any(|bytes| bytes == b"senc"));
    let ts = bench.get("/live/cam1/ts.m3u8").await;
    assert!(ts.text().contains("METHOD=AES-128"));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_play_gets_no_key_and_links_carry_the_token() {
    let bench = Bench::with(generated(hls::Method::Aes128), |parts| {
        parts.authorizer = Arc::new(|ask: Ask| async move {
            match ask.parameter("token") {
                Some("good") => Verdict::AllowLinks("token=good".into()),
                _ => Verdict::deny("no token"),
            }
        });
    });
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let playlist = bench.get("/live/cam1/ts.m3u8?token=good").await;
    let keys = keys(&playlist);
    assert!(keys[0].ends_with(".bin?token=good"), "{keys:?}");
    let key = bench.get(&format!("/live/cam1/{}", keys[0])).await;
    assert_eq!((key.status, key.body.len()), (StatusCode::OK, 16));
    assert_eq!(key.header("cache-control"), "no-store");
    let bare = keys[0].split('?').next().unwrap();
    let refused = bench.get(&format!("/live/cam1/{bare}")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_ne!(refused.body.len(), 16);
}

#[tokio::test(start_paused = true)]
async fn without_its_first_key_a_stream_says_why_and_plays_as_soon_as_it_has_it() {
    let server = Arc::new(Switched::default());
    let config = settings(
        hls::Method::Aes128,
        KeyOrigin::Server(Arc::clone(&server) as _),
    );
    let bench = Bench::with(config, |_| {});
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    for list in [
        "/live/cam1.m3u8",
        "/live/cam1/fmp4.m3u8",
        "/live/cam1.ts.m3u8",
    ] {
        let answer = bench.get(list).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
        let why =
            "HLS of live/cam1 is encrypted and has no key for what comes next: it is switched off";
        assert!(answer.text().starts_with(why), "{}", answer.text());
    }
    // The stream itself goes on, and is asked for again and again.
    assert_eq!(bench.hub.list().len(), 1);
    server.on.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(11)).await;
    Clip::open("bframes.flv").send(&mut publisher, 7_000);
    let playlist = bench.get("/live/cam1/fmp4.m3u8").await;
    assert_eq!(playlist.status, StatusCode::OK, "{}", playlist.text());
    let keys = keys(&playlist);
    let key = bench.get(&format!("/live/cam1/{}", keys[0])).await;
    assert_eq!(&key.body[..], [0; 16]);
    let asked = server.asked.lock().unwrap().clone();
    let first = keys[0].strip_prefix("key-").unwrap().strip_suffix(".bin");
    assert_eq!(asked[0], format!("live/cam1 {}", first.unwrap()));
    assert_eq!(asked[0], asked[1], "the same key again");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_come_in_time_stops_the_playlist_and_no_more() {
    let server = Arc::new(Switched::default());
    server.on.store(true, Ordering::Relaxed);
    let config = settings(
        hls::Method::Aes128,
        KeyOrigin::Server(Arc::clone(&server) as _),
    );
    let bench = Bench::with(config, |_| {});
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let playlist = bench.get("/live/cam1/ts.m3u8").await;
    assert_eq!(playlist.status, StatusCode::OK, "{}", playlist.text());
    let segment = playlist.first_uri();
    // One key ahead is there; the clip's six segments need more.
    sleep(Duration::from_secs(1)).await;
    server.on.store(false, Ordering::Relaxed);
    for round in 1..4 {
        Clip::open("bframes.flv").send(&mut publisher, round * 6_000);
        sleep(Duration::from_secs(1)).await;
    }
    let answer = bench.get("/live/cam1/ts.m3u8").await;
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("it is switched off"));
    let kept = bench.get(&format!("/live/cam1/{segment}")).await;
    assert_eq!(kept.status, StatusCode::OK, "what was listed is there");
    let state = bench.get("/v1/streams/live/cam1").await.json();
    assert!(
        state["hls"]["locked_segments"].as_u64().unwrap() > 0,
        "{state}"
    );
    server.on.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(11)).await;
    Clip::open("bframes.flv").send(&mut publisher, 24_000);
    sleep(Duration::from_secs(1)).await;
    let playlist = bench.get("/live/cam1/ts.m3u8").await;
    assert_eq!(playlist.status, StatusCode::OK, "{}", playlist.text());
    assert!(playlist.text().contains("EXT-X-DISCONTINUITY"));
}

/// A server that answers each connection with these bytes; the requests that it saw.
async fn answering(answer: Vec<u8>) -> (std::net::SocketAddr, Arc<Mutex<String>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4_096];
            let len = socket.read(&mut request).await.unwrap_or(0);
            log.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&request[..len]));
            let _ = socket.write_all(&answer).await;
        }
    });
    (addr, seen)
}

#[tokio::test]
async fn a_key_server_is_asked_over_http_and_its_url_is_not_repeated() {
    let name: StreamName = "live/caf\u{e9}".parse().unwrap();
    let ask = |addr: std::net::SocketAddr| {
        let url = format!("http://{addr}/k/{{app}}/{{stream}}?id={{key}}&secret=s3cret");
        let server = HttpKeyServer::new(&url, Duration::from_secs(5)).unwrap();
        server.fetch(&name, "1a-3")
    };
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    let good = [
        head.as_bytes(),
        b"content-length: 16\r\n\r\n0123456789abcdef",
    ]
    .concat();
    let (addr, seen) = answering(good).await;
    assert_eq!(ask(addr).await, Ok(*b"0123456789abcdef"));
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.starts_with("GET /k/live/caf%C3%A9?id=1a-3&secret=s3cret "),
        "{seen}"
    );
    let long = [
        head.as_bytes(),
        b"content-length: 17\r\n\r\n0123456789abcdefg",
    ]
    .concat();
    for (answer, want) in [
        (long, "no key of 16 bytes"),
        (
            b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "status 403",
        ),
        (
            b"HTTP/1.1 302 X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_vec(),
            "status 302",
        ),
        (Vec::new(), "cannot be reached"),
    ] {
        let (addr, _) = answering(answer).await;
        let error = ask(addr).await.unwrap_err();
        assert!(error.contains(want), "{error}");
        assert!(
            !error.contains("s3cret") && !error.contains("/k/"),
            "{error}"
        );
    }
}
