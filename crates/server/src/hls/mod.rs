//! HLS on demand: a task per stream that somebody asks for.
//!
//! ```text
//!               first request                     no request for `idle`
//!   (nothing) ───────────────▶ Running ──────────────────────────────▶ Idle ──▶ Running …
//!                                 │ stream ends                         (numbers go on)
//!                                 ▼
//!                              Ended: ENDLIST, served for the length of the playlist and three
//!                                 │   target durations, then forgotten
//!                                 ▼ the name is published again and asked for
//!                              Running (numbers go on, other URLs)
//! ```
//!
//! A run is one [`hls::Segmenter`]. Every run has an epoch of its own, made of the wall clock, so
//! that a URL never names two contents, not even over a restart of the process (H18). Its keys are
//! its own, too ([`keys`]).

mod blocking;
mod catch_up;
mod dvr;
mod entry;
mod handlers;
mod keys;
mod ladder;
mod links;
mod registry;
mod sessions;
mod task;

pub(crate) use dvr::{ShelfState, Stored};
pub(crate) use entry::Entry;
pub use keys::{
    EncryptionRules, Fetch, HttpKeyServer, KeyOrigin, KeySecret, KeyServer, StreamEncryption,
};

pub(crate) use handlers::{Request, serve};
pub(crate) use ladder::Ladders;
pub(crate) use registry::Hls;
pub(crate) use sessions::Asker;

use std::sync::Arc;

/// The wall clock, injected so that tests can hold it.
pub type WallClock = Arc<dyn Fn() -> hls::WallTime + Send + Sync>;

/// The system's clock.
#[must_use]
pub fn system_clock() -> WallClock {
    Arc::new(|| {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        hls::WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
