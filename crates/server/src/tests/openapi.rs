//! `/openapi.json` and `/docs`: true, whole, and every example works.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::Value;

use super::control::Relay;

#[tokio::test]
async fn the_description_is_whole() {
    let relay = Relay::new().await;
    let answer = relay.bench.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = answer.text();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is not there");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(
                operation["summary"].as_str().is_some_and(|s| !s.is_empty()),
                "{method} {path}"
            );
            let names: Vec<_> = path
                .split('{')
                .skip(1)
                .map(|p| p.split('}').next().unwrap())
                .collect();
            let parameters = operation["parameters"].as_array().unwrap();
            let declared: Vec<_> = parameters
                .iter()
                .filter(|p| p["in"] == "path")
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, declared, "{method} {path}");
        }
    }
    assert!(ids.len() > 35, "{}", ids.len());
}

#[tokio::test]
async fn pages_for_people_need_nothing_from_elsewhere() {
    let relay = Relay::new().await;
    let page = relay.bench.get("/docs").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("/v1/rooms/{room}/channels"));
    for loads in ["<script", "<img", "src=", "href=\"http", "url("] {
        assert!(!page.text().contains(loads), "{loads}");
    }
    assert_eq!(
        relay.bench.get("/docs.css").await.header("content-type"),
        "text/css; charset=utf-8"
    );
    for reason in control::Reason::ALL {
        let answer = relay.bench.get(&format!("/errors/{}", reason.name())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", reason.name());
        assert!(answer.text().contains(&reason.code().to_string()));
    }
}

/// Sends every operation, in an order in which there is something to answer about.
#[tokio::test]
async fn every_operation_is_sent_with_its_example() {
    let relay = Relay::new().await;
    let document = relay.bench.get("/openapi.json").await.json();
    let mut known: BTreeMap<String, String> = [
        ("room", "8001"),
        ("user", "anchor_7"),
        ("template", "evening"),
        ("rule", "quiet"),
        ("app", "live"),
        ("stream", "cam1"),
        ("part", "index.m3u8"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let _publisher = relay.bench.publish("live/cam1", "bframes.flv");
    relay.bench.get("/live/cam1/fmp4.m3u8").await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((
                rank(method, path),
                path.clone(),
                method.clone(),
                operation.clone(),
            ));
        }
    }
    operations.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (_, path, method, operation) in operations {
        if path == "/v1/events/stream" {
            continue; // Endless; a test of its own reads it.
        }
        let mut uri = path.clone();
        for (name, value) in &known {
            uri = uri.replace(&format!("{{{name}}}"), value);
        }
        uri = uri
            .replace("{file_id}", "fil_01KAJV44K8000000000000001A")
            .replace("{viewer_id}", "999")
            .replace("{delivery_id}", "dlv_01KAJV44K8000000000000001A");
        assert!(!uri.contains('{'), "nothing is known for {uri}");
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        let body = if example.is_null() {
            String::new()
        } else {
            example.to_string()
        };
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = relay.send_with(method.clone(), &uri, &body, &[]).await;
        let status = answer.status.as_u16();
        let is_there = operation["responses"].get(status.to_string()).is_some();
        let unknown = ["/v1/files/fil_", "/v1/deliveries/dlv_", "/viewers/"];
        let nothing = unknown.iter().any(|part| uri.contains(part));
        assert!(
            is_there || (nothing && status == 404),
            "{method} {uri} {body}: {status} {}",
            answer.text()
        );
        if !answer.body.is_empty() && answer.header("content-type") == "application/json" {
            let json = answer.json();
            if path == "/v1/rooms/{room}/channels" && method == Method::POST {
                // From here on there is somebody to record.
                relay.publish(json["stream"].as_str().unwrap()).await;
            }
            remember(&json, &mut known);
        }
    }
}

/// What makes things before what reads them before what ends them.
fn rank(method: &str, path: &str) -> u8 {
    match (method, path) {
        ("put", "/v1/rooms/{room}") => 0,
        // Its answer names a stream that nobody has heard of.
        ("put", "/v1/rules/{rule}") => 8,
        ("put", "/v1/record-templates/{template}") => 1,
        ("put", _) => 2,
        ("post", "/v1/rooms/{room}/channels") => 3,
        ("post", path) if !path.contains(':') => 4,
        ("get", _) => 5,
        ("patch", _) => 6,
        ("post", path) if path.ends_with(":stop") => 9,
        ("post", _) => 7,
        ("delete", path) if path.contains("{rule}") => 10,
        ("delete", "/v1/rooms/{room}") => 12,
        _ => 11,
    }
}

fn remember(answer: &Value, known: &mut BTreeMap<String, String>) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        if let (true, Some(text)) = (name.ends_with("_id"), value.as_str()) {
            known.entry(name.clone()).or_insert_with(|| text.to_owned());
        }
    }
}
