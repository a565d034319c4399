//! Headers of playback: caching, conditions, ranges, compression, CORS.

use std::io::Read;

use http::{Method, StatusCode};

use super::Bench;
use crate::Config;

const MEDIA: &str = "/live/cam1/fmp4.m3u8";

#[tokio::test(start_paused = true)]
async fn playlist_says_what_caches_must_know() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    for path in [
        "/live/cam1.m3u8",
        MEDIA,
        "/live/cam1.ts.m3u8",
        "/live/cam1/ts.m3u8",
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.header("content-type"),
            "application/vnd.apple.mpegurl"
        );
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string()
        );
        let etag = answer.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() > 4, "{etag}");
        let listed = format!("\"other\", W/{etag}");
        for condition in [etag.as_str(), "*", &listed] {
            let same = bench
                .ask(Method::GET, path, &[("if-none-match", condition)])
                .await;
            assert_eq!(same.status, StatusCode::NOT_MODIFIED);
            assert_eq!(same.header("etag"), etag);
            assert!(same.body.is_empty());
        }
        let other = bench
            .ask(Method::GET, path, &[("if-none-match", "\"x\"")])
            .await;
        assert_eq!(other.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn playlist_is_compressed_for_those_who_ask() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let plain = bench.get(MEDIA).await;
    let packed = bench
        .ask(Method::GET, MEDIA, &[("accept-encoding", "br, gzip")])
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(
        packed.header("content-type"),
        "application/vnd.apple.mpegurl"
    );
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain.text());
    assert_ne!(packed.header("etag"), plain.header("etag"));
    let headers = [
        ("accept-encoding", "gzip"),
        ("if-none-match", packed.header("etag")),
    ];
    let same = bench.ask(Method::GET, MEDIA, &headers).await;
    assert_eq!(same.status, StatusCode::NOT_MODIFIED);
    assert_eq!(same.header("content-encoding"), "");
}

