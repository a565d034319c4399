//! The console in a real browser, over the real binary and a real stream.

use e2e::ffmpeg::{self, Version};
use e2e::media::{repository, testdata};
use e2e::process::{command, run};
use e2e::server::Server;
use e2e::wait::secs;

/// Starts a channel, watches a stream, records it, plays and downloads the file, takes callbacks and replays them, forbids and
/// allows; then every screen in both themes, on a phone, and without words outside of the message files. `CONSOLE_SHOTS` names a
/// folder for pictures of it.
#[test]
fn an_operator_does_it_all_in_the_console() {
    let server = Server::with_config(
        "[streams]\nreconnect_window = \"20s\"\n[callbacks]\nallow_private = true\n",
    );
    let _publisher = ffmpeg::publish_with(
        Version::V5,
        &["-re", "-stream_loop", "60"],
        &testdata("bframes.flv"),
        &[],
        &server.rtmp_url("live/cam"),
    );
    server.wait_for_stream("live/cam");
    let mut node = command("node");
    node.arg(repository().join("crates/server/ui/e2e/console.mjs"));
    node.args([&server.http_url(""), "live/cam"]);
    node.args(std::env::var_os("CONSOLE_SHOTS"));
    let output = run("console.mjs", node, secs(150));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(seen["callbacks"].as_u64().unwrap() >= 2, "{seen:#}");
    assert!(seen["file"]["bytes"].as_u64().unwrap() > 10_000, "{seen:#}");
}
