//! `/v1`, metrics, health, and what may be asked from where.

use e2e::ffmpeg::{self, ReadOptions, Reader, Version};
use e2e::frames::Framing;
use e2e::http;
use e2e::media::testdata;
use e2e::process::Process;
use e2e::server::Server;
use e2e::wait::{secs, until};

fn live(server: &Server) -> Process {
    let publisher = ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "5"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    );
    server.wait_for_stream("live/cam");
    publisher
}

#[test]
fn streams_are_listed_with_tracks_rates_and_viewers() {
    let server = Server::start();
    let empty = server.get("/v1/streams");
    assert_eq!(empty.status, 200);
    assert_eq!(empty.header("content-type"), Some("application/json"));
    assert!(!empty.text().contains("live/cam"));
    let _publisher = live(&server);
    let source = ffmpeg::source(Version::V5, &testdata("bframes.flv"), Framing::Native);
    let mut rtmp = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.rtmp_url("live/cam"),
    );
    let mut flv = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.http_url("/live/cam.flv"),
    );
    rtmp.wait_for_frames(&source, 20, secs(20));
    flv.wait_for_frames(&source, 20, secs(20));
    assert!(server.get("/v1/streams").text().contains("\"live/cam\""));
    let stream = until("rates and viewers", secs(10), || {
        let stream = server.stream("live/cam")?;
        let rate = stream["bitrate_bps"].as_f64().unwrap_or_default();
        (rate > 200_000.0).then_some(stream)
    });
    let text = stream.to_string();
    for word in [
        "h.264",
        "avc1.64000c",
        "aac",
        "320",
        "180",
        "48000",
        "rtmp",
        "http-flv",
    ] {
        assert!(text.to_lowercase().contains(word), "{word} in {stream:#}");
    }
}

#[test]
fn an_operator_can_drop_a_viewer_and_a_publisher() {
    let server = Server::start();
    let mut publisher = live(&server);
    let source = ffmpeg::source(Version::V5, &testdata("bframes.flv"), Framing::Native);
    let mut stays = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.rtmp_url("live/cam"),
    );
    stays.wait_for_frames(&source, 5, secs(20));
    let ids = viewer_ids(&server);
    assert_eq!(ids.len(), 1);
    let mut leaves = Reader::start(
        &ReadOptions::native(Version::V5),
        &server.http_url("/live/cam.flv"),
    );
    leaves.wait_for_frames(&source, 5, secs(20));
    let new: Vec<String> = viewer_ids(&server)
        .into_iter()
        .filter(|id| !ids.contains(id))
        .collect();
    assert_eq!(new.len(), 1);
    let path = format!("/v1/streams/live/cam/viewers/{}", new[0]);
    let response = http::request("DELETE", &server.http, &path, &[]).unwrap();
    assert!(
        matches!(response.status, 200 | 202 | 204),
        "{} {}",
        response.status,
        response.text()
    );
    leaves.process_mut().wait(secs(10));
    let before = stays.received().frame_count();
    until("the other viewer plays on", secs(10), || {
        (stays.received().frame_count() > before + 50).then_some(())
    });
    let again = http::request("DELETE", &server.http, &path, &[]).unwrap();
    assert_eq!(again.status, 404);

    let path = "/v1/streams/live/cam/publisher";
    let response = http::request("DELETE", &server.http, path, &[]).unwrap();
    assert!(
        matches!(response.status, 200 | 202 | 204),
        "{} {}",
        response.status,
        response.text()
    );
    assert!(
        !publisher.wait(secs(10)).success(),
        "FFmpeg sees that it was cut off"
    );
    stays.process_mut().wait(secs(15));
}

/// The ids of all viewers of live/cam.
fn viewer_ids(server: &Server) -> Vec<String> {
    let stream = server.stream("live/cam").unwrap();
    let list = stream["viewers"]["list"]
        .as_array()
        .or_else(|| stream["viewers"].as_array());
    let list = list.unwrap_or_else(|| panic!("no list of viewers in {stream:#}"));
    let id = |viewer: &serde_json::Value| match &viewer["id"] {
        serde_json::Value::String(id) => id.clone(),
        other => other.to_string(),
    };
    list.iter().map(id).collect()
}

#[test]
fn metrics_and_health_answer() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let _publisher = live(&server);
    let metrics = until("metrics of a live stream", secs(10), || {
        let response = server.get("/metrics");
        assert_eq!(response.status, 200);
        let text = response.text();
        text.contains("app=\"live\",stream=\"cam\"").then_some(text)
    });
    let mut samples = 0;
    for line in metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("sidestream_") || name.starts_with("process_"),
            "{line}"
        );
        let _: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        samples += 1;
    }
    assert!(samples > 10, "{metrics}");
    assert!(metrics.contains("# TYPE"), "{metrics}");
    assert!(
        metrics.trim_end().ends_with("# EOF"),
        "OpenMetrics ends with EOF"
    );
}

#[test]
fn the_api_is_closed_to_strange_pages_and_to_others_once_a_key_is_set() {
    let key = "ss_live_0123456789abcdef0123456789abcdef";
    let server = Server::with_config(&format!(
        "[auth]\nkeys = [{{ name = \"ops\", key = \"{key}\" }}]\n"
    ));
    let get =
        |headers: &[(&str, &str)]| http::get_with(&server.http, "/v1/streams", headers).status;
    assert_eq!(get(&[]), 401);
    assert_eq!(get(&[("Authorization", "Bearer wrong")]), 401);
    assert_eq!(get(&[("Authorization", &format!("Bearer {key}"))]), 200);
    assert!(!server.log().contains(key), "keys stay out of the log");
    // No key: this machine only, and no page from elsewhere may use the visitor's browser for it.
    let server = Server::start();
    let response = http::get_with(
        &server.http,
        "/v1/streams",
        &[("Origin", "https://evil.example")],
    );
    assert_ne!(response.header("access-control-allow-origin"), Some("*"));
    let rebound = http::get_with(&server.http, "/v1/streams?callback=x", &[]);
    assert!(!rebound.text().starts_with('x'), "no JSONP");
}
