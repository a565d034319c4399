//! Accepts RTMP connections: feeds publishers to the hub, hands players on.
//!
//! ```text
//! listener ──▶ connection task: rtmp::ServerSession
//!                 ├─ publish ──▶ remux::flv::Parser ──▶ hub::Publisher
//!                 └─ play ─────▶ [`Players`]: the socket leaves this crate, session included
//! ```
//!
//! One task owns one connection; bytes are read into a buffer that all connections of a thread
//! share, so an idle publisher holds none. A bad peer ends its own connection with one log line
//! and changes nothing for any other stream.
//!
//! Deliberately absent: writing media to players, and everything HTTP.

mod config;
mod conn;
mod gather;
mod listener;
mod publishing;
mod socket;

pub use config::{Config, Counters};
pub use listener::{Ingest, Player, Players};
pub use socket::Socket;
