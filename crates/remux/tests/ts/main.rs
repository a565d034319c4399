//! MPEG-TS read: round trips from FLV, real files, damage; ffmpeg's files against ffprobe.
//!
//! Shared media are found in a folder `shared/testmedia` beside the repository, or below
//! `SIDESTREAM_SHARED`; without them, or without ffmpeg, tests that need them say so and pass.
#![allow(clippy::unwrap_used, missing_docs)]

mod files;
mod hostile;
mod probe;
mod round_trip;
