//! A burst: what a publisher could not send while its network was away comes all at once.

use std::net::Shutdown;

use e2e::ffmpeg::{self, Version};
use e2e::flv;
use e2e::frames::{Coverage, Framing};
use e2e::hls::{Collector, FIRST_SEGMENT, multivariant};
use e2e::media::testdata;
use e2e::process::{command, run};
use e2e::rtmp::{Client, Pace, push_tags};
use e2e::server::Server;
use e2e::wait::secs;

use crate::record::manifest;

/// More than twice what the ring holds, in bytes, and eight times in time: 19 MB, 80 s.
const TURNS: &str = "9";

#[test]
fn nothing_of_a_burst_is_lost_for_recordings_and_hls() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("long.flv");
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-v", "error", "-stream_loop", TURNS, "-i"]);
    ffmpeg.arg(testdata("demo.flv"));
    ffmpeg.args(["-c", "copy"]);
    ffmpeg.arg(&file);
    let made = run("ffmpeg", ffmpeg, secs(30));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let server = Server::with_config(&format!(
        "[streams]\nreconnect_window = \"2s\"\n\
         [hls]\nalways = true\nsegments = 100\n\
         [record]\ndir = \"{}\"\nmin_free = \"0B\"\nname = \"{{stream}}\"\n\
         [[record.rule]]\nmatch = \"live/*\"\nformats = [\"flv\"]\n",
        dir.path().display()
    ));
    let mut client = Client::publish(&server.rtmp, "live", "cam").unwrap();
    push_tags(&mut client, &flv::read_file(&file), Pace::Unpaced).unwrap();
    // A socket that closes over unread acknowledgements loses what is still on its way.
    client.socket().shutdown(Shutdown::Write).unwrap();
    client.wait_for_close(secs(20)).unwrap();
    let kept = dir.path().join("cam.flv");
    for (playlist, name, framing) in [
        ("/live/cam.m3u8", "all.mp4", Framing::Native),
        ("/live/cam.ts.m3u8", "all.ts", Framing::Ts),
    ] {
        let list = multivariant(&server.http, playlist, FIRST_SEGMENT);
        let mut collector = Collector::new(&server.http, &list.media);
        collector.until_end(secs(20));
        assert_eq!(collector.discontinuities(), 0, "{playlist}");
        let got = dir.path().join(name);
        std::fs::write(&got, collector.concatenated()).unwrap();
        let got = ffmpeg::file_frames(Version::V9, &got, framing, false);
        let source = ffmpeg::source(Version::V5, &file, framing);
        source.assert_received(playlist, &got, Coverage::Whole);
    }
    manifest(&kept);
    let source = ffmpeg::source(Version::V5, &file, Framing::Native);
    let got = ffmpeg::file_frames(Version::V9, &kept, Framing::Native, false);
    source.assert_received("the recording", &got, Coverage::Whole);
}
