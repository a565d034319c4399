//! Other people's players in Chromium, as web sites embed them: Shaka Player and the full build of hls.js, on a page of
//! another origin, each variant of a stream at once. Pictures move, the clock goes on, no error is told.

use std::sync::{Mutex, PoisonError};

use e2e::ffmpeg::{self, Version};
use e2e::media::{repository, testdata};
use e2e::process::{Process, command, run};
use e2e::server::{SHORT_LIFE, Server};
use e2e::wait::{secs, until};
use serde_json::Value;

/// A stream in clear that is kept, and two that are encrypted.
fn streams() -> (Server, Vec<Process>) {
    let server = Server::with_config(&format!(
        "{SHORT_LIFE}[hls]\nalways = true\nsegment = \"1s\"\n\
         [[hls.dvr_rule]]\nmatch = \"live/kept\"\nwindow = \"1h\"\n\
         [[hls.encryption]]\nmatch = \"live/aes\"\nmethod = \"aes-128\"\nrotate_segments = 2\n\
         [[hls.encryption]]\nmatch = \"live/cbcs\"\nmethod = \"cbcs\"\n"
    ));
    let names = ["live/kept", "live/aes", "live/cbcs"];
    let publish = |name: &&str| {
        ffmpeg::publish_with(
            Version::V5,
            &["-re", "-stream_loop", "30"],
            &testdata("bframes.flv"),
            &[],
            &server.rtmp_url(name),
        )
    };
    let publishers = names.iter().map(publish).collect();
    // Shaka Player 5.2 looks into a segment near the end to see what it is, and takes the one that is still being
    // made for one of the first.
    for name in names {
        until(&format!("six segments of {name}"), secs(30), || {
            let answer = server.get(&format!("/{name}/fmp4.m3u8"));
            let count = answer.text().matches("#EXTINF").count();
            (answer.status == 200 && count >= 6).then_some(())
        });
    }
    (server, publishers)
}

/// One browser with several players in it is all that two cores decode in time.
static BROWSER: Mutex<()> = Mutex::new(());

/// Plays all at once; what was seen of each, in order.
pub(crate) fn play(server: &Server, cases: &[(&str, &str)]) -> Vec<Value> {
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let script = repository().join("crates/server/ui/e2e/players.mjs");
    let mut node = command("node");
    node.arg(script).arg("2").env("PLAYERS_TIMEOUT_S", "60");
    for (path, engine) in cases {
        node.args([&server.http_url(path), *engine]);
    }
    let output = run("players.mjs", node, secs(120));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    let seen: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen.len(), cases.len());
    for seen in &seen {
        assert_eq!(
            (&seen["width"], &seen["height"]),
            (&320.into(), &180.into())
        );
        let answers = seen["answers"].as_object().unwrap();
        let refused = answers.keys().filter(|status| *status != "200");
        assert_eq!(refused.count(), 0, "{seen:#}");
    }
    seen
}

fn asked(seen: &Value, what: &str) -> u64 {
    seen["asked"][what].as_u64().unwrap()
}

/// Part by part, waiting for each, by delta updates.
#[track_caller]
fn assert_low_latency(seen: &Value) {
    let counts = ["parts", "waits", "deltas"].map(|what| asked(seen, what));
    assert!(counts.iter().all(|count| *count >= 4), "{seen:#}");
}

/// Whole segments.
#[track_caller]
fn assert_classic(seen: &Value) {
    assert!(asked(seen, "segments") >= 3, "{seen:#}");
    assert_eq!(asked(seen, "parts"), 0, "{seen:#}");
}

#[track_caller]
fn assert_behind(seen: &Value, least_s: f64) {
    let behind = seen["behind"].as_f64().unwrap();
    assert!(behind >= least_s && behind < 60.0, "{seen:#}");
}

const ALIKE: [(&str, &str); 6] = [
    ("/live/kept.m3u8", ",low-latency"),
    ("/live/kept.m3u8", ""),
    ("/live/kept.ts.m3u8", ""),
    ("/live/kept.m3u8?start=-5", ""),
    ("/live/aes.m3u8", ",low-latency"),
    ("/live/aes.ts.m3u8", ""),
];

/// What both players do alike with [`ALIKE`].
fn assert_alike(seen: &[Value]) {
    assert_low_latency(&seen[0]);
    for classic in &seen[1..6] {
        assert_classic(classic);
    }
    assert_behind(&seen[3], 5.0);
    for encrypted in &seen[4..6] {
        assert!(asked(encrypted, "keys") >= 2, "{encrypted:#}");
    }
}

#[test]
fn shaka_player_plays_every_variant() {
    let (server, _publishers) = streams();
    let engines: Vec<(&str, String)> = ALIKE
        .iter()
        .chain(&[("/live/cbcs.m3u8", ",low-latency"), ("/live/cbcs.m3u8", "")])
        .map(|(path, option)| (*path, format!("shaka{option}")))
        .collect();
    let cases: Vec<(&str, &str)> = engines.iter().map(|(path, e)| (*path, &**e)).collect();
    let seen = play(&server, &cases);
    assert_alike(&seen);
    // Samples are decrypted by the browser's own module, by one key.
    for encrypted in &seen[6..] {
        assert_eq!(encrypted["keySystem"], "org.w3.clearkey", "{encrypted:#}");
        assert_eq!(asked(encrypted, "keys"), 1, "{encrypted:#}");
    }
    assert_low_latency(&seen[6]);
    assert_classic(&seen[7]);
}

/// hls.js 1.7 has no decryption of samples in MP4 by a key that it fetches ("The MP4 demuxer does not support
/// SAMPLE-AES decryption"), so cbcs is not among these.
#[test]
fn hls_js_in_its_full_build_plays_every_variant_but_cbcs() {
    let (server, _publishers) = streams();
    let engines: Vec<(&str, String)> = ALIKE
        .iter()
        .map(|(path, option)| (*path, format!("hls{option}")))
        .collect();
    let cases: Vec<(&str, &str)> = engines.iter().map(|(path, e)| (*path, &**e)).collect();
    assert_alike(&play(&server, &cases));
}
