//! Pages, health, metrics, and answers for what is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};

use super::Bench;
use crate::{Config, Health};

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn pages_have_the_whole_policy() {
    let bench = Bench::new();
    for path in [
        "/",
        "/console",
        "/watch/live/cam1",
        "/watch/a/b/cam1",
        "/assets/watch.js",
        "/assets/console.js",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header("content-security-policy"), CSP, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn pages_hold_nothing_that_their_policy_forbids() {
    let bench = Bench::new();
    for path in ["/", "/console", "/watch/live/cam1"] {
        let text = bench.get(path).await.text().to_owned();
        for word in [
            "<style",
            " style=",
            "onclick",
            "onload",
            "<script>",
            "src=\"http",
            "href=\"http",
        ] {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
}

#[tokio::test]
async fn watch_may_be_embedded_where_the_settings_say() {
    let mut config = Config::default();
    config.embed_from = vec!["https://site.example".to_owned()];
    let bench = Bench::with(config, |_| {});
    let watch = bench.get("/watch/live/cam1").await;
    let policy = watch.header("content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors https://site.example"),
        "{policy}"
    );
    let index = bench.get("/").await;
    assert!(
        index
            .header("content-security-policy")
            .ends_with("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn files_of_the_page_have_types_and_validators() {
    let bench = Bench::new();
    for (path, content_type) in [
        ("/assets/watch.js", "text/javascript; charset=utf-8"),
        ("/assets/watch.css", "text/css; charset=utf-8"),
        ("/assets/console.js", "text/javascript; charset=utf-8"),
        ("/assets/console.css", "text/css; charset=utf-8"),
        (
            "/assets/vendor/hls.light.min.js",
            "text/javascript; charset=utf-8",
        ),
        (
            "/assets/vendor/hls.min.js",
            "text/javascript; charset=utf-8",
        ),
        (
            "/assets/vendor/hls.worker.js",
            "text/javascript; charset=utf-8",
        ),
        ("/assets/vendor/mpegts.js", "text/javascript; charset=utf-8"),
    ] {
        let packed = bench
            .ask(Method::GET, path, &[("accept-encoding", "gzip")])
            .await;
        assert_eq!(packed.status, StatusCode::OK, "{path}");
        assert_eq!(packed.header("content-type"), content_type);
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(&packed.body[..2], [0x1f, 0x8b]);
        let plain = bench.get(path).await;
        assert!(plain.body.len() > packed.body.len());
        let headers = [("if-none-match", plain.header("etag"))];
        let same = bench.ask(Method::GET, path, &headers).await;
        assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    }
    for path in [
        "/assets/",
        "/assets/../src/lib.rs",
        "/assets/%2e%2e/src/lib.rs",
        "/assets/x",
    ] {
        assert_eq!(
            bench.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn unknown_stream_is_said_as_text_or_json() {
    let bench = Bench::new();
    let text = "no stream live/cam1; publish it to rtmp://localhost/live/cam1\n";
    for path in [
        "/live/cam1.m3u8",
        "/live/cam1.flv",
        "/live/cam1.ts",
        "/live/cam1/0-1.ts",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.text(), text, "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let answer = bench
            .ask(Method::GET, path, &[("accept", "application/json")])
            .await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let json = answer.json();
        assert_eq!(json["reason"], "STREAM_NOT_FOUND");
        assert_eq!(json["detail"], text.trim_end());
        assert_eq!(json["status"], 404);
        let page = bench.get(json["type"].as_str().unwrap()).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text().starts_with("STREAM_NOT_FOUND: no such stream"));
    }
}

#[tokio::test]
async fn publish_url_follows_the_settings_and_repeats_no_strange_host() {
    let mut config = Config::default();
    config.rtmp_port = Some(1945);
    let bench = Bench::with(config.clone(), |_| {});
    let hosted = |host: &'static str| {
        let bench = &bench;
        async move {
            let answer = bench
                .ask(Method::GET, "/live/x.flv", &[("host", host)])
                .await;
            answer.text().to_owned()
        }
    };
    assert!(
        hosted("tv.example:8080")
            .await
            .ends_with("to rtmp://tv.example:1945/live/x\n")
    );
    assert!(
        hosted("[::1]:8080")
            .await
            .ends_with("to rtmp://[::1]:1945/live/x\n")
    );
    assert!(
        hosted("a<b>")
            .await
            .ends_with("to rtmp://HOST:1945/live/x\n")
    );
    config.public_url = "https://live.example".to_owned();
    config.rtmp_port = Some(1935);
    let bench = Bench::with(config.clone(), |_| {});
    let answer = bench.get("/live/x.flv").await;
    assert!(answer.text().ends_with("to rtmp://live.example/live/x\n"));
    config.rtmp_port = None;
    let bench = Bench::with(config, |_| {});
    assert_eq!(bench.get("/live/x.flv").await.text(), "no stream live/x\n");
}

#[tokio::test]
async fn bad_names_are_refused_on_every_route() {
    let bench = Bench::new();
    for name in [
        "live/..%2f..%2fetc",
        "live/%2e%2e",
        "live/a%00",
        "live/a%0d%0ab",
        "live/%E2%80%AEx",
        "live/%ff",
        "live/a%zz",
        "live/a%2541",
        "-live/a",
    ] {
        for path in [
            format!("/{name}.m3u8"),
            format!("/{name}.flv"),
            format!("/{name}.ts"),
            format!("/watch/{name}"),
            format!("/v1/streams/{name}"),
        ] {
            let answer = bench.get(&path).await;
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{path}: {}",
                answer.text()
            );
        }
    }
    let answer = bench.get("/live/a%3Cb%3E.flv").await;
    assert_eq!(
        answer.text(),
        "not a stream's name: stream name contains '<'; letters, digits, \"-\", \"_\" and \".\" \
         are allowed\n"
    );
}

#[tokio::test]
async fn nothing_is_said_to_be_so() {
    let bench = Bench::new();
    for path in [
        "/nothing",
        "/live/cam1",
        "/v1",
        "/v1/nothing",
        "/errors/NONE",
        "/favicon.ico",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.is_empty(), "{path}");
    }
    let post = bench.ask(Method::POST, "/metrics", &[]).await;
    assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.header("allow"), "GET,HEAD");
    assert_eq!(post.text(), "allowed here: GET,HEAD\n");
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    struct Rtmp(AtomicBool);
    impl Health for Rtmp {
        fn missing(&self) -> Vec<String> {
            let up = self.0.load(Ordering::Relaxed);
            (!up)
                .then(|| "rtmp listener".to_owned())
                .into_iter()
                .collect()
        }
    }
    let rtmp = Arc::new(Rtmp(AtomicBool::new(false)));
    let bench = Bench::with(Config::default(), |parts| parts.health = rtmp.clone());
    assert_eq!(bench.get("/healthz").await.text(), "ok\n");
    let answer = bench.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.text(), "not ready\n- rtmp listener\n");
    rtmp.0.store(true, Ordering::Relaxed);
    assert_eq!(bench.get("/readyz").await.text(), "ready\n");
    bench.server.drain();
    let answer = bench
        .ask(Method::GET, "/readyz", &[("accept", "application/json")])
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["missing"][0], "draining");
}

#[tokio::test(start_paused = true)]
async fn metrics_show_streams_viewers_and_counters() {
    let mut config = Config::default();
    config.metrics.per_stream = 1;
    let bench = Bench::with(config, |_| {});
    let _one = bench.publish("live/cam1", "bframes.flv");
    let _two = bench.publish("live/cam2", "audio-only.flv");
    bench.get("/live/cam1/fmp4.m3u8").await;
    bench
        .server
        .shared()
        .counters
        .bytes_out("rtmp")
        .fetch_add(42, Ordering::Relaxed);
    bench.server.shared().counters.reject("busy");
    let answer = bench.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text();
    for line in [
        "sidestream_streams{state=\"live\"} 2.0",
        "sidestream_publishers{protocol=\"rtmp\"} 2.0",
        "sidestream_viewers{protocol=\"hls\"} 1.0",
        "sidestream_sent_bytes_total{protocol=\"rtmp\"} 42",
        "sidestream_rejected_total{reason=\"busy\"} 1",
        "sidestream_stream_viewers{app=\"live\",stream=\"cam1\"} 1.0",
        "sidestream_streams_without_series 1.0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let sent = "sidestream_sent_bytes_total{protocol=\"hls\"} ";
    let sent = text
        .lines()
        .find_map(|line| line.strip_prefix(sent))
        .unwrap();
    assert!(sent.parse::<u64>().unwrap() > 100);
    assert!(!text.contains("stream=\"cam2\""));
    assert!(text.contains("sidestream_stream_received_bytes_total{app=\"live\",stream=\"cam1\"} "));
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_strangers_no_names() {
    let bench = Bench::new();
    let _one = bench.publish("live/cam1", "audio-only.flv");
    let stranger = ([203, 0, 113, 9], 1).into();
    let answer = bench.ask_from(stranger, Method::GET, "/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .text()
            .contains("sidestream_streams{state=\"live\"} 1.0\n")
    );
    assert!(
        answer
            .text()
            .contains("sidestream_streams_without_series 1.0\n")
    );
    assert!(!answer.text().contains("cam1"));
}

#[tokio::test]
async fn metrics_can_be_switched_off() {
    let mut config = Config::default();
    config.metrics.enabled = false;
    let bench = Bench::with(config, |_| {});
    assert_eq!(bench.get("/metrics").await.status, StatusCode::NOT_FOUND);
}
