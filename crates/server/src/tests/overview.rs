//! What the console asks beside the resources: sources, all push targets, the relay itself.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::control::Relay;

/// The streams of a list.
fn streams(answer: &Value) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item["stream"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn sources_are_listed_by_room_and_ban() {
    let relay = Relay::new().await;
    let mut names = Vec::new();
    for (room, user) in [
        ("8001", "anchor_7"),
        ("8001", "anchor_8"),
        ("8002", "guest"),
    ] {
        let uri = format!("/v1/rooms/{room}/channels");
        let started = relay
            .send(Method::POST, &uri, &json!({"user_id": user}))
            .await
            .json();
        names.push(started["stream"].as_str().unwrap().to_owned());
    }
    relay.publish(&names[1]).await;
    let code = names[0].rsplit('/').next().unwrap();
    let forbid = format!("/v1/streams/{code}:forbid");
    let forbidden = relay
        .send(Method::POST, &forbid, &json!({"reason": "test"}))
        .await;
    assert_eq!(forbidden.status, StatusCode::OK, "{}", forbidden.text());

    let mut of_room = vec![names[0].as_str(), names[1].as_str()];
    of_room.sort_unstable();
    let answer = relay.bench.get("/v1/sources?room=8001").await.json();
    assert_eq!(streams(&answer), of_room);
    let answer = relay.bench.get("/v1/sources?publishing=true").await.json();
    assert_eq!(streams(&answer), [&names[1]]);
    assert_eq!(answer["items"][0]["is_publishing"], true);
    let answer = relay.bench.get("/v1/sources?forbidden=true").await.json();
    assert_eq!(streams(&answer), [&names[0]]);
    assert_eq!(answer["items"][0]["forbid_reason"], "test");
    let resume = format!("/v1/streams/{code}:resume");
    relay.send(Method::POST, &resume, &json!({})).await;
    let answer = relay.bench.get("/v1/sources?forbidden=true").await.json();
    assert_eq!(answer["items"], json!([]));

    // Pages go on where they ended.
    let first = relay.bench.get("/v1/sources?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = relay
        .bench
        .get(&format!("/v1/sources?limit=2&cursor={cursor}"))
        .await
        .json();
    let mut all = [streams(&first), streams(&rest)].concat();
    assert!(all.is_sorted(), "{all:?}");
    names.sort_unstable();
    all.dedup();
    assert_eq!(all, names);
}

#[tokio::test]
async fn targets_of_all_channels_are_listed_without_keys() {
    let relay = Relay::new().await;
    let start = json!({"user_id": "anchor_7", "targets": [
        {"url": "rtmp://203.0.113.9/live/SECRET-1", "name": "mirror"},
        {"url": "rtmp://203.0.113.10/live/SECRET-2"},
    ]});
    let started = relay
        .send(Method::POST, "/v1/rooms/8001/channels", &start)
        .await
        .json();
    let answer = relay.bench.get("/v1/targets?limit=1").await;
    let first = answer.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = relay
        .bench
        .get(&format!("/v1/targets?limit=1&cursor={cursor}"))
        .await
        .json();
    let both = [&first["items"][0], &second["items"][0]];
    for target in both {
        assert_eq!(target["stream"], started["stream"]);
        assert_eq!(target["channel_id"], started["channel_id"]);
        assert_eq!(target["push"], Value::Null);
    }
    assert_ne!(both[0]["target_id"], both[1]["target_id"]);
    assert!(!answer.text().contains("SECRET"), "{}", answer.text());
    let bad = relay.bench.get("/v1/targets?cursor=tgt").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);

    // Those of a channel that is over are not there.
    let id = started["channel_id"].as_str().unwrap();
    relay
        .send(Method::POST, &format!("/v1/channels/{id}:stop"), &json!({}))
        .await;
    let answer = relay.bench.get("/v1/targets").await.json();
    assert_eq!(answer["items"], json!([]));
}

#[tokio::test]
async fn the_relay_tells_what_it_is_and_who_asks() {
    let relay = Relay::new().await;
    let answer = relay.bench.get("/v1/server").await.json();
    assert_eq!(answer["mode"], "open");
    assert_eq!(
        answer["key"],
        json!({"name": "this machine", "scopes": ["admin"]})
    );
    assert_eq!(answer["http"], "http://localhost:8080");
    assert_eq!(
        (&answer["callbacks"], &answer["missing"]),
        (&json!(true), &json!([]))
    );
    assert!(answer["started_at"].as_str().unwrap().ends_with('Z'));
}
