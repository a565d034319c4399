//! Ladders by the API: stored, checked, in force at once.

use std::time::Duration;

use ::hls::LadderRule;
use control::model::Ladder;
use http::{Method, StatusCode};
use serde_json::json;

use super::control::Relay;
use super::{Answer, Bench, Clip};
use crate::Config;

const CAM: &str = "/v1/ladders/live/cam";
const RUNGS: &str = r#"{"rungs": ["live/cam_hd", "live/cam_sd"]}"#;

async fn send(relay: &Relay, method: Method, uri: &str, body: &str) -> Answer {
    relay.send_with(method, uri, body, &[]).await
}

/// A relay whose configuration has a ladder.
async fn configured() -> Relay {
    let mut config = Config::default();
    let rungs = ["live/{name}_720p".to_owned()];
    config.hls.ladders = vec![LadderRule::new("live/{name}_abr", &rungs).unwrap()];
    Relay::with_config(config).await
}

#[tokio::test]
async fn rules_are_made_listed_and_removed_and_those_of_the_configuration_stay() {
    let relay = configured().await;
    let made = send(&relay, Method::PUT, CAM, RUNGS).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    let cam = json!({
        "name": "live/cam", "rungs": ["live/cam_hd", "live/cam_sd"], "origin": "api",
        "not_in_force": null,
    });
    assert_eq!(made.json(), cam);
    // Braces may come as they are, or encoded as every client may do it.
    let template = "/v1/ladders/live/%7bname%7D_all";
    let body = r#"{"rungs": ["live/{name}_a", "live/{name}_b"]}"#;
    let made = send(&relay, Method::PUT, template, body).await;
    assert_eq!(made.json()["name"], "live/{name}_all", "{}", made.text());
    let shown = relay.bench.get("/v1/ladders/live/{name}_all").await.json();
    assert_eq!(shown["rungs"], json!(["live/{name}_a", "live/{name}_b"]));
    assert_eq!(shown["joined"], json!([]));
    let replaced = send(
        &relay,
        Method::PUT,
        template,
        r#"{"rungs": ["live/{name}_c"]}"#,
    )
    .await;
    assert_eq!(replaced.status, StatusCode::OK);

    let list = relay.bench.get("/v1/ladders").await.json();
    assert_eq!(
        list,
        json!({"next_cursor": null, "items": [
            {"name": "live/{name}_abr", "rungs": ["live/{name}_720p"], "origin": "config", "not_in_force": null},
            cam,
            {"name": "live/{name}_all", "rungs": ["live/{name}_c"], "origin": "api", "not_in_force": null},
        ]})
    );
    assert_eq!(relay.control.ladders().await.unwrap().len(), 2);
    let shown = relay.bench.get("/v1/ladders/live/{name}_abr").await.json();
    assert_eq!(shown["origin"], "config");

    for path in [CAM, template] {
        let gone = send(&relay, Method::DELETE, path, "").await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    }
    for method in [Method::GET, Method::DELETE] {
        let missing = send(&relay, method, CAM, "").await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        assert_eq!(missing.json()["detail"], "there is no ladder \"live/cam\"");
    }
    let kept = send(&relay, Method::DELETE, "/v1/ladders/live/{name}_abr", "").await;
    assert_eq!(kept.status, StatusCode::CONFLICT);
    assert_eq!(kept.json()["reason"], "LADDER_CLASH");
}

