//! `/v1` over the control plane.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use control::callback::{Callbacks, SystemTimer};
use control::{
    Answers, Applied, Control, Desired, Observation, Plane, PlaneError, Publishing, Settings,
    Store, UnixMs,
};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{Answer, Bench};
use crate::{Config, FixedKeys, Grant, Keys, PlayTokens, Scope};

/// Streams that publish, and nothing else.
#[derive(Clone, Default)]
pub(super) struct FakePlane {
    streams: Arc<Mutex<BTreeSet<String>>>,
}

impl Plane for FakePlane {
    fn apply(&self, desired: Desired) -> Answers<'_, Result<Applied, PlaneError>> {
        let live = self.streams.lock().unwrap().contains(&desired.stream);
        let mut applied = Applied::default();
        applied.live = live;
        applied.recording = desired.recordings.iter().map(|wanted| wanted.id).collect();
        Box::pin(async move { Ok(applied) })
    }

    fn drop_publisher(&self, stream: &str, _why: &str) -> bool {
        self.streams.lock().unwrap().remove(stream)
    }

    fn remove_file(&self, _path: &str) -> Answers<'_, Result<(), PlaneError>> {
        Box::pin(async { Ok(()) })
    }
}

struct Tokens;

impl PlayTokens for Tokens {
    fn token<'a>(&'a self, stream: &'a media::StreamName, valid: Duration) -> crate::Token<'a> {
        let token = format!("{}-{}", stream.stream(), valid.as_secs());
        Box::pin(std::future::ready(token))
    }
}

/// A configuration that is what it was.
struct Unchanged;

impl crate::Reload for Unchanged {
    fn reload(&self) -> Result<crate::Reloaded, Vec<crate::Misconfigured>> {
        Ok(crate::Reloaded::default())
    }
}

fn publishing(stream: &str) -> Publishing {
    Publishing {
        stream: stream.to_owned(),
        protocol: "rtmp".to_owned(),
        user_ip: Some("203.0.113.7".to_owned()),
        query: String::new(),
    }
}

/// A server with a control plane in memory.
pub(super) struct Relay {
    pub(super) bench: Bench,
    pub(super) control: Control,
    plane: FakePlane,
}

impl Relay {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with_config(config: Config) -> Self {
        Self::open(config, |_| {}).await
    }

    async fn with(parts: impl FnOnce(&mut crate::Parts)) -> Self {
        Self::open(Config::default(), parts).await
    }

    async fn open(config: Config, parts: impl FnOnce(&mut crate::Parts)) -> Self {
        let clock = Arc::new(UnixMs::now);
        let store = Store::in_memory(clock.clone()).unwrap();
        let mut known = Settings::new(control::Mode::Keyed);
        known.policy.start_min_interval_s = 0;
        let control = Control::open(store, known, clock).await.unwrap();
        let plane = FakePlane::default();
        tokio::spawn(control.clone().drive(Arc::new(plane.clone())));
        let timer = Arc::new(SystemTimer);
        let origin = control::callback::Origin {
            push_domain: "push.example".to_owned(),
            node: "203.0.113.1".to_owned(),
            files_url: "http://localhost:8080".to_owned(),
        };
        let callbacks = control::callback::Settings {
            allow_private: false,
            timeout: None,
            origin,
        };
        let callbacks = Callbacks::start(control.store().clone(), timer, callbacks).unwrap();
        let bench = Bench::with(config, |all| {
            all.control = Some(control.clone());
            all.callbacks = Some(callbacks);
            all.play_tokens = Some(Arc::new(Tokens));
            all.reload = Some(Arc::new(Unchanged));
            parts(all);
        });
        Self {
            bench,
            control,
            plane,
        }
    }

    /// A source publishes.
    pub(super) async fn publish(&self, stream: &str) {
        self.plane.streams.lock().unwrap().insert(stream.to_owned());
        let observed = Observation::Published(publishing(stream));
        self.control.observe(observed).await.unwrap();
    }

    pub(super) async fn send(&self, method: Method, uri: &str, body: &Value) -> Answer {
        self.send_with(method, uri, &body.to_string(), &[]).await
    }

