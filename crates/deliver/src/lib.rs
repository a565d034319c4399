//! Workers that hold viewers' sockets as cursors: RTMP, HTTP-FLV, WebSocket-FLV and endless
//! MPEG-TS over HTTP.
//!
//! ```text
//! hub ring ──▶ Subscriber ──▶ Encoder ──▶ Window  [e e e J e e e e e J e e e]
//!  (one per group)            (once)                 ▲          ▲         ▲
//!                                                  viewer     viewer    viewers (up to date)
//! ```
//!
//! - A *group* is the viewers of one stream on one worker that share a framing. It wakes once per
//!   batch, encodes what is new once, and writes to every viewer that can take it: one vectored
//!   write each, no copy, no allocation, no task.
//! - A viewer is a cursor into the group's window. One whose socket is full gets a waker of its
//!   own and costs nothing until it fires.
//! - A viewer that falls out of the window (bounded in bytes and media time) finishes the message
//!   it is in, gets the headers again and goes on at the newest random access point; that is
//!   counted. One that takes nothing for `stall_timeout` is closed.
//! - Encryption, where there is any, sits in [`Socket`].
//!
//! Deliberately absent: authorisation and protocol negotiation (whoever hands a viewer over has
//! done them), and any decision about what a stream is called.

mod config;
mod counters;
mod encode;
mod entry;
mod group;
mod image;
mod pace;
mod place;
mod protocol;
mod socket;
mod viewer;
mod vitals;
mod window;
mod worker;
mod ws;

pub use config::{AUTO_BOUND, Batch, Config};
pub use counters::Counters;
pub use protocol::{Guard, NewViewer, Protocol, Transfer};
pub use socket::Socket;
pub use vitals::WorkerState;
pub use worker::{Deliver, Overloaded};
