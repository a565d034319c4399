//! Demuxers and muxers for FLV, MPEG-TS and MP4.

mod crypt;
mod event;
pub mod flv;
mod left_out;
pub mod mp4;
#[cfg(test)]
mod test_media;
pub mod timed;
pub mod ts;

pub use crypt::Key;
pub use event::{Damage, Event, Scheme, TimedMetadata};
pub use left_out::LeftOut;