    pub(super) async fn send_with(
        &self,
        method: Method,
        uri: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let loopback = ([127, 0, 0, 1], 40000).into();
        let body = Body::from(body.to_owned());
        let answering = self.bench.response(loopback, method, uri, headers, body);
        let response = tokio::time::timeout(Duration::from_secs(30), answering)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn start(&self, user: &str) -> Answer {
        let body = json!({"user_id": user});
        self.send(Method::POST, "/v1/rooms/8001/channels", &body)
            .await
    }
}

#[tokio::test]
async fn c1_a_user_has_one_channel_whose_id_and_urls_stay() {
    let relay = Relay::new().await;
    let first = relay.start("anchor_7").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    let started = first.json();
    assert_eq!(
        (&started["effect"], &started["state"]),
        (&json!("started"), &json!("pending"))
    );
    assert_eq!(started["urls"].as_array().unwrap().len(), 3);
    let id = started["channel_id"].as_str().unwrap();
    assert_eq!(started["channel_id"], started["channel_id_java"]);
    assert_eq!(first.header("location"), format!("/v1/channels/{id}"));
    assert_eq!(first.header("etag"), started["etag"].as_str().unwrap());

    let again = relay.start("anchor_7").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let problem = again.json();
    assert_eq!(
        (&problem["code"], &problem["reason"], &problem["module"]),
        (
            &json!(40_000_415),
            &json!("CHANNEL_EXISTS"),
            &json!("control")
        )
    );
    assert_eq!(problem["type"], "/errors/CHANNEL_EXISTS");
    assert_eq!(problem["existing"]["channel_id"], id);
    assert_eq!(problem["existing"]["urls"], started["urls"]);
    let body = json!({"user_id": "anchor_7", "if_exists": "return"});
    let returned = relay
        .send(Method::POST, "/v1/rooms/8001/channels", &body)
        .await;
    assert_eq!(
        (returned.status, &returned.json()["effect"]),
        (StatusCode::OK, &json!("already_live"))
    );

    let stop =
        json!({"channel_ids": [id, "55", "-2353318346053049378", 16_093_425_727_656_502_238_u64]});
    let stopped = relay
        .send(Method::POST, "/v1/rooms/8001/channels:stop", &stop)
        .await;
    assert_eq!(stopped.status, StatusCode::OK);
    let results = &stopped.json()["results"];
    assert_eq!(
        (&results[0]["effect"], &results[0]["code"]),
        (&json!("stopped"), &json!(0))
    );
    assert_eq!(
        (&results[1]["effect"], &results[1]["code"]),
        (&json!("not_found"), &json!(40_000_451))
    );
    for index in [2, 3] {
        assert_eq!(results[index]["channel_id"], "16093425727656502238");
    }
    let resumed = relay.start("anchor_7").await.json();
    assert_eq!(
        (&resumed["effect"], &resumed["channel_id"]),
        (&json!("resumed"), &json!(id))
    );
    assert_eq!(resumed["urls"], started["urls"]);
}

#[tokio::test]
async fn a_start_of_a_published_source_answers_live() {
    let relay = Relay::new().await;
    let pending = relay.start("anchor_7").await.json();
    let stream = pending["stream"].as_str().unwrap();
    relay.publish(stream).await;
    let id = pending["channel_id"].as_str().unwrap();
    let stop = format!("/v1/channels/{id}:stop");
    assert_eq!(
        relay.send(Method::POST, &stop, &json!({})).await.status,
        StatusCode::OK
    );
    let live = relay.start("anchor_7").await;
    assert_eq!(
        (live.status, &live.json()["state"]),
        (StatusCode::CREATED, &json!("live"))
    );
    let shown = relay.bench.get(&format!("/v1/channels/{id}")).await.json();
    assert_eq!(shown["state"], "live");
    // Java's spelling of an id is an id.
    let signed = relay.bench.get("/v1/channels/-1").await;
    assert_eq!(
        (signed.status, &signed.json()["reason"]),
        (StatusCode::NOT_FOUND, &json!("CHANNEL_NOT_FOUND"))
    );
}

#[tokio::test]
async fn ten_identical_starts_make_one_channel() {
    let relay = Relay::new().await;
    let starts: Vec<_> = (0..10).map(|_| relay.start("anchor_7")).collect();
    let answers = futures_util::future::join_all(starts).await;
    let created = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::CREATED);
    assert_eq!(created.count(), 1);
    let refused = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::CONFLICT);
    assert_eq!(refused.count(), 9);
    let list = relay.bench.get("/v1/channels").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer() {
    let relay = Relay::new().await;
    let key = [("idempotency-key", "k-1")];
    let body = r#"{"user_id":"a"}"#;
    let path = "/v1/rooms/1/channels";
    let first = relay.send_with(Method::POST, path, body, &key).await;
    let again = relay.send_with(Method::POST, path, body, &key).await;
    assert_eq!(
        (first.status, again.status),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    assert_eq!(first.body, again.body);
    for header in ["etag", "location", "content-type"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!(
        (
            first.header("idempotent-replay"),
            again.header("idempotent-replay")
        ),
        ("", "true")
    );
    let other = relay
        .send_with(Method::POST, path, r#"{"user_id":"b"}"#, &key)
        .await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!(40_000_053))
    );
    // What was refused may be tried again.
    let key = [("idempotency-key", "k-2")];
    for _ in 0..2 {
        let refused = relay.send_with(Method::POST, path, body, &key).await;
        assert_eq!(
            (refused.status, refused.header("idempotent-replay")),
            (StatusCode::CONFLICT, "")
        );
    }
    let odd = relay
        .send_with(Method::POST, path, body, &[("idempotency-key", "a b")])
        .await;
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn changes_meant_for_another_version_are_refused() {
    let relay = Relay::new().await;
    let started = relay.start("a").await.json();
    let path = format!("/v1/channels/{}", started["channel_id"].as_str().unwrap());
    let etag = started["etag"].as_str().unwrap();
    let change = |name: &str| json!({"name": name}).to_string();
    let headers = [("if-match", etag)];
    let first = relay
        .send_with(Method::PATCH, &path, &change("one"), &headers)
        .await;
    assert_eq!(
        (first.status, &first.json()["name"]),
        (StatusCode::OK, &json!("one"))
    );
    let late = relay
        .send_with(Method::PATCH, &path, &change("two"), &headers)
        .await;
    assert_eq!(
        (late.status, &late.json()["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!(40_000_453))
    );
    let any = relay
        .send_with(Method::PATCH, &path, &change("three"), &[("if-match", "*")])
        .await;
    assert_eq!(any.status, StatusCode::OK);
    let numbered = json!({"name": "four", "sequence": 5});
    assert_eq!(
        relay.send(Method::PATCH, &path, &numbered).await.status,
        StatusCode::OK
    );
    let stale = relay.send(Method::PATCH, &path, &numbered).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn c6_what_cannot_be_is_refused_by_its_own_number() {
    let relay = Relay::new().await;
    let duo = json!({"type": "duo"});
    assert_eq!(
        relay.send(Method::PUT, "/v1/rooms/2", &duo).await.status,
        StatusCode::OK
    );
    for (path, body, status, code) in [
        (
            "/v1/rooms/2/channels",
            json!({"user_id": "a", "record": {"formats": ["mp4"]}}),
            422,
            30_000_450,
        ),
        (
            "/v1/rooms/2/recordings",
            json!({"user_id": "a", "file_name": "x"}),
            422,
            30_000_450,
        ),
        (
            "/v1/rooms/1/channels",
            json!({"user_id": ["a", "b"]}),
            422,
            40_000_051,
        ),
        (
            "/v1/rooms/1/channels",
            json!({"user_id": "a", "mix": {}}),
            422,
            40_000_051,
        ),
        (
            "/v1/rooms/0/channels",
            json!({"user_id": "a"}),
            422,
            40_000_007,
        ),
        (
            "/v1/rooms/0/channels",
            json!({"user_id": "a", "relation_id": 0}),
            422,
            40_000_007,
        ),
        (
            "/v1/rooms/1/channels",
            json!({"user_id": "a", "start_when": "immediate"}),
            409,
            40_000_450,
        ),
        (
            "/v1/rooms/1/channels",
            json!({"user_id": "a", "targets": [{"url": "http://a/b/c"}]}),
            422,
            40_000_052,
        ),
        (
            "/v1/rooms/1/channels",
            json!({"user_id": "a", "app_id": "nobody"}),
            403,
            40_000_058,
        ),
    ] {
        let answer = relay.send(Method::POST, path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        assert_eq!(answer.json()["code"], code, "{path} {body}");
    }
    // Without a recording, a two-person room is as good as any.
    let fine = relay
        .send(
            Method::POST,
            "/v1/rooms/2/channels",
            &json!({"user_id": "a"}),
        )
        .await;
    assert_eq!(fine.status, StatusCode::CREATED);
}

#[tokio::test]
async fn bad_input_is_answered_by_what_and_where() {
    let relay = Relay::new().await;
    let path = "/v1/rooms/1/channels";
    let body = r#"{"usr_id":"a","protocols":["hsl"],"channel":{"name":7},"wait_ms":1e9,"record":{"segment_s":0.5}}"#;
    let answer = relay.send_with(Method::POST, path, body, &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.json();
    let errors: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].clone())
        .collect();
    assert_eq!(
        errors,
        [
            "/usr_id",
            "/user_id",
            "/protocols/0",
            "/channel/name",
            "/record/segment_s",
            "/wait_ms"
        ]
    );
    assert_eq!(problem["compat_code"], 50_002);
    assert_eq!(
        problem["errors"][2]["detail"],
        "is one of hls, rtmp, flv; did you mean \"hls\"?"
    );
    let deep = format!(
        "{{\"metadata\":{}1{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    for (body, status, reason) in [
        ("", 400, "BODY_MISSING"),
        ("{\"user_id\": NaN}", 400, "REQUEST_UNPARSABLE"),
        (deep.as_str(), 400, "REQUEST_UNPARSABLE"),
        ("[]", 422, "FIELD_INVALID"),
        ("null", 422, "FIELD_INVALID"),
        ("{\"user_id\":\"a\\u0000b\"}", 422, "FIELD_INVALID"),
        (
            "{\"user_id\":\"a\",\"relation_id\":4294967296}",
            422,
            "FIELD_INVALID",
        ),
        (
            "{\"user_id\":\"a\",\"relation_id\":-1}",
            422,
            "FIELD_INVALID",
        ),
    ] {
        let answer = relay.send_with(Method::POST, path, body, &[]).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, status, "{shown}");
        assert_eq!(answer.json()["reason"], reason, "{shown}");
    }
    let long = format!("{{\"user_id\":\"{}\"}}", "x".repeat(256 << 10));
    assert_eq!(
        relay.send_with(Method::POST, path, &long, &[]).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn markup_and_quotes_are_names_like_others() {
    let relay = Relay::new().await;
    let user = "'; DROP TABLE channels; --<script>alert(1)</script>";
    let name = "<img src=x onerror=alert(1)>\"'";
    let body = json!({"user_id": user, "channel": {"name": name}, "metadata": {"a'b": name}});
    let path = "/v1/rooms/%27%3B%20--/channels";
    let started = relay.send(Method::POST, path, &body).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.text());
    let started = started.json();
    assert_eq!(
        (&started["user_id"], &started["name"]),
        (&json!(user), &json!(name))
    );
    assert_eq!(started["room_id"], "'; --");
    let answer = relay
        .bench
        .get(&format!(
            "/v1/channels/{}",
            started["channel_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.json()["metadata"]["a'b"], name);
}

#[tokio::test]
async fn a_storm_of_starts_and_stops_ends_in_order() {
    let relay = Relay::new().await;
    let users: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();
    let storm = users.iter().map(async |user| {
        for _ in 0..5 {
            let started = relay.start(user).await;
            assert_eq!(started.status, StatusCode::CREATED, "{}", started.text());
            let stop = json!({"user_id": user});
            let stopped = relay
                .send(Method::POST, "/v1/rooms/8001/channels:stop", &stop)
                .await;
            assert_eq!(stopped.json()["results"][0]["effect"], "stopped");
        }
    });
    futures_util::future::join_all(storm).await;
    let ended = relay
        .bench
        .get("/v1/channels?state=ended&limit=1000")
        .await
        .json();
    assert_eq!(ended["items"].as_array().unwrap().len(), 20);
    let running = relay.bench.get("/v1/channels?state=pending").await.json();
    assert_eq!(running["items"], json!([]));
}

#[tokio::test]
async fn lists_come_in_pages_that_join() {
    let relay = Relay::new().await;
    for n in 0..5 {
        relay.start(&format!("u{n}")).await;
    }
    let mut found = BTreeSet::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = relay
            .bench
            .get(&format!("/v1/channels?limit=2{cursor}"))
            .await
            .json();
        for item in page["items"].as_array().unwrap() {
            assert!(found.insert(item["channel_id"].as_str().unwrap().to_owned()));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 5);
    let wrong = relay
        .bench
        .get("/v1/channels?limit=0&state=alive&cursr=x")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.json()["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn events_are_read_after_a_place_and_followed() {
    let relay = Relay::new().await;
    relay.start("a").await;
    let all = relay.bench.get("/v1/events").await.json();
    assert_eq!(all["items"][0]["type"], "channel.pending");
    let (seq, id) = (
        &all["items"][0]["seq"],
        all["items"][0]["id"].as_str().unwrap(),
    );
    for after in [seq.to_string(), id.to_owned()] {
        let rest = relay
            .bench
            .get(&format!("/v1/events?after={after}"))
            .await
            .json();
        assert_eq!(rest["items"], json!([]), "{after}");
    }
    let typed = relay
        .bench
        .get("/v1/events?types=recording.*,ingest.started")
        .await
        .json();
    assert_eq!(typed["items"], json!([]));

    let loopback = ([127, 0, 0, 1], 40000).into();
    let headers = [("last-event-id", id)];
    let path = "/v1/events/stream";
    let response = relay
        .bench
        .response(loopback, Method::GET, path, &headers, Body::empty())
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    relay.start("b").await;
    relay.start("c").await;
    let mut text = String::new();
    while text.matches("event: channel.pending").count() < 2 {
        let chunk = tokio::time::timeout(Duration::from_secs(30), body.next())
            .await
            .unwrap();
        text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
    }
    let data: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    let users: Vec<_> = data.iter().map(|event| event["user_id"].clone()).collect();
    assert_eq!(users, ["b", "c"]);
    assert!(text.contains(&format!("id: {}\n", data[0]["id"].as_str().unwrap())));
}

#[tokio::test]
async fn keys_do_what_their_scopes_say_and_no_more() {
    struct ByName;
    impl Keys for ByName {
        fn required(&self) -> bool {
            true
        }
        fn verify(&self, presented: &str) -> bool {
            self.grant(presented).is_some()
        }
        fn grant(&self, presented: &str) -> Option<Grant> {
            Some(Grant::new(presented, &[Scope::parse(presented)?]))
        }
    }
    let relay = Relay::with(|parts| parts.keys = Arc::new(ByName)).await;
    let start = json!({"user_id": "a"}).to_string();
    let policy = json!({"reconnect_window_s": 5}).to_string();
    for (key, reads, starts, sets) in [
        ("read", 200, 403, 403),
        ("publish", 403, 403, 403),
        ("control", 200, 201, 403),
        ("admin", 200, 409, 200),
        ("other", 401, 401, 401),
    ] {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        let read = relay
            .send_with(Method::GET, "/v1/channels", "", &headers)
            .await;
        let started = relay
            .send_with(Method::POST, "/v1/rooms/1/channels", &start, &headers)
            .await;
        let set = relay
            .send_with(Method::PATCH, "/v1/policy", &policy, &headers)
            .await;
        let found = [read.status, started.status, set.status].map(|status| status.as_u16());
        assert_eq!(found, [reads, starts, sets], "{key}");
    }
}

#[tokio::test]
async fn those_who_ask_too_often_are_told_when_to_come_back() {
    let mut config = Config::default();
    config.limits.api_rate = 3;
    let keys = FixedKeys::required(["k".to_owned()]);
    let bench = Bench::with(config, |parts| parts.keys = Arc::new(keys));
    let key = [("authorization", "Bearer k")];
    let mut last = None;
    for _ in 0..4 {
        last = Some(bench.ask(Method::GET, "/v1/streams", &key).await);
    }
    let last = last.unwrap();
    assert_eq!(
        (last.status, last.header("retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "1")
    );
    assert_eq!(last.header("ratelimit-limit"), "3");
    assert_eq!(last.header("ratelimit-remaining"), "0");
    assert_eq!(last.json()["reason"], "RATE_LIMITED");
}

#[tokio::test]
async fn a_missing_route_names_the_nearest() {
    let relay = Relay::new().await;
    for (path, nearest) in [
        ("/v1/room/8001", "/v1/rooms/{room}"),
        ("/v1/rooms/8001/chanels", "/v1/rooms/{room}/channels"),
        ("/v1/channels/5:stpo/x", "/v1/channels/{channel_id}"),
        ("/v1/eventz", "/v1/events"),
    ] {
        let answer = relay.bench.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("{nearest};")), "{path}: {detail}");
    }
    let answer = relay.bench.get("/v1/channels/5:stop").await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    let answer = relay.bench.ask(Method::PUT, "/v1/channels/5", &[]).await;
    assert_eq!(answer.header("allow"), "GET, HEAD, PATCH");
    let answer = relay.bench.get("/v1/streams?x=1").await;
    assert_eq!(answer.json()["errors"][0]["parameter"], "x");
}

#[tokio::test]
async fn without_a_control_plane_its_routes_say_so() {
    let bench = Bench::new();
    let answer = bench.get("/v1/channels").await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (StatusCode::FORBIDDEN, &json!("SERVICE_NOT_ENABLED"))
    );
    assert_eq!(bench.get("/v1/streams").await.status, StatusCode::OK);
}
