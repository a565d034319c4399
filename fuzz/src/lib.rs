//! What the fuzz targets do with their input, as functions, so that the committed corpora are
//! replayed by ordinary tests as well (`cargo test -p sidestream-fuzz --lib`).
//!
//! Build and run a target with `RUSTC_BOOTSTRAP=1 cargo fuzz run <target>` from the workspace root.
//! A target checks invariants and that any split of its input gives the same result; a crash becomes
//! a named unit test in the crate it is about, and its input joins the corpus.

mod amf;
mod chunk;
mod flv;
mod flv_file;
mod hls;
mod mp4;
mod session;
mod ts;

pub use amf::amf0_decode;
pub use chunk::rtmp_chunk_reader;
pub use flv::flv_demux;
pub use flv_file::flv_file;
pub use hls::hls_folder;
pub use mp4::{mp4_demux, mp4_round_trip};
pub use session::{rtmp_client_session, rtmp_server_session};
pub use ts::{flv_ts_flv, ts_demux};

#[cfg(test)]
mod corpus;
