//! `/v1`: contents, access, and what is refused.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, StatusCode};
use media::StreamName;

use super::{Bench, named};
use crate::{Config, FixedKeys, PushTarget, PushTargets};

fn from(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_stream_tells_everything() {
    struct Targets;
    impl PushTargets for Targets {
        fn of(&self, stream: &StreamName) -> Vec<PushTarget> {
            let mut target = PushTarget::default();
            target.id = format!("to-{}", stream.stream());
            target.state = "live".to_owned();
            vec![target]
        }
    }
    let bench = Bench::with(Config::default(), |parts| parts.targets = Arc::new(Targets));
    let _publisher = bench.publish("live/cam1", "bframes.flv");
    bench.get("/live/cam1/fmp4.m3u8").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let answer = bench.get("/v1/streams/live/cam1").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(
        answer.text().starts_with("{\n  \"name\""),
        "indented for people"
    );
    let json = answer.json();
    assert_eq!(json["state"], "live");
    assert_eq!(json["uptime_s"], 1.0);
    // The wall clock of the tests stands still, a second after the stream began.
    assert_eq!(json["started_at"], "2026-11-20T19:28:54Z");
    assert_eq!(json["publisher"]["peer"], "203.0.113.7:51514");
    let (video, audio) = (&json["tracks"][0], &json["tracks"][1]);
    assert_eq!(
        (&video["kind"], &video["codec"]),
        (&"video".into(), &"H.264".into())
    );
    assert_eq!(
        (&video["width"], &video["height"]),
        (&320.into(), &180.into())
    );
    assert_eq!(video["frame_rate"], 25.0);
    assert!(
        video["codec_string"]
            .as_str()
            .unwrap()
            .starts_with("avc1.64")
    );
    assert_eq!(audio["codec_string"], "mp4a.40.2");
    assert_eq!(
        (&audio["sample_rate"], &audio["channels"]),
        (&48_000.into(), &2.into())
    );
    assert_eq!(video["units"], 150);
    assert_eq!(json["viewers"]["by_protocol"]["hls"], 1);
    assert_eq!(json["viewers"]["list"][0]["protocol"], "hls");
    assert_eq!(json["timing"]["restarts"], 0);
    assert_eq!(json["hls"]["running"], true);
    assert_eq!(json["targets"][0]["id"], "to-cam1");
    assert_eq!(json["urls"]["hls"], "http://localhost:8080/live/cam1.m3u8");
    assert_eq!(json["urls"]["rtmp"], "rtmp://localhost/live/cam1");
    let compact = [("accept", "application/json")];
    let compact = bench
        .ask(Method::GET, "/v1/streams/live/cam1", &compact)
        .await;
    assert_eq!(compact.text().lines().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn list_comes_in_pages() {
    let bench = Bench::new();
    let _publishers: Vec<_> = (1..=3)
        .map(|n| bench.publish(&format!("live/cam{n}"), "audio-only.flv"))
        .collect();
    let all = bench.get("/v1/streams").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    assert_eq!(all["next_cursor"], serde_json::Value::Null);
    let first = bench.get("/v1/streams?limit=2").await.json();
    assert_eq!(first["next_cursor"], "live/cam2");
    assert_eq!(first["total"], 3);
    let rest = bench
        .get("/v1/streams?limit=2&cursor=live/cam2")
        .await
        .json();
    assert_eq!(rest["items"][0]["name"], "live/cam3");
    assert_eq!(rest["next_cursor"], serde_json::Value::Null);
    for query in [
        "limit=0",
        "limit=x",
        "limit=1001",
        "cursor=x",
        "callback=alert",
    ] {
        let answer = bench.get(&format!("/v1/streams?{query}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test(start_paused = true)]
async fn names_may_hold_slashes_and_words_of_our_own() {
    let bench = Bench::new();
    let _a = bench.publish("a/b/cam1", "audio-only.flv");
    let _b = bench.publish("a/b/publisher", "audio-only.flv");
    for path in ["a/b/cam1", "a%2Fb%2Fcam1", "a%2fb/cam1"] {
        let json = bench.get(&format!("/v1/streams/{path}")).await.json();
        assert_eq!(json["app"], "a/b", "{path}");
    }
    let json = bench.get("/v1/streams/a/b/publisher").await.json();
    assert_eq!(json["name"], "a/b/publisher");
    let path = "/v1/streams/a/b/publisher/publisher";
    let answer = bench.ask(Method::DELETE, path, &[]).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    // One decoding only.
    let answer = bench.get("/v1/streams/a%252Fb/cam1").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn publisher_is_sent_away() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "audio-only.flv");
    let path = "/v1/streams/live/cam1/publisher";
    let answer = bench.ask(Method::DELETE, path, &[]).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let revoked = publisher.revoked().await;
    assert_eq!(revoked, hub::Revoked::Dropped("by the API".into()));
    publisher.close(super::now(), hub::CloseCause::Revoked(revoked));
    let again = bench.ask(Method::DELETE, path, &[]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(again.json()["reason"], "PUBLISHER_NOT_FOUND");
    let json = bench.get("/v1/streams/live/cam1").await.json();
    assert_eq!(json["state"], "interrupted");
    assert_eq!(json["interrupted"]["remaining_s"], 7.0);
}

#[tokio::test(start_paused = true)]
async fn viewers_of_other_streams_are_not_hit() {
    let bench = Bench::new();
    let _one = bench.publish("live/cam1", "bframes.flv");
    let _two = bench.publish("live/cam2", "bframes.flv");
    bench.get("/live/cam1/fmp4.m3u8").await;
    let viewers = bench
        .hub
        .stream(&named("live/cam1"))
        .unwrap()
        .viewers()
        .list();
    let id = viewers[0].id;
    for wrong in [
        format!("live/cam2/viewers/{id}"),
        "live/cam1/viewers/999999".to_owned(),
        format!("live/cam1/viewers/+{id}"),
        "live/cam1/viewers/x".to_owned(),
    ] {
        let answer = bench
            .ask(Method::DELETE, &format!("/v1/streams/{wrong}"), &[])
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
        assert_eq!(answer.json()["reason"], "VIEWER_NOT_FOUND", "{wrong}");
    }
    assert_eq!(viewers[0].drop_reason(), None);
}

#[tokio::test(start_paused = true)]
async fn wrong_methods_are_told_the_right_ones() {
    let bench = Bench::new();
    let _publisher = bench.publish("live/cam1", "audio-only.flv");
    for (method, path, allow) in [
        (Method::POST, "/v1/streams", "GET, HEAD"),
        (Method::DELETE, "/v1/streams/live/cam1", "GET, HEAD"),
        (Method::GET, "/v1/streams/live/cam1/publisher", "DELETE"),
        (Method::GET, "/v1/streams/live/cam1/viewers/1", "DELETE"),
    ] {
        let answer = bench.ask(method, path, &[]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), allow, "{path}");
        assert_eq!(answer.json()["reason"], "METHOD_NOT_ALLOWED", "{path}");
    }
}

#[tokio::test]
async fn without_keys_only_this_machine_is_answered() {
    let bench = Bench::new();
    for (peer, headers, want) in [
        ("127.0.0.1:1", vec![], 200),
        ("[::1]:1", vec![("host", "[::1]:8080")], 200),
        ("[::ffff:127.0.0.1]:1", vec![("host", "127.0.0.1")], 200),
        ("192.168.1.9:1", vec![], 403),
        ("192.168.1.9:1", vec![("x-forwarded-for", "127.0.0.1")], 403),
        // A proxy on this machine speaks for others.
        ("127.0.0.1:1", vec![("x-forwarded-for", "203.0.113.9")], 403),
        ("127.0.0.1:1", vec![("forwarded", "for=127.0.0.1")], 403),
        // A page whose name resolves to this machine.
        ("127.0.0.1:1", vec![("host", "evil.example:8080")], 403),
    ] {
        let answer = bench
            .ask_from(from(peer), Method::GET, "/v1/streams", &headers)
            .await;
        assert_eq!(answer.status, want, "{peer} {headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        if want == 403 {
            assert_eq!(answer.json()["reason"], "PERMISSION_DENIED");
            assert!(
                answer.json()["detail"]
                    .as_str()
                    .unwrap()
                    .contains("without API keys")
            );
        }
    }
    // Unknown routes below /v1 are no way to look around.
    let answer = bench
        .ask_from(from("10.0.0.1:1"), Method::GET, "/v1/x", &[])
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn with_keys_every_request_needs_one() {
    let keys = || FixedKeys::required(["ss_live_1".to_owned()]);
    let bench = Bench::with(Config::default(), |parts| parts.keys = Arc::new(keys()));
    for (authorization, want, says) in [
        (Some("Bearer ss_live_1"), 200, ""),
        (Some("bearer ss_live_1"), 200, ""),
        (
            Some("Bearer ss_live_2"),
            401,
            "the key in the Authorization header is not valid",
        ),
        (
            Some("Basic c3M6"),
            401,
            "the Authorization header is not \"Bearer KEY\"",
        ),
        (
            None,
            401,
            "no Authorization header; send \"Authorization: Bearer KEY\"",
        ),
    ] {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        for peer in ["127.0.0.1:1", "203.0.113.9:1"] {
            let answer = bench
                .ask_from(from(peer), Method::GET, "/v1/streams", &headers)
                .await;
            assert_eq!(answer.status, want, "{authorization:?} {peer}");
            if want == 401 {
                assert_eq!(answer.json()["detail"], says);
                assert_eq!(
                    answer.header("www-authenticate"),
                    "Bearer realm=\"sidestream\""
                );
                assert!(!answer.text().contains("ss_live"));
            }
        }
    }
}

#[tokio::test]
async fn key_beside_loopback_opens_from_anywhere_and_closes_nothing() {
    let keys = || FixedKeys::beside_loopback(["demo".to_owned()]);
    let bench = Bench::with(Config::default(), |parts| parts.keys = Arc::new(keys()));
    let key = [("authorization", "Bearer demo")];
    let far = from("203.0.113.9:1");
    assert_eq!(
        bench
            .ask_from(far, Method::GET, "/v1/streams", &key)
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .ask_from(far, Method::GET, "/v1/streams", &[])
            .await
            .status,
        403
    );
    assert_eq!(bench.get("/v1/streams").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_sites_change_nothing() {
    let bench = Bench::new();
    let publisher = bench.publish("live/cam1", "audio-only.flv");
    let path = "/v1/streams/live/cam1/publisher";
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost:9999")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let answer = bench.ask(Method::DELETE, path, &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert!(publisher.stream().publisher().is_some());
    let own = [
        ("origin", "http://localhost:8080"),
        ("sec-fetch-site", "same-origin"),
    ];
    let answer = bench.ask(Method::DELETE, path, &own).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn request_ids_are_repeated_where_they_are_harmless() {
    let bench = Bench::new();
    let given = bench
        .ask(Method::GET, "/v1/x", &[("x-request-id", "abc-1.2_3")])
        .await;
    assert_eq!(given.header("x-request-id"), "abc-1.2_3");
    assert_eq!(given.json()["request_id"], "abc-1.2_3");
    let strange = bench
        .ask(Method::GET, "/v1/x", &[("x-request-id", "a b\"")])
        .await;
    assert!(strange.header("x-request-id").starts_with("req_"));
    let long = "x".repeat(65);
    let long = bench
        .ask(Method::GET, "/v1/x", &[("x-request-id", &long)])
        .await;
    assert!(long.header("x-request-id").starts_with("req_"));
}
