//! Demuxers and muxers for FLV, MPEG-TS and MP4.

pub mod flv;
mod left_out;
pub mod mp4;
#[cfg(test)]
mod test_media;
pub mod ts;

pub use left_out::LeftOut;
