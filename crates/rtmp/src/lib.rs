//! RTMP as pure state machines: handshake, chunks, messages, server and client sessions.
//!
//! Nothing here touches a socket, a clock or a task. A shell reads bytes from a socket and drives a
//! session; time is a parameter:
//!
//! ```text
//!            bytes in                                  bytes out
//! socket ─► handle_input(now, &[u8]) ─┐          ┌─► poll_transmit() ─► socket
//!                                     ▼          │
//!             handshake ─► chunk::Reader ─► commands ─► poll_event() ─► the shell decides:
//!                                                                     accept_* / reject_*
//! timer  ◄─ poll_timeout() / handle_timeout(now)
//! ```
//!
//! [`ServerSession`] serves publishers and players, [`ClientSession`] publishes to or plays from
//! other servers. Media on its way out does not pass through a session: whoever holds the socket
//! writes [`chunk::EncodedHeader`] and payload slices itself, so that one header serves all viewers.
//!
//! Deliberately absent: RTMPE, RTMPT, shared objects, AMF 3 objects, and any reading of what audio
//! and video messages contain.
//!
//! Specs: RTMP 1.0 (Adobe, 2012); Enhanced RTMP v2 (Veovera); the digest handshake is known by
//! observation only.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

pub mod chunk;
mod client;
mod enhanced;
mod error;
mod handshake;
mod limits;
pub mod message;
mod server;
mod session;
mod url;

pub use chunk::Message;
pub use client::{ClientConfig, ClientEvent, ClientSession};
pub use enhanced::{Capabilities, FourCcCapability, caps_ex, four_cc};
pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use server::{
    ConnectRequest, PlayRequest, PublishMode, PublishRequest, ServerConfig, ServerEvent,
    ServerSession, StreamEnd, UnpublishReason,
};
pub use url::{ParseUrlError, Scheme, Url};