#[tokio::test]
async fn each_wrong_field_is_told_as_the_configuration_tells_it() {
    let relay = configured().await;
    let wrong = |uri: &'static str, body: &'static str| {
        let relay = &relay;
        async move {
            let answer = send(relay, Method::PUT, uri, body).await;
            assert_eq!(
                answer.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{}",
                answer.text()
            );
            assert_eq!(answer.json()["reason"], "FIELD_INVALID");
            answer.json()["errors"].clone()
        }
    };
    assert_eq!(
        wrong(
            CAM,
            r#"{"rungs": ["live/{name}", "hd/cam", "live/a", "live/a", "live/cam"]}"#
        )
        .await,
        json!([
            {"pointer": "/rungs/0", "detail": "\"live/{name}\" has no {name}, or \"live/cam\" has one that it lacks; both need it, or neither"},
            {"pointer": "/rungs/1", "detail": "\"hd/cam\" is in another app than \"live/cam\""},
            {"pointer": "/rungs/3", "detail": "\"live/a\" stands twice"},
            {"pointer": "/rungs/4", "detail": "\"live/cam\" is the name of a ladder; rungs are published streams"},
        ])
    );
    let none = wrong(CAM, r#"{"rungs": []}"#).await;
    assert_eq!(
        none,
        json!([{"pointer": "/rungs", "detail": "0 rungs; there may be 1 to 16"}])
    );
    let name = wrong("/v1/ladders/{name}/a", r#"{"rungs": ["{name}/b"]}"#).await;
    assert_eq!(name[0]["parameter"], "stream");
    let detail = "\"{name}/a\": {name} may stand once, behind the last /";
    assert_eq!(name[0]["detail"], detail);
    let field = wrong(CAM, r#"{"rung": ["live/a"], "rungs": [1]}"#).await;
    assert_eq!(field[0]["pointer"], "/rung");
    assert_eq!(field[1]["pointer"], "/rungs/0");

    // What stands against another rule is another answer, and changes nothing.
    assert_eq!(
        send(&relay, Method::PUT, CAM, RUNGS).await.status,
        StatusCode::OK
    );
    for (uri, body, detail) in [
        (
            "/v1/ladders/live/cam2_abr",
            r#"{"rungs": ["live/cam2_x"]}"#,
            "\"live/cam2_abr\" stands twice; the ladder \"live/{name}_abr\" of the configuration is in the way",
        ),
        (
            "/v1/ladders/live/{name}_all",
            r#"{"rungs": ["live/{name}_1080p", "live/{name}_720p"]}"#,
            "\"live/{name}_720p\" stands twice; the ladder \"live/{name}_abr\" of the configuration is in the way",
        ),
        (
            "/v1/ladders/live/cam_sd",
            r#"{"rungs": ["live/cam_ld"]}"#,
            "\"live/cam_sd\" is the name of a ladder; rungs are published streams; the ladder \"live/cam\" of the API is in the way",
        ),
    ] {
        let answer = send(&relay, Method::PUT, uri, body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
        assert_eq!(answer.json()["reason"], "LADDER_CLASH");
        assert_eq!(answer.json()["detail"], detail);
    }
    assert_eq!(relay.control.ladders().await.unwrap().len(), 1);

    for count in 1..100 {
        let uri = format!("/v1/ladders/many/l{count}");
        let body = format!(r#"{{"rungs": ["many/r{count}"]}}"#);
        assert_eq!(
            send(&relay, Method::PUT, &uri, &body).await.status,
            StatusCode::OK
        );
    }
    let detail = wrong("/v1/ladders/many/l100", r#"{"rungs": ["many/r100"]}"#).await;
    assert_eq!(detail[0]["detail"], "there are 100 ladders, the limit");
    // One that is there already is changed all the same.
    assert_eq!(
        send(&relay, Method::PUT, CAM, RUNGS).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_stored_is_in_force_after_a_start_unless_the_configuration_is_against_it() {
    let relay = Relay::new().await;
    for (name, rung) in [
        ("live/cam", "live/cam_hd"),
        ("live/{name}_abr", "live/{name}_x"),
    ] {
        let (name, rungs) = (name.to_owned(), vec![rung.to_owned()]);
        let put = relay
            .control
            .put_ladder(Ladder { name, rungs }, |_, _| Ok(()));
        put.await.unwrap();
    }
    let again = configured().await;
    let mut config = Config::default();
    config.hls.ladders = again
        .bench
        .server
        .shared()
        .hls
        .ladders()
        .configured()
        .to_vec();
    let bench = Bench::with(config, |parts| parts.control = Some(relay.control.clone()));
    bench.server.load_ladders().await.unwrap();
    let items = bench.get("/v1/ladders").await.json()["items"].clone();
    let why: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["not_in_force"])
        .collect();
    let detail = "\"live/{name}_abr\" stands twice; the ladder \"live/{name}_abr\" of the configuration is in the way";
    assert_eq!(why, [&json!(null), &json!(null), &json!(detail)]);
    let _hd = bench.publish("live/cam_hd", "bframes.flv");
    let answer = bench.get("/live/cam.m3u8").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert!(
        answer.text().contains("\ncam/cam_hd/fmp4.m3u8\n"),
        "{}",
        answer.text()
    );
    // The one that is removed here is the stored one, not that of the configuration.
    let gone = bench.ask(Method::DELETE, "/v1/ladders/live/{name}_abr", &[]);
    let gone = gone.await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text());
    let items = bench.get("/v1/ladders").await.json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
}

/// The numbers of the segments in a stream's media playlist.
async fn numbers(relay: &Relay, path: &str) -> std::ops::Range<u64> {
    let answer = relay.bench.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    let first: u64 = answer.tag("EXT-X-MEDIA-SEQUENCE").parse().unwrap();
    let count = answer.text().matches("#EXTINF").count();
    first..first + u64::try_from(count).unwrap()
}

#[tokio::test]
async fn streams_that_are_played_are_joined_and_parted_at_once() {
    let relay = Relay::new().await;
    let mut publishers = ["live/cam_hd", "live/cam_sd"].map(|name| relay.bench.publisher(name));
    let clip = Clip::open("bframes.flv").media_only();
    for publisher in &mut publishers {
        clip.send(publisher, 0);
    }
    let mut before = 0;
    for name in ["cam_hd", "cam_sd"] {
        let path = format!("/live/{name}/fmp4.m3u8");
        before = before.max(numbers(&relay, &path).await.end);
    }
    assert_eq!(
        relay.bench.get("/live/cam.m3u8").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        send(&relay, Method::PUT, CAM, RUNGS).await.status,
        StatusCode::OK
    );
    // The clip lasts six seconds; its first picture is a key frame.
    for publisher in &mut publishers {
        clip.send(publisher, 6_000);
    }
    let ladder = async {
        loop {
            let answer = relay.bench.get("/live/cam.m3u8").await;
            if answer.text().matches("/fmp4.m3u8").count() == 2 {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let ladder = tokio::time::timeout(Duration::from_secs(30), ladder)
        .await
        .unwrap();
    assert!(
        ladder.text().contains("\ncam/cam_sd/fmp4.m3u8\n"),
        "{}",
        ladder.text()
    );
    let shown = relay.bench.get(CAM).await.json();
    assert_eq!(
        shown["joined"],
        json!([{"name": "live/cam", "rungs": [
            {"stream": "live/cam_hd", "state": "aligned", "reason": null},
            {"stream": "live/cam_sd", "state": "aligned", "reason": null},
        ]}])
    );
    let (hd, sd) = ("/live/cam/cam_hd/fmp4.m3u8", "/live/cam/cam_sd/fmp4.m3u8");
    let joined = numbers(&relay, hd).await;
    assert_eq!(numbers(&relay, sd).await, joined);
    assert!(joined.start > before, "{joined:?} {before}");

    let gone = send(&relay, Method::DELETE, CAM, "").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for path in ["/live/cam.m3u8", hd] {
        assert_eq!(
            relay.bench.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for publisher in &mut publishers {
        clip.send(publisher, 12_000);
    }
    let goes_on = async {
        while numbers(&relay, "/live/cam_hd/fmp4.m3u8").await.end < joined.end + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), goes_on)
        .await
        .unwrap();
}