#[tokio::test(start_paused = true)]
async fn segments_are_kept_for_ever_and_read_in_parts() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let uri = format!("/live/cam1/{}", bench.get(MEDIA).await.first_uri());
    let whole = bench
        .ask(Method::GET, &uri, &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(
        whole.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(whole.header("content-encoding"), "");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let len = whole.body.len();

    let part = bench
        .ask(Method::GET, &uri, &[("range", "bytes=10-19")])
        .await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{len}"));
    assert_eq!(part.header("content-length"), "10");
    assert_eq!(part.body, whole.body.slice(10..20));
    let tail = bench.ask(Method::GET, &uri, &[("range", "bytes=-5")]).await;
    assert_eq!(tail.body, whole.body.slice(len - 5..));

    let beyond = format!("bytes={len}-");
    let none = bench.ask(Method::GET, &uri, &[("range", &beyond)]).await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(none.header("content-range"), format!("bytes */{len}"));

    let changed = [("range", "bytes=10-19"), ("if-range", "\"other\"")];
    assert_eq!(bench.ask(Method::GET, &uri, &changed).await.body.len(), len);
    let kept = [("range", "bytes=10-19"), ("if-range", whole.header("etag"))];
    assert_eq!(bench.ask(Method::GET, &uri, &kept).await.body.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn head_has_the_headers_of_get() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let segment = format!("/live/cam1/{}", bench.get(MEDIA).await.first_uri());
    for path in [
        MEDIA,
        "/live/cam1.m3u8",
        &segment,
        "/watch/live/cam1",
        "/",
        "/v1/streams",
    ] {
        let get = bench.get(path).await;
        let head = bench.ask(Method::HEAD, path, &[]).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
        // A viewer has joined meanwhile where the answer counts them.
        if path != "/v1/streams" {
            assert_eq!(
                head.header("content-length"),
                get.body.len().to_string(),
                "{path}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_site_may_play_by_default_and_read_the_errors_too() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let origin = ("origin", "https://site.example");
    for (path, status) in [
        (MEDIA, 200),
        ("/live/none.m3u8", 404),
        ("/live/none.flv", 404),
        ("/live/..%2f.flv", 400),
        ("/live/cam1/0-0.m4s", 404),
        ("/nothing", 404),
    ] {
        let answer = bench.ask(Method::GET, path, &[origin]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("timing-allow-origin"), "*", "{path}");
    }
    let post = bench.ask(Method::POST, MEDIA, &[origin]).await;
    assert_eq!(post.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(post.header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(post.header("access-control-allow-origin"), "*");
}

#[tokio::test(start_paused = true)]
async fn preflight_is_answered_for_media_and_not_for_the_api() {
    let bench = Bench::new();
    let headers = [
        ("origin", "https://site.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "range"),
    ];
    let media = bench.ask(Method::OPTIONS, MEDIA, &headers).await;
    assert_eq!(media.status, StatusCode::NO_CONTENT);
    assert_eq!(
        media.header("access-control-allow-methods"),
        "GET, HEAD, OPTIONS"
    );
    assert!(
        media
            .header("access-control-allow-headers")
            .contains("Range")
    );
    assert_eq!(media.header("access-control-max-age"), "86400");
    let api = bench.ask(Method::OPTIONS, "/v1/streams", &headers).await;
    assert_eq!(api.header("access-control-allow-origin"), "");
}

#[tokio::test(start_paused = true)]
async fn listed_sites_alone_may_play_when_there_is_a_list() {
    let mut config = Config::default();
    config.cors = vec!["https://site.example".to_owned()];
    let bench = Bench::with(config, |_| {});
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let answer = bench
        .ask(Method::GET, MEDIA, &[("origin", "https://site.example")])
        .await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://site.example"
    );
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding", "Origin"]);
    let answer = bench
        .ask(Method::GET, MEDIA, &[("origin", "https://other.example")])
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test(start_paused = true)]
async fn validators_answer_conditions_on_segments_without_a_body() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    let uri = format!("/live/cam1/{}", bench.get(MEDIA).await.first_uri());
    let whole = bench.get(&uri).await;
    let etag = whole.header("etag").to_owned();
    assert!(etag.starts_with('"'), "a strong validator: {etag}");
    let weak = format!("W/{etag}");
    let listed = format!("\"x\", {etag}");
    // A condition that holds goes before a range (RFC 9110 section 13.2.2).
    for (method, condition, range) in [
        (Method::GET, etag.as_str(), ""),
        (Method::GET, &weak, ""),
        (Method::GET, &listed, "bytes=0-9"),
        (Method::GET, "*", ""),
        (Method::HEAD, &etag, ""),
    ] {
        let headers = [("if-none-match", condition), ("range", range)];
        let headers = headers.split_at(if range.is_empty() { 1 } else { 2 }).0;
        let same = bench.ask(method.clone(), &uri, headers).await;
        assert_eq!(
            same.status,
            StatusCode::NOT_MODIFIED,
            "{method} {condition}"
        );
        assert!(same.body.is_empty());
        assert_eq!(same.header("etag"), etag);
        assert_eq!(same.header("cache-control"), whole.header("cache-control"));
        assert_eq!(same.header("content-length"), "");
    }
    let other = [("if-none-match", "\"x\"")];
    let other = bench.ask(Method::GET, &uri, &other).await;
    assert_eq!(
        (other.status, other.body),
        (StatusCode::OK, whole.body.clone())
    );
    // There is no date to compare with, so conditions with dates hold nothing back
    // (RFC 9110 section 13.1.3).
    assert_eq!(whole.header("last-modified"), "");
    let dated = [("if-modified-since", "Fri, 20 Nov 2026 19:28:55 GMT")];
    let dated = bench.ask(Method::GET, &uri, &dated).await;
    assert_eq!((dated.status, dated.body), (StatusCode::OK, whole.body));
}

#[tokio::test(start_paused = true)]
async fn ranges_are_of_what_their_condition_names() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let plain = bench.get(MEDIA).await;
    let etag = plain.header("etag").to_owned();
    let weak = format!("W/{etag}");
    let range = ("range", "bytes=1-6");
    // A range is one of plain text, also for those who take gzip.
    let packed = [range, ("accept-encoding", "gzip")];
    let part = bench.ask(Method::GET, MEDIA, &packed).await;
    assert_eq!(
        (part.status, part.text()),
        (StatusCode::PARTIAL_CONTENT, "EXTM3U")
    );
    assert_eq!(
        (part.header("content-encoding"), part.header("etag")),
        ("", &*etag)
    );
    let if_range = |value| [range, ("if-range", value)];
    let kept = bench.ask(Method::GET, MEDIA, &if_range(&etag)).await;
    assert_eq!(kept.text(), "EXTM3U");
    // If-Range compares strongly, and dates match nothing (RFC 9110 section 13.1.5).
    for condition in [weak.as_str(), "Fri, 20 Nov 2026 19:28:55 GMT", "\"x\""] {
        let whole = bench.ask(Method::GET, MEDIA, &if_range(condition)).await;
        assert_eq!(
            (whole.status, &whole.body),
            (StatusCode::OK, &plain.body),
            "{condition}"
        );
    }
    let head = bench.ask(Method::HEAD, MEDIA, &[range]).await;
    assert_eq!(
        (head.status, head.header("content-range")),
        (StatusCode::OK, "")
    );
    assert_eq!(head.header("content-length"), plain.body.len().to_string());
    // What changes meanwhile is sent whole.
    super::Clip::open("bframes.flv").send(&mut publisher, 6_000);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let changed = bench.ask(Method::GET, MEDIA, &if_range(&etag)).await;
    assert_eq!(
        (changed.status, &changed.body[..7]),
        (StatusCode::OK, &b"#EXTM3U"[..])
    );
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test(start_paused = true)]
async fn validator_of_a_playlist_changes_exactly_when_its_text_does() {
    let bench = Bench::new();
    let mut publisher = bench.publish("live/cam1", "bframes.flv");
    let mut known = bench.get(MEDIA).await;
    let (mut same, mut changed) = (0, 0);
    for round in 1..=4 {
        super::Clip::open("bframes.flv").send(&mut publisher, round * 6_000);
        // The segmenter takes what came after a tenth of a second: some of these come before.
        for _ in 0..6 {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            let condition = [("if-none-match", known.header("etag"))];
            let answer = bench.ask(Method::GET, MEDIA, &condition).await;
            let now = bench.get(MEDIA).await;
            if answer.status == StatusCode::NOT_MODIFIED {
                same += 1;
                assert_eq!(now.body, known.body);
            } else {
                changed += 1;
                assert_eq!(answer.body, now.body);
                assert_ne!(answer.body, known.body);
                assert_ne!(answer.header("etag"), known.header("etag"));
                known = answer;
            }
        }
    }
    assert_eq!((same, changed), (20, 4));
}
