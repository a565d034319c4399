//! sidestream: a live media relay. RTMP in; HLS, RTMP and HTTP-FLV out; pushed on to other servers, recorded to files.
//!
//! [`Relay`] is the whole engine inside somebody's process, on their tokio runtime: no globals, no
//! signal handlers, no logging set-up. The `sidestream` binary is a thin shell over it.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use sidestream::{Ask, Config, Relay, Verdict};
//!
//! let relay = Relay::builder()
//!     .config(Config::from_file("sidestream.toml")?)
//!     .authorizer(|ask: Ask| async move {
//!         match ask.key() {
//!             Some("s3cret") => Verdict::Allow,
//!             _ => Verdict::deny("wrong stream key"),
//!         }
//!     })
//!     .build()
//!     .await?;
//! # drop(relay); Ok(())
//! # }
//! ```

pub mod config;
pub mod convert;
pub mod describe;
pub mod nearest;
pub mod pull;
mod relay;

pub use config::Config;
pub use relay::{
    Builder, ConfigSource, Error, Events, Item, Listeners, Publisher, PushHandle, RecordBuilder,
    Relay, Reloaded, Stopped, Subscriber, TlsError, Track,
};

pub use ::record;
pub use publish::{State as PushState, Status as PushStatus};

pub use hub::{
    Action, AllowAll, Ask, Authorizer, Discontinuity, Event, Phase, PublishError, Revoked, Stream,
    Verdict, Verdicts,
};
pub use media::{
    AccessUnit, Codec, DataMessage, Dts, FrameRole, NameError, Pts, StreamName, Ticks, Timescale,
    TrackId, TrackKind, TrackList,
};
