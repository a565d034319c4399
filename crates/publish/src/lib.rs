//! Sends live streams to remote RTMP and RTMPS servers, and fetches from them.
//!
//! ```text
//! hub ring ──▶ Subscriber ──▶ remux::flv::Relay ──▶ Connection ──▶ remote server
//!                 one Target per stream and URL: connects, sends, backs off, for ever
//! ```
//!
//! - A [`Target`] reads the hub's ring like any subscriber: a slow or dead remote server makes
//!   *it* lag, and it goes on at the next random access point. Ingest, viewers and other targets
//!   never notice.
//! - Its [`Status`] is true within five seconds: a connection that makes no progress for that long
//!   is given up.
//! - The remote server is as untrusted as any peer: the client session's limits hold.
//!
//! Deliberately absent: which streams go where (the [`Manager`] asks a function), and reading of
//! configuration.

mod backoff;
mod config;
mod connection;
mod error;
mod manager;
mod publication;
mod pull;
mod redact;
mod socket;
mod status;
mod target;

pub use config::{Config, Trust};
pub use error::Error;
pub use manager::{Manager, TargetSpec};
pub use publication::Publication;
pub use pull::{Pull, Pulled};
pub use status::{State, Status};
pub use target::{Target, TargetHandle};
