//! FLV against other readers, over all real and damaged files of the shared test media.
//!
//! The files are found in a folder `shared/testmedia` beside the repository, or below
//! `SIDESTREAM_SHARED`; without them the tests say so and pass.
#![allow(clippy::unwrap_used, missing_docs)]

mod bad_input;
mod configs;
mod file_demuxer;
mod files;
mod oracle_ffprobe;
mod oracle_scuffle;
mod round_trip;
