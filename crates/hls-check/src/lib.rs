//! Watches what an HLS server does, and names each rule that it breaks, with the request that showed it.
//!
//! ```text
//!             ┌─ lane: a media playlist ──────────────────────────────┐
//! Checker ────┤  reloads ─▶ playlist ─▶ rules: text, change, blocking │──▶ Findings
//!  (poll:     │  media   ─▶ segments, parts ─▶ rules: media           │
//!   requests) │  probes  ─▶ HEAD, ranges, far ahead… ─▶ rules: http   │
//!             └───────────────────────────────────────────────────────┘
//! ```
//!
//! - **No input of its own.** [`Checker::poll`] says which request is to be made, or until when to wait; the shell
//!   makes it and gives back what came, with the time. So each rule is tested against servers that exist in
//!   a test only, in no time.
//! - **A stranger to our server.** Playlists, boxes and packets are read here a second time, so that a fault in
//!   the code that writes them is not hidden by the same fault in the code that reads them. Only access units are
//!   read by `remux`'s demuxers.
//! - **Bounded.** Every answer, playlist, queue and list has a bound ([`Limits`]); a hostile server costs memory up to it.
//! - Segments that are encrypted are fetched, and not read.
//!
//! [`rule::ALL`] lists what is checked.

mod checker;
mod config;
mod exchange;
mod finding;
mod lane;
mod playlist;
pub mod rule;
mod rules;
mod segment;

pub use checker::{Checker, Done, Note, Step, Totals};
pub use config::{Limits, Options};
pub use exchange::{Answer, Method, Outcome, Request, RequestId, Seen};
pub use finding::Finding;
pub use rule::{Check, Rule, Severity};
pub use url::Url;
