//! What can be asked for.

use std::path::PathBuf;

use clap::Parser;

/// Publishes an FLV file N times at its own pace, plays the streams M times, and reports added
/// latency, loss, join time, and the CPU and memory of the server meanwhile.
#[derive(Debug, Parser)]
#[command(name = "sidestream-load")]
pub(crate) struct Args {
    /// FLV file with H.264 that every publisher sends, over and over
    #[arg(long, value_name = "FLV")]
    pub(crate) file: PathBuf,
    /// Where to publish; {} is the number of the stream: rtmp://127.0.0.1/live/s{}
    #[arg(long = "pub", value_name = "URL")]
    pub(crate) publish: Option<String>,
    /// Publishers
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: u32,
    /// Where to play, rtmp:// or http:// (HTTP-FLV); {} is the number of the stream
    #[arg(long, value_name = "URL")]
    pub(crate) play: Option<String>,
    /// Viewers, spread evenly over the streams
    #[arg(long, default_value_t = 0)]
    pub(crate) viewers: u32,
    /// An http:// address that is asked for once for each stream before the window: starts its HLS
    #[arg(long, value_name = "URL")]
    pub(crate) touch: Option<String>,
    /// Process of the server; its children are counted too
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Publishers that start per second
    #[arg(long, default_value_t = 200.0, value_name = "PER_S")]
    pub(crate) pub_ramp: f64,
    /// Viewers that start per second
    #[arg(long, default_value_t = 100.0, value_name = "PER_S")]
    pub(crate) ramp: f64,
    /// Seconds between the last publisher's start and the first viewer
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    pub(crate) settle: f64,
    /// Seconds between the last viewer's first frame and the window
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) warmup: f64,
    /// Seconds that are measured
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    pub(crate) window: f64,
    /// Seconds after the window in which its frames may still come
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) grace: f64,
    /// Seconds that a connection has for its first media
    #[arg(long, default_value_t = 15.0, value_name = "S")]
    pub(crate) connect_timeout: f64,
    /// One line of JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}
