//! MP4 read and written: round trips over the shared test media, recordings cut anywhere, files of
//! ffmpeg as ffprobe reads them, damaged files.
//!
//! The files are found in a folder `shared/testmedia` beside the repository, or below
//! `SIDESTREAM_SHARED`; without them, or without ffmpeg, the tests say so and pass.
#![allow(clippy::unwrap_used, missing_docs)]

mod bad_input;
mod drive;
mod ffprobe;
mod framemd5;
mod large;
mod mp4_crate;
mod read;
mod record;
mod round_trip;
#[path = "../muxers/source.rs"]
#[allow(dead_code)]
mod source;
mod through;
