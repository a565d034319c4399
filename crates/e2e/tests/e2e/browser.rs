//! The watch page in a real browser: pictures move over HLS (both containers) and HTTP-FLV.

use e2e::ffmpeg::{self, Version};
use e2e::glass::{Course, measure};
use e2e::media::{repository, testdata};
use e2e::process::{command, run};
use e2e::server::Server;
use e2e::wait::secs;

pub(crate) fn watch(
    server: &Server,
    stream: &str,
    protocol: &str,
    more: &[&str],
) -> serde_json::Value {
    let script = repository().join("crates/server/ui/e2e/watch.mjs");
    assert!(
        repository()
            .join("crates/server/ui/node_modules/playwright-core")
            .is_dir(),
        "run `npm ci` in crates/server/ui (./test does)"
    );
    let mut node = command("node");
    node.arg(script)
        .args([&server.http_url(""), stream, protocol, "3"]);
    node.args(more).env("WATCH_TIMEOUT_S", "60");
    let output = run(&format!("watch.mjs {protocol}"), node, secs(120));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["state"], "playing", "{seen:#}");
    seen
}

/// H.264 and AAC that run long enough for a slow browser.
fn publish(server: &Server) -> e2e::process::Process {
    let publisher = ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "30"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    );
    server.wait_for_stream("live/cam");
    publisher
}

#[test]
fn chromium_plays_hls_ts_and_flv_on_the_watch_page() {
    let server = Server::start();
    let _publisher = publish(&server);
    for protocol in ["hls", "ts", "flv"] {
        let seen = watch(&server, "live/cam", protocol, &[]);
        // hls.js plays fMP4 part by part, and waits for each; the transport stream has none.
        let parts = seen["lowLatency"]["parts"].as_u64().unwrap();
        let waits = seen["lowLatency"]["waits"].as_u64().unwrap();
        if protocol == "hls" {
            assert!(parts >= 5 && waits >= 5, "{seen:#}");
        } else {
            assert_eq!((parts, waits), (0, 0), "{seen:#}");
        }
    }
}

#[test]
fn chromium_plays_vp9_over_hls() {
    let server = Server::start();
    let _publisher = ffmpeg::publish_with(
        Version::V9,
        &["-re", "-stream_loop", "30"],
        &testdata("vp9-opus.flv"),
        &[],
        &server.rtmp_url("live/vp9"),
    );
    server.wait_for_stream("live/vp9");
    watch(&server, "live/vp9", "hls", &[]);
}

#[test]
fn what_chromium_shows_is_seconds_old_at_most() {
    // The example glass_to_glass measures for longer, on a calm machine.
    let seen = measure(secs(4), Course::Steady);
    assert!(seen["pictures"].as_u64().unwrap() >= 20, "{seen:#}");
    let latency = |share: &str| seen["latencyMs"][share].as_u64().unwrap();
    // No part is shorter than 200 ms, and players stay three behind.
    assert!(latency("least") >= 600, "{seen:#}");
    assert!(latency("p50") < 8_000, "{seen:#}");
}

#[test]
fn who_watches_is_near_the_live_edge_again_after_an_interruption() {
    let seen = measure(secs(14), Course::Interrupted);
    assert!(seen["longestGapMs"].as_u64().unwrap() >= 2_000, "{seen:#}");
    let last = seen["latencyMs"]["last"].as_u64().unwrap();
    assert!(last < 4_500, "{seen:#}");
}
