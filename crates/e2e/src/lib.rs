//! Harness of the end-to-end tests: starts the real `sidestream` binary on free ports, lets real
//! clients (FFmpeg 5.1 and 9, rtmpdump, GStreamer, nginx-rtmp, Chromium) publish and read, and
//! compares **every frame's bytes, DTS and PTS** with the source's.
//!
//! Nothing here links sidestream: the binary is a black box, and the small RTMP, FLV, HTTP and
//! WebSocket clients are written a second time on purpose, so that a fault on one side cannot hide
//! the same fault on the other.
//!
//! Rules of the tests in `tests/`:
//! - wait for a condition with a deadline ([`wait::until`]), never sleep and hope;
//! - each process is ended by its own id and cannot outlive the test ([`process::Process`]);
//! - every server and every port is the test's own, so tests run side by side;
//! - `shared/testmedia` may be absent: a test that needs it says so and passes ([`media::shared`]).
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation in a test harness is a failed test"
)]

pub mod client;
pub mod disk;
pub mod ffmpeg;
pub mod flv;
pub mod frames;
pub mod gateway;
pub mod glass;
pub mod gst;
pub mod hls;
pub mod hook;
pub mod http;
pub mod low_latency;
pub mod media;
pub mod nginx;
pub mod process;
pub mod proxy;
pub mod rtmp;
pub mod s3;
pub mod server;
pub mod tls;
pub mod wait;
pub mod ws;
