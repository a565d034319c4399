//! `sidestream hls-check` on a real publisher's stream, on folders, and on servers that break rules.

use e2e::ffmpeg::{self, Version};
use e2e::hls::{FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::process::{Output, Process};
use e2e::server::{Server, sidestream};
use e2e::wait::{secs, until};

use crate::browser::watch;

fn publish(server: &Server) -> Process {
    ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "9"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    )
}

/// Both playlists at once: what was found, as JSON.
fn check(server: &Server, more: &[&str]) -> Vec<serde_json::Value> {
    let run = |path: &str| {
        let url = server.http_url(path);
        let arguments = ["hls-check", &url, "--json", "--strict", "--wait", "20s"];
        sidestream(&[&arguments, more].concat(), secs(60))
    };
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let both =
            ["/live/cam.m3u8", "/live/cam.ts.m3u8"].map(|path| scope.spawn(move || run(path)));
        both.into_iter().map(|run| run.join().unwrap()).collect()
    });
    outputs.iter().map(found).collect()
}

#[track_caller]
fn found(output: &Output) -> serde_json::Value {
    let text = output.text();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}\n{}", output.stderr);
    });
    let is_clean = found["findings"].as_array().unwrap().is_empty();
    assert_eq!((output.code == Some(0)), is_clean, "{found:#}");
    found
}

#[track_caller]
fn assert_clean(found: &serde_json::Value) {
    let findings = found["findings"].as_array().unwrap();
    assert!(findings.is_empty(), "{found:#}");
    assert!(
        found["totals"]["segments"].as_u64().unwrap() >= 3,
        "{found:#}"
    );
    assert_eq!(found["totals"]["failed"], 0, "{found:#}");
}

#[test]
fn nothing_is_found_where_parts_are_ranges_and_chromium_plays_them() {
    let server = Server::with_config("[hls]\nsegment = \"1s\"\npart_ranges = true\n");
    let _publisher = publish(&server);
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let text = until("parts", secs(20), || {
        let text = server.get(&list.media).text();
        text.contains("#EXT-X-PART:").then_some(text)
    });
    assert!(text.contains(",BYTERANGE=\""), "{text}");
    for found in &check(&server, &["--time", "6s"]) {
        assert_clean(found);
    }
    let seen = watch(&server, "live/cam", "hls", &[]);
    let parts = seen["lowLatency"]["parts"].as_u64().unwrap();
    assert!(parts >= 5, "{seen:#}");
}

#[test]
fn nothing_is_found_on_ours_also_after_a_publisher_that_came_back() {
    let server = Server::with_config(
        "[streams]\nreconnect_window = \"20s\"\n[hls]\nalways = true\nsegment = \"1s\"\n",
    );
    let mut publisher = publish(&server);
    let list = multivariant(&server.http, "/live/cam.m3u8", FIRST_SEGMENT);
    let fresh = check(&server, &["--time", "6s"]);
    publisher.kill();
    server.wait_for_log("publisher lost", secs(10));
    let _publisher = publish(&server);
    until("the discontinuity", secs(20), || {
        let text = server.get(&list.media).text();
        text.contains("#EXT-X-DISCONTINUITY\n").then_some(())
    });
    let again = check(&server, &["--time", "6s"]);
    for found in fresh.iter().chain(&again) {
        assert_clean(found);
    }
    for low_latency in [&fresh[0], &again[0]] {
        let parts = low_latency["totals"]["parts"].as_u64().unwrap();
        assert!(parts >= 10, "{low_latency:#}");
    }
}

#[test]
fn folders_are_read_to_their_end_and_a_missing_segment_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let source = testdata("bframes.flv");
    for (name, to) in [("fmp4.m3u8", "hls"), ("ts.m3u8", "hls-ts")] {
        let playlist = folder.path().join(name);
        let playlist = playlist.to_str().unwrap();
        let made = sidestream(
            &[
                "remux",
                source.to_str().unwrap(),
                playlist,
                "--to",
                to,
                "--segment",
                "1s",
            ],
            secs(30),
        );
        assert!(made.code == Some(0), "{}", made.stderr);
        let clean = found(&sidestream(
            &["hls-check", playlist, "--json", "--strict"],
            secs(30),
        ));
        assert_clean(&clean);
        assert_eq!(clean["totals"]["segments"], 6, "{clean:#}");

        let text = std::fs::read_to_string(playlist).unwrap();
        let lost = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .nth(2)
            .unwrap();
        std::fs::remove_file(folder.path().join(lost)).unwrap();
        let output = sidestream(&["hls-check", playlist, "--json"], secs(30));
        assert_eq!(output.code, Some(1));
        let broken = found(&output);
        let findings = broken["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{broken:#}");
        assert_eq!(findings[0]["check"], "listed-not-served");
        assert_eq!(findings[0]["rule"], "H3");
        assert!(
            findings[0]["resource"].as_str().unwrap().ends_with(lost),
            "{broken:#}"
        );
        assert_eq!(findings[0]["what"], "no such file");
    }
}
