//! The words that every other crate shares: time, tracks, access units, codec configuration.
//!
//! Nothing here knows a container or a protocol, with one exception that is worth its place: an
//! access unit and a track may carry the FLV tag body they arrived in ([`AccessUnit::flv_body`]),
//! so that RTMP and FLV outputs relay the publisher's own bytes instead of rebuilding them.
//!
//! Deliberately absent: clocks, sockets, files, tasks. `now` is always a parameter.

mod codec;
pub mod config;
mod data;
pub mod nal;
mod name;
mod time;
pub mod timeline;
mod track;
mod unit;

pub use codec::{Codec, FourCc, TrackKind};
pub use config::CodecConfig;
pub use data::DataMessage;
pub use name::{NameError, StreamName};
pub use time::{Dts, Pts, Rounding, Ticks, Timescale};
pub use track::{Extra, Headers, Track, TrackId, TrackList, Unconfigured};
pub use unit::{AccessUnit, FrameRole};
