//! A second RTMP client, written for the tests only (Adobe RTMP 1.0, simple handshake, AMF0).
//!
//! It publishes FLV tags **unchanged**, paced or not, and plays; it can stop half-way, go silent with
//! the connection open, or break the protocol on purpose, which no well-meaning client does.

mod amf;
mod client;
mod pusher;

pub use amf::Value;
pub use client::{Client, Error, Message, wait_for_close};
pub use pusher::{Pace, push_tags};
