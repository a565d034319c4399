//! Latency from glass to glass: pictures that carry the wall clock of their making, through an
//! encoder, the relay and a browser, on one machine with one clock.

use std::process::Stdio;
use std::time::Duration;

use crate::ffmpeg::Version;
use crate::media::repository;
use crate::process::{Process, command, run};
use crate::server::{SHORT_LIFE, Server};
use crate::wait::secs;

/// Bits of the clock in a picture: milliseconds, modulo 17 minutes.
const BITS: u32 = 20;

/// Width of a picture; each bit is a square of a twentieth of it.
const WIDTH: u32 = 640;

/// Publishes a moving test picture and a tone, encoded as live encoders do, each picture with the
/// wall clock of when it was made.
fn publish(url: &str) -> Process {
    let side = WIDTH / BITS;
    // The clock as the frame's time, so that all its bits are of one moment; then the frame's own again.
    let mut filters = format!("settb=AVTB,setpts=RTCTIME,drawbox=0:0:{WIDTH}:{side}:black:fill");
    for bit in 0..BITS {
        let (x, mask) = (bit * side, 1 << bit);
        filters.push_str(&format!(
            ",drawbox={x}:0:{side}:{side}:white:fill:enable='bitand(floor(t*1000),{mask})'"
        ));
    }
    filters.push_str(",setpts=N/30/TB");
    let picture = format!("testsrc2=size={WIDTH}x360:rate=30");
    let mut ffmpeg = command(Version::V5.program());
    ffmpeg.args(["-nostdin", "-hide_banner", "-loglevel", "warning"]);
    ffmpeg.args(["-re", "-f", "lavfi", "-i", &picture]);
    ffmpeg.args([
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ]);
    ffmpeg.args(["-vf", &filters, "-pix_fmt", "yuv420p", "-c:v", "libx264"]);
    ffmpeg.args(["-preset", "ultrafast", "-tune", "zerolatency", "-g", "60"]);
    ffmpeg.args(["-b:v", "1M", "-c:a", "aac", "-b:a", "96k", "-f", "flv", url]);
    ffmpeg.stdout(Stdio::null());
    Process::start("ffmpeg publishing its clock", ffmpeg)
}

/// What happens while a stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Nothing.
    Steady,
    /// The publisher stands still for 6 s at the beginning, and then sends what it has missed.
    Interrupted,
}

/// Plays such a stream on the watch page for so long, by low latency HLS as it is by default; what
/// `crates/server/ui/e2e/latency.mjs` prints.
///
/// # Panics
/// When there is nothing to see within a minute, or the page throws.
pub fn measure(length: Duration, course: Course) -> serde_json::Value {
    let server = Server::with_config(SHORT_LIFE);
    let publisher = publish(&server.rtmp_url("live/clock"));
    server.wait_for_stream("live/clock");
    let mut node = command("node");
    node.arg(repository().join("crates/server/ui/e2e/latency.mjs"));
    node.args([&server.http_url(""), "live/clock"]);
    node.arg(length.as_secs().to_string());
    if course == Course::Interrupted {
        node.arg(publisher.id().to_string());
    }
    let output = run("latency.mjs", node, length + secs(120));
    assert_eq!(output.code, Some(0), "{}{}", output.text(), output.stderr);
    serde_json::from_slice(&output.stdout).unwrap()
}
