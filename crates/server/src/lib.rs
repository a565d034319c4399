//! The HTTP shell: playback, API, metrics and the watch page.
//!
//! ```text
//!  socket ─▶ accept ─▶ (TLS) ─▶ sniff ─┬─▶ MediaSink: .flv, .ts, WebSocket-FLV (the workers)
//!                                      └─▶ hyper ─▶ router ─┬─▶ hls: playlists and segments
//!                                                           ├─▶ live: endless media, slow path
//!                                                           ├─▶ watch, assets
//!                                                           ├─▶ api: /v1; compat: the classic faces
//!                                                           └─▶ metrics, health
//! ```
//!
//! - The facade binds sockets, reads settings and gives [`Parts`]; this crate owns nothing global.
//! - Endless media that is the first request of an HTTP/1 connection leaves HTTP altogether
//!   ([`MediaSink`]); everything else is axum on hyper.
//! - HLS is made on demand by a task per stream, and served from memory.
//! - Names of streams go through [`media::StreamName`](::media::StreamName) on every route;
//!   clients' text is repeated only where it cannot do harm.
//! - Each connection, request and wait is bounded by [`Limits`]; each task is tracked and ends
//!   with [`Server::shutdown`].
//!
//! Deliberately absent: sessions, cookies, anything that trusts a forwarding header.

mod accept;
mod api;
mod assets;
mod compat;
mod config;
mod conn;
mod content;
mod cors;
mod counters;
mod error;
mod health;
mod hls;
mod io;
mod listener;
mod live;
mod media;
mod metrics;
mod mirror;
mod paths;
mod pieces;
mod router;
mod sniff;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use crate::api::{
    FixedKeys, Grant, Keys, Misconfigured, OpenMode, PlayTokens, PushTarget, PushTargets,
    Recording, Recordings, Reload, Reloaded, Scope, Token,
};
pub use crate::config::{Config, DvrConfig, DvrWindow, HlsConfig, Limits, MetricsConfig};
pub use crate::counters::{ConnectionGuard, Counters};
pub use crate::health::{Health, Worker};
pub use crate::hls::{
    EncryptionRules, Fetch, HttpKeyServer, KeyOrigin, KeySecret, KeyServer, StreamEncryption,
    WallClock, system_clock,
};
pub use crate::listener::{ALPN, Server, Tls};
pub use crate::media::{HttpVersion, MediaKind, MediaRequest, MediaSink, MediaSocket, Method};
pub use crate::mirror::{HlsCopy, HlsMirror};
pub use crate::state::Parts;
