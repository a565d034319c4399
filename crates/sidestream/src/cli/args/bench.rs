//! `sidestream bench`: what can be asked for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bench::Template;
use clap::{Args, Subcommand, ValueEnum};

use super::parse_time;

/// Load any RTMP, HTTP-FLV or HLS server, and measure it
///
/// Publishes an FLV file N times at its own pace, plays the streams M times, and reports loss and
/// latency of every frame, join times, and CPU and memory of the server meanwhile. {} in a URL is
/// the number of the stream, from 0; viewers are spread evenly over the streams. Players may be
/// rtmp[s]://, http[s]://….flv, ws[s]://….flv, http[s]://….m3u8 (HLS with MPEG-TS or fMP4), and
/// raw:// (`bench limit`).
///
/// Each video frame (H.264 or HEVC) carries a stamp with its number and the time it was sent.
/// Publishers and viewers may be different processes, of one machine: the stamp's clock is
/// CLOCK_MONOTONIC. Frames sent within the window count; those that have not come when the grace
/// is over are lost. Ctrl-C ends the run and prints what was measured.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  sidestream bench --publish rtmp://localhost/live/s{} --play http://localhost:8080/live/s{}.flv \\
    --publishers 10 --viewers 1000 --server-pid $(pidof sidestream)
  sidestream bench --publish rtmp://localhost/live/s --play rtmp://localhost/live/s --viewers 16 --mode churn
  sidestream bench limit --listen 127.0.0.1:9000 & sidestream bench --play raw://127.0.0.1:9000 --viewers 1000"
)]
pub(in crate::cli) struct Bench {
    #[command(subcommand)]
    pub(in crate::cli) reference: Option<Reference>,
    /// Where to publish, rtmp:// or rtmps://; without it, another process does
    #[arg(long, value_name = "URL", value_parser = parse_template)]
    pub(in crate::cli) publish: Option<Template>,
    /// Publishers, a stream each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) publishers: u32,
    /// FLV file that they send, with H.264 or HEVC [default: a built-in clip, 720p30 at 2 Mbit/s]
    #[arg(long, value_name = "FLV")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// Where to play
    #[arg(long, value_name = "URL", value_parser = parse_template)]
    pub(in crate::cli) play: Option<Template>,
    /// Viewers [default: 1 with --play]
    #[arg(long, value_name = "N", requires = "play", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) viewers: Option<u32>,
    /// Streams that viewers are spread over, when another process publishes [default: --publishers]
    #[arg(long, value_name = "N", conflicts_with = "publishers", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) streams: Option<u32>,
    /// What viewers do
    #[arg(long, value_name = "MODE", default_value = "stay")]
    pub(in crate::cli) mode: ModeName,
    /// Joins per second of all churning viewers together [default: as many as come]
    #[arg(long, value_name = "PER_S", value_parser = parse_rate)]
    pub(in crate::cli) rate: Option<f64>,
    /// When a churning viewer leaves
    #[arg(long, value_name = "WHEN", default_value = "key")]
    pub(in crate::cli) leave: LeaveName,
    /// So many of the viewers stop reading after their first key frame
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) stalled: u32,
    /// HLS viewers wait for each part of a low latency playlist, and fetch it
    #[arg(long)]
    pub(in crate::cli) parts: bool,
    /// An http:// address asked for once for each stream before the viewers come: starts HLS that is made on demand
    #[arg(long, value_name = "URL", value_parser = parse_template)]
    pub(in crate::cli) touch: Option<Template>,
    /// Processes of the server, separated by commas; their children are counted too
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(in crate::cli) server_pid: Vec<u32>,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(in crate::cli) threads: u32,
    /// Publishers that start per second
    #[arg(long, value_name = "PER_S", default_value = "200", value_parser = parse_rate)]
    pub(in crate::cli) publish_ramp: f64,
    /// Viewers that start per second
    #[arg(long, value_name = "PER_S", default_value = "500", value_parser = parse_rate)]
    pub(in crate::cli) ramp: f64,
    /// Between the last publisher's start and the first viewer
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub(in crate::cli) settle: Duration,
    /// Between the last viewer's first media and the window
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_time)]
    pub(in crate::cli) warmup: Duration,
    /// What is measured
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    pub(in crate::cli) window: Duration,
    /// After the window, in which its frames may still come; over when all have [default: 2s, HLS 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(in crate::cli) grace: Option<Duration>,
    /// What a connection has for its first media
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = parse_time)]
    pub(in crate::cli) connect_timeout: Duration,
    /// PEM file of certificates to trust: a server's own, or of who signed it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca: Option<PathBuf>,
    /// Print one JSON object with every figure and setting
    #[arg(short, long)]
    pub(in crate::cli) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ModeName {
    /// They play until the end
    Stay,
    /// They join, take a key frame, leave and join again
    Churn,
    /// They come first and wait (RTMP); publishers start after the window, until everyone has a picture
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LeaveName {
    /// With its first key frame
    Key,
    /// With its first audio or video: for servers that keep no group of pictures
    Media,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Reference {
    Limit(Limit),
}

/// The reference server: one write per batch and socket, no protocol
///
/// Sends the chunk stream of an RTMP viewer to whoever connects (play it with raw://ADDR), until
/// Ctrl-C. What a relay needs more than this for the same viewers and batch, it needs by itself.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream bench limit --listen 127.0.0.1:9000 --file clip.flv
  sidestream bench limit --listen 127.0.0.1:9000 --batch 50ms")]
pub(in crate::cli) struct Limit {
    /// Where it listens
    #[arg(long, value_name = "ADDR")]
    pub(in crate::cli) listen: SocketAddr,
    /// FLV file that it sends, with H.264 or HEVC [default: the built-in clip]
    #[arg(long, value_name = "FLV")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// Media time that is gathered for a write; 0 writes each message
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = parse_time)]
    pub(in crate::cli) batch: Duration,
}

fn parse_template(text: &str) -> Result<Template, bench::Error> {
    text.parse()
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err(format!(
            "{text:?} is no number of starts per second above 0"
        )),
    }
}
