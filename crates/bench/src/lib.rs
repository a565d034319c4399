//! A load generator for any RTMP, HTTP-FLV or HLS server, and the reference that its figures are
//! measured against.
//!
//! N publishers send an FLV file at its own pace, M viewers play. Each video frame carries a stamp
//! in an SEI NAL unit (H.264 and HEVC): the viewers find it again, so loss is exact and latency is
//! known for every frame, whatever the server does to containers and timestamps.
//!
//! ```text
//! publisher ──▶ [stamp: stream, frame, time sent] ──▶ server ──▶ viewer: now - time sent
//! ```
//!
//! [`run`] does a [`Plan`] and gives a [`Report`]; [`LimitServer`] is the reference. The stamp's clock
//! is `CLOCK_MONOTONIC`, so publishers and viewers may be different processes of one machine, not of
//! two.
//!
//! Each thread of the generator has a runtime of its own and one buffer that all its connections are
//! read through; headers of chunks, tags and packets are parsed, payload is stepped over. CPU of the
//! generator is measured too, and a run that it was the bottleneck of says so.
//!
//! Deliberately absent: decoding, any judgement of what the pictures show, and networks other than
//! what the machine has. Linux only (`/proc`).

mod address;
mod budget;
mod chunk_skipper;
mod clock;
mod error;
mod flv_skipper;
mod histogram;
mod http;
mod limit;
mod plan;
mod process;
mod publisher;
mod report;
mod run;
mod segment_frames;
mod shared;
mod source;
mod stamp;
mod tally;
mod tls;
mod transport;
mod video_tag;
mod viewer;
mod watch;
mod websocket;
mod worker;

pub use address::{Protocol, Template};
pub use budget::raise_open_files;
pub use error::Error;
pub use histogram::Quantiles;
pub use limit::LimitServer;
pub use plan::{Hls, Leave, Mode, Plan, Publish, View};
pub use process::{CpuUsed, Memory};
pub use report::Report;
pub use run::{Stage, run, usual_grace};
pub use source::Source;
pub use tally::Frames;
