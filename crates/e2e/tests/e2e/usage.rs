//! What is metered: against what was sent, and over `kill -9`.

use e2e::ffmpeg::{self, Version};
use e2e::flv::Tag;
use e2e::media::testdata;
use e2e::server::Server;
use e2e::wait::{secs, until};
use serde_json::Value;

/// All usage of the last hours, summed.
fn used(server: &Server, what: &str, key: &str) -> f64 {
    let answer = server.get("/v1/usage?granularity=1d&group_by=channel");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = answer.json()["items"].as_array().unwrap().clone();
    let value = |row: &Value| row[what][key].as_f64().unwrap_or_default();
    rows.iter().map(value).sum()
}

/// Bytes of a classic tag's access unit.
fn payload(tag: &Tag) -> usize {
    tag.body.len() - if tag.kind == 9 { 5 } else { 2 }
}

#[test]
fn usage_over_a_kill_lacks_no_more_than_the_last_ten_seconds() {
    let mut server = Server::with_config(
        "[streams]\nreconnect_window = \"1s\"\nviewer_end_grace = \"1s\"\n[record]\nmin_free = \"0B\"\n\
         [control]\nstate = \"disk\"\n[control.policy]\nauto_record = { enabled = true, formats = [\"flv\"] }\n",
    );
    let file = testdata("bframes.flv");
    let tags = ffmpeg::as_published(Version::V5, &file);
    let media = tags.iter().filter(|tag| tag.is_media());
    let sent: usize = media.map(payload).sum();
    for kill in 1..=2 {
        let url = server.rtmp_url("live/cam");
        ffmpeg::publish_with(Version::V5, &[], &file, &[], &url).finish(secs(30));
        let expected = (kill * sent) as f64;
        // Ten seconds after the last byte it is in the database, and a kill changes nothing.
        let is = until("what was sent, in the usage", secs(25), || {
            let is = used(&server, "bytes", "in");
            (is > expected * 0.98).then_some(is)
        });
        assert!(is < expected * 1.02, "{is} bytes for {expected}");
        server.kill_and_start();
        assert_eq!(used(&server, "bytes", "in"), is, "after kill {kill}");
    }
}
