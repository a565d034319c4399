//! MPEG-TS and fragmented MP4 of all real files of the shared test media, as ffmpeg reads them.
//!
//! The files are found in a folder `shared/testmedia` beside the repository, or below
//! `SIDESTREAM_SHARED`; without them, or without ffmpeg, the tests say so and pass.
#![allow(clippy::unwrap_used, missing_docs)]

mod ffmpeg;
mod mp4;
mod source;
mod ts;
